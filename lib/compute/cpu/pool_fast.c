/* Pooling of maps and of regions: vectors run over channels. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include "core/mem.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t i16u __attribute__((vector_size(64), aligned(4)));

/* The maximum over cells [y0, y1) x [x0, x1) of one image at `base`, for all channels; an empty window gives 0 and -1.
 */
INLINE void window_max(struct tensor y, struct tensor arg, int64_t out, struct tensor x, int64_t base, int64_t y0,
                       int64_t y1, int64_t x0, int64_t x1)
{
    int64_t w = x.shape[2], c = x.shape[3];
    bool half = x.dtype == DT_BF16, is_empty = y0 >= y1 || x0 >= x1;

    for (int64_t k = 0; k < c; k += LANES) {
        v16 best = splat(-INFINITY);
        i16 where = (i16){ 0 } - 1;
        i16 lane = (i16){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (int64_t p = y0; p < y1; p++) {
            for (int64_t q = x0; q < x1; q++) {
                int64_t at = (p * w + q) * c + k;
                v16 v = load_at(x.data, half, base + at, c - k);
                i16 more = (i16)(v > best) | (where < 0);
                best = blend(more, v, best);
                where = (more & (lane + (int32_t)at)) | (~more & where);
            }
        }
        store_at(y.data, y.dtype == DT_BF16, out + k, c - k, is_empty ? (v16){ 0 } : best);
        if (!arg.data) continue;
        int32_t *to = (int32_t *)arg.data + out + k;
        if (c - k >= LANES) *(i16u *)to = where;
        else
            for (int64_t i = 0; i < c - k; i++) to[i] = where[i];
    }
}

static void max_pool_row(struct tensor y, struct tensor arg, struct tensor x, int k, int stride, int pad, int64_t row)
{
    int64_t c = x.shape[3], b = row / y.shape[1], oy = row % y.shape[1];
    int64_t y0 = oy * stride - pad, y1 = y0 + k < x.shape[1] ? y0 + k : x.shape[1];

    for (int64_t ox = 0; ox < y.shape[2]; ox++) {
        int64_t x0 = ox * stride - pad, x1 = x0 + k < x.shape[2] ? x0 + k : x.shape[2];
        window_max(y, arg, (row * y.shape[2] + ox) * c, x, b * x.shape[1] * x.shape[2] * c, y0 < 0 ? 0 : y0, y1,
                   x0 < 0 ? 0 : x0, x1);
    }
}

int FAST_ROW(max_pool_forward)(struct device *d, struct tensor y, struct tensor arg, struct tensor x, int k, int stride,
                               int pad)
{
#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t row = 0; row < y.shape[0] * y.shape[1]; row++) max_pool_row(y, arg, x, k, stride, pad, row);
    return 0;
}

static void mean_of_image(struct tensor y, struct tensor x, int64_t b)
{
    int64_t c = x.shape[3], area = x.shape[1] * x.shape[2];

    for (int64_t k = 0; k < c; k += LANES) {
        v16 sum = { 0 };
        for (int64_t p = 0; p < area; p++) sum += load_at(x.data, x.dtype == DT_BF16, (b * area + p) * c + k, c - k);
        store_at(y.data, y.dtype == DT_BF16, b * c + k, c - k, sum / (float)area);
    }
}

int FAST_ROW(mean_pool_forward)(struct device *d, struct tensor y, struct tensor x)
{
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t b = 0; b < x.shape[0]; b++) mean_of_image(y, x, b);
    return 0;
}

/* Cells [*from, *to) of bin i of n along one axis, with Caffe's rounding. */
static void bin(double low, double high, double scale, int64_t i, int64_t n, int64_t limit, int64_t *from, int64_t *to)
{
    double start = round(low * scale), extent = fmax(round(high * scale) - start + 1, 1);

    *from = (int64_t)fmin(fmax(floor((double)i * extent / (double)n) + start, 0), (double)limit);
    *to = (int64_t)fmin(fmax(ceil((double)(i + 1) * extent / (double)n) + start, 0), (double)limit);
}

static void roi_row(struct tensor y, struct tensor arg, struct tensor x, const float *roi, float scale, int64_t r,
                    int64_t p)
{
    int64_t c = x.shape[3], y0, y1, x0, x1, base = (int64_t)roi[0] * x.shape[1] * x.shape[2] * c;

    bin(roi[2], roi[4], scale, p, y.shape[1], x.shape[1], &y0, &y1);
    for (int64_t q = 0; q < y.shape[2]; q++) {
        bin(roi[1], roi[3], scale, q, y.shape[2], x.shape[2], &x0, &x1);
        window_max(y, arg, ((r * y.shape[1] + p) * y.shape[2] + q) * c, x, base, y0, y1, x0, x1);
    }
}

int FAST_ROW(roi_pool_forward)(struct device *d, struct tensor y, struct tensor arg, struct tensor x,
                               struct tensor rois, float spatial_scale)
{
#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t j = 0; j < y.shape[0] * y.shape[1]; j++)
        roi_row(y, arg, x, (const float *)rois.data + j / y.shape[1] * 5, spatial_scale, j / y.shape[1],
                j % y.shape[1]);
    return 0;
}

/* Adds channels [from, to) of all regions: one writer per channel, regions in order. */
static void roi_scatter(struct tensor dx, struct tensor dy, struct tensor arg, struct tensor rois, int64_t from,
                        int64_t to)
{
    int64_t c = dx.shape[3], image = dx.shape[1] * dx.shape[2] * c, bins = dy.shape[1] * dy.shape[2];

    for (int64_t p = 0; p < dy.shape[0] * bins; p++) {
        int64_t base = (int64_t)((const float *)rois.data)[p / bins * 5] * image;
        const int32_t *where = (const int32_t *)arg.data + p * c;
        for (int64_t k = from; k < to; k++) {
            if (where[k] < 0) continue;
            if (dx.dtype == DT_BF16) {
                uint16_t *cell = (uint16_t *)dx.data + base + where[k];
                *cell = f32_to_bf16(bf16_to_f32(*cell) + bf16_to_f32(((const uint16_t *)dy.data)[p * c + k]));
            } else {
                ((float *)dx.data)[base + where[k]] += ((const float *)dy.data)[p * c + k];
            }
        }
    }
}

int FAST_ROW(roi_pool_backward)(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg,
                                struct tensor rois)
{
    int64_t c = dx.shape[3], block = (c + d->threads - 1) / d->threads;

    FAST_ROW(fill)(d, dx, 0);
    block = (block + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(d->threads) if (dy.n > FAST_PARALLEL)
    for (int64_t k = 0; k < c; k += block) roi_scatter(dx, dy, arg, rois, k, k + block < c ? k + block : c);
    return 0;
}

/* One axis of RoIAlign's bins. Bilinear weights are products of one for the row and one for the column, and so are the
 * means of them over a bin's samples: the mean of samples is a weighted sum over the cells between. */
struct axis {
    double low, size; /* in cells: where bin 0 begins; of each bin */
    int64_t samples, limit;
};

static struct axis axis_of(float low, float high, float scale, int64_t bins, int64_t limit, int samples)
{
    struct axis a = { low * (double)scale - 0.5, ((double)high - low) * scale / (double)bins, samples, limit };

    if (samples <= 0) a.samples = (int64_t)fmax(ceil(a.size), 1);
    return a;
}

static double sample_at(const struct axis *a, int64_t i, int64_t k)
{
    return a->low + ((double)i + ((double)k + 0.5) / (double)a->samples) * a->size;
}

static double inside(const struct axis *a, double at)
{
    return fmin(fmax(at, 0), (double)(a->limit - 1));
}

/* What cell p weighs in bin i. Samples that are more than a cell outside are 0. */
static float cell_weight(const struct axis *a, int64_t i, int64_t p)
{
    double sum = 0;

    for (int64_t k = 0; k < a->samples; k++) {
        double at = sample_at(a, i, k);
        if (at >= -1 && at <= (double)a->limit) sum += fmax(1 - fabs(inside(a, at) - (double)p), 0);
    }
    return (float)(sum / (double)a->samples);
}

/* Cells that bin i may touch: from the one before its first sample to the one after its last. */
static void touched(const struct axis *a, int64_t i, int64_t *from, int64_t *to)
{
    *from = (int64_t)inside(a, sample_at(a, i, 0));
    *to = (int64_t)inside(a, sample_at(a, i, a->samples - 1)) + 2;
    if (*to > a->limit) *to = a->limit;
}

static void align_bin(float *sum, struct tensor x, int64_t base, const struct axis *ya, const struct axis *xa,
                      int64_t row, int64_t column)
{
    int64_t c = x.shape[3], y0, y1, x0, x1;

    touched(ya, row, &y0, &y1);
    touched(xa, column, &x0, &x1);
    memset(sum, 0, (size_t)c * sizeof *sum);
    for (int64_t p = y0; p < y1; p++) {
        float weight = cell_weight(ya, row, p);
        for (int64_t q = x0; q < x1; q++) {
            float w = weight * cell_weight(xa, column, q);
            int64_t at = base + (p * x.shape[2] + q) * c;
            for (int64_t k = 0; k < c; k += LANES)
                store_at(sum, false, k, c - k,
                         load_at(sum, false, k, c - k) + w * load_at(x.data, x.dtype == DT_BF16, at + k, c - k));
        }
    }
}

static void align_row(struct tensor y, struct tensor x, const float *roi, float scale, int samples, int64_t j)
{
    int64_t c = x.shape[3], base = (int64_t)roi[0] * x.shape[1] * x.shape[2] * c;
    const struct axis ya = axis_of(roi[2], roi[4], scale, y.shape[1], x.shape[1], samples),
                      xa = axis_of(roi[1], roi[3], scale, y.shape[2], x.shape[2], samples);
    float *sum = mem_new(float, c);

    for (int64_t q = 0; q < y.shape[2]; q++) {
        align_bin(sum, x, base, &ya, &xa, j % y.shape[1], q);
        for (int64_t k = 0; k < c; k += LANES)
            store_at(y.data, y.dtype == DT_BF16, (j * y.shape[2] + q) * c + k, c - k, load_at(sum, false, k, c - k));
    }
    free(sum);
}

int FAST_ROW(roi_align_forward)(struct device *d, struct tensor y, struct tensor x, struct tensor rois,
                                float spatial_scale, int samples)
{
#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t j = 0; j < y.shape[0] * y.shape[1]; j++)
        align_row(y, x, (const float *)rois.data + j / y.shape[1] * 5, spatial_scale, samples, j);
    return 0;
}
