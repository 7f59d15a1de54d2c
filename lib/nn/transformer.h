#ifndef NN_TRANSFORMER_H
#define NN_TRANSFORMER_H
#include "nn/linear.h"

/* One layer of a Transformer encoder with the norm after each sub-layer (post-LN), over a packed batch of sequences. */
struct transformer {
    struct linear query, key, value; /* neighbours in the flat buffers: computed as one product */
    struct linear attention_out, ffn_in, ffn_out;
    struct norm attention_norm, ffn_norm;
};
struct transformer_opts {
    int heads, inner;
    float norm_eps, dropout, attention_dropout; /* 0 outside of training */
    uint64_t seed, step;                        /* of dropout */
    uint32_t site;                              /* first of TRANSFORMER_SITES */
};
enum { TRANSFORMER_SITES = 4 };

/* Adds the parameters with BERT's names under prefix. hidden is a multiple of PARAMS_ALIGN, as query, key and value
 * are neighbours. */
struct transformer transformer_add(struct params *p, const char *prefix, int64_t hidden, int64_t inner, float std);

/* What forward leaves for backward; all in the scratch memory. What a norm or GELU made is not there: backward makes
 * it again from what went in, to the same bits. */
struct transformer_saved {
    struct tensor x, qkv, context, lse, sum1, stats1, wide, sum2, stats2;
};
/* y[T,H] from x[T,H], in the compute type. saved gets the tensors. y may be x only when no backward follows. */
void transformer_forward(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                         struct scratch *s, struct tensor y, struct tensor x, struct sequences seq,
                         struct transformer_saved *saved);
/* dy becomes dx, in place. Adds the parameters' gradients. Leaves the scratch memory as it was. */
void transformer_backward(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                          struct scratch *s, struct tensor dy, struct sequences seq,
                          const struct transformer_saved *saved);

/* The parts of forward around attention, for decoding with cached keys and values. */
void transformer_qkv(const struct params *p, const struct transformer *l, struct tensor qkv, struct tensor x);
void transformer_after(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                       struct scratch *s, struct tensor y, struct tensor x, struct tensor context,
                       struct transformer_saved *saved);
/* Where the layer's parameters begin in the flat buffers, and how many elements they have there. */
int64_t transformer_params(const struct params *p, const struct transformer *l, int64_t *n);
float transformer_scale(int64_t hidden, int heads); /* 1 / sqrt(head size) */
#endif
