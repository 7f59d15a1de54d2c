/* What bf16 costs: the gradient of a model computed in bf16 beside that in f32, for each objective alone and all
 * together, with dropout on. And the gradient of one batch is the same to the bit each time that it is computed with as
 * many threads. */
#include "compute/backend.h"
#include "model/model.h"
#include "tap.h"
#include "toy_batch.h"
#include <math.h>
#include <string.h>

static struct arena arena;

/* The gradient of one step in a fresh array. */
static float *gradient(struct device *d, const struct model_config *c, enum dtype precision,
                       const float weight[LOSS_COUNT], int64_t *n)
{
    struct err e = { 0 };
    struct model m = { 0 };
    struct scratch s;
    struct batch b;
    struct rng r;
    struct losses l = { 0 };
    struct step_opts o = { .train = true, .seed = 1, .number = 2 };
    float *g = NULL;

    memcpy(o.weight, weight, sizeof o.weight);
    if (model_open(&m, c, d, precision, true, &e)) return NULL;
    params_init(&m.params, 3);
    scratch_init(&s, d);
    batch_init(&b, &m.config);
    rng_init(&r, 4, 4);
    for (int i = 0; i < 6; i++) toy_batch(&b, &arena, &r);
    if (!model_step(&m, &s, &b, &o, &l, &e)) {
        *n = m.params.total;
        g = mem_new(float, *n);
        op_download(d, g, m.params.grad.data, tensor_bytes(m.params.grad));
    }
    batch_release(&b);
    scratch_release(&s);
    model_release(&m);
    return g;
}

static double length(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static void check(struct device *d, const struct model_config *c, const char *what, const float weight[LOSS_COUNT],
                  double most)
{
    int64_t n = 0;
    float *exact = gradient(d, c, DT_F32, weight, &n), *half = gradient(d, c, DT_BF16, weight, &n),
          *again = gradient(d, c, DT_BF16, weight, &n), *gap = mem_new(float, n);

    ok(exact && half && again, "%s: gradients", what);
    if (exact && half && again) {
        for (int64_t i = 0; i < n; i++) gap[i] = half[i] - exact[i];
        double error = length(gap, n) / length(exact, n);
        ok(error < most, "  in bf16 as in f32 (relative error %.4f)", error);
        ok(!memcmp(half, again, (size_t)n * sizeof *half), "  and the same to the bit again");
    }
    free(exact);
    free(half);
    free(again);
    free(gap);
}

int main(void)
{
    struct err e = { 0 };
    struct model_config c = toy_config();
    struct device *d = device_open("cpu", 2, &e);

    if (!d) {
        printf("# %s\n", e.text);
        return 1;
    }
    c.layers = 4;
    c.hidden = 128;
    c.heads = 2;
    c.inner = 512;
    c.init_std = 0.05f; /* as training finds it: larger weights make any gradient a matter of rounding */
    c.dropout = c.attention_dropout = 0.1f;
    for (int i = 0; i <= LOSS_CMCL; i++) {
        float weight[LOSS_COUNT] = { 0 };
        weight[i] = 1;
        /* the contrast of a new model's scores is small beside them: their rounding counts ten times */
        check(d, &c, loss_names[i], weight, i == LOSS_CMCL ? 0.15 : 0.015);
    }
    check(d, &c, "all together", (const float[LOSS_COUNT]){ 1, 1, 1, 1, 1 }, 0.015);
    model_config_release(&c);
    device_close(d);
    arena_release(&arena);
    return done();
}
