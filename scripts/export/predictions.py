"""What exporters share: predictions as unimo-predict writes them, one line for whatever is wrong, and files that appear when complete."""
import json, os, signal, subprocess, sys

PROGRAM = os.path.basename(sys.argv[0])


def fail(message, status=1):
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    sys.exit(status)


def arguments(doc, least, most):
    words = sys.argv[1:]
    if words and words[0] in ("-h", "--help"):
        print(doc.strip())
        sys.exit(0)
    bad = [w for w in words if w.startswith("-") and w != "-"]
    if bad or not least <= len(words) <= most:
        fail(f"{bad[0]}: unknown option (see -h)" if bad else f"{len(words)} operands (see -h)", 2)
    return words


def records(path):
    """(id, pred) of a stream; '-' is standard input."""
    try:
        view = subprocess.Popen(["unimo-view", path], stdout=subprocess.PIPE)
    except FileNotFoundError:
        fail("unimo-view is not in PATH")
    with view.stdout as f:
        for line in f:
            r = json.loads(line)
            if "pred" not in r or "id" not in r:
                fail(f"{path}: record {r.get('id')!r}: no \"pred\"")
            yield r["id"], r["pred"]
    if view.wait():
        sys.exit(1)  # it has said why


def integer(id, what):
    """The number at the end of an id: 42 of "42" and of "COCO_val2014_000000000042"."""
    digits = id[len(id.rstrip("0123456789")):]
    return int(digits) if digits else fail(f"{id!r}: no {what} at its end")


def print_array(objects):
    """A JSON array, an object a line. The last member is what was predicted for the others, which name one thing each."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        n, seen = 0, set()
        for n, x in enumerate(objects, 1):
            names = list(x)[:-1]
            key = tuple(x[k] for k in names)
            if key in seen:
                fail(", ".join(f"{k} {v}" for k, v in zip(names, key)) + ": two predictions")
            seen.add(key)
            print("[" if n == 1 else ",\n", json.dumps(x), sep="", end="")
        if not n:
            fail("no predictions")
        print("]")
        sys.stdout.flush()
    except OSError as e:
        fail(f"output: {e.strerror}")
