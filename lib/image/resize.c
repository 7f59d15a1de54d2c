#include "image/resize.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>

/* The two source cells around the centre of an output cell, and the weight of the second. */
struct pair {
    int low, high;
    float weight;
};

static struct pair neighbours(int i, int n_in, float step)
{
    float at = fmaxf(((float)i + 0.5f) * step - 0.5f, 0);
    struct pair p = { .low = at < (float)n_in ? (int)at : n_in - 1 };

    p.high = p.low + 1 < n_in ? p.low + 1 : p.low;
    p.weight = fminf(at - (float)p.low, 1);
    return p;
}

void resize_bilinear(float *out, int width, int height, const struct image *m, float step_x, float step_y)
{
    struct pair *columns = mem_new(struct pair, width);

    if (!(step_x > 0)) step_x = (float)m->width / (float)width;
    if (!(step_y > 0)) step_y = (float)m->height / (float)height;
    for (int x = 0; x < width; x++) columns[x] = neighbours(x, m->width, step_x);
    for (int y = 0; y < height; y++) {
        struct pair rows = neighbours(y, m->height, step_y);
        const uint8_t *top = m->rgb + (size_t)rows.low * (size_t)m->width * 3,
                      *bottom = m->rgb + (size_t)rows.high * (size_t)m->width * 3;
        for (int x = 0; x < width; x++) {
            const uint8_t *p = top + 3 * columns[x].low, *q = top + 3 * columns[x].high,
                          *r = bottom + 3 * columns[x].low, *s = bottom + 3 * columns[x].high;
            for (int c = 0; c < 3; c++) {
                float a = (float)p[c] + columns[x].weight * (float)(q[c] - p[c]);
                float b = (float)r[c] + columns[x].weight * (float)(s[c] - r[c]);
                *out++ = a + rows.weight * (b - a);
            }
        }
    }
    free(columns);
}

/* The span of source cells that output cell i covers: at least one cell wide, so that enlarging interpolates. */
static void span(int i, int n_out, int n_in, double *from, double *to)
{
    double scale = (double)n_in / n_out, centre = (i + 0.5) * scale, half = scale > 1 ? scale / 2 : 0.5;

    *from = fmax(centre - half, 0);
    *to = fmin(centre + half, n_in);
}

void resize_rgba(uint8_t *out, int width, int height, const uint8_t *in, int in_width, int in_height)
{
    for (int y = 0; y < height; y++) {
        double y0, y1, x0, x1;
        span(y, height, in_height, &y0, &y1);
        for (int x = 0; x < width; x++, out += 4) {
            double colour[3] = { 0 }, alpha = 0, area = 0;
            span(x, width, in_width, &x0, &x1);
            for (int sy = (int)y0; sy < in_height && sy < y1; sy++) {
                for (int sx = (int)x0; sx < in_width && sx < x1; sx++) {
                    double part = (fmin(sy + 1, y1) - fmax(sy, y0)) * (fmin(sx + 1, x1) - fmax(sx, x0));
                    const uint8_t *p = in + ((size_t)sy * (size_t)in_width + (size_t)sx) * 4;
                    for (int c = 0; c < 3; c++) colour[c] += part * p[3] * p[c];
                    alpha += part * p[3];
                    area += part;
                }
            }
            for (int c = 0; c < 3; c++) out[c] = (uint8_t)(alpha > 0 ? colour[c] / alpha + 0.5 : 0);
            out[3] = (uint8_t)(area > 0 ? alpha / area + 0.5 : 0);
        }
    }
}
