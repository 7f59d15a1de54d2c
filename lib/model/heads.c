/* The LM head sees only the rows with a target: u = LN(gelu(W h + b)), logits = u E^T + c with the word table E. The
 * region heads are one linear layer each. */
#include "model/heads.h"
#include <assert.h>

float head_scale(const struct step_opts *o, enum loss kind, int64_t n)
{
    int64_t all = o->targets[kind];

    return o->weight[kind] / (float)(all ? all : n);
}

void head_sum(const struct head_run *r, enum loss kind, struct tensor losses)
{
    struct loss_sums *sums = r->sums;

    assert(sums->n < LOSS_SUMS_MAX);
    sums->of[sums->n] = kind;
    op_sum(r->m->device, tensor_rows(sums->slots, sums->n++, 1), losses);
}

/* ---- LM ---- */

static void lm_transform(const struct model *m, struct scratch *s, struct lm_saved *saved)
{
    struct tensor x = saved->x;
    int64_t n = x.shape[0], H = x.shape[1];

    saved->wide = scratch_2d(s, x.dtype, n, H);
    saved->act = scratch_2d(s, x.dtype, n, H);
    saved->stats = scratch_2d(s, DT_F32, n, 2);
    saved->u = scratch_2d(s, x.dtype, n, H);
    linear_forward(&m->params, m->lm_dense, saved->wide, x, 0);
    op_gelu_forward(m->device, saved->act, saved->wide);
    norm_forward(&m->params, m->lm_norm, saved->u, saved->stats, saved->act, m->config.norm_eps);
}

static void lm_output(const struct model *m, struct tensor logits, struct tensor u, struct tensor bias)
{
    op_linear_forward(m->device, logits, u, params_weight(&m->params, m->word), bias, LINEAR_PARAM);
}

struct tensor head_lm_transform(const struct model *m, struct scratch *s, struct tensor x)
{
    struct lm_saved saved = { .x = x };

    lm_transform(m, s, &saved);
    return saved.u;
}

void head_lm_logits(const struct model *m, struct tensor logits, struct tensor u, int64_t from, struct tensor bias)
{
    int64_t n = logits.shape[1];

    if (!bias.data) bias = params_f32(&m->params, m->lm_bias);
    op_linear_forward(m->device, logits, u, tensor_rows(params_weight(&m->params, m->word), from, n),
                      tensor_rows(bias, from, n), LINEAR_PARAM);
}

/* dlogits [n,V] to the gradient of the rows: du in place of saved->x's copy. */
static struct tensor lm_backward(const struct model *m, struct scratch *s, struct tensor dlogits,
                                 const struct lm_saved *saved)
{
    const struct params *p = &m->params;
    struct tensor du = scratch_2d(s, saved->u.dtype, saved->u.shape[0], saved->u.shape[1]),
                  dx = scratch_2d(s, du.dtype, du.shape[0], du.shape[1]);

    op_linear_backward_weight(m->device, params_grad(p, m->word), params_grad(p, m->lm_bias), dlogits, saved->u);
    op_linear_backward_input(m->device, du, dlogits, params_weight(p, m->word), LINEAR_PARAM);
    norm_backward(p, m->lm_norm, du, du, saved->act, saved->stats);
    op_gelu_backward(m->device, du, (struct tensor){ 0 }, du, saved->wide);
    linear_backward(p, m->lm_dense, dx, du, saved->x, 0);
    return dx;
}

/* Rows whose logits are computed, made into gradients and forgotten at a time: 128 MiB of them. Smaller tiles, that
 * stay in the processor's cache, would win at most what the loss takes outside of products (0.2 % of a step of base),
 * and the word table's gradient is read and written once a tile. That, and products of few rows, a GPU would wait for:
 * 1 GiB there, and in BF16 as much again for the gradients and the copy of them that products take. */
static int64_t lm_chunk(const struct model *m)
{
    int64_t n = ((int64_t)1 << (m->device->is_host ? 25 : 28)) / m->config.vocab;

    return n < 1 ? 1 : n;
}

static void lm_rows(const struct head_run *r, enum loss kind, struct tensor row, struct tensor label, float scale)
{
    const struct model *m = r->m;
    int64_t n = row.n, H = m->config.hidden, V = m->config.vocab, mark = scratch_mark(r->s);
    enum dtype t = r->hidden.dtype;
    struct lm_saved saved = { .x = scratch_2d(r->s, t, n, H) };
    struct tensor logits = scratch_2d(r->s, DT_F32, n, V), loss = scratch_1d(r->s, DT_F32, n), dlogits = { 0 };

    if (r->o->train) dlogits = t == DT_F32 ? logits : scratch_2d(r->s, t, n, V);
    op_gather_rows(m->device, saved.x, r->hidden, row, false);
    lm_transform(m, r->s, &saved);
    lm_output(m, logits, saved.u, params_f32(&m->params, m->lm_bias));
    op_cross_entropy(m->device, loss, dlogits, logits, label, kind == LOSS_SEQ2SEQ ? r->o->smoothing : 0, scale);
    head_sum(r, kind, loss);
    if (r->o->train) op_scatter_add_rows(m->device, r->dhidden, lm_backward(m, r->s, dlogits, &saved), row);
    scratch_back_to(r->s, mark);
}

void head_lm(const struct head_run *r, int kind)
{
    enum loss loss = kind == BATCH_MLM ? LOSS_MLM : LOSS_SEQ2SEQ;
    struct tensor row = r->p->lm_row[kind], label = r->p->lm_label[kind];
    int64_t n = row.n, chunk = lm_chunk(r->m);

    if (chunk * LM_PARTS_MAX < n) chunk = (n + LM_PARTS_MAX - 1) / LM_PARTS_MAX; /* the sums have room */
    for (int64_t from = 0; from < n; from += chunk) {
        int64_t part = n - from < chunk ? n - from : chunk;
        lm_rows(r, loss, tensor_rows(row, from, part), tensor_rows(label, from, part), head_scale(r->o, loss, n));
    }
}

/* ---- in three steps ---- */

static void lm_forward(const struct head_run *r, struct head_logits *h)
{
    const struct model *m = r->m;
    struct tensor row = r->p->lm_row[BATCH_SEQ2SEQ];

    h->lm.x = scratch_2d(r->s, r->hidden.dtype, row.n, m->config.hidden);
    h->logits = scratch_2d(r->s, DT_F32, row.n, m->config.vocab);
    op_gather_rows(m->device, h->lm.x, r->hidden, row, false);
    lm_transform(m, r->s, &h->lm);
    lm_output(m, h->logits, h->lm.u, params_f32(&m->params, m->lm_bias));
}

static void lm_rows_backward(const struct head_run *r, struct head_logits *h, struct tensor dlogits)
{
    op_scatter_add_rows(r->m->device, r->dhidden, lm_backward(r->m, r->s, dlogits, &h->lm),
                        r->p->lm_row[BATCH_SEQ2SEQ]);
}

void head_logits_forward(const struct head_run *r, enum loss kind, struct head_logits *h)
{
    *h = (struct head_logits){ .kind = kind };
    if (kind == LOSS_LABEL) head_labels_forward(r, h);
    else lm_forward(r, h);
}

void head_logits_loss(const struct head_run *r, const struct head_logits *h, struct tensor loss, struct tensor dlogits,
                      float scale)
{
    if (h->kind == LOSS_LABEL) head_labels_loss(r, h, loss, dlogits, scale);
    else
        op_cross_entropy(r->m->device, loss, dlogits, h->logits, r->p->lm_label[BATCH_SEQ2SEQ], r->o->smoothing, scale);
}

void head_logits_backward(const struct head_run *r, struct head_logits *h, struct tensor dlogits)
{
    struct tensor d = dlogits;

    if (r->hidden.dtype != DT_F32) {
        d = scratch_2d(r->s, r->hidden.dtype, dlogits.shape[0], dlogits.shape[1]);
        op_convert(r->m->device, d, dlogits);
    }
    if (h->kind == LOSS_LABEL) head_labels_backward(r, h, d);
    else lm_rows_backward(r, h, d);
}

/* ---- regions ---- */

typedef void region_loss(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                         float scale);

static void region_head(const struct head_run *r, enum loss kind, struct linear l, struct tensor row,
                        struct tensor target, region_loss *f, float scale)
{
    const struct model *m = r->m;
    int64_t n = row.n, H = m->config.hidden, K = target.shape[1], mark = scratch_mark(r->s);
    enum dtype t = r->hidden.dtype;
    struct tensor x = scratch_2d(r->s, t, n, H), y = scratch_2d(r->s, DT_F32, n, K), loss = scratch_1d(r->s, DT_F32, n),
                  dy = { 0 };

    if (r->o->train) dy = t == DT_F32 ? y : scratch_2d(r->s, t, n, K);
    op_gather_rows(m->device, x, r->hidden, row, false);
    linear_forward(&m->params, l, y, x, 0);
    f(m->device, loss, dy, y, target, scale);
    head_sum(r, kind, loss);
    if (r->o->train) {
        struct tensor dx = scratch_2d(r->s, t, n, H);
        linear_backward(&m->params, l, dx, dy, x, 0);
        op_scatter_add_rows(m->device, r->dhidden, dx, row);
    }
    scratch_back_to(r->s, mark);
}

void head_regions(const struct head_run *r)
{
    const struct packed *p = r->p;
    int64_t F = r->m->config.features;

    if (r->o->weight[LOSS_MRC] != 0 && p->probs_row.n)
        region_head(r, LOSS_MRC, r->m->mrc, p->probs_row, p->probs, op_soft_cross_entropy,
                    head_scale(r->o, LOSS_MRC, p->probs_row.n));
    if (r->o->weight[LOSS_MRFR] != 0 && p->masked_row.n)
        region_head(r, LOSS_MRFR, r->m->mrfr, p->masked_row, p->masked_feature, op_squared_error,
                    head_scale(r->o, LOSS_MRFR, p->masked_row.n) / (float)F);
}
