/* Detectors against an independent Faster R-CNN in PyTorch (detect_parity.py), with generated weights, for each family:
 * feature map, objectness, deltas, proposals, features, class and attribute probabilities, refined boxes. On the
 * reference and on the fast back end. */
#include "core/file.h"
#include "core/str.h"
#include "python.h"
#include "stream/safetensors.h"
#include "tap.h"
#include "toy_detector.h"
#include <unistd.h>

static const char script[] = "tests/numeric/detect_parity.py";
static char top[] = "/tmp/unimo-detect.XXXXXX", dir[64]; /* of all cases; of one */

enum { OUTPUTS = 16 };
#define THRESHOLD 0.3f /* for regions: generated weights are never sure */
static struct safetensor out[OUTPUTS];
static int n_out;

static void put(const char *name, enum dtype t, const void *data, int rank, const int64_t *shape)
{
    struct safetensor *s = &out[n_out++];

    *s = (struct safetensor){ .name = name, .dtype = t, .rank = rank, .n = 1 };
    for (int i = 0; i < rank; i++) s->n *= s->shape[i] = shape[i];
    s->bytes = s->n * dtype_size(t);
    void *own = mem_alloc((size_t)s->bytes + 1, 1);
    memcpy(own, data, (size_t)s->bytes);
    s->data = own;
}

static void put_tensor(const char *name, struct device *d, struct tensor x)
{
    float *host = mem_new(float, x.n);

    op_download(d, host, x.data, x.n * 4);
    put(name, DT_F32, host, x.rank, x.shape);
    free(host);
}

static void put_kept(const struct detections *x, const struct detect_config *c)
{
    static const char *const names[2][2] = { { "adaptive", "adaptive_confidence" }, { "fixed", "fixed_confidence" } };
    struct selection kept[2];

    toy_kept(kept, x, c, THRESHOLD);
    for (int i = 0; i < 2; i++) {
        int32_t *at = mem_new(int32_t, kept[i].n);
        for (int64_t k = 0; k < kept[i].n; k++) at[k] = (int32_t)kept[i].at[k];
        put(names[i][0], DT_I32, at, 1, &kept[i].n);
        put(names[i][1], DT_F32, kept[i].confidence, 1, &kept[i].n);
        free(at);
        selection_release(&kept[i]);
    }
    put("threshold", DT_F32, (float[]){ THRESHOLD }, 1, (int64_t[]){ 1 });
}

/* Everything that the detector says about a picture, and the picture, into case.safetensors. */
static int write_case(struct detector *d, const struct image *m, struct err *e)
{
    struct detections x;
    int64_t pixels = (int64_t)m->width * m->height * 3, classes = d->config.classes.n,
            attributes = d->config.attributes.n;
    int32_t *rgb = mem_new(int32_t, pixels);

    for (int64_t i = 0; i < pixels; i++) rgb[i] = m->rgb[i];
    put("rgb", DT_I32, rgb, 3, (int64_t[]){ m->height, m->width, 3 });
    free(rgb);
    scratch_reset(&d->scratch);
    struct tensor features = net_features(&d->net, toy_input(d, m));
    struct rpn_output rpn = detector_rpn(d, features);
    put_tensor("map", d->device, features);
    put_tensor("objectness", d->device, rpn.objectness);
    put_tensor("deltas", d->device, rpn.deltas);
    if (toy_run(d, &x, m, 1, e)) return -1;
    put("proposals", DT_F32, x.proposals, 2, (int64_t[]){ x.n, 4 });
    put("refined", DT_F32, x.refined, 2, (int64_t[]){ x.n, 4 });
    put("features", DT_F32, x.features, 2, (int64_t[]){ x.n, detector_feature_size(d) });
    put("probs", DT_F32, x.probs, 2, (int64_t[]){ x.n, classes });
    put("attributes", DT_F32, x.attribute_probs, 2, (int64_t[]){ x.n, attributes });
    put_kept(&x, &d->config);
    detections_release(&x);
    char *path = path_join(dir, "case.safetensors");
    int rc = safetensors_save(path, out, n_out, NULL, 0, e);
    for (; n_out; n_out--) free((void *)(uintptr_t)out[n_out - 1].data);
    free(path);
    return rc;
}

static void add(const char *device_name, const char *name, struct detect_config c, int width, int height)
{
    struct err e = { 0 };
    struct device *device = device_open(device_name, 1, &e);
    struct detector d = { .config = c }, back;
    struct image m = toy_picture(width, height, 21);

    snprintf(dir, sizeof dir, "%s/%s-%s", top, name, device_name);
    detector_build(&d, device, DT_F32, false);
    toy_values(&d, 6);
    char *path = path_join(dir, "model.safetensors");
    ok(!dir_make(dir, &e) && !detector_save(&d, dir, &e) && !detector_load(&back, dir, device, DT_F32, &e),
       "%s on %s: is saved and loaded %s", name, device_name, e.text);
    /* saved as BF16: from here on both sides have the rounded values */
    ok(!params_save(&back.params, path, false, &e) && !write_case(&back, &m, &e), "and run on %d x %d %s", width,
       height, e.text);
    image_release(&m);
    detector_release(&back);
    detector_release(&d);
    device_close(device);
    free(path);
}

int main(void)
{
    static const char *const devices[] = { "ref", "cpu" };
    const char *interpreter = find_python(script);
    struct err e = { 0 };

    if (!mkdtemp(top)) return 1;
    for (int i = 0; i < 2; i++) {
        struct detect_config aligned = toy_detector_learnt(), unaligned = toy_detector_caffe();
        aligned.roi_align = unaligned.roi_align = unaligned.roi_unaligned = true;
        unaligned.roi_samples = 2;
        add(devices[i], "caffe", toy_detector_caffe(), 83, 61);
        add(devices[i], "learnt", toy_detector_learnt(), 90, 70); /* group norm */
        add(devices[i], "align", aligned, 70, 120);
        add(devices[i], "align-unaligned", unaligned, 70, 90);
        add(devices[i], "resnext", toy_detector_grouped(), 64, 88); /* and anchors of its own */
    }
    is_int(python(interpreter, script, "compare", top), 0, "all is PyTorch's to 1e-4");
    dir_remove(top, &e);
    return done();
}
