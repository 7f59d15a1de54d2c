/* Each fast row against the reference, on shapes with 0, 1, odd and larger sizes, in f32 and bf16. Buffers are guarded,
 * outputs poisoned, inputs must stay as they are. One row of the table per operation. */
#include "numeric.h"

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

/* Temporary tensors of a run. */
static struct tensor temporary[8];
static int n_temporary;
static struct tensor temp(const char *letters, enum dtype t)
{
    return temporary[n_temporary++] = guarded(shaped(letters, t));
}

/* Sequences of 1, 2, ... rows (the last takes the rest), with prefixes 0, 1, all, half in turn. */
static int32_t starts[600], prefixes[600];
static struct sequences packed(int64_t rows)
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
    return (struct sequences){ n, longest, tensor_1d(starts, DT_I32, n + 1), tensor_1d(prefixes, DT_I32, n) };
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
    struct tensor stats = temp("T2", F), y = temp("TH", t[3].dtype);
    op_layer_norm_forward(d, y, stats, t[4], t[5], t[5], 1e-5f);
    op_layer_norm_backward(d, t[0], t[1], t[2], t[3], t[4], stats, t[5]);
}
static void residual(struct device *d, struct tensor *t)
{
    op_residual_norm_forward(d, t[0], t[1], t[2], t[3], t[4], t[5], t[6], 1e-5f, drop());
}
static void residual_dx(struct device *d, struct tensor *t)
{
    struct tensor stats = temp("T2", F), y = temp("TH", t[4].dtype);
    op_layer_norm_forward(d, y, stats, t[5], t[6], t[6], 1e-5f);
    op_residual_norm_backward(d, t[0], t[1], t[2], t[3], t[4], t[5], stats, t[6], drop());
}
static void group(struct device *d, struct tensor *t)
{
    op_group_norm_forward(d, t[0], t[1], t[2], t[3], t[4], (int)size_of['G'], 1e-5f, true);
}
static void group_dx(struct device *d, struct tensor *t)
{
    struct tensor stats = temp("BG2", F), y = temp("BYXC", t[3].dtype);
    op_group_norm_forward(d, y, stats, t[4], t[5], t[5], (int)size_of['G'], 1e-5f, true);
    op_group_norm_backward(d, t[0], t[1], t[2], t[3], y, t[4], stats, t[5], (int)size_of['G'], true);
}
static void attention(struct device *d, struct tensor *t)
{
    op_attention_forward(d, t[0], t[1], t[2], packed(t[0].shape[0]), (int)size_of['N'], 0.3f, drop());
}
static void attention_dx(struct device *d, struct tensor *t)
{
    struct tensor out = temp("TH", t[1].dtype), lse = temp("TN", F);
    struct sequences seq = packed(t[1].shape[0]);
    op_attention_forward(d, out, lse, t[2], seq, (int)size_of['N'], 0.3f, drop());
    op_attention_backward(d, t[0], t[1], out, t[2], lse, seq, (int)size_of['N'], 0.3f, drop());
}
static void cached(struct device *d, struct tensor *t)
{
    for (int64_t i = 0; i < t[5].n; i++) ((int32_t *)t[5].data)[i] = (int32_t)(i % (t[4].shape[1] + 1));
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
    op_gelu_backward(d, t[0], t[1], t[2]);
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
    struct tensor sum = temp("1", F);
    for (int64_t i = 0; i < t[3].n; i++) ((float *)t[3].data)[i] = fabsf(((float *)t[3].data)[i]);
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
static void make_rois(struct tensor rois)
{
    float *p = rois.data;
    for (int64_t r = 0; r < rois.shape[0]; r++) {
        float box[5] = { (float)(r % size_of['B']), (float)(r * 3 % 17), (float)(r * 5 % 11),
                         (float)(r * 3 % 17 + r % 29), (float)(r * 5 % 11 + r % 23) };
        memcpy(p + 5 * r, box, sizeof box);
    }
}
static void roi_pool(struct device *d, struct tensor *t)
{
    struct tensor rois = temp("R5", F);
    make_rois(rois);
    op_roi_pool_forward(d, t[0], t[1], t[2], rois, 0.5f);
}
static void roi_align(struct device *d, struct tensor *t)
{
    struct tensor rois = temp("R5", F);
    make_rois(rois);
    op_roi_align_forward(d, t[0], t[1], rois, 0.5f, 0);
}
static void roi_align_two(struct device *d, struct tensor *t)
{
    struct tensor rois = temp("R5", F);
    make_rois(rois);
    op_roi_align_forward(d, t[0], t[1], rois, 0.7f, 2);
}
static void roi_pool_dx(struct device *d, struct tensor *t)
{
    struct tensor rois = temp("R5", F), arg = temp("RPPC", DT_I32), y = temp("RPPC", t[1].dtype);
    make_rois(rois);
    op_roi_pool_forward(d, y, arg, t[2], rois, 0.5f);
    op_roi_pool_backward(d, t[0], t[1], arg, rois);
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
    { "gelu_backward", { "o a TH", "i a TH", "i a TH" }, gelu_dx, 0 },
    { "relu_forward", { "o a TH", "i a TH" }, relu, 0 },
    { "relu_backward", { "o a TH", "i a TH", "i a TH" }, relu_dx, 0 },
    { "dropout_forward", { "o a TH", "i a TH" }, dropout, 0 },
    { "add", { "o a TH", "i a TH", "i f TH" }, add, 0 },
    { "multiply", { "o a TH", "i a TH", "i a TH" }, multiply, 0 },
    { "axpy", { "+ a TH", "i a TH" }, axpy, 0 },
    { "cross_entropy", { "o f T", "o a TV", "i a TV", "i n T<V" }, entropy, 4 },
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

    if (x.dtype != DT_I32) fill_normal(x, r);
    for (int64_t i = 0; x.dtype == DT_I32 && i < x.n; i++) {
        int64_t limit = below ? size_of[(int)below[1]] : 1;
        ((int32_t *)x.data)[i] = limit ? (int32_t)(rng_below(r, limit + 1) - (strcmp(spec, "i n BX<T") ? 1 : 0)) : -1;
        if (!strcmp(spec, "i n BX<T") && ((int32_t *)x.data)[i] == limit) ((int32_t *)x.data)[i] = 0;
    }
}

static double worst_nmse, worst_row;

static bool try(const struct op *o, struct device *ref, struct device *cpu, enum dtype activation, struct rng *r)
{
    struct tensor a[TENSORS] = { 0 }, b[TENSORS] = { 0 }, in[TENSORS] = { 0 };
    bool good = true;
    double scale = o->slack > 0 ? o->slack : 1;
    double nmse = scale * scale * (activation == DT_BF16 ? 2e-5 : 1e-10),
           row = scale * (activation == DT_BF16 ? 0x1p-7 : 1e-5);

    for (int i = 0; i < TENSORS && o->tensors[i]; i++) {
        struct tensor shape = shape_of(o->tensors[i], type_of(o->tensors[i], activation, o->name));
        in[i] = guarded(shape);
        a[i] = guarded(shape);
        b[i] = guarded(shape);
        fill_input(in[i], o->tensors[i], r);
        if (o->tensors[i][0] == 'o') continue;
        memcpy(a[i].data, in[i].data, (size_t)tensor_bytes(in[i]));
        memcpy(b[i].data, in[i].data, (size_t)tensor_bytes(in[i]));
    }
    n_temporary = 0;
    o->run(ref, a);
    o->run(cpu, b);
    if (ref->why[0] || cpu->why[0]) {
        printf("# %s: ref '%s' cpu '%s'\n", o->name, ref->why, cpu->why);
        good = false;
    }
    for (int i = 0; i < TENSORS && o->tensors[i] && good; i++) {
        struct difference d = compare(b[i], a[i]);
        good = d.is_finite && d.nmse <= nmse && d.row <= row && guards_hold(a[i]) && guards_hold(b[i]);
        if (o->tensors[i][0] == 'i' && strcmp(o->name, "attention_cached"))
            good = good && !memcmp(b[i].data, in[i].data, (size_t)tensor_bytes(in[i]));
        if (d.nmse > worst_nmse) worst_nmse = d.nmse;
        if (d.row > worst_row) worst_row = d.row;
        if (!good)
            printf("# %s tensor %d '%s': nmse %.3g (%.3g) row %.3g (%.3g)\n", o->name, i, o->tensors[i], d.nmse, nmse,
                   d.row, row);
    }
    for (int i = 0; i < TENSORS && o->tensors[i]; i++) {
        guarded_free(a[i]);
        guarded_free(b[i]);
        guarded_free(in[i]);
    }
    while (n_temporary) {
        good = good && guards_hold(temporary[n_temporary - 1]);
        guarded_free(temporary[--n_temporary]);
    }
    return good;
}

static const struct {
    int64_t t, h, n, i, o, v, b, y, x, c, g, r;
    float p;
} trials[] = {
    { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0 },
    { 0, 32, 2, 8, 8, 5, 0, 4, 4, 8, 2, 0, 0.1f },
    { 7, 48, 3, 5, 9, 33, 2, 5, 6, 6, 3, 4, 0 },
    { 67, 64, 2, 40, 24, 101, 3, 9, 7, 16, 4, 9, 0.1f },
    { 210, 96, 1, 64, 96, 517, 2, 16, 12, 24, 8, 17, 0.25f },
    { 333, 128, 4, 128, 80, 1000, 1, 33, 20, 32, 8, 5, 0.1f },
};

int main(void)
{
    struct err e = { 0 };
    struct device *ref = device_open("ref", 1, &e), *cpu = device_open("cpu", 2, &e);
    struct rng r;

    if (!ref || !cpu) {
        printf("# %s\n", e.text);
        return 1;
    }
    rng_init(&r, 1, 1);
    for (int half = 0; half < 2; half++) {
        if (half && !cpu->has_bf16) {
            ok(true, "bf16 # SKIP this processor has no bf16 products");
            break;
        }
        for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
            int bad = 0;
            worst_nmse = worst_row = 0;
            for (size_t j = 0; j < sizeof trials / sizeof *trials; j++) {
                static const char letters[] = "THNIOVBYXCGR";
                for (int l = 0; letters[l]; l++) size_of[(int)letters[l]] = (&trials[j].t)[l];
                size_of['P'] = 3;
                size_of['y'] = (size_of['Y'] - 1) / 2 + 1;
                size_of['x'] = (size_of['X'] - 1) / 2 + 1;
                size_of['o'] = size_of['O'];
                size_of['D'] = size_of['C'] / size_of['G'];
                dropout_p = trials[j].p;
                bad += !try(&ops[k], ref, cpu, half ? DT_BF16 : DT_F32, &r);
                ref->why[0] = cpu->why[0] = 0;
            }
            ok(!bad, "%s %s (worst: nmse %.1e, row %.1e)", ops[k].name, half ? "bf16" : "f32", worst_nmse, worst_row);
        }
    }
    /* The tolerances must notice one wrong element. */
    struct tensor x = guarded(tensor_2d(NULL, DT_F32, 96, 96)), y = guarded(x);
    fill_normal(x, &r);
    memcpy(y.data, x.data, (size_t)tensor_bytes(x));
    ok(compare(y, x).row == 0, "equal tensors are equal");
    set_element(y, 5000, 0);
    ok(compare(y, x).row > 0x1p-7, "and one zeroed element of 9216 is noticed");
    guarded_free(x);
    guarded_free(y);
    device_close(ref);
    device_close(cpu);
    return done();
}
