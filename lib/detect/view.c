#include "detect/view.h"
#include "core/file.h"
#include "core/mem.h"
#include "image/jpeg.h"
#include "image/resize.h"
#include <math.h>
#include <stdlib.h>

/* The factor that sides are multiplied by. The release rounds before it compares with the long side. */
static double factor(const struct detect_config *c, int width, int height)
{
    int small = width < height ? width : height, large = width < height ? height : width;
    double by_short = (double)c->short_side / small, length = by_short * large;

    return (c->is_exact_scale ? rint(length) : length) > c->long_side ? (double)c->long_side / large : by_short;
}

/* A side of the input, and its scale. OpenCV, which the release resizes with, rounds halves to the even side, and its
 * pixels are 1/factor apart; the ports round halves up, and stretch the picture to what comes out. */
static int input_side(const struct detect_config *c, int side, double by, float *scale)
{
    double length = side * by;
    int n = (int)fmax(c->is_exact_scale ? rint(length) : floor(length + 0.5), INPUT_SIDE_MIN);

    *scale = (float)(c->is_exact_scale ? fmax(by, INPUT_SIDE_MIN / (double)side) : n / (double)side);
    return n;
}

void view_size(const struct detect_config *c, int width, int height, int *w, int *h, float scale[2])
{
    double by = factor(c, width, height);

    *w = input_side(c, width, by, &scale[0]);
    *h = input_side(c, height, by, &scale[1]);
}

/* Pixels of m from one input pixel to the next: m is `part` times smaller than the picture, but for rounding up. */
static float step(const struct detect_config *c, float scale, int whole, int input, int of_m)
{
    int part = (int)lround((double)whole / of_m);

    return (c->is_exact_scale ? 1 / scale : (float)whole / (float)input) / (float)(part > 1 ? part : 1);
}

void view_make(struct view *v, const struct detect_config *c, const struct image *m, int width, int height)
{
    *v = (struct view){ .width = width, .height = height };
    view_size(c, width, height, &v->input_width, &v->input_height, v->scale);
    int64_t pixels = (int64_t)v->input_width * v->input_height;
    v->pixels = mem_new(float, 3 * pixels);
    resize_bilinear(v->pixels, v->input_width, v->input_height, m,
                    step(c, v->scale[0], width, v->input_width, m->width),
                    step(c, v->scale[1], height, v->input_height, m->height));
    for (float *p = v->pixels, *end = p + 3 * pixels; p < end; p += 3) {
        const float rgb[3] = { p[0], p[1], p[2] };
        for (int x = 0; x < 3; x++) p[x] = (rgb[c->is_bgr ? 2 - x : x] - c->mean[x]) * c->scale[x];
    }
}

static int part_of(const struct detect_config *c, int width, int height)
{
    int w, h, part = 8;
    float scale[2];

    view_size(c, width, height, &w, &h, scale);
    while (part > 1 && (width / part < w || height / part < h)) part /= 2;
    return part;
}

static int decode(struct view *v, const struct detect_config *c, const uint8_t *data, size_t n, bool shrinks,
                  struct budget *memory, struct err *e)
{
    int width, height, part;
    struct image m;

    if (jpeg_size(data, n, &width, &height, e)) return -1;
    part = shrinks ? part_of(c, width, height) : 1;
    int64_t bytes = jpeg_memory(data, n, width, height, part);
    if (memory) budget_take(memory, bytes);
    int rc = jpeg_decode_part(&m, data, n, part, e);
    if (!rc) view_make(v, c, &m, width, height);
    image_release(&m);
    if (memory) budget_give(memory, bytes);
    return rc;
}

int view_load(struct view *v, const struct detect_config *c, const char *path, bool shrinks, struct budget *memory,
              struct err *e)
{
    size_t n;
    char *data = file_load(path, JPEG_FILE_MAX, &n, e);
    int rc = data ? decode(v, c, (const uint8_t *)data, n, shrinks, memory, e) : -1;

    if (data && rc) err_in(e, "%s", path);
    free(data);
    return rc;
}

void view_release(struct view *v)
{
    free(v->pixels);
    *v = (struct view){ 0 };
}
