/* The field's detector, ResNet-101 C4 with all its layers and 1601 classes, from generated weights, against PyTorch
 * (detect_parity.py): on a small picture here, on pictures of 600 x 1000 with UNIMO_LONG=1; in f32 and, where the
 * processor has it, in bf16. */
#include "core/file.h"
#include "core/str.h"
#include "detect/infer.h"
#include "python.h"
#include "stream/safetensors.h"
#include "tap.h"
#include "toy_detector.h"
#include <unistd.h>

static const char script[] = "tests/numeric/detect_parity.py";
static char dir[] = "/tmp/unimo-field.XXXXXX";

/* He-like values, residual branches damped as trained networks have them. */
static void field_values(struct detector *d)
{
    struct rng r;

    rng_init(&r, 8, 1);
    for (int i = 0; i < d->params.n; i++) {
        const struct param *p = &d->params.at[i];
        float *v = mem_new(float, p->n);
        bool is_branch = str_ends(p->name, "conv3.weight"), is_stem = !strcmp(p->name, "stem.weight"),
             is_delta = strstr(p->name, "rpn.deltas") || strstr(p->name, "predict.box"),
             is_logit = strstr(p->name, "predict.class") || strstr(p->name, "predict.attribute");
        double fan = p->rank > 1 ? (double)p->n / (double)p->shape[0] : 0, scale = is_branch  ? 0.4
                                                                                   : is_stem  ? 0.02
                                                                                   : is_delta ? 0.02
                                                                                   : is_logit ? 0.1
                                                                                              : 1;
        for (int64_t k = 0; k < p->n; k++) {
            double u = sqrt(12) * (rng_uniform(&r) - 0.5); /* of variance 1 */
            v[k] = (float)(fan > 0 ? u * sqrt(2 / fan) * scale : 0.05 * u);
        }
        op_upload(d->device, (float *)d->params.value.data + p->from, v, p->n * 4);
        free(v);
    }
    params_changed(&d->params);
}

static struct safetensor out[8];
static int n_out;

static void put(const char *name, enum dtype t, const void *data, int rank, const int64_t *shape)
{
    struct safetensor *s = &out[n_out++];

    *s = (struct safetensor){ .name = name, .dtype = t, .rank = rank, .n = 1, .data = data };
    for (int i = 0; i < rank; i++) s->n *= s->shape[i] = shape[i];
    s->bytes = s->n * dtype_size(t);
}

static int write_case(struct detector *d, const struct image *m, struct err *e)
{
    struct detections x;
    int64_t pixels = (int64_t)m->width * m->height * 3;
    int32_t *rgb = mem_new(int32_t, pixels);

    if (toy_run(d, &x, m, 1, e)) return -1;
    for (int64_t i = 0; i < pixels; i++) rgb[i] = m->rgb[i];
    scratch_reset(&d->scratch);
    struct tensor map = infer_features(&d->net, toy_input(d, m)), wide = map;
    wide = scratch_4d(&d->scratch, DT_F32, 1, map.shape[1], map.shape[2], map.shape[3]);
    op_convert(d->device, wide, map);
    float *host = mem_new(float, wide.n);
    op_download(d->device, host, wide.data, wide.n * 4);
    n_out = 0;
    put("rgb", DT_I32, rgb, 3, (int64_t[]){ m->height, m->width, 3 });
    put("map", DT_F32, host, 4, wide.shape);
    put("proposals", DT_F32, x.proposals, 2, (int64_t[]){ x.n, 4 });
    put("features", DT_F32, x.features, 2, (int64_t[]){ x.n, detector_feature_size(d) });
    put("probs", DT_F32, x.probs, 2, (int64_t[]){ x.n, d->config.classes.n });
    put("attributes", DT_F32, x.attribute_probs, 2, (int64_t[]){ x.n, d->config.attributes.n });
    char *path = path_join(dir, "case.safetensors");
    int rc = safetensors_save(path, out, n_out, NULL, 0, e);
    free(path);
    free(host);
    free(rgb);
    detections_release(&x);
    return rc;
}

static void compare(const char *interpreter, enum dtype compute, int width, int height)
{
    struct err e = { 0 };
    struct device *device = device_open("cpu", 2, &e);
    struct detector d = { 0 };
    struct image m = toy_picture(width, height, 33);
    const char *what = compute == DT_F32 ? "f32" : "bf16";

    if (compute == DT_BF16 && !device_has_bf16(device)) {
        ok(true, "bf16 # SKIP this processor has no bf16 products");
    } else {
        char *model = path_join(dir, "model.safetensors"), *config = path_join(dir, "config.json");
        detect_config_field(&d.config, 101);
        toy_names(&d.config, 1601, 401);
        if (height < 200) d.config.short_side = 160, d.config.post_nms = 16; /* the layers are what is compared */
        detector_build(&d, device, compute, false);
        field_values(&d);
        /* written by detector_save() as BF16: the values are then replaced by the exact ones */
        bool is_saved =
            !access(model, F_OK) || (!detector_save(&d, dir, &e) && !params_save(&d.params, model, false, &e));
        ok(is_saved && !write_case(&d, &m, &e), "ResNet-101 C4 sees %d x %d in %s %s", width, height, what, e.text);
        is_int(python(interpreter, script, compute == DT_F32 ? "field" : "field16", dir), 0, "as PyTorch does");
        free(model);
        free(config);
    }
    image_release(&m);
    detector_release(&d);
    device_close(device);
}

int main(void)
{
    const char *interpreter = find_python(script);
    bool is_long = getenv("UNIMO_LONG") != NULL;
    struct err e = { 0 };

    if (!mkdtemp(dir)) return 1;
    for (int half = 0; half < 2; half++) {
        compare(interpreter, half ? DT_BF16 : DT_F32, is_long ? 640 : 160, is_long ? 480 : 120);
        if (is_long) compare(interpreter, half ? DT_BF16 : DT_F32, 500, 333);
        if (is_long) compare(interpreter, half ? DT_BF16 : DT_F32, 1000, 600);
    }
    dir_remove(dir, &e);
    return done();
}
