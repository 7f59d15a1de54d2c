#ifndef TEXT_PRETOKENIZE_H
#define TEXT_PRETOKENIZE_H
#include "core/dtype.h"
#include <stddef.h>

/* What a piece of text is, after the optional space in front of it. */
enum piece_kind { PIECE_LETTERS, PIECE_NUMBER, PIECE_CONTRACTION, PIECE_OTHER, PIECE_SPACE };

/* The length, at least 1, of the first piece of text (n > 0 bytes, any bytes) as GPT-2's pattern splits it:
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * Byte-level BPE never merges across pieces. The pieces of a text are found by going on at its rest. */
size_t pretokenize_any(const char *text, size_t n, enum piece_kind *kind);

/* Letters of ASCII at the beginning of the 8 bytes at s. */
static inline size_t ascii_letters(const char *s)
{
    const uint64_t ones = 0x0101010101010101u, top = ones << 7;
    uint64_t x = load_u64(s), lower = (x | ones * 0x20) & ~top;
    uint64_t others = ~((lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x7F - 'z')) & ~x) & top;

    return others ? (size_t)__builtin_ctzll(others) / 8 : 8;
}

/* The same as pretokenize_any(): most pieces are a word of ASCII letters with a space in front of it. */
static inline size_t pretokenize(const char *text, size_t n, enum piece_kind *kind)
{
    size_t from = *text == ' ', at = from, found = 8;

    for (; found == 8 && n - at > 8; at += found) found = ascii_letters(text + at);
    if (found == 8 || at == from || (signed char)text[at] < 0) return pretokenize_any(text, n, kind);
    *kind = PIECE_LETTERS;
    return at;
}
#endif
