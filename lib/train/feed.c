#include "train/feed.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include <pthread.h>
#include <stdlib.h>

enum {
    ITEMS = 3,            /* batches: in use, ready, being filled */
    AHEAD = 8,            /* examples in the works for each thread */
    EMPTY_LIMIT = 1 << 20 /* examples in a row that teach nothing, before that counts as a mistake */
};

/* An example on its way from the sampler into a batch. */
struct example {
    struct sample at;
    struct sampler before, after;
    struct batch batch;
    struct arena arena;
};

struct feed {
    struct sampler sampler;
    int64_t rows, made, n_empty;
    int threads, n_examples;
    struct example *examples; /* [n_examples], used in turn */
    struct feed_item item[ITEMS], *filling, *held;
    struct queue *empty, *full;
    pthread_t thread;
};

/* ---- the pipeline: draw, read, join ---- */

static int draw(void *arg, void **job, struct err *e)
{
    struct feed *f = arg;
    struct example *x = &f->examples[f->made++ % f->n_examples];

    x->before = f->sampler;
    x->at = sampler_next(&f->sampler);
    x->after = f->sampler;
    *job = x;
    return 1;
}

static int read_example(void *arg, void *job, int worker, struct err *e)
{
    struct example *x = job;

    batch_clear(&x->batch);
    arena_reset(&x->arena);
    return sampler_add(&x->after, &x->at, &x->batch, &x->arena, e);
}

/* An empty item to fill; NULL once the feed is closed. */
static struct feed_item *begin_item(struct feed *f)
{
    void *p;

    if (queue_pop(f->empty, &p)) return NULL;
    struct feed_item *item = p;
    item->rc = 0;
    err_clear(&item->e);
    batch_clear(&item->batch);
    return item;
}

/* Whether a loss that counts has a target in the example: a text of no tokens has none, nor have regions whose classes
 * alone are to be learnt and are not known. */
static bool teaches(const struct feed *f, const struct example *x)
{
    int64_t n[LOSS_COUNT];

    model_targets(&x->batch, f->sampler.task->step.weight, n);
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (n[i]) return true;
    }
    return false;
}

/* Rows without a target would cost as much as others, and change nothing. */
static int join(void *arg, void *job, bool failed, struct err *e)
{
    struct feed *f = arg;
    const struct example *x = job;

    if (failed) return 0;
    if (!f->filling) {
        if (!(f->filling = begin_item(f))) return -1;
        f->filling->before = x->before;
    }
    bool is_taken = teaches(f, x);
    if (is_taken) batch_append(&f->filling->batch, &x->batch);
    f->n_empty = is_taken ? 0 : f->n_empty + 1;
    if (f->n_empty == EMPTY_LIMIT) return err_set(e, ERR_INPUT, "no example has anything to learn from");
    if (f->filling->batch.n_rows < f->rows) return 0;
    f->filling->after = x->after;
    struct feed_item *ready = f->filling;
    f->filling = NULL;
    return queue_push(f->full, ready);
}

static void *produce(void *arg)
{
    struct feed *f = arg;
    struct err e = { 0 };
    const struct pipeline p = { draw, read_example, join, f, f->threads, f->n_examples };

    pipeline_run(&p, &e); /* ends with an error, or when the feed is closed */
    if (!f->filling) f->filling = begin_item(f);
    if (!f->filling) return NULL;
    f->filling->rc = -1;
    f->filling->e = e;
    queue_push(f->full, f->filling);
    return NULL;
}

/* ---- for the trainer ---- */

static void feed_free(struct feed *f)
{
    for (int i = 0; i < ITEMS; i++) batch_release(&f->item[i].batch);
    for (int i = 0; i < f->n_examples; i++) {
        batch_release(&f->examples[i].batch);
        arena_release(&f->examples[i].arena);
    }
    free(f->examples);
    queue_free(f->empty);
    queue_free(f->full);
    free(f);
}

struct feed *feed_open(const struct sampler *from, const struct model_config *c, int64_t rows, int threads,
                       struct err *e)
{
    struct feed *f = mem_new(struct feed, 1);

    f->sampler = *from;
    f->rows = rows;
    f->threads = threads;
    f->n_examples = threads * AHEAD;
    f->examples = mem_new(struct example, f->n_examples);
    for (int i = 0; i < f->n_examples; i++) batch_init(&f->examples[i].batch, c);
    f->empty = queue_new(ITEMS);
    f->full = queue_new(ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        batch_init(&f->item[i].batch, c);
        queue_push(f->empty, &f->item[i]);
    }
    if (!pthread_create(&f->thread, NULL, produce, f)) return f;
    err_set(e, ERR_IO, "cannot start a thread");
    feed_free(f);
    return NULL;
}

const struct feed_item *feed_next(struct feed *f, double *waited)
{
    double start = clock_seconds();
    void *p = NULL;

    if (queue_pop(f->full, &p)) abort(); /* closed by feed_close() only */
    *waited += clock_seconds() - start;
    if (f->held) queue_push(f->empty, f->held); /* whom this wakes may take our processor: that is no wait for data */
    f->held = p;
    return f->held;
}

void feed_close(struct feed *f)
{
    if (!f) return;
    queue_close(f->empty);
    queue_close(f->full);
    pthread_join(f->thread, NULL);
    feed_free(f);
}
