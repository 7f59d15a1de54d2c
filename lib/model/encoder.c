/* Embeddings (texts: LN(word + position); regions: LN(W feature + V location)) of everything in the batch, then
 * gathered into the order of the packed rows: a region that several sequences share is embedded once. Then dropout and
 * the layers. */
#include "model/encoder.h"
#include "core/mem.h"
#include <stdlib.h>

const struct step_opts encoder_no_training = { 0 };

struct dropout encoder_drop(const struct model *m, const struct step_opts *o, uint32_t site)
{
    return (struct dropout){ .p = o->train ? m->config.dropout : 0, .site = site, .seed = o->seed, .step = o->number };
}

struct transformer_opts encoder_opts(const struct model *m, const struct step_opts *o, int layer)
{
    const struct model_config *c = &m->config;

    return (struct transformer_opts){ .heads = c->heads,
                                      .inner = c->inner,
                                      .norm_eps = c->norm_eps,
                                      .dropout = o->train ? c->dropout : 0,
                                      .attention_dropout = o->train ? c->attention_dropout : 0,
                                      .seed = o->seed,
                                      .step = o->number,
                                      .site = (uint32_t)(SITE_LAYERS + TRANSFORMER_SITES * layer) };
}

void encoder_embed_text(const struct model *m, struct tensor y, struct tensor sum, struct tensor stats,
                        const struct packed *p)
{
    op_gather_rows(m->device, sum, params_f32(&m->params, m->word), p->id, false);
    op_gather_rows(m->device, sum, params_f32(&m->params, m->position), p->position, true);
    if (m->role >= 0) op_gather_rows(m->device, sum, params_f32(&m->params, m->role), p->role, true);
    if (m->turn >= 0) op_gather_rows(m->device, sum, params_f32(&m->params, m->turn), p->turn, true);
    if (p->text_move.data) op_axpy(m->device, sum, p->text_move, 1);
    norm_forward(&m->params, m->text_norm, y, stats, sum, m->config.norm_eps);
}

/* The location's five numbers are multiplied in F32 always: bf16 would move a box by a pixel or two. */
static void embed_regions(const struct model *m, struct tensor y, const struct packed *p, struct encoder_saved *saved)
{
    const struct params *q = &m->params;

    linear_forward(q, m->feature, saved->image_sum, saved->feature, 0);
    op_linear_forward(m->device, saved->image_sum, p->location, params_f32(q, m->location.w),
                      params_f32(q, m->location.b), LINEAR_ADD);
    norm_forward(q, m->image_norm, y, saved->image_stats, saved->image_sum, m->config.norm_eps);
}

struct tensor encoder_embed(const struct model *m, struct scratch *s, const struct packed *p, const struct step_opts *o,
                            struct encoder_saved *saved)
{
    int64_t H = m->config.hidden, F = m->config.features;
    enum dtype t = m->params.compute;
    struct tensor all = scratch_2d(s, t, p->n_text + p->n_regions, H), x = scratch_2d(s, t, p->n_rows, H);

    saved->text_sum = scratch_2d(s, DT_F32, p->n_text, H);
    saved->text_stats = scratch_2d(s, DT_F32, p->n_text, 2);
    saved->image_sum = scratch_2d(s, DT_F32, p->n_regions, H);
    saved->image_stats = scratch_2d(s, DT_F32, p->n_regions, 2);
    saved->feature = p->feature;
    if (p->feature_move.data) {
        saved->feature = scratch_2d(s, DT_F32, p->n_regions, F);
        op_add(m->device, saved->feature, p->feature, p->feature_move);
    }
    if (t != DT_F32) {
        struct tensor exact = saved->feature;
        saved->feature = scratch_2d(s, t, p->n_regions, F);
        op_convert(m->device, saved->feature, exact);
    }
    encoder_embed_text(m, tensor_rows(all, 0, p->n_text), saved->text_sum, saved->text_stats, p);
    embed_regions(m, tensor_rows(all, p->n_text, p->n_regions), p, saved);
    op_gather_rows(m->device, x, all, p->source, false);
    op_dropout_forward(m->device, x, x, encoder_drop(m, o, SITE_EMBEDDING));
    return x;
}

struct tensor encoder_forward(const struct model *m, struct scratch *s, const struct packed *p,
                              const struct step_opts *o, struct encoder_saved *saved)
{
    struct encoder_saved own;
    struct tensor x = encoder_embed(m, s, p, o, saved ? saved : &own), out[2] = { x, x };

    if (saved) saved->layer = mem_new(struct transformer_saved, m->config.layers);
    for (int i = 0; i < m->config.layers; i++) {
        struct transformer_opts opts = encoder_opts(m, o, i);
        struct transformer_saved dropped;
        /* A layer's output that backward does not find it makes again (layer_input()): two have room for all. */
        if (saved && (o->recompute || i < 2)) out[i % 2] = scratch_2d(s, x.dtype, x.shape[0], x.shape[1]);
        struct tensor y = out[i % 2];
        int64_t mark = scratch_mark(s);
        transformer_forward(&m->params, &m->layer[i], &opts, s, y, x, p->sequences,
                            saved ? &saved->layer[i] : &dropped);
        if (!saved || o->recompute) scratch_back_to(s, mark);
        x = y;
    }
    if (saved) scratch_turns(s);
    return x;
}

struct tensor encoder_forward_rows(const struct model *m, struct scratch *s, const struct packed *p, struct tensor rows)
{
    int last = m->config.layers - 1;
    int64_t T = p->n_rows, H = m->config.hidden;
    struct transformer_opts opts = encoder_opts(m, &encoder_no_training, last);
    struct encoder_saved own;
    struct transformer_saved dropped;
    enum dtype t = m->params.compute;
    struct tensor x = encoder_embed(m, s, p, &encoder_no_training, &own);

    for (int i = 0; i < last; i++) {
        int64_t mark = scratch_mark(s);
        opts = encoder_opts(m, &encoder_no_training, i);
        transformer_forward(&m->params, &m->layer[i], &opts, s, x, x, p->sequences, &dropped);
        scratch_back_to(s, mark);
    }
    struct tensor y = scratch_2d(s, t, rows.n, H), some = scratch_2d(s, t, rows.n, H), qkv = scratch_2d(s, t, T, 3 * H),
                  context = scratch_2d(s, t, T, H), lse = scratch_2d(s, DT_F32, T, m->config.heads),
                  seen = scratch_2d(s, t, rows.n, H);
    transformer_qkv(&m->params, &m->layer[last], qkv, x);
    op_attention_forward(m->device, context, lse, qkv, p->sequences, opts.heads, transformer_scale(H, opts.heads),
                         (struct dropout){ 0 });
    op_gather_rows(m->device, some, x, rows, false);
    op_gather_rows(m->device, seen, context, rows, false);
    transformer_after(&m->params, &m->layer[last], &opts, s, y, some, seen, &dropped);
    return y;
}

/* Through the norm, in place; then the tables' and projections' gradients. */
static void embed_backward(const struct model *m, struct scratch *s, const struct packed *p, struct tensor dall,
                           const struct encoder_saved *saved)
{
    const struct params *q = &m->params;
    struct tensor dfeature = { 0 }, dtext = tensor_rows(dall, 0, p->n_text),
                  dimage = tensor_rows(dall, p->n_text, p->n_regions);

    norm_backward(q, m->text_norm, dtext, dtext, saved->text_sum, saved->text_stats);
    if (p->dtext_move.data) op_convert(m->device, p->dtext_move, dtext);
    op_scatter_add_rows(m->device, params_grad(q, m->word), dtext, p->id);
    op_scatter_add_rows(m->device, params_grad(q, m->position), dtext, p->position);
    if (m->role >= 0) op_scatter_add_rows(m->device, params_grad(q, m->role), dtext, p->role);
    if (m->turn >= 0) op_scatter_add_rows(m->device, params_grad(q, m->turn), dtext, p->turn);
    norm_backward(q, m->image_norm, dimage, dimage, saved->image_sum, saved->image_stats);
    op_linear_backward_weight(m->device, params_grad(q, m->location.w), params_grad(q, m->location.b), dimage,
                              p->location);
    if (q->compute != DT_F32) {
        struct tensor half = scratch_2d(s, q->compute, dimage.shape[0], dimage.shape[1]);
        op_convert(m->device, half, dimage);
        dimage = half;
    }
    if (p->dfeature_move.data) dfeature = scratch_2d(s, q->compute, p->n_regions, m->config.features);
    linear_backward(q, m->feature, dfeature, dimage, saved->feature, 0);
    if (p->dfeature_move.data) op_convert(m->device, p->dfeature_move, dfeature);
}

/* What went into layer i: with recompute all of these are kept; else they are the norms' before. */
static struct tensor layer_input(const struct model *m, struct scratch *s, const struct step_opts *o, int i,
                                 const struct transformer_saved *saved)
{
    struct tensor x = saved->x;

    if (o->recompute || i == 0) return x;
    x = scratch_2d(s, x.dtype, x.shape[0], x.shape[1]);
    norm_forward(&m->params, m->layer[i - 1].ffn_norm, x, saved[-1].stats2, saved[-1].sum2, m->config.norm_eps);
    return x;
}

static void layer_backward(const struct model *m, struct scratch *s, const struct packed *p, const struct step_opts *o,
                           int i, struct tensor dy, struct transformer_saved *saved)
{
    struct transformer_opts opts = encoder_opts(m, o, i);
    int64_t mark = scratch_mark(s), n;

    saved->x = layer_input(m, s, o, i, saved);
    if (o->recompute) {
        struct tensor x = saved->x, y = scratch_2d(s, x.dtype, x.shape[0], x.shape[1]);
        transformer_forward(&m->params, &m->layer[i], &opts, s, y, x, p->sequences, saved);
    }
    transformer_backward(&m->params, &m->layer[i], &opts, s, dy, p->sequences, saved);
    scratch_back_to(s, mark);
    if (!o->finished) return;
    int64_t from = transformer_params(&m->params, &m->layer[i], &n);
    o->finished(o->finished_arg, from, n);
}

void encoder_backward(const struct model *m, struct scratch *s, const struct packed *p, const struct step_opts *o,
                      struct tensor dhidden, const struct encoder_saved *saved)
{
    int64_t mark = scratch_mark(s);
    struct tensor dall = scratch_2d(s, DT_F32, p->n_text + p->n_regions, m->config.hidden);

    for (int i = m->config.layers - 1; i >= 0; i--) layer_backward(m, s, p, o, i, dhidden, &saved->layer[i]);
    op_dropout_forward(m->device, dhidden, dhidden, encoder_drop(m, o, SITE_EMBEDDING));
    op_fill(m->device, dall, 0);
    op_scatter_add_rows(m->device, dall, dhidden, p->source);
    embed_backward(m, s, p, dall, saved);
    scratch_back_to(s, mark);
}

void encoder_release(struct encoder_saved *saved)
{
    free(saved->layer);
    saved->layer = NULL;
}
