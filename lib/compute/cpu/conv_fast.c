/* Convolutions by oneDNN on NHWC activations; filters are kept in the layout that the library prefers while they stay
 * the same (dnnl_packed.c). */
#include "compute/cpu/cpu.h"
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "core/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum way { WAY_FORWARD, WAY_INPUT, WAY_WEIGHT };
/* What a primitive is made for. */
struct shape {
    enum way way;
    int64_t x[4], y[4], k[2], groups;
    struct conv c;
    enum dtype in, out; /* of the operands and of the result */
    enum dtype lies;    /* of the filters, which are rounded to `in` when they are packed */
    bool has_bias, relu, adds;
};
struct made {
    dnnl_primitive_t run;
    struct layout layout; /* of the filters */
    dnnl_memory_t x, y, bias;
    dnnl_memory_t w, plain;   /* WAY_WEIGHT: the gradient in the library's layout, and in ours */
    dnnl_primitive_t reorder; /* from w to plain, adding */
};

static dnnl_data_type_t type(enum dtype t)
{
    return t == DT_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* NHWC in memory, N C H W in oneDNN's order of dimensions. */
static dnnl_status_t describe(dnnl_memory_desc_t *md, const int64_t s[4], enum dtype t)
{
    return dnnl_memory_desc_init_by_tag(md, 4, (dnnl_dims_t){ s[0], s[3], s[1], s[2] }, type(t), dnnl_nhwc);
}

/* Filters in our layout, or in any that the library likes; groups are a dimension of their own. */
static dnnl_status_t describe_filters(dnnl_memory_desc_t *md, const struct shape *k, dnnl_data_type_t t, bool is_any)
{
    int64_t g = k->groups;

    if (g == 1)
        return dnnl_memory_desc_init_by_tag(md, 4, (dnnl_dims_t){ k->y[3], k->x[3], k->k[0], k->k[1] }, t,
                                            is_any ? dnnl_format_tag_any : dnnl_oihw);
    return dnnl_memory_desc_init_by_tag(md, 5, (dnnl_dims_t){ g, k->y[3] / g, k->x[3] / g, k->k[0], k->k[1] }, t,
                                        is_any ? dnnl_format_tag_any : dnnl_goihw);
}

static dnnl_status_t make_desc(const struct shape *k, dnnl_convolution_desc_t *op, dnnl_memory_desc_t *x,
                               dnnl_memory_desc_t *y, dnnl_memory_desc_t *bias, dnnl_memory_desc_t *w)
{
    const struct conv *c = &k->c;
    dnnl_dims_t strides = { c->stride, c->stride }, dilations = { c->dilation - 1, c->dilation - 1 },
                before = { c->pad, c->pad }, after;
    bool is_input = k->way == WAY_INPUT, is_weight = k->way == WAY_WEIGHT;

    for (int i = 0; i < 2; i++)
        after[i] = (k->y[1 + i] - 1) * c->stride + c->dilation * (k->k[i] - 1) + 1 - k->x[1 + i] - c->pad;
    dnnl_status_t s = describe(x, k->x, is_input ? k->out : k->in);
    if (!s) s = describe(y, k->y, is_input || is_weight ? k->in : k->out);
    if (!s) s = describe_filters(w, k, is_weight ? dnnl_f32 : type(k->in), true);
    if (!s) s = dnnl_memory_desc_init_by_tag(bias, 1, (dnnl_dims_t){ k->y[3] }, dnnl_f32, dnnl_a);
    if (s) return s;
    if (is_input)
        return dnnl_dilated_convolution_backward_data_desc_init(op, dnnl_convolution_direct, x, w, y, strides,
                                                                dilations, before, after);
    if (is_weight)
        return dnnl_dilated_convolution_backward_weights_desc_init(op, dnnl_convolution_direct, x, w, NULL, y, strides,
                                                                   dilations, before, after);
    return dnnl_dilated_convolution_forward_desc_init(op, dnnl_forward_inference, dnnl_convolution_direct, x, w,
                                                      k->has_bias ? bias : NULL, y, strides, dilations, before, after);
}

static dnnl_status_t make_attr(const struct shape *k, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t post = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(attr);

    if (!s) s = dnnl_post_ops_create(&post);
    if (!s && k->adds) s = dnnl_post_ops_append_sum(post, 1);
    if (!s && k->relu) s = dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0);
    if (!s) s = dnnl_primitive_attr_set_post_ops(*attr, post);
    dnnl_post_ops_destroy(post);
    return s;
}

/* The gradient of filters out of the library's layout, added to what is there. */
static dnnl_status_t make_reorder(struct dnnl_state *state, struct made *m)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;

    dnnl_status_t s = dnnl_memory_create(&m->plain, &m->layout.plain, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&m->w, &m->layout.wanted, state->engine, DNNL_MEMORY_ALLOCATE);
    if (!s) s = make_attr(&(struct shape){ .adds = true }, &attr);
    if (!s)
        s = dnnl_reorder_primitive_desc_create(&pd, &m->layout.wanted, state->engine, &m->layout.plain, state->engine,
                                               attr);
    if (!s) s = dnnl_primitive_create(&m->reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static dnnl_status_t make(struct dnnl_state *state, struct made *m, const struct shape *k)
{
    dnnl_convolution_desc_t op, hint_op;
    dnnl_memory_desc_t x, y, bias, w;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    struct shape forward = *k;
    bool is_weight = k->way == WAY_WEIGHT;

    forward.way = WAY_FORWARD;
    forward.out = forward.in;
    mem_expect(DNNL_ROOM);
    dnnl_status_t s = k->way == WAY_FORWARD ? dnnl_success : make_desc(&forward, &hint_op, &x, &y, &bias, &w);
    if (!s && k->way != WAY_FORWARD) s = dnnl_primitive_desc_create(&hint, &hint_op, NULL, state->engine, NULL);
    if (!s) s = make_desc(k, &op, &x, &y, &bias, &w);
    if (!s) s = make_attr(k, &attr);
    if (!s) s = dnnl_primitive_desc_create(&pd, &op, k->way == WAY_FORWARD ? attr : NULL, state->engine, hint);
    if (!s) s = dnnl_primitive_create(&m->run, pd);
    if (!s)
        m->layout.wanted =
            *dnnl_primitive_desc_query_md(pd, is_weight ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    if (!s) s = describe_filters(&m->layout.plain, k, is_weight ? dnnl_f32 : type(k->lies), false);
    if (!s) m->layout.hash = layout_hash(&m->layout);
    if (!s && is_weight) s = make_reorder(state, m);
    if (!s) s = dnnl_memory_create(&m->x, &x, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&m->y, &y, state->engine, DNNL_MEMORY_NONE);
    if (!s && k->has_bias) s = dnnl_memory_create(&m->bias, &bias, state->engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static void made_free(void *item)
{
    struct made *m = item;

    dnnl_primitive_destroy(m->run);
    dnnl_primitive_destroy(m->reorder);
    dnnl_memory_destroy(m->x);
    dnnl_memory_destroy(m->y);
    dnnl_memory_destroy(m->w);
    dnnl_memory_destroy(m->plain);
    dnnl_memory_destroy(m->bias);
    free(m);
}

static struct lru_key key_of(const struct shape *k)
{
    struct lru_key key = { { k->way, k->k[0], k->k[1], k->c.stride, k->c.pad, k->c.dilation, k->in, k->out, k->has_bias,
                             k->relu, k->adds } };

    key.v[11] = k->groups * 2 + (k->lies == DT_BF16);
    memcpy(key.v + 12, k->x, sizeof k->x);
    memcpy(key.v + 16, k->y, sizeof k->y);
    return key;
}

/* The primitive for a shape, shared by all layers that have it. */
static struct made *find(struct device *d, const struct shape *k)
{
    struct dnnl_state *state = fast_dnnl(d);
    const struct lru_key key = key_of(k);

    if (!state->convolutions) state->convolutions = lru_new(PRIMITIVES_MOST, made_free);
    struct made *m = lru_find(state->convolutions, &key);
    if (m) return m;
    m = mem_new(struct made, 1);
    dnnl_status_t s = make(state, m, k);
    if (!s) {
        lru_add(state->convolutions, &key, m);
        return m;
    }
    made_free(m);
    snprintf(d->why, sizeof d->why, "convolution: the matrix library refused (status %d)", (int)s);
    return NULL;
}

static struct shape shape_of(enum way way, struct tensor x, struct tensor y, struct tensor w, struct conv c)
{
    struct shape k;

    memset(&k, 0, sizeof k);
    k.way = way;
    memcpy(k.x, x.shape, sizeof k.x);
    memcpy(k.y, y.shape, sizeof k.y);
    k.k[0] = w.shape[2];
    k.k[1] = w.shape[3];
    k.groups = x.shape[3] / w.shape[1];
    k.c = c;
    return k;
}

int FAST_ROW(conv_forward)(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                           struct conv c, bool relu, int flags)
{
    struct shape k = shape_of(WAY_FORWARD, x, y, w, c);

    if (FAST_ROW(winograd_fits)(y, x, w, c, flags)) return FAST_ROW(winograd)(d, y, x, w, b, c, relu);
    k.in = x.dtype;
    k.out = y.dtype;
    k.lies = w.dtype;
    k.has_bias = b.data;
    k.relu = relu;
    k.adds = flags & LINEAR_ADD;
    struct made *m = find(d, &k);
    dnnl_memory_t filters = m ? dnnl_packed(d, &m->layout, w.data, flags & LINEAR_PARAM) : NULL;
    if (!filters) return -1;
    dnnl_exec_arg_t args[4] = {
        { DNNL_ARG_SRC, m->x }, { DNNL_ARG_WEIGHTS, filters }, { DNNL_ARG_DST, m->y }, { DNNL_ARG_BIAS, m->bias }
    };
    dnnl_memory_set_data_handle(m->x, x.data);
    dnnl_memory_set_data_handle(m->y, y.data);
    if (b.data) dnnl_memory_set_data_handle(m->bias, b.data);
    return dnnl_primitive_execute(m->run, fast_dnnl(d)->stream, b.data ? 4 : 3, args) ? -1 : 0;
}

/* The library's data gradient cannot add: with ADD it goes to working memory first. */
int FAST_ROW(conv_backward_input)(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, struct conv c,
                                  int flags)
{
    struct shape k = shape_of(WAY_INPUT, dx, dy, w, c);
    struct tensor to = dx;

    k.in = dy.dtype;
    k.out = dx.dtype;
    k.lies = w.dtype;
    if (flags & LINEAR_ADD && !(to.data = fast_room(d, ROOM_CONV, tensor_bytes(dx)))) return -1;
    struct made *m = find(d, &k);
    dnnl_memory_t filters = m ? dnnl_packed(d, &m->layout, w.data, flags & LINEAR_PARAM) : NULL;
    if (!filters) return -1;
    dnnl_exec_arg_t args[3] = { { DNNL_ARG_DIFF_DST, m->y },
                                { DNNL_ARG_WEIGHTS, filters },
                                { DNNL_ARG_DIFF_SRC, m->x } };
    dnnl_memory_set_data_handle(m->x, to.data);
    dnnl_memory_set_data_handle(m->y, dy.data);
    if (dnnl_primitive_execute(m->run, fast_dnnl(d)->stream, 3, args)) return -1;
    return flags & LINEAR_ADD ? FAST_ROW(add)(d, dx, dx, to) : 0;
}

int FAST_ROW(conv_backward_weight)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy,
                                   struct tensor x, struct conv c)
{
    struct shape k = shape_of(WAY_WEIGHT, x, dy, dw, c);

    /* On BF16 maps narrower than the filters the library uses memory that it has not written. */
    if (x.dtype == DT_BF16 && x.shape[2] < dw.shape[3]) return cpu_conv_backward_weight(d, dw, db, dy, x, c);
    k.in = x.dtype;
    k.out = DT_F32;
    struct made *m = find(d, &k);
    if (!m) return -1;
    dnnl_exec_arg_t args[3] = { { DNNL_ARG_SRC, m->x }, { DNNL_ARG_DIFF_DST, m->y }, { DNNL_ARG_DIFF_WEIGHTS, m->w } };
    dnnl_exec_arg_t out[2] = { { DNNL_ARG_FROM, m->w }, { DNNL_ARG_TO, m->plain } };
    dnnl_memory_set_data_handle(m->x, x.data);
    dnnl_memory_set_data_handle(m->y, dy.data);
    dnnl_memory_set_data_handle(m->plain, dw.data);
    if (dnnl_primitive_execute(m->run, fast_dnnl(d)->stream, 3, args)) return -1;
    if (dnnl_primitive_execute(m->reorder, fast_dnnl(d)->stream, 2, out)) return -1;
    if (db.data) FAST_ROW(column_sums)(d, db, dy);
    return 0;
}
