/* Element by element: eight elements a thread, one access of 16 bytes each way (BF16). Traffic is the floor: each input
 * read once, each output written once. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256 };
#define WIDTH (THREADS * EIGHT)

/* y = f(a, b) for F::of(a, b, alpha); arrays that f does not need are the same as y and not read. */
template <class F, bool HALVES>
static __global__ void pointwise(struct array y, struct array a, struct array b, float alpha, int64_t n)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * EIGHT;
    float u[EIGHT] = {}, v[EIGHT] = {};

    if (i >= n) return;
    if (F::inputs > 0) load8<HALVES>(u, a, i, n - i);
    if (F::inputs > 1) load8<HALVES>(v, b, i, n - i);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) u[k] = F::template of<HALVES>(u[k], v[k], alpha);
    store8<HALVES>(y, i, n - i, u);
}

template <class F>
static int run(struct device *d, const char *row, struct tensor y, struct tensor a, struct tensor b, float alpha)
{
    bool halves = are_halves(y.n, array_of(y), array_of(a), array_of(b));

    if (!y.n) return 0;
    return launch(d, row, halves ? pointwise<F, true> : pointwise<F, false>, pieces(y.n, WIDTH), THREADS, 0,
                  array_of(y), array_of(a), array_of(b), alpha, y.n);
}

/* One row: its name, how many inputs it reads, its formula in u, v and alpha. */
#define FORMULA(name, reads, formula)                                                                                  \
    struct name {                                                                                                      \
        enum { inputs = reads };                                                                                       \
        template <bool HALVES> static __device__ inline float of(float u, float v, float alpha)                        \
        {                                                                                                              \
            return formula;                                                                                            \
        }                                                                                                              \
    }

/* The normal distribution's function at v, and its density times the square root of two pi. For BF16 by the
 * approximation of Abramowitz and Stegun, 7.1.26 (off by 4e-7 at most), which takes half as many instructions as erff()
 * and gives the density on the way: with erff() they take longer than the memory. */
template <bool HALVES> static __device__ inline float normal_cdf(float v, float *density)
{
    if (!HALVES) {
        *density = expf(-0.5f * v * v);
        return 0.5f * (1 + erff(v * 0.70710678f));
    }
    float t = quick_inverse(1 + 0.23164190f * fabsf(v));
    float p = t * (0.12741480f + t * (-0.14224837f + t * (0.71070687f + t * (-0.72657601f + t * 0.53070271f))));
    *density = quick_exp2(-0.72134752f * v * v);
    float tail = p * *density;
    return v < 0 ? tail : 1 - tail;
}
template <bool HALVES> static __device__ inline float gelu_of(float v)
{
    float density;

    return v * normal_cdf<HALVES>(v, &density);
}

FORMULA(constant, 0, alpha);
FORMULA(same, 1, u);
FORMULA(gelu, 1, gelu_of<HALVES>(u));
FORMULA(relu, 1, u > 0 ? u : 0);
FORMULA(relu_slope, 2, v > 0 ? u : 0);
FORMULA(sum_of_two, 2, u + v);
FORMULA(product_of_two, 2, u *v);
FORMULA(moved, 2, u + alpha * v);
FORMULA(scaled, 1, alpha *u);

int cuda_fill(struct device *d, struct tensor y, float value)
{
    return run<constant>(d, "fill", y, y, y, value);
}
int cuda_convert(struct device *d, struct tensor y, struct tensor x)
{
    size_t bytes = (size_t)y.n * (y.dtype == DT_BF16 ? 2 : 4);

    if (y.dtype == x.dtype)
        return gpu_check(d, "convert", cudaMemcpyAsync(y.data, x.data, bytes, cudaMemcpyDeviceToDevice, gpu_queue(d)));
    return run<same>(d, "convert", y, x, x, 0);
}
int cuda_gelu_forward(struct device *d, struct tensor y, struct tensor x)
{
    return run<gelu>(d, "gelu_forward", y, x, x, 0);
}

template <bool HALVES>
static __global__ void gelu_slope(struct array dx, struct array y, struct array dy, struct array x, int64_t n)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * EIGHT;
    float slope[EIGHT], v[EIGHT];

    if (i >= n) return;
    load8<HALVES>(slope, dy, i, n - i);
    load8<HALVES>(v, x, i, n - i);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        float density, cdf = normal_cdf<HALVES>(v[k], &density);
        slope[k] *= cdf + v[k] * 0.39894228f * density;
        v[k] *= cdf;
    }
    store8<HALVES>(dx, i, n - i, slope);
    if (y.data) store8<HALVES>(y, i, n - i, v);
}

int cuda_gelu_backward(struct device *d, struct tensor dx, struct tensor y, struct tensor dy, struct tensor x)
{
    bool halves = are_halves(x.n, array_of(dx), array_of(y), array_of(dy), array_of(x));

    return launch(d, "gelu_backward", halves ? gelu_slope<true> : gelu_slope<false>, pieces(x.n, WIDTH), THREADS, 0,
                  array_of(dx), array_of(y), array_of(dy), array_of(x), x.n);
}
int cuda_relu_forward(struct device *d, struct tensor y, struct tensor x)
{
    return run<relu>(d, "relu_forward", y, x, x, 0);
}
int cuda_relu_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor y)
{
    return run<relu_slope>(d, "relu_backward", dx, dy, y, 0);
}

template <bool HALVES> static __global__ void dropout(struct array y, struct array x, int64_t n, struct mask m)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * EIGHT;
    float v[EIGHT];

    if (i >= n) return;
    load8<HALVES>(v, x, i, n - i);
    drop8<HALVES>(v, (uint64_t)i, m);
    store8<HALVES>(y, i, n - i, v);
}

int cuda_dropout_forward(struct device *d, struct tensor y, struct tensor x, struct dropout drop)
{
    bool halves = are_halves(y.n, array_of(y), array_of(x));

    return launch(d, "dropout_forward", halves ? dropout<true> : dropout<false>, pieces(y.n, WIDTH), THREADS, 0,
                  array_of(y), array_of(x), y.n, mask_of(drop));
}

int cuda_add(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    return run<sum_of_two>(d, "add", y, a, b, 0);
}
int cuda_multiply(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    return run<product_of_two>(d, "multiply", y, a, b, 0);
}
int cuda_axpy(struct device *d, struct tensor y, struct tensor x, float alpha)
{
    return run<moved>(d, "axpy", y, y, x, alpha);
}
int cuda_scale(struct device *d, struct tensor y, float alpha)
{
    return run<scaled>(d, "scale", y, y, y, alpha);
}

/* A warp a row. */
static __global__ void normalize_rows(struct array y, float *norm, struct array x, int64_t rows, int64_t h)
{
    int64_t t = blockIdx.x * (int64_t)(THREADS / WARP) + threadIdx.x / WARP;
    int lane = threadIdx.x % WARP;
    float sum = 0, v[EIGHT];

    if (t >= rows) return;
    for (int64_t c = lane * EIGHT; c < h; c += WARP * EIGHT) {
        load8(v, x, t * h + c, h - c);
        for (int k = 0; k < EIGHT; k++) sum += v[k] * v[k];
    }
    float length = fmaxf(sqrtf(warp_sum(sum)), 1e-12f);
    if (lane == 0) norm[t] = length;
    for (int64_t c = lane * EIGHT; c < h; c += WARP * EIGHT) {
        load8(v, x, t * h + c, h - c);
        for (int k = 0; k < EIGHT; k++) v[k] /= length;
        store8(y, t * h + c, h - c, v);
    }
}

int cuda_normalize_rows_forward(struct device *d, struct tensor y, struct tensor norm, struct tensor x)
{
    return launch(d, "normalize_rows_forward", normalize_rows, pieces(x.shape[0], THREADS / WARP), THREADS, 0,
                  array_of(y), f32(norm), array_of(x), x.shape[0], x.shape[1]);
}

static __global__ void normalize_rows_slope(struct array dx, struct array dy, struct array y, const float *norm,
                                            int64_t rows, int64_t h)
{
    int64_t t = blockIdx.x * (int64_t)(THREADS / WARP) + threadIdx.x / WARP;
    int lane = threadIdx.x % WARP;
    float sum = 0, u[EIGHT], v[EIGHT];

    if (t >= rows) return;
    for (int64_t c = lane * EIGHT; c < h; c += WARP * EIGHT) {
        load8(u, dy, t * h + c, h - c);
        load8(v, y, t * h + c, h - c);
        for (int k = 0; k < EIGHT; k++) sum += u[k] * v[k];
    }
    float dot = warp_sum(sum), length = norm[t];
    for (int64_t c = lane * EIGHT; c < h; c += WARP * EIGHT) {
        load8(u, dy, t * h + c, h - c);
        load8(v, y, t * h + c, h - c);
        for (int k = 0; k < EIGHT; k++) u[k] = (u[k] - dot * v[k]) / length;
        store8(dx, t * h + c, h - c, u);
    }
}

int cuda_normalize_rows_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor y,
                                 struct tensor norm)
{
    return launch(d, "normalize_rows_backward", normalize_rows_slope, pieces(y.shape[0], THREADS / WARP), THREADS, 0,
                  array_of(dx), array_of(dy), array_of(y), f32(norm), y.shape[0], y.shape[1]);
}
