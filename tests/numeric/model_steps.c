/* A step in pieces: micro-batches add up to the large batch, activations that are computed again change nothing, every
 * layer says once when its gradients are finished; and after the first steps no new memory is touched. */
#include "compute/backend.h"
#include "model/model.h"
#include "tap.h"
#include "toy_batch.h"
#include <sys/resource.h>

static const float weights[LOSS_COUNT] = { 1, 1, 0.5f, 0.5f, 1, 0, 2 };
static struct model model;
static struct scratch scratch;
static struct batch part[3], whole;
static bool is_emulated; /* by an argument: without what takes long then */

static void step(const struct batch *b, struct step_opts *o, struct losses *l)
{
    struct err e = { 0 };

    o->train = true;
    o->smoothing = 0.1f;
    memcpy(o->weight, weights, sizeof weights);
    if (!model_step(&model, &scratch, b, o, l, &e)) return;
    printf("# %s\n", e.text);
    exit(1);
}

/* Takes the gradients away, as a copy. */
static float *gradients(void)
{
    struct params *p = &model.params;
    float *g = mem_new(float, p->total);

    memcpy(g, p->grad.data, (size_t)p->total * sizeof *g);
    op_fill(model.device, p->grad, 0);
    return g;
}

static void micro_batches(void)
{
    struct losses large = { 0 }, small = { 0 };
    struct step_opts o = { 0 };
    double off = 0, size = 0;

    step(&whole, &o, &large);
    float *want = gradients();
    for (int k = 0; k < 3; k++) {
        int64_t n[LOSS_COUNT];
        model_targets(&part[k], weights, n);
        for (int i = 0; i < LOSS_COUNT; i++) o.targets[i] += n[i];
    }
    for (int k = 0; k < 3; k++) step(&part[k], &o, &small);
    float *got = gradients();
    for (int64_t i = 0; i < model.params.total; i++) {
        off += pow((double)got[i] - (double)want[i], 2);
        size += pow((double)want[i], 2);
    }
    ok(size > 0 && sqrt(off / size) < 1e-5,
       "gradients of three micro-batches add up to the large batch's (off by %.2g)", sqrt(off / size));
    near(losses_total(&small, weights), losses_total(&large, weights), 1e-5, "and so do the losses");
    free(want);
    free(got);
}

static struct {
    int64_t from[8], n[8];
    int calls;
} told;

static void note(void *arg, int64_t from, int64_t n)
{
    told.from[told.calls] = from;
    told.n[told.calls++] = n;
}

static void again(enum dtype compute)
{
    struct losses a = { 0 }, b = { 0 };
    struct step_opts o = { .seed = 1, .number = 3, .finished = note };
    int64_t n;

    told.calls = 0;
    step(&whole, &o, &a);
    int64_t peak = scratch.peak;
    float *want = gradients();
    ok(told.calls == 2 && told.from[0] == transformer_params(&model.params, &model.layer[1], &n) &&
           told.from[1] + told.n[1] <= told.from[0],
       "layers say when they are finished, the last one first");
    scratch_release(&scratch);
    scratch_init(&scratch, model.device);
    o.finished = NULL;
    o.recompute = true;
    step(&whole, &o, &b);
    float *got = gradients();
    ok(!memcmp(want, got, (size_t)model.params.total * sizeof *want) && !memcmp(&a, &b, sizeof a),
       "%s: recomputation changes no bit", dtype_name(compute));
    ok(scratch.peak < peak, "and needs less memory (%d of %d bytes)", (int)scratch.peak, (int)peak);
    free(want);
    free(got);
}

static int64_t page_faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

/* Steps of a batch whose memory the system would take back, were it freed. */
static void same_memory(struct arena *arena, struct rng *r)
{
    enum { PARTS = 60, STEPS = 5, FEW = 8 };
    struct tensor square_sum = tensor_1d(NULL, DT_F32, 1);
    struct batch large;
    int64_t faults = 0;

    batch_init(&large, &model.config);
    for (int i = 0; i < PARTS; i++) toy_batch(&large, arena, r);
    op_allocate(model.device, &square_sum.data, sizeof(float));
    for (int i = -3; i < STEPS; i++) {
        struct losses l = { 0 };
        struct step_opts o = { .seed = 1, .number = (uint64_t)(i + 3) };
        if (i == 0) faults = page_faults();
        step(&large, &o, &l);
        params_step(&model.params, (struct adamw){ .step = i + 4, .eps = 1, .grad_scale = 1 }, 0, square_sum);
    }
    faults = page_faults() - faults;
#ifdef __SANITIZE_ADDRESS__
    ok(true, "page faults # SKIP the sanitizer keeps what is freed, and touches memory of its own");
#else
    ok(faults < FEW * STEPS, "%d steps of %d rows after the first three: %d page faults", STEPS, (int)large.n_rows,
       (int)faults);
#endif
    op_release(model.device, square_sum.data);
    batch_release(&large);
}

static void run(enum dtype compute, float dropout)
{
    struct model_config c = toy_config();
    struct arena arena = { 0 };
    struct err e = { 0 };
    struct rng r;
    struct device *d = device_open("cpu", 2, &e);

    c.dropout = c.attention_dropout = dropout;
    c.label_hidden = 8;
    model_config_set_labels(&c, (const char *const[]){ "a", "b", "c" }, 3);
    if (!d || model_open(&model, &c, d, compute, true, &e)) {
        printf("# %s\n", e.text);
        exit(1);
    }
    params_init(&model.params, 3);
    scratch_init(&scratch, d);
    batch_init(&whole, &model.config);
    rng_init(&r, 4, 4);
    for (int k = 0; k < 3; k++) {
        batch_init(&part[k], &model.config);
        toy_batch(&part[k], &arena, &r);
        batch_append(&whole, &part[k]);
    }
    if (dropout > 0) again(compute);
    else micro_batches();
    if (dropout > 0 && !is_emulated) same_memory(&arena, &r);
    for (int k = 0; k < 3; k++) batch_release(&part[k]);
    batch_release(&whole);
    scratch_release(&scratch);
    model_release(&model);
    model_config_release(&c);
    arena_release(&arena);
    device_close(d);
}

int main(int argc, char **argv)
{
    is_emulated = argc > 1;
    run(DT_F32, 0);
    run(DT_F32, 0.2f);
    run(DT_BF16, 0.2f);
    return done();
}
