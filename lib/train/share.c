#include "train/share.h"
#include "core/mem.h"
#include <stdlib.h>

/* The part of a rank; the last may be smaller, or empty. */
static int64_t part_of(const struct params *p, const struct comm *c, int rank, int64_t *n)
{
    int64_t ranks = comm_ranks(c), size = (p->total / PARAMS_ALIGN + ranks - 1) / ranks * PARAMS_ALIGN,
            from = size * rank;

    if (from > p->total) from = p->total;
    *n = p->total - from < size ? p->total - from : size;
    return from;
}

void share_begin(struct params *p, const struct comm *c)
{
    int64_t n, from = part_of(p, c, comm_rank(c), &n);

    params_share(p, from, n);
}

void share_values(struct params *p, struct comm *c)
{
    for (int rank = 0; rank < comm_ranks(c); rank++) {
        int64_t n, from = part_of(p, c, rank, &n);
        comm_share(c, tensor_1d((float *)p->value.data + from, DT_F32, n), rank);
    }
    params_changed(p);
}

enum { ASK_M, ASK_V, ASK_NOTHING };

struct question {
    int64_t state, from, n;
};

/* The elements that were asked for, each part from the rank that keeps it to all. */
static void exchange(const struct params *p, struct comm *c, struct question ask, float *to)
{
    struct tensor own = ask.state == ASK_M ? p->m : p->v;

    for (int rank = 0; rank < comm_ranks(c); rank++) {
        int64_t n, from = part_of(p, c, rank, &n), first = from > ask.from ? from : ask.from,
                   end = from + n < ask.from + ask.n ? from + n : ask.from + ask.n;
        if (end <= first) continue;
        int64_t bytes = (end - first) * (int64_t)sizeof *to;
        if (rank == comm_rank(c))
            op_download(p->device, to + (first - ask.from), (const float *)own.data + (first - from), bytes);
        comm_broadcast(c, to + (first - ask.from), bytes, rank);
    }
}

int share_fetch(void *ctx, const struct params *p, struct tensor state, int64_t from, int64_t n, float *to,
                struct err *e)
{
    if (state.data == p->average.data) { /* of values, which everybody has */
        op_download(p->device, to, (const float *)state.data + from, n * (int64_t)sizeof *to);
    } else {
        struct question ask = { state.data == p->m.data ? ASK_M : ASK_V, from, n };
        comm_broadcast(ctx, &ask, sizeof ask, 0);
        exchange(p, ctx, ask, to);
    }
    return device_check(p->device, e);
}

void share_serve(const struct params *p, struct comm *c)
{
    struct question ask;
    float *part = NULL;
    int64_t cap = 0;

    for (;;) {
        comm_broadcast(c, &ask, sizeof ask, 0);
        if (ask.state == ASK_NOTHING) break;
        mem_reserve(&part, &cap, ask.n);
        exchange(p, c, ask, part);
    }
    free(part);
}

void share_fetched(struct comm *c)
{
    struct question none = { .state = ASK_NOTHING };

    comm_broadcast(c, &none, sizeof none, 0);
}
