"""Checkpoints of a small bottom-up-attention detector in every public form, for import_detector.t.

checkpoints.py write DIR          DIR/a.caffemodel, a.pkl, a.npz, a.safetensors, old.pth (PyTorch's format before 1.6), evil.pkl, wrong.npz
checkpoints.py torch DIR          DIR/a.bin, by PyTorch itself; exit 77 without it
checkpoints.py folded DIR MODEL   exit 1 unless MODEL's filters are the folded ones
checkpoints.py same MODEL MODEL   exit 1 unless both have the same arrays to rounding, but for those whose names match what follows
"""
import collections
import io
import json
import os
import pickle
import re
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

CLASSES, ATTRIBUTES, ANCHORS = 6, 5, 12
BLOCKS = {"res2": (2, 4, 8), "res3": (1, 4, 12), "res4": (2, 4, 16), "res5": (2, 8, 24)}  # blocks, width, channels


def network():
    """{port's name: array}: an unfolded network."""
    r, p = np.random.RandomState(3), collections.OrderedDict()

    def conv(name, out, inputs, kernel, has_norm=True):
        p[name + ".weight"] = (r.randn(out, inputs, kernel, kernel) / np.sqrt(inputs * kernel * kernel)).astype(np.float32)
        if has_norm:
            p[name + ".norm.weight"] = (1 + 0.2 * r.randn(out)).astype(np.float32)
            p[name + ".norm.bias"] = (0.1 * r.randn(out)).astype(np.float32)
            p[name + ".norm.running_mean"] = (0.1 * r.randn(out)).astype(np.float32)
            p[name + ".norm.running_var"] = (0.5 + r.rand(out)).astype(np.float32)
        else:
            p[name + ".bias"] = (0.1 * r.randn(out)).astype(np.float32)

    def linear(name, out, inputs):
        p[name + ".weight"] = (r.randn(out, inputs) / np.sqrt(inputs)).astype(np.float32)
        p[name + ".bias"] = (0.1 * r.randn(out)).astype(np.float32)

    conv("backbone.stem.conv1", 8, 3, 7)
    p["backbone.stem.conv1.weight"] *= 0.02
    inputs = 8
    for stage, (blocks, width, channels) in BLOCKS.items():
        prefix = "roi_heads.res5" if stage == "res5" else f"backbone.{stage}"
        for i in range(blocks):
            if i == 0:
                conv(f"{prefix}.{i}.shortcut", channels, inputs, 1)
            conv(f"{prefix}.{i}.conv1", width, inputs, 1)
            conv(f"{prefix}.{i}.conv2", width, width, 3)
            conv(f"{prefix}.{i}.conv3", channels, width, 1)
            inputs = channels
    conv("proposal_generator.rpn_head.conv", 10, 16, 3, False)
    conv("proposal_generator.rpn_head.objectness_logits", ANCHORS, 10, 1, False)
    conv("proposal_generator.rpn_head.anchor_deltas", 4 * ANCHORS, 10, 1, False)
    p["proposal_generator.rpn_head.anchor_deltas.weight"] *= 0.05
    head = "roi_heads.box_predictor."
    linear(head + "cls_score", CLASSES, 24)
    linear(head + "bbox_pred", 4 * (CLASSES - 1), 24)
    p[head + "cls_embedding.weight"] = r.randn(CLASSES, 3).astype(np.float32)
    linear(head + "fc_attr", 7, 24 + 3)
    linear(head + "attr_score", ATTRIBUTES, 7)
    return p


def varint(n):
    out = b""
    while True:
        out += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n:
            return out


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob(x):
    return field(7, field(7, field(1, b"".join(varint(n) for n in x.shape))) + field(5, x.astype("<f4").tobytes()))


def caffe(p):
    """The same network as Caffe's release would hold it: background first, a softmax over background and object."""
    out = field(1, b"a net")

    def layer(name, *blobs):
        nonlocal out
        out += field(100, field(1, name.encode()) + field(2, b"Some") + b"".join(blob(b) for b in blobs))

    def block(prefix, caffe_name):
        layer("res" + caffe_name if caffe_name[0].isdigit() else caffe_name, p[prefix + ".weight"])
        bn = "bn" + caffe_name if caffe_name[0].isdigit() else "bn_" + caffe_name
        factor = np.array([4.0], np.float32)
        layer(bn, p[prefix + ".norm.running_mean"] * 4, p[prefix + ".norm.running_var"] * 4, factor)
        layer(bn.replace("bn", "scale"), p[prefix + ".norm.weight"], p[prefix + ".norm.bias"])

    block("backbone.stem.conv1", "conv1")
    for stage, (blocks, _, _) in BLOCKS.items():
        prefix = "roi_heads.res5" if stage == "res5" else f"backbone.{stage}"
        for i in range(blocks):
            letter = "a" if i == 0 else f"b{i}" if stage in ("res3", "res4") else "abc"[i]
            if i == 0:
                block(f"{prefix}.{i}.shortcut", f"{stage[3]}{letter}_branch1")
            for k, branch in enumerate(("2a", "2b", "2c")):
                block(f"{prefix}.{i}.conv{k + 1}", f"{stage[3]}{letter}_branch{branch}")
    rpn, head = "proposal_generator.rpn_head.", "roi_heads.box_predictor."
    layer("rpn_conv/3x3", p[rpn + "conv.weight"], p[rpn + "conv.bias"])
    w, b = p[rpn + "objectness_logits.weight"], p[rpn + "objectness_logits.bias"]
    layer("rpn_cls_score", np.concatenate([w - w / 2 - w, w / 2]), np.concatenate([-b / 2, b / 2]))
    layer("rpn_bbox_pred", p[rpn + "anchor_deltas.weight"], p[rpn + "anchor_deltas.bias"])
    layer("cls_score", first(p[head + "cls_score.weight"]), first(p[head + "cls_score.bias"]))
    scale = np.tile(np.array([0.1, 0.1, 0.2, 0.2], np.float32), CLASSES - 1)  # as its snapshots have them
    layer("bbox_pred", np.concatenate([np.zeros((4, 24), np.float32), p[head + "bbox_pred.weight"] * scale[:, None]]),
          np.concatenate([np.zeros(4, np.float32), p[head + "bbox_pred.bias"] * scale]))
    layer("cls_embedding", first(p[head + "cls_embedding.weight"]))
    layer("fc_attr", p[head + "fc_attr.weight"], p[head + "fc_attr.bias"])
    layer("attr_score", first(p[head + "attr_score.weight"]), first(p[head + "attr_score.bias"]))
    return out


def safetensors(p):
    header, at = {}, 0
    for name, x in p.items():
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(x.tobytes() for x in p.values())


def old_torch(p):
    """What torch.save() wrote before 1.6, opcode by opcode."""
    out = io.BytesIO()
    for head in (0x1950a86a20f9469cfc6c, 1001, {"little_endian": True}):
        pickle.dump(head, out, 2)
    keys = {name: str(i) for i, name in enumerate(p)}
    tree = io.BytesIO()
    tree.write(b"\x80\x02}(")  # a dictionary of tensors, by hand
    for name, x in p.items():
        text = name.encode()
        tree.write(b"X" + struct.pack("<I", len(text)) + text + b"ctorch._utils\n_rebuild_tensor_v2\n((")
        tree.write(b"X\x07\x00\x00\x00storagectorch\nFloatStorage\n")
        key = keys[name].encode()
        tree.write(b"X" + struct.pack("<I", len(key)) + key + b"X\x03\x00\x00\x00cpuJ" + struct.pack("<i", x.size) + b"NtQK\x00(")
        tree.write(b"".join(b"J" + struct.pack("<i", n) for n in x.shape) + b"t(")
        tree.write(b"".join(b"J" + struct.pack("<i", int(np.prod(x.shape[i + 1:]))) for i in range(x.ndim)) + b"t\x89}tR")
    tree.write(b"u.")
    out.write(tree.getvalue())
    pickle.dump(list(keys.values()), out, 2)
    for x in p.values():
        out.write(struct.pack("<q", x.size) + x.tobytes())
    return out.getvalue()


def first(x):
    return np.concatenate([x[-1:], x[:-1]])


def milvlg(p):
    """As bottom-up-attention.pytorch has the release: names of detectron2, but two logits, the background first, deltas as they were saved."""
    out, head, rpn = collections.OrderedDict(), "roi_heads.box_predictor.", "proposal_generator.rpn_head."
    renamed = {"cls_embedding": "cls_embed", "fc_attr": "attr_linear1", "attr_score": "attr_linear2"}
    scale = np.tile(np.array([0.1, 0.1, 0.2, 0.2], np.float32), CLASSES - 1)
    for name, x in p.items():
        part = name.split(".")[-1]
        if name.startswith(rpn + "objectness_logits"):
            x = np.concatenate([-x / 2, x / 2])
        if name.startswith((head + "cls_", head + "attr_score")):
            x = first(x)
        if name.startswith(head + "bbox_pred"):
            x = np.concatenate([np.zeros_like(x[:4]), x * (scale[:, None] if part == "weight" else scale)])
        for old, new in renamed.items():
            name = name.replace(head + old + ".", head + new + ".")
        out[name] = x.astype(np.float32)
    return out


def c4(p):
    """As its networks by detectron2 itself: an attribute head of its own, without none."""
    out, head = collections.OrderedDict(), "roi_heads.box_predictor."
    for name, x in p.items():
        for old, new in (("cls_embedding", "obj_embed"), ("fc_attr", "fc.0"), ("attr_score", "attr_score")):
            if name.startswith(head + old):
                name = name.replace(head + old, "roi_heads.attribute_predictor." + new)
                x = x[:-1] if old == "attr_score" else x
        out[name] = x
    return out


def vinvl(p):
    """As maskrcnn-benchmark names them."""
    out, head, rpn = collections.OrderedDict(), "roi_heads.box_predictor.", "proposal_generator.rpn_head."
    for name, x in p.items():
        if name.startswith((head + "cls_", head + "attr_score")):
            x = first(x)
        if name.startswith(head + "bbox_pred"):
            x = np.concatenate([np.zeros_like(x[:4]), x])
        name = name.replace("roi_heads.res5.", "roi_heads.box.feature_extractor.head.layer4.").replace("backbone.", "backbone.body.")
        name = re.sub(r"res([234])\.", lambda m: f"layer{int(m[1]) - 1}.", name)
        name = name.replace("shortcut.norm.", "downsample.1.").replace("shortcut.weight", "downsample.0.weight")
        name = re.sub(r"conv([123])\.norm\.", r"bn\1.", name)
        name = name.replace(rpn + "conv", "rpn.head.conv").replace(rpn + "objectness_logits", "rpn.head.cls_logits").replace(rpn + "anchor_deltas", "rpn.head.bbox_pred")
        for attribute in ("cls_embedding", "fc_attr", "attr_score"):
            name = name.replace(head + attribute, "roi_heads.attribute.predictor." + attribute)
        out["model.module." + name.replace(head, "roi_heads.box.predictor.")] = x
    return out


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def write(folder):
    p = network()
    open(f"{folder}/a.caffemodel", "wb").write(caffe(p))
    pickle.dump({"model": dict(p), "__author__": "us"}, open(f"{folder}/a.pkl", "wb"), 2)
    np.savez(f"{folder}/a", **p)
    open(f"{folder}/a.safetensors", "wb").write(safetensors(p))
    open(f"{folder}/old.pth", "wb").write(old_torch(p))
    for name, arrays in (("milvlg", milvlg(p)), ("c4", c4(p)), ("vinvl", vinvl(p))):
        open(f"{folder}/{name}.pth", "wb").write(old_torch(arrays))
    pickle.dump({"model": Evil()}, open(f"{folder}/evil.pkl", "wb"), 2)
    wrong = dict(p)
    wrong["backbone.res3.0.conv2.weight"] = np.zeros((4, 4, 1, 1), np.float32)
    np.savez(f"{folder}/wrong", **wrong)
    wrong = dict(p)
    del wrong["backbone.res3.0.conv2.weight"], wrong["backbone.res4.1.conv1.norm.running_var"]
    wrong["something.else"] = np.zeros(3, np.float32)
    np.savez(f"{folder}/less", **wrong)


def load(model):
    data = open(model, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    return {k: np.frombuffer(data[8 + n + d["data_offsets"][0]:8 + n + d["data_offsets"][1]], "<f4").reshape(d["shape"])
            for k, d in json.loads(data[8:8 + n]).items()}


def same(a, b, but="$^"):
    a, b = load(a), load(b)
    return a.keys() == b.keys() and all(re.match(but, k) or (a[k].shape == b[k].shape and np.allclose(a[k], b[k], atol=1e-5)) for k in a)


def folded(model):
    ours, p = load(model), network()
    q = "backbone.res4.1.conv1"
    inputs = np.random.RandomState(1).randn(16)
    before = p[q + ".weight"][:, :, 0, 0].astype(np.float64) @ inputs
    want = (before - p[q + ".norm.running_mean"]) / np.sqrt(p[q + ".norm.running_var"] + 1e-5) * p[q + ".norm.weight"] + p[q + ".norm.bias"]
    got = ours["res4.1.conv1.weight"][:, :, 0, 0] @ inputs + ours["res4.1.conv1.bias"]
    h, f = "roi_heads.box_predictor.", np.random.RandomState(2).randn(24)
    both = np.concatenate([f, p[h + "cls_embedding.weight"][2]])
    hidden = p[h + "fc_attr.weight"] @ both + p[h + "fc_attr.bias"]  # class 2 of the port is class 3 here
    ours_hidden = ours["predict.attribute.feature.weight"] @ f + ours["predict.attribute.feature.bias"] + ours["predict.attribute.class.weight"][3]
    return np.allclose(got, want, atol=1e-5) and np.allclose(hidden, ours_hidden, atol=1e-5)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2])
    elif sys.argv[1] == "torch":
        try:
            import torch
        except ImportError:
            sys.exit(77)
        torch.save({k: torch.tensor(v) for k, v in network().items()}, sys.argv[2] + "/a.bin")
    else:
        sys.exit(0 if (same(*sys.argv[2:]) if sys.argv[1] == "same" else folded(sys.argv[3])) else 1)
