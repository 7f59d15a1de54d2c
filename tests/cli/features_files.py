"""Files of region features as the field's own code writes and reads them, for features.t: csv and base64 with numpy, np.savez.

features_files.py write DIR     makes DIR/bua.tsv, lxmert.tsv, unimo.tsv, swapped.tsv, xywh.tsv, milvlg/, older/, uniter/
features_files.py same FORM A B   exit 1 unless the arrays of two files are the same to the last bit
features_files.py flat N CMD...   pipes a tenth of N pictures of the field's size as bua lines into CMD, then N; exit 1 unless the second takes
                                  no more memory than the first
"""
import base64
import csv
import os
import resource
import struct
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

csv.field_size_limit(1 << 30)
FIELDS = {
    "bua": ["image_id", "image_w", "image_h", "num_boxes", "boxes", "features"],
    "lxmert": ["img_id", "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", "num_boxes", "boxes", "features"],
    "unimo": ["name", "image_w", "image_h", "number_box", "boxes", "features", "class_probs"],
}
PICTURES, D, K = 5, 64, 17


def pictures():
    r = np.random.RandomState(7)
    for i in range(PICTURES):
        n, w, h = 3 + i, 640 - 8 * i, 300 + i
        x1, y1 = r.rand(n) * w * 0.6, r.rand(n) * h * 0.6
        boxes = np.stack([x1, y1, x1 + 1 + r.rand(n) * (w - x1 - 2), y1 + 1 + r.rand(n) * (h - y1 - 2)], 1).astype(np.float32)
        boxes[0] = [0, 0, w - 1, h - 1]
        features = np.maximum(r.randn(n, D), 0).astype(np.float32)
        features[0, :4] = [np.float32(1e-42), -0.0, np.float32(3.4e38), np.float32(1) / 3]
        probs = r.dirichlet(np.ones(K) * 0.3, n).astype(np.float32)
        yield {"id": str(1000 + i), "w": w, "h": h, "n": n, "boxes": boxes, "features": features, "probs": probs,
               "objects_id": probs[:, 1:].argmax(1), "objects_conf": probs[:, 1:].max(1),
               "attrs_id": r.randint(0, 400, n), "attrs_conf": r.rand(n).astype(np.float32)}


def b64(x):
    return base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()


def row(form, p):
    values = {"bua": [p["id"], p["w"], p["h"], p["n"], b64(p["boxes"]), b64(p["features"])],
              "lxmert": [p["id"], p["h"], p["w"], b64(p["objects_id"]), b64(p["objects_conf"]), b64(p["attrs_id"]), b64(p["attrs_conf"]), p["n"],
                         b64(p["boxes"]), b64(p["features"])],
              "unimo": [p["id"], p["w"], p["h"], p["n"], b64(p["boxes"]), b64(p["features"]), b64(p["probs"])]}
    return dict(zip(FIELDS[form], values[form]))


def write_tsv(path, form, change=lambda p: p, header=False):
    with open(path, "w", newline="") as f:
        out = csv.DictWriter(f, FIELDS[form], delimiter="\t")
        if header:
            out.writeheader()
        for p in pictures():
            out.writerow(row(form, change(dict(p))))


def as_xywh(p):
    b = p["boxes"].copy()
    b[:, 2:] -= b[:, :2]
    p["boxes"] = b
    return p


def as_fractions(p):
    p["boxes"] = p["boxes"] / np.array([p["w"], p["h"]] * 2, np.float32)
    return p


def swapped(p):
    p["w"], p["h"] = p["h"], p["w"]
    return p


def write(folder):
    for form in FIELDS:
        write_tsv(f"{folder}/{form}.tsv", form)
    write_tsv(f"{folder}/header.tsv", "bua", header=True)
    write_tsv(f"{folder}/xywh.tsv", "bua", as_xywh)
    write_tsv(f"{folder}/fractions.tsv", "bua", as_fractions)
    write_tsv(f"{folder}/swapped.tsv", "bua", swapped)
    for name in ("milvlg", "older", "uniter"):
        os.mkdir(f"{folder}/{name}")
    for p in pictures():
        size = {"num_bbox": p["n"], "image_h": p["h"], "image_w": p["w"]}
        info = {k: p[k] for k in ("objects_id", "objects_conf", "attrs_id", "attrs_conf")}
        np.savez_compressed(f"{folder}/milvlg/{p['id']}", x=p["features"], bbox=p["boxes"], info=info, **size)
        np.savez(f"{folder}/older/{p['id']}", x=np.asfortranarray(p["features"].T), bbox=p["boxes"], **size)
        scale = np.array([p["w"], p["h"]] * 2, np.float32)
        bb = p["boxes"] / scale
        bb = np.concatenate([bb, bb[:, 2:] - bb[:, :2]], 1)
        with np.errstate(over="ignore"):
            half = p["features"].astype(np.float16)
        np.savez_compressed(f"{folder}/uniter/{p['id']}", norm_bb=bb, features=half, conf=p["objects_conf"],
                            soft_labels=p["probs"].astype(np.float16))


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same(form, a, b):
    if form in FIELDS:
        rows = [list(csv.DictReader(open(x, newline=""), FIELDS[form], delimiter="\t")) for x in (a, b)]
        return rows[0] == rows[1] and len(rows[0]) == PICTURES
    if sorted(os.listdir(a)) != sorted(os.listdir(b)) or len(os.listdir(a)) != PICTURES:
        return False
    for name in os.listdir(a):
        x, y = (np.load(f"{f}/{name}", allow_pickle=True) for f in (a, b))
        if sorted(x.files) != sorted(y.files):
            return False
        for key in x.files:
            if key != "info":
                if not same_bits(x[key], y[key]):
                    return False
                continue
            p, q = x[key].item(), y[key].item()
            if sorted(p) != sorted(q) or not all(same_bits(p[k], q[k]) for k in p):
                return False
    return True


def flat(n, command):
    """ru_maxrss is the largest of all children so far: it may not grow by the second."""
    r = np.random.RandomState(1)
    x1, y1 = r.rand(36) * 300, r.rand(36) * 200
    rest = "\t".join(["", "640", "480", "36", b64(np.stack([x1, y1, x1 + 90, y1 + 90], 1).astype(np.float32)),
                      b64(np.maximum(r.randn(36, 2048), 0).astype(np.float32))]).encode() + b"\n"
    peak = []
    for count in (n // 10, n):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for i in range(count):
            child.stdin.write(str(i).encode() + rest)
        child.stdin.close()
        if child.wait():
            return False
        peak.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(f"{n} pictures, {n * len(rest) / 1e9:.1f} GB: {peak[0] >> 10} MiB for a tenth of them, {peak[1] >> 10} MiB for all")
    return peak[1] - peak[0] < 8 << 10


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2])
    elif sys.argv[1] == "same":
        sys.exit(0 if same(*sys.argv[2:5]) else 1)
    elif sys.argv[1] == "flat":
        sys.exit(0 if flat(int(sys.argv[2]), sys.argv[3:]) else 1)
