#ifndef REWRITE_WORDS_H
#define REWRITE_WORDS_H
#include "core/mem.h"
#include <stdbool.h>
#include <stdint.h>

/* A text cut into words and punctuation, each knowing where it stands. */
enum word_class {
    WORD_OTHER,
    WORD_NOUN,
    WORD_ADJECTIVE,
    WORD_VERB,
    WORD_ADVERB,
    WORD_PREPOSITION,
    WORD_DETERMINER,
    WORD_NUMBER,
    WORD_CONJUNCTION,
    WORD_PRONOUN,
    WORD_AUXILIARY,
    WORD_POSSESSIVE,
    WORD_PUNCTUATION
};
struct word {
    int32_t from, to;      /* bytes [from, to) of the text */
    const char *lower;     /* small letters, composed with their accents, apostrophes straight; in the arena */
    enum word_class class; /* of closed classes at once, the rest by the parser */
};
struct words {
    int n;
    struct word *at;
};
/* text is valid UTF-8. Letters and digits with their marks and with inner hyphens and apostrophes make words; "'s" is a
 * word of its own, and every other character but blanks. */
void words_split(struct words *w, const char *text, struct arena *a);

/* Bytes of the apostrophe at s[i] of n, straight or as printers set it (U+2019), or 0. */
size_t apostrophe_at(const char *s, size_t n, size_t i);

/* The first word after `from` that begins a new sentence, or w->n. */
int words_sentence_end(const struct words *w, int from);

/* The closed class of a lower-case word, or WORD_OTHER. */
enum word_class word_closed_class(const char *lower);
bool word_is_colour(const char *lower);
/* Whether the word of the text is written as a name is: "Milo" and "McDonald", not "TV" or "T-shirt". */
bool word_is_capitalised(const struct word *x, const char *text);
/* The value of a number word or numeral from 1 to 100, or 0. */
int word_number(const char *lower);
const char *word_of_number(int n); /* "two" .. "ten", or NULL */

/* The number of words of a preposition of several words that starts at word i ("in front of"), 1 for a simple one, 0
 * for none. */
int words_preposition(const struct words *w, int i, int end);

/* Code points in the first n bytes of a text. */
int64_t text_code_points(const char *text, int64_t n);
#endif
