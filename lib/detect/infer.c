#include "detect/infer.h"

/* The two buffers of a chain of blocks. */
struct room {
    struct tensor a, b;
};

static int64_t after(int64_t in, const struct layer *l)
{
    return (in + 2 * l->conv.pad - l->conv.dilation * (l->kernel - 1) - 1) / l->conv.stride + 1;
}

static int64_t after_block(int64_t in, const struct bottleneck *b)
{
    return after(after(in, &b->a), &b->b);
}

/* The tensor that layer l makes of x, in `data` (of at least as many elements). */
static struct tensor output(struct tensor data, struct tensor x, const struct layer *l)
{
    return tensor_4d(data.data, x.dtype, x.shape[0], after(x.shape[1], l), after(x.shape[2], l), l->out);
}

/* y = relu(norm(conv(x)) + y with `adds`); a norm keeps the addition and the ReLU out of the convolution. */
static void run_layer(struct net *n, const struct layer *l, struct tensor y, struct tensor x, bool relu, bool adds,
                      struct tensor room)
{
    struct device *d = n->scratch->device;
    struct tensor none = { 0 }, bias = params_f32(n->params, l->b), w = params_weight(n->params, l->w);

    if (l->g < 0) {
        op_conv_forward(d, y, x, w, bias, l->conv, relu, LINEAR_PARAM | (adds ? LINEAR_ADD : 0));
        return;
    }
    struct tensor z = adds ? output(room, x, l) : y;
    int64_t mark = scratch_mark(n->scratch);
    struct tensor stats = scratch_3d(n->scratch, DT_F32, x.shape[0], n->config->groups, 2);
    op_conv_forward(d, z, x, w, none, l->conv, false, LINEAR_PARAM);
    op_group_norm_forward(d, z, stats, z, params_f32(n->params, l->g), bias, n->config->groups, NORM_EPS,
                          relu && !adds);
    if (adds) op_add(d, y, y, z);
    if (adds && relu) op_relu_forward(d, y, y);
    scratch_back_to(n->scratch, mark);
}

/* y is x where the block has no shortcut. */
static struct tensor run_block(struct net *n, const struct bottleneck *b, struct tensor x, struct room *room)
{
    struct tensor first = output(room->a, x, &b->a), second = output(room->b, first, &b->b), y = x;

    if (b->has_shortcut) {
        y = scratch_4d(n->scratch, x.dtype, x.shape[0], second.shape[1], second.shape[2], b->c.out);
        run_layer(n, &b->shortcut, y, x, false, false, room->a);
    }
    run_layer(n, &b->a, first, x, true, false, room->a);
    run_layer(n, &b->b, second, first, true, false, room->a);
    run_layer(n, &b->c, y, second, true, true, room->a);
    return y;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Room for what blocks keep for themselves, given the size of the first one's input. */
static struct room make_room(struct net *n, const struct bottleneck *blocks, int count, struct tensor x)
{
    int64_t rows = x.shape[1], columns = x.shape[2], a = 1, b = 1;
    struct room room;

    for (int i = 0; i < count; i++) {
        int64_t y = after(rows, &blocks[i].a), z = after(columns, &blocks[i].a);
        a = larger(a, y * z * blocks[i].a.out);
        rows = after_block(rows, &blocks[i]);
        columns = after_block(columns, &blocks[i]);
        b = larger(b, rows * columns * blocks[i].b.out);
        if (blocks[i].c.g >= 0) a = larger(a, rows * columns * blocks[i].c.out); /* the sum's second operand */
    }
    room.a = scratch_1d(n->scratch, x.dtype, x.shape[0] * a);
    room.b = scratch_1d(n->scratch, x.dtype, x.shape[0] * b);
    return room;
}

struct tensor infer_features(struct net *n, struct tensor input)
{
    const struct detect_config *c = n->config;
    const struct layer *stem = &n->stem;
    struct tensor none = { 0 }, x = scratch_4d(n->scratch, input.dtype, input.shape[0], after(input.shape[1], stem),
                                               after(input.shape[2], stem), stem->out);

    run_layer(n, stem, x, input, true, false, none);
    if (c->pool_kernel) {
        struct tensor pooled = scratch_4d(n->scratch, x.dtype, x.shape[0], net_pooled_size(c, x.shape[1]),
                                          net_pooled_size(c, x.shape[2]), x.shape[3]);
        op_max_pool_forward(n->scratch->device, pooled, none, x, c->pool_kernel, c->pool_stride, c->pool_pad);
        x = pooled;
    }
    struct room room = make_room(n, n->blocks, n->n_blocks, x);
    for (int i = 0; i < n->n_blocks; i++) x = run_block(n, &n->blocks[i], x, &room);
    return x;
}

int64_t infer_head_rows(const struct net *n)
{
    const struct detect_config *c = n->config;
    int64_t size = c->roi_size, region = size * size * (c->head.channels + c->stages[c->n_stages - 1].channels),
            most = (int64_t)(24 << 20) / region; /* elements: about 100 MiB, more than any cache, and little memory */

    return most < 4 ? 4 : most;
}

void infer_head(struct net *n, struct tensor means, struct tensor pooled)
{
    int64_t mark = scratch_mark(n->scratch);
    struct room room = make_room(n, n->head, n->n_head, pooled);
    struct tensor x = pooled;

    for (int i = 0; i < n->n_head; i++) x = run_block(n, &n->head[i], x, &room);
    op_mean_pool_forward(n->scratch->device, means, x);
    scratch_back_to(n->scratch, mark);
}
