#ifndef SCORE_NGRAMS_H
#define SCORE_NGRAMS_H
#include "core/hash.h"
#include "core/str.h"

/* Words of tokenized text, and the counts of their runs of 1 to NGRAM_MAX. */
enum { NGRAM_MAX = 4 };
struct words {
    int64_t n;
    struct str text; /* the words, separated by single spaces */
};
/* PTB-tokenizes a caption (ptb.h) and drops what coco-caption drops. */
void words_of(struct words *w, const char *text);
void words_release(struct words *w);
struct ngrams {
    struct map count[NGRAM_MAX]; /* of runs of k + 1 words */
};
void ngrams_count(struct ngrams *g, const struct words *w);
void ngrams_release(struct ngrams *g);
#endif
