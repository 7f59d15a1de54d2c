#include "train/trainer.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/signals.h"
#include "train/checkpoint.h"
#include "train/feed.h"
#include "train/journal.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct model *m;
    const struct task *t;
    const struct train_opts *o;
    struct checkpoint at;
    struct feed *feed;
    struct scratch scratch;
    struct tensor square_sum; /* of the gradients */
    struct journal *journal;
    struct progress progress;
    /* since the last line of the log */
    struct losses losses;
    int64_t rows, examples;
    double since, waited, norm;
};

/* ---- one optimizer step ---- */

static const char *broken_loss(const struct losses *l)
{
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (!isfinite(l->sum[i])) return loss_names[i];
    }
    return NULL;
}

/* Names some of the examples of a batch whose loss is not finite. */
static int refuse(const struct run *r, const struct feed_item *x, const char *loss, struct err *e)
{
    struct sampler again = x->before;
    struct str ids = { 0 };
    int n = 0;

    while (memcmp(again.drawn, x->after.drawn, sizeof again.drawn) && n < 8) {
        struct sample s = sampler_next(&again);
        str_addf(&ids, "%s%s", n++ ? " " : "", err_quote(r->t->id(r->t->arg, s.collection, s.example)));
    }
    err_set(e, ERR_INPUT, "step %" PRId64 ": the loss \"%s\" is not finite; records %s%s", r->at.step + 1, loss,
            str_c(&ids), n == 8 ? " ..." : "");
    str_release(&ids);
    return -1;
}

static int micro_step(struct run *r, int64_t micro, struct err *e)
{
    const struct feed_item *x = feed_next(r->feed, &r->waited);
    struct step_opts so = r->t->step;
    struct losses losses = { 0 };

    if (x->rc) {
        *e = x->e;
        return -1;
    }
    so.train = true;
    so.seed = r->o->seed;
    so.number = (uint64_t)(r->at.step * r->o->accumulate + micro);
    so.scale = 1 / (float)r->o->accumulate;
    if (model_step(r->m, &r->scratch, &x->batch, &so, &losses, e)) return -1;
    const char *broken = broken_loss(&losses);
    if (broken) return refuse(r, x, broken, e);
    for (int i = 0; i < LOSS_COUNT; i++) {
        r->losses.sum[i] += losses.sum[i];
        r->losses.n[i] += losses.n[i];
    }
    r->rows += x->batch.n_rows;
    memcpy(r->at.drawn, x->after.drawn, sizeof r->at.drawn);
    return 0;
}

static int step(struct run *r, struct err *e)
{
    const struct train_opts *o = r->o;
    double lr = o->lr * schedule_at(&o->schedule, r->at.step);
    float square_sum;

    for (int64_t k = 0; k < o->accumulate; k++) {
        if (micro_step(r, k, e)) return -1;
    }
    r->at.step++;
    params_step(&r->m->params,
                (struct adamw){ .lr = (float)lr,
                                .beta1 = (float)o->beta1,
                                .beta2 = (float)o->beta2,
                                .eps = (float)o->eps,
                                .step = r->at.step,
                                .max_norm = (float)o->clip,
                                .grad_scale = 1 },
                (float)o->weight_decay, r->square_sum);
    op_download(r->m->device, &square_sum, r->square_sum.data, sizeof square_sum);
    if (device_check(r->m->device, e)) return -1;
    r->norm = sqrt(square_sum);
    if (!isfinite(r->norm)) return err_set(e, ERR_INPUT, "step %" PRId64 ": the gradient is not finite", r->at.step);
    return 0;
}

/* ---- log ---- */

static void note_losses(const struct run *r, char *note, size_t size)
{
    int at = 0;

    note[0] = 0;
    for (int i = 0; i < LOSS_COUNT && at < (int)size - 24; i++) {
        if (r->losses.n[i])
            at += snprintf(note + at, size - (size_t)at, "%s%s %.3f", at ? "  " : "", loss_names[i],
                           r->losses.sum[i] / (double)r->losses.n[i]);
    }
}

static double round_to(double x, double unit)
{
    return round(x / unit) * unit;
}

static void log_losses(struct run *r)
{
    struct value *v = value_object();
    double seconds = clock_seconds() - r->since;

    value_set(v, "step", value_int(r->at.step));
    value_set(v, "lr", value_real(r->o->lr * schedule_at(&r->o->schedule, r->at.step - 1)));
    value_set(v, "loss", value_real(losses_total(&r->losses, r->t->step.weight)));
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (r->losses.n[i]) value_set(v, loss_names[i], value_real(r->losses.sum[i] / (double)r->losses.n[i]));
    }
    value_set(v, "gradient_norm", value_real(r->norm));
    value_set(v, "rows", value_int(r->rows));
    value_set(v, "seconds", value_real(round_to(seconds, 1e-3)));
    value_set(v, "rows_per_second", value_real(round(seconds > 0 ? (double)r->rows / seconds : 0)));
    value_set(v, "wait_share", value_real(round_to(seconds > 0 ? r->waited / seconds : 0, 1e-4)));
    journal_write(r->journal, v);
    value_free(v);
    r->losses = (struct losses){ 0 };
    r->rows = 0;
    r->waited = 0;
    r->since = clock_seconds();
}

/* ---- measurements, checkpoints ---- */

/* Measures; a model better than all before it becomes the published one. */
static int evaluate(struct run *r, struct err *e)
{
    struct value *report = value_object();
    double score = 0;

    value_set(report, "step", value_int(r->at.step));
    int rc = r->t->evaluate(r->t->arg, r->m, &r->scratch, report, &score, e);
    value_set(report, r->t->metric, value_real(score));
    if (!rc) journal_write(r->journal, report);
    if (!rc && (r->at.best_step == 0 || score > r->at.best)) {
        r->at.best = score;
        r->at.best_step = r->at.step;
        rc = checkpoint_publish(r->m, r->o->output, r->o->vocabulary, e);
    }
    value_free(report);
    return rc;
}

static int save(struct run *r, struct err *e)
{
    return checkpoint_save(&r->at, r->m, r->t, r->o->output, r->o->vocabulary, r->o->keep, e);
}

static bool is_time(int64_t step, int64_t every)
{
    return every && step % every == 0;
}

static int loop(struct run *r, struct err *e)
{
    const struct train_opts *o = r->o;
    bool evaluates = r->t->evaluate && o->eval_every;
    int64_t total = o->schedule.total;
    char note[160];

    while (r->at.step < total) {
        if (signals_stop()) {
            if (save(r, e)) return -1;
            return err_set(e, ERR_SAVED,
                           "stopped after step %" PRId64 " of %" PRId64 "; saved, run again with --resume", r->at.step,
                           total);
        }
        if (step(r, e)) return -1;
        note_losses(r, note, sizeof note);
        progress_step(&r->progress, r->at.step, note);
        bool is_last = r->at.step == total;
        if (is_last || is_time(r->at.step, o->log_every)) log_losses(r);
        if (evaluates && (is_last || is_time(r->at.step, o->eval_every)) && evaluate(r, e)) return -1;
        if (!is_last && is_time(r->at.step, o->save_every) && save(r, e)) return -1;
    }
    if (!evaluates && checkpoint_publish(r->m, o->output, o->vocabulary, e)) return -1;
    r->at.is_finished = true;
    return save(r, e);
}

/* ---- beginning and end ---- */

/* A processor that computes is not helped by more readers than one; an accelerator leaves the processors free. */
static int loaders(const struct model *m, const struct train_opts *o)
{
    int free = strcmp(m->device->ops->name, "cuda") ? 1 : pool_cpus() - 1;

    if (o->loaders) return (int)o->loaders;
    return free < 1 ? 1 : free < 8 ? free : 8;
}

/* Where the run begins: at a checkpoint, or at step 0 in a directory without any. */
static int begin(struct run *r, struct err *e)
{
    char *dir = NULL;
    bool found;
    int rc = checkpoint_find(&dir, &found, r->o->output, e);

    if (!rc && found && !r->o->resume)
        rc = err_set(e, ERR_USAGE, "--output: %s has checkpoints of an earlier run (--resume goes on with it)",
                     err_quote(r->o->output));
    if (!rc && found) rc = checkpoint_load(&r->at, r->m, r->t, dir, e);
    free(dir);
    if (rc) return -1;
    if (!found && dir_make(r->o->output, e)) return -1;
    r->at.is_finished = r->at.is_finished && r->at.step >= r->o->schedule.total;
    return 0;
}

int train_run(struct model *m, const struct task *t, const struct train_opts *o, struct err *e)
{
    struct run r = { .m = m, .t = t, .o = o, .at = { .best = -1 }, .square_sum = tensor_1d(NULL, DT_F32, 1) };
    int rc = begin(&r, e);

    if (rc || r.at.is_finished) return rc;
    if (!(r.journal = journal_open(o->log, r.at.step, e))) return -1;
    struct sampler sampler = { .task = t, .seed = o->seed };
    memcpy(sampler.drawn, r.at.drawn, sizeof sampler.drawn);
    scratch_init(&r.scratch, m->device);
    op_allocate(m->device, &r.square_sum.data, sizeof(float));
    r.feed = feed_open(&sampler, &m->config, o->rows, loaders(m, o));
    r.since = clock_seconds();
    progress_begin(&r.progress, "steps", o->schedule.total);
    rc = loop(&r, e);
    progress_end(&r.progress);
    feed_close(r.feed);
    journal_close(r.journal);
    if (r.square_sum.data) op_release(m->device, r.square_sum.data);
    scratch_release(&r.scratch);
    return rc;
}

/* Fills a few batches as the training would: their mean number of rows, and what was drawn for them. */
enum { TRIAL = 8 };
static int trial(struct model *m, const struct task *t, const struct train_opts *o, struct sampler *s, double *rows,
                 struct err *e)
{
    double waited = 0;
    int rc = 0;

    *s = (struct sampler){ .task = t, .seed = o->seed };
    *rows = 0;
    struct feed *f = feed_open(s, &m->config, o->rows, loaders(m, o));
    for (int i = 0; i < TRIAL && !rc; i++) {
        const struct feed_item *x = feed_next(f, &waited);
        rc = x->rc;
        if (rc) *e = x->e;
        *s = x->after;
        *rows += (double)x->batch.n_rows / TRIAL;
    }
    feed_close(f);
    return rc;
}

int train_steps(struct model *m, const struct task *t, const struct train_opts *o, double epochs, int64_t *steps,
                struct err *e)
{
    struct sampler s;
    double rows, examples = 0, drawn = 0;

    if (trial(m, t, o, &s, &rows, e)) return -1;
    for (int i = 0; i < t->n_collections; i++) {
        examples += t->at[i].share > 0 ? (double)t->at[i].n : 0;
        drawn += (double)s.drawn[i] / TRIAL * (double)o->accumulate;
    }
    *steps = (int64_t)ceil(epochs * examples / drawn);
    if (*steps < 1) *steps = 1;
    return 0;
}

int train_plan(struct model *m, const struct task *t, const struct train_opts *o, struct err *e)
{
    struct sampler s;
    double rows, H = m->config.hidden;

    if (trial(m, t, o, &s, &rows, e)) return -1;
    int64_t n = params_count(&m->params), per_param = 16 + (m->params.compute == DT_BF16 ? 2 : 0);
    double per_step = rows * (double)o->accumulate;
    printf("parameters\t%" PRId64 "\n", n);
    printf("parameters, gradients and moments\t%.1f MB\n", (double)(n * per_param) / 1e6);
    printf("steps\t%" PRId64 "\n", o->schedule.total);
    printf("rows per step\t%.0f\n", per_step);
    printf("GFLOP per step in the encoder's products\t%.2f\n",
           per_step * m->config.layers * (8 * H * H + 4 * H * m->config.inner) * 3 / 1e9);
    for (int i = 0; i < t->n_collections; i++) {
        double drawn = (double)s.drawn[i] / TRIAL * (double)o->accumulate;
        printf("%s\t%" PRId64 " records, %.1f drawn per step, %.2f epochs\n", t->at[i].name, t->at[i].n, drawn,
               t->at[i].n ? drawn * (double)o->schedule.total / (double)t->at[i].n : 0);
    }
    return 0;
}
