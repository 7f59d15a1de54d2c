/* Group norm on NHWC: sums are taken per channel over blocks of positions (vectors run over channels), then joined per
 * group. Blocks depend on the shape only and are joined in order. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <math.h>
#include <omp.h>

enum { POSITIONS = 512 };

struct maps {
    int64_t images, area, c, blocks; /* blocks of positions per image */
    int groups;
    bool relu;
    struct tensor x, y, dx, dy, stats, g, b;
};

static struct maps maps_of(struct tensor x, struct tensor stats, struct tensor g, int groups, bool relu)
{
    int64_t area = x.shape[1] * x.shape[2];

    return (struct maps){ .images = x.shape[0],
                          .area = area,
                          .c = x.shape[3],
                          .blocks = (area + POSITIONS - 1) / POSITIONS,
                          .groups = groups,
                          .relu = relu,
                          .x = x,
                          .stats = stats,
                          .g = g };
}

static int64_t positions(const struct maps *m, int64_t block)
{
    int64_t left = m->area - block * POSITIONS;

    return left < POSITIONS ? left : POSITIONS;
}

/* sums[0][c], sums[1][c] of one block: of x - k and its square, where k is the channel's value at the image's first
 * position (so that little cancels when the variance is taken from them). */
static void forward_sums(const struct maps *m, int64_t image, int64_t block, float *sums)
{
    int64_t c = m->c, from = (image * m->area + block * POSITIONS) * c, n = positions(m, block);
    bool half = m->x.dtype == DT_BF16;

    for (int64_t k = 0; k < c; k += LANES) {
        v16 sum = { 0 }, squares = { 0 }, shift = load_at(m->x.data, half, image * m->area * c + k, c - k);
        for (int64_t p = 0; p < n; p++) {
            v16 v = load_at(m->x.data, half, from + p * c + k, c - k) - shift;
            sum += v;
            squares += v * v;
        }
        store_at(sums, false, k, c - k, sum);
        store_at(sums, false, c + k, c - k, squares);
    }
}

/* The slope that reaches the norm, and the normalised value. */
INLINE v16 slope_at(const struct maps *m, int64_t i, int64_t left)
{
    v16 dy = load_at(m->dy.data, m->dy.dtype == DT_BF16, i, left);

    return m->relu ? blend((i16)(load_at(m->y.data, m->y.dtype == DT_BF16, i, left) > 0), dy, (v16){ 0 }) : dy;
}

/* mean and rstd per channel of an image. */
static void channel_stats(const struct maps *m, int64_t image, float *mean, float *rstd)
{
    const float *stats = (const float *)m->stats.data + 2 * image * m->groups;
    int64_t width = m->c / m->groups;

    for (int64_t k = 0; k < m->c; k++) {
        mean[k] = stats[2 * (k / width)];
        rstd[k] = stats[2 * (k / width) + 1];
    }
}

/* sums[0][c], sums[1][c] of one block: of the slope and of slope * normalised x. mean, rstd per channel. */
static void backward_sums(const struct maps *m, int64_t image, int64_t block, const float *mean, const float *rstd,
                          float *sums)
{
    int64_t c = m->c, from = (image * m->area + block * POSITIONS) * c, n = positions(m, block);
    bool half = m->x.dtype == DT_BF16;

    for (int64_t k = 0; k < c; k += LANES) {
        v16 sum = { 0 }, dot = { 0 }, mu = load_at(mean, false, k, c - k), r = load_at(rstd, false, k, c - k);
        for (int64_t p = 0; p < n; p++) {
            int64_t i = from + p * c + k;
            v16 slope = slope_at(m, i, c - k);
            sum += slope;
            dot += slope * (load_at(m->x.data, half, i, c - k) - mu) * r;
        }
        store_at(sums, false, k, c - k, sum);
        store_at(sums, false, c + k, c - k, dot);
    }
}

/* y = x * gain + offset per channel (and relu). */
static void forward_apply(const struct maps *m, int64_t image, int64_t block, const float *gain, const float *offset)
{
    int64_t c = m->c, from = (image * m->area + block * POSITIONS) * c, n = positions(m, block);
    bool half = m->x.dtype == DT_BF16, y_half = m->y.dtype == DT_BF16;

    for (int64_t p = 0; p < n; p++) {
        for (int64_t k = 0; k < c; k += LANES) {
            int64_t i = from + p * c + k;
            v16 v =
                load_at(m->x.data, half, i, c - k) * load_at(gain, false, k, c - k) + load_at(offset, false, k, c - k);
            store_at(m->y.data, y_half, i, c - k, m->relu ? blend((i16)(v > 0), v, (v16){ 0 }) : v);
        }
    }
}

/* dx = rstd (slope g - (sum + unit dot) / n): as slope * a + x * b + e per channel. */
static void backward_apply(const struct maps *m, int64_t image, int64_t block, const float *a, const float *b,
                           const float *e)
{
    int64_t c = m->c, from = (image * m->area + block * POSITIONS) * c, n = positions(m, block);

    for (int64_t p = 0; p < n; p++) {
        for (int64_t k = 0; k < c; k += LANES) {
            int64_t i = from + p * c + k, left = c - k;
            v16 v = slope_at(m, i, left) * load_at(a, false, k, left) +
                    load_at(m->x.data, m->x.dtype == DT_BF16, i, left) * load_at(b, false, k, left) +
                    load_at(e, false, k, left);
            store_at(m->dx.data, m->dx.dtype == DT_BF16, i, left, v);
        }
    }
}

/* Working memory: sums of all blocks, then for each image six rows of c. */
static float *rooms(struct device *d, const struct maps *m, float **per_image)
{
    int64_t sums = m->images * m->blocks * 2 * m->c;
    float *room = fast_room(d, ROOM_PARTIAL, (sums + m->images * 6 * m->c + 64) * (int64_t)sizeof(float));

    *per_image = room ? room + sums : NULL;
    return room;
}

/* Adds the blocks' sums of an image: total[0][c], total[1][c] in double. */
static double total(const struct maps *m, const float *sums, int64_t image, int which, int64_t channel)
{
    double sum = 0;

    for (int64_t b = 0; b < m->blocks; b++) sum += sums[((image * m->blocks + b) * 2 + which) * m->c + channel];
    return sum;
}

/* Mean and 1/deviation of channels [first, first + width) from their shifted sums: variance inside channels and between
 * them. */
static void group_stats(const struct maps *m, const float *sums, int64_t image, int64_t first, int64_t width,
                        double eps, double *mean, double *rstd)
{
    double area = (double)m->area, inside = 0, between = 0;

    *mean = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t k = first; k < first + width; k++) {
            int64_t at = image * m->area * m->c + k;
            double shift =
                m->x.dtype == DT_BF16 ? bf16_to_f32(((const uint16_t *)m->x.data)[at]) : ((const float *)m->x.data)[at];
            double sum = total(m, sums, image, 0, k), own = shift + sum / area;
            if (!pass) {
                *mean += own / (double)width;
                inside += fmax(total(m, sums, image, 1, k) - sum * sum / area, 0);
            } else {
                between += (own - *mean) * (own - *mean) * area;
            }
        }
    }
    *rstd = 1 / sqrt((inside + between) / (area * (double)width) + eps);
}

int FAST_ROW(group_norm_forward)(struct device *d, struct tensor y, struct tensor stats, struct tensor x,
                                 struct tensor g, struct tensor b, int groups, float eps, bool relu)
{
    struct maps m = maps_of(x, stats, g, groups, relu);
    float *rows, *sums = rooms(d, &m, &rows);
    int64_t jobs = m.images * m.blocks, width = m.c / groups;

    if (!sums) return -1;
    m.y = y;
    m.b = b;
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t j = 0; j < jobs; j++) forward_sums(&m, j / m.blocks, j % m.blocks, sums + j * 2 * m.c);
    for (int64_t s = 0; s < m.images * groups; s++) {
        double mean, rstd;
        group_stats(&m, sums, s / groups, s % groups * width, width, eps, &mean, &rstd);
        ((float *)stats.data)[2 * s] = (float)mean;
        ((float *)stats.data)[2 * s + 1] = (float)rstd;
        float *gain = rows + s / groups * 6 * m.c, *offset = gain + m.c;
        for (int64_t k = s % groups * width; k < (s % groups + 1) * width; k++) {
            gain[k] = (float)(rstd * ((const float *)g.data)[k]);
            offset[k] = (float)(((const float *)b.data)[k] - mean * rstd * ((const float *)g.data)[k]);
        }
    }
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t j = 0; j < jobs; j++) {
        const float *gain = rows + j / m.blocks * 6 * m.c;
        forward_apply(&m, j / m.blocks, j % m.blocks, gain, gain + m.c);
    }
    return 0;
}

int FAST_ROW(group_norm_backward)(struct device *d, struct tensor dx, struct tensor dg, struct tensor db,
                                  struct tensor dy, struct tensor y, struct tensor x, struct tensor stats,
                                  struct tensor g, int groups, bool relu)
{
    struct maps m = maps_of(x, stats, g, groups, relu);
    float *rows, *sums = rooms(d, &m, &rows);
    int64_t jobs = m.images * m.blocks, width = m.c / groups;

    if (!sums) return -1;
    m.y = y;
    m.dx = dx;
    m.dy = dy;
    for (int64_t i = 0; i < m.images; i++) channel_stats(&m, i, rows + i * 6 * m.c, rows + i * 6 * m.c + m.c);
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t j = 0; j < jobs; j++) {
        const float *mean = rows + j / m.blocks * 6 * m.c;
        backward_sums(&m, j / m.blocks, j % m.blocks, mean, mean + m.c, sums + j * 2 * m.c);
    }
    for (int64_t s = 0; s < m.images * groups; s++) {
        double sum = 0, dot = 0, n = (double)(m.area * width);
        float *mean = rows + s / groups * 6 * m.c, *rstd = mean + m.c, *a = rstd + m.c, *b = a + m.c, *e = b + m.c;
        for (int64_t k = s % groups * width; k < (s % groups + 1) * width; k++) {
            double slope = total(&m, sums, s / groups, 0, k), unit = total(&m, sums, s / groups, 1, k);
            ((float *)dg.data)[k] += (float)unit;
            ((float *)db.data)[k] += (float)slope;
            sum += slope * ((const float *)g.data)[k];
            dot += unit * ((const float *)g.data)[k];
        }
        for (int64_t k = s % groups * width; k < (s % groups + 1) * width; k++) {
            a[k] = rstd[k] * ((const float *)g.data)[k];
            b[k] = (float)(-(double)rstd[k] * rstd[k] * dot / n);
            e[k] = (float)(-rstd[k] * (sum - mean[k] * (double)rstd[k] * dot) / n);
        }
    }
#pragma omp parallel for num_threads(d->threads) if (x.n > FAST_PARALLEL)
    for (int64_t j = 0; j < jobs; j++) {
        const float *a = rows + j / m.blocks * 6 * m.c + 2 * m.c;
        backward_apply(&m, j / m.blocks, j % m.blocks, a, a + m.c, a + 2 * m.c);
    }
    return 0;
}
