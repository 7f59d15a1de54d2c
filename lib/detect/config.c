#include "detect/config.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

static int get_int(const struct value *o, const char *key, int min, int max, int *out, struct err *e)
{
    int64_t v;

    if (value_get_int(o, key, min, max, &v, e)) return -1;
    *out = (int)v;
    return 0;
}

static int get_real(const struct value *o, const char *key, double min, double max, float *out, struct err *e)
{
    double v;

    if (value_get_real(o, key, min, max, &v, e)) return -1;
    *out = (float)v;
    return 0;
}

/* Between least and most numbers, each within [min, max]. */
static int get_reals(const struct value *o, const char *key, int least, int most, double min, double max, float *out,
                     int *n, struct err *e)
{
    struct value *a;

    if (value_get_array(o, key, &a, e)) return -1;
    if (value_count(a) < least || value_count(a) > most)
        return err_set(e, ERR_INPUT, "\"%s\" has %d numbers", key, (int)value_count(a));
    *n = (int)value_count(a);
    for (int i = 0; i < *n; i++) {
        if (!value_is_number(value_at(a, i))) return err_set(e, ERR_INPUT, "\"%s\" is not an array of numbers", key);
        double x = value_number(value_at(a, i));
        if (!(x >= min && x <= max)) return err_set(e, ERR_INPUT, "\"%s\" has %g (%g to %g)", key, x, min, max);
        out[i] = (float)x;
    }
    return 0;
}

static int get_names(const struct value *o, const char *key, struct names *out, struct err *e)
{
    struct value *a;

    if (value_get_array(o, key, &a, e)) return -1;
    if (value_count(a) < 1 || value_count(a) > NAMES_MAX)
        return err_set(e, ERR_INPUT, "\"%s\" has %d names", key, (int)value_count(a));
    for (int64_t i = 0; i < value_count(a); i++) {
        const char *name = value_text(value_at(a, i), NULL);
        if (!name) return err_set(e, ERR_INPUT, "\"%s\" is not an array of strings (without the character 0)", key);
        names_add(out, name);
    }
    return 0;
}

static int read_stage(struct stage_config *s, const struct value *v, struct err *e)
{
    if (get_int(v, "blocks", 1, 64, &s->blocks, e) || get_int(v, "width", 1, 4096, &s->width, e) ||
        get_int(v, "channels", 1, 8192, &s->channels, e) || get_int(v, "stride", 1, 4, &s->stride, e) ||
        get_int(v, "dilation", 1, 4, &s->dilation, e) || value_get_bool(v, "stride_in_1x1", &s->stride_in_1x1, e))
        return -1;
    int64_t cardinality = 1;
    if (value_opt_int(v, "cardinality", 1, 1024, &cardinality, e)) return -1;
    s->cardinality = (int)cardinality;
    return 0;
}

static int read_input(struct detect_config *c, const struct value *v, struct err *e)
{
    struct value *input;
    const char *order;
    int n;

    if (value_get_object(v, "input", &input, e) || value_get_string(input, "order", &order, e) ||
        get_reals(input, "mean", 3, 3, -1e4, 1e4, c->mean, &n, e) ||
        get_reals(input, "scale", 3, 3, 1e-6, 1e4, c->scale, &n, e) ||
        get_int(input, "short_side", SIDE_LEAST, SIDE_MOST, &c->short_side, e) ||
        get_int(input, "long_side", SIDE_LEAST, SIDE_MOST, &c->long_side, e))
        return -1;
    if (value_opt_bool(input, "exact_scale", &c->is_exact_scale, e)) return -1;
    c->is_bgr = !strcmp(order, "bgr");
    if (!c->is_bgr && strcmp(order, "rgb"))
        return err_set(e, ERR_INPUT, "\"order\" is %s (\"rgb\" or \"bgr\")", err_quote(order));
    return 0;
}

static int read_backbone(struct detect_config *c, const struct value *v, struct err *e)
{
    struct value *stem, *stages, *head;

    if (value_get_object(v, "stem", &stem, e) || get_int(stem, "kernel", 1, 15, &c->stem_kernel, e) ||
        get_int(stem, "stride", 1, 4, &c->stem_stride, e) || get_int(stem, "channels", 1, 1024, &c->stem_channels, e) ||
        get_int(stem, "pool_kernel", 0, 7, &c->pool_kernel, e) ||
        get_int(stem, "pool_stride", 1, 4, &c->pool_stride, e) || get_int(stem, "pool_pad", 0, 3, &c->pool_pad, e) ||
        value_get_bool(stem, "pool_ceil", &c->pool_ceil, e) || get_int(v, "groups", 0, 256, &c->groups, e) ||
        value_get_array(v, "stages", &stages, e) || value_get_object(v, "head", &head, e))
        return -1;
    if (value_count(stages) < 1 || value_count(stages) > STAGES_MAX)
        return err_set(e, ERR_INPUT, "%d stages (1 to %d)", (int)value_count(stages), STAGES_MAX);
    c->n_stages = (int)value_count(stages);
    for (int i = 0; i < c->n_stages; i++) {
        if (read_stage(&c->stages[i], value_at(stages, i), e)) return err_in(e, "stage %d", i + 1);
    }
    return read_stage(&c->head, head, e) ? err_in(e, "head") : 0;
}

static int read_anchor_boxes(struct detect_config *c, const struct value *anchors, struct err *e)
{
    const struct value *boxes = value_get(anchors, "boxes");
    struct value *holder = value_object();
    int rc = 0, n;

    if (value_count(boxes) > ANCHOR_BOXES_MAX)
        rc = err_set(e, ERR_INPUT, "%d anchors (at most %d)", (int)value_count(boxes), ANCHOR_BOXES_MAX);
    for (int64_t i = 0; i < value_count(boxes) && !rc; i++) {
        value_set(holder, "boxes", value_copy(value_at(boxes, i)));
        rc = get_reals(holder, "boxes", 4, 4, -1e5, 1e5, c->anchor_boxes[i], &n, e);
        const float *b = c->anchor_boxes[i];
        if (!rc && !(b[2] > b[0] && b[3] > b[1])) rc = err_set(e, ERR_INPUT, "an empty anchor");
        c->n_anchor_boxes = (int)i + 1;
    }
    value_free(holder);
    return rc;
}

static int read_samples(struct detect_config *c, const struct value *r, struct err *e)
{
    int64_t samples = 0;

    if (value_opt_int(r, "roi_samples", 0, 16, &samples, e)) return -1;
    c->roi_samples = (int)samples;
    return 0;
}

static int read_regions(struct detect_config *c, const struct value *v, struct err *e)
{
    struct value *a, *r;

    if (value_get_object(v, "anchors", &a, e) || value_get_bool(a, "caffe", &c->anchors_caffe, e) ||
        get_reals(a, "scales", 1, ANCHOR_SCALES_MAX, 1, 1e4, c->scales, &c->n_scales, e) ||
        get_reals(a, "ratios", 1, ANCHOR_RATIOS_MAX, 0.01, 100, c->ratios, &c->n_ratios, e) ||
        value_get_object(v, "regions", &r, e) || get_int(r, "rpn_channels", 1, 4096, &c->rpn_channels, e) ||
        get_int(r, "pre_nms", 1, 1 << 20, &c->pre_nms, e) || get_int(r, "post_nms", 1, 10000, &c->post_nms, e) ||
        get_real(r, "rpn_nms", 0, 1, &c->rpn_nms, e) || get_real(r, "min_side", 0, 4096, &c->min_side, e) ||
        get_int(r, "roi_size", 1, 64, &c->roi_size, e) || value_get_bool(r, "roi_align", &c->roi_align, e) ||
        value_get_bool(r, "boxes_per_class", &c->boxes_per_class, e) ||
        get_int(r, "attribute_hidden", 0, 4096, &c->attribute_hidden, e) ||
        value_opt_bool(r, "roi_unaligned", &c->roi_unaligned, e) || read_samples(c, r, e) ||
        value_opt_bool(r, "min_side_of_picture", &c->min_side_of_picture, e) ||
        value_opt_bool(r, "attribute_of_background", &c->attribute_of_background, e) || read_anchor_boxes(c, a, e))
        return -1;
    return get_names(v, "classes", &c->classes, e) || get_names(v, "attributes", &c->attributes, e) ? -1 : 0;
}

static int64_t stage_parameters(const struct stage_config *s, int64_t in)
{
    int64_t width = s->width, out = s->channels, wide = 9 * width * (width / (s->cardinality ? s->cardinality : 1)),
            rest = 2 * width * out + wide;

    return in * width + wide + width * out + in * out + (s->blocks - 1) * rest;
}

int64_t detect_config_parameters(const struct detect_config *c)
{
    int64_t in = c->stem_channels, n = 3 * in * c->stem_kernel * c->stem_kernel,
            anchors = c->n_anchor_boxes ? c->n_anchor_boxes : c->n_scales * c->n_ratios, classes = c->classes.n;

    for (int i = 0; i < c->n_stages; in = c->stages[i++].channels) n += stage_parameters(&c->stages[i], in);
    n += 9 * in * c->rpn_channels + 5 * anchors * c->rpn_channels + stage_parameters(&c->head, in);
    n += c->head.channels * (classes + 4 * (c->boxes_per_class ? classes : 1));
    return n + (int64_t)c->attribute_hidden * (c->head.channels + classes + c->attributes.n);
}

static int check_stage(const struct stage_config *s, int groups, struct err *e)
{
    if (s->cardinality > 1 && s->width % s->cardinality)
        return err_set(e, ERR_INPUT, "width %d is not a multiple of \"cardinality\" %d", s->width, s->cardinality);
    if (!groups || (s->width % groups == 0 && s->channels % groups == 0)) return 0;
    return err_set(e, ERR_INPUT, "width %d and channels %d are not multiples of %d groups", s->width, s->channels,
                   groups);
}

int detect_config_check(const struct detect_config *c, struct err *e)
{
    if (c->long_side < c->short_side)
        return err_set(e, ERR_INPUT, "\"long_side\" %d is less than \"short_side\" %d", c->long_side, c->short_side);
    if (c->pool_kernel && 2 * c->pool_pad > c->pool_kernel)
        return err_set(e, ERR_INPUT, "\"pool_pad\" is %d (at most half of \"pool_kernel\", %d)", c->pool_pad,
                       c->pool_kernel);
    if (c->groups && c->stem_channels % c->groups)
        return err_set(e, ERR_INPUT, "stem: %d channels are not a multiple of %d groups", c->stem_channels, c->groups);
    for (int i = 0; i < c->n_stages; i++) {
        if (check_stage(&c->stages[i], c->groups, e)) return err_in(e, "stage %d", i + 1);
    }
    if (check_stage(&c->head, c->groups, e)) return err_in(e, "head");
    if (c->classes.n < 2) return err_set(e, ERR_INPUT, "\"classes\" has no name but the background's");
    if (detect_config_parameters(c) > DETECT_PARAMETERS_MAX)
        return err_set(e, ERR_INPUT, "more than %lld parameters", DETECT_PARAMETERS_MAX);
    return 0;
}

int detect_config_read(struct detect_config *c, const struct value *v, struct err *e)
{
    const char *type;

    *c = (struct detect_config){ 0 };
    if (value_get_string(v, "model_type", &type, e)) return -1;
    if (strcmp(type, "unimo-detector"))
        return err_set(e, ERR_INPUT, "\"model_type\" is %s (\"unimo-detector\" was expected)", err_quote(type));
    if (!read_input(c, v, e) && !read_backbone(c, v, e) && !read_regions(c, v, e) && !detect_config_check(c, e))
        return 0;
    detect_config_release(c);
    return -1;
}

int detect_config_load(struct detect_config *c, const char *path, struct err *e)
{
    struct value *v = value_load(path, e);
    int rc = v ? detect_config_read(c, v, e) : -1;

    if (v && rc) err_in(e, "%s", path);
    value_free(v);
    return rc;
}

static struct value *print_stage(const struct stage_config *s)
{
    struct value *v = value_object();

    value_set(v, "blocks", value_int(s->blocks));
    value_set(v, "width", value_int(s->width));
    value_set(v, "channels", value_int(s->channels));
    value_set(v, "stride", value_int(s->stride));
    value_set(v, "dilation", value_int(s->dilation));
    value_set(v, "stride_in_1x1", value_bool(s->stride_in_1x1));
    if (s->cardinality > 1) value_set(v, "cardinality", value_int(s->cardinality));
    return v;
}

static struct value *print_names(const struct names *n)
{
    struct value *v = value_array();

    for (int i = 0; i < n->n; i++) value_push(v, value_str(n->at[i]));
    return v;
}

static struct value *print_input(const struct detect_config *c)
{
    struct value *v = value_object();

    value_set(v, "order", value_str(c->is_bgr ? "bgr" : "rgb"));
    value_set(v, "mean", value_reals(c->mean, 3));
    value_set(v, "scale", value_reals(c->scale, 3));
    value_set(v, "short_side", value_int(c->short_side));
    value_set(v, "long_side", value_int(c->long_side));
    if (c->is_exact_scale) value_set(v, "exact_scale", value_bool(true));
    return v;
}

static struct value *print_stem(const struct detect_config *c)
{
    struct value *v = value_object();

    value_set(v, "kernel", value_int(c->stem_kernel));
    value_set(v, "stride", value_int(c->stem_stride));
    value_set(v, "channels", value_int(c->stem_channels));
    value_set(v, "pool_kernel", value_int(c->pool_kernel));
    value_set(v, "pool_stride", value_int(c->pool_stride));
    value_set(v, "pool_pad", value_int(c->pool_pad));
    value_set(v, "pool_ceil", value_bool(c->pool_ceil));
    return v;
}

static struct value *print_anchors(const struct detect_config *c)
{
    struct value *v = value_object();

    value_set(v, "caffe", value_bool(c->anchors_caffe));
    value_set(v, "scales", value_reals(c->scales, c->n_scales));
    value_set(v, "ratios", value_reals(c->ratios, c->n_ratios));
    if (c->n_anchor_boxes) {
        struct value *boxes = value_array();
        for (int i = 0; i < c->n_anchor_boxes; i++) value_push(boxes, value_reals(c->anchor_boxes[i], 4));
        value_set(v, "boxes", boxes);
    }
    return v;
}

static struct value *print_regions(const struct detect_config *c)
{
    struct value *v = value_object();

    value_set(v, "rpn_channels", value_int(c->rpn_channels));
    value_set(v, "pre_nms", value_int(c->pre_nms));
    value_set(v, "post_nms", value_int(c->post_nms));
    value_set(v, "rpn_nms", value_real(c->rpn_nms));
    value_set(v, "min_side", value_real(c->min_side));
    value_set(v, "roi_size", value_int(c->roi_size));
    value_set(v, "roi_align", value_bool(c->roi_align));
    if (c->roi_unaligned) value_set(v, "roi_unaligned", value_bool(true));
    if (c->roi_samples) value_set(v, "roi_samples", value_int(c->roi_samples));
    value_set(v, "boxes_per_class", value_bool(c->boxes_per_class));
    value_set(v, "attribute_hidden", value_int(c->attribute_hidden));
    if (c->min_side_of_picture) value_set(v, "min_side_of_picture", value_bool(true));
    if (c->attribute_of_background) value_set(v, "attribute_of_background", value_bool(true));
    return v;
}

struct value *detect_config_print(const struct detect_config *c)
{
    struct value *v = value_object(), *stages = value_array();

    for (int i = 0; i < c->n_stages; i++) value_push(stages, print_stage(&c->stages[i]));
    value_set(v, "model_type", value_str("unimo-detector"));
    value_set(v, "input", print_input(c));
    value_set(v, "stem", print_stem(c));
    value_set(v, "groups", value_int(c->groups));
    value_set(v, "stages", stages);
    value_set(v, "head", print_stage(&c->head));
    value_set(v, "anchors", print_anchors(c));
    value_set(v, "regions", print_regions(c));
    value_set(v, "classes", print_names(&c->classes));
    value_set(v, "attributes", print_names(&c->attributes));
    return v;
}

/* Small enough for a CPU: stride 8, so that small objects keep a few cells; widths are multiples of 16 for the vector
 * units. */
void detect_config_small(struct detect_config *c)
{
    *c = (struct detect_config){
        .mean = { 128, 128, 128 },
        .scale = { 1 / 64.0f, 1 / 64.0f, 1 / 64.0f },
        .short_side = 192,
        .long_side = 256,
        .stem_kernel = 3,
        .stem_stride = 2,
        .stem_channels = 32,
        .pool_kernel = 3,
        .pool_stride = 2,
        .pool_pad = 1,
        .groups = 8,
        .n_stages = 3,
        .stages = { { 1, 32, 96, 1, 1, false }, { 2, 48, 192, 2, 1, false }, { 2, 64, 256, 1, 1, false } },
        .head = { 2, 64, 256, 1, 1, false },
        .n_scales = 3,
        .scales = { 40, 62, 94 },
        .n_ratios = 3,
        .ratios = { 0.7f, 1, 1.4f },
        .rpn_channels = 64,
        .pre_nms = 400,
        .post_nms = 48,
        .rpn_nms = 0.7f,
        .min_side = 6,
        .roi_size = 7,
        .attribute_hidden = 64
    };
}

void detect_config_anchors(struct detect_config *c)
{
    float last = c->scales[c->n_scales - 1];

    while (c->n_scales < ANCHOR_SCALES_MAX && 2 * last <= (float)c->short_side / 2)
        c->scales[c->n_scales++] = last *= 2;
}

void detect_config_field(struct detect_config *c, int layers)
{
    *c = (struct detect_config){ .is_bgr = true,
                                 .mean = { 102.9801f, 115.9465f, 122.7717f },
                                 .scale = { 1, 1, 1 },
                                 .is_exact_scale = true,
                                 .short_side = 600,
                                 .long_side = 1000,
                                 .stem_kernel = 7,
                                 .stem_stride = 2,
                                 .stem_channels = 64,
                                 .pool_kernel = 3,
                                 .pool_stride = 2,
                                 .pool_ceil = true,
                                 .n_stages = 3,
                                 .stages = { { 3, 64, 256, 1, 1, true },
                                             { layers < 152 ? 4 : 8, 128, 512, 2, 1, true },
                                             { layers < 101   ? 6
                                               : layers < 152 ? 23
                                                              : 36,
                                               256, 1024, 2, 1, true } },
                                 .head = { 3, 512, 2048, 1, 2, true },
                                 .anchors_caffe = true,
                                 .n_scales = 4,
                                 .scales = { 64, 128, 256, 512 },
                                 .n_ratios = 3,
                                 .ratios = { 0.5f, 1, 2 },
                                 .rpn_channels = 512,
                                 .pre_nms = 6000,
                                 .post_nms = 300,
                                 .rpn_nms = 0.7f,
                                 .min_side = 16,
                                 .min_side_of_picture = true,
                                 .roi_size = 14,
                                 .boxes_per_class = true,
                                 .attribute_hidden = 512,
                                 .attribute_of_background = true };
}

void names_add(struct names *n, const char *name)
{
    int64_t cap = n->n;

    mem_reserve(&n->at, &cap, n->n + 1);
    n->at[n->n++] = mem_strdup(name);
}

int names_find(const struct names *n, const char *name)
{
    for (int i = 0; i < n->n; i++) {
        if (!strcmp(n->at[i], name)) return i;
    }
    return -1;
}

static void names_release(struct names *n)
{
    for (int i = 0; i < n->n; i++) free(n->at[i]);
    free(n->at);
    *n = (struct names){ 0 };
}

void detect_config_release(struct detect_config *c)
{
    names_release(&c->classes);
    names_release(&c->attributes);
}

int detect_stride(const struct detect_config *c)
{
    int stride = c->stem_stride * (c->pool_kernel ? c->pool_stride : 1);

    for (int i = 0; i < c->n_stages; i++) stride *= c->stages[i].stride;
    return stride;
}
