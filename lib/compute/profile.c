#include "compute/profile.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct profile {
    double began;
    struct cost {
        const char *name;
        int64_t calls;
        double seconds, flops;
    } cost[OP_COUNT];
};

void profile_begin(struct device *d)
{
    static const char *const names[OP_COUNT] = {
#define ROW(name, args) [OP_##name] = #name,
#include "compute/ops.def"
#undef ROW
    };

    free(d->profile);
    d->profile = mem_new(struct profile, 1);
    for (int i = 0; i < OP_COUNT; i++) d->profile->cost[i].name = names[i];
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

static int by_seconds(const void *a, const void *b)
{
    const struct cost *x = a, *y = b;

    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_cost(const struct cost *c, double total)
{
    char speed[32] = "";

    if (c->flops > 0) snprintf(speed, sizeof speed, "  %8.1f GFLOP/s", c->flops / c->seconds / 1e9);
    log_line("%5.1f %%  %9.3f s  %9" PRId64 " calls  %-22s%s", 100 * c->seconds / total, c->seconds, c->calls, c->name,
             speed);
}

void profile_print(const struct device *d)
{
    if (!d || !d->profile) return;
    struct profile p = *d->profile;
    double total = clock_seconds() - p.began;
    struct cost host = { "host", 1, total, 0 };

    qsort(p.cost, OP_COUNT, sizeof *p.cost, by_seconds);
    for (int i = 0; i < OP_COUNT; i++) {
        host.seconds -= p.cost[i].seconds;
        if (p.cost[i].calls) print_cost(&p.cost[i], total);
    }
    print_cost(&host, total);
}
