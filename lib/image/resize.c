#include "image/resize.h"
#include <math.h>

/* The two source cells around the centre of output cell i, and the weight of the second. */
static void neighbours(int i, int n_out, int n_in, int *low, int *high, float *weight)
{
    float at = ((float)i + 0.5f) * ((float)n_in / (float)n_out) - 0.5f;

    if (at < 0) at = 0;
    *low = (int)at;
    if (*low > n_in - 1) *low = n_in - 1;
    *high = *low + 1 < n_in ? *low + 1 : *low;
    *weight = at - (float)*low;
}

void resize_bilinear(float *out, int width, int height, const struct image *m)
{
    for (int y = 0; y < height; y++) {
        int y0, y1, x0, x1;
        float fy, fx;
        neighbours(y, height, m->height, &y0, &y1, &fy);
        const uint8_t *top = m->rgb + (size_t)y0 * (size_t)m->width * 3,
                      *bottom = m->rgb + (size_t)y1 * (size_t)m->width * 3;
        for (int x = 0; x < width; x++) {
            neighbours(x, width, m->width, &x0, &x1, &fx);
            for (int c = 0; c < 3; c++) {
                float a = (float)top[3 * x0 + c] + fx * (float)(top[3 * x1 + c] - top[3 * x0 + c]);
                float b = (float)bottom[3 * x0 + c] + fx * (float)(bottom[3 * x1 + c] - bottom[3 * x0 + c]);
                *out++ = a + fy * (b - a);
            }
        }
    }
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
