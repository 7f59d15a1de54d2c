/* Pooling over NHWC maps: a thread an output element (forward) or an input element (backward, which gathers, so that
 * nothing needs an order); neighbours in a warp are neighbouring channels. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256 };

struct map {
    int64_t h, w, c;
};
static inline struct map map_of(struct tensor x)
{
    return map{ x.shape[1], x.shape[2], x.shape[3] };
}

static __global__ void max_pool(struct array y, int32_t *arg, struct array x, struct map out, struct map in, int64_t n,
                                int k, int stride, int pad)
{
    int64_t o = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (o >= n) return;
    int64_t p = o / out.c, base = p / (out.h * out.w) * in.h * in.w * in.c;
    int64_t y0 = p / out.w % out.h * stride - pad, x0 = p % out.w * stride - pad, best = -1;
    float most = 0;
    for (int64_t iy = y0 < 0 ? 0 : y0; iy < y0 + k && iy < in.h; iy++) {
        for (int64_t ix = x0 < 0 ? 0 : x0; ix < x0 + k && ix < in.w; ix++) {
            int64_t at = (iy * in.w + ix) * in.c + o % out.c;
            float v = get(x, base + at);
            if (best < 0 || v > most) best = at, most = v;
        }
    }
    put(y, o, most);
    if (arg) arg[o] = (int32_t)best;
}

int cuda_max_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, int k, int stride,
                          int pad)
{
    return launch(d, "max_pool_forward", max_pool, pieces(y.n, THREADS), THREADS, 0, array_of(y), i32(arg), array_of(x),
                  map_of(y), map_of(x), y.n, k, stride, pad);
}

/* dx[i] = sum of dy over the outputs that chose i, among those whose windows hold it, in order. */
static __global__ void max_pool_slope(struct array dx, struct array dy, const int32_t *arg, struct map out,
                                      struct map in, int64_t n, int k, int stride, int pad)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i >= n) return;
    int64_t at = i % (in.h * in.w * in.c), base = i / (in.h * in.w * in.c) * out.h * out.w * out.c;
    int64_t y = at / in.c / in.w + pad,
            x = at / in.c % in.w + pad; /* the first window that holds y begins after y - k */
    float sum = 0;
    for (int64_t oy = y < k ? 0 : (y - k) / stride + 1; oy <= y / stride && oy < out.h; oy++) {
        for (int64_t ox = x < k ? 0 : (x - k) / stride + 1; ox <= x / stride && ox < out.w; ox++) {
            int64_t o = base + (oy * out.w + ox) * out.c + at % in.c;
            if (arg[o] == at) sum += get(dy, o);
        }
    }
    put(dx, i, sum);
}

int cuda_max_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, int k, int stride,
                           int pad)
{
    return launch(d, "max_pool_backward", max_pool_slope, pieces(dx.n, THREADS), THREADS, 0, array_of(dx), array_of(dy),
                  (const int32_t *)i32(arg), map_of(dy), map_of(dx), dx.n, k, stride, pad);
}

static __global__ void mean_pool(struct array y, struct array x, int64_t area, int64_t c, int64_t n)
{
    int64_t o = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    float sum = 0;

    if (o >= n) return;
    for (int64_t p = 0; p < area; p++) sum += get(x, (o / c * area + p) * c + o % c);
    put(y, o, sum / area);
}

int cuda_mean_pool_forward(struct device *d, struct tensor y, struct tensor x)
{
    return launch(d, "mean_pool_forward", mean_pool, pieces(y.n, THREADS), THREADS, 0, array_of(y), array_of(x),
                  x.shape[1] * x.shape[2], x.shape[3], y.n);
}

static __global__ void mean_pool_slope(struct array dx, struct array dy, int64_t area, int64_t c, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i < n) put(dx, i, get(dy, i / (area * c) * c + i % c) / area);
}

int cuda_mean_pool_backward(struct device *d, struct tensor dx, struct tensor dy)
{
    return launch(d, "mean_pool_backward", mean_pool_slope, pieces(dx.n, THREADS), THREADS, 0, array_of(dx),
                  array_of(dy), dx.shape[1] * dx.shape[2], dx.shape[3], dx.n);
}
