#ifndef SCORE_ROUGE_TEXT_H
#define SCORE_ROUGE_TEXT_H
#include "score/captions.h"
#include "score/texts.h"
#include "stream/value.h"

/* Texts for ROUGE: the words of sentences, with counts of their runs across the ends of sentences. */
struct rouge_texts {
    struct captions words;
    const int64_t **ends; /* [text]: where each sentence ends, in words; predictions, then references */
    int64_t *n_sentences; /* [text] */
    struct arena arena;
};
/* The maker appends a text's sentences, words with a blank each behind them and a newline behind each sentence. */
void rouge_texts_make(struct rouge_texts *t, const struct score_item *items, int64_t n, int threads,
                      const struct texts_maker *maker, const void *arg);
/* Adds item i's normalised texts. */
void rouge_explain(const struct score_item *item, const struct texts_maker *maker, const void *arg, struct value *out);
void rouge_texts_release(struct rouge_texts *t);

/* One text with its sentences. */
struct rouge_text {
    const struct sentence *words;
    const int64_t *ends;
    int64_t n_sentences;
};
struct rouge_text rouge_pred(const struct rouge_texts *t, int64_t item);
struct rouge_text rouge_ref(const struct rouge_texts *t, int64_t ref); /* of all items, in order */

/* Room for counting; zero is empty. */
struct rouge_room {
    int32_t *left[2]; /* by word: how many of it are not counted yet, in the reference and in the prediction */
    int32_t *table;
    bool *hit;
    int64_t cap_words, cap_words2, cap_table, cap_hit;
};
void rouge_room_release(struct rouge_room *r);
/* Runs of n words that both have, each as often as in the text that has it less often. */
int64_t rouge_shared(const struct sentence *a, const struct sentence *b, int n);
/* Lin's summary-level LCS: of each reference sentence, the union over the sentences of the prediction of one longest
 * common subsequence each (of several, the one that leaves out the reference's later words), a word counted only as
 * often as both texts have it. */
int64_t rouge_union_lcs(struct rouge_room *r, const struct rouge_text *ref, const struct rouge_text *pred);
/* Of both texts as one sentence each. */
int64_t rouge_lcs(struct rouge_room *r, const struct sentence *a, const struct sentence *b);
#endif
