"""Scene graphs against those of tests/golden/rewrite/captions.txt: precision, recall and F1 of tuples (object), (object, attribute),
(subject, relation, object); a number is an attribute. As a program: graph_f1.py GOLD RECORDS prints them; -v also what is wrong in each caption."""
import collections, json, re, sys


def alternatives(text):
    return [part.strip() for part in re.split(r"/(?![^\[]*\])", text)]


def gold_graph(line):
    """[(kind, tuple of sets of names, is it asked for)], of an object with alternatives the one that `named` chooses."""
    objects, *relations = line.split(";")

    def tuples(named):
        found = []
        for thing in re.split(r",(?![^\[]*\])", objects):
            choices = []
            for choice in alternatives(thing):
                name, count, attributes = re.fullmatch(r"([^\[*]+)(\*\d*)?(?:\[(.*)\])?", choice).groups()
                choices.append((name.strip(), (count or "")[1:], attributes.split(",") if attributes else []))
            name, count, attributes = next((c for c in choices if c[0] in named), choices[0])
            found.append(("object", ({name},), True))
            found += [("attribute", ({name}, {a.strip("? ")}), not a.endswith("?")) for a in attributes]
            if count:
                found.append(("count", ({name}, {count}), True))
        for relation in relations:
            found.append(("relation", tuple(set(alternatives(part)) for part in relation.split(">")), True))
        return found

    return tuples


def graph_tuples(graph):
    found = set()
    objects = graph["objects"]
    for o in objects:
        found.add(("object", (o["name"],)))
        found |= {("attribute", (o["name"], a["name"])) for a in o["attributes"]}
        if o.get("count", 0) > 1:
            found.add(("count", (o["name"], str(o["count"]))))
    for r in graph["relations"]:
        found.add(("relation", (objects[r["subject"]]["name"], r["relation"], objects[r["object"]]["name"])))
    return found


def matches(kind, names, gold):
    return kind == gold[0] and all(n in choice for n, choice in zip(names, gold[1]))


class Score:
    def __init__(self):
        self.right, self.said, self.found, self.asked = (collections.Counter() for _ in range(4))
        self.of_captions, self.wrong = [], []

    def add(self, caption, gold, graph):
        said = graph_tuples(graph)
        gold = gold({names[0] for kind, names in said if kind == "object"})
        right = {t for t in said if any(matches(*t, g) for g in gold)}
        said = {t for t in said if t in right and any(matches(*t, g) and g[2] for g in gold) or t not in right}
        right &= said
        asked = [g for g in gold if g[2]]
        found = [g for g in asked if any(matches(*t, g) for t in said)]
        for counter, tuples in ((self.right, right), (self.said, said), (self.found, found), (self.asked, asked)):
            counter.update(t[0] for t in tuples)
        p, r = len(right) / max(1, len(said)), len(found) / max(1, len(asked))
        self.of_captions.append(2 * p * r / (p + r) if p + r else 0)
        if right != said or len(found) < len(asked):
            missing = [" > ".join("/".join(sorted(s)) for s in g[1]) for g in asked if g not in found]
            self.wrong.append((caption, sorted(" > ".join(t[1]) for t in said - right), missing))

    def mean(self):
        return sum(self.of_captions) / len(self.of_captions)

    def of_kind(self, *kinds):
        p = sum(self.right[k] for k in kinds) / max(1, sum(self.said[k] for k in kinds))
        r = sum(self.found[k] for k in kinds) / max(1, sum(self.asked[k] for k in kinds))
        return p, r, 2 * p * r / (p + r) if p + r else 0


def read_gold(path):
    with open(path, encoding="utf-8") as f:
        return [(caption, gold_graph(graph)) for caption, graph in (line.rstrip("\n").split("\t") for line in f)]


def score(gold, graphs):
    """All, odd and even lines."""
    scores = [Score(), Score(), Score()]
    for i, ((caption, want), graph) in enumerate(zip(gold, graphs, strict=True)):
        for s in (scores[0], scores[1 + i % 2]):
            s.add(caption, want, graph)
    return scores


if __name__ == "__main__":
    verbose = sys.argv[1] == "-v"
    gold_path, records = sys.argv[1 + verbose :]
    with open(records, encoding="utf-8") as f:
        scores = score(read_gold(gold_path), [json.loads(line)["scene_graph"] for line in f])
    for name, s in zip(("all", "odd", "even"), scores):
        kinds = " ".join(f"{k} {100 * s.of_kind(k)[0]:.1f}/{100 * s.of_kind(k)[1]:.1f}" for k in ("object", "attribute", "count", "relation"))
        print(f"{name}: F1 {s.mean():.4f} ({kinds}; precision/recall)")
    for caption, extra, missing in scores[1].wrong if verbose else []:
        print(f"{caption}\n    extra: {'; '.join(extra)}\n    missing: {'; '.join(missing)}")
