#ifndef SCORE_CAPTIONS_H
#define SCORE_CAPTIONS_H
#include "core/hash.h"
#include "core/mem.h"
#include "score/item.h"

/* Items with their texts as words (tokenized by ptb.h) and as counts of runs of 1 to NGRAM_MAX words. Every different
 * run has a number, so that metrics count in arrays. */
enum { NGRAM_MAX = 4 };
struct ngram {
    int32_t id, count;
};
struct sentence {
    int64_t n_words;
    const int32_t *words; /* [n_words], numbers of captions.vocabulary */
    int64_t n_tokens;
    const int32_t *tokens;                 /* [n_tokens]: words, but for tokens that hold blanks or nothing */
    const struct ngram *ngrams[NGRAM_MAX]; /* [k]: the different runs of k + 1 words, in order of appearance */
    int64_t n_ngrams[NGRAM_MAX];
};
struct captions {
    int64_t n;
    struct sentence *preds; /* [n] */
    struct sentence *refs;  /* [ref_start[n]]; those of item i from ref_start[i] to ref_start[i + 1] */
    int64_t *ref_start;     /* [n + 1] */
    int64_t n_dropped;      /* UTF-16 units that the tokenizer knows nothing of */
    int64_t n_ngrams;       /* how many different runs there are */
    struct map vocabulary;  /* words in order of appearance */
    struct arena arena;     /* words and counts */
};

enum captions_tokens {
    CAPTIONS_PTB,   /* as in coco-caption: all references are one stream for the tokenizer, all predictions another */
    CAPTIONS_SPLIT, /* texts are tokenized: words are between white space, tokens between single spaces */
    CAPTIONS_WORDS  /* the same without tokens */
};
/* orders: the longest runs that are counted, 0 to NGRAM_MAX. threads 0: all processors. */
void captions_make(struct captions *c, const struct score_item *items, int64_t n, enum captions_tokens how, int orders,
                   int threads);
const char *captions_word(const struct captions *c, int32_t word);
/* References of item i and how many they are. */
const struct sentence *captions_refs(const struct captions *c, int64_t i, int64_t *n);
void captions_release(struct captions *c);
#endif
