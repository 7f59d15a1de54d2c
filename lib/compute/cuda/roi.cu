/* Regions of interest: a thread an output element, neighbours in a warp are neighbouring channels. Positions are
 * computed in double, as on the CPU, so that both round an edge to the same cell. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256 };

struct roi_in {
    struct array y, x;
    int32_t *arg; /* or NULL */
    const float *rois;
    int64_t rows, columns, h, w, c, n; /* of y's bins; of x */
    float scale;
    int samples;
};

static __device__ inline double within(double v, double low, double high)
{
    return fmin(fmax(v, low), high);
}

/* Cells [*from, *to) of bin i of n on one axis: Caffe's rounding of the RoI's two edges. */
static __device__ inline void bin(double low, double high, double scale, int64_t i, int64_t n, int64_t limit,
                                  int64_t *from, int64_t *to)
{
    double start = round(low * scale), extent = fmax(round(high * scale) - start + 1, 1.0);

    *from = (int64_t)within(floor(i * extent / n) + start, 0, (double)limit);
    *to = (int64_t)within(ceil((i + 1) * extent / n) + start, 0, (double)limit);
}

static __global__ void roi_pool(struct roi_in p)
{
    int64_t o = blockIdx.x * (int64_t)THREADS + threadIdx.x, y0, y1, x0, x1, best = -1;

    if (o >= p.n) return;
    const float *roi = p.rois + o / (p.rows * p.columns * p.c) * 5;
    int64_t base = (int64_t)roi[0] * p.h * p.w * p.c;
    float most = 0;
    bin(roi[2], roi[4], p.scale, o / (p.columns * p.c) % p.rows, p.rows, p.h, &y0, &y1);
    bin(roi[1], roi[3], p.scale, o / p.c % p.columns, p.columns, p.w, &x0, &x1);
    for (int64_t iy = y0; iy < y1; iy++) {
        for (int64_t ix = x0; ix < x1; ix++) {
            int64_t at = (iy * p.w + ix) * p.c + o % p.c;
            float v = get(p.x, base + at);
            if (best < 0 || v > most) best = at, most = v;
        }
    }
    put(p.y, o, most);
    if (p.arg) p.arg[o] = (int32_t)best;
}

int cuda_roi_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, struct tensor rois,
                          float spatial_scale)
{
    return launch(d, "roi_pool_forward", roi_pool, pieces(y.n, THREADS), THREADS, 0,
                  roi_in{ array_of(y), array_of(x), i32(arg), f32(rois), y.shape[1], y.shape[2], x.shape[1], x.shape[2],
                          x.shape[3], y.n, spatial_scale, 0 });
}

/* A block has one image's channels of a stretch of 256; it walks the image's bins in order, so that every cell has one
 * writer. dx is zero before. Training a detector has a few hundred RoIs an image. */
static __global__ void roi_pool_slope(struct array dx, struct array dy, const int32_t *arg, const float *rois,
                                      int64_t n_rois, int64_t bins, int64_t image, int64_t c)
{
    int64_t ch = blockIdx.x * (int64_t)THREADS + threadIdx.x, base = blockIdx.y * image;

    if (ch >= c) return;
    for (int64_t r = 0; r < n_rois; r++) {
        if ((int64_t)rois[5 * r] != blockIdx.y) continue;
        for (int64_t b = 0; b < bins; b++) {
            int64_t o = (r * bins + b) * c + ch;
            if (arg[o] >= 0) put(dx, base + arg[o], get(dx, base + arg[o]) + get(dy, o));
        }
    }
}

int cuda_roi_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, struct tensor rois)
{
    int64_t c = dx.shape[3], n = dy.shape[0];

    if (cuda_fill(d, dx, 0) || !n) return d->why[0] ? -1 : 0;
    return launch(d, "roi_pool_backward", roi_pool_slope, dim3(pieces(c, THREADS), (unsigned)dx.shape[0]), THREADS, 0,
                  array_of(dx), array_of(dy), (const int32_t *)i32(arg), (const float *)f32(rois), n, dy.n / n / c,
                  dx.n / dx.shape[0], c);
}

/* Bilinear value of channel ch at (y, x); outside by more than one cell it is 0. */
static __device__ inline double sample(const struct roi_in &p, int64_t base, double y, double x, int64_t ch)
{
    if (y < -1 || y > (double)p.h || x < -1 || x > (double)p.w) return 0;
    y = within(y, 0, (double)(p.h - 1));
    x = within(x, 0, (double)(p.w - 1));
    int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1 < p.h ? y0 + 1 : y0, x1 = x0 + 1 < p.w ? x0 + 1 : x0;
    double fy = y - (double)y0, fx = x - (double)x0;
    double a = get(p.x, base + (y0 * p.w + x0) * p.c + ch), b = get(p.x, base + (y0 * p.w + x1) * p.c + ch);
    double c = get(p.x, base + (y1 * p.w + x0) * p.c + ch), e = get(p.x, base + (y1 * p.w + x1) * p.c + ch);
    return (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * e);
}

static __global__ void roi_align(struct roi_in p)
{
    int64_t o = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (o >= p.n) return;
    const float *roi = p.rois + o / (p.rows * p.columns * p.c) * 5;
    double left = roi[1] * (double)p.scale - 0.5, top = roi[2] * (double)p.scale - 0.5;
    double width = ((double)roi[3] - roi[1]) * p.scale / p.columns,
           height = ((double)roi[4] - roi[2]) * p.scale / p.rows;
    int64_t ny = p.samples > 0 ? p.samples : (int64_t)fmax(ceil(height), 1.0),
            nx = p.samples > 0 ? p.samples : (int64_t)fmax(ceil(width), 1.0);
    int64_t row = o / (p.columns * p.c) % p.rows, column = o / p.c % p.columns;
    double sum = 0;
    for (int64_t k = 0; k < ny * nx; k++) {
        double sy = top + (row + (k / nx + 0.5) / ny) * height, sx = left + (column + (k % nx + 0.5) / nx) * width;
        sum += sample(p, (int64_t)roi[0] * p.h * p.w * p.c, sy, sx, o % p.c);
    }
    put(p.y, o, (float)(sum / (ny * nx)));
}

int cuda_roi_align_forward(struct device *d, struct tensor y, struct tensor x, struct tensor rois, float spatial_scale,
                           int samples)
{
    return launch(d, "roi_align_forward", roi_align, pieces(y.n, THREADS), THREADS, 0,
                  roi_in{ array_of(y), array_of(x), NULL, f32(rois), y.shape[1], y.shape[2], x.shape[1], x.shape[2],
                          x.shape[3], y.n, spatial_scale, samples });
}
