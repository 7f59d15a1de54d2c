/* Parameters: saving, loading, reports, one optimiser step, and that AdamW finds a minimum. */
#include "core/file.h"
#include "nn/params.h"
#include "tap.h"
#include <unistd.h>

static char dir[] = "/tmp/unimo-params.XXXXXX";

static struct params make(struct device *d, bool extra)
{
    struct params p = { 0 };

    params_add(&p, "a.weight", INIT_TRUNC_NORMAL, 0.02f, 2, (int64_t[]){ 3, 5 });
    params_add(&p, "a.bias", INIT_ZERO, 0, 1, (int64_t[]){ 3 });
    if (extra) params_add(&p, "b.weight", INIT_UNIFORM, 0.5f, 2, (int64_t[]){ 2, 3 });
    params_build(&p, d, DT_F32, true);
    params_init(&p, 7);
    return p;
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
    device_close(d);
    err_clear(&e);
    ok(!device_open("gpu", 1, &e), "an unknown device is refused: %s", e.text);
    if (chdir("/")) return 1;
    err_clear(&e);
    dir_remove(dir, &e);
    return done();
}
