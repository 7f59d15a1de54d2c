#include "core/mem.h"
#include "model/adversarial.h"
#include "model/heads.h"
#include <assert.h>
#include <stdlib.h>

const char *const loss_names[LOSS_COUNT] = { "mlm", "seq2seq", "mrc", "mrfr", "cmcl", "match", "label" };

void model_targets(const struct batch *b, const float weight[LOSS_COUNT], int64_t n[LOSS_COUNT])
{
    const int64_t count[LOSS_COUNT] = {
        b->lm[BATCH_MLM].n, b->lm[BATCH_SEQ2SEQ].n, b->n_probs, b->n_masked, b->n_groups, b->n_groups, b->n_examples
    };

    for (int i = 0; i < LOSS_COUNT; i++) n[i] = weight[i] != 0 ? count[i] : 0;
}

static void check_heads(const struct model *m, const int64_t n[LOSS_COUNT])
{
    assert((!n[LOSS_MRC] || m->mrc.w >= 0) && (!n[LOSS_MRFR] || m->mrfr.w >= 0) &&
           (!n[LOSS_LABEL] || m->label_out.w >= 0));
    assert((!n[LOSS_CMCL] && !n[LOSS_MATCH]) || m->match.w >= 0 || m->config.cosine);
}

static void run_heads(const struct head_run *r, const int64_t n[LOSS_COUNT])
{
    if (n[LOSS_MLM]) head_lm(r, BATCH_MLM);
    if (n[LOSS_SEQ2SEQ]) head_lm(r, BATCH_SEQ2SEQ);
    if (n[LOSS_MRC] || n[LOSS_MRFR]) head_regions(r);
    if (n[LOSS_CMCL] || n[LOSS_MATCH] || n[LOSS_LABEL]) head_pooled(r);
}

void model_losses(const struct model *m, const struct loss_sums *sums, const float slots[], struct losses *out)
{
    for (int i = 0; i < sums->n; i++)
        out->sum[sums->of[i]] += sums->of[i] == LOSS_MRFR ? (double)slots[i] / m->config.features : (double)slots[i];
    for (int i = 0; i < LOSS_COUNT; i++) out->n[i] += sums->targets[i];
}

static void begin(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o,
                  struct loss_sums *sums)
{
    struct packed p;
    struct encoder_saved saved = { 0 };

    check_heads(m, sums->targets);
    packed_upload(&p, s, b);
    struct head_run r = { .m = m, .s = s, .p = &p, .o = o, .sums = sums };
    r.hidden = encoder_forward(m, s, &p, o, o->train ? &saved : NULL);
    if (o->train) {
        r.dhidden = scratch_2d(s, r.hidden.dtype, r.hidden.shape[0], r.hidden.shape[1]);
        op_fill(m->device, r.dhidden, 0);
    }
    run_heads(&r, sums->targets);
    if (o->train) encoder_backward(m, s, &p, o, r.dhidden, &saved);
    encoder_release(&saved);
}

void model_begin_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o,
                      struct loss_sums *sums)
{
    sums->n = 0;
    model_targets(b, o->weight, sums->targets);
    scratch_reset(s);
    if (o->train && o->adversary) adversarial_step(m, s, b, o, sums);
    else begin(m, s, b, o, sums);
}

int model_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o, struct losses *out,
               struct err *e)
{
    struct loss_sums sums = { .slots = tensor_1d(NULL, DT_F32, LOSS_SUMS_MAX) };
    float slots[LOSS_SUMS_MAX];

    op_allocate(m->device, &sums.slots.data, sizeof slots);
    model_begin_step(m, s, b, o, &sums);
    op_download(m->device, slots, sums.slots.data, sums.n * (int64_t)sizeof *slots);
    if (sums.slots.data) op_release(m->device, sums.slots.data);
    if (device_check(m->device, e)) return -1;
    model_losses(m, &sums, slots, out);
    return 0;
}

double losses_total(const struct losses *l, const float weight[LOSS_COUNT])
{
    double total = 0;

    for (int i = 0; i < LOSS_COUNT; i++) {
        if (l->n[i]) total += (double)weight[i] * l->sum[i] / (double)l->n[i];
    }
    return total;
}

/* Encodes a batch of which only pooled rows are wanted; p and r are made for its heads. */
static void encode_pooled(struct model *m, struct scratch *s, const struct batch *b, struct packed *p,
                          struct head_run *r)
{
    int64_t n = b->n_cls + b->n_img;
    int32_t *all = mem_new(int32_t, 2 * n + 1);

    for (int64_t i = 0; i < n; i++) {
        all[i] = i < b->n_cls ? b->cls_row[i] : b->img_row[i - b->n_cls];
        all[n + i] = (int32_t)i;
    }
    packed_upload(p, s, b);
    struct tensor rows = scratch_upload(s, tensor_1d(all, DT_I32, 2 * n));
    free(all);
    *r = (struct head_run){ .m = m, .s = s, .p = p, .o = &encoder_no_training };
    r->hidden = encoder_forward_rows(m, s, p, tensor_rows(rows, 0, n));
    p->cls_row = tensor_rows(rows, n, b->n_cls);
    p->img_row = tensor_rows(rows, n + b->n_cls, b->n_img);
}

int model_predict(struct model *m, struct scratch *s, const struct batch *b, float *scores, float *log_probs,
                  struct err *e)
{
    struct packed p;
    struct head_run r;
    struct tensor score = { 0 }, log_prob = { 0 };

    scratch_reset(s);
    encode_pooled(m, s, b, &p, &r);
    head_predict(&r, &score, &log_prob);
    if (scores && score.n) op_download(m->device, scores, score.data, tensor_bytes(score));
    if (log_probs && log_prob.n) op_download(m->device, log_probs, log_prob.data, tensor_bytes(log_prob));
    return device_check(m->device, e);
}

int model_pool(struct model *m, struct scratch *s, const struct batch *b, float *texts, float *images, struct err *e)
{
    struct packed p;
    struct head_run r;
    struct tensor text, image;

    scratch_reset(s);
    encode_pooled(m, s, b, &p, &r);
    head_pool(&r, &text, &image);
    if (texts && text.n) op_download(m->device, texts, text.data, tensor_bytes(text));
    if (images && image.n) op_download(m->device, images, image.data, tensor_bytes(image));
    return device_check(m->device, e);
}

int model_hidden(struct model *m, struct scratch *s, const struct batch *b, float *hidden, struct err *e)
{
    struct packed p;

    scratch_reset(s);
    packed_upload(&p, s, b);
    struct tensor x = encoder_forward(m, s, &p, &encoder_no_training, NULL),
                  y = scratch_2d(s, DT_F32, x.shape[0], x.shape[1]);
    op_convert(m->device, y, x);
    op_download(m->device, hidden, y.data, tensor_bytes(y));
    return device_check(m->device, e);
}
