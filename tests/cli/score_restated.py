"""score_restated.py voc|spice SEED: random inputs, scored by unimo-score and by a plain restatement of the definition, which must agree. Exits 77
where something it needs is not there."""
import json, os, random, subprocess, sys

WORDNET = "/usr/share/wordnet"


def score(metric, *files):
    done = subprocess.run(["unimo-score", "-m", metric, "--json", "--per-item", "items", *files], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    with open("items") as f:
        return json.loads(done.stdout.splitlines()[0]), [json.loads(line) for line in f]


def write(name, rows):
    with open(name, "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)


def same(what, ours, theirs):
    if abs(ours - theirs) > 1e-9:
        sys.exit(f"{what}: {ours!r}, restated {theirs!r}")


# ---- average precision of PASCAL VOC ----


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if w <= 0 or h <= 0:
        return 0.0
    area = lambda x: (x[2] - x[0] + 1) * (x[3] - x[1] + 1)
    return w * h / (area(a) + area(b) - w * h)


def voc_class(detections, truths):
    taken, hits, misses, curve = set(), 0, 0, []
    positives = sum(not t["difficult"] for t in truths)
    for d in sorted(detections, key=lambda d: -d["score"]):
        rivals = [(overlap(d["bbox_x1y1x2y2"], t["bbox_x1y1x2y2"]), -i) for i, t in enumerate(truths) if t["image"] == d["image"]]
        best, at = max(rivals, default=(0.0, 0))
        at = -at
        if best > 0.5 and truths[at]["difficult"]:
            pass  # neither right nor wrong, but a point of the curve
        elif best > 0.5 and at not in taken:
            taken.add(at)
            hits += 1
        else:
            misses += 1
        curve.append((hits / positives, hits / (hits + misses) if hits + misses else 0.0))
    eleven = sum(max([p for r, p in curve if r >= i * 0.1], default=0.0) for i in range(11)) / 11
    area, envelope = 0.0, 0.0
    for k in range(len(curve) - 1, -1, -1):
        envelope = max(envelope, curve[k][1])
        area += (curve[k][0] - (curve[k - 1][0] if k else 0.0)) * envelope
    return eleven, area


def random_box(r, near=None):
    if near and r.random() < 0.8:
        return [x + r.randint(-6, 6) for x in near[:2]] + [x + r.randint(7, 18) for x in near[2:]]
    x, y = r.randint(0, 80), r.randint(0, 80)
    return [x, y, x + r.randint(0, 60), y + r.randint(0, 60)]


def voc(r):
    truths, detections = [], []
    for image in range(r.randint(1, 12)):
        for _ in range(r.randint(0, 6)):
            category = r.choice(["dog", "cat", "bus"])
            box = random_box(r)
            truths.append({"image": image, "category": category, "bbox_x1y1x2y2": box, "difficult": int(r.random() < 0.2)})
            for _ in range(r.randint(0, 3)):
                detections.append({"image": image, "category": r.choice([category, "dog"]), "bbox_x1y1x2y2": random_box(r, box)})
    for category in ("dog", "cat", "bus"):  # each is there
        truths.append({"image": 0, "category": category, "bbox_x1y1x2y2": random_box(r), "difficult": 0})
    detections.append({"image": 0, "category": "dog", "bbox_x1y1x2y2": random_box(r)})
    for d, s in zip(detections, r.sample(range(10000), len(detections))):
        d["score"] = s / 10000
    write("detections", detections)
    write("truths", truths)
    ours, _ = score("ap-voc", "detections", "truths")
    aps = {}
    for category in ("dog", "cat", "bus"):
        aps[category] = voc_class(*([x for x in rows if x["category"] == category] for rows in (detections, truths)))
        same(f"AP of {category}", ours["by_category"][category]["AP"] / 100, aps[category][1])
        same(f"AP07 of {category}", ours["by_category"][category]["AP_07"] / 100, aps[category][0])
    same("mAP", ours["mAP"] / 100, sum(a for _, a in aps.values()) / 3)
    same("mAP_07", ours["mAP_07"] / 100, sum(a for a, _ in aps.values()) / 3)


# ---- SPICE of tuples ----

RULES = [("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")]
RULES += [("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")]
RULES += [("er", ""), ("est", ""), ("er", "e"), ("est", "e")]


def load_wordnet():
    table, bases = {}, {}
    for pos in ("noun", "verb", "adj", "adv"):
        with open(f"{WORDNET}/index.{pos}") as f:
            for line in f:
                if line.startswith(" "):
                    continue
                part = line.split()
                for offset in map(int, part[-int(part[2]) :]):
                    if pos == "adj" and offset >= 1681478:
                        offset -= 1
                    if pos == "verb" and 613036 <= offset < 2422967:
                        offset -= 18
                    table.setdefault(part[0], set()).add(offset)
        with open(f"{WORDNET}/{pos}.exc") as f:
            for line in f:
                word, *of = line.split()
                bases.setdefault(word, []).extend(of)
    return table, bases


def synsets(word, table, bases):
    word = word.lower().replace(" ", "_")
    if word in bases:
        of = bases[word]
    elif word.endswith("ss") or len(word) <= 2:
        of = [word]
    else:
        cut = (word[: len(word) - len(end)] + new for end, new in RULES if word.endswith(end))
        of = [next((x for x in cut if x in table), word)]
    return set().union(table.get(word, ()), *(table.get(x, ()) for x in of))


class Graph:
    def __init__(self, tuples, known):
        self.objects, self.attributes, self.relations = [], [], []
        concept = lambda name: [{name}, set(known(name))]
        for t in tuples:
            i = self.object(concept(t[0]))
            if len(t) == 2:
                self.part(self.attributes, i, concept(t[1]))
            elif len(t) == 3:
                k = self.object(concept(t[1]))
                self.part(self.relations, (i, k), concept(t[2][3:] if t[2].startswith("be ") else t[2]))

    def object(self, c):
        if c in self.objects:
            return self.objects.index(c)
        near = [1.0 if c[0] & o[0] else len(c[1] & o[1]) / max(1, len(c[1] | o[1])) for o in self.objects]
        if max(near, default=0) > 0:
            i = near.index(max(near))
            self.objects[i] = [self.objects[i][0] | c[0], self.objects[i][1] | c[1]]
            return i
        self.objects.append(c)
        return len(self.objects) - 1

    def part(self, parts, where, c):
        for i, (at, had) in enumerate(parts):
            if at == where and meet(had, c):
                parts[i] = (at, [had[0] | c[0], had[1] | c[1]])
                return
        parts.append((where, c))

    def tuples(self):
        o = self.objects
        return [(x,) for x in o] + [(o[i], c) for i, c in self.attributes] + [(o[i], c, o[k]) for (i, k), c in self.relations]


def meet(a, b):
    return bool(a[0] & b[0] or a[1] & b[1])


def spice_f(hyp, ref):
    right = sum(any(len(t) == len(u) and all(map(meet, t, u)) for u in ref) for t in hyp)
    p, r = (right / len(hyp) if hyp else 0), (right / len(ref) if ref else 0)
    return 2 * p * r / (p + r) if p + r else 0.0


def spice(r):
    if not os.path.exists(f"{WORDNET}/index.noun"):
        sys.exit(77)
    table, bases = load_wordnet()
    things = "dog puppy canine car automobile bus vehicle man men person couch sofa chair bicycle bike cycle table tables street road hot_dog".split()
    things = [t.replace("_", " ") for t in things]
    likes = "red big large huge small little old young two green wooden sleeping running run".split()
    ways = "on in near ride be ride riding hold be on sit sitting".replace("be ", "be_").split()

    def draw():
        some = r.sample(things, r.randint(1, 7))
        tuples = []
        for _ in range(r.randint(0, 9)):
            a, b = r.choice(some), r.choice(some)
            tuples.append(r.choice([[a], [a, r.choice(likes)], [a, b, r.choice(ways).replace("_", " ")]]))
        return tuples

    rows = [{"id": str(i), "test_tuples": draw(), "ref_tuples": draw()} for i in range(40)]
    write("tuples", rows)
    ours, items = score("spice", "tuples")
    known = lambda word: synsets(word, table, bases)
    total = 0.0
    for row, item in zip(rows, items):
        f = spice_f(*(Graph(row[side], known).tuples() for side in ("test_tuples", "ref_tuples")))
        same(f"SPICE of {json.dumps(row)}", item["score"] / 100, f)
        total += f
    same("SPICE", ours["score"] / 100, total / len(rows))


if __name__ == "__main__":
    {"voc": voc, "spice": spice}[sys.argv[1]](random.Random(int(sys.argv[2])))
