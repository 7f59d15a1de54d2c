/* Attention in bf16 where the processor multiplies pairs of bf16 numbers and adds the products in f32: the same tiles,
 * rules and order of sums as in attention_fast.c, with probabilities and their gradients rounded to bf16 where they
 * become factors. Rows of queries, keys and values are read in place; what a product needs as its second factor is
 * packed once a head, either as pairs of columns (transposed) or as pairs of rows. */
#include "compute/cpu/attention.h"
#include "compute/cpu/simd.h"

#ifdef __AVX512BF16__
#include <math.h>
#include <string.h>

enum { TILE = 64, QUAD = 4 /* vectors of a tile's row; rows that a product works on */ };

/* One head of one sequence. Pairs are two bf16 numbers in 32 bits. */
struct half_head {
    const struct attention *w;
    int64_t from, rows, prefix, padded; /* padded: rows, rounded up to whole tiles */
    int64_t column, head, dim;
    const uint16_t *q, *k, *v, *dout;                 /* [rows], in place, with strides 3H and H */
    uint32_t *kt, *vt;                                /* [dim / 2][padded] pairs of columns, transposed */
    uint32_t *k_pairs, *v_pairs, *q_pairs, *do_pairs; /* [padded / 2][dim] pairs of rows */
    float *dk, *dv;                                   /* [padded][dim] */
    float *out;                                       /* [TILE][dim]: of forward, or the gradient of the queries */
    float *score, *slope;                             /* [TILE][TILE] */
    uint16_t *factor;                                 /* [TILE][TILE] probabilities, or their gradients */
    uint32_t *p_pairs, *s_pairs; /* [TILE / 2][TILE] pairs of rows of probabilities, and of gradients */
    float lse[TILE], delta[TILE];
};

INLINE v16 dot_pairs(v16 sum, uint32_t a, const uint32_t *b)
{
    return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)_mm512_loadu_si512(b));
}

/* c[rows][16 vectors] (+)= the sum over pairs of a(i, p) b[p][.]; a(i, p) = a[i * ai + p * ap]. */
INLINE void quad_product(float *c, int64_t ldc, const uint32_t *a, int64_t ai, int64_t ap, const uint32_t *b,
                         int64_t ldb, int64_t rows, int vectors, int64_t pairs, bool add)
{
    for (int64_t i = 0; i < rows; i += QUAD) {
        int64_t n = rows - i < QUAD ? rows - i : QUAD;
        v16 sum[QUAD][QUAD] = { 0 };
        const uint32_t *row[QUAD];
        for (int64_t r = 0; r < QUAD; r++) row[r] = a + (i + (r < n ? r : 0)) * ai;
        for (int64_t p = 0; p < pairs; p++) {
            for (int r = 0; r < QUAD; r++) {
                for (int j = 0; j < vectors; j++)
                    sum[r][j] = dot_pairs(sum[r][j], row[r][p * ap], b + p * ldb + j * LANES);
            }
        }
        for (int64_t r = 0; r < n; r++) {
            float *to = c + (i + r) * ldc;
            for (int j = 0; j < vectors; j++, to += LANES) store(to, add ? load(to) + sum[r][j] : sum[r][j]);
        }
    }
}

/* The same for any number of columns that is a multiple of 32. */
static void pair_product(float *c, int64_t ldc, const uint32_t *a, int64_t ai, int64_t ap, const uint32_t *b,
                         int64_t ldb, int64_t rows, int64_t columns, int64_t pairs, bool add)
{
    int64_t j = 0;

    for (; j + QUAD * LANES <= columns; j += QUAD * LANES)
        quad_product(c + j, ldc, a, ai, ap, b + j, ldb, rows, QUAD, pairs, add);
    if (j < columns) quad_product(c + j, ldc, a, ai, ap, b + j, ldb, rows, QUAD / 2, pairs, add);
}

/* ---- packing ---- */

static void pack_columns(uint32_t *to, const struct half_head *h, const uint16_t *x, int64_t stride)
{
    for (int64_t i = 0; i < h->padded; i += LANES) {
        for (int64_t c = 0; c < h->dim / 2; c += LANES)
            transpose_block((float *)to + c * h->padded + i, h->padded, (const float *)(x + i * stride) + c, stride / 2,
                            h->rows - i);
    }
}

static void pack_rows(uint32_t *to, const struct half_head *h, const uint16_t *x, int64_t stride)
{
    for (int64_t i = 0; i < h->rows; i += 2) {
        for (int64_t c = 0; c < h->dim; c += LANES, to += LANES) {
            u16 a = __builtin_convertvector(*(const h16u *)(x + i * stride + c), u16), b = { 0 };
            if (i + 1 < h->rows) b = __builtin_convertvector(*(const h16u *)(x + (i + 1) * stride + c), u16);
            store((float *)to, (v16)(a | b << 16));
        }
    }
    memset(to, 0, (size_t)(h->padded / 2 - (h->rows + 1) / 2) * (size_t)h->dim * sizeof *to);
}

/* ---- one row of a tile: TILE scores in QUAD vectors ---- */

/* Scores times the scale, with what the row must not see at -infinity. */
INLINE void visible_scores(v16 s[QUAD], const struct half_head *h, const float *score, int64_t row, int64_t j0)
{
    const i16 lane = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    int64_t visible = h->prefix > row + 1 ? h->prefix : row + 1;

    if (visible > h->rows) visible = h->rows;
    for (int j = 0; j < QUAD; j++) s[j] = load(score + j * LANES) * h->w->scale;
    if (j0 + TILE <= visible) return;
    for (int j = 0; j < QUAD; j++) s[j] = blend(lane < (int32_t)(visible - j0) - j * LANES, s[j], splat(-INFINITY));
}

/* Bits of the elements that dropout keeps, 16 in each. */
INLINE void kept(uint16_t keep[QUAD], const struct half_head *h, int64_t row, int64_t j0)
{
    const struct dropout *d = &h->w->drop;
    uint64_t first = ((uint64_t)((h->from + row) * h->w->heads + h->head) << 16) + (uint64_t)j0;
    __m512i limit = _mm512_set1_epi32((int)dropout_limit(d));
    u16 draws[2];

    for (int j = 0; j < QUAD; j += 2) {
        philox8(draws, (first + (uint64_t)j * LANES) / 4, d);
        keep[j] = _mm512_cmpge_epu32_mask((__m512i)draws[0], limit);
        keep[j + 1] = _mm512_cmpge_epu32_mask((__m512i)draws[1], limit);
    }
}

INLINE v16 only(uint16_t keep, v16 x)
{
    return (v16)_mm512_maskz_mov_ps(keep, (__m512)x);
}

/* ---- forward ---- */

/* Probabilities of one row of a tile, not yet divided by their sum, as factors; the running maximum and sum. */
INLINE void softmax_row(const struct half_head *h, int64_t i, int64_t row, int64_t j0, float *max, float *total)
{
    bool drops = h->w->drop.p > 0;
    float factor = drops ? 1 / (1 - h->w->drop.p) : 1, *out = h->out + i * h->dim;
    uint16_t keep[QUAD];
    v16 s[QUAD], sum = { 0 };

    visible_scores(s, h, h->score + i * TILE, row, j0);
    float top = fmaxf(*max, lane_max(vmax(vmax(s[0], s[1]), vmax(s[2], s[3])))), base = top == -INFINITY ? 0 : top;
    if (drops) kept(keep, h, row, j0);
    for (int j = 0; j < QUAD; j++) {
        v16 p = vexp(s[j] - base);
        sum += p;
        if (drops) p = only(keep[j], p * factor);
        store16(h->factor + i * TILE + j * LANES, p);
    }
    if (!j0) {
        *total = lane_sum(sum);
    } else {
        v16 shrink = vexp(splat(*max - base));
        *total = *total * shrink[0] + lane_sum(sum);
        for (int64_t c = 0; c < h->dim; c += LANES) store(out + c, load(out + c) * shrink);
    }
    *max = top;
}

static void tile_forward(struct half_head *h, int64_t i0)
{
    const struct attention *w = h->w;
    int64_t n = h->rows - i0 < TILE ? h->rows - i0 : TILE, stride = 3 * w->hidden;
    uint16_t *out = (uint16_t *)w->out.data + (h->from + i0) * w->hidden + h->column;
    float max[TILE], total[TILE];

    for (int64_t i = 0; i < n; i++) max[i] = -INFINITY;
    for (int64_t j0 = 0; j0 < h->rows && (j0 < h->prefix || j0 < i0 + n); j0 += TILE) {
        int64_t m = h->rows - j0 < TILE ? h->rows - j0 : TILE;
        pair_product(h->score, TILE, (const uint32_t *)(h->q + i0 * stride), stride / 2, 1, h->kt + j0, h->padded, n,
                     TILE, h->dim / 2, false);
        for (int64_t i = 0; i < n; i++) softmax_row(h, i, i0 + i, j0, &max[i], &total[i]);
        pair_product(h->out, h->dim, (const uint32_t *)h->factor, TILE / 2, 1, h->v_pairs + j0 / 2 * h->dim, h->dim, n,
                     h->dim, (m + 1) / 2, j0 > 0);
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < h->dim; c += LANES)
            store16(out + i * w->hidden + c, load(h->out + i * h->dim + c) / total[i]);
        ((float *)w->lse.data)[(h->from + i0 + i) * w->heads + h->head] = max[i] + logf(total[i]);
    }
}

/* ---- backward ---- */

/* Two rows of a tile: probabilities and the scores' gradients, as factors of both kinds. */
INLINE void slope_rows(const struct half_head *h, int64_t i, int64_t n, int64_t i0, int64_t j0)
{
    bool drops = h->w->drop.p > 0;
    float factor = drops ? 1 / (1 - h->w->drop.p) : 1;
    u16 p_pair[QUAD] = { 0 }, s_pair[QUAD] = { 0 };

    for (int64_t r = i; r < i + 2 && r < n; r++) {
        uint16_t keep[QUAD];
        v16 s[QUAD];
        visible_scores(s, h, h->score + r * TILE, i0 + r, j0);
        if (drops) kept(keep, h, i0 + r, j0);
        for (int j = 0; j < QUAD; j++) {
            v16 p = vexp(s[j] - h->lse[r]), dp = load(h->slope + r * TILE + j * LANES) * factor, dropped = p * factor;
            if (drops) dp = only(keep[j], dp);
            if (drops) dropped = only(keep[j], dropped);
            h16 ds = narrow(p * (dp - h->delta[r]) * h->w->scale);
            *(h16u *)(h->factor + r * TILE + j * LANES) = ds;
            p_pair[j] |= __builtin_convertvector(narrow(dropped), u16) << (r == i ? 0 : 16);
            s_pair[j] |= __builtin_convertvector(ds, u16) << (r == i ? 0 : 16);
        }
    }
    for (int j = 0; j < QUAD; j++) {
        store((float *)h->p_pairs + i / 2 * TILE + j * LANES, (v16)p_pair[j]);
        store((float *)h->s_pairs + i / 2 * TILE + j * LANES, (v16)s_pair[j]);
    }
}

static void begin_backward(struct half_head *h, int64_t i0, int64_t n)
{
    const struct attention *w = h->w;
    const uint16_t *out = (const uint16_t *)w->out.data + (h->from + i0) * w->hidden + h->column;

    for (int64_t i = 0; i < n; i++) {
        v16 dot = { 0 };
        for (int64_t c = 0; c < h->dim; c += LANES)
            dot += load16(out + i * w->hidden + c) * load16(h->dout + (i0 + i) * w->hidden + c);
        h->delta[i] = lane_sum(dot);
        h->lse[i] = ((const float *)w->lse.data)[(h->from + i0 + i) * w->heads + h->head];
    }
}

static void store_gradient(const struct half_head *h, int64_t part, int64_t from, int64_t n, const float *x)
{
    int64_t stride = 3 * h->w->hidden;
    uint16_t *to = (uint16_t *)h->w->dqkv.data + (h->from + from) * stride + part * h->w->hidden + h->column;

    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < h->dim; c += LANES) store16(to + i * stride + c, load(x + i * h->dim + c));
    }
}

static void tile_backward(struct half_head *h, int64_t i0)
{
    int64_t n = h->rows - i0 < TILE ? h->rows - i0 : TILE, hidden = h->w->hidden, stride = 3 * hidden, dim = h->dim;

    begin_backward(h, i0, n);
    for (int64_t j0 = 0; j0 < h->rows && (j0 < h->prefix || j0 < i0 + n); j0 += TILE) {
        int64_t m = h->rows - j0 < TILE ? h->rows - j0 : TILE;
        pair_product(h->score, TILE, (const uint32_t *)(h->q + i0 * stride), stride / 2, 1, h->kt + j0, h->padded, n,
                     TILE, dim / 2, false);
        pair_product(h->slope, TILE, (const uint32_t *)(h->dout + i0 * hidden), hidden / 2, 1, h->vt + j0, h->padded, n,
                     TILE, dim / 2, false);
        for (int64_t i = 0; i < n; i += 2) slope_rows(h, i, n, i0, j0);
        pair_product(h->dv + j0 * dim, dim, h->p_pairs, 1, TILE, h->do_pairs + i0 / 2 * dim, dim, m, dim, (n + 1) / 2,
                     true);
        pair_product(h->dk + j0 * dim, dim, h->s_pairs, 1, TILE, h->q_pairs + i0 / 2 * dim, dim, m, dim, (n + 1) / 2,
                     true);
        pair_product(h->out, dim, (const uint32_t *)h->factor, TILE / 2, 1, h->k_pairs + j0 / 2 * dim, dim, n, dim,
                     (m + 1) / 2, j0 > 0);
    }
    store_gradient(h, 0, i0, n, h->out);
}

/* ---- a head ---- */

/* All parts are multiples of 64 bytes. */
static void layout(struct half_head *h, char *room)
{
    int64_t half = h->padded * h->dim * 2, tile = TILE * TILE * 2;
    uint32_t **packed[] = { &h->kt, &h->vt, &h->k_pairs, &h->v_pairs, &h->q_pairs, &h->do_pairs };

    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++, room += half) *packed[i] = (uint32_t *)room;
    h->dk = (float *)room;
    h->dv = (float *)(room += 2 * half);
    h->out = (float *)(room += 2 * half);
    h->score = (float *)(room += TILE * h->dim * 4);
    h->slope = (float *)(room += 2 * tile);
    h->factor = (uint16_t *)(room += 2 * tile);
    h->p_pairs = (uint32_t *)(room += tile);
    h->s_pairs = (uint32_t *)(room + tile);
}

int64_t FAST_ROW(attention_half_room)(const struct attention *w)
{
    int64_t dim = w->hidden / w->heads, padded = (w->seq.longest + TILE - 1) / TILE * TILE;

    return 10 * padded * dim * 2 + TILE * dim * 4 + 7 * TILE * TILE * 2;
}

static struct half_head head_of(const struct attention *w, int64_t job, void *room)
{
    const int32_t *start = w->seq.start.data;
    int64_t s = job / w->heads, from = start[s], dim = w->hidden / w->heads, column = job % w->heads * dim;
    const uint16_t *q = (const uint16_t *)w->qkv.data + from * 3 * w->hidden + column;
    struct half_head h = { .w = w,
                           .from = from,
                           .rows = start[s + 1] - from,
                           .prefix = ((const int32_t *)w->seq.prefix.data)[s],
                           .column = column,
                           .head = job % w->heads,
                           .dim = dim,
                           .q = q,
                           .k = q + w->hidden,
                           .v = q + 2 * w->hidden };

    h.padded = (h.rows + TILE - 1) / TILE * TILE;
    layout(&h, room);
    return h;
}

void FAST_ROW(attention_half_forward)(const struct attention *w, int64_t job, void *room)
{
    struct half_head h = head_of(w, job, room);

    pack_columns(h.kt, &h, h.k, 3 * w->hidden);
    pack_rows(h.v_pairs, &h, h.v, 3 * w->hidden);
    for (int64_t i0 = 0; i0 < h.rows; i0 += TILE) tile_forward(&h, i0);
}

void FAST_ROW(attention_half_backward)(const struct attention *w, int64_t job, void *room)
{
    struct half_head h = head_of(w, job, room);
    int64_t stride = 3 * w->hidden;

    h.dout = (const uint16_t *)w->dout.data + h.from * w->hidden + h.column;
    pack_columns(h.kt, &h, h.k, stride);
    pack_columns(h.vt, &h, h.v, stride);
    pack_rows(h.k_pairs, &h, h.k, stride);
    pack_rows(h.q_pairs, &h, h.q, stride);
    pack_rows(h.do_pairs, &h, h.dout, w->hidden);
    memset(h.dk, 0, (size_t)(h.rows * h.dim) * sizeof(float));
    memset(h.dv, 0, (size_t)(h.rows * h.dim) * sizeof(float));
    for (int64_t i0 = 0; i0 < h.rows; i0 += TILE) tile_backward(&h, i0);
    store_gradient(&h, 1, 0, h.rows, h.dk);
    store_gradient(&h, 2, 0, h.rows, h.dv);
}

bool FAST_ROW(attention_half_fits)(const struct attention *w)
{
    return w->qkv.dtype == DT_BF16 && w->hidden / w->heads % (2 * LANES) == 0;
}
#else
bool FAST_ROW(attention_half_fits)(const struct attention *w)
{
    return false;
}
int64_t FAST_ROW(attention_half_room)(const struct attention *w)
{
    return 0;
}
void FAST_ROW(attention_half_forward)(const struct attention *w, int64_t job, void *room)
{
}
void FAST_ROW(attention_half_backward)(const struct attention *w, int64_t job, void *room)
{
}
#endif
