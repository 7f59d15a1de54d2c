"""usage: beam_parity.py MODEL TASK BEAM N_BEST MIN MAX PENALTY BLOCKS RECORDS [REGIONS] <PREDICTIONS
What unimo-predict wrote against the search of the published code, by a model in PyTorch (model_parity.py) that computes every row anew for every
token, in float64, for one record at a time. RECORDS and REGIONS are JSON Lines, tensors as base64. Prints what differs; exit 1 then, 77 without
PyTorch."""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from model_parity import layer, linear, lm_logits, norm, np, read, torch

model, task = sys.argv[1:3]
beam, n_best, least, most = map(int, sys.argv[3:7])
penalty, blocks = float(sys.argv[7]), sys.argv[8] == "yes"
config = json.load(open(f"{model}/config.json"))
P = {k: torch.tensor(v.astype(np.float64)) for k, v in read(f"{model}/model.safetensors").items()}
EPS, WORD = config["layer_norm_eps"], "unimo.embeddings.word_embeddings.weight"
CLS, PAD, SEP, UNK, MASK = (config[f"{x}_token_id"] for x in ("bos", "pad", "eos", "unk", "mask"))
END, OTHER = (SEP, MASK) if task == "captioning" else (MASK, SEP)

# ---- tokens to text ----

plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
byte_of = {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in plain)}
token_of = {i: bytes(byte_of[c] for c in t) for t, i in json.load(open(f"{model}/vocab.json")).items() if not (t.startswith("<") and t.endswith(">"))}


def text_of(ids):
    return b"".join(token_of.get(i, b"") for i in ids).decode("utf-8", "replace")


def words(ids):
    """Tokens joined to words: one that begins with a blank begins a word."""
    out = []
    for i in ids:
        t = token_of.get(i, b"")
        if not out or t.startswith(b" "):
            out.append(t)
        else:
            out[-1] += t
    return [w.strip(b" ") for w in out]


def repeats(ids):
    w = words(ids)
    threes = list(zip(w, w[1:], w[2:]))
    return bool(threes) and threes[-1] in threes[:-1]


# ---- what is seen, as the paper's code lays it out ----

def text_rows(pieces):
    """pieces: (token, position, role, turn)."""
    x = P[WORD][[t for t, _, _, _ in pieces]] + P["unimo.embeddings.position_embeddings.weight"][[p for _, p, _, _ in pieces]]
    if "unimo.embeddings.role_embeddings.weight" in P:
        x = x + P["unimo.embeddings.role_embeddings.weight"][[r for _, _, r, _ in pieces]] + P["unimo.embeddings.turn_embeddings.weight"][[t for _, _, _, t in pieces]]
    return norm(P, "unimo.embeddings.LayerNorm", x, EPS)


def image_rows(r):
    load = lambda k, t: torch.tensor(np.frombuffer(base64.b64decode(r["tensors"][k]["base64"]), t).astype(np.float64).reshape(r["tensors"][k]["shape"]))
    boxes, features = load("boxes", np.float32), load("features", {"F16": np.float16, "F32": np.float32}[r["tensors"]["features"]["dtype"]])
    features = features[:config["max_regions"]]
    w, h = r["width"], r["height"]
    place = lambda b: [b[0] / w, b[1] / h, b[2] / w, b[3] / h, (b[3] - b[1]) * (b[2] - b[0]) / (w * h)]
    location = torch.tensor([[0.0, 0, 1, 1, 1]] + [place(b) for b in boxes[:len(features)].tolist()], dtype=torch.float64)
    features = torch.cat([features.mean(0, keepdim=True), features])
    return norm(P, "unimo.image_embeddings.LayerNorm", linear(P, "unimo.image_embeddings.feature", features) + linear(P, "unimo.image_embeddings.location", location), EPS)


def seen(r):
    if task == "captioning":
        return image_rows(r)
    if task == "coqa":
        turns = r["turns_tokens"][-15:]
        n = len(turns)
        pieces = [(CLS, 2, n % 2, n)] + [(t, 3 + i, 2, 0) for i, t in enumerate(r["tokens"] + [SEP])]
        said = [(t, n - k) for k, turn in enumerate(turns) for t in turn + [SEP]]
        return text_rows(pieces + [(t, 3 + i, (n + n - turn) % 2, turn) for i, (t, turn) in enumerate(said)])
    return text_rows([(t, 2 + i, 0, 0) for i, t in enumerate([CLS, *r["tokens"], SEP])])


def next_log_probs(prefix, tokens, is_early):
    x = torch.cat([prefix, text_rows([(t, 2 + i, 0, 0) for i, t in enumerate([CLS, *tokens])])])
    i, j = torch.arange(len(x))[:, None], torch.arange(len(x))[None]
    for n in range(config["num_hidden_layers"]):
        x = layer(P, f"unimo.encoder.layer.{n}", x, (j < len(prefix)) | (j <= i), config["num_attention_heads"], EPS)
    logits = lm_logits(P, x[-1:], WORD, EPS)[0]
    logits[[CLS, PAD, UNK, OTHER] + [END] * is_early] = -1e18
    return torch.log_softmax(logits, -1)


# ---- the search ----

def search(prefix):
    """(score, tokens) of all beams, best first."""
    pool = [(0.0, [], False)]
    for step in range(most):
        before, after = ((5 + step) / 6) ** penalty, ((6 + step) / 6) ** penalty
        candidates = [h for h in pool if h[2]]
        for score, tokens, is_finished in pool:
            if is_finished:
                continue
            top = next_log_probs(prefix, tokens, step < least).topk(beam)
            for value, token in zip(top.values.tolist(), top.indices.tolist()):
                value += score * before - 65000 * (blocks and token != END and repeats(tokens + [token]))
                candidates.append((value / after, tokens + [token], token == END))
        pool = sorted(candidates, key=lambda h: -h[0])[:beam]
        if all(h[2] for h in pool):
            break
    return [(score, tokens[:-1] if is_finished else tokens) for score, tokens, is_finished in pool]


def main():
    regions = {r["id"]: r for r in map(json.loads, open(sys.argv[10]))} if len(sys.argv) > 10 else {}
    records = {r["id"]: r for r in map(json.loads, open(sys.argv[9]))}
    wrong = compared = finished = 0
    for line in sys.stdin:
        out = json.loads(line)
        r = records[out["id"]]
        want = search(seen(regions.get(r.get("image"), r) if task == "captioning" else r))
        got = out.get("n_best") or [out]
        for k in range(n_best):
            text = " ".join(text_of(want[k][1]).split())
            near = [s for i, (s, _) in enumerate(want) if i != k and abs(s - want[k][0]) < 1e-5]  # either order is right
            compared += 1
            if abs(got[k]["score"] - want[k][0]) > 1e-4 * max(1, abs(want[k][0])) or (got[k]["pred"] != text and not near):
                wrong += 1
                print(out["id"], k, got[k], want[k][0], repr(text))
    print(f"{compared} texts")
    sys.exit(bool(wrong) or not compared)


with torch.no_grad():
    main()
