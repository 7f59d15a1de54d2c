/* Attention over packed sequences, tiled: a thread takes one head of one sequence and goes through it in tiles of
 * QUERIES x KEYS scores, with a running maximum and sum (online softmax), so that scores never leave the cache. The
 * tiles are small matrix products of f32 in registers; bf16 rows are widened when a head is loaded, except where
 * attention_half_fast.c takes over. Work is split by (sequence, head): every output has one writer, and the order of
 * all sums is fixed. */
#include "compute/cpu/attention.h"
#include "compute/cpu/simd.h"
#include <math.h>
#include <omp.h>
#include <string.h>

enum { QUERIES = 32, KEYS = 64, ROW_BLOCK = 4 };

/* c[m][n] (+)= a b, where element (i, k) of a is a[i * ai + k * ak], b is row-major with row stride ldb; n is a
 * multiple of 16. */
INLINE void small_product(float *c, int64_t ldc, const float *a, int64_t ai, int64_t ak, const float *b, int64_t ldb,
                          int64_t m, int64_t n, int64_t k, bool add)
{
    for (int64_t j = 0; j < n; j += 2 * LANES) {
        bool is_wide = j + LANES < n;
        for (int64_t i = 0; i < m; i += ROW_BLOCK) {
            int64_t rows = m - i < ROW_BLOCK ? m - i : ROW_BLOCK;
            v16 low[ROW_BLOCK] = { 0 }, high[ROW_BLOCK] = { 0 };
            const float *row[ROW_BLOCK];
            for (int64_t r = 0; r < ROW_BLOCK; r++) row[r] = a + (i + (r < rows ? r : 0)) * ai;
            if (is_wide) {
                for (int64_t x = 0; x < k; x++) {
                    v16 b0 = load(b + x * ldb + j), b1 = load(b + x * ldb + j + LANES);
                    for (int r = 0; r < ROW_BLOCK; r++) {
                        v16 s = splat(row[r][x * ak]);
                        low[r] += s * b0;
                        high[r] += s * b1;
                    }
                }
            } else {
                for (int64_t x = 0; x < k; x++) {
                    v16 b0 = load(b + x * ldb + j);
                    for (int r = 0; r < ROW_BLOCK; r++) low[r] += splat(row[r][x * ak]) * b0;
                }
            }
            for (int64_t r = 0; r < rows; r++) {
                float *to = c + (i + r) * ldc + j;
                store(to, add ? load(to) + low[r] : low[r]);
                if (is_wide) store(to + LANES, add ? load(to + LANES) + high[r] : high[r]);
            }
        }
    }
}

/* One head of one sequence, widened to f32; padded counts are multiples of 16 and padding is zero. */
struct head {
    int64_t rows, prefix, dim;        /* rows of the sequence, D */
    int64_t wide, padded;             /* D and rows, rounded up to 16 */
    float *q, *k, *v;                 /* [rows][wide] */
    float *kt, *vt;                   /* [wide][padded] */
    float *out, *dout, *dq, *dk, *dv; /* [rows][wide] */
    float *lse, *delta;               /* [rows] */
    float *score, *slope;             /* [QUERIES][KEYS] */
    float *keep;                      /* [QUERIES][KEYS] dropout factors */
};

static int64_t round_up(int64_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

/* Floats that a head of so many rows needs. */
static int64_t head_room(int64_t rows, int64_t dim)
{
    return 8 * rows * round_up(dim) + 2 * round_up(dim) * round_up(rows) + 2 * round_up(rows) + 3 * QUERIES * KEYS + 64;
}

static void head_layout(struct head *h, float *room)
{
    float **parts[] = { &h->q, &h->k, &h->v, &h->out, &h->dout, &h->dq, &h->dk, &h->dv };

    h->wide = round_up(h->dim);
    h->padded = round_up(h->rows);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++, room += h->rows * h->wide) *parts[i] = room;
    h->kt = room;
    h->vt = h->kt + h->wide * h->padded;
    h->lse = h->vt + h->wide * h->padded;
    h->delta = h->lse + h->padded;
    h->score = h->delta + h->padded;
    h->slope = h->score + QUERIES * KEYS;
    h->keep = h->slope + QUERIES * KEYS;
}

/* Columns [column, column + dim) of `rows` rows of a tensor with `stride` columns. */
INLINE void load_part(float *to, int64_t wide, const void *x, bool half, int64_t stride, int64_t column, int64_t from,
                      int64_t rows, int64_t dim)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t c = 0; c < wide; c += LANES)
            store(to + i * wide + c, load_at(x, half, (from + i) * stride + column + c, dim - c));
    }
}

INLINE void store_part(void *x, bool half, int64_t stride, int64_t column, int64_t from, int64_t rows, int64_t dim,
                       const float *part, int64_t wide)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t c = 0; c < dim; c += LANES)
            store_at(x, half, (from + i) * stride + column + c, dim - c, load(part + i * wide + c));
    }
}

/* wide columns, padded rows: both multiples of 16, so that only the source's last rows need care. */
INLINE void transpose(float *to, const float *from, int64_t rows, int64_t wide, int64_t padded)
{
    for (int64_t c = 0; c < wide; c += LANES) {
        for (int64_t i = 0; i < padded; i += LANES)
            transpose_block(to + c * padded + i, padded, from + i * wide + c, wide, rows - i);
    }
}

/* Scores of a tile: scale q k^T with what a row must not see at -infinity; n_keys rounded up to 16 columns. */
INLINE void tile_scores(const struct head *h, int64_t i0, int64_t n_rows, int64_t j0, int64_t n_keys, float scale)
{
    small_product(h->score, KEYS, h->q + i0 * h->wide, h->wide, 1, h->kt + j0, h->padded, n_rows, round_up(n_keys),
                  h->dim, false);
    for (int64_t i = 0; i < n_rows; i++) {
        float *row = h->score + i * KEYS;
        int64_t visible = h->prefix > i0 + i + 1 ? h->prefix : i0 + i + 1;
        if (visible > h->rows) visible = h->rows;
        for (int64_t j = 0; j < round_up(n_keys); j++) row[j] = j0 + j < visible ? row[j] * scale : -INFINITY;
    }
}

INLINE void tile_keep(const struct head *h, int64_t row, int64_t n_rows, int64_t j0, int64_t n_keys, int64_t heads,
                      int64_t head, const struct dropout *drop)
{
    for (int64_t i = 0; i < n_rows; i++)
        dropout_factors(h->keep + i * KEYS, round_up(n_keys),
                        ((uint64_t)((row + i) * heads + head) << 16) + (uint64_t)j0, drop);
}

static void head_forward(struct head *h, int64_t row, int64_t heads, int64_t head, float scale,
                         const struct dropout *drop)
{
    float max[QUERIES], total[QUERIES];

    transpose(h->kt, h->k, h->rows, h->wide, h->padded);
    memset(h->out, 0, (size_t)(h->rows * h->wide) * sizeof(float));
    for (int64_t i0 = 0; i0 < h->rows; i0 += QUERIES) {
        int64_t n = h->rows - i0 < QUERIES ? h->rows - i0 : QUERIES;
        for (int64_t i = 0; i < n; i++) {
            max[i] = -INFINITY;
            total[i] = 0;
        }
        for (int64_t j0 = 0; j0 < h->rows; j0 += KEYS) {
            int64_t m = h->rows - j0 < KEYS ? h->rows - j0 : KEYS;
            if (j0 >= h->prefix && j0 > i0 + n - 1) break; /* nobody sees further */
            tile_scores(h, i0, n, j0, m, scale);
            if (drop->p > 0) tile_keep(h, row + i0, n, j0, m, heads, head, drop);
            for (int64_t i = 0; i < n; i++) {
                float *s = h->score + i * KEYS, *out = h->out + (i0 + i) * h->wide;
                v16 top = load(s), sum = { 0 };
                for (int64_t j = LANES; j < round_up(m); j += LANES) top = vmax(top, load(s + j));
                float new_max = fmaxf(max[i], lane_max(top));
                if (new_max == -INFINITY) { /* this row sees nothing of the tile */
                    for (int64_t j = 0; j < round_up(m); j++) s[j] = 0;
                    continue;
                }
                float shrink = max[i] == -INFINITY ? 0 : expf(max[i] - new_max);
                for (int64_t j = 0; j < round_up(m); j += LANES) {
                    v16 p = vexp(load(s + j) - new_max);
                    sum += p;
                    if (drop->p > 0) p *= load(h->keep + i * KEYS + j);
                    store(s + j, p);
                }
                total[i] = total[i] * shrink + lane_sum(sum);
                max[i] = new_max;
                for (int64_t c = 0; c < h->wide; c += LANES) store(out + c, load(out + c) * shrink);
            }
            small_product(h->out + i0 * h->wide, h->wide, h->score, KEYS, 1, h->v + j0 * h->wide, h->wide, n, h->wide,
                          m, true);
        }
        for (int64_t i = 0; i < n; i++) {
            float *out = h->out + (i0 + i) * h->wide;
            for (int64_t c = 0; c < h->wide; c += LANES) store(out + c, load(out + c) / total[i]);
            h->lse[i0 + i] = max[i] + logf(total[i]);
        }
    }
}

static void head_backward(struct head *h, int64_t row, int64_t heads, int64_t head, float scale,
                          const struct dropout *drop)
{
    size_t bytes = (size_t)(h->rows * h->wide) * sizeof(float);

    transpose(h->kt, h->k, h->rows, h->wide, h->padded);
    transpose(h->vt, h->v, h->rows, h->wide, h->padded);
    memset(h->dq, 0, bytes);
    memset(h->dk, 0, bytes);
    memset(h->dv, 0, bytes);
    for (int64_t i = 0; i < h->rows; i++) {
        v16 dot = { 0 };
        for (int64_t c = 0; c < h->wide; c += LANES)
            dot += load(h->out + i * h->wide + c) * load(h->dout + i * h->wide + c);
        h->delta[i] = lane_sum(dot);
    }
    for (int64_t i0 = 0; i0 < h->rows; i0 += QUERIES) {
        int64_t n = h->rows - i0 < QUERIES ? h->rows - i0 : QUERIES;
        for (int64_t j0 = 0; j0 < h->rows; j0 += KEYS) {
            int64_t m = h->rows - j0 < KEYS ? h->rows - j0 : KEYS;
            if (j0 >= h->prefix && j0 > i0 + n - 1) break;
            tile_scores(h, i0, n, j0, m, scale);
            if (drop->p > 0) tile_keep(h, row + i0, n, j0, m, heads, head, drop);
            small_product(h->slope, KEYS, h->dout + i0 * h->wide, h->wide, 1, h->vt + j0, h->padded, n, round_up(m),
                          h->dim, false);
            for (int64_t i = 0; i < n; i++) {
                float *s = h->score + i * KEYS, *ds = h->slope + i * KEYS, *keep = h->keep + i * KEYS;
                for (int64_t j = 0; j < round_up(m); j += LANES) {
                    v16 p = vexp(load(s + j) - h->lse[i0 + i]), dp = load(ds + j),
                        factor = drop->p > 0 ? load(keep + j) : splat(1);
                    store(ds + j, p * (dp * factor - h->delta[i0 + i]) * scale);
                    store(s + j, p * factor);
                }
            }
            small_product(h->dv + j0 * h->wide, h->wide, h->score, 1, KEYS, h->dout + i0 * h->wide, h->wide, m, h->wide,
                          n, true);
            small_product(h->dq + i0 * h->wide, h->wide, h->slope, KEYS, 1, h->k + j0 * h->wide, h->wide, n, h->wide, m,
                          true);
            small_product(h->dk + j0 * h->wide, h->wide, h->slope, 1, KEYS, h->q + i0 * h->wide, h->wide, m, h->wide, n,
                          true);
        }
    }
}

/* Loads and stores of one head are kernels of their own: they, too, want the wide registers. */
static void load_rows(float *to, const struct head *h, struct tensor x, int64_t stride, int64_t column, int64_t from)
{
    load_part(to, h->wide, x.data, x.dtype == DT_BF16, stride, column, from, h->rows, h->dim);
}

static void store_rows(struct tensor x, int64_t stride, int64_t column, int64_t from, const struct head *h,
                       const float *part)
{
    store_part(x.data, x.dtype == DT_BF16, stride, column, from, h->rows, h->dim, part, h->wide);
}

static struct head head_of(const struct attention *w, int64_t job, void *room, int64_t *from)
{
    const int32_t *start = w->seq.start.data, *prefix = w->seq.prefix.data;
    int64_t s = job / w->heads, dim = w->hidden / w->heads, column = job % w->heads * dim;
    struct head h = { .rows = start[s + 1] - start[s], .prefix = prefix[s], .dim = dim };

    *from = start[s];
    head_layout(&h, room);
    load_rows(h.q, &h, w->qkv, 3 * w->hidden, column, *from);
    load_rows(h.k, &h, w->qkv, 3 * w->hidden, w->hidden + column, *from);
    load_rows(h.v, &h, w->qkv, 3 * w->hidden, 2 * w->hidden + column, *from);
    return h;
}

static void forward_job(const struct attention *w, int64_t job, void *room)
{
    int64_t from, heads = w->heads;
    struct head h = head_of(w, job, room, &from);

    head_forward(&h, from, heads, job % heads, w->scale, &w->drop);
    store_rows(w->out, w->hidden, job % heads * h.dim, from, &h, h.out);
    for (int64_t i = 0; i < h.rows; i++) ((float *)w->lse.data)[(from + i) * heads + job % heads] = h.lse[i];
}

static void backward_job(const struct attention *w, int64_t job, void *room)
{
    int64_t from, heads = w->heads, hidden = w->hidden;
    struct head h = head_of(w, job, room, &from);
    int64_t column = job % heads * h.dim;

    load_rows(h.out, &h, w->out, hidden, column, from);
    load_rows(h.dout, &h, w->dout, hidden, column, from);
    for (int64_t i = 0; i < h.rows; i++) h.lse[i] = ((const float *)w->lse.data)[(from + i) * heads + job % heads];
    head_backward(&h, from, heads, job % heads, w->scale, &w->drop);
    store_rows(w->dqkv, 3 * hidden, column, from, &h, h.dq);
    store_rows(w->dqkv, 3 * hidden, hidden + column, from, &h, h.dk);
    store_rows(w->dqkv, 3 * hidden, 2 * hidden + column, from, &h, h.dv);
}

typedef void job(const struct attention *w, int64_t job, void *room);

static int run_jobs(struct device *d, const struct attention *w, job *plain, job *half)
{
    const int32_t *start = w->seq.start.data;
    bool fits = FAST_ROW(attention_half_fits)(w);
    int64_t each = fits ? FAST_ROW(attention_half_room)(w)
                        : head_room(w->seq.longest, w->hidden / w->heads) * (int64_t)sizeof(float);

    each = (each + 63) / 64 * 64;
    char *room = fast_room(d, ROOM_ATTENTION, each * d->threads);
    if (!room) return -1;
#pragma omp parallel for num_threads(d->threads) schedule(dynamic, 4) if (w->qkv.n > FAST_PARALLEL)
    for (int64_t i = 0; i < w->seq.n * w->heads; i++) {
        if (start[i / w->heads] < start[i / w->heads + 1])
            (fits ? half : plain)(w, i, room + each * omp_get_thread_num());
    }
    return 0;
}

int FAST_ROW(attention_forward)(struct device *d, struct tensor out, struct tensor lse, struct tensor qkv,
                                struct sequences seq, int heads, float scale, struct dropout drop)
{
    struct attention w = { .out = out,
                           .lse = lse,
                           .qkv = qkv,
                           .seq = seq,
                           .hidden = out.shape[1],
                           .heads = heads,
                           .scale = scale,
                           .drop = drop };

    return run_jobs(d, &w, forward_job, FAST_ROW(attention_half_forward));
}

int FAST_ROW(attention_backward)(struct device *d, struct tensor dqkv, struct tensor dout, struct tensor out,
                                 struct tensor qkv, struct tensor lse, struct sequences seq, int heads, float scale,
                                 struct dropout drop)
{
    struct attention w = { out, lse, qkv, dqkv, dout, seq, out.shape[1], heads, scale, drop };

    return run_jobs(d, &w, backward_job, FAST_ROW(attention_half_backward));
}

/* A beam's new row against its cached rows: what they are and where. */
struct cached {
    const void *q, *k, *v; /* q: the row's; k, v: all of the cache */
    bool half, cache_half;
    const int32_t *slot; /* [length] */
    int64_t length, hidden;
    float scale, *score; /* [length + LANES] */
};

/* One head of `blocks` vectors, with the query in registers; constants for blocks and half unroll it. */
INLINE void cached_head(const struct cached *x, int64_t column, int64_t blocks, bool half, void *out)
{
    enum { MOST = 4 };
    v16 query[MOST], sum[MOST], total = { 0 };
    float max = -INFINITY;

    for (int64_t c = 0; c < blocks; c++) {
        query[c] = load_any(x->q, half, column + c * LANES) * x->scale;
        sum[c] = splat(0);
    }
    for (int64_t j = 0; j < x->length; j++) {
        int64_t at = x->slot[j] * x->hidden + column;
        v16 dot = query[0] * load_any(x->k, half, at);
        for (int64_t c = 1; c < blocks; c++) dot += query[c] * load_any(x->k, half, at + c * LANES);
        x->score[j] = lane_sum(dot);
        max = x->score[j] > max ? x->score[j] : max;
    }
    for (int64_t j = x->length; j % LANES; j++) x->score[j] = -INFINITY;
    for (int64_t j = 0; j < x->length; j += LANES) {
        v16 e = vexp(load_any(x->score, false, j) - max);
        store_at(x->score, false, j, LANES, e);
        total += e;
    }
    for (int64_t j = 0; j < x->length; j++) {
        int64_t at = x->slot[j] * x->hidden + column;
        for (int64_t c = 0; c < blocks; c++) sum[c] += x->score[j] * load_any(x->v, half, at + c * LANES);
    }
    float all = x->length ? lane_sum(total) : 1;
    for (int64_t c = 0; c < blocks; c++) store_at(out, half, column + c * LANES, LANES, sum[c] / all);
}

/* The same for heads of any width. */
static void cached_head_odd(const struct cached *x, int64_t column, int64_t dim, void *out)
{
    float max = -INFINITY, total = 0;

    for (int64_t j = 0; j < x->length; j++) {
        v16 dot = { 0 };
        for (int64_t c = 0; c < dim; c += LANES)
            dot += load_at(x->q, x->half, column + c, dim - c) *
                   load_at(x->k, x->cache_half, x->slot[j] * x->hidden + column + c, dim - c);
        x->score[j] = lane_sum(dot) * x->scale;
        max = x->score[j] > max ? x->score[j] : max;
    }
    for (int64_t j = 0; j < x->length; j++) {
        x->score[j] = expf(x->score[j] - max);
        total += x->score[j];
    }
    for (int64_t c = 0; c < dim; c += LANES) {
        v16 sum = { 0 };
        for (int64_t j = 0; j < x->length; j++)
            sum += x->score[j] * load_at(x->v, x->cache_half, x->slot[j] * x->hidden + column + c, dim - c);
        store_at(out, x->half, column + c, dim - c, total > 0 ? sum / total : sum);
    }
}

static void cached_row(const struct cached *x, int64_t heads, void *out)
{
    int64_t dim = x->hidden / heads;

    for (int64_t column = 0; column < x->hidden; column += dim) {
        if (dim != 4 * LANES || x->half != x->cache_half) cached_head_odd(x, column, dim, out);
        else if (x->half) cached_head(x, column, 4, true, out);
        else cached_head(x, column, 4, false, out);
    }
}

int FAST_ROW(attention_cached)(struct device *d, struct tensor out, struct tensor qkv, struct tensor k, struct tensor v,
                               struct tensor slots, struct tensor lengths, int heads, float scale)
{
    int64_t hidden = out.shape[1], width = slots.shape[1], size = dtype_size(out.dtype);
    float *room = fast_room(d, ROOM_ATTENTION, (width + LANES) * d->threads * (int64_t)sizeof(float));

    if (!room) return -1;
#pragma omp parallel for num_threads(d->threads) if (out.n > FAST_PARALLEL / 4)
    for (int64_t b = 0; b < out.shape[0]; b++) {
        struct cached x = { .q = (const char *)qkv.data + b * 3 * hidden * size,
                            .k = k.data,
                            .v = v.data,
                            .half = out.dtype == DT_BF16,
                            .cache_half = k.dtype == DT_BF16,
                            .slot = (const int32_t *)slots.data + b * width,
                            .length = ((const int32_t *)lengths.data)[b],
                            .hidden = hidden,
                            .scale = scale,
                            .score = room + (width + LANES) * omp_get_thread_num() };
        cached_row(&x, heads, (char *)out.data + b * hidden * size);
    }
    return 0;
}
