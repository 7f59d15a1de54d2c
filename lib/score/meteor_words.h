#ifndef SCORE_METEOR_WORDS_H
#define SCORE_METEOR_WORDS_H
#include "core/err.h"
#include "core/hash.h"
#include "core/mem.h"

/* What METEOR knows of words: their stems (Snowball's English stemmer), synsets, whether they are function words, and
 * paraphrases of phrases. Built by one thread; then read by any. */
struct meteor_word {
    int32_t stem; /* equal stems have equal numbers */
    bool is_function;
    int n_synsets;
    uint64_t mask; /* of the synsets: disjoint masks have none in common */
    uint32_t *synsets;
};
struct meteor_phrase {
    int n;
    const int32_t *words;
};
struct meteor_lexicon {
    struct map numbers; /* of words */
    struct meteor_word *words;
    int64_t cap;
    struct map stems;
    struct map paraphrased; /* a phrase, its words joined by spaces -> index in others */
    struct meteor_others {
        int64_t n, cap;
        struct meteor_phrase *at;
    } * others;
    int64_t cap_others;
    int longest;               /* phrase, in words; 0: no table */
    struct synonyms *synonyms; /* NULL: none */
    struct sb_stemmer *stemmer;
    struct arena arena;
};
/* wordnet: a directory, or NULL for no synonyms. */
int meteor_lexicon_open(struct meteor_lexicon *l, const char *wordnet, struct err *e);
void meteor_lexicon_release(struct meteor_lexicon *l);
int32_t meteor_word(struct meteor_lexicon *l, const char *word, size_t n);
/* METEOR's table (plain or gzip): a probability, a phrase and its paraphrase, a line each. Of its millions, those are
 * kept whose words are all in the lexicon by now; no other can match. */
int meteor_lexicon_add_paraphrases(struct meteor_lexicon *l, const char *path, struct err *e);
#endif
