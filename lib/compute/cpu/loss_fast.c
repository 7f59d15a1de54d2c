#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <math.h>
#include <omp.h>

/* Largest and sum of one row. */
INLINE float row_max(const void *x, bool half, int64_t at, int64_t n, float *sum)
{
    v16 top[2] = { splat(-INFINITY), splat(-INFINITY) }, total[2] = { 0 };
    int64_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        for (int j = 0; j < 2; j++) {
            v16 v = load_any(x, half, at + i + j * LANES);
            top[j] = vmax(top[j], v);
            total[j] += v;
        }
    }
    float max = lane_max(vmax(top[0], top[1])), tail = 0;
    for (; i < n; i++) {
        float v = half ? bf16_to_f32(((const uint16_t *)x)[at + i]) : ((const float *)x)[at + i];
        max = v > max ? v : max;
        tail += v;
    }
    *sum = lane_sum(total[0] + total[1]) + tail;
    return max;
}

/* Sum of e^(x - max) over one row; the terms into each, unless it is NULL (it may be x in f32). */
INLINE float row_exponentials(float *each, const void *x, bool half, int64_t at, int64_t n, float max)
{
    v16 total = { 0 };
    float tail = 0;

    for (int64_t i = 0; i + LANES <= n; i += LANES) {
        v16 e = vexp(load_any(x, half, at + i) - max);
        if (each) store(each + i, e);
        total += e;
    }
    for (int64_t i = n / LANES * LANES; i < n; i++) {
        float e = expf((half ? bf16_to_f32(((const uint16_t *)x)[at + i]) : ((const float *)x)[at + i]) - max);
        if (each) each[i] = e;
        tail += e;
    }
    return lane_sum(total) + tail;
}

/* log-sum-exp of one row. */
INLINE float row_lse(const void *x, bool half, int64_t at, int64_t n)
{
    float sum, max = row_max(x, half, at, n, &sum);

    return max + logf(row_exponentials(NULL, x, half, at, n, max));
}

struct entropy {
    struct tensor loss, dlogits, logits, labels;
    float smoothing, scale;
};

/* each: room for a row. */
static void entropy_row(const struct entropy *w, int64_t t, float *each)
{
    int64_t v = w->logits.shape[1], label = ((const int32_t *)w->labels.data)[t], at = t * v;
    bool half = w->logits.dtype == DT_BF16, d_half = w->dlogits.dtype == DT_BF16;
    float sum, *loss = (float *)w->loss.data + t;

    if (label < 0) {
        *loss = 0;
        for (int64_t i = 0; w->dlogits.data && i < v; i += LANES)
            store_at(w->dlogits.data, d_half, at + i, v - i, (v16){ 0 });
        return;
    }
    float max = row_max(w->logits.data, half, at, v, &sum);
    float total = row_exponentials(w->dlogits.data ? each : NULL, w->logits.data, half, at, v, max);
    float lse = max + logf(total), own = half ? bf16_to_f32(((const uint16_t *)w->logits.data)[at + label])
                                              : ((const float *)w->logits.data)[at + label];
    *loss = lse - (1 - w->smoothing) * own - w->smoothing * sum / (float)v;
    if (!w->dlogits.data) return;
    float even = w->scale * w->smoothing / (float)v, factor = w->scale / total;
    float own_slope = factor * each[label] - even - w->scale * (1 - w->smoothing);
    for (int64_t i = 0; i < v; i += LANES)
        store_at(w->dlogits.data, d_half, at + i, v - i, factor * load_at(each, false, i, v - i) - even);
    if (d_half) ((uint16_t *)w->dlogits.data)[at + label] = f32_to_bf16(own_slope);
    else ((float *)w->dlogits.data)[at + label] = own_slope;
}

int FAST_ROW(cross_entropy)(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                            struct tensor labels, float smoothing, float scale)
{
    struct entropy w = { loss, dlogits, logits, labels, smoothing, scale };
    int64_t wide = (logits.shape[1] + LANES - 1) / LANES * LANES;
    float *room = fast_room(d, ROOM_PARTIAL, wide * d->threads * (int64_t)sizeof *room);

    if (!room) return -1;
#pragma omp parallel for num_threads(d->threads) if (logits.n > FAST_PARALLEL / 4)
    for (int64_t t = 0; t < logits.shape[0]; t++) entropy_row(&w, t, room + wide * omp_get_thread_num());
    return 0;
}

static void log_softmax_row(float *y, const void *x, bool half, int64_t at, int64_t v)
{
    float lse = row_lse(x, half, at, v);

    for (int64_t i = 0; i < v; i += LANES) store_at(y, false, at + i, v - i, load_at(x, half, at + i, v - i) - lse);
}

int FAST_ROW(log_softmax)(struct device *d, struct tensor y, struct tensor x)
{
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL / 4)
    for (int64_t t = 0; t < x.shape[0]; t++)
        log_softmax_row(y.data, x.data, x.dtype == DT_BF16, t * x.shape[1], x.shape[1]);
    return 0;
}

/* Puts v among the largest so far, n of k; returns how many there are then. Of equal ones the first stays first. */
static int64_t keep(float *best, int32_t *at, int64_t n, int64_t k, float v, int64_t column)
{
    if (n == k && !(v > best[k - 1])) return n;
    int64_t to = n < k ? n++ : k - 1;
    for (; to > 0 && best[to - 1] < v; to--) {
        best[to] = best[to - 1];
        at[to] = at[to - 1];
    }
    best[to] = v;
    at[to] = (int32_t)column;
    return n;
}

struct top { /* what is known of a row */
    float *best, *lse;
    int32_t *at;
    int64_t k, from; /* from: columns seen before */
};

/* Few pieces of a row hold one of the k largest: the others are passed over by their largest element. */
static void top_row(const struct top *r, const void *x, bool half, int64_t begin, int64_t v)
{
    enum { PIECE = 8 * LANES };
    int64_t n = r->from ? r->k : 0;
    float lse = row_lse(x, half, begin, v);

    for (int64_t i = 0; i < v; i += PIECE) {
        int64_t end = i + PIECE < v ? i + PIECE : v;
        if (n == r->k && end == i + PIECE) {
            v16 top = load_any(x, half, begin + i);
            for (int64_t j = i + LANES; j < end; j += LANES) top = vmax(top, load_any(x, half, begin + j));
            if (!(lane_max(top) > r->best[r->k - 1])) continue;
        }
        for (int64_t j = i; j < end; j++) {
            float one = half ? bf16_to_f32(((const uint16_t *)x)[begin + j]) : ((const float *)x)[begin + j];
            n = keep(r->best, r->at, n, r->k, one, r->from + j);
        }
    }
    float most = r->from && *r->lse > lse ? *r->lse : lse;
    *r->lse = r->from ? most + logf(expf(lse - most) + expf(*r->lse - most)) : lse;
}

int FAST_ROW(top_columns)(struct device *d, struct tensor value, struct tensor column, struct tensor lse,
                          struct tensor x, int64_t from)
{
    int64_t k = value.shape[1], v = x.shape[1];

#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL / 4)
    for (int64_t t = 0; t < x.shape[0]; t++) {
        struct top r = { (float *)value.data + t * k, (float *)lse.data + t, (int32_t *)column.data + t * k, k, from };
        top_row(&r, x.data, x.dtype == DT_BF16, t * v, v);
    }
    return 0;
}
