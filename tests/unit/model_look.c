/* Attention as it is shown: rows sum to 1, what a row may not see has none, and, where all keys are equal, all that it
 * sees has the same. */
#include "model/look.h"
#include "tap.h"
#include "toy.h"
#include <string.h>

int main(void)
{
    struct err e = { 0 };
    struct model_config c = toy_config();
    struct device *d = device_open("ref", 1, &e);
    struct arena arena = { 0 };
    struct model m;
    struct scratch s;
    struct batch b;
    struct rng r;

    if (!d || model_open(&m, &c, d, DT_F32, false, &e)) {
        printf("# %s\n", e.text);
        return 1;
    }
    params_init(&m.params, 3);
    scratch_init(&s, d);
    batch_init(&b, &m.config);
    rng_init(&r, 4, 4);
    struct batch_image image = toy_image(&arena, &c, &r, 4);
    struct batch_text source = toy_text(&arena, &c, &r, 3), target = toy_text(&arena, &c, &r, 5);
    batch_add_generation(&b, batch_add_image(&b, &image, NULL), &source, &target);
    int64_t T = b.n_rows, seen = b.prefix[0];
    float *share = mem_new(float, T *T);
    ok(!model_attention(&m, &s, &b, share, &e), "attention of %d rows, %d of them seen by all %s", (int)T, (int)seen,
       e.text);
    double worst = 0, hidden = 0;
    for (int64_t i = 0; i < T; i++) {
        double sum = 0;
        for (int64_t j = 0; j < T; j++) {
            sum += (double)share[i * T + j];
            if (j >= seen && j > i) hidden += (double)share[i * T + j];
        }
        worst = fmax(worst, fabs(sum - 1));
    }
    ok(worst < 1e-5, "rows sum to 1 (off by %.1g)", worst);
    ok(hidden == 0, "what comes later has none");
    for (int l = 0; l < c.layers; l++) {
        op_fill(d, params_f32(&m.params, m.layer[l].key.w), 0);
        op_fill(d, params_f32(&m.params, m.layer[l].key.b), 0);
    }
    op_params_changed(d);
    ok(!model_attention(&m, &s, &b, share, &e), "without keys %s", e.text);
    worst = 0;
    for (int64_t i = 0; i < T; i++) {
        int64_t visible = i < seen ? seen : i + 1;
        for (int64_t j = 0; j < visible; j++) worst = fmax(worst, fabs((double)share[i * T + j] - 1 / (double)visible));
    }
    ok(worst < 1e-6, "all have the same (off by %.1g)", worst);
    free(share);
    batch_release(&b);
    scratch_release(&s);
    model_release(&m);
    model_config_release(&c);
    device_close(d);
    arena_release(&arena);
    return done();
}
