#include "train/trainer.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/signals.h"
#include "train/checkpoint.h"
#include "train/feed.h"
#include "train/journal.h"
#include "train/plan.h"
#include "train/share.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct model *m;
    const struct task *t;
    const struct train_opts *o;
    struct comm *comm;
    struct checkpoint at;
    int64_t n_own, first;          /* streams of this rank: o->accumulate of them, from this one on */
    struct feed **feed;            /* [n_own] */
    const struct feed_item **item; /* [n_own] the micro-batches of the step */
    struct scratch scratch;
    struct loss_sums *batch; /* [n_own] of the micro-batches */
    struct tensor sums;      /* what a step tells: their slots, and the sum of the gradient's squares */
    float *fetched;          /* the same on the host */
    int lock;                /* of the output; -1: nothing was written yet */
    struct journal *journal;
    struct progress progress;
    bool is_stopping; /* some rank was told to */
    int64_t saved;    /* the step of the newest checkpoint; -1: none */
    /* since the last line of the log */
    struct losses losses;
    int64_t rows;
    double flops, since, waited, norm, peak;
};

static bool is_first_rank(const struct run *r)
{
    return comm_rank(r->comm) == 0;
}

static bool shares(const struct run *r)
{
    return r->comm && r->o->share_optimizer;
}

/* ---- one optimizer step ---- */

static const char *broken_loss(const struct losses *l)
{
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (!isfinite(l->sum[i])) return loss_names[i];
    }
    return NULL;
}

enum { NAMED = 8 }; /* examples, at most, of a micro-batch that went wrong */

static void name_examples(const struct run *r, const struct feed_item *x, struct str *ids)
{
    struct sampler again = x->before;
    int n = 0;

    while (memcmp(again.drawn, x->after.drawn, sizeof again.drawn) && n < NAMED) {
        struct sample s = sampler_next(&again);
        str_addf(ids, "%s%s", n++ ? " " : "", err_quote(r->t->id(r->t->arg, s.collection, s.example)));
    }
    if (n == NAMED) str_add(ids, " ...");
}

/* Names some of the examples of a micro-batch with a loss that is not finite. */
static int refuse_loss(const struct run *r, const struct feed_item *x, const char *loss, struct err *e)
{
    struct str ids = { 0 };

    name_examples(r, x, &ids);
    err_set(e, ERR_INPUT, "step %" PRId64 ": the loss \"%s\" is not finite; records %s", r->at.step, loss, str_c(&ids));
    str_release(&ids);
    return -1;
}

/* All losses were finite, but what they add up to backwards is not. */
static int refuse_gradient(const struct run *r, const struct step_opts *so, struct err *e)
{
    struct str ids = { 0 }, losses = { 0 };

    for (int i = 0; i < LOSS_COUNT; i++) {
        if (so->targets[i]) str_addf(&losses, " %s", loss_names[i]);
    }
    for (int64_t k = 0; k < r->n_own; k++) {
        if (k) str_add(&ids, "; ");
        name_examples(r, r->item[k], &ids);
    }
    err_set(e, ERR_INPUT, "step %" PRId64 ": the gradient of%s is not finite; records %s", r->at.step, str_c(&losses),
            str_c(&ids));
    str_release(&ids);
    str_release(&losses);
    return -1;
}

/* The step's micro-batches, and how many targets there are in those of all ranks. */
static int fetch(struct run *r, struct step_opts *so, struct err *e)
{
    int64_t sum[LOSS_COUNT + 1] = { 0 };

    for (int64_t k = 0; k < r->n_own; k++) {
        int64_t n[LOSS_COUNT];
        const struct feed_item *x = r->item[k] = feed_next(r->feed[k], &r->waited);
        if (x->rc) {
            *e = x->e;
            return -1;
        }
        model_targets(&x->batch, so->weight, n);
        for (int i = 0; i < LOSS_COUNT; i++) sum[i] += n[i];
    }
    sum[LOSS_COUNT] = signals_stop() != 0;
    comm_sum_int(r->comm, sum, LOSS_COUNT + 1);
    memcpy(so->targets, sum, sizeof so->targets);
    r->is_stopping = sum[LOSS_COUNT] > 0;
    return 0;
}

/* A part of the gradients that is complete on this rank. */
static void sum_part(void *arg, int64_t from, int64_t n)
{
    struct run *r = arg;
    struct tensor grad = r->m->params.grad;

    comm_begin_sum(r->comm, tensor_1d((float *)grad.data + from, DT_F32, n));
}

static void micro_step(struct run *r, int64_t k, struct step_opts *so)
{
    const struct feed_item *x = r->item[k];

    so->number = (uint64_t)(r->at.step * r->at.streams + r->first + k);
    so->finished = k == r->n_own - 1 && r->comm ? sum_part : NULL;
    model_begin_step(r->m, &r->scratch, &x->batch, so, &r->batch[k]);
    r->rows += x->batch.n_rows;
    r->flops += model_flops(&r->m->config, &x->batch, so->weight);
    memcpy(r->at.drawn[r->first + k], x->after.drawn, sizeof *r->at.drawn);
}

/* The one wait of a step: for its losses and the norm of its gradient. */
static int fetch_sums(struct run *r, const struct step_opts *so, struct err *e)
{
    op_download(r->m->device, r->fetched, r->sums.data, tensor_bytes(r->sums));
    if (device_check(r->m->device, e)) return -1;
    for (int64_t k = 0; k < r->n_own; k++) {
        struct losses losses = { 0 };
        model_losses(r->m, &r->batch[k], r->fetched + k * LOSS_SUMS_MAX, &losses);
        const char *broken = broken_loss(&losses);
        if (broken) return refuse_loss(r, r->item[k], broken, e);
        for (int i = 0; i < LOSS_COUNT; i++) {
            r->losses.sum[i] += losses.sum[i];
            r->losses.n[i] += losses.n[i];
        }
    }
    r->norm = sqrt(r->fetched[r->n_own * LOSS_SUMS_MAX]);
    return isfinite(r->norm) ? 0 : refuse_gradient(r, so, e);
}

/* What the layers' backward passes did not announce: the parameters before the first layer and after the last. */
static void sum_rest(struct run *r)
{
    const struct params *p = &r->m->params;
    int layers = r->m->config.layers;
    int64_t n = 0, from = 0, end = 0;

    if (!r->comm) return;
    if (layers) {
        from = transformer_params(p, &r->m->layer[0], &n);
        end = transformer_params(p, &r->m->layer[layers - 1], &n) + n;
    }
    sum_part(r, 0, from);
    sum_part(r, end, p->total - end);
    comm_wait(r->comm);
}

static int begin_output(struct run *r, struct err *e)
{
    if (is_first_rank(r) && r->lock < 0) r->lock = checkpoint_begin(r->o->output, e);
    return is_first_rank(r) && r->lock < 0 ? -1 : 0;
}

/* Nothing is made, and no earlier log is cut, before there are examples to learn from. */
static int begin_writing(struct run *r, struct err *e)
{
    bool is_first = is_first_rank(r);

    if (r->journal) return 0;
    if (begin_output(r, e)) return -1;
    r->journal = journal_open(is_first ? r->o->log : NULL, r->at.step, e);
    return r->journal ? 0 : -1;
}

static int step(struct run *r, struct err *e)
{
    const struct train_opts *o = r->o;
    struct step_opts so = r->t->step;
    double lr = o->lr * schedule_at(&o->schedule, r->at.step);

    so.train = true;
    so.seed = o->seed;
    so.recompute = o->recompute;
    so.finished_arg = r;
    if (fetch(r, &so, e) || begin_writing(r, e)) return -1;
    for (int64_t k = 0; k < r->n_own; k++) micro_step(r, k, &so);
    sum_rest(r);
    r->at.step++;
    params_step(&r->m->params,
                (struct adamw){ .lr = (float)lr,
                                .beta1 = (float)o->beta1,
                                .beta2 = (float)o->beta2,
                                .eps = (float)o->eps,
                                .step = r->at.step,
                                .max_norm = (float)o->clip,
                                .grad_scale = 1 },
                (float)o->weight_decay, tensor_rows(r->sums, r->n_own * LOSS_SUMS_MAX, 1));
    if (shares(r)) share_values(&r->m->params, r->comm);
    if (o->average > 0) params_average(&r->m->params, (float)o->average);
    return fetch_sums(r, &so, e);
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

static double round_to(double x, double per_unit)
{
    return round(x * per_unit) / per_unit;
}

/* Sums over all ranks of what was counted since the last line. */
static void join_counts(struct run *r)
{
    double x[2 * LOSS_COUNT + 3], *at = x;

    for (int i = 0; i < LOSS_COUNT; i++) *at++ = r->losses.sum[i], *at++ = (double)r->losses.n[i];
    *at++ = (double)r->rows;
    *at++ = r->flops;
    *at = r->waited;
    comm_sum_double(r->comm, x, sizeof x / sizeof *x);
    at = x;
    for (int i = 0; i < LOSS_COUNT; i++) r->losses.sum[i] = *at++, r->losses.n[i] = (int64_t)*at++;
    r->rows = (int64_t)*at++;
    r->flops = *at++;
    r->waited = *at / comm_ranks(r->comm);
}

static void log_losses(struct run *r)
{
    struct value *v = value_object();
    double seconds = clock_seconds() - r->since, summing, waiting;

    join_counts(r);
    value_set(v, "step", value_int(r->at.step));
    value_set(v, "lr", value_real(r->o->lr * schedule_at(&r->o->schedule, r->at.step - 1)));
    value_set(v, "loss", value_real(losses_total(&r->losses, r->t->step.weight)));
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (r->losses.n[i]) value_set(v, loss_names[i], value_real(r->losses.sum[i] / (double)r->losses.n[i]));
    }
    value_set(v, "gradient_norm", value_real(r->norm));
    value_set(v, "rows", value_int(r->rows));
    value_set(v, "seconds", value_real(round_to(seconds, 1e3)));
    value_set(v, "rows_per_second", value_real(round(seconds > 0 ? (double)r->rows / seconds : 0)));
    value_set(v, "wait_share", value_real(round_to(seconds > 0 ? r->waited / seconds : 0, 1e4)));
    value_set(v, "gflop_per_second", value_real(round_to(seconds > 0 ? r->flops / seconds / 1e9 : 0, 10)));
    if (r->peak > 0 && seconds > 0)
        value_set(v, "peak_share", value_real(round_to(r->flops / seconds / (r->peak * comm_ranks(r->comm)), 1e3)));
    if (r->comm && comm_times(r->comm, &summing, &waiting) && seconds > 0) {
        value_set(v, "sum_share", value_real(round_to(summing / seconds, 1e4)));
        value_set(v, "sum_wait_share", value_real(round_to(waiting / seconds, 1e4)));
    }
    journal_write(r->journal, v);
    value_free(v);
    r->losses = (struct losses){ 0 };
    r->rows = 0;
    r->flops = r->waited = 0;
    r->since = clock_seconds();
}

/* The steps after the last line, where a run ends at none: it was told to stop, or had no better measurements. */
static void log_rest(struct run *r)
{
    if (r->rows) log_losses(r);
}

/* ---- measurements, checkpoints ---- */

/* The task's measurement of the model as it would be published: with the averages, where there are some. */
static int measure(struct run *r, struct value *report, double *score, struct err *e)
{
    struct params *p = &r->m->params;
    bool is_averaged = p->average.data != NULL;

    if (is_averaged) params_swap_average(p);
    int rc = r->t->evaluate(r->t->arg, r->m, &r->scratch, report, score, e);
    if (is_averaged) params_swap_average(p);
    return rc;
}

/* Measures on the first rank; a model better than all before it becomes the published one, with a score that is a
 * number: others cannot be compared. */
static int evaluate(struct run *r, struct err *e)
{
    struct value *report = value_object();
    double score = 0;
    int rc = 0;

    value_set(report, "step", value_int(r->at.step));
    if (is_first_rank(r)) rc = measure(r, report, &score, e);
    if (!rc) comm_broadcast(r->comm, &score, sizeof score, 0);
    value_set(report, r->t->metric, value_real(score));
    if (!rc) journal_write(r->journal, report);
    if (!rc && isfinite(score) && (r->at.best_step == 0 || score > r->at.best)) {
        r->at.best = score;
        r->at.best_step = r->at.step;
        if (is_first_rank(r) && !r->t->keeps_last) rc = checkpoint_publish(r->m, r->o->output, r->o->vocabulary, e);
    }
    value_free(report);
    return rc;
}

/* Each rank knows how far its own streams are. */
static void join_streams(struct run *r)
{
    for (int64_t k = 0; k < r->at.streams; k++) {
        if (k < r->first || k >= r->first + r->n_own) memset(r->at.drawn[k], 0, sizeof *r->at.drawn);
    }
    comm_sum_int(r->comm, r->at.drawn[0], r->at.streams * TASK_COLLECTIONS_MAX);
}

static int save(struct run *r, struct err *e)
{
    int64_t failed = 0;

    join_streams(r);
    if (is_first_rank(r)) {
        failed = begin_output(r, e) ||
                 checkpoint_save(&r->at, r->m, r->t, r->o->output, r->o->vocabulary, r->o->keep, e) != 0;
        if (shares(r)) share_fetched(r->comm);
    } else if (shares(r)) {
        share_serve(&r->m->params, r->comm);
    }
    comm_broadcast(r->comm, &failed, sizeof failed, 0); /* nobody goes on before it is on the disk */
    r->saved = r->at.step;
    return failed ? err_set(e, ERR_IO, "%s", "") : 0; /* rank 0 says why */
}

static bool is_time(int64_t step, int64_t every)
{
    return every && step % every == 0;
}

static int stop(struct run *r, struct err *e)
{
    log_rest(r);
    if (r->saved != r->at.step && save(r, e)) return -1; /* there may be little time left */
    return err_set(e, ERR_SAVED, "stopped after step %" PRId64 " of %" PRId64 "; saved, run again with --resume",
                   r->at.step, r->o->schedule.total);
}

/* The latest measurements were no better than one before them. */
static bool is_stalled(const struct run *r)
{
    const struct train_opts *o = r->o;

    return o->patience && o->eval_every && r->t->evaluate && r->at.best_step &&
           r->at.step / o->eval_every >= (r->at.best_step + o->eval_every - 1) / o->eval_every + o->patience;
}

static int loop(struct run *r, struct err *e)
{
    const struct train_opts *o = r->o;
    bool evaluates = r->t->evaluate && o->eval_every;
    int64_t total = o->schedule.total;
    char note[160];

    while (r->at.step < total && !is_stalled(r)) {
        if (r->is_stopping || (!r->comm && signals_stop())) return stop(r, e);
        if (step(r, e)) return -1;
        note_losses(r, note, sizeof note);
        progress_step(&r->progress, r->at.step, note);
        bool is_last = r->at.step == total;
        if (is_last || is_time(r->at.step, o->log_every)) log_losses(r);
        if (evaluates && (is_last || is_time(r->at.step, o->eval_every)) && evaluate(r, e)) return -1;
        if (!is_last && !is_stalled(r) && is_time(r->at.step, o->save_every) && save(r, e)) return -1;
    }
    log_rest(r);
    if (begin_output(r, e)) return -1;
    bool is_unpublished = !evaluates || r->t->keeps_last || !r->at.best_step;
    if (is_unpublished && is_first_rank(r) && checkpoint_publish(r->m, o->output, o->vocabulary, e)) return -1;
    r->at.is_finished = true;
    return save(r, e);
}

/* ---- beginning and end ---- */

static void open_sums(struct run *r)
{
    r->sums = tensor_1d(NULL, DT_F32, r->n_own * LOSS_SUMS_MAX + 1);
    op_allocate(r->m->device, &r->sums.data, tensor_bytes(r->sums));
    op_fill(r->m->device, r->sums, 0);
    r->fetched = mem_new(float, r->sums.n);
    r->batch = mem_new(struct loss_sums, r->n_own);
    for (int64_t k = 0; k < r->n_own && r->sums.data; k++)
        r->batch[k].slots = tensor_rows(r->sums, k * LOSS_SUMS_MAX, LOSS_SUMS_MAX);
}

static void close_sums(struct run *r)
{
    if (r->sums.data) op_release(r->m->device, r->sums.data);
    free(r->fetched);
    free(r->batch);
}

/* A model that somebody removed (make, say, which deletes the target of a recipe that was interrupted) is published
 * again at the end. A checkpoint has the last parameters: when the best ones were in that model alone, the next
 * measurement is the best one. */
static void forget_lost_model(struct run *r)
{
    struct str path = { 0 };
    int64_t is_lost = 0;

    str_addf(&path, "%s/model.safetensors", r->o->output);
    if (is_first_rank(r)) is_lost = access(str_c(&path), F_OK) != 0;
    comm_broadcast(r->comm, &is_lost, sizeof is_lost, 0);
    if (is_lost) r->at.is_finished = false;
    if (is_lost && r->at.best_step && !r->t->keeps_last) {
        if (is_first_rank(r))
            log_line("%s is gone: the best model, of step %" PRId64 ", is forgotten", err_quote(str_c(&path)),
                     r->at.best_step);
        r->at.best_step = 0;
    }
    str_release(&path);
}

/* The ranks deal out one order of the same records: other ones on one of them would go unnoticed. */
static int compare_records(struct run *r, struct err *e)
{
    int n = r->t->n_collections, rc = 0;

    for (int i = 0; i <= n && r->comm; i++) {
        const struct store *s = i < n ? r->t->at[i].store : r->t->referred;
        uint64_t own = s ? store_digest(s) : 0, first = own;
        comm_broadcast(r->comm, &first, sizeof first, 0);
        if (own != first && !rc)
            rc = err_set(e, ERR_INPUT, "%s: other contents, or in another order, than those of rank 0",
                         i < n ? r->t->at[i].name : "regions");
    }
    return rc;
}

enum { DIGEST_PART = 1 << 20 };

static uint64_t digest_values(const struct params *p)
{
    float *part = mem_new(float, DIGEST_PART);
    struct digest d;

    digest_init(&d);
    for (int64_t from = 0, n; from < p->total; from += n) {
        n = p->total - from < DIGEST_PART ? p->total - from : DIGEST_PART;
        op_download(p->device, part, (const float *)p->value.data + from, n * (int64_t)sizeof *part);
        digest_add(&d, part, (size_t)n * sizeof *part);
    }
    free(part);
    return digest_value(&d);
}

/* All ranks take the same steps, so they must begin with the same parameters: sums of gradients do not make them equal.
 */
static int compare_values(struct run *r, struct err *e)
{
    uint64_t own, first;

    if (!r->comm) return 0;
    own = first = digest_values(&r->m->params);
    comm_broadcast(r->comm, &first, sizeof first, 0);
    if (own == first) return 0;
    return err_set(e, ERR_INPUT, "the parameters to begin with are others than those of rank 0");
}

/* Where the run begins: at a checkpoint, or at step 0 in a directory without any. The first rank says which: others may
 * not see the newest one at once when their directory comes over a network. */
static int begin(struct run *r, struct err *e)
{
    int64_t newest = -1;

    if (is_first_rank(r) && checkpoint_newest(r->o->output, &newest, e)) return -1;
    comm_broadcast(r->comm, &newest, sizeof newest, 0);
    if (newest >= 0 && !r->o->resume)
        return err_set(e, ERR_USAGE, "--output: %s has checkpoints of an earlier run (--resume goes on with it)",
                       err_quote(r->o->output));
    if (newest >= 0 && checkpoint_load(&r->at, r->m, r->t, r->o->output, newest, e)) return -1;
    r->saved = newest;
    forget_lost_model(r);
    r->at.is_finished = r->at.is_finished && (r->at.step >= r->o->schedule.total || is_stalled(r));
    return 0;
}

static int open_feeds(struct run *r, struct err *e)
{
    int threads = train_loaders(r->m, r->o);

    r->feed = mem_new(struct feed *, r->n_own);
    r->item = mem_new(const struct feed_item *, r->n_own);
    for (int64_t k = 0; k < r->n_own; k++) {
        struct sampler s = { .task = r->t, .seed = r->o->seed, .stream = r->first + k, .streams = r->at.streams };
        memcpy(s.drawn, r->at.drawn[s.stream], sizeof s.drawn);
        r->feed[k] = feed_open(&s, &r->m->config, r->o->rows, (threads + (int)r->n_own - 1) / (int)r->n_own, e);
        if (!r->feed[k]) return -1;
    }
    return 0;
}

static int run(struct run *r, struct err *e)
{
    struct device *d = r->m->device;

    scratch_init(&r->scratch, d);
    open_sums(r);
    r->peak = train_peak(r->m);
    int rc = open_feeds(r, e);
    r->since = clock_seconds();
    progress_begin(&r->progress, "steps", r->o->schedule.total);
    r->progress.before = r->at.step;
    r->progress.is_shown = r->progress.is_shown && is_first_rank(r);
    if (!rc) rc = device_check(d, e) ? -1 : loop(r, e);
    progress_end(&r->progress);
    for (int64_t k = 0; k < r->n_own; k++) feed_close(r->feed[k]);
    free(r->feed);
    free(r->item);
    journal_close(r->journal);
    checkpoint_end(r->o->output, r->lock);
    close_sums(r);
    scratch_release(&r->scratch);
    return rc;
}

int train_run(struct model *m, const struct task *t, const struct train_opts *o, struct err *e)
{
    struct run r = { .m = m, .t = t, .o = o, .comm = o->comm, .n_own = o->accumulate, .lock = -1 };

    comm_use(r.comm, m->device, m->params.grad.data);
    r.first = comm_rank(r.comm) * r.n_own;
    checkpoint_init(&r.at, comm_ranks(r.comm) * r.n_own);
    if (shares(&r)) {
        share_begin(&m->params, r.comm);
        r.at.fetch = share_fetch;
        r.at.comm = r.comm;
    }
    if (o->average > 0) params_keep_average(&m->params);
    int rc = begin(&r, e);
    if (!rc) {
        comm_part(r.comm);
        rc = compare_records(&r, e) || compare_values(&r, e) ? -1 : 0;
    }
    if (!rc && !r.at.is_finished) rc = run(&r, e);
    checkpoint_release(&r.at);
    comm_leave(r.comm);
    if (e->code == ERR_SAVED && !is_first_rank(&r)) e->text[0] = 0; /* what all ranks have to say, one says */
    return rc;
}
