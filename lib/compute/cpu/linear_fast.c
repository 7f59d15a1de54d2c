/* Matrix products by oneDNN. Two things matter beyond the library's own speed:
 * - Primitives are made for fixed shapes and making one costs about a millisecond, while the rows of a packed batch
 * change at every step: small layers are computed in row chunks of a few fixed sizes, so that the same primitives serve
 * all steps.
 * - Parameters are repacked into the layout that a primitive prefers once per update, not once per product. */
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include "core/mem.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* dst[m,n] = src[m,k] wei[k,n] (+ bias) (+ dst), with strides of src and wei. */
struct product {
    int64_t m, n, k;
    int64_t src_stride[2], wei_stride[2];
    enum dtype in, out;
    enum dtype lies; /* wei's, which is rounded to `in` when it is packed, if it is a parameter */
    bool has_bias, adds;
    bool is_param;  /* wei stays the same until parameters change */
    bool is_packed; /* wei is brought into the library's layout first; always so for a parameter */
};
struct prepared {
    dnnl_primitive_t run;
    struct layout layout; /* of the parameter */
    bool fits;            /* pack_fast.c makes that layout */
    dnnl_memory_t src, wei, bias, dst;
};

static dnnl_data_type_t type(enum dtype t)
{
    return t == DT_BF16 ? dnnl_bf16 : dnnl_f32;
}

static int failed(struct device *d, const char *what, dnnl_status_t s)
{
    snprintf(d->why, sizeof d->why, "%s: the matrix library refused (status %d)", what, (int)s);
    return -1;
}

static dnnl_status_t describe(dnnl_memory_desc_t *md, int64_t a, int64_t b, enum dtype t, const int64_t *strides)
{
    return dnnl_memory_desc_init_by_strides(md, 2, (dnnl_dims_t){ a, b }, type(t),
                                            (dnnl_dims_t){ strides[0], strides[1] });
}

static dnnl_status_t prepare(struct dnnl_state *state, struct prepared *p, const struct product *k)
{
    dnnl_memory_desc_t src, wei, bias, dst;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int64_t rows[2] = { k->n, 1 };

    mem_expect(DNNL_ROOM);
    dnnl_status_t s = describe(&src, k->m, k->k, k->in, k->src_stride);
    if (!s) s = describe(&dst, k->m, k->n, k->out, rows);
    if (!s) s = describe(&bias, 1, k->n, DT_F32, rows);
    if (!s && k->is_packed)
        s = dnnl_memory_desc_init_by_tag(&wei, 2, (dnnl_dims_t){ k->k, k->n }, type(k->in), dnnl_format_tag_any);
    if (!s && !k->is_packed) s = describe(&wei, k->k, k->n, k->in, k->wei_stride);
    if (!s) s = dnnl_matmul_desc_init(&op, &src, &wei, k->has_bias ? &bias : NULL, &dst);
    if (!s) s = dnnl_primitive_attr_create(&attr);
    if (!s && k->adds) s = dnnl_post_ops_create(&post);
    if (!s && k->adds) s = dnnl_post_ops_append_sum(post, 1);
    if (!s && k->adds) s = dnnl_primitive_attr_set_post_ops(attr, post);
    if (!s) s = dnnl_primitive_desc_create(&pd, &op, attr, state->engine, NULL);
    if (!s) s = dnnl_primitive_create(&p->run, pd);
    if (!s) p->layout.wanted = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (!s) s = describe(&p->layout.plain, k->k, k->n, k->is_param ? k->lies : k->in, k->wei_stride);
    if (!s) s = dnnl_memory_create(&p->src, &src, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&p->wei, k->is_packed ? &p->layout.wanted : &wei, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&p->dst, &dst, state->engine, DNNL_MEMORY_NONE);
    if (!s && k->has_bias) s = dnnl_memory_create(&p->bias, &bias, state->engine, DNNL_MEMORY_NONE);
    p->layout.hash = layout_hash(&p->layout);
    p->fits = !s && k->is_packed && FAST_ROW(pack_fits)(&p->layout);
    dnnl_primitive_desc_destroy(pd);
    dnnl_post_ops_destroy(post);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static void prepared_free(void *item)
{
    struct prepared *p = item;

    dnnl_primitive_destroy(p->run);
    dnnl_memory_destroy(p->src);
    dnnl_memory_destroy(p->wei);
    dnnl_memory_destroy(p->bias);
    dnnl_memory_destroy(p->dst);
    free(p);
}

static struct prepared *find_prepared(struct device *d, const struct product *k)
{
    struct dnnl_state *state = fast_dnnl(d);
    const struct lru_key key = { { k->m, k->n, k->k, k->src_stride[0], k->src_stride[1], k->wei_stride[0],
                                   k->wei_stride[1], k->in, k->out, k->has_bias, k->adds, k->is_packed, k->lies } };

    if (!state->products) state->products = lru_new(PRIMITIVES_MOST, prepared_free);
    struct prepared *p = lru_find(state->products, &key);
    if (p) return p;
    p = mem_new(struct prepared, 1);
    dnnl_status_t s = prepare(state, p, k);
    if (!s) {
        lru_add(state->products, &key, p);
        return p;
    }
    prepared_free(p);
    failed(d, "matrix product", s);
    return NULL;
}

/* wei as the product wants it; NULL and why on failure. */
static dnnl_memory_t second_factor(struct device *d, const struct product *key, struct prepared *p, const void *wei)
{
    void *data = (void *)(uintptr_t)wei;

    if (key->is_packed && (key->is_param || !p->fits)) return dnnl_packed(d, &p->layout, wei, key->is_param);
    if (key->is_packed) data = fast_room(d, ROOM_PACKED, (int64_t)dnnl_memory_desc_get_size(&p->layout.wanted));
    if (!data) return NULL;
    if (key->is_packed) FAST_ROW(pack)(d, data, wei, &p->layout);
    dnnl_memory_set_data_handle(p->wei, data);
    return p->wei;
}

static int run_product(struct device *d, const struct product *key, void *dst, const void *src, const void *wei,
                       const void *bias)
{
    struct prepared *p = find_prepared(d, key);
    if (!p) return -1;
    dnnl_memory_t w = second_factor(d, key, p, wei);
    if (!w) return -1;
    dnnl_exec_arg_t args[4] = {
        { DNNL_ARG_SRC, p->src }, { DNNL_ARG_WEIGHTS, w }, { DNNL_ARG_DST, p->dst }, { DNNL_ARG_BIAS, p->bias }
    };
    dnnl_memory_set_data_handle(p->src, (void *)(uintptr_t)src);
    dnnl_memory_set_data_handle(p->dst, dst);
    if (bias) dnnl_memory_set_data_handle(p->bias, (void *)(uintptr_t)bias);
    dnnl_status_t s = dnnl_primitive_execute(p->run, fast_dnnl(d)->stream, bias ? 4 : 3, args);
    return s ? failed(d, "matrix product", s) : 0;
}

/* Rows for the next product of `left` rows with a matrix of `weights` elements: powers of two, so that a dozen
 * primitives do for any number of rows; few rows in sixteens (decoding has such) at once, as reading the weights is
 * most of the work then. Large products are worth a primitive of their own. */
static int64_t chunk(int64_t left, int64_t weights)
{
    int64_t c = 2048;

    if (weights > 4 << 20 || (left <= 128 && left % 16 == 0)) return left;
    while (c > left) c /= 2;
    return c;
}

int FAST_ROW(linear_forward)(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                             int flags)
{
    int64_t in = x.shape[1], out = w.shape[0];
    struct product key = { .n = out,
                           .k = in,
                           .src_stride = { in, 1 },
                           .wei_stride = { 1, in },
                           .in = x.dtype,
                           .out = y.dtype,
                           .lies = w.dtype,
                           .has_bias = b.data != NULL,
                           .adds = flags & LINEAR_ADD,
                           .is_param = flags & LINEAR_PARAM,
                           .is_packed = flags & LINEAR_PARAM };

    for (int64_t t = 0; t < x.shape[0]; t += key.m) {
        key.m = chunk(x.shape[0] - t, w.n);
        if (run_product(d, &key, tensor_rows(y, t, key.m).data, tensor_rows(x, t, key.m).data, w.data, b.data))
            return -1;
    }
    return 0;
}

int FAST_ROW(linear_backward_input)(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    int64_t in = w.shape[1], out = w.shape[0];
    struct product key = { .n = in,
                           .k = out,
                           .src_stride = { out, 1 },
                           .wei_stride = { in, 1 },
                           .in = dy.dtype,
                           .out = dx.dtype,
                           .lies = w.dtype,
                           .adds = flags & LINEAR_ADD,
                           .is_param = flags & LINEAR_PARAM,
                           .is_packed = flags & LINEAR_PARAM };

    for (int64_t t = 0; t < dy.shape[0]; t += key.m) {
        key.m = chunk(dy.shape[0] - t, w.n);
        if (run_product(d, &key, tensor_rows(dx, t, key.m).data, tensor_rows(dy, t, key.m).data, w.data, NULL))
            return -1;
    }
    return 0;
}

/* db[from..to) += sums of the columns of dy[T,O]. */
static void column_sums(float *db, const void *dy, bool half, int64_t rows, int64_t width, int64_t from, int64_t to)
{
    for (int64_t c = from; c < to; c += LANES) {
        v16 sum = { 0 };
        for (int64_t t = 0; t < rows; t++) sum += load_at(dy, half, t * width + c, to - c);
        store_at(db, false, c, to - c, load_at(db, false, c, to - c) + sum);
    }
}

void FAST_ROW(column_sums)(struct device *d, struct tensor db, struct tensor dy)
{
    int64_t out = db.n, rows = dy.n / out, block = (out + d->threads - 1) / d->threads;

    block = (block + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(d->threads) if (dy.n > FAST_PARALLEL)
    for (int64_t c = 0; c < out; c += block)
        column_sums(db.data, dy.data, dy.dtype == DT_BF16, rows, out, c, c + block < out ? c + block : out);
}

int FAST_ROW(linear_backward_weight)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy,
                                     struct tensor x)
{
    int64_t in = x.shape[1], out = dy.shape[1], rows = dy.shape[0];
    struct product key = { .m = out,
                           .n = in,
                           .src_stride = { 1, out },
                           .wei_stride = { in, 1 },
                           .in = dy.dtype,
                           .out = DT_F32,
                           .adds = true,
                           .is_packed = true };

    if (FAST_ROW(gradient_fits)(dw, dy)) return FAST_ROW(gradient_add)(d, dw, db, dy, x);
    for (int64_t t = 0; t < rows; t += key.k) {
        key.k = chunk(rows - t, dw.n);
        if (run_product(d, &key, dw.data, tensor_rows(dy, t, key.k).data, tensor_rows(x, t, key.k).data, NULL))
            return -1;
    }
    if (db.data) FAST_ROW(column_sums)(d, db, dy);
    return 0;
}
