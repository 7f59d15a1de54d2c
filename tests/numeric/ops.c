/* Each row of a device (by default "cpu", or the argument's) against the reference, on shapes with 0, 1, odd and larger
 * sizes (or as many as a second argument says), in f32 and bf16; further arguments: only these rows. Buffers are
 * guarded, outputs poisoned, inputs must stay as they are. One row of the table per operation and way of calling it. */
#include "core/hash.h"
#include "numeric.h"
#include <assert.h>

/* Sizes by letter: T rows, H hidden, I in, O out, V vocabulary, B images, Y X map, C channels, R regions. */
static int64_t size_of[128];
static float dropout_p;

enum { TENSORS = 10 };
struct op {
    const char *name;
    /* Each tensor is "role type letters": role i input, o output, + added to; type a activation, f F32, n index below
     * the letter after '<' */
    const char *tensors[TENSORS];
    void (*run)(struct device *d, struct tensor *t);
    double slack; /* multiplies the tolerances; 0: 1 */
};

static struct tensor shaped(const char *letters, enum dtype t)
{
    struct tensor x = { .dtype = t, .n = 1 };

    for (; *letters && *letters != '<'; letters++) {
        int64_t n = *letters == '3'   ? 3 * size_of['H']
                    : *letters == '2' ? 2
                    : *letters == '5' ? 5
                    : *letters == '1' ? 1
                                      : size_of[(int)*letters];
        x.shape[x.rank++] = n;
        x.n *= n;
    }
    for (int i = x.rank; i < TENSOR_RANK; i++) x.shape[i] = 1;
    return x;
}

static struct dropout drop(void)
{
    return (struct dropout){ .p = dropout_p, .site = 7, .seed = 0x123456789abcdef, .step = 42 };
}

/* Temporary tensors of a run, in the memory of the device that runs. */
static struct {
    struct device *d;
    struct tensor x;
} temporary[32];
static int n_temporary;
static struct tensor temp_like(struct device *d, struct tensor shape)
{
    assert(n_temporary < (int)(sizeof temporary / sizeof *temporary));
    temporary[n_temporary].d = d;
    return temporary[n_temporary++].x = guarded_on(d, shape);
}
static struct tensor temp(struct device *d, const char *letters, enum dtype t)
{
    return temp_like(d, shaped(letters, t));
}
/* One with the contents of a host tensor. */
static struct tensor sent(struct device *d, struct tensor host)
{
    struct tensor x = temp_like(d, host);

    op_upload(d, x.data, host.data, tensor_bytes(host));
    return x;
}

/* Sequences of 1, 2, ... rows (the last takes the rest), with prefixes 0, 1, all, half in turn. */
static int32_t starts[600], prefixes[600];
static struct sequences packed(struct device *d, int64_t rows)
{
    int n = 0;
    int64_t longest = 0;

    for (int64_t at = 0; at < rows; n++) {
        int64_t len = n < 3 ? n + 1 : 17 + n * 13;
        if (at + len > rows) len = rows - at;
        starts[n] = (int32_t)at;
        prefixes[n] = (int32_t)(n % 4 == 0 ? len : n % 4 == 1 ? 0 : n % 4 == 2 ? 1 : len / 2);
        at += len;
        longest = len > longest ? len : longest;
        starts[n + 1] = (int32_t)at;
    }
    return (struct sequences){ n, longest, sent(d, tensor_1d(starts, DT_I32, n + 1)),
                               sent(d, tensor_1d(prefixes, DT_I32, n)) };
}

#define F DT_F32
static const struct tensor none;
static void convert(struct device *d, struct tensor *t)
{
    op_convert(d, t[0], t[1]);
}
static void fill(struct device *d, struct tensor *t)
{
    op_fill(d, t[0], 1.25f);
}
static void linear(struct device *d, struct tensor *t)
{
    op_linear_forward(d, t[0], t[1], t[2], t[3], 0);
}
static void linear_param(struct device *d, struct tensor *t)
{
    op_params_changed(d);
    op_linear_forward(d, t[0], t[1], t[2], none, LINEAR_PARAM);
}
static void linear_add(struct device *d, struct tensor *t)
{
    op_linear_forward(d, t[0], t[1], t[2], t[3], LINEAR_ADD);
}
static void linear_dx(struct device *d, struct tensor *t)
{
    op_params_changed(d);
    op_linear_backward_input(d, t[0], t[1], t[2], LINEAR_PARAM);
}
static void linear_dx_add(struct device *d, struct tensor *t)
{
    op_linear_backward_input(d, t[0], t[1], t[2], LINEAR_ADD);
}
static void linear_dw(struct device *d, struct tensor *t)
{
    op_linear_backward_weight(d, t[0], t[1], t[2], t[3]);
}
static void norm(struct device *d, struct tensor *t)
{
    op_layer_norm_forward(d, t[0], t[1], t[2], t[3], t[4], 1e-5f);
}
static void norm_dx(struct device *d, struct tensor *t)
{
    struct tensor stats = temp(d, "T2", F), y = temp(d, "TH", t[3].dtype);
    op_layer_norm_forward(d, y, stats, t[4], t[5], t[5], 1e-5f);
    op_layer_norm_backward(d, t[0], t[1], t[2], t[3], t[4], stats, t[5]);
}
static void residual(struct device *d, struct tensor *t)
{
    op_residual_norm_forward(d, t[0], t[1], t[2], t[3], t[4], t[5], t[6], 1e-5f, drop());
}
static void residual_dx(struct device *d, struct tensor *t)
{
    struct tensor stats = temp(d, "T2", F), y = temp(d, "TH", t[4].dtype);
    op_layer_norm_forward(d, y, stats, t[5], t[6], t[6], 1e-5f);
    op_residual_norm_backward(d, t[0], t[1], t[2], t[3], t[4], t[5], stats, t[6], drop());
}
static void group(struct device *d, struct tensor *t)
{
    op_group_norm_forward(d, t[0], t[1], t[2], t[3], t[4], (int)size_of['G'], 1e-5f, true);
}
static void group_dx(struct device *d, struct tensor *t)
{
    struct tensor stats = temp(d, "BG2", F), y = temp(d, "BYXC", t[3].dtype);
    op_group_norm_forward(d, y, stats, t[4], t[5], t[5], (int)size_of['G'], 1e-5f, true);
    op_group_norm_backward(d, t[0], t[1], t[2], t[3], y, t[4], stats, t[5], (int)size_of['G'], true);
}
static void attention(struct device *d, struct tensor *t)
{
    op_attention_forward(d, t[0], t[1], t[2], packed(d, t[0].shape[0]), (int)size_of['N'], 0.3f, drop());
}
/* Backward from the reference's outputs: what a device's own forward rounded is not backward's error. */
static struct device *ref;
static void attention_dx(struct device *d, struct tensor *t)
{
    struct tensor qkv = temp(ref, "T3", t[2].dtype), out = temp(ref, "TH", t[1].dtype), lse = temp(ref, "TN", F);
    struct sequences seq = packed(d, t[1].shape[0]);
    op_download(d, qkv.data, t[2].data, tensor_bytes(qkv));
    op_attention_forward(ref, out, lse, qkv, packed(ref, t[1].shape[0]), (int)size_of['N'], 0.3f, drop());
    op_attention_backward(d, t[0], t[1], sent(d, out), t[2], sent(d, lse), seq, (int)size_of['N'], 0.3f, drop());
}
static void cached(struct device *d, struct tensor *t)
{
    op_attention_cached(d, t[0], t[1], t[2], t[3], t[4], t[5], (int)size_of['N'], 0.3f);
}
static void gather(struct device *d, struct tensor *t)
{
    op_gather_rows(d, t[0], t[1], t[2], false);
}
static void gather_add(struct device *d, struct tensor *t)
{
    op_gather_rows(d, t[0], t[1], t[2], true);
}
static void scatter(struct device *d, struct tensor *t)
{
    op_scatter_add_rows(d, t[0], t[1], t[2]);
}
static void gelu(struct device *d, struct tensor *t)
{
    op_gelu_forward(d, t[0], t[1]);
}
static void gelu_dx(struct device *d, struct tensor *t)
{
    op_gelu_backward(d, t[0], t[1], t[2], t[3]);
}
static void relu(struct device *d, struct tensor *t)
{
    op_relu_forward(d, t[0], t[1]);
}
static void relu_dx(struct device *d, struct tensor *t)
{
    op_relu_backward(d, t[0], t[1], t[2]);
}
static void dropout(struct device *d, struct tensor *t)
{
    op_dropout_forward(d, t[0], t[1], drop());
}
static void add(struct device *d, struct tensor *t)
{
    op_add(d, t[0], t[1], t[2]);
}
static void multiply(struct device *d, struct tensor *t)
{
    op_multiply(d, t[0], t[1], t[2]);
}
static void axpy(struct device *d, struct tensor *t)
{
    op_axpy(d, t[0], t[1], 0.7f);
}
static void entropy(struct device *d, struct tensor *t)
{
    op_cross_entropy(d, t[0], t[1], t[2], t[3], 0.1f, 0.5f);
}
static void entropy_loss(struct device *d, struct tensor *t)
{
    op_cross_entropy(d, t[0], none, t[1], t[2], 0, 1);
}
static void log_softmax(struct device *d, struct tensor *t)
{
    op_log_softmax(d, t[0], t[1]);
}
static void top_columns(struct device *d, struct tensor *t)
{
    op_top_columns(d, t[0], t[1], t[2], t[3], 0);
    op_top_columns(d, t[0], t[1], t[2], t[4], t[3].shape[1]);
}
static void squares(struct device *d, struct tensor *t)
{
    op_sum_of_squares(d, t[0], t[1]);
}
static void adamw(struct device *d, struct tensor *t)
{
    const struct adamw_segment s[2] = { { 0, t[0].n / 2, 1, 0.01f }, { t[0].n / 2, t[0].n - t[0].n / 2, 0.5f, 0 } };
    struct tensor sum = temp(d, "1", F);
    op_multiply(d, t[3], t[3], t[3]);
    op_sum_of_squares(d, sum, t[1]);
    op_adamw(d, t[0], t[4], t[1], t[2], t[3], sum, s, 2, (struct adamw){ 1e-3f, 0.9f, 0.98f, 1e-6f, 3, 1.0f, 0.5f });
}
static const struct conv stride1 = { 1, 1, 1 }, stride2 = { 2, 1, 1 }, dilated = { 1, 2, 2 };
static void conv(struct device *d, struct tensor *t)
{
    op_conv_forward(d, t[0], t[1], t[2], t[3], stride1, true, 0);
}
static void conv_add(struct device *d, struct tensor *t)
{
    op_conv_forward(d, t[0], t[1], t[2], none, dilated, false, LINEAR_ADD);
}
static void conv_stride(struct device *d, struct tensor *t)
{
    op_params_changed(d);
    op_conv_forward(d, t[0], t[1], t[2], none, stride2, false, LINEAR_PARAM);
}
static void conv_dx(struct device *d, struct tensor *t)
{
    op_conv_backward_input(d, t[0], t[1], t[2], stride2, 0);
}
static void conv_dx_add(struct device *d, struct tensor *t)
{
    op_conv_backward_input(d, t[0], t[1], t[2], stride1, LINEAR_ADD);
}
static void conv_dw(struct device *d, struct tensor *t)
{
    op_conv_backward_weight(d, t[0], t[1], t[2], t[3], stride2);
}
static void max_pool(struct device *d, struct tensor *t)
{
    op_max_pool_forward(d, t[0], t[1], t[2], 3, 2, 1);
}
static void mean_pool(struct device *d, struct tensor *t)
{
    op_mean_pool_forward(d, t[0], t[1]);
}
static void mean_pool_dx(struct device *d, struct tensor *t)
{
    op_mean_pool_backward(d, t[0], t[1]);
}
static void max_pool_dx(struct device *d, struct tensor *t)
{
    struct tensor y = temp(d, "ByxC", t[2].dtype), arg = temp(d, "ByxC", DT_I32);
    op_max_pool_forward(d, y, arg, t[2], 3, 2, 1);
    op_max_pool_backward(d, t[0], t[1], arg, 3, 2, 1);
}
static struct tensor make_rois(struct device *d)
{
    static float p[5 * 64];
    int64_t n = size_of['R'];
    for (int64_t r = 0; r < n; r++) {
        float box[5] = { (float)(r % size_of['B']), (float)(r * 3 % 17), (float)(r * 5 % 11),
                         (float)(r * 3 % 17 + r % 29), (float)(r * 5 % 11 + r % 23) };
        memcpy(p + 5 * r, box, sizeof box);
    }
    return sent(d, tensor_2d(p, F, n, 5));
}
static void roi_pool(struct device *d, struct tensor *t)
{
    op_roi_pool_forward(d, t[0], t[1], t[2], make_rois(d), 0.5f);
}
static void roi_pool_dx(struct device *d, struct tensor *t)
{
    struct tensor rois = make_rois(d), arg = temp(d, "RPPC", DT_I32), y = temp(d, "RPPC", t[1].dtype);
    op_roi_pool_forward(d, y, arg, t[2], rois, 0.5f);
    op_roi_pool_backward(d, t[0], t[1], arg, rois);
}
static void roi_align(struct device *d, struct tensor *t)
{
    op_roi_align_forward(d, t[0], t[1], make_rois(d), 0.5f, 0);
}
static void roi_align_two(struct device *d, struct tensor *t)
{
    op_roi_align_forward(d, t[0], t[1], make_rois(d), 0.7f, 2);
}

/* ---- rows that only some devices have a version of, and rows in place ---- */

static void scale(struct device *d, struct tensor *t)
{
    op_scale(d, t[0], -0.3f);
}
static void unit_rows(struct device *d, struct tensor *t)
{
    op_normalize_rows_forward(d, t[0], t[1], t[2]);
}
static void unit_rows_dx(struct device *d, struct tensor *t)
{
    struct tensor y = temp(d, "TH", t[2].dtype), norm_of = temp(d, "T", F);
    op_normalize_rows_forward(d, y, norm_of, t[2]);
    op_normalize_rows_backward(d, t[0], t[1], y, norm_of);
}
static void total(struct device *d, struct tensor *t)
{
    op_sum(d, t[0], t[1]);
}
static void cache(struct device *d, struct tensor *t)
{
    static int32_t slot[1200];
    int64_t n = t[2].shape[0];
    for (int64_t i = 0; i < n; i++) slot[i] = (int32_t)(n - 1 - i);
    op_cache_rows(d, t[0], t[1], t[2], sent(d, tensor_1d(slot, DT_I32, n)));
}
static void soft_entropy(struct device *d, struct tensor *t)
{
    op_soft_cross_entropy(d, t[0], t[1], t[2], t[3], 0.5f);
}
static void divergence(struct device *d, struct tensor *t)
{
    op_symmetric_kl(d, t[0], t[1], t[2], t[3], t[4], 0.5f);
}
static void squared(struct device *d, struct tensor *t)
{
    op_squared_error(d, t[0], t[1], t[2], t[3], 0.5f);
}
static void binary(struct device *d, struct tensor *t)
{
    op_binary_cross_entropy(d, t[0], t[1], t[2], t[3], none, 0.5f);
}
static void binary_weighted(struct device *d, struct tensor *t)
{
    op_binary_cross_entropy(d, t[0], t[1], t[2], t[3], t[4], 0.5f);
}
static void smooth(struct device *d, struct tensor *t)
{
    op_smooth_l1(d, t[0], t[1], t[2], t[3], t[4], 0.7f, 0.5f);
}
/* Groups of 0, 1, ... scores, each fifth without a positive one. */
struct groups {
    struct tensor start, positive;
    int64_t n;
};
static struct groups groups(struct device *d, int64_t scores)
{
    static int32_t start[64], positive[1200];
    int n = 0;
    for (int64_t at = 0; at < scores; n++) {
        int64_t len = at + n > scores ? scores - at : n;
        for (int64_t i = at; i < at + len; i++) positive[i] = n % 5 && i == at;
        start[n] = (int32_t)at;
        at += len;
        start[n + 1] = (int32_t)at;
    }
    return (struct groups){ sent(d, tensor_1d(start, DT_I32, n + 1)), sent(d, tensor_1d(positive, DT_I32, scores)), n };
}
static void contrastive(struct device *d, struct tensor *t)
{
    struct groups g = groups(d, t[1].n);
    struct tensor loss = temp_like(d, tensor_1d(NULL, F, g.n));
    op_group_contrastive(d, loss, t[1], t[2], t[3], g.start, g.positive, 2, 0.5f);
    op_sum(d, t[0], loss);
}
static void circle(struct device *d, struct tensor *t)
{
    struct groups g = groups(d, t[1].n);
    struct tensor loss = temp_like(d, tensor_1d(NULL, F, g.n));
    op_group_circle(d, loss, t[1], t[2], g.start, g.positive, 0.25f, 2, 0.5f);
    op_sum(d, t[0], loss);
}
static void in_place(struct device *d, struct tensor *t)
{
    op_gelu_forward(d, t[0], t[0]);
    op_gelu_backward(d, t[0], none, t[0], t[1]);
    op_dropout_forward(d, t[0], t[0], drop());
    op_add(d, t[0], t[0], t[1]);
    op_relu_backward(d, t[0], t[0], t[1]);
}
static void norm_in_place(struct device *d, struct tensor *t)
{
    struct tensor stats = temp(d, "T2", F);
    op_layer_norm_forward(d, t[0], stats, t[0], t[3], t[3], 1e-5f);
    op_layer_norm_backward(d, t[0], t[1], t[2], t[0], t[4], stats, t[3]);
}
static void residual_in_place(struct device *d, struct tensor *t)
{
    op_residual_norm_forward(d, t[0], t[1], t[2], t[3], t[1], t[4], t[5], 1e-5f, drop());
}
static void residual_dx_in_place(struct device *d, struct tensor *t)
{
    struct tensor stats = temp(d, "T2", F), y = temp(d, "TH", t[4].dtype);
    op_layer_norm_forward(d, y, stats, t[4], t[5], t[5], 1e-5f);
    op_residual_norm_backward(d, t[0], t[1], t[2], t[3], t[0], t[4], stats, t[5], drop());
}
static void entropy_in_place(struct device *d, struct tensor *t)
{
    op_cross_entropy(d, t[0], t[1], t[1], t[2], 0.1f, 0.5f);
}

static const struct op ops[] = {
    { "convert", { "o f TH", "i a TH" }, convert, 0 },
    { "fill", { "o a TH" }, fill, 0 },
    { "linear_forward", { "o a TO", "i a TI", "i a OI", "i f O" }, linear, 0 },
    { "linear_forward (param)", { "o f TO", "i a TI", "i a OI" }, linear_param, 0 },
    { "linear_forward (add)", { "+ f TO", "i a TI", "i a OI", "i f O" }, linear_add, 0 },
    { "linear_backward_input (param)", { "o a TI", "i a TO", "i a OI" }, linear_dx, 0 },
    { "linear_backward_input (add)", { "+ f TI", "i a TO", "i a OI" }, linear_dx_add, 0 },
    { "linear_backward_weight", { "+ f OI", "+ f O", "i a TO", "i a TI" }, linear_dw, 0 },
    { "layer_norm_forward", { "o a TH", "o f T2", "i a TH", "i f H", "i f H" }, norm, 0 },
    { "layer_norm_backward", { "o a TH", "+ f H", "+ f H", "i a TH", "i a TH", "i f H" }, norm_dx, 8 },
    { "residual_norm_forward", { "o a TH", "o a TH", "o f T2", "i a TH", "i a TH", "i f H", "i f H" }, residual, 2 },
    { "residual_norm_backward", { "o a TH", "o a TH", "+ f H", "+ f H", "i a TH", "i a TH", "i f H" }, residual_dx, 8 },
    { "group_norm_forward", { "o a BYXC", "o f BG2", "i a BYXC", "i f C", "i f C" }, group, 4 },
    { "group_norm_backward", { "o a BYXC", "+ f C", "+ f C", "i a BYXC", "i a BYXC", "i f C" }, group_dx, 16 },
    { "attention_forward", { "o a TH", "o f TN", "i a T3" }, attention, 2 },
    { "attention_backward", { "o a T3", "i a TH", "i a T3" }, attention_dx, 8 },
    { "attention_cached", { "o a BH", "i a B3", "i a TH", "i a TH", "i n BX<T", "i n B<X" }, cached, 2 },
    { "gather_rows", { "o a TH", "i f VH", "i n T<V" }, gather, 0 },
    { "gather_rows (add)", { "+ a TH", "i a VH", "i n T<V" }, gather_add, 0 },
    { "scatter_add_rows", { "+ f VH", "i a TH", "i n T<V" }, scatter, 0 },
    { "gelu_forward", { "o a TH", "i a TH" }, gelu, 0 },
    { "gelu_backward", { "o a TH", "o a TH", "i a TH", "i a TH" }, gelu_dx, 0 },
    { "relu_forward", { "o a TH", "i a TH" }, relu, 0 },
    { "relu_backward", { "o a TH", "i a TH", "i a TH" }, relu_dx, 0 },
    { "dropout_forward", { "o a TH", "i a TH" }, dropout, 0 },
    { "add", { "o a TH", "i a TH", "i f TH" }, add, 0 },
    { "multiply", { "o a TH", "i a TH", "i a TH" }, multiply, 0 },
    { "axpy", { "+ a TH", "i a TH" }, axpy, 0 },
    { "cross_entropy", { "o f T", "o a TV", "i a TV", "i n T<V" }, entropy, 4 },
    { "cross_entropy (rounded)", { "o f T", "o a TV", "i f TV", "i n T<V" }, entropy, 4 },
    { "cross_entropy (loss)", { "o f T", "i a TV", "i n T<V" }, entropy_loss, 0 },
    { "log_softmax", { "o f TV", "i a TV" }, log_softmax, 0 },
    { "top_columns", { "o f TR", "o n TR", "o f T", "i a TV", "i a TV" }, top_columns, 0 },
    { "sum_of_squares", { "o f 1", "i f TH" }, squares, 0 },
    { "adamw", { "+ f TH", "+ f TH", "+ f TH", "+ f TH", "o a TH" }, adamw, 2 },
    { "conv_forward", { "o a BYXO", "i a BYXC", "i a OC33", "i f O" }, conv, 0 },
    { "conv_forward (add, dilated)", { "+ f BYXO", "i a BYXC", "i a OC33" }, conv_add, 0 },
    { "conv_forward (stride)", { "o a Byxo", "i a BYXC", "i a oC33" }, conv_stride, 0 },
    { "conv_forward (groups)", { "o a BYXO", "i a BYXC", "i a OD33", "i f O" }, conv, 0 },
    { "conv_backward_input", { "o a BYXC", "i a Byxo", "i a oC33" }, conv_dx, 0 },
    { "conv_backward_input (add)", { "+ f BYXC", "i a BYXO", "i a OC33" }, conv_dx_add, 0 },
    { "conv_backward_weight", { "+ f oC33", "+ f o", "i a Byxo", "i a BYXC" }, conv_dw, 0 },
    { "max_pool_forward", { "o a ByxC", "o n ByxC", "i a BYXC" }, max_pool, 0 },
    { "mean_pool_forward", { "o a BC", "i a BYXC" }, mean_pool, 0 },
    { "roi_pool_forward", { "o a RPPC", "o n RPPC", "i a BYXC" }, roi_pool, 0 },
    { "roi_align_forward", { "o a RPPC", "i a BYXC" }, roi_align, 0 },
    { "roi_align_forward (2 samples)", { "o a RPPC", "i a BYXC" }, roi_align_two, 0 },
    { "roi_pool_backward", { "o a BYXC", "i a RPPC", "i a BYXC" }, roi_pool_dx, 8 },
    { "max_pool_backward", { "o a BYXC", "i a ByxC", "i a BYXC" }, max_pool_dx, 4 },
    { "mean_pool_backward", { "o a BYXC", "i a BC" }, mean_pool_dx, 0 },
    { "scale", { "+ a TH" }, scale, 0 },
    { "normalize_rows_forward", { "o a TH", "o f T", "i a TH" }, unit_rows, 0 },
    { "normalize_rows_backward", { "o a TH", "i a TH", "i a TH" }, unit_rows_dx, 8 },
    { "sum", { "o f 1", "i a TH" }, total, 0 },
    { "cache_rows", { "o a BH", "o a BH", "i a B3" }, cache, 0 },
    { "soft_cross_entropy", { "o f T", "o a TV", "i a TV", "i f TV" }, soft_entropy, 8 },
    { "symmetric_kl", { "o f T", "+ f TV", "+ f TV", "i f TV", "i f TV" }, divergence, 8 },
    { "squared_error", { "o f T", "o a TV", "i a TV", "i f TV" }, squared, 4 },
    { "binary_cross_entropy", { "o f T", "o a TV", "i a TV", "i f TV" }, binary, 4 },
    { "binary_cross_entropy (weights)", { "o f T", "o a TV", "i a TV", "i f TV", "i f TV" }, binary_weighted, 8 },
    { "smooth_l1", { "o f T", "o a TV", "i a TV", "i f TV", "i f T" }, smooth, 4 },
    { "group_contrastive", { "o f 1", "o f T", "+ f 1", "i f T" }, contrastive, 4 },
    { "group_circle", { "o f 1", "o f T", "i f T" }, circle, 4 },
    { "in place", { "+ a TH", "i a TH" }, in_place, 4 },
    { "layer norm in place", { "+ a TH", "+ f H", "+ f H", "i f H", "i a TH" }, norm_in_place, 16 },
    { "residual_norm_forward (in place)",
      { "o a TH", "+ a TH", "o f T2", "i a TH", "i f H", "i f H" },
      residual_in_place,
      2 },
    { "residual_norm_backward (in place)",
      { "+ a TH", "o a TH", "+ f H", "+ f H", "i a TH", "i f H" },
      residual_dx_in_place,
      8 },
    { "cross_entropy (in place)", { "o f T", "+ a TV", "i n T<V" }, entropy_in_place, 4 },
};

static enum dtype type_of(const char *spec, enum dtype activation, const char *op)
{
    if (spec[2] == 'n') return DT_I32;
    if (spec[2] == 'a' && strcmp(op, "adamw")) return activation;
    return spec[2] == 'a' ? DT_BF16 : DT_F32;
}

/* Filters are "33": three by three. */
static struct tensor shape_of(const char *spec, enum dtype t)
{
    struct tensor x;

    if (!strstr(spec, "33")) return shaped(spec + 4, t);
    x = tensor_4d(NULL, t, size_of[(int)spec[4]], size_of[(int)spec[5]], 3, 3);
    return x;
}

static void fill_input(struct tensor x, const char *spec, struct rng *r)
{
    const char *below = strchr(spec, '<');
    int32_t *at = x.data;

    if (x.dtype != DT_I32) fill_normal(x, r);
    for (int64_t i = 0; x.dtype == DT_I32 && i < x.n; i++) {
        int64_t limit = below ? size_of[(int)below[1]] : 1;
        at[i] = limit ? (int32_t)(rng_below(r, limit + 1) - (strcmp(spec, "i n BX<T") ? 1 : 0)) : -1;
        if (!strcmp(spec, "i n BX<T") && at[i] == limit) at[i] = 0;
        if (!strcmp(spec, "i n B<X")) at[i] = (int32_t)(i % (limit + 1)); /* lengths */
    }
}

static double worst_nmse, worst_row;

/* One device's tensors: where it works, and a copy of them on the host. */
struct side {
    struct device *d;
    struct tensor x[TENSORS], host[TENSORS];
};

static void side_begin(struct side *s, int i, struct tensor in, bool is_output)
{
    s->x[i] = guarded_on(s->d, in);
    s->host[i] = is_on_host(s->d) ? s->x[i] : guarded(in);
    if (!is_output) op_upload(s->d, s->x[i].data, in.data, tensor_bytes(in));
}

static void side_end(struct side *s)
{
    for (int i = 0; i < TENSORS; i++) {
        if (s->host[i].data != s->x[i].data) guarded_free(s->host[i]);
        guarded_free_on(s->d, s->x[i]);
    }
}

/* The temporaries' guards; frees them. */
static bool end_temporaries(void)
{
    bool good = true;

    while (n_temporary) {
        struct tensor x = temporary[--n_temporary].x, host = x;
        struct device *d = temporary[n_temporary].d;
        if (!is_on_host(d)) host = guarded(x);
        fetch_guarded(d, host, x);
        good = good && guards_hold(host);
        if (!is_on_host(d)) guarded_free(host);
        guarded_free_on(d, x);
    }
    return good;
}

static bool compare_sides(const struct op *o, struct side *oracle, struct side *dev, const struct tensor *in, bool half)
{
    double scale = o->slack > 0 ? o->slack : 1;
    bool good = true;

    for (int i = 0; i < TENSORS && o->tensors[i] && good; i++) {
        bool is_rounded = half || in[i].dtype == DT_BF16;
        double nmse = scale * scale * (is_rounded ? 2e-5 : 1e-10), row = scale * (is_rounded ? 0x1p-7 : 1e-5);
        struct tensor got = dev->host[i], want = oracle->host[i];
        fetch_guarded(dev->d, got, dev->x[i]);
        struct difference d = compare(got, want);
        good = d.is_finite && d.nmse <= nmse && d.row <= row && guards_hold(got) && guards_hold(want);
        if (o->tensors[i][0] == 'i') good = good && !memcmp(got.data, in[i].data, (size_t)tensor_bytes(in[i]));
        if (d.nmse > worst_nmse) worst_nmse = d.nmse;
        if (d.row > worst_row) worst_row = d.row;
        if (good) continue;
        printf("# %s T %d H %d tensor %d '%s': nmse %.3g (%.3g) row %.3g (%.3g)", o->name, (int)size_of['T'],
               (int)size_of['H'], i, o->tensors[i], d.nmse, nmse, d.row, row);
        if (d.at >= 0)
            printf(", element %lld of %lld is %.9g, not %.9g", (long long)d.at, (long long)got.n,
                   (double)element_of(got, d.at), (double)element_of(want, d.at));
        printf("%s\n", guards_hold(got) ? "" : ", written outside");
    }
    return good;
}

static bool try(const struct op *o, struct device *dev, enum dtype activation, struct rng *r)
{
    struct side a = { .d = ref }, b = { .d = dev };
    struct tensor in[TENSORS] = { 0 };
    bool good = true;

    for (int i = 0; i < TENSORS && o->tensors[i]; i++) {
        in[i] = guarded(shape_of(o->tensors[i], type_of(o->tensors[i], activation, o->name)));
        fill_input(in[i], o->tensors[i], r);
        side_begin(&a, i, in[i], o->tensors[i][0] == 'o');
        side_begin(&b, i, in[i], o->tensors[i][0] == 'o');
    }
    o->run(ref, a.x);
    o->run(dev, b.x);
    op_sync(dev);
    if (ref->why[0] || dev->why[0]) {
        printf("# %s: ref '%s' %s '%s'\n", o->name, ref->why, dev->ops->name, dev->why);
        good = false;
    }
    good = good && compare_sides(o, &a, &b, in, activation == DT_BF16);
    good = end_temporaries() && good;
    side_end(&a);
    side_end(&b);
    for (int i = 0; i < TENSORS; i++) guarded_free(in[i]);
    return good;
}

static const struct {
    int64_t t, h, n, i, o, v, b, y, x, c, g, r;
    float p;
} trials[] = {
    { 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 0 },
    { 0, 32, 2, 8, 8, 5, 0, 4, 4, 8, 2, 0, 0.1f },
    { 7, 48, 3, 5, 9, 33, 2, 5, 6, 6, 3, 4, 0 },
    { 37, 768, 12, 24, 16, 40, 1, 2, 3, 8, 2, 2, 0.1f }, /* rows of three times 256 */
    { 67, 64, 2, 40, 24, 101, 3, 9, 7, 16, 4, 9, 0.1f },
    { 210, 96, 1, 64, 96, 517, 2, 16, 12, 24, 8, 17, 0.25f },
    { 333, 128, 4, 128, 80, 1000, 1, 33, 20, 32, 8, 5, 0.1f },
    { 300, 64, 1, 16, 24, 1, 1, 3, 2, 4, 2, 1, 0.1f },  /* heads of 64; many rows with one index */
    { 1100, 16, 1, 45, 30, 3, 1, 3, 2, 4, 2, 1, 0.1f }, /* more rows than a gradient's sum takes at a time */
    { 9, 256, 4, 16, 8, 24, 1, 1, 1, 4, 1, 1, 0.1f },   /* other multiples of 256 */
    { 9, 512, 8, 16, 8, 24, 1, 1, 1, 4, 1, 1, 0 },
    { 9, 1024, 8, 16, 8, 24, 1, 1, 1, 4, 1, 1, 0.1f },
    { 37, 1152, 9, 12, 21, 70, 1, 2, 3, 12, 3, 2, 0.1f }, /* heads of 128; more columns than a warp keeps */
    { 5, 40, 1, 8, 8, 8711, 1, 1, 1, 4, 1, 7, 0.1f },     /* a vocabulary that a large block takes several rounds for */
};

static bool is_asked(const char *name, int argc, char **argv)
{
    bool is_named = argc <= 3;

    for (int i = 3; i < argc; i++) is_named = is_named || !strcmp(argv[i], name);
    return is_named;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    struct device *dev = device_open(argc > 1 ? argv[1] : "cpu", 2, &e);
    size_t n_trials = sizeof trials / sizeof *trials;
    struct rng r;

    if (argc > 2 && strtoul(argv[2], NULL, 10) < n_trials) n_trials = strtoul(argv[2], NULL, 10);
    ref = device_open("ref", 1, &e);
    if (!ref || !dev) {
        printf("# %s\n", e.text);
        return 1;
    }
    for (int half = 0; half < 2; half++) {
        for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
            int bad = 0;
            if (!is_asked(ops[k].name, argc, argv)) continue;
            worst_nmse = worst_row = 0;
            rng_init(&r, (uint64_t)half + 1,
                     hash64(ops[k].name, strlen(ops[k].name), 0)); /* the same with any others */
            for (size_t j = 0; j < n_trials; j++) {
                static const char letters[] = "THNIOVBYXCGR";
                for (int l = 0; letters[l]; l++) size_of[(int)letters[l]] = (&trials[j].t)[l];
                size_of['P'] = 3;
                size_of['y'] = (size_of['Y'] - 1) / 2 + 1;
                size_of['x'] = (size_of['X'] - 1) / 2 + 1;
                size_of['o'] = size_of['O'];
                size_of['D'] = size_of['C'] / size_of['G'];
                dropout_p = trials[j].p;
                bad += !try(&ops[k], dev, half ? DT_BF16 : DT_F32, &r);
                ref->why[0] = dev->why[0] = 0;
            }
            ok(!bad, "%s %s (worst: nmse %.1e, row %.1e)", ops[k].name, half ? "bf16" : "f32", worst_nmse, worst_row);
        }
    }
    /* The tolerances must notice one wrong element. */
    struct tensor x = guarded(tensor_2d(NULL, DT_F32, 96, 96)), y = guarded(x);
    rng_init(&r, 1, 1);
    fill_normal(x, &r);
    memcpy(y.data, x.data, (size_t)tensor_bytes(x));
    ok(compare(y, x).row == 0, "equal tensors are equal");
    set_element(y, 5000, 0);
    ok(compare(y, x).row > 0x1p-7, "and one zeroed element of 9216 is noticed");
    guarded_free(x);
    guarded_free(y);
    device_close(ref);
    device_close(dev);
    return done();
}
