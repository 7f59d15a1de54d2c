#ifndef SCORE_SYNONYMS_H
#define SCORE_SYNONYMS_H
#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What METEOR 1.5 knows of WordNet 3.0, from a directory of WordNet's own files (Debian's wordnet-base): the numbers of
 * a word's synsets, of all parts of speech together, those of its base forms included. */
struct synonyms;
#define SYNONYMS_DIR "/usr/share/wordnet"
enum { SYNONYMS_MAX = 256 };
struct synonyms *synonyms_open(const char *dir, struct err *e);
void synonyms_close(struct synonyms *s); /* NULL is fine */
/* A word in lower case, parts joined by '_'. Sorted, without duplicates; returns their number. */
int synonyms_of(const struct synonyms *s, const char *word, size_t n, uint32_t out[SYNONYMS_MAX]);
/* Whether sorted sets have a number in common. */
bool synonyms_meet(const uint32_t *a, int n_a, const uint32_t *b, int n_b);
#endif
