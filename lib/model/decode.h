#ifndef MODEL_DECODE_H
#define MODEL_DECODE_H
#include "model/answers.h"
#include "model/model.h"
#include "model/sample.h"
#include "text/bpe.h"

/* Writing texts from left to right with cached keys and values, over many inputs at once. What is written for an input
 * does not depend on the others, nor on the number of threads. */
struct decode_opts {
    int beam;                   /* 5; 1 is greedy. With is_sampled: texts that are drawn */
    int n_best;                 /* 1: how many are delivered, at most beam */
    int min_length, max_length; /* tokens before the end symbol: 5, 50 */
    float length_penalty;       /* alpha of ((5 + length) / 6)^alpha: 0.6 */
    const struct bpe *unlike;   /* not NULL: no three words twice; the vocabulary says where words begin */
    const struct answers *only; /* not NULL: nothing but one of these, if max_length is above that of the longest;
                                 * min_length does not count */
    bool is_sampled;            /* draws instead of a search */
    struct sample_opts sample;
    uint64_t seed;
    const uint64_t *key; /* [n_sequences], with is_sampled: names the draws of each input */
};
extern const struct decode_opts decode_defaults;
struct decode_text {
    int32_t *tokens; /* without [CLS] and the end symbol; owned. NULL: there were no more */
    int64_t n;
    float score; /* length-normalised log probability */
};
/* The batch holds one sequence for each input (batch_add_pair(b, image, source), batch_add_parts()), all of it seen by
 * the output; out[n_sequences * n_best] is filled, best first (samples: in the order of their draws). Reuses all of s.
 */
int model_decode(struct model *m, struct scratch *s, const struct batch *b, const struct decode_opts *o,
                 struct decode_text *out, struct err *e);
void decode_release(struct decode_text *out, int64_t n);
#endif
