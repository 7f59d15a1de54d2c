"""The independent model of model_parity.c: UNIMO and RoBERTa written from their papers in PyTorch, float64.

model_parity.py check           exit 0 when PyTorch is there
model_parity.py unimo DIR       DIR holds config.json, model.safetensors, case.safetensors: compare; exit 1 when they differ
model_parity.py roberta DIR     make DIR/config.json, model.safetensors (Hugging Face's names), expect.safetensors
"""
import json
import struct
import sys

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)

DTYPES = {"F32": np.float32, "I32": np.int32, "I64": np.int64, "F64": np.float64}
TOLERANCE = 1e-4


def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, d in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        a, b = d["data_offsets"]
        out[name] = np.frombuffer(data[8 + n + a:8 + n + b], DTYPES[d["dtype"]]).reshape(d["shape"])
    return out


def write(path, tensors):
    head, at, body = {}, 0, b""
    for name, t in tensors.items():
        raw = np.ascontiguousarray(t).tobytes()
        kind = {np.dtype(v): k for k, v in DTYPES.items()}[t.dtype]
        head[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        body += raw
    head = json.dumps(head).encode()
    head += b" " * (-len(head) % 8)
    open(path, "wb").write(struct.pack("<Q", len(head)) + head + body)


def linear(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def norm(p, name, x, eps):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps) * p[name + ".weight"] + p[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / 2 ** 0.5))


def layer(p, prefix, x, allowed, heads, eps):
    """One post-LN layer on x[n,H]; allowed[n,n] says which row sees which."""
    n, width = x.shape
    d = width // heads
    q, k, v = (linear(p, f"{prefix}.attention.self.{w}", x).view(n, heads, d).transpose(0, 1) for w in ("query", "key", "value"))
    scores = (q @ k.transpose(1, 2)) / d ** 0.5
    scores = scores.masked_fill(~allowed, -1e300)
    context = (torch.softmax(scores, -1) @ v).transpose(0, 1).reshape(n, width)
    y = norm(p, f"{prefix}.attention.output.LayerNorm", x + linear(p, f"{prefix}.attention.output.dense", context), eps)
    f = linear(p, f"{prefix}.output.dense", gelu(linear(p, f"{prefix}.intermediate.dense", y)))
    return norm(p, f"{prefix}.output.LayerNorm", y + f, eps)


def lm_logits(p, x, word, eps):
    u = norm(p, "lm_head.layer_norm", gelu(linear(p, "lm_head.dense", x)), eps)
    return u @ p[word].T + p["lm_head.bias"]


def unimo_hidden(p, c, b):
    eps = c["layer_norm_eps"]
    text = norm(p, "unimo.embeddings.LayerNorm", p["unimo.embeddings.word_embeddings.weight"][b["id"]]
                + p["unimo.embeddings.position_embeddings.weight"][b["position"]], eps)
    image = norm(p, "unimo.image_embeddings.LayerNorm", linear(p, "unimo.image_embeddings.feature", b["feature"])
                 + linear(p, "unimo.image_embeddings.location", b["location"]), eps)
    rows = torch.stack([text[k] if k >= 0 else image[-1 - k] for k in b["source"].tolist()])
    out = []
    for s, prefix in enumerate(b["prefix"].tolist()):
        x = rows[b["start"][s]:b["start"][s + 1]]
        n = len(x)
        i, j = torch.arange(n)[:, None], torch.arange(n)[None]
        allowed = (j < prefix) | (j <= i)
        for l in range(c["num_hidden_layers"]):
            x = layer(p, f"unimo.encoder.layer.{l}", x, allowed, c["num_attention_heads"], eps)
        out.append(x)
    return torch.cat(out)


def smooth_cross_entropy(logits, label, smoothing):
    logp = torch.log_softmax(logits, -1)
    return (-(1 - smoothing) * logp.gather(1, label[:, None])[:, 0] - smoothing * logp.mean(-1)).mean()


def unimo_losses(p, c, b, h, smoothing, margin, gamma):
    eps, word = c["layer_norm_eps"], "unimo.embeddings.word_embeddings.weight"
    loss = {}
    loss["mlm"] = smooth_cross_entropy(lm_logits(p, h[b["mlm_row"]], word, eps), b["mlm_label"], 0)
    loss["seq2seq"] = smooth_cross_entropy(lm_logits(p, h[b["seq2seq_row"]], word, eps), b["seq2seq_label"], smoothing)
    logp = torch.log_softmax(linear(p, "mrc_head", h[b["probs_row"]]), -1)
    loss["mrc"] = -(b["probs"] * logp).sum(-1).mean()
    loss["mrfr"] = ((linear(p, "mrfr_head", h[b["masked_row"]]) - b["masked_feature"]) ** 2).mean()
    text = torch.relu(linear(p, "unimo.text_pooler.dense", h[b["cls_row"]]))
    image = torch.relu(linear(p, "unimo.image_pooler.dense", h[b["img_row"]]))
    pairs, scale = (text[b["score_cls"]], image[b["score_img"]]), 1 / c.get("match_temperature", 1)
    if c.get("match_cosine"):
        score = F.cosine_similarity(*pairs, dim=1)
        scale = scale * torch.exp(p["match_log_scale"])
    else:
        score = linear(p, "match_head", pairs[0] * pairs[1])[:, 0]
    cmcl, circle = [], []
    for g in range(len(b["group"]) - 1):
        s, good = score[b["group"][g]:b["group"][g + 1]], b["positive"][b["group"][g]:b["group"][g + 1]].bool()
        cmcl.append(torch.logsumexp(s * scale, 0) - torch.logsumexp(s[good] * scale, 0))
        sp, sn = s[good], s[~good]
        ap, an = torch.relu(1 + margin - sp).detach(), torch.relu(sn + margin).detach()
        circle.append(torch.log(1 + torch.exp(gamma * an * (sn - margin)).sum() * torch.exp(-gamma * ap * (sp - (1 - margin))).sum()))
    loss["cmcl"], loss["match"] = torch.stack(cmcl).mean(), torch.stack(circle).mean()
    x = text[b["example_cls"]] + torch.stack([image[k] if k >= 0 else torch.zeros_like(text[0]) for k in b["example_img"].tolist()])
    logits = linear(p, "classifier.out_proj", linear(p, "classifier.dense", x))
    loss["label"] = smooth_cross_entropy(logits, b["example_label"], 0)
    return loss


def far(name, got, want, beside):
    """The largest difference over the largest value (of want, or of beside), as text when it is too large."""
    scale = max(float(np.abs(want).max()), float(np.abs(beside).max()), 1e-3) if want.size else 1
    d = float(np.abs(got - want).max()) / scale if want.size else 0
    return d, (f"# {name}: off by {d:.3g} (at most {TOLERANCE})" if not d <= TOLERANCE else None)


def compare_unimo(folder):
    c = json.load(open(folder + "/config.json"))
    p = {k: torch.tensor(v.astype(np.float64), requires_grad=True) for k, v in read(folder + "/model.safetensors").items()}
    case = read(folder + "/case.safetensors")
    b = {k: torch.tensor(v.astype(np.float64 if v.dtype == np.float32 else np.int64)) for k, v in case.items()}
    h = unimo_hidden(p, c, b)
    smoothing, margin, gamma = (float(x) for x in case["options"])
    loss = unimo_losses(p, c, b, h, smoothing, margin, gamma)
    bad, worst = [], 0.0

    def check(name, got, want, beside=0):
        nonlocal worst
        d, text = far(name, got, want, beside)
        worst = max(worst, d)
        bad.extend([text] if text else [])

    check("hidden", case["hidden"], h.detach().numpy())
    for i, name in enumerate(loss):
        check("loss " + name, case["losses"][i:i + 1], loss[name].detach().numpy().reshape(1))
    for k in ("cmcl", "match"):  # one run each: they share the groups
        total = sum(w * loss[name] for w, name in zip(case["weight_" + k].tolist(), loss))
        for t in p.values():
            t.grad = None
        total.backward(retain_graph=True)
        for name, t in p.items():
            want = t.grad.numpy() if t.grad is not None else np.zeros(t.shape)
            # A key's bias moves all scores of a query alike, so that its gradient is zero, a sum of what its weight's consists of.
            beside = p[name[:-len("bias")] + "weight"].grad.numpy() if name.endswith("key.bias") and t.grad is not None else 0
            check(f"gradient of {name} with {k}", case[f"grad_{k}.{name}"].reshape(want.shape), want, beside)
    print(f"# worst difference from PyTorch, relative to the largest value: {worst:.3g}")
    print("\n".join(bad))
    return 1 if bad else 0


def make_roberta(folder):
    torch.manual_seed(1)
    V, H, L, A, I, P, eps = 120, 32, 3, 2, 64, 34, 1e-5
    p = {}

    def add(name, *shape, scale=0.15):
        p[name] = (torch.randn(*shape) * scale).float().double()

    def add_norm(name):
        add(name + ".weight", H)
        p[name + ".weight"] += 1
        p[name + ".weight"] = p[name + ".weight"].float().double()
        add(name + ".bias", H)

    def add_linear(name, o, i):
        add(name + ".weight", o, i)
        add(name + ".bias", o)

    add("roberta.embeddings.word_embeddings.weight", V, H)
    add("roberta.embeddings.position_embeddings.weight", P, H)
    add("roberta.embeddings.token_type_embeddings.weight", 1, H)
    add_norm("roberta.embeddings.LayerNorm")
    for l in range(L):
        at = f"roberta.encoder.layer.{l}"
        for w in ("query", "key", "value"):
            add_linear(f"{at}.attention.self.{w}", H, H)
        add_linear(f"{at}.attention.output.dense", H, H)
        add_norm(f"{at}.attention.output.LayerNorm")
        add_linear(f"{at}.intermediate.dense", I, H)
        add_linear(f"{at}.output.dense", H, I)
        add_norm(f"{at}.output.LayerNorm")
    add_linear("roberta.pooler.dense", H, H)
    add_linear("lm_head.dense", H, H)
    add_norm("lm_head.layer_norm")
    add("lm_head.bias", V)
    json.dump({"model_type": "roberta", "architectures": ["RobertaForMaskedLM"], "hidden_size": H, "num_hidden_layers": L,
               "num_attention_heads": A, "intermediate_size": I, "vocab_size": V, "max_position_embeddings": P, "layer_norm_eps": eps,
               "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02,
               "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "type_vocab_size": 1}, open(folder + "/config.json", "w"))
    write(folder + "/model.safetensors", {k: v.numpy().astype(np.float32) for k, v in p.items()})
    ids = torch.randint(4, V, (20,))
    full = torch.cat([torch.tensor([0]), ids, torch.tensor([2])])
    position = torch.arange(len(full)) + 2  # pad id + 1, and on
    x = norm(p, "roberta.embeddings.LayerNorm", p["roberta.embeddings.word_embeddings.weight"][full]
             + p["roberta.embeddings.position_embeddings.weight"][position] + p["roberta.embeddings.token_type_embeddings.weight"][0], eps)
    allowed = torch.ones(len(full), len(full), dtype=torch.bool)
    for l in range(L):
        x = layer(p, f"roberta.encoder.layer.{l}", x, allowed, A, eps)
    logits = lm_logits(p, x, "roberta.embeddings.word_embeddings.weight", eps)
    write(folder + "/expect.safetensors", {"ids": ids.numpy().astype(np.int32), "hidden": x.numpy().astype(np.float32),
                                           "logits": logits.numpy().astype(np.float32)})
    return 0


if __name__ == "__main__":
    what = sys.argv[1]
    sys.exit(0 if what == "check" else compare_unimo(sys.argv[2]) if what == "unimo" else make_roberta(sys.argv[2]))
