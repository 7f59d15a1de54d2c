#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

/* Cells [*from, *to) of the map that bin i of n covers: Caffe's rounding of the RoI's two edges on one axis. */
static void bin(double low, double high, double scale, int64_t i, int64_t n, int64_t limit, int64_t *from, int64_t *to)
{
    double start = round(low * scale), extent = fmax(round(high * scale) - start + 1, 1);

    *from = (int64_t)(floor((double)i * extent / (double)n) + start);
    *to = (int64_t)(ceil((double)(i + 1) * extent / (double)n) + start);
    *from = *from < 0 ? 0 : *from > limit ? limit : *from;
    *to = *to < 0 ? 0 : *to > limit ? limit : *to;
}

int cpu_roi_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, struct tensor rois,
                         float spatial_scale)
{
    int64_t c = x.shape[3], h = x.shape[1], w = x.shape[2];

    for (int64_t o = 0; o < y.n; o++) {
        const float *roi = f32(rois) + o / (y.shape[1] * y.shape[2] * c) * 5;
        int64_t base = (int64_t)roi[0] * h * w * c, best = -1, y0, y1, x0, x1;
        bin(roi[2], roi[4], spatial_scale, o / (y.shape[2] * c) % y.shape[1], y.shape[1], h, &y0, &y1);
        bin(roi[1], roi[3], spatial_scale, o / c % y.shape[2], y.shape[2], w, &x0, &x1);
        for (int64_t iy = y0; iy < y1; iy++) {
            for (int64_t ix = x0; ix < x1; ix++) {
                int64_t at = (iy * w + ix) * c + o % c;
                if (best < 0 || get(x, base + at) > get(x, base + best)) best = at;
            }
        }
        put(y, o, best < 0 ? 0 : get(x, base + best));
        if (arg.data) i32(arg)[o] = (int32_t)best;
    }
    return 0;
}

int cpu_roi_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, struct tensor rois)
{
    int64_t image = dx.shape[0] ? dx.n / dx.shape[0] : 0, each = dy.shape[0] ? dy.n / dy.shape[0] : 1;

    cpu_fill(d, dx, 0);
    for (int64_t o = 0; o < dy.n; o++) {
        int64_t to = (int64_t)f32(rois)[o / each * 5] * image + i32(arg)[o];
        if (i32(arg)[o] >= 0) put(dx, to, get(dx, to) + get(dy, o));
    }
    return 0;
}

/* Bilinear value of channel ch at (y, x); outside by more than one cell it is 0. */
static double sample(struct tensor m, int64_t base, double y, double x, int64_t ch)
{
    int64_t h = m.shape[1], w = m.shape[2], c = m.shape[3];

    if (y < -1 || y > (double)h || x < -1 || x > (double)w) return 0;
    y = fmin(fmax(y, 0), (double)(h - 1));
    x = fmin(fmax(x, 0), (double)(w - 1));
    int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1 < h ? y0 + 1 : y0, x1 = x0 + 1 < w ? x0 + 1 : x0;
    double fy = y - (double)y0, fx = x - (double)x0;
    return (1 - fy) * ((1 - fx) * get(m, base + (y0 * w + x0) * c + ch) + fx * get(m, base + (y0 * w + x1) * c + ch)) +
           fy * ((1 - fx) * get(m, base + (y1 * w + x0) * c + ch) + fx * get(m, base + (y1 * w + x1) * c + ch));
}

int cpu_roi_align_forward(struct device *d, struct tensor y, struct tensor x, struct tensor rois, float spatial_scale,
                          int samples)
{
    int64_t c = x.shape[3];

    for (int64_t o = 0; o < y.n; o++) {
        const float *roi = f32(rois) + o / (y.shape[1] * y.shape[2] * c) * 5;
        double left = roi[1] * (double)spatial_scale - 0.5, top = roi[2] * (double)spatial_scale - 0.5;
        double width = ((double)roi[3] - roi[1]) * spatial_scale / (double)y.shape[2];
        double height = ((double)roi[4] - roi[2]) * spatial_scale / (double)y.shape[1];
        int64_t ny = samples > 0 ? samples : (int64_t)fmax(ceil(height), 1),
                nx = samples > 0 ? samples : (int64_t)fmax(ceil(width), 1);
        int64_t row = o / (y.shape[2] * c) % y.shape[1], column = o / c % y.shape[2];
        double sum = 0;
        for (int64_t k = 0; k < ny * nx; k++) {
            double sy = top + ((double)row + ((double)(k / nx) + 0.5) / (double)ny) * height;
            double sx = left + ((double)column + ((double)(k % nx) + 0.5) / (double)nx) * width;
            sum += sample(x, (int64_t)roi[0] * x.shape[1] * x.shape[2] * c, sy, sx, o % c);
        }
        put(y, o, sum / (double)(ny * nx));
    }
    return 0;
}
