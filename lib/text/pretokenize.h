#ifndef TEXT_PRETOKENIZE_H
#define TEXT_PRETOKENIZE_H
#include <stddef.h>

/* What a piece of text is, after the optional space in front of it. */
enum piece_kind { PIECE_LETTERS, PIECE_NUMBER, PIECE_CONTRACTION, PIECE_OTHER, PIECE_SPACE };

/* The length, at least 1, of the first piece of text (n > 0 bytes, any bytes) as GPT-2's pattern splits it:
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * Byte-level BPE never merges across pieces. The pieces of a text are found by going on at its rest. */
size_t pretokenize(const char *text, size_t n, enum piece_kind *kind);
#endif
