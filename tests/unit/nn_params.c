/* Parameters: saving, loading, reports, one optimiser step, and that AdamW finds a minimum. */
#include "core/file.h"
#include "nn/params.h"
#include "tap.h"
#include <math.h>
#include <unistd.h>

static char dir[] = "/tmp/unimo-params.XXXXXX";

static struct params declare(bool extra)
{
    struct params p = { 0 };

    params_add(&p, "a.weight", INIT_TRUNC_NORMAL, 0.02f, 2, (int64_t[]){ 3, 5 });
    params_add(&p, "a.bias", INIT_ZERO, 0, 1, (int64_t[]){ 3 });
    if (extra) params_add(&p, "b.weight", INIT_NORMAL, 0.5f, 2, (int64_t[]){ 2, 3 });
    return p;
}

static struct params make(struct device *d, bool extra)
{
    struct params p = declare(extra);

    params_build(&p, d, DT_F32, true);
    params_init(&p, 7);
    return p;
}

static bool maps(struct params *p, const char *path)
{
    struct err e = { 0 };
    struct safetensors s;

    if (safetensors_open(&s, path, &e)) return false;
    bool is_mapped = params_map(p, &s);
    safetensors_close(&s);
    return is_mapped;
}

/* What a[2,5] w^T is, with the weight of the parameters. */
static void product(const struct params *p, float y[6])
{
    uint16_t half[10];
    float whole[10];

    for (int i = 0; i < 10; i++) whole[i] = (float)(i % 4) - 1.5f;
    dtype_from_f32(half, DT_BF16, whole, 10);
    bool is_half = p->compute == DT_BF16;
    struct tensor x = tensor_2d(is_half ? (void *)half : whole, p->compute, 2, 5), none = { 0 };
    op_linear_forward(p->device, tensor_2d(y, DT_F32, 2, 3), x, params_weight(p, 0), none, LINEAR_PARAM);
}

static void mapped(const char *path)
{
    struct err e = { 0 };

    for (int half = 0; half < 2; half++) {
        struct device *d = device_open("cpu", 1, &e);
        struct params p = declare(false), loaded = declare(false);
        float y[6], as[6];
        double gap = 0;
        params_build(&p, d, half ? DT_BF16 : DT_F32, false);
        params_build(&loaded, d, half ? DT_BF16 : DT_F32, false);
        struct safetensors s;
        safetensors_open(&s, path, &e);
        ok(!params_load(&loaded, &s, NULL, NULL, true, NULL, &e), "parameters are loaded, %s", half ? "bf16" : "f32");
        safetensors_close(&s);
        ok(maps(&p, path), "and mapped");
        for (int i = 0; i < 2; i++) {
            ok(!memcmp(params_f32(&p, i).data, params_f32(&loaded, i).data, (size_t)p.at[i].n * sizeof(float)),
               "with the same values");
        }
        product(&p, y);
        product(&loaded, as);
        for (int i = 0; i < 6; i++) gap = fmax(gap, fabs(y[i] - as[i]));
        ok(gap <= (half ? 1e-3 : 0), "and the same product (%g)", gap);
        params_release(&p);
        params_release(&loaded);
        device_close(d);
    }
}

static void unmapped(struct device *d, const char *path, const char *half)
{
    struct params p = declare(false), q = declare(true), r = declare(false), s = { 0 };

    params_build(&p, d, DT_F32, true);
    ok(!maps(&p, path), "not what is trained");
    params_build(&q, d, DT_F32, false);
    ok(!maps(&q, path), "nor a file without some of them");
    params_build(&r, d, DT_F32, false);
    ok(!maps(&r, half), "nor one in bf16");
    params_add(&s, "a.bias", INIT_ZERO, 0, 1, (int64_t[]){ 3 });
    params_add(&s, "a.weight", INIT_ZERO, 0, 2, (int64_t[]){ 3, 5 });
    params_build(&s, d, DT_F32, false);
    ok(!maps(&s, path), "nor one in another order");
    params_release(&p);
    params_release(&q);
    params_release(&r);
    params_release(&s);
}

/* One step from gradients that are all alike: Adam's first move is the rate, whatever they are. */
static void first_step(struct device *d)
{
    struct params p = make(d, true);
    struct err none = { 0 };
    const double lr = 0.1, decay = 0.5, rate[3] = { 1, 0, 0.5 }, norm = 3 * sqrt(15 + 6);
    float sum[1], old[3][15];
    double off = 0, clipped = 0;

    for (int i = 0; i < 3; i++) {
        p.at[i].lr_scale = (float)rate[i];
        memcpy(old[i], params_f32(&p, i).data, (size_t)p.at[i].n * sizeof **old);
        for (int64_t k = 0; k < p.at[i].n; k++) ((float *)params_grad(&p, i).data)[k] = 3;
    }
    params_step(&p, (struct adamw){ (float)lr, 0.9f, 0.98f, 1e-6f, 1, 1, 1 }, (float)decay, tensor_1d(sum, DT_F32, 1));
    for (int i = 0; i < 3; i++) {
        const float *now = params_f32(&p, i).data;
        for (int64_t k = 0; k < p.at[i].n; k++)
            off = fmax(off, fabs((double)now[k] - (double)old[i][k] + lr * rate[i] * (1 + decay * (double)old[i][k])));
    }
    for (int64_t k = 0; k < p.at[2].n; k++)
        clipped = fmax(clipped, fabs(((float *)p.m.data)[p.at[2].from + k] - 0.1 * 3 / norm));
    ok(off < 1e-5, "a step has each parameter's rate, and decays what it had (off by %.2g)", off);
    ok(clipped < 1e-6, "of gradients cut to the norm without what is frozen (off by %.2g)", clipped);
    ok(!device_check(d, &none), "on a sound device");
    params_release(&p);
}

/* Vectors (biases, norms) do not decay. */
static void undecayed(struct device *d)
{
    struct params p = make(d, false);
    float sum[1], *bias = params_f32(&p, 1).data, *weight = params_f32(&p, 0).data, before = weight[4];

    bias[1] = 2;
    params_step(&p, (struct adamw){ 0.1f, 0.9f, 0.98f, 1e-6f, 1, 1, 1 }, 0.5f, tensor_1d(sum, DT_F32, 1));
    near(bias[1], 2, 0, "a bias does not decay");
    near(weight[4], 0.95 * before, 1e-8, "a matrix does");
    params_release(&p);
}

static void initial_values(struct device *d)
{
    enum { N = 100000 };
    struct params p = { 0 };
    double most = 0, square = 0;

    params_add(&p, "wide.weight", INIT_TRUNC_NORMAL, 0.02f, 2, (int64_t[]){ N / 100, 100 });
    params_build(&p, d, DT_F32, false);
    params_init(&p, 3);
    const float *x = params_f32(&p, 0).data;
    for (int64_t i = 0; i < N; i++) {
        most = fmax(most, fabs((double)x[i]));
        square += (double)x[i] * (double)x[i] / N;
    }
    ok(most <= 0.04 && most > 0.0399, "a normal distribution that is cut at twice its deviation (%.4f)", most);
    near(sqrt(square), 0.02 * sqrt(0.77374), 1e-4, "and not made wider for it"); /* 1 - 4 density(2) / share within 2 */
    params_release(&p);
}

static const char *shorter(const char *name, void *arg)
{
    return strcmp(name, "b.weight") ? name : NULL;
}

int main(void)
{
    struct err e = { 0 };
    struct device *d = device_open("cpu", 1, &e);
    struct params p = make(d, false), q = make(d, true);
    struct safetensors s;

    if (!mkdtemp(dir) || chdir(dir)) return 1;
    is_int(params_count(&q), 24, "elements are counted without padding");
    ok(!memcmp(params_f32(&p, 0).data, params_f32(&q, 0).data, 60),
       "a further parameter does not change the others' draws");
    is_int(params_save(&p, "m.safetensors", false, &e), 0, "save");
    ((float *)params_f32(&q, 0).data)[3] = 9;
    is_int(safetensors_open(&s, "m.safetensors", &e), 0, "open");
    ok(params_load(&q, &s, NULL, NULL, true, NULL, &e) == -1, "a strict load wants everything: %s", e.text);
    err_clear(&e);
    struct params_report report = { 0 };
    is_int(params_load(&q, &s, shorter, NULL, false, &report, &e), 0, "a lenient one does not");
    ok(report.matched == 2 && report.missing == 1 && !report.unexpected, "and reports what it did");
    ok(strstr(report.text.data, "missing    b.weight") != NULL, "by name");
    str_release(&report.text);
    ok(!memcmp(params_f32(&p, 0).data, params_f32(&q, 0).data, 60), "values are back");
    safetensors_close(&s);
    is_int(params_save(&q, "q.safetensors", true, &e), 0, "save in half");
    safetensors_open(&s, "q.safetensors", &e);
    struct params_report two = { 0 };
    is_int(params_load(&p, &s, NULL, NULL, true, &two, &e), 0, "load half");
    is_int(two.unexpected, 1, "with a name nobody expects");
    str_release(&two.text);
    safetensors_close(&s);
    is_int(params_save(&p, "half.safetensors", true, &e), 0, "save half");
    mapped("m.safetensors");
    unmapped(d, "m.safetensors", "half.safetensors");

    float sum[1];
    for (int step = 1; step <= 400; step++) { /* minimise |w - 1|^2 */
        float *w = params_f32(&q, 0).data, *g = params_grad(&q, 0).data;
        for (int i = 0; i < 15; i++) g[i] = 2 * (w[i] - 1);
        params_step(&q, (struct adamw){ 0.02f, 0.9f, 0.98f, 1e-6f, step, 1, 1 }, 0, tensor_1d(sum, DT_F32, 1));
    }
    near(((float *)params_f32(&q, 0).data)[7], 1, 1e-2, "AdamW finds the minimum");
    ok(((float *)params_grad(&q, 0).data)[7] == 0, "and leaves gradients zero");
    is_int(params_save_moments(&q, NULL, NULL, "o.safetensors", &e), 0, "moments are saved");
    float m = ((float *)q.m.data)[3];
    op_fill(d, q.m, 0);
    is_int(params_load_moments(&q, "o.safetensors", &e), 0, "and loaded");
    ok(((float *)q.m.data)[3] == m, "as they were");
    is_int(params_load_moments(&p, "m.safetensors", &e), -1, "another file is refused");
    params_release(&p);
    params_release(&q);
    first_step(d);
    undecayed(d);
    initial_values(d);
    device_close(d);
    err_clear(&e);
    ok(!device_open("gpu", 1, &e), "an unknown device is refused: %s", e.text);
    if (chdir("/")) return 1;
    err_clear(&e);
    dir_remove(dir, &e);
    return done();
}
