/* Bringing a bf16 matrix w[K,N] into the layout that oneDNN's products like best: blocks of 32 rows by 64 columns, and
 * in a block the elements of rows 2i and 2i + 1 side by side, as the processor's products of pairs want them. For
 * matrices of activations, which are used once: the library's own conversion costs more than what it gains. */
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <omp.h>

enum { PAIRS = 16, COLUMNS = 64, HALVES = 32 };
typedef uint16_t h32 __attribute__((vector_size(64)));
typedef uint16_t h32u __attribute__((vector_size(64), aligned(2)));

INLINE void interleave(uint16_t *to, h32 a, h32 b)
{
    *(h32 *)to = SHUFFLE(h32, a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11,
                         43, 12, 44, 13, 45, 14, 46, 15, 47);
    *(h32 *)(to + HALVES) = SHUFFLE(h32, a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56,
                                    25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
}

/* Up to HALVES elements; zeros after them. */
INLINE h32 load_halves(const uint16_t *from, int64_t n)
{
    h32 v = { 0 };

    if (n >= HALVES) return *(const h32u *)from;
    for (int64_t i = 0; i < n; i++) v[i] = from[i];
    return v;
}

/* Two rows of a block; a row past the matrix is zero. */
INLINE void pack_pair(uint16_t *to, const uint16_t *w, int64_t rows, int64_t n, int64_t k, int64_t c)
{
    for (int64_t half = 0; half < COLUMNS; half += HALVES, to += 2 * HALVES) {
        h32 a = load_halves(w + k * n + c + half, k < rows ? n - c - half : 0),
            b = load_halves(w + (k + 1) * n + c + half, k + 1 < rows ? n - c - half : 0);
        interleave(to, a, b);
    }
}

static void pack_rows(uint16_t *to, const uint16_t *w, int64_t rows, int64_t n, int64_t from, int64_t padded)
{
    for (int64_t c = 0; c < n; c += COLUMNS) {
        uint16_t *block = to + c * padded + from * COLUMNS;
        for (int64_t k = from; k < from + 2 * PAIRS; k += 2, block += 2 * COLUMNS) pack_pair(block, w, rows, n, k, c);
    }
}

bool FAST_ROW(pack_fits)(const struct layout *l)
{
    const dnnl_memory_desc_t *p = &l->plain, *w = &l->wanted;
    const dnnl_blocking_desc_t *b = &w->format_desc.blocking;

    return w->format_kind == dnnl_blocked && w->data_type == dnnl_bf16 && p->format_desc.blocking.strides[1] == 1 &&
           p->format_desc.blocking.strides[0] == p->dims[1] && b->inner_nblks == 3 && b->inner_blks[0] == PAIRS &&
           b->inner_blks[1] == COLUMNS && b->inner_blks[2] == 2 && b->inner_idxs[0] == 0 && b->inner_idxs[1] == 1 &&
           b->inner_idxs[2] == 0 && b->strides[0] == 2 * PAIRS * COLUMNS &&
           b->strides[1] == w->padded_dims[0] * COLUMNS && w->padded_dims[0] % (2 * PAIRS) == 0 && !w->offset0 &&
           !w->extra.flags;
}

void FAST_ROW(pack)(struct device *d, void *to, const void *w, const struct layout *l)
{
    int64_t rows = l->plain.dims[0], n = l->plain.dims[1], padded = l->wanted.padded_dims[0];

#pragma omp parallel for num_threads(d->threads) if (rows * n > FAST_PARALLEL)
    for (int64_t k = 0; k < padded; k += 2 * PAIRS) pack_rows(to, w, rows, n, k, padded);
}
