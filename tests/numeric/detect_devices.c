/* A detector on a device (by default "cpu", or the argument's) against the reference: what it finds, and the losses and
 * gradients of a training step, for both families of toy detectors. */
#include "detect/train.h"
#include "tap.h"
#include "toy_detector.h"

static struct device *devices[2];
static struct image pictures[2];
static struct picture truth[2];

struct side {
    struct detector d;
    struct detect_losses losses;
    float *grad;
};

static void side_open(struct side *x, int which, struct detect_config c, bool training)
{
    *x = (struct side){ .d = { .config = c } };
    detector_build(&x->d, devices[which], DT_F32, training);
    toy_values(&x->d, 3);
}

static void side_step(struct side *x)
{
    struct params *p = &x->d.params;
    struct err e = { 0 };
    struct rng r;

    rng_init(&r, 5, 5);
    op_fill(x->d.device, p->grad, 0);
    ok(!detect_step(&x->d, pictures, truth, 2, 1, &r, &x->losses, &e), "a step on %s %s", x->d.device->ops->name,
       e.text);
    x->grad = mem_new(float, p->total);
    op_download(x->d.device, x->grad, p->grad.data, tensor_bytes(p->grad));
}

static void steps(const char *what, struct detect_config (*config)(void))
{
    struct side side[2];
    double off = 0, size = 0;

    for (int i = 0; i < 2; i++) {
        side_open(&side[i], i, config(), true);
        side_step(&side[i]);
    }
    const struct detect_losses *a = &side[0].losses, *b = &side[1].losses;
    const double want[5] = { a->objectness, a->rpn_box, a->cls, a->box, a->attribute };
    const double got[5] = { b->objectness, b->rpn_box, b->cls, b->box, b->attribute };
    for (int i = 0; i < 5; i++) near(got[i], want[i], 1e-4, "  the same loss");
    for (int64_t i = 0; i < side[0].d.params.total; i++) {
        off += pow((double)side[1].grad[i] - (double)side[0].grad[i], 2);
        size += pow((double)side[0].grad[i], 2);
    }
    ok(size > 0 && sqrt(off / size) < 1e-4, "%s: gradients off by %.1e", what, sqrt(off / size));
    for (int i = 0; i < 2; i++) {
        free(side[i].grad);
        detector_release(&side[i].d);
    }
}

static double worst_gap(const float *a, const float *b, int64_t n)
{
    double worst = 0, most = 1e-3;

    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        most = fmax(most, fabs((double)a[i]));
    }
    return worst / most;
}

static void finds(const char *what, struct detect_config (*config)(void))
{
    struct detections x[2];
    struct err e = { 0 };

    for (int i = 0; i < 2; i++) {
        struct side side;
        side_open(&side, i, config(), false);
        ok(!toy_run(&side.d, &x[i], pictures, 1, &e), "%s on %s %s", what, devices[i]->ops->name, e.text);
        if (i) {
            bool is_alike = x[0].n == x[1].n;
            double g =
                is_alike ? worst_gap(x[0].features, x[1].features, x[0].n * detector_feature_size(&side.d)) : INFINITY;
            ok(g < 1e-4, "  the same %d regions, features off by %.1e", (int)x[0].n, g);
        }
        detector_release(&side.d);
    }
    for (int i = 0; i < 2; i++) detections_release(&x[i]);
}

int main(int argc, char **argv)
{
    static const struct box where[2] = { { 8, 6, 40, 30 }, { 20, 2, 60, 24 } };
    struct err e = { 0 };

    devices[0] = device_open("ref", 1, &e);
    devices[1] = device_open(argc > 1 ? argv[1] : "cpu", 2, &e);
    if (!devices[0] || !devices[1]) {
        printf("# %s\n", e.text);
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        pictures[i] = toy_picture(64, 48, (uint64_t)(10 + i));
        truth[i] = (struct picture){ .n = 1, .objects = mem_new(struct annotation, 1) };
        truth[i].objects[0] =
            (struct annotation){ .box = where[i], .class_of = 1 + i, .n_attributes = 1, .attributes = { 1 + i } };
    }
    steps("as learnt", toy_detector_learnt);
    steps("Caffe style", toy_detector_caffe);
    finds("as learnt", toy_detector_learnt);
    finds("Caffe style", toy_detector_caffe);
    finds("grouped", toy_detector_grouped);
    for (int i = 0; i < 2; i++) {
        image_release(&pictures[i]);
        free(truth[i].objects);
        device_close(devices[i]);
    }
    return done();
}
