#include "train/feed.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include <pthread.h>
#include <stdlib.h>

enum { ITEMS = 4 };

struct feed {
    struct sampler sampler;
    int64_t rows;
    struct feed_item item[ITEMS], *held;
    struct queue *empty, *full;
    pthread_t thread;
};

static void *produce(void *arg)
{
    struct feed *f = arg;
    void *p;

    while (!queue_pop(f->empty, &p)) {
        struct feed_item *x = p;
        x->before = f->sampler;
        err_clear(&x->e);
        x->rc = sampler_fill(&f->sampler, &x->batch, f->rows, &x->e);
        x->after = f->sampler;
        if (queue_push(f->full, x) || x->rc) break;
    }
    return NULL;
}

struct feed *feed_open(const struct sampler *from, const struct model_config *c, int64_t rows)
{
    struct feed *f = mem_new(struct feed, 1);

    f->sampler = *from;
    f->rows = rows;
    f->empty = queue_new(ITEMS);
    f->full = queue_new(ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        batch_init(&f->item[i].batch, c);
        queue_push(f->empty, &f->item[i]);
    }
    if (pthread_create(&f->thread, NULL, produce, f)) abort();
    return f;
}

const struct feed_item *feed_next(struct feed *f, double *waited)
{
    double start = clock_seconds();
    void *p = NULL;

    if (f->held) queue_push(f->empty, f->held);
    if (queue_pop(f->full, &p)) abort(); /* closed by feed_close() only */
    f->held = p;
    *waited += clock_seconds() - start;
    return f->held;
}

void feed_close(struct feed *f)
{
    if (!f) return;
    queue_close(f->empty);
    queue_close(f->full);
    pthread_join(f->thread, NULL);
    for (int i = 0; i < ITEMS; i++) batch_release(&f->item[i].batch);
    queue_free(f->empty);
    queue_free(f->full);
    free(f);
}
