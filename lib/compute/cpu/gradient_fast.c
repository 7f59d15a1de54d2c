/* dw[O,I] += dy[T,O]^T x[T,I], the gradient of a layer's weight, as a sum of outer products of rows: both factors are
 * taken as they lie, a step being one row of f32 or two rows of bf16 (as pairs, which the processor multiplies and
 * adds). The library's product would transpose dy first, which costs it a quarter of its rate. Columns are packed in
 * panels as wide as a tile of dw, for so many steps that panels stay in the cache; the tile is added to dw after them.
 * Every element of dw has one writer and its own order of sums, whatever the number of threads. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include <omp.h>

#ifdef __AVX512F__
enum {
    ROWS = 12,   /* of a tile */
    VECTORS = 2, /* of a tile's row */
    COLUMNS = VECTORS * LANES,
    STEPS = 512, /* between additions to dw */
    PANELS = 8,  /* of dy that a thread packs at a time */
    AHEAD = 12 /* steps that dy is fetched before it is packed: its rows are too far apart for the processor to guess */
};

/* A matrix [rows, width] that gives its columns in steps. */
struct factor {
    const void *data;
    bool half;
    int64_t rows, width;
};

/* Step k at column c as 32 bits; zeros past the matrix. */
INLINE uint32_t step_at(const struct factor *f, int64_t k, int64_t c)
{
    const uint16_t *half = f->data;

    if (c >= f->width) return 0;
    if (!f->half) return ((const uint32_t *)f->data)[k * f->width + c];
    uint32_t second = 2 * k + 1 < f->rows ? half[(2 * k + 1) * f->width + c] : 0;
    return half[2 * k * f->width + c] | second << 16;
}

/* Sixteen columns of a step. */
INLINE u16 step_vector(const struct factor *f, int64_t k, int64_t c)
{
    if (c + LANES > f->width) {
        u16 v;
        for (int i = 0; i < LANES; i++) v[i] = step_at(f, k, c + i);
        return v;
    }
    if (!f->half) return (u16)load((const float *)f->data + k * f->width + c);
    const uint16_t *at = (const uint16_t *)f->data + 2 * k * f->width + c;
    u16 v = __builtin_convertvector(*(const h16u *)at, u16);
    if (2 * k + 1 < f->rows) v |= __builtin_convertvector(*(const h16u *)(at + f->width), u16) << 16;
    return v;
}

/* Step k of x into all panels: wide[I / COLUMNS][STEPS + 1][COLUMNS], the step more against panels that share a set of
 * the cache. */
static void pack_wide(uint32_t *wide, const struct factor *f, int64_t from, int64_t k)
{
    for (int64_t c = 0; c < f->width; c += COLUMNS) {
        for (int j = 0; j < COLUMNS; j += LANES)
            store((float *)wide + c * (STEPS + 1) + k * COLUMNS + j, (v16)step_vector(f, from + k, c + j));
    }
}

INLINE void fetch_step(const struct factor *f, int64_t k, int64_t c)
{
    int64_t rows = f->half ? 2 : 1, size = f->half ? 2 : 4;
    const char *at = (const char *)f->data + (k * rows * f->width + c) * size;

    for (int64_t r = 0; r < rows; r++, at += f->width * size) {
        for (int64_t i = 0; i < PANELS * ROWS * size; i += 64) __builtin_prefetch(at + i);
    }
}

/* dy: to[PANELS][STEPS][ROWS] from column c on. Each step writes past its ROWS columns what the next overwrites: a
 * panel has room for that. sum: of the columns, LANES a panel, the last ones not of this panel. */
INLINE void pack_narrow(uint32_t *narrow, v16 sum[PANELS], const struct factor *f, int64_t from, int64_t steps,
                        int64_t c, int64_t to)
{
    for (int p = 0; p < PANELS; p++) sum[p] = (v16){ 0 };
    for (int64_t k = 0; k < steps; k++) {
        fetch_step(f, from + k + AHEAD, c);
        for (int p = 0; p < PANELS && c + p * ROWS < to; p++) {
            u16 v = step_vector(f, from + k, c + p * ROWS);
            store((float *)narrow + (p * (STEPS + 2) + k) * ROWS, (v16)v);
            sum[p] += f->half ? (v16)(v << 16) + (v16)(v & 0xffff0000) : (v16)v;
        }
    }
}

INLINE v16 multiply_add(v16 sum, uint32_t a, u16 b, bool half)
{
#ifdef __AVX512BF16__
    if (half) return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
#endif
    return sum + (v16)((u16){ 0 } + a) * (v16)b;
}

/* dw[rows, columns] += a tile. Only loops that are always whole are unrolled into registers. */
INLINE void tile(float *dw, int64_t ld, const uint32_t *a, const uint32_t *b, int64_t steps, bool half, int64_t rows,
                 int64_t columns)
{
    v16 sum[ROWS][VECTORS] = { 0 };

    for (int r = 0; r < ROWS; r++) {
        for (int j = 0; j < VECTORS && r < rows; j++) __builtin_prefetch(dw + r * ld + j * LANES, 1);
    }
    for (int64_t k = 0; k < steps; k++, a += ROWS, b += COLUMNS) {
        u16 v[VECTORS];
        for (int j = 0; j < VECTORS; j++) v[j] = (u16)load((const float *)b + j * LANES);
        for (int r = 0; r < ROWS; r++) {
            for (int j = 0; j < VECTORS; j++) sum[r][j] = multiply_add(sum[r][j], a[r], v[j], half);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        for (int j = 0; j < VECTORS; j++) {
            int64_t at = r * ld + j * LANES, left = columns - j * LANES;
            if (r < rows && left > 0) store_at(dw, false, at, left, load_at(dw, false, at, left) + sum[r][j]);
        }
    }
}

struct gradient {
    float *dw, *db;
    struct factor dy, x;
    uint32_t *wide; /* x, as pack_wide() packs it */
    int64_t from, steps;
};

/* Rows [o, to) of dw. */
INLINE void block(const struct gradient *g, uint32_t *narrow, int64_t o, int64_t to, bool half)
{
    v16 sum[PANELS];

    pack_narrow(narrow, sum, &g->dy, g->from, g->steps, o, to);
    for (int64_t r = 0; g->db && r < to - o; r++) g->db[o + r] += sum[r / ROWS][r % ROWS];
    for (int64_t i = 0; i < g->x.width; i += COLUMNS) {
        for (int64_t r = 0; r < to - o; r += ROWS)
            tile(g->dw + (o + r) * g->x.width + i, g->x.width, narrow + r * (STEPS + 2), g->wide + i * (STEPS + 1),
                 g->steps, half, to - o - r, g->x.width - i);
    }
}

static void block_half(const struct gradient *g, uint32_t *narrow, int64_t o, int64_t to)
{
    block(g, narrow, o, to, true);
}

static void block_exact(const struct gradient *g, uint32_t *narrow, int64_t o, int64_t to)
{
    block(g, narrow, o, to, false);
}

/* Rows of dw in pieces of at most PANELS tiles, as many for each thread. */
struct pieces {
    int64_t n, tiles;
};

static struct pieces cut(int64_t rows, int threads)
{
    int64_t tiles = (rows + ROWS - 1) / ROWS, most = (int64_t)threads * PANELS;

    return (struct pieces){ (tiles + most - 1) / most * threads, tiles };
}

static int64_t piece_start(const struct pieces *p, int64_t i)
{
    return i * p->tiles / p->n * ROWS;
}

bool FAST_ROW(gradient_fits)(struct tensor dw, struct tensor dy)
{
#ifdef __AVX512BF16__
    bool has_type = true;
#else
    bool has_type = dy.dtype == DT_F32;
#endif
    return has_type && dw.shape[0] >= ROWS && dw.shape[1] >= COLUMNS;
}

int FAST_ROW(gradient_add)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    bool half = dy.dtype == DT_BF16;
    int64_t T = dy.shape[0], O = dy.shape[1], I = x.shape[1], steps = half ? (T + 1) / 2 : T;
    struct pieces pieces = cut(O, d->threads);
    int64_t blocks = (steps + STEPS - 1) / STEPS;
    int64_t wide = (I + COLUMNS - 1) / COLUMNS * COLUMNS * (STEPS + 1), narrow = PANELS * (STEPS + 2) * ROWS;
    uint32_t *room = fast_room(d, ROOM_PACKED, (wide + narrow * d->threads) * (int64_t)sizeof *room);
    struct gradient g = { dw.data, db.data, { dy.data, half, T, O }, { x.data, half, T, I }, room, 0, 0 };

    if (!room) return -1;
#pragma omp parallel num_threads(d->threads) firstprivate(g)
    for (int64_t b = 0; b < blocks; b++) {
        g.from = b * steps / blocks;
        g.steps = (b + 1) * steps / blocks - g.from;
#pragma omp for
        for (int64_t k = 0; k < g.steps; k++) pack_wide(g.wide, &g.x, g.from, k);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < pieces.n; i++) {
            int64_t o = piece_start(&pieces, i), to = piece_start(&pieces, i + 1);
            (half ? block_half : block_exact)(&g, room + wide + narrow * omp_get_thread_num(), o, to < O ? to : O);
        }
    }
    return 0;
}
#else
bool FAST_ROW(gradient_fits)(struct tensor dw, struct tensor dy)
{
    return false;
}

int FAST_ROW(gradient_add)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    return -1;
}
#endif
