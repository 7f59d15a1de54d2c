#include "model/adversarial.h"
#include "core/mem.h"
#include "core/rng.h"
#include "model/heads.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

void adversarial_move(float *delta, const float *grad, int64_t n, float lr, float max_norm)
{
    double square = 0, length = 0;

    for (int64_t i = 0; i < n; i++) square += (double)grad[i] * (double)grad[i];
    double scale = lr / fmax(sqrt(square), 1e-8);
    for (int64_t i = 0; i < n; i++) {
        delta[i] = (float)((double)delta[i] + scale * (double)grad[i]);
        length += (double)delta[i] * (double)delta[i];
    }
    length = sqrt(length);
    for (int64_t i = 0; max_norm > 0 && length > max_norm && i < n; i++)
        delta[i] = (float)((double)delta[i] * max_norm / length);
}

/* The moves of all texts, or of all images: on the host, as their lengths are of uneven groups of rows. */
struct moves {
    int64_t rows, width, n; /* n: groups */
    int64_t *start, *end;   /* [n] rows of each group */
    float *delta, *grad;    /* [rows, width] on the host */
    struct tensor device, dgrad;
};

static void moves_new(struct moves *x, struct scratch *s, int64_t rows, int64_t width, int64_t groups)
{
    *x = (struct moves){ .rows = rows,
                         .width = width,
                         .start = mem_new(int64_t, groups + 1),
                         .end = mem_new(int64_t, groups + 1),
                         .delta = mem_new(float, rows *width + 1),
                         .grad = mem_new(float, rows *width + 1),
                         .device = scratch_2d(s, DT_F32, rows, width),
                         .dgrad = scratch_2d(s, DT_F32, rows, width) };
}

static void moves_free(struct moves *x)
{
    free(x->start);
    free(x->end);
    free(x->delta);
    free(x->grad);
}

static void add_group(struct moves *x, int64_t from, int64_t to)
{
    if (to <= from) return;
    x->start[x->n] = from;
    x->end[x->n++] = to;
}

/* Of each sequence the text that is written, or all of its text when none is. */
static void group_texts(struct moves *x, const struct batch *b)
{
    for (int64_t s = 0; s < b->n_sequences; s++) {
        int64_t first = b->start[s], end = b->start[s + 1];
        while (first < end && b->source[first] < 0) first++;
        if (b->start[s] + b->prefix[s] < end && first < b->start[s] + b->prefix[s]) first = b->start[s] + b->prefix[s];
        if (first < end) add_group(x, b->source[first], b->source[end - 1] + 1);
    }
}

static void group_images(struct moves *x, const struct batch *b)
{
    for (int64_t i = 0; i < b->n_images; i++) add_group(x, b->image[i], b->image[i + 1]);
}

enum { RNG_TEXT_MOVES = 0x61647673, RNG_IMAGE_MOVES };

/* which: RNG_TEXT_MOVES or RNG_IMAGE_MOVES. */
static void begin_moves(struct moves *x, const struct step_opts *o, uint64_t which)
{
    struct rng r;

    rng_init(&r, o->seed, rng_stream(which, o->number, 0));
    for (int64_t g = 0; g < x->n; g++) {
        int64_t n = (x->end[g] - x->start[g]) * x->width;
        float *at = x->delta + x->start[g] * x->width;
        double bound = o->adversary->init / sqrt((double)n);
        for (int64_t i = 0; i < n; i++) at[i] = (float)((2 * rng_uniform(&r) - 1) * bound);
    }
}

static void make_moves(struct moves *x, struct device *d, const struct adversary *a)
{
    op_download(d, x->grad, x->dgrad.data, tensor_bytes(x->dgrad));
    for (int64_t g = 0; g < x->n; g++)
        adversarial_move(x->delta + x->start[g] * x->width, x->grad + x->start[g] * x->width,
                         (x->end[g] - x->start[g]) * x->width, a->lr, a->max_norm);
}

/* ---- passes ---- */

struct game {
    struct model *m;
    struct scratch *s;
    const struct step_opts *o;
    enum loss kind;
    int64_t n;   /* targets here */
    float scale; /* of the mean over all targets */
    struct loss_sums *sums;
    struct packed p;
    struct head_logits clean;
    struct tensor dclean; /* F32, like the logits */
};

static struct tensor zeros_like(struct game *g, struct tensor x)
{
    struct tensor y = scratch_2d(g->s, x.dtype, x.shape[0], x.shape[1]);

    op_fill(g->m->device, y, 0);
    return y;
}

static void note(struct game *g, const struct head_run *r, struct tensor loss, float share)
{
    op_scale(g->m->device, loss, share);
    head_sum(r, g->kind, loss);
}

/* A pass with one side moved: its part of the objective, its gradients, and the gradient of the move. */
static void moved_pass(struct game *g, struct moves *x, bool is_text)
{
    const struct adversary *a = g->o->adversary;
    struct device *d = g->m->device;
    int64_t mark = scratch_mark(g->s);
    struct packed p = g->p;
    struct step_opts o = *g->o;
    struct encoder_saved saved = { 0 };
    struct head_logits h;

    o.finished = NULL;
    op_upload(d, x->device.data, x->delta, tensor_bytes(x->device));
    *(is_text ? &p.text_move : &p.feature_move) = x->device;
    *(is_text ? &p.dtext_move : &p.dfeature_move) = x->dgrad;
    struct head_run r = { .m = g->m, .s = g->s, .p = &p, .o = &o, .sums = g->sums };
    r.hidden = encoder_forward(g->m, g->s, &p, &o, &saved);
    r.dhidden = zeros_like(g, r.hidden);
    head_logits_forward(&r, g->kind, &h);
    struct tensor dlogits = zeros_like(g, h.logits), loss = scratch_1d(g->s, DT_F32, g->n),
                  kl = scratch_1d(g->s, DT_F32, g->n);
    head_logits_loss(&r, &h, loss, dlogits, g->scale / (float)a->steps);
    note(g, &r, loss, 1 / (float)a->steps);
    op_symmetric_kl(d, kl, g->dclean, dlogits, g->clean.logits, h.logits, a->kl * g->scale);
    note(g, &r, kl, a->kl);
    head_logits_backward(&r, &h, dlogits);
    encoder_backward(g->m, g->s, &p, &o, r.dhidden, &saved);
    encoder_release(&saved);
    make_moves(x, d, a);
    scratch_back_to(g->s, mark);
}

/* The clean pass around all the others: forward first, backward when its gradient is complete. */
static void play(struct game *g, struct moves *text, struct moves *image)
{
    struct encoder_saved saved = { 0 };
    struct head_run r = { .m = g->m, .s = g->s, .p = &g->p, .o = g->o, .sums = g->sums };

    r.hidden = encoder_forward(g->m, g->s, &g->p, g->o, &saved);
    r.dhidden = zeros_like(g, r.hidden);
    head_logits_forward(&r, g->kind, &g->clean);
    g->dclean = zeros_like(g, g->clean.logits);
    struct tensor loss = scratch_1d(g->s, DT_F32, g->n);
    head_logits_loss(&r, &g->clean, loss, g->dclean, g->scale);
    note(g, &r, loss, 1);
    for (int i = 0; i < g->o->adversary->steps; i++) {
        if (text->n) moved_pass(g, text, true);
        if (image->n) moved_pass(g, image, false);
    }
    head_logits_backward(&r, &g->clean, g->dclean);
    encoder_backward(g->m, g->s, &g->p, g->o, r.dhidden, &saved);
    encoder_release(&saved);
}

void adversarial_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o,
                      struct loss_sums *sums)
{
    struct game g = { .m = m, .s = s, .o = o, .sums = sums };
    struct moves text, image;
    const int64_t *n = sums->targets;

    for (int i = 0; i < LOSS_COUNT; i++) {
        assert(!n[i] || i == LOSS_LABEL || i == LOSS_SEQ2SEQ);
        if (n[i]) g.kind = (enum loss)i;
    }
    assert(!n[LOSS_LABEL] || !n[LOSS_SEQ2SEQ]);
    assert(o->adversary->steps >= 1 && o->adversary->steps <= ADVERSARY_STEPS_MAX);
    g.n = n[g.kind];
    if (!g.n) return;
    packed_upload(&g.p, s, b);
    g.scale = head_scale(o, g.kind, g.n);
    moves_new(&text, s, b->n_text, m->config.hidden, b->n_sequences);
    moves_new(&image, s, b->n_regions, m->config.features, b->n_images);
    group_texts(&text, b);
    group_images(&image, b);
    begin_moves(&text, o, RNG_TEXT_MOVES);
    begin_moves(&image, o, RNG_IMAGE_MOVES);
    play(&g, &text, &image);
    moves_free(&text);
    moves_free(&image);
}
