#!/usr/bin/env python3
"""What tiktoken and Hugging Face's tokenizers make of texts, with GPT-2's vocabulary read from DIR (vocab.json, merges.txt).
usage: tokenize_peers.py check             exit 0 when both packages are installed
       tokenize_peers.py golden DIR        texts with the ids that both agree on, as JSON Lines
       tokenize_peers.py encode DIR        compares unimo-tokenize with both on many more texts
       tokenize_peers.py learn             compares unimo-tokenize --learn with BpeTrainer
No network is used."""
import json
import os
import random
import subprocess
import sys
import tempfile

SENTENCES = """The quick brown fox doesn't jump over the lazy dogs' 1,234 fences; it's they'll've "had" enough -- haven't they?
In 2024, 3.5% of $1,000.00 isn't $35.01 (really!): see https://example.org/a_b?c=d&e=%20#f or mail me@example.org.
def f(x, *args, **kw):\treturn {k: v for k, v in kw.items() if k != 'x'}  # comment
L'été dernier, Zoë a mangé des crêpes à Besançon; où étaient-ils? «Ça va», dit-elle.
Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. Straßenbahnhaltestellenhäuschen
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, ¿añoraba a su querido cachorro?
Съешь же ещё этих мягких французских булок, да выпей чаю. Объём — 25 м³.
Щастям б'єш жук їх глицю в фон й ґедзь пріч.
Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία. Ο καλύμνιος σφουγγαράς ψιθύρισε.
Ἐν ἀρχῇ ἦν ὁ Λόγος, καὶ ὁ Λόγος ἦν πρὸς τὸν Θεόν.
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر، ١٢٣٤٥.
הקפיטריה של בית הספר נסגרה ב־1948, עם ניקוד: שָׁלוֹם עֲלֵיכֶם
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। १२३
আমি কাচ খেতে পারি, তাতে আমার কোনো ক্ষতি হয় না।
นายสังฆภัณฑ์ เฮงพิทักษ์ฝั่ง ผู้เฒ่าซึ่งมีอาชีพเป็นฅนขายฃวด ๑๒๓
我能吞下玻璃而不伤身体。二〇二四年，３．５％！
色は匂へど散りぬるを 我が世誰ぞ常ならむ。カタカナ　ﾊﾝｶｸ
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 조합: 한글
ფრთხილი ქუდი მგლის ტყავში. Ես կարող եմ ապակի ուտել։ ብርጭቆ መብላት እችላለሁ።
👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ ☃️ ½ ⅓ Ⅷ ② 𝟘𝟙 𝒜𝔅 ﬁ ǅ ª º ʰ
é é ñ̃ Z̸a̷l̶g̴o̵ ä̈́ ‮rtl‬ ​zero​width​ soft­hyphen bom﻿ x
tabs\t\tand  double   spaces    \u00a0\u2003\u3000 end   \r\n \x0b\x0c\x85\u2028\u2029x \x00\x01\x1b\x7f
don'T DON'T 's's 't're've'm'll'd 'S x''s ' s 's' '’s we’re
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa =================""".split("\n")


def unescape(s):
    for a, b in (("\\t", "\t"), ("\\r", "\r"), ("\\n", "\n")):
        s = s.replace(a, b)
    out, i = [], 0
    while i < len(s):
        if s[i] == "\\" and i + 1 < len(s) and s[i + 1] in "ux":
            n = 4 if s[i + 1] == "u" else 2
            out.append(chr(int(s[i + 2:i + 2 + n], 16)))
            i += 2 + n
        else:
            out.append(s[i])
            i += 1
    return "".join(out)


def texts(n, seed):
    """The sentences, then n strings drawn from them, from every plane and from what the pattern treats specially."""
    r = random.Random(seed)
    sentences = [unescape(s) for s in SENTENCES]
    yield ""
    yield from sentences
    special = list(" \n\t\r'’sdmtrelv09.,-") + ["\u00a0", "\u0085", "\u2028", "\u3000", "'ll", "'re", " ", "  "]
    for i in range(n):
        kind, out = i % 4, []
        for _ in range(r.randint(1, 40)):
            if kind == 0:
                s = r.choice(sentences)
                at = r.randrange(len(s))
                out.append(s[at:at + r.randint(1, 9)])
            elif kind == 1:
                out.append(r.choice(special))
            elif kind == 2:
                c = r.choice((r.randrange(0x250), r.randrange(0x3100), r.randrange(0xd800), r.randrange(0xe000, 0x20000), r.randrange(0x2f000)))
                out.append(chr(c) if not 0xd800 <= c < 0xe000 else "?")
            else:
                out.append(r.choice(special + [chr(r.randrange(32, 0x180)), chr(0x4e00 + r.randrange(0x5000)), chr(0x1f300 + r.randrange(0x400))]))
        yield "".join(out)


def peers(folder):
    import tiktoken
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocab, merges = os.path.join(folder, "vocab.json"), os.path.join(folder, "merges.txt")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
    with open(vocab, encoding="utf-8") as f:
        ranks = {bytes(byte[c] for c in token): i for token, i in json.load(f).items() if not token.startswith("<|")}
    pattern = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    encoding = tiktoken.Encoding(name="local", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    tokenizer = Tokenizer(models.BPE.from_file(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return encoding.encode_ordinary, lambda text: tokenizer.encode(text).ids


def golden(folder):
    first, second = peers(folder)
    for i, text in enumerate(texts(400, 1)):
        ids = first(text)
        assert ids == second(text), text
        print(json.dumps({"id": str(i), "text": text, "ids": ids}, ensure_ascii=True, separators=(",", ":")))


def encode(folder):
    first, second = peers(folder)
    many = list(texts(20000, 2))
    many += [chr(c) + s + chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000 and c % 7 == 0 for s in ("a", "1")][:40000]
    lines = "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(many))
    out = subprocess.run(["unimo-tokenize", "-m", folder, "--plain"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    ours = [json.loads(line)["tokens"] for line in out.splitlines()]
    assert len(ours) == len(many)
    bad = [t for t, ids in zip(many, ours) if ids != first(t) or ids != second(t)]
    for t in bad[:5]:
        print("differs:", ascii(t), file=sys.stderr)
    return 1 if bad else 0


def learn_one(corpus, size, least):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, min_frequency=least, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    want = [m if isinstance(m, str) else " ".join(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]]
    with tempfile.TemporaryDirectory() as folder:
        command = ["unimo-tokenize", "--learn", "--lines", "--vocab-size", str(size), "--min-count", str(least), "-o", folder + "/v"]
        subprocess.run(command, input="\n".join(corpus).encode(), check=True, stderr=subprocess.DEVNULL)
        with open(folder + "/v/merges.txt", encoding="utf-8", newline="\n") as f:
            got = f.read().split("\n")[1:-1]
        with open(folder + "/v/vocab.json", encoding="utf-8") as f:
            n = len(json.load(f))
        Tokenizer(models.BPE.from_file(folder + "/v/vocab.json", folder + "/v/merges.txt"))
    if got == want and n == tokenizer.get_vocab_size():
        return 0
    print(f"vocabularies of {size} differ: {len(got)} and {len(want)} merges", file=sys.stderr)
    return 1


def learn():
    r = random.Random(3)
    few = [" ".join("".join(r.choice("ab") for _ in range(r.randint(1, 12))) for _ in range(8)) for _ in range(400)]
    many = [t.replace("\n", " ") for t in texts(3000, 4)]
    return sum(learn_one(c, v, m) for c, v, m in ((few, 300, 1), (few, 400, 2), (few, 1000, 1), (few, 2000, 1), (many, 1000, 2), (many, 6000, 1)))


def main():
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "check":
        try:
            import tiktoken  # noqa: F401
            import tokenizers  # noqa: F401
        except ImportError:
            return 1
        return 0
    if verb == "golden":
        return golden(sys.argv[2])
    if verb == "encode":
        return encode(sys.argv[2])
    if verb == "learn":
        return learn()
    print(__doc__, file=sys.stderr)
    return 2


sys.exit(main())
