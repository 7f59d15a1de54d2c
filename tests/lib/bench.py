"""What the benchmarks of computation share: the models' sizes, the peers, the limits of the machine, the table."""
import base64, json, os, random, statistics, struct, subprocess, sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIMO = os.environ.get("UNIMO_BIN", f"{TOP}/build/release/bin")
BUILD = os.environ.get("UNIMO_BUILD", f"{TOP}/build/release")
os.environ.setdefault("OMP_PROC_BIND", "true")  # ours and theirs: else the threads of either may find themselves on one processor
THREADS = len(os.sched_getaffinity(0))
QUICK = "UNIMO_BENCH_QUICK" in os.environ  # sizes that measure nothing, for a test that sees whether the benchmarks run
VOCAB, FEATURES, POSITIONS = (1000, 64, 514) if QUICK else (50265, 2048, 514)
CLS, SEP, PAD, UNK, MASK = 0, 2, 1, 3, VOCAB - 1
SIZES = {"base": (2, 64, 1), "small": (1, 64, 1)} if QUICK else {"base": (12, 768, 12), "small": (4, 256, 4)}  # layers, hidden, heads
# glibc gives freed memory back to the system and takes it anew at every step unless told otherwise.
BEST_MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2147483647"}


def peers():
    """Pythons with PyTorch: those of UNIMO_PEERS (a list of paths with blanks), or the system's and this one."""
    found = []
    for python in os.environ.get("UNIMO_PEERS", f"/usr/bin/python3 {sys.executable}").split():
        got = subprocess.run([python, "-c", "import torch; print(torch.__version__.split('+')[0])"], capture_output=True, text=True)
        if got.returncode == 0 and got.stdout.strip() not in [v for v, _ in found]:
            found.append((got.stdout.strip(), python))
    return found


def vocabulary(folder):
    names = {"<s>": CLS, "<pad>": PAD, "</s>": SEP, "<unk>": UNK, "<mask>": MASK} | {f"t{i}": i for i in range(260, VOCAB - 1)}
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # GPT-2's characters for bytes
    names |= {chr(c): 4 + i for i, c in enumerate([*plain, *range(256, 512 - len(plain))])}
    os.makedirs(folder, exist_ok=True)
    json.dump(names, open(folder + "/vocab.json", "w"))
    open(folder + "/merges.txt", "w").write("#version: 0.2\n")


def config(path, size):
    layers, hidden, heads = SIZES[size]
    json.dump({"model_type": "unimo", "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * hidden,
               "vocab_size": VOCAB, "max_position_embeddings": POSITIONS, "bos_token_id": CLS, "pad_token_id": PAD, "eos_token_id": SEP, "unk_token_id": UNK,
               "mask_token_id": MASK, "max_text": 512, "max_regions": 100, "image_feature_size": FEATURES, "image_class_size": 4, "label_hidden": 0}, open(path, "w"))
    return path


def write(path, records):
    with open(path, "w") as f:
        f.writelines(json.dumps({"id": str(i)} | r) + "\n" for i, r in enumerate(records))


def said(n):
    """A record of n tokens."""
    return {"text": "", "tokens": [random.randrange(260, VOCAB - 1) for _ in range(n)]}


def images(folder, n, regions):
    """A stream of n images of so many regions, all alike."""
    one = struct.pack(f"<{FEATURES}f", *(random.gauss(0, 1) for _ in range(FEATURES)))
    features, boxes = base64.b64encode(one * regions).decode(), base64.b64encode(struct.pack("<4f", 10, 10, 110, 110) * regions).decode()
    write(f"{folder}/images.jsonl", ({"image": str(i), "width": 640, "height": 480, "tensors": {
        "boxes": {"dtype": "F32", "shape": [regions, 4], "base64": boxes}, "features": {"dtype": "F32", "shape": [regions, FEATURES], "base64": features}}} for i in range(n)))
    subprocess.run([f"{UNIMO}/unimo-view", "--pack", "-o", f"{folder}/images{regions}.zst", f"{folder}/images.jsonl"], check=True)
    return f"{folder}/images{regions}.zst"


def layer(size, precision, texts=64, length=128, part="", threads=THREADS):
    """Parts of a training step, measured by tests/speed/layer: name -> its line. "product" and "copy" are the machine's limits."""
    _, hidden, heads = SIZES[size]
    words = [threads, hidden, heads, VOCAB, texts, length, precision, *([part] if part else [])]
    out = subprocess.run([f"{BUILD}/tests/speed/layer.t", *map(str, words)], check=True, capture_output=True, text=True).stdout
    return {x["part"]: x for x in map(json.loads, out.splitlines())}


def limits(precision):
    """Operations and bytes a second, the most that was seen."""
    got = layer("small", precision, 8, 128, "copy")
    return got["product"]["flops"] / got["product"]["least"], got["copy"]["bytes"] / got["copy"]["least"]


class Peer:
    """tests/lib/torch_peer.py under a Python, waiting for commands: each answer is the seconds of what was done."""

    def __init__(self, python, malloc=BEST_MALLOC, threads=THREADS, **what):
        self.process = subprocess.Popen([python, f"{TOP}/tests/lib/torch_peer.py", json.dumps(what | {"threads": threads})], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=os.environ | malloc)
        self.ask("wait")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended at '{command}'")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Table:
    """One line for each thing measured, on standard output, and all of them as JSON in BUILD/bench/NAME.json."""

    def __init__(self, name):
        self.name, self.rows = name, []
        print(f"{name}: {'':58} {'floor':>9} {'ours':>9} {'ratio':>6}   peers (their time / ours, and / the floor)")

    def add(self, what, ours, floor=None, peers={}, unit="ms", **more):
        """Seconds of ours, of the floor, and of each peer."""
        scale = 1e3 if unit == "ms" else 1
        self.rows.append({"what": what, "floor": floor, "ours": ours, "ratio": ours / floor if floor else None,
                          "peers": {k: {"seconds": v, "ratio": v / ours, "most": v / floor if floor else None} for k, v in peers.items()}, **more})
        at = f"{scale * floor:9.3f} {scale * ours:9.3f} {ours / floor:6.2f}" if floor else f"{'':9} {scale * ours:9.3f} {'':6}"
        print(f"{self.name}: {what:58} {at}   " + "  ".join(f"{k} {v / ours:.2f}" + (f" of {v / floor:.2f}" if floor else "") for k, v in peers.items())
              + "".join(f"  {k} {v}" for k, v in more.items()), flush=True)

    def close(self):
        os.makedirs(f"{BUILD}/bench", exist_ok=True)
        json.dump(self.rows, open(f"{BUILD}/bench/{self.name}.json", "w"), indent=1)


def median(x):
    return statistics.median(x)
