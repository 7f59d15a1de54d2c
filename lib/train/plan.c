#include "train/plan.h"
#include "core/log.h"
#include "core/pool.h"
#include "train/feed.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int train_loaders(const struct model *m, const struct train_opts *o)
{
    int free = m->device->is_host ? 1 : pool_cpus() - 1;

    if (o->loaders) return (int)o->loaders;
    return free < 1 ? 1 : free < 8 ? free : 8;
}

enum { TRIES = 12, PEAK_LEAST = 256, PEAK_MOST = 8192 }; /* the best of all tries: other programs may be in the way */

/* FLOP/s of a product of two matrices of n x n. */
static double product_rate(struct device *d, struct scratch *s, enum dtype t, int64_t n)
{
    double best = 0;

    scratch_reset(s);
    struct tensor x = scratch_2d(s, t, n, n), w = scratch_2d(s, t, n, n), y = scratch_2d(s, t, n, n), none = { 0 };
    op_fill(d, x, 0.01f);
    op_fill(d, w, 0.01f);
    for (int i = 0; i < TRIES; i++) {
        op_sync(d);
        double start = clock_seconds();
        op_linear_forward(d, y, x, w, none, LINEAR_PARAM);
        op_sync(d);
        double rate = 2.0 * (double)n * (double)n * (double)n / (clock_seconds() - start);
        if (i && rate > best) best = rate; /* the first makes packed copies */
    }
    op_params_changed(d); /* w is gone */
    return best;
}

double train_peak(const struct model *m)
{
    double best = 0, rate = 0, seconds = 0;
    struct scratch s;

    if (!strcmp(m->device->ops->name, "ref")) return 0;
    scratch_init(&s, m->device);
    for (int64_t n = PEAK_LEAST; n <= PEAK_MOST && seconds < 1e-3; n *= 2) {
        rate = product_rate(m->device, &s, m->params.compute, n);
        seconds = 2.0 * (double)n * (double)n * (double)n / rate;
        if (rate > best) best = rate;
    }
    scratch_release(&s);
    return best;
}

/* A few batches as the training would make them. */
enum { TRIAL = 8 };
struct plan {
    double rows, flops; /* of a batch, the mean */
    double drawn[TASK_COLLECTIONS_MAX];
    double read_rate; /* rows a second that the loaders make */
    double seconds;   /* of a step with such a batch, measured on the last one */
    int64_t memory;   /* that the step needed for itself */
};

/* A step is tried twice, and the second time counts: the first allocates. Nothing is learnt. */
static int time_step(struct model *m, const struct task *t, const struct train_opts *o, const struct batch *b,
                     struct plan *p, struct err *e)
{
    struct step_opts so = t->step;
    struct losses losses = { 0 };
    struct scratch s;
    struct tensor square_sum = tensor_1d(NULL, DT_F32, 1);
    int rc = 0;

    so.train = true;
    so.seed = o->seed;
    so.recompute = o->recompute;
    scratch_init(&s, m->device);
    op_allocate(m->device, &square_sum.data, sizeof(float));
    for (int i = 0; i < 2 && !rc; i++) {
        double start = clock_seconds();
        rc = model_step(m, &s, b, &so, &losses, e);
        if (!rc) params_step(&m->params, (struct adamw){ .step = 1, .eps = 1, .grad_scale = 1 }, 0, square_sum);
        if (!rc) rc = device_check(m->device, e);
        p->seconds = clock_seconds() - start;
    }
    p->memory = s.peak;
    op_release(m->device, square_sum.data);
    scratch_release(&s);
    return rc;
}

static int trial(struct model *m, const struct task *t, const struct train_opts *o, bool times, struct plan *p,
                 struct err *e)
{
    struct sampler s = { .task = t, .seed = o->seed };
    double waited = 0, start = clock_seconds();

    *p = (struct plan){ 0 };
    struct feed *f = feed_open(&s, &m->config, o->rows, train_loaders(m, o), e);
    int rc = f ? 0 : -1;
    for (int i = 0; i < TRIAL && !rc; i++) {
        const struct feed_item *x = feed_next(f, &waited);
        rc = x->rc;
        if (rc) *e = x->e;
        if (rc) break;
        p->rows += (double)x->batch.n_rows / TRIAL;
        p->flops += model_flops(&m->config, &x->batch, t->step.weight) / TRIAL;
        for (int k = 0; k < t->n_collections; k++)
            p->drawn[k] += (double)(x->after.drawn[k] - x->before.drawn[k]) / TRIAL;
        if (i < TRIAL - 1) continue;
        p->read_rate = TRIAL * p->rows / (clock_seconds() - start);
        if (times) rc = time_step(m, t, o, &x->batch, p, e);
        p->seconds *= p->flops / model_flops(&m->config, &x->batch, t->step.weight);
    }
    feed_close(f);
    return rc;
}

int train_steps(struct model *m, const struct task *t, const struct train_opts *o, double epochs, int64_t *steps,
                struct err *e)
{
    struct plan p;
    double examples = 0, drawn = 0;

    if (trial(m, t, o, false, &p, e)) return -1;
    for (int i = 0; i < t->n_collections; i++) {
        examples += t->at[i].share > 0 ? (double)t->at[i].n : 0;
        drawn += p.drawn[i] * (double)o->accumulate * comm_expected();
    }
    *steps = (int64_t)ceil(epochs * examples / drawn);
    if (*steps < 1) *steps = 1;
    return 0;
}

static void print_time(const char *what, double seconds)
{
    if (seconds < 120) printf("%s\t%.3g s\n", what, seconds);
    else if (seconds < 7200) printf("%s\t%.0f min\n", what, seconds / 60);
    else if (seconds < 200000) printf("%s\t%.1f h\n", what, seconds / 3600);
    else printf("%s\t%.1f days\n", what, seconds / 86400);
}

/* A trial is of one rank; a step is of all of them. */
static void print_plan(const struct model *m, const struct task *t, const struct train_opts *o, const struct plan *p,
                       double peak)
{
    int ranks = comm_expected(), parts = o->share_optimizer ? ranks : 1;
    int64_t n = params_count(&m->params);
    double per_param = 8 + 8.0 / parts + (m->params.value16.data ? 2 : 0) + (o->average > 0 ? 4 : 0);
    double own = (double)o->accumulate, batches = own * ranks, steps = (double)o->schedule.total;
    double rate = p->flops / p->seconds;

    printf("parameters\t%" PRId64 "\n", n);
    printf("memory of parameters, gradients, moments and averages\t%.1f MB\n", (double)n * per_param / 1e6);
    printf("memory of a step's activations\t%.1f MB\n", (double)p->memory / 1e6);
    printf("steps\t%" PRId64 "\n", o->schedule.total);
    printf("rows per step\t%.0f\n", p->rows * batches);
    printf("rows in all\t%.4g\n", p->rows * batches * steps);
    printf("GFLOP per step\t%.2f\n", p->flops * batches / 1e9);
    printf("rows per second that are read here\t%.0f\n", p->read_rate);
    printf("rows per second that are trained on here\t%.0f\n", p->rows / p->seconds);
    printf("GFLOP/s here\t%.1f\n", rate / 1e9);
    if (peak > 0) printf("of the matrix products' here\t%.0f %%\n", 100 * rate / peak);
    print_time("time of a step here", p->seconds * own);
    print_time("time in all here", p->seconds * own * steps);
    for (int i = 0; i < t->n_collections; i++) {
        double drawn = p->drawn[i] * batches;
        printf("%s\t%" PRId64 " records, %.1f drawn per step, %.2f epochs\n", t->at[i].name, t->at[i].n, drawn,
               t->at[i].n ? drawn * steps / (double)t->at[i].n : 0);
    }
}

int train_plan(struct model *m, const struct task *t, const struct train_opts *o, struct err *e)
{
    struct plan p;

    if (trial(m, t, o, true, &p, e)) return -1;
    double peak = train_peak(m);
    if (!comm_rank(o->comm)) print_plan(m, t, o, &p, peak);
    return 0;
}
