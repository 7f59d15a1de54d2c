/* Backward rows of the reference against central differences of its forward rows: the loss is a fixed random weighting
 * of the output. The fast rows are compared with the reference in ops.c. */
#include "numeric.h"
#include <assert.h>

static struct device *d;
static struct rng r;
static const struct tensor none;
static struct dropout drop = { .p = 0.2f, .site = 3, .seed = 11, .step = 5 };

/* Tensors of the whole run, freed at its end. */
static struct tensor made[512];
static int n_made;
static struct tensor fresh(struct tensor shape)
{
    assert(n_made < (int)(sizeof made / sizeof *made));
    return made[n_made++] = guarded(shape);
}

static struct tensor normal(struct tensor shape)
{
    struct tensor x = fresh(shape);

    fill_normal(x, &r);
    return x;
}

static struct tensor zeros(struct tensor shape)
{
    struct tensor x = fresh(shape);

    memset(x.data, 0, (size_t)tensor_bytes(x));
    return x;
}

static struct tensor m2(int64_t a, int64_t b)
{
    return tensor_2d(NULL, DT_F32, a, b);
}

/* The loss as a function of whatever global tensors the case uses. */
static double weighted(struct tensor y, struct tensor w)
{
    double sum = 0;

    for (int64_t i = 0; i < y.n; i++) sum += (double)((float *)y.data)[i] * ((float *)w.data)[i];
    return sum;
}

/* Central differences of loss() in every element of x (at most 60 of them) against dx. */
static void check(const char *what, double (*loss)(void), struct tensor x, struct tensor dx, double step)
{
    double worst = 0, size = 1e-3;
    int64_t stride = x.n > 60 ? x.n / 60 : 1;

    for (int64_t i = 0; i < x.n; i++) size = fmax(size, fabs(((float *)dx.data)[i]));
    for (int64_t i = 0; i < x.n; i += stride) {
        float *p = (float *)x.data + i, was = *p;
        *p = was + (float)step;
        double up = loss(), high = *p;
        *p = was - (float)step;
        double down = loss(), low = *p;
        *p = was;
        worst = fmax(worst, fabs((up - down) / (high - low) - ((float *)dx.data)[i]) / size);
    }
    ok(worst < 2e-3 && !d->why[0], "%s (worst %.1e of the largest)%s", what, worst, d->why);
    d->why[0] = 0;
}

static struct tensor x, y, w, a, b, g, s, t;
static struct tensor labels, target, start, positive;
static struct sequences seq;

static double linear(void)
{
    op_linear_forward(d, y, x, a, b, 0);
    return weighted(y, w);
}

static double norm(void)
{
    op_residual_norm_forward(d, y, s, t, x, a, g, b, 1e-5f, drop);
    return weighted(y, w);
}

static double attention(void)
{
    op_attention_forward(d, y, t, x, seq, 2, 0.5f, drop);
    return weighted(y, w);
}

static double group(void)
{
    op_group_norm_forward(d, y, t, x, g, b, 2, 1e-5f, true);
    return weighted(y, w);
}

static double gelu(void)
{
    op_gelu_forward(d, y, x);
    return weighted(y, w);
}

static double unit(void)
{
    op_normalize_rows_forward(d, y, t, x);
    return weighted(y, w);
}

static const struct conv odd = { 2, 1, 2 };
static double conv(void)
{
    op_conv_forward(d, y, x, a, b, odd, false, 0);
    return weighted(y, w);
}

static double total(struct tensor loss)
{
    double sum = 0;

    for (int64_t i = 0; i < loss.n; i++) sum += ((float *)loss.data)[i];
    return sum;
}

static double entropy(void)
{
    op_cross_entropy(d, y, none, x, labels, 0.1f, 1);
    return total(y);
}

static double soft(void)
{
    op_soft_cross_entropy(d, y, none, x, target, 1);
    return total(y);
}

static double kl(void)
{
    op_symmetric_kl(d, y, s, w, x, target, 1); /* what it adds there is not looked at */
    return total(y);
}

static double squared(void)
{
    op_squared_error(d, y, none, x, target, 1);
    return total(y);
}

static double binary(void)
{
    op_binary_cross_entropy(d, y, none, x, target, none, 1);
    return total(y);
}

static double smooth(void)
{
    op_smooth_l1(d, y, none, x, target, t, 0.5f, 1);
    return total(y);
}

static float inv_tau = 1.5f;
static double contrastive(void)
{
    op_group_contrastive(d, y, none, none, x, start, positive, inv_tau, 1);
    return total(y);
}

static struct tensor ints(int64_t n, const int32_t *v)
{
    struct tensor i = fresh(tensor_1d(NULL, DT_I32, n));

    memcpy(i.data, v, (size_t)n * 4);
    return i;
}

static void layers(void)
{
    struct tensor da = zeros(m2(6, 4)), db = zeros(tensor_1d(NULL, DT_F32, 6)), dx = fresh(m2(5, 4));
    x = normal(m2(5, 4)), a = normal(m2(6, 4)), b = normal(tensor_1d(NULL, DT_F32, 6)), y = fresh(m2(5, 6)),
    w = normal(m2(5, 6));
    op_linear_backward_input(d, dx, w, a, 0);
    op_linear_backward_weight(d, da, db, w, x);
    check("linear: input", linear, x, dx, 1e-2);
    check("linear: weight", linear, a, da, 1e-2);
    check("linear: bias", linear, b, db, 1e-2);

    struct tensor dg = zeros(tensor_1d(NULL, DT_F32, 8)), dr = fresh(m2(5, 8)), ds = fresh(m2(5, 8));
    db = zeros(tensor_1d(NULL, DT_F32, 8));
    x = normal(m2(5, 8)), a = normal(m2(5, 8)), g = normal(tensor_1d(NULL, DT_F32, 8)), b = normal(g),
    y = fresh(m2(5, 8)), w = normal(m2(5, 8));
    s = fresh(m2(5, 8)), t = fresh(m2(5, 2));
    norm();
    op_residual_norm_backward(d, dr, ds, dg, db, w, s, t, g, drop);
    check("residual norm: residual", norm, x, dr, 1e-2);
    check("residual norm: branch through dropout", norm, a, ds, 1e-2);
    check("residual norm: gain", norm, g, dg, 1e-2);
    check("residual norm: bias", norm, b, db, 1e-2);

    int32_t from[] = { 0, 1, 5, 12 }, prefix[] = { 1, 2, 7 };
    struct tensor dqkv = fresh(m2(12, 24));
    seq = (struct sequences){ 3, 7, ints(4, from), ints(3, prefix) };
    x = normal(m2(12, 24)), y = fresh(m2(12, 8)), w = normal(m2(12, 8)), t = fresh(m2(12, 2));
    attention();
    op_attention_backward(d, dqkv, w, y, x, t, seq, 2, 0.5f, drop);
    check("attention with prefixes and dropout", attention, x, dqkv, 1e-2);

    struct tensor map = tensor_4d(NULL, DT_F32, 2, 4, 3, 4), dmap = fresh(map);
    dg = zeros(tensor_1d(NULL, DT_F32, 4)), db = zeros(tensor_1d(NULL, DT_F32, 4));
    x = normal(map), y = fresh(map), w = normal(map), g = normal(dg), b = normal(db),
    t = fresh(tensor_1d(NULL, DT_F32, 8));
    group();
    op_group_norm_backward(d, dmap, dg, db, w, y, x, t, g, 2, true);
    check("group norm: input", group, x, dmap, 1e-3);
    check("group norm: gain", group, g, dg, 1e-3);
    check("group norm: bias", group, b, db, 1e-3);

    dx = fresh(m2(4, 5));
    x = normal(m2(4, 5)), y = fresh(m2(4, 5)), w = normal(m2(4, 5)), t = fresh(tensor_1d(NULL, DT_F32, 4));
    op_gelu_backward(d, dx, (struct tensor){ 0 }, w, x);
    check("gelu", gelu, x, dx, 1e-2);
    unit();
    op_normalize_rows_backward(d, dx, w, y, t);
    check("normalised rows", unit, x, dx, 1e-2);

    struct tensor out = tensor_4d(NULL, DT_F32, 2, 3, 2, 3), filters = tensor_4d(NULL, DT_F32, 3, 2, 3, 3);
    x = normal(tensor_4d(NULL, DT_F32, 2, 7, 6, 2)), a = normal(filters), b = normal(tensor_1d(NULL, DT_F32, 3)),
    y = fresh(out), w = normal(out);
    da = zeros(filters), db = zeros(b), dx = fresh(x);
    op_conv_backward_input(d, dx, w, a, odd, 0);
    op_conv_backward_weight(d, da, db, w, x, odd);
    check("convolution: input", conv, x, dx, 1e-2);
    check("convolution: filters", conv, a, da, 1e-2);
    check("convolution: bias", conv, b, db, 1e-2);
}

static void losses(void)
{
    int32_t which[] = { 0, 3, -1, 6 }, groups[] = { 0, 3, 4, 9 }, good[] = { 1, 0, 1, 1, 0, 0, 1, 0, 0 };
    struct tensor dx = fresh(m2(4, 7));
    x = normal(m2(4, 7)), y = fresh(tensor_1d(NULL, DT_F32, 4)), labels = ints(4, which), target = normal(m2(4, 7)),
    t = normal(y);
    for (int i = 0; i < 28; i++) ((float *)target.data)[i] = fabsf(((float *)target.data)[i]) / 4;
    op_cross_entropy(d, y, dx, x, labels, 0.1f, 1);
    check("cross-entropy", entropy, x, dx, 1e-2);
    op_soft_cross_entropy(d, y, dx, x, target, 1);
    check("soft cross-entropy", soft, x, dx, 1e-2);
    struct tensor da = zeros(x), db = zeros(x);
    op_symmetric_kl(d, y, da, db, x, target, 1);
    s = zeros(x), w = zeros(x);
    check("symmetric KL: one side", kl, x, da, 1e-2);
    check("symmetric KL: the other", kl, target, db, 1e-2);
    op_squared_error(d, y, dx, x, target, 1);
    check("squared error", squared, x, dx, 1e-2);
    op_binary_cross_entropy(d, y, dx, x, target, none, 1);
    check("binary cross-entropy", binary, x, dx, 1e-2);
    op_smooth_l1(d, y, dx, x, target, t, 0.5f, 1);
    check("smooth L1", smooth, x, dx, 1e-4);

    struct tensor dtau = zeros(tensor_1d(NULL, DT_F32, 1));
    dx = fresh(tensor_1d(NULL, DT_F32, 9));
    x = normal(tensor_1d(NULL, DT_F32, 9)), y = fresh(tensor_1d(NULL, DT_F32, 3)), start = ints(4, groups),
    positive = ints(9, good);
    op_group_contrastive(d, y, dx, dtau, x, start, positive, inv_tau, 1);
    check("contrastive", contrastive, x, dx, 1e-2);
    struct tensor tau = tensor_1d(&inv_tau, DT_F32, 1);
    check("contrastive: temperature", contrastive, tau, dtau, 1e-2);
    ok(((float *)y.data)[1] == 0, "a group of positives only has loss 0");

    /* Circle loss has constant weights in its exponents, so differences of the whole loss do not apply: its signs do.
     */
    op_group_circle(d, y, dx, x, start, positive, 0.2f, 1, 1);
    bool right = true;
    for (int i = 0; i < 9; i++) right = right && (good[i] ? ((float *)dx.data)[i] <= 0 : ((float *)dx.data)[i] >= 0);
    ok(right, "circle loss falls with positive and rises with negative scores");

    /* One positive and one negative: the exponents' sum, 1 (-40 - 0.8) (-41.2) + 1 (50 - 0.2) 50.2, is far above what
     * exp() takes. */
    float far[] = { -40, 50 }, dfar[] = { 0, 0 }, lossfar = 0;
    op_group_circle(d, tensor_1d(&lossfar, DT_F32, 1), tensor_1d(dfar, DT_F32, 2), tensor_1d(far, DT_F32, 2),
                    ints(2, (const int32_t[]){ 0, 2 }), ints(2, (const int32_t[]){ 1, 0 }), 0.2f, 1, 1);
    near(lossfar, 41.2 * 40.8 + 50.2 * 49.8, 0.01, "circle loss of scores that are far off");
    near(dfar[0], -41.2, 1e-4, "has the slope of the positive's weight");
    near(dfar[1], 50.2, 1e-4, "and the negative's");
}

/* Pooling backward is the transpose of forward: <dy, pool(x)> changes by dx where x wins. */
static void pools(void)
{
    struct tensor map = tensor_4d(NULL, DT_F32, 1, 5, 5, 3), small = tensor_4d(NULL, DT_F32, 1, 3, 3, 3);
    struct tensor arg = fresh(tensor_4d(NULL, DT_I32, 1, 3, 3, 3)), dx = fresh(map);
    x = normal(map), y = fresh(small), w = normal(small);
    op_max_pool_forward(d, y, arg, x, 3, 2, 1);
    op_max_pool_backward(d, dx, w, arg, 3, 2, 1);
    ok(fabs(weighted(x, dx) - weighted(y, w)) < 1e-4, "max pooling backward is its transpose");
    float boxes[] = { 0, 0, 0, 7, 9, 0, 3, 1, 8, 4 };
    struct tensor rois = tensor_2d(boxes, DT_F32, 2, 5), out = tensor_4d(NULL, DT_F32, 2, 2, 2, 3);
    arg = fresh(tensor_4d(NULL, DT_I32, 2, 2, 2, 3)), y = fresh(out), w = normal(out);
    op_roi_pool_forward(d, y, arg, x, rois, 0.5f);
    op_roi_pool_backward(d, dx, w, arg, rois);
    ok(fabs(weighted(x, dx) - weighted(y, w)) < 1e-4, "so is RoI pooling");
    ok(!d->why[0], "without complaint %s", d->why);
}

int main(void)
{
    struct err e = { 0 };

    d = device_open("ref", 1, &e);
    rng_init(&r, 2, 2);
    layers();
    losses();
    pools();
    op_linear_forward(d, x, x, x, none, 0);
    ok(strstr(d->why, "linear_forward") != NULL, "a wrong shape is refused: %s", d->why);
    ok(device_check(d, &e) == -1, "and reported at the end of the step");
    device_close(d);
    for (int i = 0; i < n_made; i++) guarded_free(made[i]);
    return done();
}
