"""Edited captions against the hand-made graphs of tests/golden/rewrite/captions.txt and WordNet, without anything of the rewriter's: are they
still English, and do they say something else? As a program: negatives_check.py GOLD RECORDS REPARSED prints shares; -v also each that fails.
REPARSED has the graph of every negative, in the order of RECORDS."""
import json, re, sys
import graph_f1

NUMBERS = {w: i for i, w in enumerate("no one two three four five six seven eight nine ten".split())}
PLURAL = {"men", "women", "children", "people", "mice", "geese", "feet", "teeth", "policemen", "snowmen"}
SINGULAR = {"bus", "glass", "dress", "grass", "canvas", "class", "cross", "dish", "fish"}
BOTH = {"sheep", "fish", "deer", "aircraft"}


def words_of(text):
    return re.findall(r"[\w'-]+", text.lower())


def is_plural(noun):
    return noun in PLURAL or (noun.endswith("s") and not noun.endswith("ss") and noun not in SINGULAR)


def takes_an(word):
    if re.match(r"(hour|honest|heir)", word):
        return True
    return word[0] in "aeiou" and not re.match(r"(uni[^nm]|use|eu|one\b|once)", word)


def grammar(text, negative, was_parsed, is_parsed):
    """What is wrong with the English of an edited caption, or None."""
    edit, new = negative["edit"], negative["text"]
    start, end = edit["span"]
    before = re.sub(r"\b([Aa])n?\s*$", r"\1", text[:start])  # "a" or "an" before the edit
    if not re.sub(r"\b([Aa])n\b", r"\1", new).lower().startswith(re.sub(r"\b([Aa])n\b", r"\1", before).lower()) or not new.endswith(text[end:]):
        return "what was not edited changed"
    if text[0].isupper() != new[0].isupper() or (new != text and new[1:].lower() == text[1:].lower()):
        return "capital"
    words = words_of(new)
    for a, b in zip(words, words[1:]):
        if a in ("a", "an") and takes_an(b) != (a == "an"):
            return f"{a} {b}"
        if a == b and words_of(text).count(a) < words.count(a):
            return f"{a} twice"
    if edit["kind"] in ("object", "object phrase"):
        a, b = edit["from"].split()[-1], edit["to"].split()[-1]
        if not BOTH & {a, b} and is_plural(a) != is_plural(b):
            return f"{a} and {b}: number"
    if edit["kind"] == "count" and NUMBERS.get(edit["to"], 0) < 2:
        return "number"
    return "no longer parsed" if was_parsed and not is_parsed else None


class WordNet:
    """The first noun sense of a word and everything above it, read from WordNet's files."""

    def __init__(self, folder="/usr/share/wordnet"):
        self.sense, self.synsets = {}, {}
        with open(f"{folder}/index.noun", encoding="utf-8") as f:
            for line in f:
                if line[0] != " ":
                    part = line.split()
                    self.sense[part[0].replace("_", " ")] = part[-int(part[2])]
        with open(f"{folder}/data.noun", encoding="utf-8") as f:
            for line in f:
                if line[0] != " ":
                    pointers = re.findall(r"(@i?) (\d{8}) n", line.split(" | ")[0])
                    self.synsets[line[:8]] = [p for _, p in pointers]

    def above(self, word):
        waiting, seen = [self.sense[word]] if word in self.sense else [], set()
        while waiting:
            s = waiting.pop()
            if s not in seen:
                seen.add(s)
                waiting += self.synsets[s]
        return seen

    def related(self, a, b):
        """Synonyms, or one is the more general word."""
        return bool({self.sense.get(a)} & self.above(b) or {self.sense.get(b)} & self.above(a))


def singular(noun):
    for ending, instead in (("ies", "y"), ("ves", "f"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if noun.endswith(ending) and is_plural(noun):
            return noun[: -len(ending)] + instead
    return {"men": "man", "women": "woman", "children": "child", "people": "person", "mice": "mouse", "feet": "foot", "teeth": "tooth"}.get(noun, noun)


def meaning(gold, negative, wordnet):
    """Why an edited caption may be true of the same picture, or None. gold: sets of names of the tuples of the caption."""
    edit = negative["edit"]
    objects = {n for kind, names, _ in gold if kind == "object" for n in names[0]}
    if edit["kind"] in ("object", "object phrase", "place"):
        head, was = singular(edit["to"].split()[-1]), singular(edit["from"].split()[-1])
        if edit["kind"] != "place" and any(head == o.split()[-1] for o in objects):
            return f"{head} is there"
        return f"{head} is a kind of {was}, or the other way round" if wordnet.related(head, was) else None
    if edit["kind"] == "attribute":
        said = {names[1] for kind, names, _ in ((k, tuple(next(iter(n)) for n in t), a) for k, t, a in gold) if kind == "attribute" and edit["from"] == names[1]}
        return f"{edit['to']} too" if edit["to"] in said else None
    if edit["kind"] == "count":
        return "the same number" if edit["from"] == edit["to"] else None
    return "the same" if sorted(words_of(edit["from"])) == words_of(edit["to"]) else None


def check(gold_path, records, reparsed, verbose=False):
    """(edits, share that is English, share that says something else)"""
    golds = dict(graph_f1.read_gold(gold_path))
    wordnet, graphs = WordNet(), iter(reparsed)
    n = bad_grammar = bad_meaning = 0
    for r in records:
        gold = golds[r["text"]]({o["name"] for o in r["scene_graph"]["objects"]})
        for x in r["negatives"]:
            graph = next(graphs)
            if x["level"] == "sentence":
                continue
            why = grammar(r["text"], x, r["scene_graph"]["parse"] != "pattern", graph["parse"] != "pattern"), meaning(gold, x, wordnet)
            n, bad_grammar, bad_meaning = n + 1, bad_grammar + bool(why[0]), bad_meaning + bool(why[1])
            if verbose and any(why):
                print(f"{r['text']}\n    {x['text']}\n        {why[0] or ''}{'; ' if all(why) else ''}{why[1] or ''}")
    return n, 1 - bad_grammar / n, 1 - bad_meaning / n


def main():
    files = [a for a in sys.argv[1:] if a != "-v"]
    records, reparsed = ([json.loads(line) for line in open(f, encoding="utf-8")] for f in files[1:3])
    n, english, other = check(files[0], records, (r["scene_graph"] for r in reparsed), "-v" in sys.argv)
    print(f"{n} edits: {100 * english:.2f} % grammatical, {100 * other:.2f} % of another meaning")


if __name__ == "__main__":
    main()
