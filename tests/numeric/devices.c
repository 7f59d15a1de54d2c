/* Whole steps on a device (by default "cpu", or the argument's) against the reference: loss and gradients of every
 * objective and of the downstream tasks' heads, in f32 and bf16; the same bits twice; and some optimizer steps, whose
 * losses must follow the reference's. DEVICE STEPS: how many (the reference is slow: 8). */
#include "compute/backend.h"
#include "model/adversarial.h"
#include "model/model.h"
#include "tap.h"
#include "toy_batch.h"

static struct arena arena;
static struct device *devices[2]; /* the reference, and the one under test */
static int64_t n_steps = 8;
static struct batch batch;
static struct step_opts opts;

struct side {
    struct model m;
    struct scratch s;
    struct losses losses;
    float *grad; /* on the host */
};

static void stop(const struct err *e)
{
    printf("# %s\n", e->text);
    exit(1);
}

static void side_open(struct side *x, int which, const struct model_config *c, enum dtype compute)
{
    struct err e = { 0 };

    if (model_open(&x->m, c, devices[which], compute, true, &e)) stop(&e);
    params_init(&x->m.params, 3);
    scratch_init(&x->s, devices[which]);
    x->grad = mem_new(float, x->m.params.total);
}

static void side_close(struct side *x)
{
    free(x->grad);
    scratch_release(&x->s);
    model_release(&x->m);
}

static void side_step(struct side *x)
{
    struct params *p = &x->m.params;
    struct err e = { 0 };

    x->losses = (struct losses){ 0 };
    op_fill(x->m.device, p->grad, 0);
    if (model_step(&x->m, &x->s, &batch, &opts, &x->losses, &e)) stop(&e);
    op_download(x->m.device, x->grad, p->grad.data, tensor_bytes(p->grad));
}

/* How far the gradients are apart, relative to the reference's length. */
static double gap(const struct side *x, const struct side *ref)
{
    double off = 0, size = 0;

    for (int64_t i = 0; i < ref->m.params.total; i++) {
        off += pow((double)x->grad[i] - (double)ref->grad[i], 2);
        size += pow((double)ref->grad[i], 2);
    }
    return size > 0 ? sqrt(off / size) : INFINITY;
}

static void check(const char *what, struct side *ref, struct side *dev, double tolerance)
{
    side_step(ref);
    side_step(dev);
    double want = losses_total(&ref->losses, opts.weight), got = losses_total(&dev->losses, opts.weight),
           g = gap(dev, ref);
    ok(fabs(got - want) <= tolerance * fabs(want) && g <= tolerance, "%s: loss off by %.1e, gradients by %.1e", what,
       fabs(got - want) / fabs(want), g);
}

/* One configuration in both precisions; weight names the objectives. */
static void compare(const char *what, const struct model_config *c, const float weight[LOSS_COUNT])
{
    struct side ref, dev;
    char text[96];

    memcpy(opts.weight, weight, sizeof opts.weight);
    for (int half = 0; half < 2; half++) {
        side_open(&ref, 0, c, DT_F32);
        side_open(&dev, 1, c, half ? DT_BF16 : DT_F32);
        snprintf(text, sizeof text, "%s, %s", what, half ? "bf16" : "f32");
        check(text, &ref, &dev, half ? 0.05 : 2e-5);
        side_close(&dev);
        side_close(&ref);
    }
}

static void objectives(struct model_config c)
{
    const float all[LOSS_COUNT] = { 1, 1, 0.5f, 0.5f, 1, 0, 2 };
    struct rng r;

    rng_init(&r, 4, 4);
    batch_init(&batch, &c);
    toy_batch(&batch, &arena, &r);
    for (int i = 0; i < LOSS_COUNT; i++) {
        const float one[LOSS_COUNT] = {
            [LOSS_MLM] = i == LOSS_MLM,    [LOSS_SEQ2SEQ] = i == LOSS_SEQ2SEQ, [LOSS_MRC] = i == LOSS_MRC,
            [LOSS_MRFR] = i == LOSS_MRFR,  [LOSS_CMCL] = i == LOSS_CMCL,       [LOSS_MATCH] = i == LOSS_MATCH,
            [LOSS_LABEL] = i == LOSS_LABEL
        };
        compare(loss_names[i], &c, one);
    }
    compare("all together", &c, all);
    opts.recompute = true;
    compare("all together, computed again", &c, all);
    opts.recompute = false;
    c.cosine = true;
    compare("cmcl with cosine", &c, (const float[LOSS_COUNT]){ [LOSS_CMCL] = 1 });
    c.hidden = 128; /* heads of 64 */
    compare("all together, wide", &c, all);
    batch_release(&batch);
}

static void task(const char *what, const struct model_config *c, enum loss kind)
{
    const float weight[LOSS_COUNT] = { [LOSS_SEQ2SEQ] = kind == LOSS_SEQ2SEQ, [LOSS_LABEL] = kind == LOSS_LABEL };
    struct rng r;

    rng_init(&r, 6, 7);
    batch_init(&batch, c);
    if (kind == LOSS_LABEL) toy_labels(&batch, &arena, &r, !c->label_regression);
    else toy_dialog(&batch, &arena, &r);
    compare(what, c, weight);
    batch_release(&batch);
}

static void tasks(const struct model_config *c)
{
    static const struct adversary adversary = { .steps = 2, .lr = 0.1f, .init = 0.2f, .kl = 2 };
    struct model_config answers = *c, number = *c, dialog = *c;

    answers.label_product = answers.label_relu = answers.label_soft = true;
    answers.label_dropout = 0.5f;
    task("answers", &answers, LOSS_LABEL);
    number.label_hidden = 0;
    number.n_labels = 1;
    number.label_regression = true;
    task("a number", &number, LOSS_LABEL);
    dialog.has_dialog = true;
    task("dialog", &dialog, LOSS_SEQ2SEQ);
    opts.adversary = &adversary;
    task("adversarial labels", c, LOSS_LABEL);
    task("adversarial dialog", &dialog, LOSS_SEQ2SEQ);
    opts.adversary = NULL;
}

/* ---- some steps of training ---- */

static double train_step(struct side *x, int64_t k, struct tensor sum)
{
    side_step(x);
    params_step(
        &x->m.params,
        (struct adamw){
            .lr = 2e-3f, .beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f, .step = k + 1, .max_norm = 1, .grad_scale = 1 },
        0.01f, sum);
    return losses_total(&x->losses, opts.weight);
}

static void train(const struct model_config *c)
{
    struct side side[3];
    struct tensor sum[3];
    double worst[3] = { 0 }, first = 0, loss = 0;
    struct rng r;

    memcpy(opts.weight, (const float[LOSS_COUNT]){ 1, 1, 0.5f, 0.5f, 1, 0, 2 }, sizeof opts.weight);
    rng_init(&r, 8, 8);
    batch_init(&batch, c);
    toy_batch(&batch, &arena, &r);
    for (int i = 0; i < 3; i++) {
        side_open(&side[i], i > 0, c, i == 2 ? DT_BF16 : DT_F32);
        sum[i] = tensor_1d(NULL, DT_F32, 1);
        op_allocate(side[i].m.device, &sum[i].data, 4);
    }
    for (int64_t k = 0; k < n_steps; k++) {
        opts.number = (uint64_t)k;
        loss = train_step(&side[0], k, sum[0]);
        first = k ? first : loss;
        for (int i = 1; i < 3; i++) worst[i] = fmax(worst[i], fabs(train_step(&side[i], k, sum[i]) - loss) / first);
    }
    ok(worst[1] < 1e-3, "the losses of %d steps follow the reference's (%.3f to %.3f): off by %.1e of the first",
       (int)n_steps, first, loss, worst[1]);
    ok(worst[2] < 0.03, "in bf16 by %.1e", worst[2]);
    for (int i = 0; i < 3; i++) {
        op_release(side[i].m.device, sum[i].data);
        side_close(&side[i]);
    }
    batch_release(&batch);
}

/* The same step twice gives the same bits. */
static void repeat(const struct model_config *c)
{
    struct side dev;
    struct rng r;

    memcpy(opts.weight, (const float[LOSS_COUNT]){ 1, 1, 0.5f, 0.5f, 1, 0, 2 }, sizeof opts.weight);
    rng_init(&r, 9, 9);
    batch_init(&batch, c);
    toy_batch(&batch, &arena, &r);
    side_open(&dev, 1, c, DT_BF16);
    side_step(&dev);
    size_t bytes = (size_t)dev.m.params.total * sizeof *dev.grad;
    float *was = mem_new(float, dev.m.params.total);
    struct losses losses = dev.losses;
    memcpy(was, dev.grad, bytes);
    side_step(&dev);
    ok(!memcmp(was, dev.grad, bytes) && !memcmp(&losses, &dev.losses, sizeof losses),
       "a step repeated gives the same bits");
    free(was);
    side_close(&dev);
    batch_release(&batch);
}

int main(int argc, char **argv)
{
    struct model_config c = toy_config();
    struct err e = { 0 };

    devices[0] = device_open("ref", 1, &e);
    devices[1] = device_open(argc > 1 ? argv[1] : "cpu", 2, &e);
    if (!devices[0] || !devices[1]) stop(&e);
    if (argc > 2) n_steps = strtol(argv[2], NULL, 10);
    c.dropout = c.attention_dropout = 0.2f;
    c.init_std = 0.1f; /* sharper softmaxes would make rounding to bf16 look like mistakes */
    c.label_hidden = 8;
    c.learns_tau = true;
    model_config_set_labels(&c, (const char *const[]){ "a", "b", "c" }, 3);
    opts = (struct step_opts){ .train = true, .seed = 1, .number = 2, .smoothing = 0.1f, .margin = 0.2f, .gamma = 1 };
    objectives(c);
    tasks(&c);
    repeat(&c);
    train(&c);
    model_config_release(&c);
    arena_release(&arena);
    for (int i = 0; i < 2; i++) device_close(devices[i]);
    return done();
}
