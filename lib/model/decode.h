#ifndef MODEL_DECODE_H
#define MODEL_DECODE_H
#include "model/model.h"

/* Beam search with cached keys and values over many inputs at once. */
struct decode_opts {
    int beam;                   /* 5; 1 is greedy */
    int min_length, max_length; /* tokens before the end symbol: 5, 50 */
    float length_penalty;       /* alpha of ((5 + length) / 6)^alpha: 0.6 */
    bool block_trigrams;        /* a repeated trigram of tokens ends a candidate */
};
extern const struct decode_opts decode_defaults;
struct decode_text {
    int32_t *tokens; /* without [CLS] and [SEP]; owned */
    int64_t n;
    float score; /* length-normalised log probability */
};
/* The batch holds one sequence for each input (batch_add_pair(b, image, source)), all of it seen by the output;
 * out[n_sequences] is filled. Reuses all of s. */
int model_decode(struct model *m, struct scratch *s, const struct batch *b, const struct decode_opts *o,
                 struct decode_text *out, struct err *e);
void decode_release(struct decode_text *out, int64_t n);
#endif
