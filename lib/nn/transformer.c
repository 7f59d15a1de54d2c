/* Post-LN encoder layer ("Attention is all you need", 2017; BERT's and RoBERTa's arrangement):
 *   y1 = LN(x + dropout(attention(x)));  y = LN(y1 + dropout(ffn(y1))),  ffn(h) = W2 gelu(W1 h). */
#include "nn/transformer.h"
#include <assert.h>
#include <math.h>

enum { SITE_ATTENTION, SITE_ATTENTION_OUT, SITE_FFN_OUT };

static struct linear add_linear(struct params *p, const char *prefix, const char *name, int64_t outputs, int64_t inputs,
                                float std)
{
    struct str full = { 0 };

    str_addf(&full, "%s.%s", prefix, name);
    struct linear l = linear_add(p, str_c(&full), outputs, inputs, std);
    str_release(&full);
    return l;
}

static struct norm add_norm(struct params *p, const char *prefix, const char *name, int64_t n)
{
    struct str full = { 0 };

    str_addf(&full, "%s.%s", prefix, name);
    struct norm l = norm_add(p, str_c(&full), n);
    str_release(&full);
    return l;
}

/* Query, key and value: three weights, then three biases, so that each three are one matrix and one vector. */
static void add_qkv(struct params *p, struct transformer *l, const char *prefix, int64_t H, float std)
{
    static const char *const names[3] = { "query", "key", "value" };
    struct linear *const to[3] = { &l->query, &l->key, &l->value };

    for (int i = 0; i < 6; i++) {
        struct str full = { 0 };
        str_addf(&full, "%s.attention.self.%s.%s", prefix, names[i % 3], i < 3 ? "weight" : "bias");
        if (i < 3) to[i]->w = params_add(p, str_c(&full), INIT_TRUNC_NORMAL, std, 2, (const int64_t[]){ H, H });
        else to[i - 3]->b = params_add(p, str_c(&full), INIT_ZERO, 0, 1, &H);
        str_release(&full);
    }
}

struct transformer transformer_add(struct params *p, const char *prefix, int64_t H, int64_t inner, float std)
{
    struct transformer l;

    assert(H % PARAMS_ALIGN == 0);
    add_qkv(p, &l, prefix, H, std);
    l.attention_out = add_linear(p, prefix, "attention.output.dense", H, H, std);
    l.attention_norm = add_norm(p, prefix, "attention.output.LayerNorm", H);
    l.ffn_in = add_linear(p, prefix, "intermediate.dense", inner, H, std);
    l.ffn_out = add_linear(p, prefix, "output.dense", H, inner, std);
    l.ffn_norm = add_norm(p, prefix, "output.LayerNorm", H);
    return l;
}

/* Three neighbours as one. */
static struct tensor joined(struct tensor first)
{
    first.shape[0] *= 3;
    first.n *= 3;
    return first;
}

static struct dropout drop(const struct transformer_opts *o, float p, uint32_t site)
{
    return (struct dropout){ .p = p, .site = o->site + site, .seed = o->seed, .step = o->step };
}

int64_t transformer_params(const struct params *p, const struct transformer *l, int64_t *n)
{
    const struct param *first = &p->at[l->query.w], *last = &p->at[l->ffn_norm.b];

    *n = last->from + last->n - first->from;
    return first->from;
}

float transformer_scale(int64_t hidden, int heads)
{
    return (float)(1 / sqrt((double)(hidden / heads)));
}

void transformer_qkv(const struct params *p, const struct transformer *l, struct tensor qkv, struct tensor x)
{
    op_linear_forward(p->device, qkv, x, joined(params_weight(p, l->query.w)), joined(params_f32(p, l->query.b)),
                      LINEAR_PARAM);
}

void transformer_after(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                       struct scratch *s, struct tensor y, struct tensor x, struct tensor context,
                       struct transformer_saved *saved)
{
    int64_t T = x.shape[0], H = x.shape[1], mark;

    saved->sum1 = scratch_2d(s, x.dtype, T, H);
    saved->stats1 = scratch_2d(s, DT_F32, T, 2);
    saved->wide = scratch_2d(s, x.dtype, T, o->inner);
    saved->sum2 = scratch_2d(s, x.dtype, T, H);
    saved->stats2 = scratch_2d(s, DT_F32, T, 2);
    mark = scratch_mark(s);
    struct tensor y1 = scratch_2d(s, x.dtype, T, H), act = scratch_2d(s, x.dtype, T, o->inner);
    linear_forward(p, l->attention_out, saved->sum1, context, 0);
    op_residual_norm_forward(p->device, y1, saved->sum1, saved->stats1, x, saved->sum1,
                             params_f32(p, l->attention_norm.g), params_f32(p, l->attention_norm.b), o->norm_eps,
                             drop(o, o->dropout, SITE_ATTENTION_OUT));
    linear_forward(p, l->ffn_in, saved->wide, y1, 0);
    /* Not in the product's epilogue, which is no faster (43.3 ms, 43.9 apart: 8192 x 3072 x 768 in bf16 on two cores);
     * and backward needs what GELU was given. */
    op_gelu_forward(p->device, act, saved->wide);
    linear_forward(p, l->ffn_out, saved->sum2, act, 0);
    op_residual_norm_forward(p->device, y, saved->sum2, saved->stats2, y1, saved->sum2, params_f32(p, l->ffn_norm.g),
                             params_f32(p, l->ffn_norm.b), o->norm_eps, drop(o, o->dropout, SITE_FFN_OUT));
    scratch_back_to(s, mark);
}

void transformer_forward(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                         struct scratch *s, struct tensor y, struct tensor x, struct sequences seq,
                         struct transformer_saved *saved)
{
    int64_t T = x.shape[0], H = x.shape[1];

    saved->x = x;
    saved->qkv = scratch_2d(s, x.dtype, T, 3 * H);
    saved->context = scratch_2d(s, x.dtype, T, H);
    saved->lse = scratch_2d(s, DT_F32, T, o->heads);
    transformer_qkv(p, l, saved->qkv, x);
    op_attention_forward(p->device, saved->context, saved->lse, saved->qkv, seq, o->heads,
                         transformer_scale(H, o->heads), drop(o, o->attention_dropout, SITE_ATTENTION));
    transformer_after(p, l, o, s, y, x, saved->context, saved);
}

void transformer_backward(const struct params *p, const struct transformer *l, const struct transformer_opts *o,
                          struct scratch *s, struct tensor dy, struct sequences seq,
                          const struct transformer_saved *saved)
{
    struct device *d = p->device;
    int64_t T = dy.shape[0], H = dy.shape[1], mark = scratch_mark(s);
    struct tensor dsub = scratch_2d(s, dy.dtype, T, H), dwide = scratch_2d(s, dy.dtype, T, o->inner),
                  act = scratch_2d(s, dy.dtype, T, o->inner);
    struct tensor y1 = scratch_2d(s, dy.dtype, T, H), dcontext = y1, dqkv = scratch_2d(s, dy.dtype, T, 3 * H);

    op_residual_norm_backward(d, dy, dsub, params_grad(p, l->ffn_norm.g), params_grad(p, l->ffn_norm.b), dy,
                              saved->sum2, saved->stats2, params_f32(p, l->ffn_norm.g),
                              drop(o, o->dropout, SITE_FFN_OUT));
    op_linear_backward_input(d, dwide, dsub, params_weight(p, l->ffn_out.w), LINEAR_PARAM);
    op_gelu_backward(d, dwide, act, dwide, saved->wide);
    op_linear_backward_weight(d, params_grad(p, l->ffn_out.w), params_grad(p, l->ffn_out.b), dsub, act);
    norm_forward(p, l->attention_norm, y1, saved->stats1, saved->sum1, o->norm_eps);
    linear_backward(p, l->ffn_in, dy, dwide, y1, LINEAR_ADD);
    op_residual_norm_backward(d, dy, dsub, params_grad(p, l->attention_norm.g), params_grad(p, l->attention_norm.b), dy,
                              saved->sum1, saved->stats1, params_f32(p, l->attention_norm.g),
                              drop(o, o->dropout, SITE_ATTENTION_OUT));
    linear_backward(p, l->attention_out, dcontext, dsub, saved->context, 0);
    op_attention_backward(d, dqkv, dcontext, saved->context, saved->qkv, saved->lse, seq, o->heads,
                          transformer_scale(H, o->heads), drop(o, o->attention_dropout, SITE_ATTENTION));
    op_linear_backward_weight(d, joined(params_grad(p, l->query.w)), joined(params_grad(p, l->query.b)), dqkv,
                              saved->x);
    op_linear_backward_input(d, dy, dqkv, joined(params_weight(p, l->query.w)), LINEAR_PARAM | LINEAR_ADD);
    scratch_back_to(s, mark);
}
