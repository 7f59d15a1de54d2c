#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <omp.h>

/* Elements that a kernel gets at once: a multiple of 32, so that dropout's blocks are whole. */
enum { BLOCK = 4096 };

/* y[i] = f(a[i], b[i]) over [from, to); what f is, is known at compile time in each kernel. */
enum map { MAP_FILL, MAP_COPY, MAP_GELU, MAP_RELU, MAP_DRELU, MAP_ADD, MAP_MULTIPLY, MAP_AXPY };
struct operands {
    void *y;
    const void *a, *b;
    bool y_half, a_half, b_half;
    float alpha;
};

INLINE v16 apply(enum map f, v16 a, v16 b, float alpha)
{
    v16 gaussian;

    switch (f) {
    case MAP_FILL:
        return splat(alpha);
    case MAP_COPY:
        return a;
    case MAP_GELU:
        return a * normal_cdf(a, &gaussian);
    case MAP_RELU:
        return blend((i16)(a > 0), a, (v16){ 0 });
    case MAP_DRELU:
        return blend((i16)(b > 0), a, (v16){ 0 });
    case MAP_ADD:
        return a + b;
    case MAP_MULTIPLY:
        return a * b;
    case MAP_AXPY:
        return a + alpha * b;
    }
    return a;
}

INLINE void map_range(enum map f, const struct operands *o, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i += LANES) {
        int64_t left = to - i;
        v16 a = f == MAP_FILL ? (v16){ 0 } : load_at(o->a, o->a_half, i, left);
        v16 b = o->b ? load_at(o->b, o->b_half, i, left) : (v16){ 0 };
        store_at(o->y, o->y_half, i, left, apply(f, a, b, o->alpha));
    }
}

#define MAP_KERNEL(name, f)                                                                                            \
    static void name##_range(const struct operands *o, int64_t from, int64_t to)                                       \
    {                                                                                                                  \
        map_range(f, o, from, to);                                                                                     \
    }
MAP_KERNEL(fill, MAP_FILL)
MAP_KERNEL(copy, MAP_COPY)
MAP_KERNEL(gelu, MAP_GELU)
MAP_KERNEL(relu, MAP_RELU)
MAP_KERNEL(drelu, MAP_DRELU)
MAP_KERNEL(add, MAP_ADD)
MAP_KERNEL(multiply, MAP_MULTIPLY)
MAP_KERNEL(axpy, MAP_AXPY)

static int run(struct device *d, void (*range)(const struct operands *o, int64_t from, int64_t to), struct tensor y,
               struct tensor a, struct tensor b, float alpha)
{
    struct operands o = { y.data, a.data, b.data, y.dtype == DT_BF16, a.dtype == DT_BF16, b.dtype == DT_BF16, alpha };

#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t i = 0; i < y.n; i += BLOCK) range(&o, i, i + BLOCK < y.n ? i + BLOCK : y.n);
    return 0;
}
static const struct tensor none;

int FAST_ROW(fill)(struct device *d, struct tensor y, float value)
{
    return run(d, fill_range, y, none, none, value);
}

int FAST_ROW(convert)(struct device *d, struct tensor y, struct tensor x)
{
    return run(d, copy_range, y, x, none, 0);
}

int FAST_ROW(gelu_forward)(struct device *d, struct tensor y, struct tensor x)
{
    return run(d, gelu_range, y, x, none, 0);
}

static void gelu_slopes(struct tensor dx, struct tensor y, struct tensor dy, struct tensor x, int64_t from, int64_t to)
{
    bool half = x.dtype == DT_BF16, y_half = y.dtype == DT_BF16;

    for (int64_t i = from; i < to; i += LANES) {
        v16 v = load_at(x.data, half, i, to - i), slope = load_at(dy.data, dy.dtype == DT_BF16, i, to - i), gaussian;
        v16 cdf = normal_cdf(v, &gaussian);
        if (y.data) store_at(y.data, y_half, i, to - i, v * cdf);
        store_at(dx.data, dx.dtype == DT_BF16, i, to - i, slope * (cdf + v * gaussian * 0.39894228f));
    }
}

int FAST_ROW(gelu_backward)(struct device *d, struct tensor dx, struct tensor y, struct tensor dy, struct tensor x)
{
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t i = 0; i < x.n; i += BLOCK) gelu_slopes(dx, y, dy, x, i, i + BLOCK < x.n ? i + BLOCK : x.n);
    return 0;
}

int FAST_ROW(relu_forward)(struct device *d, struct tensor y, struct tensor x)
{
    return run(d, relu_range, y, x, none, 0);
}

int FAST_ROW(relu_backward)(struct device *d, struct tensor dx, struct tensor dy, struct tensor y)
{
    return run(d, drelu_range, dx, dy, y, 0);
}

int FAST_ROW(add)(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    return run(d, add_range, y, a, b, 0);
}

int FAST_ROW(multiply)(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    return run(d, multiply_range, y, a, b, 0);
}

int FAST_ROW(axpy)(struct device *d, struct tensor y, struct tensor x, float alpha)
{
    return run(d, axpy_range, y, y, x, alpha);
}

static void dropout_range(void *y, bool y_half, const void *x, bool x_half, const struct dropout *drop, int64_t from,
                          int64_t to)
{
    float factor[256];

    for (int64_t i = from; i < to; i += 256) {
        int64_t n = to - i < 256 ? to - i : 256;
        dropout_factors(factor, n, (uint64_t)i, drop);
        for (int64_t k = 0; k < n; k += LANES)
            store_at(y, y_half, i + k, n - k, load_at(x, x_half, i + k, n - k) * load_at(factor, false, k, n - k));
    }
}

int FAST_ROW(dropout_forward)(struct device *d, struct tensor y, struct tensor x, struct dropout drop)
{
    if (drop.p <= 0) return y.data == x.data && y.dtype == x.dtype ? 0 : FAST_ROW(convert)(d, y, x);
#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL / 8)
    for (int64_t i = 0; i < y.n; i += BLOCK)
        dropout_range(y.data, y.dtype == DT_BF16, x.data, x.dtype == DT_BF16, &drop, i,
                      i + BLOCK < y.n ? i + BLOCK : y.n);
    return 0;
}
