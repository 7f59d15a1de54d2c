"""The independent detector of detect_parity.c and detect_field.c: Faster R-CNN with attributes, from its papers and the published code's
behaviour, in PyTorch. Where torchvision is installed, its suppression, RoIPool and RoIAlign are held against the ones here.

detect_parity.py check .         exit 0 when PyTorch is there
detect_parity.py compare DIR     each folder in DIR has config.json, model.safetensors, case.safetensors: compare in float64; exit 1 when they differ
detect_parity.py field DIR       DIR has config.json and model.safetensors of a model of the field's size and cases: compare in float32; features to
                                 1e-3 of the largest value, and those of case-bf16-*.safetensors, which bf16 made, to 2e-2
"""
import json
import math
import os
import struct
import sys

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)
try:
    import torchvision.ops
except ImportError:
    torchvision = None

DTYPES = {"F32": np.float32, "I32": np.int32}
REAL = torch.float64  # float32 for models of the field's size
TOLERANCE = 1e-4


def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, d in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        a, b = d["data_offsets"]
        out[name] = torch.tensor(np.frombuffer(data[8 + n + a:8 + n + b], DTYPES[d["dtype"]]).reshape(d["shape"]).copy()).to(REAL)
    return out


def resample(x, n, step):
    """Along the last dimension, bilinearly: n values, `step` apart."""
    at = ((torch.arange(n, dtype=torch.float64) + 0.5) * step - 0.5).clamp(0, x.shape[-1] - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=x.shape[-1] - 1)
    part = (at - low).to(x.dtype)
    return x[..., low] * (1 - part) + x[..., high] * part


def input_of(c, rgb):
    """[1,3,h,w], and the scale of x, y, x, y: one factor in the release, whose sides OpenCV rounds to the even; in the ports what a half,
    rounded up, comes to."""
    height, width = rgb.shape[:2]
    scale = min(c["short_side"] / min(width, height), c["long_side"] / max(width, height))
    x = rgb.permute(2, 0, 1)[None]
    if c.get("exact_scale"):
        w, h = round(width * scale), round(height * scale)
        x = resample(resample(x, w, 1 / scale).transpose(2, 3), h, 1 / scale).transpose(2, 3)
        scale = [scale] * 4
    else:
        w, h = math.floor(width * scale + 0.5), math.floor(height * scale + 0.5)
        x = F.interpolate(x, (h, w), mode="bilinear", align_corners=False, antialias=False)
        scale = [w / width, h / height] * 2
    if c["order"] == "bgr":
        x = x.flip(1)
    mean, factor = (torch.tensor(c[k], dtype=REAL)[None, :, None, None] for k in ("mean", "scale"))
    return (x - mean) * factor, torch.tensor(scale, dtype=REAL)


class Net:
    def __init__(self, c, p):
        self.c, self.p = c, p

    def conv(self, name, x, stride=1, pad=0, dilation=1, relu=False, norm=True):
        groups = self.c["groups"] if norm else 0
        w = self.p[name + ".weight"]
        x = F.conv2d(x, w, None if groups else self.p[name + ".bias"], stride, pad, dilation, x.shape[1] // w.shape[1])
        if groups:
            x = F.group_norm(x, groups, self.p[name + ".norm.weight"], self.p[name + ".norm.bias"], 1e-5)
        return F.relu(x) if relu else x

    def stage(self, name, s, x):
        for i in range(s["blocks"]):
            b = f"{name}.{i}"
            stride = s["stride"] if i == 0 else 1
            first, second = (stride, 1) if s["stride_in_1x1"] else (1, stride)
            y = self.conv(b + ".conv1", x, first, relu=True)
            y = self.conv(b + ".conv2", y, second, s["dilation"], s["dilation"], relu=True)
            y = self.conv(b + ".conv3", y)
            x = F.relu(y + (self.conv(b + ".shortcut", x, stride) if b + ".shortcut.weight" in self.p else x))
        return x

    def backbone(self, x):
        s = self.c["stem"]
        x = self.conv("stem", x, s["stride"], s["kernel"] // 2, relu=True)
        if s["pool_kernel"]:
            x = F.max_pool2d(x, s["pool_kernel"], s["pool_stride"], s["pool_pad"], ceil_mode=s["pool_ceil"])
        for i, stage in enumerate(self.c["stages"]):
            x = self.stage(f"res{i + 2}", stage, x)
        return x

    def rpn(self, x):
        """Objectness [h,w,A] and deltas [h,w,A,4]."""
        h = self.conv("rpn.conv", x, 1, 1, relu=True, norm=False)
        score, delta = (F.conv2d(h, self.p[f"rpn.{k}.weight"], self.p[f"rpn.{k}.bias"])[0].permute(1, 2, 0) for k in ("objectness", "deltas"))
        return score, delta.reshape(*score.shape, 4)


def make_anchors(c, rows, columns, stride):
    a, cell = c["anchors"], []
    for ratio in a["ratios"]:
        for side in a["scales"]:
            if a["caffe"]:
                w = round(math.sqrt(256 / ratio))
                h = math.floor(w * ratio + 0.5)
                w, h = w * side / 16 - 1, h * side / 16 - 1
                centre = 7.5
            else:
                w, h = side / math.sqrt(ratio), side * math.sqrt(ratio)
                centre = stride / 2
            cell.append([centre - w / 2, centre - h / 2, centre + w / 2, centre + h / 2])
    cell = torch.tensor(a.get("boxes") or cell, dtype=REAL)
    y, x = torch.meshgrid(torch.arange(rows) * stride, torch.arange(columns) * stride, indexing="ij")
    return torch.stack([x, y, x, y], -1)[:, :, None].to(REAL) + cell


def decode(delta, box, extra):
    w, h = box[..., 2] - box[..., 0] + extra, box[..., 3] - box[..., 1] + extra
    x, y = box[..., 0] + w / 2 + delta[..., 0] * w, box[..., 1] + h / 2 + delta[..., 1] * h
    most = 80 if extra else math.log(1000 / 16)
    w, h = w * torch.exp(delta[..., 2].clamp(max=most)), h * torch.exp(delta[..., 3].clamp(max=most))
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)


def clip(b, width, height, extra):
    return torch.stack([b[..., 0].clamp(0, width - extra), b[..., 1].clamp(0, height - extra), b[..., 2].clamp(0, width - extra),
                        b[..., 3].clamp(0, height - extra)], -1)


def iou(a, b, extra):
    w = (torch.minimum(a[2], b[:, 2]) - torch.maximum(a[0], b[:, 0]) + extra).clamp(min=0)
    h = (torch.minimum(a[3], b[:, 3]) - torch.maximum(a[1], b[:, 1]) + extra).clamp(min=0)
    area = lambda x: (x[..., 2] - x[..., 0] + extra) * (x[..., 3] - x[..., 1] + extra)
    return w * h / (area(a) + area(b) - w * h)


def nms(box, order, most, threshold, extra):
    """Greedy: indices, in the order given."""
    kept, alive = [], torch.ones(len(box), dtype=torch.bool)
    for i in order.tolist():
        if alive[i] and len(kept) < most:
            kept.append(i)
            alive &= iou(box[i], box, extra) <= threshold
    return kept


def nms_is_torchvisions(box, score, kept, most, threshold, extra):
    """Boxes whose widths count one more are boxes that are one wider."""
    if torchvision is None:
        return True
    wide = box + torch.tensor([0, 0, extra, extra], dtype=box.dtype)
    return torchvision.ops.nms(wide, score.to(box.dtype), threshold)[:most].tolist() == list(kept)


def proposals(c, score, box, extra, scale):
    r = c["regions"]
    side = r["min_side"] * (scale[:2] if r.get("min_side_of_picture") else torch.ones(2))
    order = score.flatten().argsort(descending=True, stable=True)[:None if extra else r["pre_nms"]]
    box, score = box.reshape(-1, 4)[order], score.flatten()[order]
    large = ((box[:, 2:] - box[:, :2] + extra) >= side).all(1)
    box, score = box[large][:r["pre_nms"]], score[large][:r["pre_nms"]]
    kept = nms(box, torch.arange(len(box)), r["post_nms"], r["rpn_nms"], extra)
    assert nms_is_torchvisions(box, score, kept, r["post_nms"], r["rpn_nms"], extra), "torchvision keeps other proposals"
    return box[kept]


def selection(box, probs, least, most, threshold, extra, tries=20):
    """The release's rule: places and confidences of the regions that are kept, by falling confidence. Some classes are tried with
    torchvision's suppression."""
    overlaps = torch.stack([iou(b, box, extra) > 0.3 for b in box])
    confidence = torch.zeros(len(box), dtype=probs.dtype)
    for k in range(1, probs.shape[1]):
        kept, alive = [], torch.ones(len(box), dtype=torch.bool)
        for i in probs[:, k].argsort(descending=True, stable=True).tolist():
            if alive[i]:
                kept.append(i)
                alive &= ~overlaps[i]
        if k <= tries:
            assert nms_is_torchvisions(box, probs[:, k], kept, len(box), 0.3, extra), "torchvision keeps other regions of a class"
        confidence[kept] = torch.maximum(confidence[kept], probs[kept, k])
    order = confidence.argsort(descending=True, stable=True)
    n = int((confidence >= threshold).sum())
    order = order[:min(max(n, least), most)]
    return order, confidence[order]


def away(x):
    """Rounding as C does it."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def roi_pool(x, box, n, scale):
    c, rows, columns = x.shape
    x1, y1, x2, y2 = (away(float(v) * scale) for v in box)
    w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    out = torch.zeros(c, n, n, dtype=REAL)
    for i in range(n):
        for k in range(n):
            ya, yb = min(max(i * h // n + y1, 0), rows), min(max(-(-(i + 1) * h // n) + y1, 0), rows)
            xa, xb = min(max(k * w // n + x1, 0), columns), min(max(-(-(k + 1) * w // n) + x1, 0), columns)
            if ya < yb and xa < xb:
                out[:, i, k] = x[:, ya:yb, xa:xb].amax((1, 2))
    return out


def roi_align(x, box, n, scale, unaligned, samples):
    """By sampling with grid_sample: points beyond the border take its value, and those a whole cell beyond are 0."""
    _, rows, columns = x.shape
    x1, y1, x2, y2 = (float(v) * scale - (0 if unaligned else 0.5) for v in box)
    if unaligned:
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    ny, nx = samples or max(math.ceil((y2 - y1) / n), 1), samples or max(math.ceil((x2 - x1) / n), 1)
    y = y1 + (torch.arange(n * ny, dtype=REAL) + 0.5) * (y2 - y1) / (n * ny)
    x_ = x1 + (torch.arange(n * nx, dtype=REAL) + 0.5) * (x2 - x1) / (n * nx)
    gy, gx = torch.meshgrid(2 * y / max(rows - 1, 1) - 1, 2 * x_ / max(columns - 1, 1) - 1, indexing="ij")
    s = F.grid_sample(x[None], torch.stack([gx, gy], -1)[None], mode="bilinear", padding_mode="border", align_corners=True)
    s = s * ((y >= -1) & (y <= rows)).to(REAL)[:, None] * ((x_ >= -1) & (x_ <= columns)).to(REAL)
    return F.avg_pool2d(s, (ny, nx))[0]


def pool(r, x, box, scale):
    """[regions, channels, n, n] of x [channels, rows, columns]; held against torchvision's, but for where RoIPool's rounding of halves differs."""
    n, unaligned, samples = r["roi_size"], r.get("roi_unaligned", False), r.get("roi_samples", 0)
    if not r["roi_align"]:
        out = torch.stack([roi_pool(x, b, n, scale) for b in box])
        if torchvision is not None:
            even = ((box * scale) % 1 - 0.5).abs().amin(1) > 1e-4
            theirs = torchvision.ops.roi_pool(x[None], [box[even]], n, scale)
            assert torch.equal(out[even], theirs), "torchvision pools something else"
        return out
    out = torch.stack([roi_align(x, b, n, scale, unaligned, samples) for b in box])
    if torchvision is not None:
        theirs = torchvision.ops.roi_align(x[None], [box], n, scale, samples or -1, not unaligned)
        assert torch.allclose(out, theirs, rtol=1e-3, atol=1e-3 * float(x.abs().max())), "torchvision aligns something else"
    return out


def second_stage(net, x, box, scale, width, height, extra, stride):
    c, p, r = net.c, net.p, net.c["regions"]
    feature = torch.cat([net.stage("head", c["head"], pool(r, x[0], part, 1 / stride)).mean((2, 3)) for part in box.split(20)])
    probs = torch.softmax(F.linear(feature, p["predict.class.weight"], p["predict.class.bias"]), -1)
    best = probs[:, 1:].argmax(-1) + 1
    delta = F.linear(feature, p["predict.box.weight"], p["predict.box.bias"]).reshape(len(box), -1, 4)
    delta = delta[torch.arange(len(box)), best if r["boxes_per_class"] else 0] * torch.tensor([0.1, 0.1, 0.2, 0.2], dtype=REAL)
    refined = clip(decode(delta, box, extra) / scale, width, height, extra)
    if r.get("attribute_of_background"):
        best = probs.argmax(-1)
    hidden = F.relu(F.linear(feature, p["predict.attribute.feature.weight"], p["predict.attribute.feature.bias"]) + p["predict.attribute.class.weight"][best])
    attributes = torch.softmax(F.linear(hidden, p["predict.attribute.weight"], p["predict.attribute.bias"]), -1)
    return {"features": feature, "probs": probs, "refined": refined, "attributes": attributes}


def is_selection(case, extra):
    """Whether the regions that the case keeps are those of the release's rule, adaptive and fixed, for its own probabilities."""
    box, probs, good = case["proposals"], case["probs"].double(), True
    for name, least, most in (("adaptive", 10, 100), ("fixed", 36, 36)):
        at, confidence = selection(box, probs, least, most, float(case["threshold"]), extra)
        same = at.tolist() == case[name].long().tolist() and torch.allclose(confidence.float(), case[name + "_confidence"].float(), rtol=1e-6)
        sure = int((confidence >= float(case["threshold"])).sum())
        print(f"# {len(at)} regions are kept ({name}), {sure} of them for their confidence{'' if same else ', and others by PyTorch'}")
        good = good and same
    return good


def compare(folder):
    c = json.load(open(folder + "/config.json"))
    net, case = Net(c, read(folder + "/model.safetensors")), read(folder + "/case.safetensors")
    print(f"# {os.path.basename(folder)}:")
    extra = 1 if c["anchors"]["caffe"] else 0
    bad, worst = [], 0.0

    def check(name, got, want):
        nonlocal worst
        if got.shape != want.shape:
            bad.append(f"# {name}: shape {list(got.shape)}, PyTorch's is {list(want.shape)}")
            return
        d = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-3)
        worst = max(worst, d)
        if not d <= TOLERANCE:
            bad.append(f"# {name}: off by {d:.3g} of the largest value (at most {TOLERANCE})")

    height, width = case["rgb"].shape[:2]
    x, scale = input_of(c["input"], case["rgb"])
    features = net.backbone(x)
    check("feature map", case["map"], features.permute(0, 2, 3, 1))
    stride = c["stem"]["stride"] * (c["stem"]["pool_stride"] if c["stem"]["pool_kernel"] else 1)
    for s in c["stages"]:
        stride *= s["stride"]
    score, delta = net.rpn(features)
    check("objectness", case["objectness"][0], score)
    check("deltas", case["deltas"][0].reshape(delta.shape), delta)
    box = clip(decode(delta, make_anchors(c, *score.shape[:2], stride), extra), x.shape[3], x.shape[2], extra)
    box = proposals(c, score, box, extra, scale)
    check("proposals", case["proposals"], clip(box / scale, width, height, 0))
    for name, want in second_stage(net, features, box, scale, width, height, extra, stride).items():
        check(name, case[name], want)
    if not is_selection(case, extra):
        bad.append("# other regions are kept")
    spread = float(case["features"].std(0).max() / case["features"].abs().max())
    print(f"# {len(box)} proposals; worst difference from PyTorch {worst:.3g} of the largest value; regions differ by {spread:.2g}")
    if spread < 0.01 or len(box) < 5:
        bad.append("# the case says nothing: regions are all alike")
    for line in bad:
        print(line)
    return 1 if bad else 0


def field(c, net, case, tolerance):
    """Rounding changes which of thousands of nearly equal boxes are kept: proposals are compared as sets, and the second stage is run on
    the proposals of the case, from PyTorch's own map."""
    extra, stride = 1 if c["anchors"]["caffe"] else 0, 16
    bad = 0

    def check(name, got, want, most):
        nonlocal bad
        d = float((got - want).abs().max()) / float(want.abs().max())
        bad += not d <= most
        print(f"# {name}: {d:.2g} of the largest value (at most {most:g})")

    height, width = case["rgb"].shape[:2]
    with torch.no_grad():
        x, scale = input_of(c["input"], case["rgb"])
        features = net.backbone(x)
        check("feature map", case["map"].permute(0, 3, 1, 2), features, tolerance)
        score, delta = net.rpn(features)
        box = clip(decode(delta, make_anchors(c, *score.shape[:2], stride), extra), x.shape[3], x.shape[2], extra)
        box = clip(proposals(c, score, box, extra, scale) / scale, width, height, 0)
        found = sum(float(iou(b, box, extra).max()) > 0.9 for b in case["proposals"])
        share = found / max(len(box), 1)
        least = 0.98 if tolerance < 0.01 else 0  # among generated weights' nearly equal scores bf16 chooses for itself
        print(f"# {found} of {len(box)} proposals are PyTorch's (at least {least:g})")
        bad += share < least or len(box) < 10 or (least > 0 and len(case["proposals"]) != len(box))
        want = second_stage(net, features, case["proposals"] * scale, scale, width, height, extra, stride)
        check("features", case["features"], want["features"], tolerance)
        for name in ("probs", "attributes"):  # a probability's relative error is its logit's absolute one
            check(name, case[name], want[name], 2.5 * tolerance)
        bad += not is_selection(case, extra)
    spread = float(case["features"].std(0).max() / case["features"].abs().max())
    print(f"# regions differ by {spread:.2g}; torchvision {'agrees' if torchvision else 'is not there'}")
    return 1 if bad or spread < 0.01 else 0


def main(verb, folder):
    global REAL
    if verb == "compare":
        return max([compare(os.path.join(folder, name)) for name in sorted(os.listdir(folder))])
    REAL = torch.float32
    c = json.load(open(folder + "/config.json"))
    net = Net(c, read(folder + "/model.safetensors"))
    bad = 0
    for name in sorted(os.listdir(folder)):
        if name.startswith("case"):
            print(f"# {name}:")
            bad |= field(c, net, read(os.path.join(folder, name)), 2e-2 if "bf16" in name else 1e-3)
    return bad


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.exit(0 if sys.argv[1] == "check" else main(*sys.argv[1:3]))
