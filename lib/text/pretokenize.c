/* GPT-2's splitting pattern by hand: ASCII goes through a table of 256 bytes, everything else through unicode.c. */
#include "text/pretokenize.h"
#include "core/unicode.h"

enum { HIGH = 4 }; /* a byte that belongs to no ASCII character */
enum { O = UNICODE_OTHER, L = UNICODE_LETTER, N = UNICODE_NUMBER, S = UNICODE_SPACE };
static const unsigned char byte_class[256] = {
    O,    O,    O,    O,    O,    O,    O,    O,    O,    S,    S,    S,    S,    S,    O,    O,    O,    O,    O,
    O,    O,    O,    O,    O,    O,    O,    O,    O,    O,    O,    O,    O,    S,    O,    O,    O,    O,    O,
    O,    O,    O,    O,    O,    O,    O,    O,    O,    O,    N,    N,    N,    N,    N,    N,    N,    N,    N,
    N,    O,    O,    O,    O,    O,    O,    O,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,
    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    O,    O,    O,    O,
    O,    O,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,    L,
    L,    L,    L,    L,    L,    L,    L,    L,    L,    O,    O,    O,    O,    O,    HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
    HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH, HIGH,
};

static enum unicode_class class_at(const char *s, size_t n, size_t *length)
{
    unsigned char class = byte_class[(unsigned char)*s];

    *length = 1;
    return class == HIGH ? unicode_next(s, n, length) : (enum unicode_class) class;
}

/* Where the run of characters of one class that begins at `at` ends. *last is where its last character begins. */
static size_t run_end(const char *s, size_t n, size_t at, enum unicode_class class, size_t *last)
{
    size_t length;

    for (; at < n; at += length) {
        while (at < n && byte_class[(unsigned char)s[at]] == class) *last = at++;
        if (at == n || class_at(s + at, n - at, &length) != class) break;
        *last = at;
    }
    return at;
}

/* The length of the contraction at s ("'"), or 0. */
static size_t contraction(const char *s, size_t n)
{
    if (n < 2) return 0;
    switch (s[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return 2;
    case 'r':
    case 'v':
        return n > 2 && s[2] == 'e' ? 3 : 0;
    case 'l':
        return n > 2 && s[2] == 'l' ? 3 : 0;
    default:
        return 0;
    }
}

size_t pretokenize_any(const char *text, size_t n, enum piece_kind *kind)
{
    static const enum piece_kind kinds[] = { PIECE_OTHER, PIECE_LETTERS, PIECE_NUMBER, PIECE_SPACE };
    size_t length, last = 0, at = 0;

    if (*text == '\'' && (length = contraction(text, n))) {
        *kind = PIECE_CONTRACTION;
        return length;
    }
    enum unicode_class class = class_at(text, n, &length);
    if (*text == ' ' && n > 1) {
        enum unicode_class next = class_at(text + 1, n - 1, &length);
        if (next != UNICODE_SPACE) {
            class = next;
            at = 1;
        }
    }
    size_t end = run_end(text, n, at, class, &last);
    *kind = kinds[class];
    /* Spaces before something else leave their last character to it (or stand alone). */
    return class == UNICODE_SPACE && end < n && last > 0 ? last : end;
}
