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
    int64_t n = s->task->at[x.collection].n;

    x.draw = s->drawn[x.collection]++;
    x.example =
        rng_permute(s->seed ^ rng_stream(RNG_ORDER, (uint64_t)x.collection, 0), (uint64_t)(x.draw / n), n, x.draw % n);
    return x;
}

int sampler_fill(struct sampler *s, struct batch *b, int64_t rows, struct err *e)
{
    batch_clear(b);
    while (b->n_rows < rows) {
        struct sample x = sampler_next(s);
        struct rng r;
        rng_init(&r, s->seed, rng_stream(RNG_EXAMPLE, (uint64_t)x.collection, (uint64_t)x.draw));
        if (s->task->add(s->task->arg, b, x.collection, x.example, &r, e))
            return err_in(e, "%s: record %s", s->task->at[x.collection].name,
                          err_quote(s->task->id(s->task->arg, x.collection, x.example)));
    }
    return 0;
}
