#include "compute/cpu/cpu.h"
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <math.h>
#include <omp.h>

enum { BLOCK = 16384 };

/* Sum of squares of one block in f32 lanes; blocks are added in order in double. */
static double squares_of(const float *g, int64_t n)
{
    v16 sum = { 0 };

    for (int64_t i = 0; i < n; i += LANES) {
        v16 v = load_at(g, false, i, n - i);
        sum += v * v;
    }
    return lane_sum(sum);
}

int FAST_ROW(sum_of_squares)(struct device *d, struct tensor out, struct tensor g)
{
    int64_t blocks = (g.n + BLOCK - 1) / BLOCK;
    double *part = fast_room(d, ROOM_PARTIAL, (blocks + 1) * (int64_t)sizeof(double)), total = 0;

    if (!part) return -1;
#pragma omp parallel for num_threads(d->threads) if (g.n > FAST_PARALLEL)
    for (int64_t b = 0; b < blocks; b++)
        part[b] = squares_of((const float *)g.data + b * BLOCK, g.n - b * BLOCK < BLOCK ? g.n - b * BLOCK : BLOCK);
    for (int64_t b = 0; b < blocks; b++) total += part[b];
    *(float *)out.data = (float)total;
    return 0;
}

struct update {
    float *p, *g, *m, *v;
    uint16_t *p16;
    float factor, b1, b2, step1, inv_root2, eps, lr, decay; /* step1 = lr / c1, inv_root2 = 1 / sqrt(c2) */
};

INLINE v16 root(v16 x)
{
    v16 y;

    for (int k = 0; k < LANES; k++) y[k] = sqrtf(x[k]);
    return y;
}

static void update_range(const struct update *u, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i += LANES) {
        int64_t left = to - i;
        v16 g = load_at(u->g, false, i, left) * u->factor, p = load_at(u->p, false, i, left);
        v16 m = u->b1 * load_at(u->m, false, i, left) + (1 - u->b1) * g,
            v = u->b2 * load_at(u->v, false, i, left) + (1 - u->b2) * g * g;
        p = p - u->step1 * m / (root(v) * u->inv_root2 + u->eps) - u->lr * u->decay * p;
        store_at(u->m, false, i, left, m);
        store_at(u->v, false, i, left, v);
        store_at(u->p, false, i, left, p);
        store_at(u->g, false, i, left, (v16){ 0 });
        if (u->p16) store_at(u->p16, true, i, left, p);
    }
}

int FAST_ROW(adamw)(struct device *d, struct tensor p, struct tensor p16, struct tensor g, struct tensor m,
                    struct tensor v, struct tensor square_sum, const struct adamw_segment *segments, int n_segments,
                    struct adamw a)
{
    double c1 = 1 - pow(a.beta1, (double)a.step), c2 = 1 - pow(a.beta2, (double)a.step);
    struct update u = { p.data,   g.data,
                        m.data,   v.data,
                        p16.data, adamw_gradient_factor(square_sum, a),
                        a.beta1,  a.beta2,
                        0,        (float)(1 / sqrt(c2)),
                        a.eps,    0,
                        0 };

    for (int s = 0; s < n_segments; s++) {
        int64_t from = segments[s].from, to = from + segments[s].n;
        u.lr = a.lr * segments[s].lr_scale;
        u.step1 = (float)(u.lr / c1);
        u.decay = segments[s].weight_decay;
#pragma omp parallel for num_threads(d->threads) firstprivate(u) if (to - from > FAST_PARALLEL)
        for (int64_t i = from; i < to; i += BLOCK) update_range(&u, i, i + BLOCK < to ? i + BLOCK : to);
    }
    d->param_epoch++;
    return 0;
}
