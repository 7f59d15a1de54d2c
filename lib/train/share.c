#include "train/share.h"
#include "core/mem.h"
#include <stdlib.h>

enum { ALIGN = 16 };

/* The part of a rank; the last may be smaller, or empty. */
static int64_t part_of(const struct params *p, const struct comm *c, int rank, int64_t *n)
{
    int64_t ranks = comm_ranks(c), size = (p->total / ALIGN + ranks - 1) / ranks * ALIGN, from = size * rank;

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

static float *gather(const struct params *p, struct comm *c, struct tensor own)
{
    bool is_first = comm_rank(c) == 0;
    int64_t most;

    part_of(p, c, 0, &most);
    float *whole = mem_new(float, is_first ? p->total : most);
    for (int rank = 0; rank < comm_ranks(c); rank++) {
        int64_t n, from = part_of(p, c, rank, &n), bytes = n * (int64_t)sizeof *whole;
        float *to = whole + (is_first ? from : 0);
        if (rank == comm_rank(c)) op_download(p->device, to, own.data, bytes);
        comm_broadcast(c, to, bytes, rank);
    }
    if (is_first) return whole;
    free(whole);
    return NULL;
}

void share_gather(const struct params *p, struct comm *c, float **m, float **v)
{
    *m = gather(p, c, p->m);
    *v = gather(p, c, p->v);
}
