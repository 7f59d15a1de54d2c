/* Matrix products by oneDNN. Two things matter beyond the library's own speed:
 * - Primitives are made for fixed shapes and making one costs about a millisecond, while the rows of a packed batch change at every
 *   step: small layers are computed in row chunks of a few fixed sizes, so that the same primitives serve all steps.
 * - Parameters are repacked into the layout that a primitive prefers once per update, not once per product. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"
#include "core/mem.h"
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compute/cpu/dnnl_state.h"

/* dst[m,n] = src[m,k] wei[k,n] (+ bias) (+ dst), with strides of src and wei. */
struct product {
    int64_t m, n, k;
    int64_t src_stride[2], wei_stride[2];
    enum dtype in, out;
    bool has_bias, adds, is_param;
};
struct prepared {
    struct product key;
    dnnl_primitive_t run;
    dnnl_memory_desc_t wei_wanted;
    dnnl_memory_t src, wei, bias, dst;
};
/* A parameter in a layout of the library's choice. */
struct packed {
    const void *data;
    struct product key; /* only n, k, strides, in */
    dnnl_memory_desc_t md;
    dnnl_memory_t plain, packed;
    dnnl_primitive_t reorder;
    uint64_t epoch;
};
struct products {
    struct prepared *at;
    int64_t n, cap;
    struct packed *packed;
    int64_t n_packed, cap_packed;
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
    return dnnl_memory_desc_init_by_strides(md, 2, (dnnl_dims_t){ a, b }, type(t), (dnnl_dims_t){ strides[0], strides[1] });
}

static dnnl_status_t prepare(struct dnnl_state *state, struct prepared *p)
{
    const struct product *k = &p->key;
    dnnl_memory_desc_t src, wei, bias, dst;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int64_t rows[2] = { k->n, 1 };

    dnnl_status_t s = describe(&src, k->m, k->k, k->in, k->src_stride);
    if (!s) s = describe(&dst, k->m, k->n, k->out, rows);
    if (!s) s = describe(&bias, 1, k->n, DT_F32, rows);
    if (!s && k->is_param) s = dnnl_memory_desc_init_by_tag(&wei, 2, (dnnl_dims_t){ k->k, k->n }, type(k->in), dnnl_format_tag_any);
    if (!s && !k->is_param) s = describe(&wei, k->k, k->n, k->in, k->wei_stride);
    if (!s) s = dnnl_matmul_desc_init(&op, &src, &wei, k->has_bias ? &bias : NULL, &dst);
    if (!s) s = dnnl_primitive_attr_create(&attr);
    if (!s && k->adds) s = dnnl_post_ops_create(&post);
    if (!s && k->adds) s = dnnl_post_ops_append_sum(post, 1);
    if (!s && k->adds) s = dnnl_primitive_attr_set_post_ops(attr, post);
    if (!s) s = dnnl_primitive_desc_create(&pd, &op, attr, state->engine, NULL);
    if (!s) s = dnnl_primitive_create(&p->run, pd);
    if (!s) p->wei_wanted = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (!s) s = dnnl_memory_create(&p->src, &src, state->engine, DNNL_MEMORY_NONE);
    if (!s && !k->is_param) s = dnnl_memory_create(&p->wei, &wei, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&p->dst, &dst, state->engine, DNNL_MEMORY_NONE);
    if (!s && k->has_bias) s = dnnl_memory_create(&p->bias, &bias, state->engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(pd);
    dnnl_post_ops_destroy(post);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static bool same_product(const struct product *a, const struct product *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && a->in == b->in && a->out == b->out && a->has_bias == b->has_bias && a->adds == b->adds &&
           a->is_param == b->is_param && !memcmp(a->src_stride, b->src_stride, sizeof a->src_stride) &&
           !memcmp(a->wei_stride, b->wei_stride, sizeof a->wei_stride);
}

static struct prepared *find_prepared(struct device *d, const struct product *key)
{
    struct dnnl_state *state = fast_dnnl(d);
    struct products *all = state->products;

    if (!all) all = state->products = mem_new(struct products, 1);
    for (int64_t i = 0; i < all->n; i++) {
        if (same_product(&all->at[i].key, key)) return &all->at[i];
    }
    mem_reserve(&all->at, &all->cap, all->n + 1);
    struct prepared *p = &all->at[all->n];
    *p = (struct prepared){ .key = *key };
    dnnl_status_t s = prepare(state, p);
    if (s) {
        failed(d, "matrix product", s);
        return NULL;
    }
    all->n++;
    return p;
}

static dnnl_status_t make_packed(struct dnnl_state *state, struct packed *k)
{
    dnnl_memory_desc_t plain;
    dnnl_primitive_desc_t pd = NULL;

    dnnl_status_t s = describe(&plain, k->key.k, k->key.n, k->key.in, k->key.wei_stride);
    if (!s) s = dnnl_memory_create(&k->plain, &plain, state->engine, (void *)(uintptr_t)k->data);
    if (!s) s = dnnl_memory_create(&k->packed, &k->md, state->engine, DNNL_MEMORY_ALLOCATE);
    if (!s) s = dnnl_reorder_primitive_desc_create(&pd, &plain, state->engine, &k->md, state->engine, NULL);
    if (!s) s = dnnl_primitive_create(&k->reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

/* The parameter's packed form for a primitive, made or refreshed when parameters changed. */
static dnnl_memory_t packed_weight(struct device *d, const struct prepared *p, const void *data)
{
    struct dnnl_state *state = fast_dnnl(d);
    struct products *all = state->products;
    struct packed *k = NULL;
    dnnl_status_t s = dnnl_success;

    for (int64_t i = 0; i < all->n_packed && !k; i++) {
        struct packed *c = &all->packed[i];
        bool is_same = c->data == data && c->key.n == p->key.n && c->key.k == p->key.k && c->key.in == p->key.in &&
                       !memcmp(c->key.wei_stride, p->key.wei_stride, sizeof p->key.wei_stride);
        if (is_same && dnnl_memory_desc_equal(&c->md, &p->wei_wanted)) k = c;
    }
    if (!k) {
        mem_reserve(&all->packed, &all->cap_packed, all->n_packed + 1);
        k = &all->packed[all->n_packed];
        *k = (struct packed){ .data = data, .key = p->key, .md = p->wei_wanted };
        s = make_packed(state, k);
        if (!s) all->n_packed++;
    }
    if (!s && k->epoch != d->param_epoch) {
        dnnl_exec_arg_t args[2] = { { DNNL_ARG_FROM, k->plain }, { DNNL_ARG_TO, k->packed } };
        s = dnnl_primitive_execute(k->reorder, state->stream, 2, args);
        k->epoch = d->param_epoch;
    }
    if (!s) return k->packed;
    failed(d, "packing a parameter", s);
    return NULL;
}

static int run_product(struct device *d, const struct product *key, void *dst, const void *src, const void *wei, const void *bias)
{
    struct prepared *p = find_prepared(d, key);
    if (!p) return -1;
    dnnl_memory_t w = key->is_param ? packed_weight(d, p, wei) : p->wei;
    if (!w) return -1;
    dnnl_exec_arg_t args[4] = { { DNNL_ARG_SRC, p->src }, { DNNL_ARG_WEIGHTS, w }, { DNNL_ARG_DST, p->dst }, { DNNL_ARG_BIAS, p->bias } };
    dnnl_memory_set_data_handle(p->src, (void *)(uintptr_t)src);
    dnnl_memory_set_data_handle(p->dst, dst);
    if (!key->is_param) dnnl_memory_set_data_handle(w, (void *)(uintptr_t)wei);
    if (bias) dnnl_memory_set_data_handle(p->bias, (void *)(uintptr_t)bias);
    dnnl_status_t s = dnnl_primitive_execute(p->run, fast_dnnl(d)->stream, bias ? 4 : 3, args);
    return s ? failed(d, "matrix product", s) : 0;
}

/* Rows for the next product of `left` rows with a matrix of `weights` elements. Large products are worth a primitive of their own. */
static int64_t chunk(int64_t left, int64_t weights)
{
    if (weights > 4 << 20) return left;
    for (int64_t c = 2048; c >= 64; c /= 2) {
        if (left >= c) return c;
    }
    return left;
}

void products_free(struct products *all)
{
    if (!all) return;
    for (int64_t i = 0; i < all->n; i++) {
        struct prepared *p = &all->at[i];
        dnnl_primitive_destroy(p->run);
        dnnl_memory_destroy(p->src);
        dnnl_memory_destroy(p->wei);
        dnnl_memory_destroy(p->bias);
        dnnl_memory_destroy(p->dst);
    }
    for (int64_t i = 0; i < all->n_packed; i++) {
        dnnl_memory_destroy(all->packed[i].plain);
        dnnl_memory_destroy(all->packed[i].packed);
        dnnl_primitive_destroy(all->packed[i].reorder);
    }
    free(all->at);
    free(all->packed);
    free(all);
}

int fast_linear_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b, int flags)
{
    int64_t in = x.shape[1], out = w.shape[0];
    struct product key = { .n = out, .k = in, .src_stride = { in, 1 }, .wei_stride = { 1, in }, .in = x.dtype, .out = y.dtype,
                           .has_bias = b.data != NULL, .adds = flags & LINEAR_ADD, .is_param = flags & LINEAR_PARAM };

    for (int64_t t = 0; t < x.shape[0]; t += key.m) {
        key.m = chunk(x.shape[0] - t, w.n);
        if (run_product(d, &key, tensor_rows(y, t, key.m).data, tensor_rows(x, t, key.m).data, w.data, b.data)) return -1;
    }
    return 0;
}

int fast_linear_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    int64_t in = w.shape[1], out = w.shape[0];
    struct product key = { .n = in, .k = out, .src_stride = { out, 1 }, .wei_stride = { in, 1 }, .in = dy.dtype, .out = dx.dtype,
                           .adds = flags & LINEAR_ADD, .is_param = flags & LINEAR_PARAM };

    for (int64_t t = 0; t < dy.shape[0]; t += key.m) {
        key.m = chunk(dy.shape[0] - t, w.n);
        if (run_product(d, &key, tensor_rows(dx, t, key.m).data, tensor_rows(dy, t, key.m).data, w.data, NULL)) return -1;
    }
    return 0;
}

/* db[from..to) += sums of the columns of dy[T,O]. */
MULTIVERSION static void column_sums(float *db, const void *dy, bool half, int64_t rows, int64_t width, int64_t from, int64_t to)
{
    for (int64_t c = from; c < to; c += LANES) {
        v16 sum = { 0 };
        for (int64_t t = 0; t < rows; t++) sum += load_at(dy, half, t * width + c, to - c);
        store_at(db, false, c, to - c, load_at(db, false, c, to - c) + sum);
    }
}

void fast_column_sums(struct device *d, struct tensor db, struct tensor dy)
{
    int64_t out = db.n, rows = dy.n / out, block = (out + d->threads - 1) / d->threads;

    block = (block + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(d->threads) if (dy.n > FAST_PARALLEL)
    for (int64_t c = 0; c < out; c += block) column_sums(db.data, dy.data, dy.dtype == DT_BF16, rows, out, c, c + block < out ? c + block : out);
}

int fast_linear_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    int64_t in = x.shape[1], out = dy.shape[1], rows = dy.shape[0];
    struct product key = { .m = out, .n = in, .src_stride = { 1, out }, .wei_stride = { in, 1 }, .in = dy.dtype, .out = DT_F32, .adds = true };

    for (int64_t t = 0; t < rows; t += key.k) {
        key.k = chunk(rows - t, dw.n);
        if (run_product(d, &key, dw.data, tensor_rows(dy, t, key.k).data, tensor_rows(x, t, key.k).data, NULL)) return -1;
    }
    if (db.data) fast_column_sums(d, db, dy);
    return 0;
}
