/* For tests of operations: tensors in guarded host memory filled from a fixed seed, and the two comparisons that
 * together catch one wrong element: the mean squared error relative to the reference's power, and the largest error
 * relative to its row's largest value (or to a hundredth, for results near zero of inputs around one). */
#ifndef NUMERIC_H
#define NUMERIC_H
#include "compute/backend.h"
#include "core/rng.h"
#include "tap.h"

enum { GUARD = 64 }; /* bytes before and after, each 0xA5 */

/* Memory with guards; contents poisoned. */
static inline struct tensor guarded(struct tensor shape)
{
    int64_t bytes = tensor_bytes(shape);
    uint8_t *p = aligned_alloc(64, (size_t)(2 * GUARD + (bytes + 63) / 64 * 64));

    if (!p) abort();
    memset(p, 0xA5, (size_t)(2 * GUARD + (bytes + 63) / 64 * 64));
    shape.data = p + GUARD;
    return shape;
}

static inline bool guards_hold(struct tensor x)
{
    const uint8_t *p = (const uint8_t *)x.data - GUARD, *q = (const uint8_t *)x.data + tensor_bytes(x);
    bool good = true;

    for (int i = 0; i < GUARD; i++) good = good && p[i] == 0xA5;
    for (int i = 0; i < GUARD; i++) good = good && q[i] == 0xA5;
    return good;
}

static inline void guarded_free(struct tensor x)
{
    if (x.data) free((uint8_t *)x.data - GUARD);
}

/* The same in a device's memory. */
static inline bool is_on_host(const struct device *d)
{
    return strcmp(d->ops->name, "cuda") != 0;
}

static inline struct tensor guarded_on(struct device *d, struct tensor shape)
{
    if (is_on_host(d)) return guarded(shape);
    struct tensor host = guarded(shape);
    int64_t bytes = tensor_bytes(shape) + 2 * GUARD;
    void *p;

    op_allocate(d, &p, bytes);
    if (!p) { /* also after a fault, which ends all that this process does on a GPU */
        printf("# %s\n", d->why);
        exit(1);
    }
    op_upload(d, p, (uint8_t *)host.data - GUARD, bytes);
    free((uint8_t *)host.data - GUARD);
    shape.data = (uint8_t *)p + GUARD;
    return shape;
}

/* Takes the contents of x, guards too, into host memory that guarded() made. */
static inline void fetch_guarded(struct device *d, struct tensor host, struct tensor x)
{
    if (x.data != host.data)
        op_download(d, (uint8_t *)host.data - GUARD, (uint8_t *)x.data - GUARD, tensor_bytes(x) + 2 * GUARD);
}

static inline void guarded_free_on(struct device *d, struct tensor x)
{
    if (x.data && is_on_host(d)) free((uint8_t *)x.data - GUARD);
    else if (x.data) op_release(d, (uint8_t *)x.data - GUARD);
}

static inline float element_of(struct tensor x, int64_t i)
{
    return x.dtype == DT_BF16  ? bf16_to_f32(((uint16_t *)x.data)[i])
           : x.dtype == DT_I32 ? (float)((int32_t *)x.data)[i]
                               : ((float *)x.data)[i];
}

static inline void set_element(struct tensor x, int64_t i, float v)
{
    if (x.dtype == DT_BF16) ((uint16_t *)x.data)[i] = f32_to_bf16(v);
    else ((float *)x.data)[i] = v;
}

static inline void fill_normal(struct tensor x, struct rng *r)
{
    for (int64_t i = 0; i < x.n; i++) set_element(x, i, (float)rng_normal(r));
}

struct difference {
    double nmse, row; /* of squares; of the largest error in a row */
    int64_t at;       /* the element of that error, or the first that is not finite; -1: none */
    bool is_finite;
};

static inline struct difference compare(struct tensor got, struct tensor want)
{
    struct difference d = { 0, 0, -1, true };
    double error = 0, power = 0;
    int64_t width = got.rank > 1 ? got.n / (got.shape[0] ? got.shape[0] : 1) : got.n;

    for (int64_t i = 0; i < got.n; i += width) {
        double worst = 0, largest = 0;
        int64_t at = i;
        for (int64_t k = i; k < i + width; k++) {
            double a = element_of(got, k), b = element_of(want, k), gap = fabs(a - b);
            if (a == b) gap = 0; /* also infinities */
            if (!isfinite(gap) && d.is_finite) d.is_finite = false, d.at = k;
            error += gap * gap;
            power += b * b;
            if (gap > worst) worst = gap, at = k;
            largest = fabs(b) > largest ? fabs(b) : largest;
        }
        double relative = worst == 0 ? 0 : worst / (largest > 1e-2 ? largest : 1e-2);
        if (relative > d.row) {
            d.row = relative;
            if (d.is_finite) d.at = at;
        }
    }
    d.nmse = error == 0 ? 0 : error / (power > 1e-4 ? power : 1e-4);
    return d;
}
#endif
