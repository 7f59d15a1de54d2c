/* The gradients of a detector's training step against differences of its loss, for both families of toy detectors.
 * Gradients do not flow through the proposals' coordinates, so what moves proposals is checked without any (regions are
 * then the true boxes), and the second stage again with them. */
#include "detect/train.h"
#include "tap.h"
#include "toy_detector.h"

enum { PICTURES = 2 };
#define TOLERANCE 0.02
static struct detector d;
static struct image pictures[PICTURES];
static struct picture truth[PICTURES];

/* The loss that is differentiated; always with the same draws. */
static double loss(void)
{
    struct detect_losses l;
    struct err e = { 0 };
    struct rng r;

    rng_init(&r, 5, 5);
    if (detect_step(&d, pictures, truth, PICTURES, 1, &r, &l, &e)) {
        ok(false, "%s", e.text);
        return NAN;
    }
    return l.objectness + l.rpn_box + l.cls + l.box + 0.5 * l.attribute; /* the attributes' weight in step.c */
}

/* The loss where a parameter is moved by h along u. */
static double moved(const struct param *p, const float *u, double h)
{
    float *x = (float *)d.params.value.data + p->from, *was = mem_new(float, p->n);

    memcpy(was, x, (size_t)p->n * 4);
    for (int64_t i = 0; i < p->n; i++) x[i] += (float)(h * u[i]);
    op_params_changed(d.device);
    double y = loss();
    memcpy(x, was, (size_t)p->n * 4);
    op_params_changed(d.device);
    free(was);
    return y;
}

/* How far the slope of the loss along a random half of a parameter's gradient is from that half's length, relative to
 * it (or to 0.2, for short ones: the loss is a sum of floats). Of several steps the best counts, as a ReLU or a maximum
 * may change within one. */
static double slope_gap(const struct param *p, const float *grad, uint64_t seed)
{
    static const double steps[] = { 5e-3, 1e-3, 2e-4, 5e-5 };
    float *u = mem_new(float, p->n);
    double length = 0, best = INFINITY;
    struct rng r;

    rng_init(&r, seed, 9);
    for (int64_t i = 0; i < p->n; i++) {
        u[i] = p->n == 1 || rng_u32(&r) & 1 ? grad[i] : 0;
        length += (double)u[i] * u[i];
    }
    length = sqrt(length);
    for (int k = 0; k < 4 && length > 0 && best > TOLERANCE; k++) {
        double h = steps[k] / length, slope = (moved(p, u, h) - moved(p, u, -h)) / (2 * steps[k]);
        best = fmin(best, fabs(slope - length) / fmax(length, 0.2));
    }
    free(u);
    return length > 0 ? best : 0;
}

static void check(const char *what, const char *const *prefixes)
{
    float *grad = mem_new(float, d.params.grad.n);
    double worst = 0;
    int silent = 0;

    memset(d.params.grad.data, 0, (size_t)d.params.grad.n * 4);
    loss();
    memcpy(grad, d.params.grad.data, (size_t)d.params.grad.n * 4);
    for (int i = 0; i < d.params.n; i++) {
        const struct param *p = &d.params.at[i];
        bool is_wanted = false;
        double any = 0;
        for (int k = 0; prefixes[k]; k++) is_wanted = is_wanted || str_starts(p->name, prefixes[k]);
        if (!is_wanted) continue;
        for (int64_t k = 0; k < p->n; k++) any = fmax(any, fabsf(grad[p->from + k]));
        silent += any == 0;
        for (int half = 0; half < 2; half++) {
            double gap = slope_gap(p, grad + p->from, (uint64_t)(2 * i + half));
            if (!(gap <= TOLERANCE)) ok(false, "%s: %s is off by %.2g", what, p->name, gap);
            worst = fmax(worst, gap);
        }
    }
    ok(worst <= TOLERANCE, "%s: gradients are slopes (worst %.2g)", what, worst);
    is_int(silent, 0, "every parameter has a gradient");
    free(grad);
}

/* A quarter of a step is a quarter of its losses and of its gradients, to the last bit. */
static void shares(void)
{
    int64_t n = d.params.grad.n;
    float *whole = mem_new(float, n), *grad = d.params.grad.data;
    struct detect_losses l = { 0 };
    struct err e = { 0 };
    struct rng r;
    int64_t bad = 0;

    memset(grad, 0, (size_t)n * 4);
    double all = loss();
    memcpy(whole, grad, (size_t)n * 4);
    memset(grad, 0, (size_t)n * 4);
    rng_init(&r, 5, 5);
    ok(!detect_step(&d, pictures, truth, PICTURES, 0.25f, &r, &l, &e), "a quarter of a step %s", e.text);
    for (int64_t i = 0; i < n; i++) bad += grad[i] != whole[i] / 4;
    is_int(bad, 0, "has a quarter of its gradients");
    near(l.objectness + l.rpn_box + l.cls + l.box + 0.5 * l.attribute, all / 4, 1e-6, "and of its losses");
    free(whole);
}

static void setup(struct detect_config c, struct device *device)
{
    static const struct box where[PICTURES][2] = { { { 8, 6, 40, 30 }, { 30, 20, 60, 46 } },
                                                   { { 4, 10, 30, 44 }, { 20, 2, 60, 24 } } };

    d = (struct detector){ .config = c };
    detector_build(&d, device, DT_F32, true);
    toy_values(&d, 3);
    for (int i = 0; i < PICTURES; i++) {
        pictures[i] = toy_picture(64, 48, (uint64_t)(10 + i));
        truth[i] = (struct picture){ .n = 2, .objects = mem_new(struct annotation, 2) };
        for (int k = 0; k < 2; k++)
            truth[i].objects[k] = (struct annotation){ .box = where[i][k],
                                                       .class_of = 1 + (2 * i + k) % (c.classes.n - 1),
                                                       .n_attributes = k + i,
                                                       .attributes = { 1 + i, 2 + k } };
    }
}

static void release(void)
{
    for (int i = 0; i < PICTURES; i++) {
        image_release(&pictures[i]);
        free(truth[i].objects);
    }
    detector_release(&d);
}

int main(void)
{
    static const char *const everything[] = { "", NULL }, *const second_stage[] = { "head.", "predict.", NULL };
    struct err e = { 0 };
    struct device *device = device_open("cpu", 1, &e);
    struct detect_losses l = { 0 };
    struct rng r;

    for (int caffe = 0; caffe < 2; caffe++) {
        struct detect_config c = caffe ? toy_detector_caffe() : toy_detector_learnt();
        const char *name = caffe ? "Caffe style" : "as learnt";
        setup(c, device);
        check(name, second_stage);
        shares();
        d.config.min_side = 4000; /* no proposal is that large */
        check(name, everything);
        release();
    }
    setup(toy_detector_learnt(), device);
    truth[0].n = truth[1].n = 0; /* nothing to find: only the background's losses */
    rng_init(&r, 1, 1);
    ok(!detect_step(&d, pictures, truth, PICTURES, 1, &r, &l, &e), "pictures without objects %s", e.text);
    ok(l.objectness > 0 && l.cls > 0 && l.rpn_box == 0 && l.box == 0 && l.attribute == 0,
       "have no boxes or attributes to learn");
    d.config.min_side = 4000;
    ok(!detect_step(&d, pictures, truth, PICTURES, 1, &r, &l, &e), "neither proposals nor objects %s", e.text);
    ok(isfinite(l.cls) && isfinite(l.objectness), "and finite losses");
    release();
    device_close(device);
    return done();
}
