"""What importers share: they read lines and JSON items, of gzip files too, a bounded piece at a time, and print records."""
import gzip, io, json, os, re, signal, sys, zlib

PROGRAM = os.path.basename(sys.argv[0])
PIECE = 1 << 16


def fail(message, status=1):
    sys.stdout.flush()
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    sys.exit(status)


def arguments(doc, least, most, options=(), flags=()):
    """(operands, {option: value}); -h prints the usage."""
    operands, given, rest = [], dict.fromkeys(flags, False), sys.argv[1:]
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            print(doc.strip())
            sys.exit(0)
        name, equals, value = word[2:].partition("=")
        if word.startswith("--") and name in flags and not equals:
            given[name] = True
        elif word.startswith("--") and name in options and (equals or rest):
            given[name] = value if equals else rest.pop(0)
        elif word.startswith("-") and word != "-":
            fail(f"{word}: unknown option, or one without its value (see -h)", 2)
        else:
            operands.append(word)
    if not least <= len(operands) <= most:
        fail(f"{len(operands)} operands (see -h)", 2)
    return operands, given


def run(main):
    """Calls main(); whatever is wrong with the input is one line."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    try:
        main()
        sys.stdout.flush()
    except OSError as e:
        fail(f"{e.filename or 'output'}: {e.strerror or e}")
    except (UnicodeDecodeError, EOFError, zlib.error) as e:
        fail(f"{where[0]}: {e}")
    except KeyError as e:
        fail(f"{where[0]}: item {where[1]}: no {e.args[0]!r}")
    except (TypeError, AttributeError, ValueError, IndexError) as e:
        fail(f"{where[0]}: item {where[1]}: {e}")


where = ["", 0]  # the file and item at hand, for messages; of several files, the one that is read next


def open_text(path):
    where[:] = [path, 0]
    raw = open(path, "rb")
    if raw.read(2) == b"\x1f\x8b":
        raw.seek(0)
        raw = gzip.GzipFile(fileobj=raw)
    else:
        raw.seek(0)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n")  # a lone CR is part of its line, as wc and paste have it


def lines(path):
    """Lines without their ends."""
    with open_text(path) as f:
        for number, line in enumerate(f, 1):
            where[:] = [path, number]
            yield line.rstrip("\r\n")
            where[:] = [path, number + 1]


def cells(path):
    """Rows of a table with tabs, without any quoting."""
    for line in lines(path):
        yield line.split("\t")


class Pieces:
    """JSON that is read as it is needed."""
    def __init__(self, path, f):
        self.path, self.f, self.text, self.at, self.ended, self.decoder = path, f, "", 0, False, json.JSONDecoder()
        self.item = 0  # counted over all arrays

    def more(self):
        piece = self.f.read(max(PIECE, len(self.text) - self.at))  # doubled, so that long items are not parsed too often
        self.text, self.at, self.ended = self.text[self.at:] + piece, 0, not piece

    def peek(self):
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at:self.at + 1]
            self.more()

    def take(self, expected):
        if self.peek() != expected:
            raise ValueError(f"{self.peek() or 'the end'!r} where {expected!r} was expected")
        self.at += 1

    def value(self):
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # else it may be the beginning of a longer number
                    self.at = end
                    return value
            except json.JSONDecodeError as e:
                if self.ended:
                    raise ValueError(f"not JSON: {e.msg}") from None
            self.more()

    def separated(self, end):
        """Yields before each element up to the closing bracket."""
        if self.peek() != end:
            yield
            while self.peek() == ",":
                self.at += 1
                yield
        self.take(end)

    def elements(self):
        self.take("[")
        for _ in self.separated("]"):
            self.item += 1
            where[:] = [self.path, self.item]
            yield self.value()
            where[:] = [self.path, self.item]


def members(path):
    """The members of a file's object as (key, value); each element of an array is a member of its own. Of a file that is an array: (None,
    element)."""
    with open_text(path) as f:
        p = Pieces(path, f)
        if p.peek() == "[":
            yield from ((None, x) for x in p.elements())
        else:
            p.take("{")
            for _ in p.separated("}"):
                key = p.value()
                p.take(":")
                if p.peek() == "[":
                    yield from ((key, x) for x in p.elements())
                else:
                    yield key, p.value()
        if p.peek():
            raise ValueError(f"{p.peek()!r} behind the end")


def items(path, wanted):
    """The elements of one array of a file's object."""
    found = False
    for key, value in members(path):
        if key == wanted:
            found = True
            yield value
    if not found:
        fail(f"{path}: no {wanted!r} with anything in it")


def put(id, **fields):
    print(json.dumps({"id": str(id), **{k: v for k, v in fields.items() if v is not None}}, ensure_ascii=False))


def stem(name):
    """How unimo-regionfeat names an image: its file without folders and ending."""
    return os.path.splitext(os.path.basename(name))[0]


def image_names(form):
    """A function from a file's name to what the image's features are called: form, where %s is stem(), %l the same in small letters, %d the
    number at its end (%012d: of twelve digits)."""
    parts = re.split(r"%([sl]|(?:0\d+)?d)", "%s" if form is None else form)
    if len(parts) == 1 or any("%" in p for p in parts[::2]):
        fail(f"--image: {form}: expected %s, %l, %d or %012d in it", 2)

    def shown(kind, name):
        if kind in ("s", "l"):
            return name if kind == "s" else name.lower()
        number = re.search(r"\d+$", name)
        if not number:
            raise ValueError(f"no number at the end of {name!r}")
        return ("%" + kind) % int(number[0])

    def called(name):
        return "".join(shown(p, stem(name)) if i % 2 else p for i, p in enumerate(parts))
    return called
