#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <omp.h>

/* y[row i] (+)= x[row k], or zeros for k < 0. */
static void gather_row(void *y, bool y_half, int64_t i, const void *x, bool x_half, int64_t k, int64_t h, bool add)
{
    for (int64_t c = 0; c < h; c += LANES) {
        v16 v = k < 0 ? (v16){ 0 } : load_at(x, x_half, k * h + c, h - c);
        if (add) v += load_at(y, y_half, i * h + c, h - c);
        store_at(y, y_half, i * h + c, h - c, v);
    }
}

int FAST_ROW(gather_rows)(struct device *d, struct tensor y, struct tensor x, struct tensor index, bool add)
{
    const int32_t *at = index.data;

#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t i = 0; i < index.n; i++)
        gather_row(y.data, y.dtype == DT_BF16, i, x.data, x.dtype == DT_BF16, at[i], y.shape[1], add);
    return 0;
}

/* Each thread adds all rows to its own columns: repeated indices are summed in order, by one writer. */
static void scatter_columns(struct tensor x, struct tensor y, const int32_t *at, int64_t from, int64_t to)
{
    int64_t h = y.shape[1];
    bool x_half = x.dtype == DT_BF16, y_half = y.dtype == DT_BF16;

    for (int64_t i = 0; i < y.shape[0]; i++) {
        for (int64_t c = from; at[i] >= 0 && c < to; c += LANES)
            store_at(x.data, x_half, at[i] * h + c, to - c,
                     load_at(x.data, x_half, at[i] * h + c, to - c) + load_at(y.data, y_half, i * h + c, to - c));
    }
}

int FAST_ROW(scatter_add_rows)(struct device *d, struct tensor x, struct tensor y, struct tensor index)
{
    int64_t h = y.shape[1], block = (h + d->threads - 1) / d->threads;
    block = (block + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(d->threads) if (y.n > FAST_PARALLEL)
    for (int64_t c = 0; c < h; c += block) scatter_columns(x, y, index.data, c, c + block < h ? c + block : h);
    return 0;
}
