/* The heads on pooled rows: g = relu(W h + b) of [CLS] and [IMG] rows, then scores of pairs (CMCL, retrieval) and
 * classes of examples. */
#include "model/heads.h"
#include <assert.h>
#include <math.h>

static struct pool pool_forward(const struct head_run *r, struct linear l, struct tensor row)
{
    const struct model *m = r->m;
    int64_t n = row.n, H = m->config.hidden;
    struct pool p = {
        .l = l, .row = row, .x = scratch_2d(r->s, r->hidden.dtype, n, H), .g = scratch_2d(r->s, r->hidden.dtype, n, H)
    };

    op_gather_rows(m->device, p.x, r->hidden, row, false);
    linear_forward(&m->params, l, p.g, p.x, 0);
    op_relu_forward(m->device, p.g, p.g);
    if (r->o->train) {
        p.dg = scratch_2d(r->s, p.g.dtype, n, H);
        op_fill(m->device, p.dg, 0);
    }
    return p;
}

static void pool_backward(const struct head_run *r, const struct pool *p)
{
    const struct model *m = r->m;
    struct tensor dx = scratch_2d(r->s, p->dg.dtype, p->dg.shape[0], p->dg.shape[1]);

    op_relu_backward(m->device, p->dg, p->dg, p->g);
    linear_backward(&m->params, p->l, dx, p->dg, p->x, 0);
    op_scatter_add_rows(m->device, r->dhidden, dx, p->row);
}

/* ---- scores ---- */

/* Either score = w . dropout(text * image) + b, or the cosine of the two. */
struct match {
    struct tensor text, image; /* [n,H] rows of the pools; normalised for the cosine */
    struct tensor text_norm, image_norm;
    struct tensor product, score; /* [n,H], [n,1] F32 */
    struct tensor ones;           /* [1,H]: sums a row */
};

static struct match match_forward(const struct head_run *r, const struct pool *text, const struct pool *image)
{
    const struct model *m = r->m;
    int64_t n = r->p->score_cls.n, H = m->config.hidden;
    enum dtype t = r->hidden.dtype;
    struct match x = { .text = scratch_2d(r->s, t, n, H),
                       .image = scratch_2d(r->s, t, n, H),
                       .text_norm = scratch_1d(r->s, DT_F32, n),
                       .image_norm = scratch_1d(r->s, DT_F32, n),
                       .product = scratch_2d(r->s, t, n, H),
                       .score = scratch_2d(r->s, DT_F32, n, 1),
                       .ones = scratch_2d(r->s, t, 1, H) };

    op_gather_rows(m->device, x.text, text->g, r->p->score_cls, false);
    op_gather_rows(m->device, x.image, image->g, r->p->score_img, false);
    if (m->config.cosine) {
        op_normalize_rows_forward(m->device, x.text, x.text_norm, x.text);
        op_normalize_rows_forward(m->device, x.image, x.image_norm, x.image);
        op_multiply(m->device, x.product, x.text, x.image);
        op_fill(m->device, x.ones, 1);
        op_linear_forward(m->device, x.score, x.product, x.ones, (struct tensor){ 0 }, 0);
    } else {
        op_multiply(m->device, x.product, x.text, x.image);
        op_dropout_forward(m->device, x.product, x.product, encoder_drop(m, r->o, SITE_MATCH));
        linear_forward(&m->params, m->match, x.score, x.product, 0);
    }
    return x;
}

static void match_backward(const struct head_run *r, struct pool *text, struct pool *image, struct match *x,
                           struct tensor dscore)
{
    const struct model *m = r->m;
    int64_t n = dscore.n, H = m->config.hidden;
    enum dtype t = r->hidden.dtype;
    struct tensor dproduct = scratch_2d(r->s, t, n, H), dtext = scratch_2d(r->s, t, n, H),
                  dimage = scratch_2d(r->s, t, n, H);
    struct tensor dy = scratch_2d(r->s, t, n, 1);

    op_convert(m->device, dy, dscore);
    if (m->config.cosine) {
        op_linear_backward_input(m->device, dproduct, dy, x->ones, 0);
    } else {
        linear_backward(&m->params, m->match, dproduct, dy, x->product, 0);
        op_dropout_forward(m->device, dproduct, dproduct, encoder_drop(m, r->o, SITE_MATCH));
    }
    op_multiply(m->device, dtext, dproduct, x->image);
    op_multiply(m->device, dimage, dproduct, x->text);
    if (m->config.cosine) {
        op_normalize_rows_backward(m->device, dtext, dtext, x->text, x->text_norm);
        op_normalize_rows_backward(m->device, dimage, dimage, x->image, x->image_norm);
    }
    op_scatter_add_rows(m->device, text->dg, dtext, r->p->score_cls);
    op_scatter_add_rows(m->device, image->dg, dimage, r->p->score_img);
}

/* A learnt scale stops growing at the hundredfold, as in CLIP (Radford et al. 2021): beyond, the loss is all rounding.
 */
enum { SCALE_MAX = 100 };

/* What scores are multiplied by before the softmax. A learnt one is fetched from the device. In training, it is the
 * parameter that is kept within the bound: with a bound on its use alone it would have no gradient there, and never
 * come back. */
static float inverse_temperature(const struct model *m, bool train)
{
    float tau = m->config.tau, most = logf(SCALE_MAX * tau), s = 0;

    if (m->log_scale < 0) return 1 / tau;
    struct tensor parameter = params_f32(&m->params, m->log_scale);
    op_download(m->device, &s, parameter.data, sizeof s);
    if (s > most && train) op_upload(m->device, parameter.data, &most, sizeof most);
    return expf(s < most ? s : most) / tau;
}

static void contrastive_loss(const struct head_run *r, struct tensor loss, struct tensor dscore, struct tensor score)
{
    const struct model *m = r->m;
    struct tensor dscale = { 0 };
    float scale = inverse_temperature(m, r->o->train);
    bool learns = r->o->train && m->log_scale >= 0;

    if (learns) {
        dscale = scratch_1d(r->s, DT_F32, 1);
        op_fill(m->device, dscale, 0);
    }
    op_group_contrastive(m->device, loss, dscore, dscale, score, r->p->group, r->p->positive, scale,
                         head_scale(r->o, LOSS_CMCL, loss.n));
    if (learns) op_axpy(m->device, params_grad(&m->params, m->log_scale), dscale, scale);
}

static void match_losses(const struct head_run *r, struct pool *text, struct pool *image)
{
    const struct model *m = r->m;
    const struct packed *p = r->p;
    const float *weight = r->o->weight;
    int64_t n = p->group.n - 1;
    bool is_cmcl = weight[LOSS_CMCL] != 0;
    enum loss kind = is_cmcl ? LOSS_CMCL : LOSS_MATCH;

    if (!n || weight[kind] == 0) return;
    assert(!is_cmcl || weight[LOSS_MATCH] == 0);
    struct match x = match_forward(r, text, image);
    struct tensor loss = scratch_1d(r->s, DT_F32, n), dscore = { 0 };
    if (r->o->train) dscore = scratch_2d(r->s, DT_F32, x.score.n, 1);
    if (is_cmcl) contrastive_loss(r, loss, dscore, x.score);
    else
        op_group_circle(m->device, loss, dscore, x.score, p->group, p->positive, r->o->margin, r->o->gamma,
                        head_scale(r->o, kind, n));
    head_sum(r, kind, loss);
    if (r->o->train) match_backward(r, text, image, &x, dscore);
}

/* ---- examples ---- */

static struct dropout labels_drop(const struct head_run *r)
{
    struct dropout d = encoder_drop(r->m, r->o, SITE_LABEL);

    if (r->o->train && r->m->config.label_dropout >= 0) d.p = r->m->config.label_dropout;
    return d;
}

static void fuse(const struct head_run *r, const struct pool *text, const struct pool *image, struct labels *y)
{
    const struct model *m = r->m;
    int64_t n = r->p->example_cls.n, H = m->config.hidden;

    y->x = scratch_2d(r->s, r->hidden.dtype, n, H);
    if (!m->config.label_product) {
        op_gather_rows(m->device, y->x, text->g, r->p->example_cls, false);
        op_gather_rows(m->device, y->x, image->g, r->p->example_img, true);
        return;
    }
    y->text = scratch_2d(r->s, r->hidden.dtype, n, H);
    y->image = scratch_2d(r->s, r->hidden.dtype, n, H);
    op_gather_rows(m->device, y->text, text->g, r->p->example_cls, false);
    op_gather_rows(m->device, y->image, image->g, r->p->example_img, false);
    op_multiply(m->device, y->x, y->text, y->image);
}

static struct labels labels_forward(const struct head_run *r, const struct pool *text, const struct pool *image)
{
    const struct model *m = r->m;
    int64_t n = r->p->example_cls.n;
    enum dtype t = r->hidden.dtype;
    struct labels y = { .logits = scratch_2d(r->s, DT_F32, n, m->config.n_labels) };

    fuse(r, text, image, &y);
    y.last = y.x;
    if (m->label_dense.w >= 0) {
        y.wide = y.last = scratch_2d(r->s, t, n, m->config.label_hidden);
        linear_forward(&m->params, m->label_dense, y.wide, y.x, 0);
        if (m->config.label_relu) {
            op_relu_forward(m->device, y.wide, y.wide);
            y.last = scratch_2d(r->s, t, n, m->config.label_hidden); /* relu's backward needs its output */
        }
    }
    op_dropout_forward(m->device, y.last, y.wide.data ? y.wide : y.x, labels_drop(r));
    linear_forward(&m->params, m->label_out, y.logits, y.last, 0);
    return y;
}

static void labels_backward(const struct head_run *r, struct pool *text, struct pool *image, const struct labels *y,
                            struct tensor dlogits)
{
    const struct model *m = r->m;
    int64_t n = dlogits.shape[0], H = m->config.hidden;
    enum dtype t = r->hidden.dtype;
    struct tensor dx = scratch_2d(r->s, t, n, H), dlast = dx, dother = dx;

    if (m->label_dense.w >= 0) dlast = scratch_2d(r->s, t, n, m->config.label_hidden);
    linear_backward(&m->params, m->label_out, dlast, dlogits, y->last, 0);
    op_dropout_forward(m->device, dlast, dlast, labels_drop(r));
    if (m->label_dense.w >= 0) {
        if (m->config.label_relu) op_relu_backward(m->device, dlast, dlast, y->wide);
        linear_backward(&m->params, m->label_dense, dx, dlast, y->x, 0);
    }
    if (m->config.label_product) {
        dother = scratch_2d(r->s, t, n, H);
        op_multiply(m->device, dother, dx, y->text);
        op_multiply(m->device, dx, dx, y->image);
    }
    op_scatter_add_rows(m->device, text->dg, dx, r->p->example_cls);
    op_scatter_add_rows(m->device, image->dg, dother, r->p->example_img);
}

/* Of logits [n,n_labels]; dlogits: none, or where the gradient goes. */
static void labels_objective(const struct head_run *r, struct tensor loss, struct tensor dlogits, struct tensor logits,
                             float scale)
{
    const struct model *m = r->m;
    struct tensor none = { 0 }, target = r->p->example_target;

    if (m->config.label_regression) op_squared_error(m->device, loss, dlogits, logits, target, scale);
    else if (m->config.label_soft) op_binary_cross_entropy(m->device, loss, dlogits, logits, target, none, scale);
    else op_cross_entropy(m->device, loss, dlogits, logits, r->p->example_label, 0, scale);
}

static void label_loss(const struct head_run *r, struct pool *text, struct pool *image)
{
    const struct model *m = r->m;
    int64_t n = r->p->example_cls.n;
    enum dtype t = r->hidden.dtype;

    if (!n || r->o->weight[LOSS_LABEL] == 0) return;
    struct labels y = labels_forward(r, text, image);
    struct tensor loss = scratch_1d(r->s, DT_F32, n), dlogits = { 0 };
    if (r->o->train) dlogits = t == DT_F32 ? y.logits : scratch_2d(r->s, t, n, m->config.n_labels);
    labels_objective(r, loss, dlogits, y.logits, head_scale(r->o, LOSS_LABEL, n));
    head_sum(r, LOSS_LABEL, loss);
    if (r->o->train) labels_backward(r, text, image, &y, dlogits);
}

void head_labels_forward(const struct head_run *r, struct head_logits *h)
{
    h->text = pool_forward(r, r->m->text_pooler, r->p->cls_row);
    h->image = pool_forward(r, r->m->image_pooler, r->p->img_row);
    h->labels = labels_forward(r, &h->text, &h->image);
    h->logits = h->labels.logits;
}

void head_labels_loss(const struct head_run *r, const struct head_logits *h, struct tensor loss, struct tensor dlogits,
                      float scale)
{
    labels_objective(r, loss, dlogits, h->logits, scale);
}

void head_labels_backward(const struct head_run *r, struct head_logits *h, struct tensor dlogits)
{
    labels_backward(r, &h->text, &h->image, &h->labels, dlogits);
    pool_backward(r, &h->text);
    pool_backward(r, &h->image);
}

void head_pooled(const struct head_run *r)
{
    const struct model *m = r->m;
    int64_t mark = scratch_mark(r->s);

    if (!r->p->cls_row.n && !r->p->img_row.n) return;
    struct pool text = pool_forward(r, m->text_pooler, r->p->cls_row),
                image = pool_forward(r, m->image_pooler, r->p->img_row);
    match_losses(r, &text, &image);
    label_loss(r, &text, &image);
    if (r->o->train) {
        pool_backward(r, &text);
        pool_backward(r, &image);
    }
    scratch_back_to(r->s, mark);
}

void head_pool(const struct head_run *r, struct tensor *texts, struct tensor *images)
{
    struct tensor g[2] = { pool_forward(r, r->m->text_pooler, r->p->cls_row).g,
                           pool_forward(r, r->m->image_pooler, r->p->img_row).g };
    struct tensor *const out[2] = { texts, images };

    for (int i = 0; i < 2; i++) {
        *out[i] = scratch_2d(r->s, DT_F32, g[i].shape[0], g[i].shape[1]);
        op_convert(r->m->device, *out[i], g[i]);
    }
}

void head_predict(const struct head_run *r, struct tensor *scores, struct tensor *log_probs)
{
    struct pool text = pool_forward(r, r->m->text_pooler, r->p->cls_row),
                image = pool_forward(r, r->m->image_pooler, r->p->img_row);

    if (r->p->score_cls.n) *scores = match_forward(r, &text, &image).score;
    if (r->p->example_cls.n && r->m->config.n_labels) {
        struct labels y = labels_forward(r, &text, &image);
        *log_probs = y.logits;
        if (r->m->config.label_regression || r->m->config.label_soft) return;
        *log_probs = scratch_2d(r->s, DT_F32, y.logits.shape[0], y.logits.shape[1]);
        op_log_softmax(r->m->device, *log_probs, y.logits);
    }
}
