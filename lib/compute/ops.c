/* One entry per row: shapes, dtypes and aliasing are checked here, once for all back ends. The first failure is kept in
 * the device; what comes after does nothing, so that a sequence of operations needs one check at its end. */
#include "compute/ops.h"
#include "compute/profile.h"
#include "core/log.h"
#include <stdarg.h>
#include <stdio.h>

static void print_shape(char *out, size_t n, struct tensor x)
{
    int at = snprintf(out, n, "%s[", dtype_name(x.dtype));

    for (int i = 0; i < x.rank && at < (int)n - 24; i++)
        at += snprintf(out + at, n - (size_t)at, "%s%lld", i ? "," : "", (long long)x.shape[i]);
    snprintf(out + at, n - (size_t)at, "]");
}

/* Whether the condition holds; if not, and nothing failed before, says so with the tensors' shapes. */
__attribute__((format(printf, 4, 5))) static bool fits(struct device *d, bool condition, const struct tensor *shown,
                                                       const char *fmt, ...)
{
    char text[200], shape[96];
    va_list ap;

    if (d->why[0]) return false;
    if (condition) return true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t n = (size_t)snprintf(d->why, sizeof d->why, "%s", text);
    for (; shown && shown->rank && n < sizeof d->why - 100; shown++) {
        print_shape(shape, sizeof shape, *shown);
        n += (size_t)snprintf(d->why + n, sizeof d->why - n, " %s", shape);
    }
    return false;
}
#define SHOW(...)                                                                                                      \
    (const struct tensor[])                                                                                            \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define RUN(name, ...) RUN_PRODUCT(0, name, __VA_ARGS__)
/* flops: those of a product, for the profile. */
#define RUN_PRODUCT(flops, name, ...)                                                                                  \
    do {                                                                                                               \
        double began = d->profile ? clock_seconds() : 0;                                                               \
        if (d->ops->name(d, __VA_ARGS__) && !d->why[0]) fits(d, false, NULL, "%s failed", #name);                      \
        if (d->profile) profile_add(d, OP_##name, began, flops);                                                       \
    } while (0)

static bool is_float(struct tensor x)
{
    return x.dtype == DT_F32 || x.dtype == DT_BF16;
}

/* The output of a product: sums are F32, and may be rounded to what the factors are. */
static bool is_result(struct tensor y, struct tensor x)
{
    return y.dtype == DT_F32 || y.dtype == x.dtype;
}

static bool is_vector(struct tensor x, int64_t n)
{
    return x.dtype == DT_F32 && x.n == n;
}

static bool is_index(struct tensor x, int64_t n)
{
    return x.dtype == DT_I32 && x.n == n;
}

/* Two float tensors with as many elements. */
static bool alike(struct tensor a, struct tensor b)
{
    return is_float(a) && is_float(b) && a.n == b.n;
}

void op_allocate(struct device *d, void **data, int64_t bytes)
{
    *data = NULL;
    if (fits(d, bytes >= 0, NULL, "allocate: %lld bytes", (long long)bytes)) RUN(allocate, data, bytes);
}

void op_release(struct device *d, void *data)
{
    d->ops->release(d, data); /* also after a failure */
}

void op_upload(struct device *d, void *dst, const void *src, int64_t bytes)
{
    if (fits(d, bytes >= 0, NULL, "upload: %lld bytes", (long long)bytes)) RUN(upload, dst, src, bytes);
}

void op_download(struct device *d, void *dst, const void *src, int64_t bytes)
{
    if (fits(d, bytes >= 0, NULL, "download: %lld bytes", (long long)bytes)) RUN(download, dst, src, bytes);
}

void op_sync(struct device *d)
{
    if (d->ops->sync(d)) fits(d, false, NULL, "sync failed");
}

void op_fill(struct device *d, struct tensor y, float value)
{
    if (fits(d, is_float(y), SHOW(y), "fill:")) RUN(fill, y, value);
}

void op_convert(struct device *d, struct tensor y, struct tensor x)
{
    if (fits(d, alike(y, x), SHOW(y, x), "convert:")) RUN(convert, y, x);
}

void op_params_changed(struct device *d)
{
    if (fits(d, true, NULL, "params_changed")) d->ops->params_changed(d);
}

/* On the host a parameter may be F32 beside BF16: it is rounded when it is packed. */
static bool is_factor(const struct device *d, struct tensor w, struct tensor x, int flags)
{
    return w.dtype == x.dtype || (w.dtype == DT_F32 && d->is_host && (flags & LINEAR_PARAM));
}

void op_linear_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b, int flags)
{
    bool good = x.rank == 2 && w.rank == 2 && y.rank == 2 && x.shape[1] == w.shape[1] && y.shape[0] == x.shape[0] &&
                y.shape[1] == w.shape[0] && is_float(x) && is_factor(d, w, x, flags) && is_result(y, x) &&
                (!b.data || is_vector(b, w.shape[0])) && y.data != x.data;
    if (fits(d, good, SHOW(y, x, w, b), "linear_forward: y, x, w, b do not fit:") && y.n)
        RUN_PRODUCT(2.0 * (double)w.n * (double)x.shape[0], linear_forward, y, x, w, b, flags);
}

void op_linear_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    bool good = dx.rank == 2 && dy.rank == 2 && w.rank == 2 && dx.shape[0] == dy.shape[0] &&
                dx.shape[1] == w.shape[1] && dy.shape[1] == w.shape[0] && is_float(dy) && is_factor(d, w, dy, flags) &&
                is_result(dx, dy) && dx.data != dy.data;
    if (fits(d, good, SHOW(dx, dy, w), "linear_backward_input: dx, dy, w do not fit:") && dx.n)
        RUN_PRODUCT(2.0 * (double)w.n * (double)dx.shape[0], linear_backward_input, dx, dy, w, flags);
}

void op_linear_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    bool good = dw.rank == 2 && dy.rank == 2 && x.rank == 2 && dw.dtype == DT_F32 && dw.shape[0] == dy.shape[1] &&
                dw.shape[1] == x.shape[1] && dy.shape[0] == x.shape[0] && is_float(x) && x.dtype == dy.dtype &&
                (!db.data || is_vector(db, dy.shape[1]));
    if (fits(d, good, SHOW(dw, db, dy, x), "linear_backward_weight: dw, db, dy, x do not fit:") && x.n)
        RUN_PRODUCT(2.0 * (double)dw.n * (double)x.shape[0], linear_backward_weight, dw, db, dy, x);
}

void op_layer_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                           struct tensor b, float eps)
{
    bool good = x.rank == 2 && alike(x, y) && is_vector(stats, 2 * x.shape[0]) && is_vector(g, x.shape[1]) &&
                is_vector(b, x.shape[1]);
    if (fits(d, good, SHOW(y, stats, x, g, b), "layer_norm_forward: y, stats, x, g, b do not fit:") && x.n)
        RUN(layer_norm_forward, y, stats, x, g, b, eps);
}

void op_layer_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                            struct tensor x, struct tensor stats, struct tensor g)
{
    bool good = x.rank == 2 && alike(x, dy) && alike(x, dx) && is_vector(stats, 2 * x.shape[0]) &&
                is_vector(g, x.shape[1]) && is_vector(dg, g.n) && is_vector(db, g.n);
    if (fits(d, good, SHOW(dx, dg, db, dy, x, stats, g),
             "layer_norm_backward: dx, dg, db, dy, x, stats, g do not fit:") &&
        x.n)
        RUN(layer_norm_backward, dx, dg, db, dy, x, stats, g);
}

void op_residual_norm_forward(struct device *d, struct tensor y, struct tensor sum, struct tensor stats,
                              struct tensor residual, struct tensor sub, struct tensor g, struct tensor b, float eps,
                              struct dropout drop)
{
    bool good = y.rank == 2 && alike(y, sum) && alike(y, residual) && alike(y, sub) &&
                is_vector(stats, 2 * y.shape[0]) && is_vector(g, y.shape[1]) && is_vector(b, y.shape[1]);
    if (fits(d, good, SHOW(y, sum, stats, residual, sub, g, b),
             "residual_norm_forward: y, sum, stats, residual, sub, g, b do not fit:") &&
        y.n)
        RUN(residual_norm_forward, y, sum, stats, residual, sub, g, b, eps, drop);
}

void op_residual_norm_backward(struct device *d, struct tensor dresidual, struct tensor dsub, struct tensor dg,
                               struct tensor db, struct tensor dy, struct tensor sum, struct tensor stats,
                               struct tensor g, struct dropout drop)
{
    bool good = sum.rank == 2 && alike(sum, dresidual) && alike(sum, dsub) && alike(sum, dy) &&
                dresidual.data != dsub.data && is_vector(stats, 2 * sum.shape[0]) && is_vector(g, sum.shape[1]) &&
                is_vector(dg, g.n) && is_vector(db, g.n);
    if (fits(d, good, SHOW(dresidual, dsub, dg, db, dy, sum, stats, g), "residual_norm_backward: shapes do not fit:") &&
        sum.n)
        RUN(residual_norm_backward, dresidual, dsub, dg, db, dy, sum, stats, g, drop);
}

void op_group_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                           struct tensor b, int groups, float eps, bool relu)
{
    bool good = x.rank == 4 && alike(x, y) && groups > 0 && x.shape[3] % groups == 0 &&
                is_vector(stats, 2 * x.shape[0] * groups) && is_vector(g, x.shape[3]) && is_vector(b, x.shape[3]);
    if (fits(d, good, SHOW(y, stats, x, g, b), "group_norm_forward: y, stats, x, g, b do not fit %d groups:", groups) &&
        x.n)
        RUN(group_norm_forward, y, stats, x, g, b, groups, eps, relu);
}

void op_group_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                            struct tensor y, struct tensor x, struct tensor stats, struct tensor g, int groups,
                            bool relu)
{
    bool good = x.rank == 4 && alike(x, y) && alike(x, dy) && alike(x, dx) && groups > 0 && x.shape[3] % groups == 0 &&
                is_vector(stats, 2 * x.shape[0] * groups) && is_vector(g, x.shape[3]) && is_vector(dg, g.n) &&
                is_vector(db, g.n);
    if (fits(d, good, SHOW(dx, dg, db, dy, y, x, stats, g),
             "group_norm_backward: shapes do not fit %d groups:", groups) &&
        x.n)
        RUN(group_norm_backward, dx, dg, db, dy, y, x, stats, g, groups, relu);
}

static bool is_packed(struct sequences seq)
{
    return is_index(seq.start, seq.n + 1) && is_index(seq.prefix, seq.n) && seq.longest >= 0 &&
           seq.longest <= SEQUENCE_ROWS_MAX;
}

static bool is_qkv(struct tensor qkv, struct tensor out, int heads)
{
    return qkv.rank == 2 && out.rank == 2 && is_float(qkv) && qkv.dtype == out.dtype && qkv.shape[0] == out.shape[0] &&
           qkv.shape[1] == 3 * out.shape[1] && heads > 0 && out.shape[1] % heads == 0;
}

void op_attention_forward(struct device *d, struct tensor out, struct tensor lse, struct tensor qkv,
                          struct sequences seq, int heads, float scale, struct dropout drop)
{
    bool good = is_qkv(qkv, out, heads) && is_vector(lse, out.shape[0] * heads) && is_packed(seq);
    if (fits(d, good, SHOW(out, lse, qkv, seq.start, seq.prefix),
             "attention_forward: out, lse, qkv, start, prefix do not fit %d heads:", heads) &&
        out.n)
        RUN(attention_forward, out, lse, qkv, seq, heads, scale, drop);
}

void op_attention_backward(struct device *d, struct tensor dqkv, struct tensor dout, struct tensor out,
                           struct tensor qkv, struct tensor lse, struct sequences seq, int heads, float scale,
                           struct dropout drop)
{
    bool good = is_qkv(qkv, out, heads) && is_vector(lse, out.shape[0] * heads) && is_packed(seq) && alike(dqkv, qkv) &&
                dqkv.dtype == qkv.dtype && alike(dout, out) && dout.dtype == out.dtype && dqkv.data != qkv.data;
    if (fits(d, good, SHOW(dqkv, dout, out, qkv, lse),
             "attention_backward: dqkv, dout, out, qkv, lse do not fit %d heads:", heads) &&
        out.n)
        RUN(attention_backward, dqkv, dout, out, qkv, lse, seq, heads, scale, drop);
}

void op_attention_cached(struct device *d, struct tensor out, struct tensor qkv, struct tensor k, struct tensor v,
                         struct tensor slots, struct tensor lengths, int heads, float scale)
{
    bool good = is_qkv(qkv, out, heads) && k.rank == 2 && k.shape[1] == out.shape[1] && alike(k, v) &&
                k.dtype == v.dtype && slots.rank == 2 && is_index(slots, out.shape[0] * slots.shape[1]) &&
                is_index(lengths, out.shape[0]);
    if (fits(d, good, SHOW(out, qkv, k, v, slots, lengths),
             "attention_cached: out, qkv, k, v, slots, lengths do not fit:") &&
        out.n)
        RUN(attention_cached, out, qkv, k, v, slots, lengths, heads, scale);
}

void op_cache_rows(struct device *d, struct tensor k, struct tensor v, struct tensor qkv, struct tensor slot)
{
    bool good = k.rank == 2 && alike(k, v) && qkv.rank == 2 && qkv.shape[1] == 3 * k.shape[1] && k.dtype == qkv.dtype &&
                v.dtype == qkv.dtype && is_index(slot, qkv.shape[0]);
    if (fits(d, good, SHOW(k, v, qkv, slot), "cache_rows: k, v, qkv, slot do not fit:") && slot.n)
        RUN(cache_rows, k, v, qkv, slot);
}

static bool are_rows(struct tensor part, struct tensor whole, struct tensor index)
{
    return part.rank == 2 && whole.rank == 2 && part.shape[1] == whole.shape[1] && is_index(index, part.shape[0]) &&
           is_float(part) && is_float(whole);
}

void op_gather_rows(struct device *d, struct tensor y, struct tensor x, struct tensor index, bool add)
{
    if (fits(d, are_rows(y, x, index), SHOW(y, x, index), "gather_rows: y, x, index do not fit:") && y.n)
        RUN(gather_rows, y, x, index, add);
}

void op_scatter_add_rows(struct device *d, struct tensor x, struct tensor y, struct tensor index)
{
    if (fits(d, are_rows(y, x, index), SHOW(x, y, index), "scatter_add_rows: x, y, index do not fit:") && y.n)
        RUN(scatter_add_rows, x, y, index);
}

#define POINTWISE_2(name, y, x)                                                                                        \
    void op_##name(struct device *d, struct tensor y, struct tensor x)                                                 \
    {                                                                                                                  \
        if (fits(d, alike(y, x), SHOW(y, x), #name ": do not fit:") && y.n) RUN(name, y, x);                           \
    }
#define POINTWISE_3(name, y, a, b)                                                                                     \
    void op_##name(struct device *d, struct tensor y, struct tensor a, struct tensor b)                                \
    {                                                                                                                  \
        if (fits(d, alike(y, a) && alike(y, b), SHOW(y, a, b), #name ": do not fit:") && y.n) RUN(name, y, a, b);      \
    }
POINTWISE_2(gelu_forward, y, x)
POINTWISE_2(relu_forward, y, x)
POINTWISE_3(relu_backward, dx, dy, y)
POINTWISE_3(add, y, a, b)
POINTWISE_3(multiply, y, a, b)

void op_gelu_backward(struct device *d, struct tensor dx, struct tensor y, struct tensor dy, struct tensor x)
{
    bool good = alike(dx, dy) && alike(dx, x) && (!y.data || alike(dx, y));
    if (fits(d, good, SHOW(dx, dy, x), "gelu_backward: do not fit:") && x.n) RUN(gelu_backward, dx, y, dy, x);
}

void op_dropout_forward(struct device *d, struct tensor y, struct tensor x, struct dropout drop)
{
    if (fits(d, alike(y, x), SHOW(y, x), "dropout_forward: do not fit:") && y.n) RUN(dropout_forward, y, x, drop);
}

void op_axpy(struct device *d, struct tensor y, struct tensor x, float alpha)
{
    if (fits(d, alike(y, x), SHOW(y, x), "axpy: do not fit:") && y.n) RUN(axpy, y, x, alpha);
}

void op_scale(struct device *d, struct tensor y, float alpha)
{
    if (fits(d, is_float(y), SHOW(y), "scale:") && y.n) RUN(scale, y, alpha);
}

void op_normalize_rows_forward(struct device *d, struct tensor y, struct tensor norm, struct tensor x)
{
    bool good = x.rank == 2 && alike(y, x) && is_vector(norm, x.shape[0]);
    if (fits(d, good, SHOW(y, norm, x), "normalize_rows_forward: y, norm, x do not fit:") && y.n)
        RUN(normalize_rows_forward, y, norm, x);
}

void op_normalize_rows_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor y,
                                struct tensor norm)
{
    bool good = y.rank == 2 && alike(dx, y) && alike(dy, y) && is_vector(norm, y.shape[0]);
    if (fits(d, good, SHOW(dx, dy, y, norm), "normalize_rows_backward: dx, dy, y, norm do not fit:") && y.n)
        RUN(normalize_rows_backward, dx, dy, y, norm);
}

/* Losses of n rows: one loss each, and a gradient of the input's size or none. */
static bool is_loss(struct tensor loss, struct tensor dx, struct tensor x)
{
    return is_float(x) && is_vector(loss, x.shape[0]) && (!dx.data || alike(dx, x));
}

void op_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                      struct tensor labels, float smoothing, float scale)
{
    bool good = logits.rank == 2 && is_loss(loss, dlogits, logits) && is_index(labels, logits.shape[0]);
    if (fits(d, good, SHOW(loss, logits, labels), "cross_entropy: loss, logits, labels do not fit:") && logits.n)
        RUN(cross_entropy, loss, dlogits, logits, labels, smoothing, scale);
}

void op_soft_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                           struct tensor target, float scale)
{
    bool good = logits.rank == 2 && is_loss(loss, dlogits, logits) && is_vector(target, logits.n);
    if (fits(d, good, SHOW(loss, logits, target), "soft_cross_entropy: loss, logits, target do not fit:") && logits.n)
        RUN(soft_cross_entropy, loss, dlogits, logits, target, scale);
}

void op_symmetric_kl(struct device *d, struct tensor loss, struct tensor da, struct tensor db, struct tensor a,
                     struct tensor b, float scale)
{
    bool good =
        a.rank == 2 && a.dtype == DT_F32 && alike(a, b) && alike(a, da) && alike(a, db) && is_vector(loss, a.shape[0]);
    if (fits(d, good, SHOW(a, b, da), "symmetric_kl: do not fit:") && a.n) RUN(symmetric_kl, loss, da, db, a, b, scale);
}

void op_squared_error(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                      float scale)
{
    if (fits(d, is_loss(loss, dx, x) && is_vector(target, x.n), SHOW(loss, x, target),
             "squared_error: loss, x, target do not fit:") &&
        x.n)
        RUN(squared_error, loss, dx, x, target, scale);
}

void op_binary_cross_entropy(struct device *d, struct tensor loss, struct tensor dx, struct tensor x,
                             struct tensor target, struct tensor weight, float scale)
{
    bool good = is_loss(loss, dx, x) && is_vector(target, x.n) && (!weight.data || is_vector(weight, x.n));
    if (fits(d, good, SHOW(loss, x, target), "binary_cross_entropy: loss, x, target do not fit:") && x.n)
        RUN(binary_cross_entropy, loss, dx, x, target, weight, scale);
}

void op_smooth_l1(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                  struct tensor weight, float beta, float scale)
{
    bool good = is_loss(loss, dx, x) && is_vector(target, x.n) && is_vector(weight, x.shape[0]) && beta > 0;
    if (fits(d, good, SHOW(loss, x, target, weight), "smooth_l1: loss, x, target, weight do not fit:") && x.n)
        RUN(smooth_l1, loss, dx, x, target, weight, beta, scale);
}

static bool are_groups(struct tensor loss, struct tensor dscores, struct tensor scores, struct tensor start,
                       struct tensor positive)
{
    return is_vector(scores, scores.n) && is_index(start, loss.n + 1) && is_vector(loss, loss.n) &&
           is_index(positive, scores.n) && (!dscores.data || is_vector(dscores, scores.n));
}

void op_group_contrastive(struct device *d, struct tensor loss, struct tensor dscores, struct tensor dinv_tau,
                          struct tensor scores, struct tensor start, struct tensor positive, float inv_tau, float scale)
{
    bool good = are_groups(loss, dscores, scores, start, positive) && (!dinv_tau.data || is_vector(dinv_tau, 1));
    if (fits(d, good, SHOW(loss, scores, start, positive),
             "group_contrastive: loss, scores, start, positive do not fit:") &&
        loss.n)
        RUN(group_contrastive, loss, dscores, dinv_tau, scores, start, positive, inv_tau, scale);
}

void op_group_circle(struct device *d, struct tensor loss, struct tensor dscores, struct tensor scores,
                     struct tensor start, struct tensor positive, float margin, float gamma, float scale)
{
    if (fits(d, are_groups(loss, dscores, scores, start, positive), SHOW(loss, scores, start, positive),
             "group_circle: do not fit:") &&
        loss.n)
        RUN(group_circle, loss, dscores, scores, start, positive, margin, gamma, scale);
}

void op_log_softmax(struct device *d, struct tensor y, struct tensor x)
{
    if (fits(d, x.rank == 2 && alike(y, x) && y.dtype == DT_F32, SHOW(y, x), "log_softmax: y, x do not fit:") && x.n)
        RUN(log_softmax, y, x);
}

void op_top_columns(struct device *d, struct tensor value, struct tensor column, struct tensor lse, struct tensor x,
                    int64_t from)
{
    bool good = x.rank == 2 && value.rank == 2 && is_float(x) && is_vector(value, value.n) &&
                is_index(column, value.n) && is_vector(lse, x.shape[0]) && value.shape[0] == x.shape[0] &&
                (from || value.shape[1] <= x.shape[1]);
    if (fits(d, good, SHOW(value, column, lse, x), "top_columns: value, column, lse, x do not fit:") && value.n)
        RUN(top_columns, value, column, lse, x, from);
}

void op_sum(struct device *d, struct tensor total, struct tensor x)
{
    if (fits(d, is_vector(total, 1) && is_float(x), SHOW(total, x), "sum: total, x do not fit:")) RUN(sum, total, x);
}

void op_sum_of_squares(struct device *d, struct tensor out, struct tensor g)
{
    if (fits(d, is_vector(out, 1) && is_vector(g, g.n), SHOW(out, g), "sum_of_squares: out, g do not fit:"))
        RUN(sum_of_squares, out, g);
}

void op_adamw(struct device *d, struct tensor p, struct tensor p16, struct tensor g, struct tensor m, struct tensor v,
              struct tensor square_sum, const struct adamw_segment *segments, int n_segments, struct adamw a)
{
    bool good = is_vector(p, p.n) && is_vector(g, p.n) && is_vector(m, p.n) && is_vector(v, p.n) &&
                (!p16.data || (p16.dtype == DT_BF16 && p16.n == p.n)) &&
                (!square_sum.data || is_vector(square_sum, 1)) && a.step >= 1;
    for (int i = 0; i < n_segments && good; i++)
        good = segments[i].from >= 0 && segments[i].n >= 0 && segments[i].from + segments[i].n <= p.n;
    if (fits(d, good, SHOW(p, g, m, v), "adamw: p, g, m, v or a segment do not fit:"))
        RUN(adamw, p, p16, g, m, v, square_sum, segments, n_segments, a);
}

/* Output size of a convolution along one axis. */
static int64_t conv_size(int64_t in, int64_t k, struct conv c)
{
    int64_t room = in + 2 * c.pad - c.dilation * (k - 1) - 1;

    return room < 0 ? 0 : room / c.stride + 1;
}

/* Inputs per filter: those of x, or of one of its groups. */
static bool is_grouped_conv(struct tensor y, struct tensor x, struct tensor w, struct conv c)
{
    return y.rank == 4 && x.rank == 4 && w.rank == 4 && c.stride > 0 && c.dilation > 0 && c.pad >= 0 &&
           x.shape[0] == y.shape[0] && w.shape[1] > 0 && x.shape[3] % w.shape[1] == 0 &&
           w.shape[0] % (x.shape[3] / w.shape[1]) == 0 && y.shape[3] == w.shape[0] &&
           y.shape[1] == conv_size(x.shape[1], w.shape[2], c) && y.shape[2] == conv_size(x.shape[2], w.shape[3], c);
}

static bool is_conv(struct tensor y, struct tensor x, struct tensor w, struct conv c)
{
    return is_grouped_conv(y, x, w, c) && x.shape[3] == w.shape[1];
}

/* Every output element is a product of w's elements for its channel. */
static double conv_flops(struct tensor y, struct tensor w)
{
    return 2.0 * (double)w.n * (double)(y.n / w.shape[0]);
}

void op_conv_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                     struct conv c, bool relu, int flags)
{
    bool good = is_grouped_conv(y, x, w, c) && is_float(x) && is_result(y, x) && is_factor(d, w, x, flags) &&
                (!b.data || is_vector(b, w.shape[0])) && y.data != x.data;
    if (fits(d, good, SHOW(y, x, w, b),
             "conv_forward: y, x, w, b do not fit (stride %d, pad %d, dilation %d):", c.stride, c.pad, c.dilation) &&
        y.n)
        RUN_PRODUCT(conv_flops(y, w), conv_forward, y, x, w, b, c, relu, flags);
}

void op_conv_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, struct conv c,
                            int flags)
{
    bool good =
        is_conv(dy, dx, w, c) && is_float(dy) && is_result(dx, dy) && is_factor(d, w, dy, flags) && dx.data != dy.data;
    if (fits(d, good, SHOW(dx, dy, w), "conv_backward_input: dx, dy, w do not fit:") && dx.n)
        RUN_PRODUCT(conv_flops(dy, w), conv_backward_input, dx, dy, w, c, flags);
}

void op_conv_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x,
                             struct conv c)
{
    bool good = is_conv(dy, x, dw, c) && dw.dtype == DT_F32 && is_float(x) && x.dtype == dy.dtype &&
                (!db.data || is_vector(db, dy.shape[3]));
    if (fits(d, good, SHOW(dw, db, dy, x), "conv_backward_weight: dw, db, dy, x do not fit:") && x.n)
        RUN_PRODUCT(conv_flops(dy, dw), conv_backward_weight, dw, db, dy, x, c);
}

void op_max_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, int k, int stride,
                         int pad)
{
    bool good = x.rank == 4 && y.rank == 4 && x.shape[0] == y.shape[0] && x.shape[3] == y.shape[3] && is_float(x) &&
                x.dtype == y.dtype && k > 0 && stride > 0 && pad >= 0 && (!arg.data || is_index(arg, y.n));
    if (fits(d, good, SHOW(y, arg, x), "max_pool_forward: y, arg, x do not fit:") && y.n)
        RUN(max_pool_forward, y, arg, x, k, stride, pad);
}

void op_max_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, int k, int stride,
                          int pad)
{
    bool good = dx.rank == 4 && dy.rank == 4 && dx.shape[0] == dy.shape[0] && is_float(dx) && is_float(dy) &&
                is_index(arg, dy.n) && k > 0 && stride > 0 && pad >= 0;
    if (fits(d, good, SHOW(dx, dy, arg), "max_pool_backward: dx, dy, arg do not fit:") && dx.n)
        RUN(max_pool_backward, dx, dy, arg, k, stride, pad);
}

static bool is_pooled(struct tensor y, struct tensor x)
{
    return x.rank == 4 && y.rank == 2 && y.shape[0] == x.shape[0] && y.shape[1] == x.shape[3] && is_float(x) &&
           is_float(y);
}

void op_mean_pool_forward(struct device *d, struct tensor y, struct tensor x)
{
    if (fits(d, is_pooled(y, x), SHOW(y, x), "mean_pool_forward: y, x do not fit:") && y.n)
        RUN(mean_pool_forward, y, x);
}

void op_mean_pool_backward(struct device *d, struct tensor dx, struct tensor dy)
{
    if (fits(d, is_pooled(dy, dx), SHOW(dx, dy), "mean_pool_backward: dx, dy do not fit:") && dx.n)
        RUN(mean_pool_backward, dx, dy);
}

static bool are_rois(struct tensor y, struct tensor x, struct tensor rois)
{
    return x.rank == 4 && y.rank == 4 && rois.rank == 2 && rois.shape[1] == 5 && is_vector(rois, y.shape[0] * 5) &&
           y.shape[3] == x.shape[3] && is_float(x) && is_float(y);
}

void op_roi_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, struct tensor rois,
                         float spatial_scale)
{
    bool good = are_rois(y, x, rois) && (!arg.data || is_index(arg, y.n));
    if (fits(d, good, SHOW(y, arg, x, rois), "roi_pool_forward: y, arg, x, rois do not fit:") && y.n)
        RUN(roi_pool_forward, y, arg, x, rois, spatial_scale);
}

void op_roi_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, struct tensor rois)
{
    bool good = are_rois(dy, dx, rois) && dx.dtype == dy.dtype && is_index(arg, dy.n);
    if (fits(d, good, SHOW(dx, dy, arg, rois), "roi_pool_backward: dx, dy, arg, rois do not fit:") && dx.n)
        RUN(roi_pool_backward, dx, dy, arg, rois);
}

void op_roi_align_forward(struct device *d, struct tensor y, struct tensor x, struct tensor rois, float spatial_scale,
                          int samples)
{
    if (fits(d, are_rois(y, x, rois), SHOW(y, x, rois), "roi_align_forward: y, x, rois do not fit:") && y.n)
        RUN(roi_align_forward, y, x, rois, spatial_scale, samples);
}
