#include "compute/profile.h"
#include "core/log.h"
#include "core/mem.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const op_names[OP_COUNT] = {
#define ROW(name, args) [OP_##name] = #name,
#include "compute/ops.def"
#undef ROW
};

struct profile {
    double began;
    struct cost {
        int64_t calls;
        double seconds, flops;
    } cost[OP_COUNT];
};

void profile_begin(struct device *d)
{
    free(d->profile);
    d->profile = mem_new(struct profile, 1);
    d->profile->began = clock_seconds();
}

void profile_add(struct device *d, enum op_row row, double began, double flops)
{
    struct cost *c = &d->profile->cost[row];

    d->ops->sync(d);
    c->calls++;
    c->seconds += clock_seconds() - began;
    c->flops += flops;
}

void profile_numbers(const struct device *d, double *x)
{
    const struct profile *p = d->profile;

    for (int i = 0; i < OP_COUNT; i++) {
        *x++ = p->cost[i].seconds;
        *x++ = (double)p->cost[i].calls;
        *x++ = p->cost[i].flops;
    }
    *x = clock_seconds() - p->began;
}

/* What an operation cost: the means over the ranks, and the rank that took longest. */
struct line {
    const char *name;
    double seconds, calls, flops, most;
    int slowest;
};

static void add_rank(struct line *l, int rank, int ranks, double seconds, double calls, double flops)
{
    l->seconds += seconds / ranks;
    l->calls += calls / ranks;
    l->flops += flops / ranks;
    if (rank && seconds <= l->most) return;
    l->most = seconds;
    l->slowest = rank;
}

static int by_seconds(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_line(const struct line *l, double total, int ranks)
{
    char speed[32] = "", most[48] = "";

    if (l->flops > 0) snprintf(speed, sizeof speed, "  %8.1f GFLOP/s", l->flops / l->seconds / 1e9);
    if (ranks > 1) snprintf(most, sizeof most, ", %9.3f s on rank %d", l->most, l->slowest);
    log_line("%5.1f %%  %9.3f s%s  %9.0f calls  %-*s%s", 100 * l->seconds / total, l->seconds, most, l->calls,
             *speed ? 22 : 0, l->name, speed);
}

void profile_print_ranks(const double *x, int ranks)
{
    struct line line[OP_COUNT] = { 0 }, host = { .name = "host" };
    double total = 0;

    for (int rank = 0; rank < ranks; rank++, x += PROFILE_NUMBERS) {
        double all = x[PROFILE_NUMBERS - 1], inside = 0;
        for (int i = 0; i < OP_COUNT; i++) {
            line[i].name = op_names[i];
            add_rank(&line[i], rank, ranks, x[3 * i], x[3 * i + 1], x[3 * i + 2]);
            inside += x[3 * i];
        }
        add_rank(&host, rank, ranks, all - inside, 1, 0);
        total += all / ranks;
    }
    qsort(line, OP_COUNT, sizeof *line, by_seconds);
    for (int i = 0; i < OP_COUNT; i++) {
        if (line[i].calls > 0) print_line(&line[i], total, ranks);
    }
    print_line(&host, total, ranks);
}

void profile_print(const struct device *d)
{
    double x[PROFILE_NUMBERS];

    if (!d || !d->profile) return;
    profile_numbers(d, x);
    profile_print_ranks(x, 1);
}
