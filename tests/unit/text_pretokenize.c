/* The splitter against an expected list, and against GPT-2's pattern spelled out alternative by alternative. */
#include "core/unicode.h"
#include "tap.h"
#include "text/pretokenize.h"

static void is_split(const char *text, const char *want)
{
    char got[512];
    size_t n = strlen(text), at = 0;
    enum piece_kind kind;

    for (size_t i = 0, length; i < n; i += length) {
        length = pretokenize(text + i, n - i, &kind);
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%.*s", i ? "|" : "", (int)length, text + i);
    }
    got[at] = 0;
    is_str(got, want, want);
}

/* The longest run of a class from `at`. */
static size_t run(const char *s, size_t n, size_t at, enum unicode_class class)
{
    size_t length;

    while (at < n && unicode_next(s + at, n - at, &length) == class) at += length;
    return at;
}

static size_t naive(const char *s, size_t n)
{
    static const char *const contractions[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    static const enum unicode_class classes[] = { UNICODE_LETTER, UNICODE_NUMBER, UNICODE_OTHER };

    for (int i = 0; i < 7; i++) {
        size_t m = strlen(contractions[i]);
        if (n >= m && !memcmp(s, contractions[i], m)) return m;
    }
    for (int i = 0; i < 3; i++) {
        size_t from = s[0] == ' ', end = run(s, n, from, classes[i]);
        if (end > from) return end;
    }
    size_t end = run(s, n, 0, UNICODE_SPACE), length, last = 0;
    if (end == n) return end;
    for (size_t i = 0; i < end; i += length) { /* backtrack by one character */
        last = i;
        unicode_next(s + i, n - i, &length);
    }
    return last ? last : end;
}

int main(void)
{
    static const char *const parts[] = { " ",
                                         "  ",
                                         "\n",
                                         "\t",
                                         "'",
                                         "s",
                                         "t",
                                         "re",
                                         "ll",
                                         "a",
                                         "Z",
                                         "9",
                                         "\xc3\xa9",
                                         "\xc2\xa0",
                                         "\xe3\x80\x80",
                                         "\xe4\xb8\x80",
                                         "\xd9\xa1",
                                         "\xf0\x9f\x98\x80",
                                         "\xcc\x81",
                                         "!",
                                         "-",
                                         "\xff",
                                         "\xc3",
                                         "\xf0\x9f",
                                         "\xe2\x80\xa8",
                                         "" };
    uint64_t x = 88172645463325252u;
    int differences = 0;

    is_split("Hello world", "Hello| world");
    is_split("don't we'll I'd you've", "don|'t| we|'ll| I|'d| you|'ve");
    is_split("DON'T 'S", "DON|'|T| '|S");
    is_split("!'s", "!'|s");
    is_split("a  b   c", "a| | b|  | c");
    is_split("a \n b\n", "a| \n| b|\n");
    is_split("x1 23,4", "x|1| 23|,|4");
    is_split("  ", "  ");
    is_split(" \t", " \t");
    is_split("a\xc2\xa0\xc2\xa0"
             "b",
             "a|\xc2\xa0|\xc2\xa0|b");
    is_split("caf\xc3\xa9 \xe4\xb8\x80", "caf\xc3\xa9| \xe4\xb8\x80");
    for (int i = 0; i < 20000; i++) {
        char s[128];
        size_t n = 0;
        enum piece_kind kind;
        for (int k = 0; k < 12; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const char *part = parts[x % 25];
            size_t m = strlen(part);
            memcpy(s + n, part, m);
            n += m;
        }
        s[n++] = (char)(i % 3 ? 'x' : 0);
        char *exact = malloc(n);
        memcpy(exact, s, n);
        for (size_t at = 0, length; at < n; at += length) {
            length = pretokenize(exact + at, n - at, &kind);
            if (length != naive(exact + at, n - at)) differences++;
            if (!length || length > n - at) return 1;
        }
        free(exact);
    }
    is_int(differences, 0, "as the pattern on 20,000 texts, broken ones among them");
    return done();
}
