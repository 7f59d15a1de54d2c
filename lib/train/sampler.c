#include "train/sampler.h"

enum { RNG_EXAMPLE = 0x6578, RNG_ORDER = 0x6f72 };

/* The collection that is furthest behind its share; the first of equals. */
static int next_collection(const struct sampler *s)
{
    int best = -1;
    double earliest = 0;

    for (int i = 0; i < s->task->n_collections; i++) {
        const struct task_collection *c = &s->task->at[i];
        if (!c->n || c->share <= 0) continue;
        double due = (double)(s->drawn[i] + 1) / c->share;
        if (best < 0 || due < earliest) best = i, earliest = due;
    }
    return best;
}

struct sample sampler_next(struct sampler *s)
{
    struct sample x = { .collection = next_collection(s) };
    const struct task_collection *c = &s->task->at[x.collection];
    uint64_t seed = s->seed ^ rng_stream(RNG_ORDER, (uint64_t)x.collection, 0);

    x.draw = s->drawn[x.collection]++ * (s->streams ? s->streams : 1) + s->stream;
    uint64_t epoch = (uint64_t)(x.draw / c->n);
    x.example =
        c->store ? store_shuffled(c->store, seed, epoch, x.draw % c->n) : rng_permute(seed, epoch, c->n, x.draw % c->n);
    return x;
}

int sampler_add(const struct sampler *s, const struct sample *x, struct batch *b, struct arena *a, struct err *e)
{
    const struct task *t = s->task;
    struct rng r;

    rng_init(&r, s->seed, rng_stream(RNG_EXAMPLE, (uint64_t)x->collection, (uint64_t)x->draw));
    return t->add(t->arg, b, x->collection, x->example, &r, a, e);
}
