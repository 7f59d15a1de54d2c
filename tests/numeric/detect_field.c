/* The field's detector with all its layers and 1601 classes, from generated weights, against PyTorch
 * (detect_parity.py), in f32 and, where the processor has it, in bf16: ResNet-101 C4 on a small picture here; with
 * UNIMO_LONG=1 on several of 600 x 1000, and ResNet-50, ResNet-152 and the ResNeXt-152 of VinVL as well. */
#include "core/file.h"
#include "core/str.h"
#include "detect/infer.h"
#include "python.h"
#include "stream/safetensors.h"
#include "tap.h"
#include "toy_detector.h"
#include <unistd.h>

static const char script[] = "tests/numeric/detect_parity.py";
static char top[] = "/tmp/unimo-field.XXXXXX";
#define THRESHOLD 0.003f /* for regions: generated weights are never sure, and a few regions should be enough so */

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

static struct safetensor out[12];
static int n_out;

static void put(const char *name, enum dtype t, const void *data, int rank, const int64_t *shape)
{
    struct safetensor *s = &out[n_out++];

    *s = (struct safetensor){ .name = name, .dtype = t, .rank = rank, .n = 1, .data = data };
    for (int i = 0; i < rank; i++) s->n *= s->shape[i] = shape[i];
    s->bytes = s->n * dtype_size(t);
}

/* The feature map, as F32 on the host. */
static float *map_of(struct detector *d, const struct image *m, struct tensor *wide)
{
    scratch_reset(&d->scratch);
    struct tensor map = infer_features(&d->net, toy_input(d, m));
    *wide = scratch_4d(&d->scratch, DT_F32, 1, map.shape[1], map.shape[2], map.shape[3]);
    op_convert(d->device, *wide, map);
    float *host = mem_new(float, wide->n);
    op_download(d->device, host, wide->data, wide->n * 4);
    return host;
}

static int32_t *places(const struct selection *s)
{
    int32_t *at = mem_new(int32_t, s->n);

    for (int64_t k = 0; k < s->n; k++) at[k] = (int32_t)s->at[k];
    return at;
}

static int write_case(struct detector *d, const struct image *m, const char *path, struct err *e)
{
    struct detections x;
    struct selection kept[2];
    struct tensor wide;
    int64_t pixels = (int64_t)m->width * m->height * 3;
    int32_t *rgb = mem_new(int32_t, pixels);
    const float threshold = THRESHOLD;

    if (toy_run(d, &x, m, 1, e)) return -1;
    for (int64_t i = 0; i < pixels; i++) rgb[i] = m->rgb[i];
    float *map = map_of(d, m, &wide);
    toy_kept(kept, &x, &d->config, threshold);
    int32_t *adaptive = places(&kept[0]), *fixed = places(&kept[1]);
    n_out = 0;
    put("rgb", DT_I32, rgb, 3, (int64_t[]){ m->height, m->width, 3 });
    put("map", DT_F32, map, 4, wide.shape);
    put("proposals", DT_F32, x.proposals, 2, (int64_t[]){ x.n, 4 });
    put("features", DT_F32, x.features, 2, (int64_t[]){ x.n, detector_feature_size(d) });
    put("probs", DT_F32, x.probs, 2, (int64_t[]){ x.n, d->config.classes.n });
    put("attributes", DT_F32, x.attribute_probs, 2, (int64_t[]){ x.n, d->config.attributes.n });
    put("adaptive", DT_I32, adaptive, 1, &kept[0].n);
    put("adaptive_confidence", DT_F32, kept[0].confidence, 1, &kept[0].n);
    put("fixed", DT_I32, fixed, 1, &kept[1].n);
    put("fixed_confidence", DT_F32, kept[1].confidence, 1, &kept[1].n);
    put("threshold", DT_F32, &threshold, 1, (int64_t[]){ 1 });
    int rc = safetensors_save(path, out, n_out, NULL, 0, e);
    free(adaptive);
    free(fixed);
    free(map);
    free(rgb);
    for (int i = 0; i < 2; i++) selection_release(&kept[i]);
    detections_release(&x);
    return rc;
}

/* X-152 32x8d as VinVL's: strides in the 3x3, ordinary pooling, 15 anchors, RoIAlign as it was at first, a head that
 * halves. */
static void config_vinvl(struct detect_config *c)
{
    static const float sides[] = { 32, 64, 128, 256, 512 };
    static const int widths[] = { 256, 512, 1024 };

    detect_config_field(c, 152);
    for (int i = 0; i < 3; i++) {
        c->stages[i].width = widths[i];
        c->stages[i].cardinality = 32;
        c->stages[i].stride_in_1x1 = false;
    }
    c->head = (struct stage_config){ 3, 2048, 2048, 2, 1, false, 32 };
    c->pool_pad = 1;
    c->pool_ceil = false;
    c->roi_align = c->roi_unaligned = true;
    c->n_scales = 5;
    memcpy(c->scales, sides, sizeof sides);
    c->min_side = 0;
}

/* Pictures of one network in one precision. */
static void cases(struct detector *d, const char *dir, bool is_large)
{
    static const int sizes[][2] = { { 1000, 600 }, { 1000, 600 }, { 640, 480 }, { 333, 500 } };
    const char *what = d->params.compute == DT_F32 ? "f32" : "bf16";

    for (int i = 0; i < (is_large ? 4 : 1); i++) {
        struct err e = { 0 };
        struct image m = toy_picture(is_large ? sizes[i][0] : 160, is_large ? sizes[i][1] : 120, (uint64_t)(33 + i));
        char name[40];
        snprintf(name, sizeof name, "case-%s-%d.safetensors", what, i);
        char *path = path_join(dir, name);
        ok(!write_case(d, &m, path, &e), "%d x %d is seen in %s %s", m.width, m.height, what, e.text);
        free(path);
        image_release(&m);
    }
}

static void compare(const char *interpreter, const char *name, struct detect_config c, bool is_large)
{
    struct err e = { 0 };
    struct device *device = device_open("cpu", 2, &e);
    struct detector d = { .config = c }, half;
    char *dir = path_join(top, name), *model = path_join(dir, "model.safetensors");

    toy_names(&d.config, 1601, 401);
    if (!is_large) d.config.short_side = 160, d.config.post_nms = 40; /* the layers are what is compared */
    detector_build(&d, device, DT_F32, false);
    field_values(&d);
    /* written by detector_save() as BF16: the values are then replaced by the exact ones */
    ok(!dir_make(dir, &e) && !detector_save(&d, dir, &e) && !params_save(&d.params, model, false, &e),
       "%s: %lld parameters %s", name, (long long)d.params.value.n, e.text);
    cases(&d, dir, is_large);
    detector_release(&d);
    if (ok(!detector_load(&half, dir, device, DT_BF16, &e), "is loaded %s", e.text)) {
        cases(&half, dir, is_large);
        detector_release(&half);
    }
    is_int(python(interpreter, script, "field", dir), 0, "all is as PyTorch has it");
    dir_remove(dir, &e);
    free(dir);
    free(model);
    device_close(device);
}

int main(void)
{
    const char *interpreter = find_python(script);
    bool is_long = getenv("UNIMO_LONG") != NULL;
    struct detect_config c;
    struct err e = { 0 };

    if (!mkdtemp(top)) return 1;
    detect_config_field(&c, 101);
    compare(interpreter, "ResNet-101 C4", c, is_long);
    for (int layers = 50; layers <= 152 && is_long; layers += 102) {
        detect_config_field(&c, layers);
        compare(interpreter, layers == 50 ? "ResNet-50 C4" : "ResNet-152 C4", c, false);
    }
    config_vinvl(&c);
    if (is_long) compare(interpreter, "ResNeXt-152 C4", c, false);
    dir_remove(top, &e);
    return done();
}
