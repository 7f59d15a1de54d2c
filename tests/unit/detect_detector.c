/* Sizes of inputs, pictures alone and in a batch, pictures of odd shapes, refusal of files that do not fit. */
#include "core/file.h"
#include "core/str.h"
#include "tap.h"
#include "toy_detector.h"
#include <unistd.h>

static void sizes(void)
{
    /* 0: as the ports; 1: as the release. What OpenCV 5.0 makes of the factor of each was looked at. */
    static const int cases[][7] = { { 0, 600, 1000, 640, 480, 800, 600 },    { 0, 600, 1000, 480, 640, 600, 800 },
                                    { 0, 600, 1000, 1920, 1080, 1000, 563 }, { 0, 600, 1000, 100, 100, 600, 600 },
                                    { 0, 192, 256, 256, 192, 256, 192 },     { 0, 192, 256, 5000, 20, 256, 32 },
                                    { 0, 192, 256, 1, 65500, 32, 256 },      { 1, 600, 1000, 1920, 1080, 1000, 562 },
                                    { 1, 600, 1000, 640, 360, 1000, 562 },   { 1, 600, 1000, 400, 503, 600, 754 },
                                    { 1, 600, 1000, 640, 427, 899, 600 },    { 1, 600, 1000, 3, 5000, 32, 1000 } };
    int bad = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *k = cases[i];
        struct detect_config c = { .is_exact_scale = k[0], .short_side = k[1], .long_side = k[2] };
        float scale[2], most = k[0] ? 0.5f : 1e-3f;
        int w, h;
        view_size(&c, k[3], k[4], &w, &h, scale);
        if (w == k[5] && h == k[6] && fabsf(scale[0] * (float)k[3] - (float)w) <= most &&
            fabsf(scale[1] * (float)k[4] - (float)h) <= most)
            continue;
        printf("# %d x %d becomes %d x %d, by %g and %g\n", k[3], k[4], w, h, (double)scale[0], (double)scale[1]);
        bad++;
    }
    is_int(bad, 0, "pictures are resized to the short side, within the long side, and no side vanishes");

    /* 0.75 of 1334 is 1000.5: to the release no longer than 1000 */
    struct detect_config c = { .is_exact_scale = true, .short_side = 600, .long_side = 1000 };
    float scale[2];
    int w, h;
    view_size(&c, 1334, 800, &w, &h, scale);
    ok(w == 1000 && h == 600 && scale[0] == 0.75f && scale[1] == 0.75f, "a long side is rounded before it is compared");
}

static bool same(const struct detections *a, const struct detections *b, const struct detector *d)
{
    return a->n == b->n && !memcmp(a->proposals, b->proposals, (size_t)a->n * sizeof *a->proposals) &&
           !memcmp(a->features, b->features, (size_t)(a->n * detector_feature_size(d)) * sizeof(float));
}

static void batches(struct detector *d)
{
    struct image m[3] = { toy_picture(80, 60, 1), toy_picture(80, 60, 2), toy_picture(80, 60, 3) };
    struct detections alone[3], together[3];
    struct err e = { 0 };
    int bad = 0, distinct = 0;

    for (int i = 0; i < 3; i++) bad += toy_run(d, &alone[i], &m[i], 1, &e);
    bad += toy_run(d, together, m, 3, &e);
    is_int(bad, 0, "three pictures, alone and in a batch");
    for (int i = 0; i < 3; i++) bad += !same(&alone[i], &together[i], d);
    distinct = !same(&alone[0], &alone[1], d) && !same(&alone[1], &alone[2], d);
    is_int(bad, 0, "give the same to the last bit");
    ok(distinct, "and not the same as each other");
    for (int i = 0; i < 3; i++) {
        detections_release(&alone[i]);
        detections_release(&together[i]);
        image_release(&m[i]);
    }
}

/* Boxes for each class: those of the most likely one are the refined ones, the background's are the proposals. */
static void class_boxes(struct detector *d)
{
    struct image m = toy_picture(80, 60, 4);
    struct detections x;
    struct view v;
    struct err e = { 0 };
    int classes = d->config.classes.n, bad = 0, own = 0;

    view_make(&v, &d->config, &m, m.width, m.height);
    if (ok(!detector_run(d, &x, &v, 1, true, &e), "boxes of every class %s", e.text)) {
        for (int64_t i = 0; i < x.n; i++) {
            const struct box *at = x.class_boxes + i * classes;
            const float *probs = x.probs + i * classes;
            int best = 1;
            for (int k = 2; k < classes; k++) best = probs[k] > probs[best] ? k : best;
            bad += memcmp(&at[0], &x.proposals[i], sizeof *at) || memcmp(&at[best], &x.refined[i], sizeof *at);
            for (int k = 1; k < classes; k++) own += memcmp(&at[k], &x.refined[i], sizeof *at) != 0;
        }
        is_int(bad, 0, "the proposal, and the refined one of the most likely class");
        ok(d->config.boxes_per_class ? own > 0 : !own, "others where there are deltas for each class, and only there");
        detections_release(&x);
    }
    view_release(&v);
    image_release(&m);
}

static void odd_shapes(struct detector *d)
{
    static const int shapes[][2] = { { 1, 1 }, { 900, 2 }, { 3, 700 }, { 31, 33 } };

    for (int i = 0; i < 4; i++) {
        struct image m = toy_picture(shapes[i][0], shapes[i][1], 9);
        struct detections x;
        struct err e = { 0 };
        int outside = 0;
        if (!ok(!toy_run(d, &x, &m, 1, &e), "%d x %d %s", m.width, m.height, e.text)) continue;
        for (int64_t k = 0; k < x.n; k++) {
            for (int refined = 0; refined < 2; refined++) {
                struct box b = refined ? x.refined[k] : x.proposals[k];
                outside += !(b.x1 >= 0 && b.y1 >= 0 && b.x1 <= b.x2 && b.y1 <= b.y2 && b.x2 <= (float)m.width &&
                             b.y2 <= (float)m.height);
            }
        }
        is_int(outside, 0, "boxes lie in it");
        detections_release(&x);
        image_release(&m);
    }
}

static void files(struct detector *d, struct device *device)
{
    char dir[] = "/tmp/unimo-detector.XXXXXX";
    struct err e = { 0 };
    struct detector back;

    if (!mkdtemp(dir)) return;
    is_int(detector_save(d, dir, &e), 0, "a detector is saved");
    names_add(&d->config.classes, "one more");
    char *config = path_join(dir, "config.json");
    struct str text = { 0 };
    struct value *v = detect_config_print(&d->config);
    value_print(v, &text);
    value_free(v);
    struct out *o = out_open(config, &e);
    out_write(o, text.data, text.n, &e);
    is_int(out_commit(o, &e), 0, "its configuration changed");
    is_int(detector_load(&back, dir, device, DT_F32, &e), -1, "then its parameters do not fit");
    ok(strstr(e.text, "model.safetensors: ") &&
           strstr(e.text, "\"predict.class.weight\": shape [5,20] (expected [6,20])"),
       "and the first is named: %s", e.text);
    str_release(&text);
    free(config);
    err_clear(&e);
    dir_remove(dir, &e);
}

/* Convolutions in groups have no gradients: such a network is refused, whichever stage has them. */
static void trainable(void)
{
    struct detect_config from = toy_detector_grouped(), to;
    struct err e = { 0 };

    from.head.cardinality = 1; /* the second stage's are left */
    ok(detector_adapt_config(&to, &from, &e), "groups in one stage cannot be trained on");
    is_str(e.text, "a ResNeXt cannot be trained on (a ResNet can)", "and that is said");
    from.stages[1].cardinality = 1;
    err_clear(&e);
    ok(!detector_adapt_config(&to, &from, &e), "without them it can %s", e.text);
    detect_config_release(&from);
}

int main(void)
{
    struct err e = { 0 };
    struct device *device = device_open("cpu", 1, &e);
    struct detector d = { .config = toy_detector_learnt() };

    sizes();
    trainable();
    detector_build(&d, device, DT_F32, false);
    toy_values(&d, 4);
    batches(&d);
    odd_shapes(&d);
    class_boxes(&d);
    files(&d, device);
    detector_release(&d);
    d = (struct detector){ .config = toy_detector_caffe() };
    detector_build(&d, device, DT_F32, false);
    toy_values(&d, 4);
    class_boxes(&d);
    detector_release(&d);
    device_close(device);
    return done();
}
