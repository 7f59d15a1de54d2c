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
static char dir[] = "/tmp/unimo-detect.XXXXXX";

enum { OUTPUTS = 10 };
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
    detections_release(&x);
    char *path = path_join(dir, "case.safetensors");
    int rc = safetensors_save(path, out, n_out, NULL, 0, e);
    for (; n_out; n_out--) free((void *)(uintptr_t)out[n_out - 1].data);
    free(path);
    return rc;
}

static void compare(const char *interpreter, const char *device_name, const char *what, struct detect_config c,
                    int width, int height)
{
    struct err e = { 0 };
    struct device *device = device_open(device_name, 1, &e);
    struct detector d = { .config = c }, back;
    struct image m = toy_picture(width, height, 21);

    detector_build(&d, device, DT_F32, false);
    toy_values(&d, 6);
    char *path = path_join(dir, "model.safetensors");
    ok(!detector_save(&d, dir, &e) && !detector_load(&back, dir, device, DT_F32, &e), "%s: is saved and loaded %s",
       what, e.text);
    /* saved as BF16: from here on both sides have the rounded values */
    ok(!params_save(&back.params, path, false, &e) && !write_case(&back, &m, &e), "and run on %d x %d %s", width,
       height, e.text);
    ok(python(interpreter, script, "compare", dir) == 0, "%s on %s: all is PyTorch's to 1e-4", what, device_name);
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

    if (!mkdtemp(dir)) return 1;
    for (int i = 0; i < 2; i++) {
        compare(interpreter, devices[i], "Caffe style", toy_detector_caffe(), 83, 61);
        struct detect_config aligned = toy_detector_learnt();
        aligned.roi_align = true;
        compare(interpreter, devices[i], "group norm", toy_detector_learnt(), 90, 70);
        compare(interpreter, devices[i], "group norm and RoIAlign", aligned, 70, 120);
        compare(interpreter, devices[i], "ResNeXt, anchors of its own", toy_detector_grouped(), 64, 88);
    }
    dir_remove(dir, &e);
    return done();
}
