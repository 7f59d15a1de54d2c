"""usage: training_parity.py KIND BEGINNING RESULT LOG RECORDS OPTIONS
A training of a few steps against PyTorch's own optimizer, by a model in PyTorch (model_parity.py) in float64: each step learns from all RECORDS (JSON
Lines), whatever batches they were in. KIND: generate, or pretrain on texts so short that they are generated whole. OPTIONS: JSON with steps, lr,
warmup (steps), decay, clip, beta1, beta2, epsilon, smoothing, average, layer_decay, head_lr, freeze. Prints what differs; exit 1 then."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from model_parity import layer, lm_logits, norm, np, read, torch

kind, beginning, result, log, records = sys.argv[1:6]
o = {"smoothing": 0, "average": 0, "layer_decay": 1, "head_lr": 1, "freeze": 0, **json.loads(sys.argv[6])}
config = json.load(open(f"{beginning}/config.json"))
EPS, LAYERS, WORD = config["layer_norm_eps"], config["num_hidden_layers"], "unimo.embeddings.word_embeddings.weight"
CLS, SEP, MASK = (config[f"{x}_token_id"] for x in ("bos", "eos", "mask"))
P = {k: torch.tensor(v.astype(np.float64), requires_grad=True) for k, v in read(f"{beginning}/model.safetensors").items()}
first = {k: v.detach().clone() for k, v in P.items()}


def sequence(r):
    """Source, target (token, position); the target's last row predicts nothing."""
    if kind == "generate":
        return list(zip([CLS, *r["tokens"], SEP], range(2, 99))), list(zip([CLS, *r["target_tokens"], MASK], range(2, 99)))
    n = len(r["tokens"])
    return [(CLS, 2), (SEP, 3 + n)], list(zip([CLS, *r["tokens"], SEP], range(2, 99)))


def loss_of(r):
    """Sum over the target's tokens, and their number."""
    source, target = sequence(r)
    rows = source + target
    ids, positions = (torch.tensor(x) for x in zip(*rows))
    x = norm(P, "unimo.embeddings.LayerNorm", P[WORD][ids] + P["unimo.embeddings.position_embeddings.weight"][positions], EPS)
    i, j = torch.arange(len(rows))[:, None], torch.arange(len(rows))[None]
    for l in range(LAYERS):
        x = layer(P, f"unimo.encoder.layer.{l}", x, (j < len(source)) | (j <= i), config["num_attention_heads"], EPS)
    logp = torch.log_softmax(lm_logits(P, x[len(source):-1], WORD, EPS), -1)
    right = logp.gather(1, torch.tensor([t for t, _ in target[1:]])[:, None]).sum()
    return -(1 - o["smoothing"]) * right - o["smoothing"] * logp.mean(-1).sum(), len(target) - 1


def rate(name):
    depth = LAYERS + 1 if not name.startswith("unimo.") else LAYERS if "pooler" in name else 0
    if name.startswith("unimo.encoder."):
        depth = int(name.split(".")[3]) + 1
    if depth > LAYERS:
        return o["head_lr"]
    return 0 if depth <= o["freeze"] and o["freeze"] and "pooler" not in name else o["layer_decay"] ** (LAYERS - depth)


def has_decay(name):
    return not name.endswith(".bias") and "LayerNorm" not in name and "layer_norm" not in name


learnt = {k: v for k, v in P.items() if rate(k)}
optimizer = torch.optim.AdamW([{"params": [v], "lr": o["lr"] * rate(k), "weight_decay": o["decay"] * has_decay(k)} for k, v in learnt.items()],
                              betas=(o["beta1"], o["beta2"]), eps=o["epsilon"])
share = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: (s + 1) / o["warmup"] if s < o["warmup"] else 1 - s / o["steps"])
examples = [json.loads(line) for line in open(records)]
average, told, bad = dict(first), [json.loads(line) for line in open(log)], []
for step in range(o["steps"]):
    for v in P.values():
        v.grad = torch.zeros_like(v)
    sums = [loss_of(r) for r in examples]
    loss = sum(x for x, _ in sums) / sum(n for _, n in sums)
    loss.backward()
    length = float(torch.nn.utils.clip_grad_norm_(learnt.values(), o["clip"]))
    for name, want in (("loss", float(loss.detach())), ("gradient_norm", length), ("lr", o["lr"] * share.get_last_lr()[0] / optimizer.param_groups[0]["initial_lr"])):
        if not abs(told[step][name] - want) <= 1e-5 * abs(want):
            bad.append(f"step {step + 1}: {name} {told[step][name]}, and {want} was expected")
    optimizer.step()
    share.step()
    average = {k: o["average"] * average[k] + (1 - o["average"]) * v.detach() for k, v in P.items()}
got = read(f"{result}/model.safetensors")
for name in sorted(set(average) & set(got)):
    if name.endswith("key.bias"):  # its gradient is zero but for rounding, which Adam makes steps of
        continue
    moved = float((average[name] - first[name]).abs().max())
    off = float(np.abs(got[name] - average[name].numpy()).max())
    if not off <= 2e-3 * moved + 1e-7:
        bad.append(f"{name}: off by {off:.3g}, having moved by {moved:.3g}")
print("\n".join(bad))
sys.exit(1 if bad else 0)
