/* Gradients of whole small models, for each objective alone and all together, with dropout on, against differences of
 * the loss: for each parameter along its gradient's own direction (where the slope must be the gradient's length) and
 * along a random one. */
#include "compute/backend.h"
#include "model/adversarial.h"
#include "model/model.h"
#include "tap.h"
#include "toy_batch.h"
#include <string.h>

static struct arena arena;
static struct scratch scratch;
static struct batch batch;
static struct model model;
static struct step_opts opts;

static double loss(void)
{
    struct losses l = { 0 };
    struct err e = { 0 };

    if (model_step(&model, &scratch, &batch, &opts, &l, &e)) {
        printf("# %s\n", e.text);
        exit(1);
    }
    return losses_total(&l, opts.weight);
}

/* The slope of the loss along a direction of one parameter. */
static double slope(int i, const float *value, const float *direction, double length, double h)
{
    struct tensor p = params_f32(&model.params, i);
    double side[2];

    for (int k = 0; k < 2; k++) {
        float *at = p.data;
        for (int64_t j = 0; j < p.n; j++)
            at[j] = (float)((double)value[j] + (k ? -h : h) * (double)direction[j] / length);
        op_params_changed(model.device);
        side[k] = loss();
    }
    memcpy(p.data, value, (size_t)p.n * sizeof *value);
    return (side[0] - side[1]) / (2 * h);
}

static double norm(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* The worst relative error over all parameters, in both directions; *untouched counts parameters without a gradient. */
static double worst_error(int *untouched, int *worst)
{
    struct params *p = &model.params;
    double most = 0, whole;
    struct rng r;

    rng_init(&r, 5, 5);
    op_fill(model.device, p->grad, 0);
    loss();
    float *grad = mem_new(float, p->total);
    memcpy(grad, p->grad.data, (size_t)p->total * sizeof *grad);
    whole = norm(grad, p->total);
    *untouched = 0;
    for (int i = 0; i < p->n; i++) {
        const struct param *q = &p->at[i];
        float *g = grad + q->from, *random = mem_new(float, q->n), *value = mem_new(float, q->n);
        double length = norm(g, q->n), along = 0;
        memcpy(value, params_f32(p, i).data, (size_t)q->n * sizeof *value);
        for (int64_t k = 0; k < q->n; k++) random[k] = (float)rng_normal(&r);
        double unit = norm(random, q->n);
        for (int64_t k = 0; k < q->n; k++) along += (double)g[k] * (double)random[k] / unit;
        if (length == 0) ++*untouched;
        /* differences of f32 losses are only good to some 1e-4 of the whole gradient */
        double floor_ = 0.02 * whole, scale = length > floor_ ? length : floor_;
        double e1 = length > 0 ? fabs(slope(i, value, g, length, 2e-3) - length) / scale : 0;
        double e2 = fabs(slope(i, value, random, unit, 2e-3) - along) / scale;
        if (e1 < e2) e1 = e2;
        if (e1 > most) {
            most = e1;
            *worst = i;
        }
        free(random);
        free(value);
    }
    free(grad);
    return most;
}

static void check(const char *what, const float weight[LOSS_COUNT], int want_untouched)
{
    int untouched, worst = 0;

    memcpy(opts.weight, weight, sizeof opts.weight);
    double most = worst_error(&untouched, &worst);
    ok(most < 0.02, "%s: gradients are slopes of the loss (worst %.2g, %s)", what, most, model.params.at[worst].name);
    is_int(untouched, want_untouched, "  parameters without a gradient");
}

/* A learnt temperature stops at 0.01, and comes back when the loss asks for it. */
static void check_bound(void)
{
    struct err e = { 0 };
    struct losses l = { 0 };
    int at = model.log_scale;
    float *s = params_f32(&model.params, at).data, *g = params_grad(&model.params, at).data,
          most = logf(100 * model.config.tau);

    *s = most + 0.5f;
    *g = 0;
    ok(!model_step(&model, &scratch, &batch, &opts, &l, &e) && *s == most, "a learnt temperature stops at 0.01");
    ok(*g != 0, "and still learns there (%g)", (double)*g);
    *s = most + 0.5f;
    opts.train = false;
    ok(!model_step(&model, &scratch, &batch, &opts, &l, &e) && *s > most, "a measurement leaves it alone");
    opts.train = true;
    *s = 0;
}

/* ---- the heads and inputs of downstream tasks ---- */

static void variant(const char *what, struct model_config c, enum loss kind, int unused)
{
    struct err e = { 0 };
    struct device *d = model.device;
    struct rng r;
    float weight[LOSS_COUNT] = { 0 };

    weight[kind] = 1;
    model_release(&model);
    if (model_open(&model, &c, d, DT_F32, true, &e)) {
        ok(false, "%s: %s", what, e.text);
        return;
    }
    params_init(&model.params, 3);
    rng_init(&r, 6, 7);
    batch_release(&batch);
    batch_init(&batch, &model.config);
    if (kind == LOSS_LABEL) toy_labels(&batch, &arena, &r, !c.label_regression);
    else toy_dialog(&batch, &arena, &r);
    check(what, weight, unused);
}

/* Passes that move nothing are clean passes: with texts and images moved, three objectives and no divergence. */
static void check_neutral(void)
{
    static const struct adversary still = { .steps = 2, .kl = 5 };
    int64_t n = model.params.total;
    float *clean = mem_new(float, n), *grad = model.params.grad.data;
    double alone, most = 0;

    opts.adversary = NULL;
    op_fill(model.device, model.params.grad, 0);
    alone = loss();
    memcpy(clean, grad, (size_t)n * sizeof *clean);
    opts.adversary = &still;
    op_fill(model.device, model.params.grad, 0);
    near(loss(), 3 * alone, 1e-5 * alone, "moves of length 0: thrice the clean loss");
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs((double)grad[i] - 3 * (double)clean[i]));
    ok(most < 1e-5 * norm(clean, n), "and thrice its gradient (worst %.1g)", most);
    free(clean);
}

/* With the moves of one step, which do not depend on the parameters, gradients are slopes of the objective. */
static void check_adversarial(struct model_config c)
{
    static const struct adversary one = { .steps = 1, .lr = 0.1f, .init = 3, .kl = 2 };

    c.label_hidden = 8;
    opts.adversary = &one;
    variant("adversarial: labels", c, LOSS_LABEL, 5 + 4 + 2 + 1);
    check_neutral();
    opts.adversary = &one;
    c.has_dialog = true;
    variant("adversarial: texts", c, LOSS_SEQ2SEQ, 4 + 4 + 2 + 4 + 6 + 1);
    opts.adversary = NULL;
}

static void test_move(void)
{
    float delta[3] = { 0.3f, 0, 0 }, grad[3] = { 0, 10, 0 };

    adversarial_move(delta, grad, 3, 0.4f, 0);
    ok(fabs((double)delta[0] - 0.3) < 1e-6 && fabs((double)delta[1] - 0.4) < 1e-6, "a step of its length");
    adversarial_move(delta, grad, 3, 0, 0.25f);
    ok(fabs(norm(delta, 3) - 0.25) < 1e-6, "a move that is too long is cut to its length");
    ok(fabs((double)delta[0] / (double)delta[1] - 0.75) < 1e-6, "and keeps its direction");
    adversarial_move(delta, grad, 3, 0, 0.3f);
    ok(fabs(norm(delta, 3) - 0.25) < 1e-6, "one that is short enough stays, whatever the gradient's length");
}

static void check_tasks(struct model_config c)
{
    struct model_config number = c;

    c.label_product = c.label_relu = c.label_soft = true;
    c.label_dropout = 0.5f;
    variant("answers: product, relu, soft targets", c, LOSS_LABEL, 5 + 4 + 2 + 1);
    number.label_hidden = 0;
    number.n_labels = 0;
    number.labels = NULL;
    model_config_set_labels(&number, (const char *const[]){ "number" }, 1);
    number.label_regression = true;
    variant("a number", number, LOSS_LABEL, 5 + 4 + 2 + 6 + 2 + 1); /* no images */
    model_config_release(&number);
    c.has_dialog = true;
    variant("dialog", c, LOSS_SEQ2SEQ, 4 + 4 + 2 + 4 + 6 + 1);
}

int main(void)
{
    struct err e = { 0 };
    struct model_config c = toy_config();
    struct device *d = device_open("ref", 1, &e);
    struct rng r;

    c.layers = 1;
    c.hidden = 16;
    c.inner = 24;
    c.dropout = c.attention_dropout = 0.2f;
    c.label_hidden = 8;
    c.learns_tau = true;
    model_config_set_labels(&c, (const char *const[]){ "a", "b", "c" }, 3);
    if (!d || model_open(&model, &c, d, DT_F32, true, &e)) {
        printf("# %s\n", e.text);
        return 1;
    }
    params_init(&model.params, 3);
    scratch_init(&scratch, d);
    batch_init(&batch, &model.config);
    rng_init(&r, 4, 4);
    toy_batch(&batch, &arena, &r);
    opts = (struct step_opts){ .train = true, .seed = 1, .number = 2, .smoothing = 0.1f, .margin = 0.2f, .gamma = 1 };
    const float one[LOSS_COUNT][LOSS_COUNT] = {
        [LOSS_MLM][LOSS_MLM] = 1,     [LOSS_SEQ2SEQ][LOSS_SEQ2SEQ] = 1, [LOSS_MRC][LOSS_MRC] = 1,
        [LOSS_MRFR][LOSS_MRFR] = 1,   [LOSS_CMCL][LOSS_CMCL] = 1,       [LOSS_MATCH][LOSS_MATCH] = 0,
        [LOSS_LABEL][LOSS_LABEL] = 1,
    };
    /* unused: both poolers (4), LM head (5), region heads (4), match head (2), classifier (4), as the objective needs
     * them; the match head's offset cancels in the contrastive loss. The circle loss holds its weights constant, so its
     * gradient is no slope: PyTorch is its judge in model_parity. */
    const int unused[LOSS_COUNT] = { 1 + 4 + 4 + 2 + 4,     1 + 4 + 4 + 2 + 4, 1 + 4 + 5 + 2 + 2 + 4,
                                     1 + 4 + 5 + 2 + 2 + 4, 5 + 4 + 4 + 1,     0,
                                     1 + 5 + 4 + 2 };
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (i != LOSS_MATCH) check(loss_names[i], one[i], unused[i]);
    }
    check("all together", (const float[LOSS_COUNT]){ 1, 1, 0.5f, 0.5f, 1, 0, 2 }, 1);
    model.config.cosine = true;
    check("cmcl with cosine and a learnt temperature", (const float[LOSS_COUNT]){ [LOSS_CMCL] = 1 }, 5 + 4 + 4 + 2);
    check_bound();
    check_tasks(c);
    check_adversarial(c);
    test_move();
    scratch_release(&scratch);
    batch_release(&batch);
    model_release(&model);
    model_config_release(&c);
    device_close(d);
    arena_release(&arena);
    return done();
}
