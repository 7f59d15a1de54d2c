/* Layer norm, alone and behind a residual with dropout. Gradients of gain and bias are sums over rows: rows are cut
 * into a number of parts that depends on the shape only, each part is summed by one thread, the parts are added in
 * order. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <math.h>
#include <omp.h>
#include <string.h>

enum { ROWS = 16, PARTS = 64, WIDE = 64 };

/* stats and y of one row whose values are in x (f32). */
INLINE void norm_row(void *y, bool half, int64_t at, float *stats, const float *x, int64_t h, const float *g,
                     const float *b, float eps)
{
    v16 sum = { 0 }, squares = { 0 };

    for (int64_t i = 0; i < h; i += LANES) sum += load_at(x, false, i, h - i);
    float mean = lane_sum(sum) / (float)h;
    for (int64_t i = 0; i < h; i += LANES) {
        v16 gap = load_at(x, false, i, h - i) - mean;
        if (h - i < LANES) { /* lanes past the end are not zero any more */
            float part[LANES] = { 0 };
            store_tail(part, false, 0, h - i, gap);
            gap = load(part);
        }
        squares += gap * gap;
    }
    float rstd = 1 / sqrtf(lane_sum(squares) / (float)h + eps);
    stats[0] = mean;
    stats[1] = rstd;
    for (int64_t i = 0; i < h; i += LANES) {
        int64_t left = h - i;
        store_at(y, half, at + i, left,
                 (load_at(x, false, i, left) - mean) * rstd * load_at(g, false, i, left) + load_at(b, false, i, left));
    }
}

struct forward {
    struct tensor y, sum, stats, residual, sub, g, b;
    float eps;
    const struct dropout *drop;
};

/* room: [3][width] floats of the calling thread. */
static void forward_rows(const struct forward *f, int64_t from, int64_t to, float *room)
{
    int64_t h = f->y.shape[1];
    float *x = room, *factor = room + h + WIDE;

    for (int64_t t = from; t < to; t++) {
        int64_t at = t * h, skew = at % 4; /* dropout blocks start at multiples of four */
        if (f->drop && f->drop->p > 0) dropout_factors(factor, h + skew, (uint64_t)(at - skew), f->drop);
        for (int64_t i = 0; i < h; i += LANES) {
            int64_t left = h - i;
            v16 v = load_at(f->residual.data, f->residual.dtype == DT_BF16, at + i, left);
            if (f->sub.data) {
                v16 s = load_at(f->sub.data, f->sub.dtype == DT_BF16, at + i, left);
                if (f->drop->p > 0) s *= load_at(factor, false, skew + i, left);
                v += s;
                store_at(f->sum.data, f->sum.dtype == DT_BF16, at + i, left, v);
                /* what backward will read is what forward uses */
                v = load_at(f->sum.data, f->sum.dtype == DT_BF16, at + i, left);
            }
            store_at(x, false, i, left, v);
        }
        norm_row(f->y.data, f->y.dtype == DT_BF16, at, (float *)f->stats.data + 2 * t, x, h, f->g.data, f->b.data,
                 f->eps);
    }
}

static int forward(struct device *d, const struct forward *f)
{
    int64_t rows = f->y.shape[0], each = 3 * (f->y.shape[1] + WIDE);
    float *room = fast_room(d, ROOM_PARTIAL, each * d->threads * (int64_t)sizeof(float));

    if (!room) return -1;
#pragma omp parallel for num_threads(d->threads) if (f->y.n > FAST_PARALLEL / 2)
    for (int64_t t = 0; t < rows; t += ROWS)
        forward_rows(f, t, t + ROWS < rows ? t + ROWS : rows, room + each * omp_get_thread_num());
    return 0;
}

int FAST_ROW(layer_norm_forward)(struct device *d, struct tensor y, struct tensor stats, struct tensor x,
                                 struct tensor g, struct tensor b, float eps)
{
    return forward(d, &(struct forward){ .y = y, .stats = stats, .residual = x, .g = g, .b = b, .eps = eps });
}

int FAST_ROW(residual_norm_forward)(struct device *d, struct tensor y, struct tensor sum, struct tensor stats,
                                    struct tensor residual, struct tensor sub, struct tensor g, struct tensor b,
                                    float eps, struct dropout drop)
{
    return forward(d, &(struct forward){ y, sum, stats, residual, sub, g, b, eps, &drop });
}

struct backward {
    struct tensor dx, dsub, dy, x, stats, g;
    const struct dropout *drop;
};

/* Rows [from, to): dx (and dsub), and the sums of this part for gain and bias. Both passes use the same rounded dy * g:
 * a product that is contracted in one of them only would leave its rounding, times rstd, where the terms cancel. */
static void backward_rows(const struct backward *w, int64_t from, int64_t to, float *dg, float *db, float *dn_row,
                          float *factor)
{
    int64_t h = w->x.shape[1];
    bool x_half = w->x.dtype == DT_BF16, dy_half = w->dy.dtype == DT_BF16, dx_half = w->dx.dtype == DT_BF16;
    const float *g = w->g.data;

    memset(dg, 0, (size_t)h * sizeof *dg);
    memset(db, 0, (size_t)h * sizeof *db);
    for (int64_t t = from; t < to; t++) {
        const float *stats = (const float *)w->stats.data + 2 * t;
        float mean = stats[0], rstd = stats[1];
        int64_t at = t * h, skew = at % 4;
        v16 sum = { 0 }, dot = { 0 };
        for (int64_t i = 0; i < h; i += LANES) {
            int64_t left = h - i;
            v16 dy = load_at(w->dy.data, dy_half, at + i, left),
                unit = (load_at(w->x.data, x_half, at + i, left) - mean) * rstd;
            v16 dn = dy * load_at(g, false, i, left);
            store(dn_row + i, dn); /* has room for whole vectors */
            sum += dn;
            dot += dn * unit; /* lanes past the end have dy = 0 */
            store_at(dg, false, i, left, load_at(dg, false, i, left) + dy * unit);
            store_at(db, false, i, left, load_at(db, false, i, left) + dy);
        }
        float mean_dn = lane_sum(sum) / (float)h, mean_dot = lane_sum(dot) / (float)h;
        if (w->dsub.data && w->drop->p > 0) dropout_factors(factor, h + skew, (uint64_t)(at - skew), w->drop);
        for (int64_t i = 0; i < h; i += LANES) {
            int64_t left = h - i;
            v16 unit = (load_at(w->x.data, x_half, at + i, left) - mean) * rstd;
            v16 dx = rstd * (load(dn_row + i) - mean_dn - unit * mean_dot);
            store_at(w->dx.data, dx_half, at + i, left, dx);
            if (!w->dsub.data) continue;
            if (w->drop->p > 0) dx *= load_at(factor, false, skew + i, left);
            store_at(w->dsub.data, w->dsub.dtype == DT_BF16, at + i, left, dx);
        }
    }
}

static int backward(struct device *d, const struct backward *w, struct tensor dg, struct tensor db)
{
    int64_t rows = w->x.shape[0], h = w->x.shape[1], part = (rows + PARTS - 1) / PARTS, parts;
    int64_t wide = (h + LANES - 1) / LANES * LANES, each = 4 * wide + WIDE;
    if (part < ROWS) part = ROWS;
    parts = (rows + part - 1) / part;
    float *room = fast_room(d, ROOM_PARTIAL, parts * each * (int64_t)sizeof(float));

    if (!room) return -1;
#pragma omp parallel for num_threads(d->threads) if (w->x.n > FAST_PARALLEL / 2)
    for (int64_t p = 0; p < parts; p++) {
        float *mine = room + p * each;
        backward_rows(w, p * part, (p + 1) * part < rows ? (p + 1) * part : rows, mine, mine + h, mine + 2 * wide,
                      mine + 3 * wide);
    }
    for (int64_t p = 0; p < parts; p++) {
        for (int64_t i = 0; i < h; i++) {
            ((float *)dg.data)[i] += room[p * each + i];
            ((float *)db.data)[i] += room[p * each + h + i];
        }
    }
    return 0;
}

int FAST_ROW(layer_norm_backward)(struct device *d, struct tensor dx, struct tensor dg, struct tensor db,
                                  struct tensor dy, struct tensor x, struct tensor stats, struct tensor g)
{
    return backward(d, &(struct backward){ .dx = dx, .dy = dy, .x = x, .stats = stats, .g = g }, dg, db);
}

int FAST_ROW(residual_norm_backward)(struct device *d, struct tensor dresidual, struct tensor dsub, struct tensor dg,
                                     struct tensor db, struct tensor dy, struct tensor sum, struct tensor stats,
                                     struct tensor g, struct dropout drop)
{
    return backward(d, &(struct backward){ dresidual, dsub, dy, sum, stats, g, &drop }, dg, db);
}
