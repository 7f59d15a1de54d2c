/* Winograd's convolutions (Lavin and Gray 2016): a tile of 4 x 4 outputs of a 3 x 3 filter g is A [(G g G') * (B d B')]
 * A' of 6 x 6 inputs d, multiplied element by element: 36 products for what takes 144 otherwise. Over all tiles and
 * channels each of the 36 is a matrix product, which oneDNN computes; filters are transformed when they are packed. The
 * library's own Winograd knows no dilation, and is fast for some numbers of tiles only.
 *
 * The points of interpolation are 0, +-1/sqrt 2, +-sqrt 2 and infinity: over 512 channels errors are 1e-6 of the
 * output's size, half of those with +-1 and +-2 (sums without Winograd: 2e-7). */
#include "compute/cpu/cpu.h"
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include "core/mem.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN = 6, OUT = 4, PRODUCTS = IN * IN, FILTER = 9 };
#define POINT 0.70710678118654752440 /* the other one is twice as large */

/* m[36,tiles,O] = v[36,tiles,C] u[36,C,O]. */
struct products {
    dnnl_primitive_t run;
    struct layout layout; /* of u */
    dnnl_memory_t v, m;
};

/* A dilated convolution is d x d undilated ones, each of every d-th row and column. */
struct tiling {
    struct tensor x, y;
    int64_t d, down, across; /* and tiles of one of them */
};

static struct tiling tiling_of(struct tensor y, struct tensor x, struct conv c)
{
    int64_t side = OUT * c.dilation;

    return (struct tiling){ x, y, c.dilation, (y.shape[1] + side - 1) / side, (y.shape[2] + side - 1) / side };
}

static int64_t tiles_each(const struct tiling *t) /* of a picture */
{
    return t->d * t->d * t->down * t->across;
}

/* Where it is faster: few tiles don't pay for reading filters that are four times as large, nor do maps that leave more
 * than half of their tiles empty. It is a question of one picture, and of products whose rows don't depend on how many
 * there are (the library's for AVX-512): its bits are then the same in any batch. */
bool FAST_ROW(winograd_fits)(struct tensor y, struct tensor x, struct tensor w, struct conv c, int flags)
{
#ifdef __AVX512F__
    enum { FEWEST = 16, NARROWEST = 128 };
    int64_t in = x.shape[3], out = y.shape[3];

    if (x.dtype != DT_F32 || y.dtype != DT_F32 || flags != LINEAR_PARAM || w.shape[1] != in || w.shape[2] != 3 ||
        w.shape[3] != 3 || c.stride != 1 || c.pad != c.dilation || in % LANES || out % LANES || in < NARROWEST ||
        out < NARROWEST)
        return false;
    struct tiling t = tiling_of(y, x, c);
    int64_t tiles = tiles_each(&t);
    return tiles >= FEWEST && tiles * OUT * OUT <= 2 * y.shape[1] * y.shape[2];
#else
    return false;
#endif
}

/* G g of three values. */
static void transform_three(double u[IN], double a, double b, double c)
{
    const double p = POINT;

    u[0] = a;
    u[1] = (a + p * b + p * p * c) / -1.5;
    u[2] = (a - p * b + p * p * c) / -1.5;
    u[3] = (a + 2 * p * b + 4 * p * p * c) / 6;
    u[4] = (a - 2 * p * b + 4 * p * p * c) / 6;
    u[5] = c;
}

/* u[36,i..i+16) of the filters i..i+16: all at once, as the 36 rows are far from each other. */
static void transform_sixteen(float *u, int64_t step, const float *filters)
{
    float part[PRODUCTS][LANES];

    for (int i = 0; i < LANES; i++) {
        const float *g = filters + (int64_t)i * FILTER;
        double down[3][IN], all[IN];
        for (int k = 0; k < 3; k++) transform_three(down[k], g[k], g[3 + k], g[6 + k]);
        for (int row = 0; row < IN; row++) {
            transform_three(all, down[0][row], down[1][row], down[2][row]);
            for (int k = 0; k < IN; k++) part[row * IN + k][i] = (float)all[k];
        }
    }
    for (int k = 0; k < PRODUCTS; k++) store(u + k * step, load(part[k]));
}

/* u[36,O,C] of w[O,C,3,3]. */
static void *transform_filters(struct device *d, const struct layout *l, const void *filters)
{
    int64_t n = l->plain.dims[1] * l->plain.dims[2];
    const float *w = filters;
    void *u;

    if (cpu_allocate(d, &u, PRODUCTS * n * (int64_t)sizeof(float))) return NULL;
#pragma omp parallel for num_threads(d->threads)
    for (int64_t i = 0; i < n; i += LANES) transform_sixteen((float *)u + i, n, w + i * FILTER);
    return u;
}

static dnnl_status_t make(struct dnnl_state *state, struct products *p, int64_t tiles, int64_t in, int64_t out)
{
    dnnl_memory_desc_t v, u, m;
    dnnl_matmul_desc_t op;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_dims_t filters = { PRODUCTS, in, out };

    mem_expect(DNNL_ROOM);
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&v, 3, (dnnl_dims_t){ PRODUCTS, tiles, in }, dnnl_f32, dnnl_abc);
    if (!s) s = dnnl_memory_desc_init_by_tag(&m, 3, (dnnl_dims_t){ PRODUCTS, tiles, out }, dnnl_f32, dnnl_abc);
    if (!s) s = dnnl_memory_desc_init_by_tag(&u, 3, filters, dnnl_f32, dnnl_format_tag_any);
    if (!s) s = dnnl_matmul_desc_init(&op, &v, &u, NULL, &m);
    if (!s) s = dnnl_primitive_desc_create(&pd, &op, NULL, state->engine, NULL);
    if (!s) s = dnnl_primitive_create(&p->run, pd);
    if (!s) p->layout.wanted = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (!s) s = dnnl_memory_desc_init_by_tag(&p->layout.plain, 3, filters, dnnl_f32, dnnl_acb);
    if (!s) p->layout.hash = layout_hash(&p->layout);
    p->layout.transform = transform_filters;
    if (!s) s = dnnl_memory_create(&p->v, &v, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&p->m, &m, state->engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

static void products_free(void *item)
{
    struct products *p = item;

    dnnl_primitive_destroy(p->run);
    dnnl_memory_destroy(p->v);
    dnnl_memory_destroy(p->m);
    free(p);
}

static struct products *find(struct device *d, int64_t tiles, int64_t in, int64_t out)
{
    struct dnnl_state *state = fast_dnnl(d);
    const struct lru_key key = { { tiles, in, out } };

    if (!state->winograd) state->winograd = lru_new(PRIMITIVES_MOST, products_free);
    struct products *p = lru_find(state->winograd, &key);
    if (p) return p;
    p = mem_new(struct products, 1);
    dnnl_status_t s = make(state, p, tiles, in, out);
    if (!s) {
        lru_add(state->winograd, &key, p);
        return p;
    }
    products_free(p);
    snprintf(d->why, sizeof d->why, "convolution: the matrix library refused (status %d)", (int)s);
    return NULL;
}

static int multiply(struct device *d, struct products *p, float *m, float *v, const void *w)
{
    dnnl_memory_t filters = dnnl_packed(d, &p->layout, w, true);
    if (!filters) return -1;
    dnnl_exec_arg_t args[3] = { { DNNL_ARG_SRC, p->v }, { DNNL_ARG_WEIGHTS, filters }, { DNNL_ARG_DST, p->m } };
    dnnl_memory_set_data_handle(p->v, v);
    dnnl_memory_set_data_handle(p->m, m);
    return dnnl_primitive_execute(p->run, fast_dnnl(d)->stream, 3, args) ? -1 : 0;
}

/* The n x n elements of x, `dilation` apart, that begin `before` of them above and left of tile t's first output;
 * `outside` where there are none. */
static void find_elements(float **at, const struct tiling *g, struct tensor x, int64_t t, int n, int before,
                          float *outside)
{
    int64_t column = t % g->across, row = t / g->across % g->down, part = t / g->across / g->down,
            picture = part / (g->d * g->d), left = part % g->d + g->d * (OUT * column - before),
            top = part / g->d % g->d + g->d * (OUT * row - before), rows = x.shape[1], columns = x.shape[2];

    for (int i = 0; i < n * n; i++) {
        int64_t y = top + i / n * g->d, c = left + i % n * g->d;
        bool is_inside = y >= 0 && y < rows && c >= 0 && c < columns;
        at[i] = is_inside ? (float *)x.data + ((picture * rows + y) * columns + c) * x.shape[3] : outside;
    }
}

/* B d of six. */
INLINE void transform_in(v16 v[IN], const v16 d[IN])
{
    const float p = (float)POINT;
    v16 even1 = d[4] - 2 * d[2], odd1 = p * (d[3] - 2 * d[1]), even2 = d[4] - 0.5f * d[2],
        odd2 = 2 * p * (d[3] - 0.5f * d[1]);

    v[0] = d[0] - 2.5f * d[2] + d[4];
    v[1] = even1 + odd1;
    v[2] = even1 - odd1;
    v[3] = even2 + odd2;
    v[4] = even2 - odd2;
    v[5] = d[1] - 2.5f * d[3] + d[5];
}

/* A m of six. */
INLINE void transform_out(v16 y[OUT], const v16 m[IN])
{
    const float p = (float)POINT;
    v16 sum1 = m[1] + m[2], sum2 = m[3] + m[4], difference1 = p * (m[1] - m[2]), difference2 = 2 * p * (m[3] - m[4]);

    y[0] = m[0] + sum1 + sum2;
    y[1] = difference1 + difference2;
    y[2] = 0.5f * sum1 + 2 * sum2;
    y[3] = 0.5f * difference1 + 2 * difference2 + m[5];
}

/* A tile of inputs to its rows of v, which are `step` elements apart. */
static void tile_in(float *v, int64_t step, float *const x[PRODUCTS], int64_t channels)
{
    v16 across[IN][IN], column[IN], all[IN];

    for (int64_t c = 0; c < channels; c += LANES) {
        for (int i = 0; i < IN; i++) {
            for (int k = 0; k < IN; k++) column[k] = load(x[i * IN + k] + c);
            transform_in(across[i], column);
        }
        for (int k = 0; k < IN; k++) {
            for (int i = 0; i < IN; i++) column[i] = across[i][k];
            transform_in(all, column);
            for (int i = 0; i < IN; i++) store(v + (i * IN + k) * step + c, all[i]);
        }
    }
}

/* A tile's rows of m to its outputs; NULL: outside of the map. */
static void tile_out(float *const y[OUT * OUT], const float *m, int64_t step, const float *bias, bool relu,
                     int64_t channels)
{
    v16 down[IN][OUT], row[IN], all[OUT];

    for (int64_t c = 0; c < channels; c += LANES) {
        v16 b = bias ? load(bias + c) : (v16){ 0 };
        for (int k = 0; k < IN; k++) {
            for (int i = 0; i < IN; i++) row[i] = load(m + (i * IN + k) * step + c);
            transform_out(down[k], row);
        }
        for (int i = 0; i < OUT; i++) {
            for (int k = 0; k < IN; k++) row[k] = down[k][i];
            transform_out(all, row);
            for (int k = 0; k < OUT; k++) {
                v16 sum = all[k] + b;
                if (y[i * OUT + k]) store(y[i * OUT + k] + c, relu ? vmax(sum, (v16){ 0 }) : sum);
            }
        }
    }
}

static void gather_tiles(struct device *d, float *v, const struct tiling *g, int64_t from, int64_t n, float *zeros)
{
    int64_t channels = g->x.shape[3];

#pragma omp parallel for num_threads(d->threads)
    for (int64_t t = 0; t < n; t++) {
        float *at[PRODUCTS];
        find_elements(at, g, g->x, from + t, IN, 1, zeros);
        tile_in(v + t * channels, n * channels, at, channels);
    }
}

static void scatter_tiles(struct device *d, const struct tiling *g, const float *m, int64_t from, int64_t n,
                          const float *bias, bool relu)
{
    int64_t channels = g->y.shape[3];

#pragma omp parallel for num_threads(d->threads)
    for (int64_t t = 0; t < n; t++) {
        float *at[OUT * OUT];
        find_elements(at, g, g->y, from + t, OUT, 0, NULL);
        tile_out(at, m + t * channels, n * channels, bias, relu, channels);
    }
}

/* Tiles are computed as many at once as stay near the processor, but enough of them to pay for reading the filters. */
int FAST_ROW(winograd)(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                       struct conv c, bool relu)
{
    enum { ELEMENTS = 8 << 20, FEWEST = 128 };
    struct tiling g = tiling_of(y, x, c);
    int64_t in = x.shape[3], out = y.shape[3], tiles = x.shape[0] * tiles_each(&g),
            most = ELEMENTS / (PRODUCTS * (in + out));

    if (most < FEWEST) most = FEWEST;
    int64_t parts = (tiles + most - 1) / most, each = (tiles + parts - 1) / parts;
    float *v = fast_room(d, ROOM_CONV, (each * PRODUCTS * (in + out) + in) * (int64_t)sizeof(float));
    if (!v) return -1;
    float *m = v + each * PRODUCTS * in, *zeros = m + each * PRODUCTS * out;
    memset(zeros, 0, (size_t)in * sizeof *zeros);
    for (int64_t from = 0; from < tiles; from += each) {
        int64_t n = tiles - from < each ? tiles - from : each;
        struct products *p = find(d, n, in, out);
        if (!p) return -1;
        gather_tiles(d, v, &g, from, n, zeros);
        if (multiply(d, p, m, v, w.data)) return -1;
        scatter_tiles(d, &g, m, from, n, b.data, relu);
    }
    return 0;
}
