#ifndef COMPUTE_CPU_SIMD_H
#define COMPUTE_CPU_SIMD_H
#include "compute/ops.h"
#include "core/dtype.h"

/* Sixteen floats at once in the compiler's vector types: one register with AVX-512, two with AVX, four with SSE or
 * NEON. Files that use them are named *_fast.c and compiled for each level of the processor (see the Makefile); which
 * one runs is chosen when the device is opened. */
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };
typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64)));
typedef uint32_t u16 __attribute__((vector_size(64)));
typedef uint16_t h16 __attribute__((vector_size(32)));
typedef uint16_t h16u __attribute__((vector_size(32), aligned(2)));
typedef uint64_t l8 __attribute__((vector_size(64)));
typedef uint32_t w8 __attribute__((vector_size(32)));

INLINE v16 splat(float x)
{
    return x - (v16){ 0 };
}

INLINE v16 load(const float *p)
{
    return *(const v16u *)p;
}

INLINE void store(float *p, v16 v)
{
    *(v16u *)p = v;
}

INLINE v16 load16(const uint16_t *p)
{
    return (v16)(__builtin_convertvector(*(const h16u *)p, u16) << 16);
}

INLINE v16 blend(i16 mask, v16 yes, v16 no)
{
    return (v16)((mask & (i16)yes) | (~mask & (i16)no));
}

/* Rounds to nearest even; NaN stays NaN. */
INLINE void store16(uint16_t *p, v16 v)
{
    u16 u = (u16)v, rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16, nan = (u >> 16) | 0x40;
    i16 is_nan = (i16)(v != v);
    *(h16u *)p = __builtin_convertvector((u16)((is_nan & (i16)nan) | (~is_nan & (i16)rounded)), h16);
}

/* Elements [i, i + 16) of an F32 or BF16 array, and the tail of fewer than 16. */
INLINE v16 load_any(const void *p, bool half, int64_t i)
{
    return half ? load16((const uint16_t *)p + i) : load((const float *)p + i);
}

INLINE void store_any(void *p, bool half, int64_t i, v16 v)
{
    if (half) store16((uint16_t *)p + i, v);
    else store((float *)p + i, v);
}

INLINE v16 load_tail(const void *p, bool half, int64_t i, int64_t n)
{
    float part[LANES] = { 0 };

    for (int64_t k = 0; k < n; k++)
        part[k] = half ? bf16_to_f32(((const uint16_t *)p)[i + k]) : ((const float *)p)[i + k];
    return load(part);
}

INLINE void store_tail(void *p, bool half, int64_t i, int64_t n, v16 v)
{
    float part[LANES];

    store(part, v);
    for (int64_t k = 0; k < n; k++) {
        if (half) ((uint16_t *)p)[i + k] = f32_to_bf16(part[k]);
        else ((float *)p)[i + k] = part[k];
    }
}

/* As load_any() and store_any(), with the number of elements left: all kernels step through an array with these two. */
INLINE v16 load_at(const void *p, bool half, int64_t i, int64_t left)
{
    return left >= LANES ? load_any(p, half, i) : load_tail(p, half, i, left);
}

INLINE void store_at(void *p, bool half, int64_t i, int64_t left, v16 v)
{
    if (left >= LANES) store_any(p, half, i, v);
    else store_tail(p, half, i, left, v);
}

INLINE v16 vmax(v16 a, v16 b)
{
    return blend((i16)(a > b), a, b);
}

/* Sum and maximum of the lanes, always in the same order. */
INLINE float lane_sum(v16 v)
{
    float part[LANES];

    store(part, v);
    for (int w = LANES / 2; w; w /= 2) {
        for (int k = 0; k < w; k++) part[k] += part[k + w];
    }
    return part[0];
}

INLINE float lane_max(v16 v)
{
    float part[LANES], max;

    store(part, v);
    max = part[0];
    for (int k = 1; k < LANES; k++) max = part[k] > max ? part[k] : max;
    return max;
}

/* e^x to about 1e-7 relative: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, n into the exponent (the
 * method and the coefficients are those of the Cephes library's expf). Below -87 it is 0. */
INLINE v16 vexp(v16 x)
{
    const float shift = 12582912; /* 1.5 * 2^23: adding it rounds to a whole number */
    i16 is_tiny = (i16)(x < splat(-87));
    x = blend((i16)(x > splat(88)), splat(88), blend(is_tiny, splat(-87), x));
    v16 t = x * 1.44269504f + shift, n = t - shift;
    v16 r = x - n * 0.693359375f + n * 2.12194440e-4f;
    v16 p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    i16 exponent = ((i16)t - (i16)splat(shift)) << 23;
    return blend(is_tiny, (v16){ 0 }, (v16)((i16)p + exponent));
}

/* The cumulative normal distribution 0.5 (1 + erf(x / sqrt 2)) to 1e-7 absolute, and the density's exponential
 * e^(-x^2/2) that it is made of (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26). */
INLINE v16 normal_cdf(v16 x, v16 *gaussian)
{
    v16 size = blend((i16)(x < 0), -x, x) * 0.70710678f, t = 1 / (1 + 0.3275911f * size);
    v16 p = splat(1.061405429f);
    *gaussian = vexp(-0.5f * x * x);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    v16 upper = 0.5f * p * t * *gaussian; /* 1 - cdf(|x|) */
    return blend((i16)(x < 0), upper, 1 - upper);
}

/* Eight blocks of Philox4x32-10 with counters {lo + lane, hi, site, step}: draws[4 k + w] is word w of block k. */
INLINE void philox8(uint32_t draws[32], uint64_t block, const struct dropout *d)
{
    const uint64_t low = 0xffffffffu;
    l8 c0, c1, c2 = (l8){ 0 } + d->site, c3 = (l8){ 0 } + (d->step & low);
    uint64_t k0 = d->seed & low, k1 = (d->seed >> 32) ^ (d->step >> 32);
    for (int k = 0; k < 8; k++) {
        c0[k] = (block + (uint64_t)k) & low;
        c1[k] = (block + (uint64_t)k) >> 32;
    }
    for (int round = 0; round < 10; round++) {
        l8 a = c0 * 0xD2511F53u, b = c2 * 0xCD9E8D57u;
        c0 = (b >> 32) ^ c1 ^ k0;
        c2 = (a >> 32) ^ c3 ^ k1;
        c1 = b & low;
        c3 = a & low;
        k0 = (k0 + 0x9E3779B9u) & low;
        k1 = (k1 + 0xBB67AE85u) & low;
    }
    for (int k = 0; k < 8; k++) {
        draws[4 * k] = (uint32_t)c0[k];
        draws[4 * k + 1] = (uint32_t)c1[k];
        draws[4 * k + 2] = (uint32_t)c2[k];
        draws[4 * k + 3] = (uint32_t)c3[k];
    }
}

/* Dropout factors (0 or 1/(1-p)) of elements [i, i + n), i a multiple of 4, into factor[n]. */
INLINE void dropout_factors(float *factor, int64_t n, uint64_t i, const struct dropout *d)
{
    double bound = (double)d->p * 0x1p32;
    uint32_t limit = bound >= 0x1p32 ? ~0u : (uint32_t)bound + (bound > (uint32_t)bound);
    float keep = 1 / (1 - d->p);
    uint32_t draws[32];

    for (int64_t k = 0; k < n; k += 32) {
        philox8(draws, i / 4 + (uint64_t)k / 4, d);
        int64_t m = n - k < 32 ? n - k : 32;
        for (int64_t c = 0; c < m; c++) factor[k + c] = draws[c] < limit ? 0 : keep;
    }
}
#endif
