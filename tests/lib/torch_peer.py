"""PyTorch beside the benchmarks of training: the same model, the same lengths, padded to the longest as PyTorch needs it. Reads commands,
one a line, and answers each with a number: "step" (seconds of a training step), "forward", "memory" (peak resident KiB), or a part of a
layer. The model is written as PyTorch is fastest: one product for query, key and value, its own attention and its own fused AdamW where
there are, the head on target rows only."""
import json, random, resource, sys, time
import torch
import torch.nn.functional as F

what = json.loads(sys.argv[1])
torch.set_num_threads(what["threads"])
torch.manual_seed(1)
random.seed(1)
V, FEATURES, POSITIONS, PAD, P = 50265, 2048, 514, 1, 0.1
L, H, HEADS = what["layers"], what["hidden"], what["heads"]
HALF = what["precision"] == "bf16"


def plain_attention(q, k, v, attn_mask=None, dropout_p=0.0):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -1e9)
    return F.dropout(F.softmax(scores, -1), dropout_p) @ v


attention = getattr(F, "scaled_dot_product_attention", plain_attention)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = torch.nn.Linear(H, 3 * H), torch.nn.Linear(H, H)
        self.wide, self.narrow = torch.nn.Linear(H, 4 * H), torch.nn.Linear(4 * H, H)
        self.norm1, self.norm2 = torch.nn.LayerNorm(H), torch.nn.LayerNorm(H)

    def forward(self, x, mask):
        p = P if self.training else 0.0
        q, k, v = (t.view(*t.shape[:2], HEADS, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        context = attention(q, k, v, attn_mask=mask, dropout_p=p).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + F.dropout(self.out(context), p))
        return self.norm2(x + F.dropout(self.narrow(F.gelu(self.wide(x))), p))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.position = torch.nn.Embedding(V, H), torch.nn.Embedding(POSITIONS, H)
        self.feature, self.location = torch.nn.Linear(FEATURES, H), torch.nn.Linear(5, H)
        self.text_norm, self.image_norm = torch.nn.LayerNorm(H), torch.nn.LayerNorm(H)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(L))
        self.dense, self.norm, self.bias = torch.nn.Linear(H, H), torch.nn.LayerNorm(H), torch.nn.Parameter(torch.zeros(V))
        self.score = torch.nn.Linear(H, 1)

    def encode(self, b):
        x = self.text_norm(self.word(b["ids"]) + self.position(torch.arange(b["ids"].shape[1]) + 2))
        if "features" in b:
            image = self.image_norm((self.feature(b["features"]) + self.location(b["boxes"])).float())
            x = torch.cat([image[b["image_of"]] if "image_of" in b else image, x], 1)
        x = F.dropout(x, P if self.training else 0.0)
        for l in self.layers:
            x = l(x, b["mask"])
        return x

    def forward(self, b):
        x = self.encode(b)
        h = x.reshape(-1, H)[b["rows"]]
        h = self.norm(F.gelu(self.dense(h)).float())
        loss = F.cross_entropy((h @ self.word.weight.T + self.bias).float(), b["labels"])
        if "group" in b:
            s = self.score(x[:, 0]).float().view(-1, b["group"])
            loss = loss + F.cross_entropy(s, torch.zeros(len(s), dtype=torch.long))
        return loss


def batch():
    lengths, regions, group = what["lengths"], what.get("regions", 0), what.get("group", 0)
    n, longest = len(lengths), max(lengths)
    ids = torch.full((n, longest), PAD)
    for i, l in enumerate(lengths):
        ids[i, :l] = torch.randint(260, V - 1, (l,))
    b = {"ids": ids, "mask": None}
    if regions:
        images = n // group if group else n
        b["features"], b["boxes"] = torch.randn(images, regions + 1, FEATURES), torch.rand(images, regions + 1, 5)
        if group:
            b["image_of"] = torch.arange(n) // group
    if min(lengths) < longest:
        seen = torch.cat([torch.ones(n, regions + 1 if regions else 0, dtype=torch.bool), ids != PAD], 1)
        b["mask"] = seen[:, None, None]
    offset = regions + 1 if regions else 0
    at = [(i * (longest + offset) + offset + j, ids[i, j]) for i, l in enumerate(lengths) for j in range(l) if not group or i % group == 0]
    at = random.sample(at, max(1, int(0.15 * len(at))))
    b["rows"], b["labels"] = torch.tensor([r for r, _ in at]), torch.tensor([int(t) for _, t in at])
    return b


def optimizer(parameters):
    try:
        return torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(parameters, lr=1e-4, foreach=False)


def autocast():
    return torch.autocast("cpu", torch.bfloat16, enabled=HALF)


class Training:
    def __init__(self):
        self.model, self.batch = Model(), batch()
        self.optimizer = optimizer(self.model.parameters())

    def step(self):
        with autocast():
            loss = self.model(self.batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def forward(self):
        self.model.eval()
        with torch.no_grad(), autocast():
            self.model.encode(self.batch)
        self.model.train()


class Parts:
    """Parts of a layer and of the head on `texts` texts of `length` rows."""

    def __init__(self):
        B, T, self.dtype = what["texts"], what["length"], torch.bfloat16 if HALF else torch.float32
        N, n = B * T, B * T // 7
        make = lambda *shape: torch.randn(*shape, dtype=self.dtype, requires_grad=True)
        self.weight = {k: make(o, i) for k, (o, i) in {"qkv": (3 * H, H), "attention out": (H, H), "ffn in": (4 * H, H), "ffn out": (H, 4 * H), "head": (V, H)}.items()}
        self.x, self.wide, self.u = make(N, H), make(N, 4 * H), make(n, H)
        self.norm = torch.nn.LayerNorm(H).to(self.dtype)
        self.q, self.k, self.v = (make(B, HEADS, T, H // HEADS) for _ in range(3))
        self.labels = torch.arange(n)
        self.table = torch.nn.Parameter(torch.randn(V, H))
        self.table.grad = torch.randn(V, H) * 0.01
        self.optimizer = optimizer([self.table])

    def product(self, name, kind):
        x, w = (self.u if name == "head" else self.wide if name == "ffn out" else self.x), self.weight[name]
        if kind == "forward":
            with torch.no_grad():
                return lambda: F.linear(x, w)
        y = F.linear(x, w)
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, x if kind == "gradient of input" else w, dy, retain_graph=True)

    def pair(self, forward, inputs, kind):
        if kind == "forward":
            def run():
                with torch.no_grad():
                    forward()
            return run
        y = forward()
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)

    def named(self, name):
        part, _, kind = name.partition(", ")
        if part in self.weight and kind != "loss and its gradient":
            return self.product(part, kind)
        if part == "attention":
            return self.pair(lambda: attention(self.q, self.k, self.v, dropout_p=P), (self.q, self.k, self.v), kind)
        if part == "residual + dropout + norm":
            return self.pair(lambda: self.norm(self.x + F.dropout(self.x, P)), (self.x, *self.norm.parameters()), kind)
        if part == "gelu":
            return self.pair(lambda: F.gelu(self.wide), self.wide, kind)
        if part == "dropout":
            return self.pair(lambda: F.dropout(self.x, P), self.x, "forward")
        if part == "head":
            logits = torch.randn(len(self.labels), V, dtype=self.dtype, requires_grad=True)
            return lambda: torch.autograd.grad(F.cross_entropy(logits.float(), self.labels), logits)
        if part == "optimizer":
            def run():
                torch.nn.utils.clip_grad_norm_([self.table], 1.0)
                self.optimizer.step()
            return run

    def measure(self, name, runs=7):
        run, times = self.named(name), []
        for _ in range(runs + 1):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return sorted(times[1:])[runs // 2]


subject = Parts() if "texts" in what else Training()
for line in sys.stdin:
    command, start = line.strip(), time.perf_counter()
    if command == "memory":
        answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    elif command == "wait":
        answer = 0
    elif isinstance(subject, Parts):
        answer = subject.measure(command)
    else:
        getattr(subject, command)()
        answer = time.perf_counter() - start
    print(json.dumps(answer), flush=True)
