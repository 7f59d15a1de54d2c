/* The memory of a step: temporaries that are given back cost their room once, also before the first reset. */
#include "compute/backend.h"
#include "core/rng.h"
#include "tap.h"
#include <string.h>

enum { ROUNDS = 200, MIB = 1 << 20 };

/* A step with something kept, and many temporaries of several sizes; what is kept must stay as it is. */
static int step(struct scratch *s, uint64_t seed)
{
    struct rng r;
    int bad = 0;

    rng_init(&r, seed, 1);
    scratch_reset(s);
    struct tensor kept = scratch_1d(s, DT_F32, 3000);
    for (int i = 0; i < 3000; i++) ((float *)kept.data)[i] = (float)i;
    for (int k = 0; k < ROUNDS; k++) {
        int64_t mark = scratch_mark(s);
        struct tensor a = scratch_1d(s, DT_F32, MIB + rng_below(&r, 100)), b = scratch_1d(s, DT_F32, 2 * MIB);
        memset(a.data, 0xff, (size_t)tensor_bytes(a));
        memset(b.data, 0x7f, (size_t)tensor_bytes(b));
        bad += ((uint8_t *)a.data)[tensor_bytes(a) - 1] != 0xff;
        scratch_back_to(s, mark);
        bad += scratch_mark(s) != mark;
    }
    struct tensor last = scratch_1d(s, DT_F32, 5);
    ((float *)last.data)[0] = -1;
    for (int i = 0; i < 3000; i++) bad += ((float *)kept.data)[i] != (float)i;
    return bad;
}

int main(void)
{
    struct err e = { 0 };
    struct scratch s;
    struct device *device = device_open("cpu", 1, &e);
    scratch_init(&s, device);
    is_int(step(&s, 1), 0, "the first step");
    ok(s.peak < 14LL * MIB, "temporaries share their room (%lld KiB)", (long long)s.peak >> 10);
    int64_t peak = s.peak;
    is_int(step(&s, 1), 0, "the second");
    is_int(s.peak, peak, "needs the same");
    is_int(step(&s, 2) + step(&s, 3), 0, "and others");
    scratch_reset(&s);
    int64_t outer = scratch_mark(&s);
    scratch_1d(&s, DT_F32, 100);
    int64_t inner = scratch_mark(&s);
    for (int i = 0; i < 5; i++) scratch_1d(&s, DT_F32, 6 * MIB);
    scratch_back_to(&s, inner);
    is_int(scratch_mark(&s), inner, "back over several pieces");
    scratch_back_to(&s, outer);
    is_int(scratch_mark(&s), outer, "and all the way");
    scratch_release(&s);
    device_close(device);
    return done();
}
