#ifndef COMPUTE_CPU_SIMD_H
#define COMPUTE_CPU_SIMD_H
#include "compute/ops.h"
#include "core/dtype.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

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

#ifdef __clang__
#define SHUFFLE(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* gcc before 12 has no __builtin_shufflevector */
#define SHUFFLE(type, a, b, ...) __builtin_shuffle(a, b, (type){ __VA_ARGS__ })
#endif

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
#ifdef __AVX512F__ /* gcc's own conversion is in halves */
    return (v16)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i) * (const h16u *)p), 16);
#else
    return (v16)(__builtin_convertvector(*(const h16u *)p, u16) << 16);
#endif
}

INLINE v16 blend(i16 mask, v16 yes, v16 no)
{
    return (v16)((mask & (i16)yes) | (~mask & (i16)no));
}

/* Rounds to nearest even; NaN stays NaN. (The processor's own conversion takes denormal numbers for zero.) */
INLINE h16 narrow(v16 v)
{
#ifdef __AVX512BF16__
    return (h16)_mm512_cvtneps_pbh((__m512)v);
#else
    u16 u = (u16)v, rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16, nan = (u >> 16) | 0x40;
    i16 is_nan = (i16)(v != v);
    return __builtin_convertvector((u16)((is_nan & (i16)nan) | (~is_nan & (i16)rounded)), h16);
#endif
}

INLINE void store16(uint16_t *p, v16 v)
{
    *(h16u *)p = narrow(v);
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
#ifdef __AVX512F__
    return (v16)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return blend((i16)(a > b), a, b);
#endif
}

/* Sum and maximum of the lanes, always in the same order: the halves, their halves, and so on. */
INLINE float lane_sum(v16 v)
{
    v += SHUFFLE(i16, v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += SHUFFLE(i16, v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += SHUFFLE(i16, v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return v[0] + v[1];
}

INLINE float lane_max(v16 v)
{
    v = vmax(v, SHUFFLE(i16, v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    v = vmax(v, SHUFFLE(i16, v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    v = vmax(v, SHUFFLE(i16, v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    return v[0] > v[1] ? v[0] : v[1];
}

/* The lower halves of two vectors, element by element, and the upper ones. */
INLINE v16 zip_low(v16 a, v16 b)
{
    return SHUFFLE(i16, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

INLINE v16 zip_high(v16 a, v16 b)
{
    return SHUFFLE(i16, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* Sixteen rows of sixteen into columns: four rounds of zipping the upper half of the rows with the lower. */
INLINE void transpose_block(float *to, int64_t ld_to, const float *from, int64_t ld_from, int64_t rows)
{
    v16 a[LANES], b[LANES];

    for (int i = 0; i < LANES; i++) a[i] = i < rows ? load(from + i * ld_from) : (v16){ 0 };
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LANES / 2; i++) {
            b[2 * i] = zip_low(a[i], a[i + LANES / 2]);
            b[2 * i + 1] = zip_high(a[i], a[i + LANES / 2]);
        }
        for (int i = 0; i < LANES / 2; i++) {
            a[2 * i] = zip_low(b[i], b[i + LANES / 2]);
            a[2 * i + 1] = zip_high(b[i], b[i + LANES / 2]);
        }
    }
    for (int i = 0; i < LANES; i++) store(to + i * ld_to, a[i]);
}

/* e^x to about 1e-7 relative: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, n into the exponent (the
 * method and the coefficients are those of the Cephes library's expf). Below -87 it is 0. */
INLINE v16 vexp(v16 x)
{
#ifdef __AVX512F__
    __mmask16 counts = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-87), _CMP_NLT_UQ);
    x = (v16)_mm512_min_ps(_mm512_set1_ps(88), (__m512)x); /* NaN stays NaN */
    v16 n = (v16)_mm512_roundscale_ps((__m512)(x * 1.44269504f), 0);
#else
    const float shift = 12582912; /* 1.5 * 2^23: adding it rounds to a whole number */
    i16 is_tiny = (i16)(x < splat(-87));
    x = blend((i16)(x > splat(88)), splat(88), blend(is_tiny, splat(-87), x));
    v16 t = x * 1.44269504f + shift, n = t - shift;
#endif
    v16 r = x - n * 0.693359375f + n * 2.12194440e-4f;
    v16 p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
#ifdef __AVX512F__
    return (v16)_mm512_maskz_scalef_ps(counts, (__m512)p, (__m512)n);
#else
    i16 exponent = ((i16)t - (i16)splat(shift)) << 23;
    return blend(is_tiny, (v16){ 0 }, (v16)((i16)p + exponent));
#endif
}

/* 1 / x to about 1e-7 relative, x neither 0 nor infinite. */
INLINE v16 reciprocal(v16 x)
{
#ifdef __AVX512F__
    v16 y = (v16)_mm512_rcp14_ps((__m512)x);
    return y * (2 - x * y);
#else
    return 1 / x;
#endif
}

/* The cumulative normal distribution 0.5 (1 + erf(x / sqrt 2)) to 1e-7 absolute, and the density's exponential
 * e^(-x^2/2) that it is made of (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26). */
INLINE v16 normal_cdf(v16 x, v16 *gaussian)
{
    v16 size = (v16)((i16)x & 0x7fffffff) * 0.70710678f, t = reciprocal(1 + 0.3275911f * size);
    v16 p = splat(1.061405429f);
    *gaussian = vexp(-0.5f * x * x);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    v16 upper = 0.5f * p * t * *gaussian; /* 1 - cdf(|x|) */
    return blend((i16)(x < 0), upper, 1 - upper);
}

/* 64-bit products of the lanes' lower halves; compilers don't see that this is one instruction. */
INLINE l8 multiply_low(l8 a, uint32_t b)
{
#if defined __AVX512F__
    return (l8)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif defined __AVX2__
    union {
        l8 all;
        __m256i half[2];
    } x = { a };
    for (int i = 0; i < 2; i++) x.half[i] = _mm256_mul_epu32(x.half[i], _mm256_set1_epi64x(b));
    return x.all;
#else
    return (a & 0xffffffffu) * b;
#endif
}

/* Eight blocks of Philox4x32-10 with counters {lo + lane, hi, site, step}: 32 draws in their order. The upper halves of
 * the lanes hold whatever they hold: products don't look at them. */
INLINE void philox8(u16 draws[2], uint64_t block, const struct dropout *d)
{
    const l8 low = (l8){ 0 } + 0xffffffffu;
    l8 c0 = (l8){ 0, 1, 2, 3, 4, 5, 6, 7 } + block, c1 = c0 >> 32, c2 = (l8){ 0 } + d->site, c3 = (l8){ 0 } + d->step;
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32) ^ (uint32_t)(d->step >> 32);

    for (int round = 0; round < 10; round++) {
        l8 a = multiply_low(c0, 0xD2511F53u), b = multiply_low(c2, 0xCD9E8D57u);
        c0 = (b >> 32) ^ c1 ^ k0;
        c2 = (a >> 32) ^ c3 ^ k1;
        c1 = b;
        c3 = a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    l8 words01 = (c0 & low) | (c1 << 32), words23 = (c2 & low) | (c3 << 32);
    draws[0] = (u16)SHUFFLE(l8, words01, words23, 0, 8, 1, 9, 2, 10, 3, 11);
    draws[1] = (u16)SHUFFLE(l8, words01, words23, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* A draw below it is dropped. */
INLINE uint32_t dropout_limit(const struct dropout *d)
{
    double bound = (double)d->p * 0x1p32;

    return bound >= 0x1p32 ? ~0u : (uint32_t)bound + (bound > (uint32_t)bound);
}

/* Dropout factors (0 or 1/(1-p)) of elements [i, i + n), i a multiple of 4, into factor[n rounded up to 32]. */
INLINE void dropout_factors(float *factor, int64_t n, uint64_t i, const struct dropout *d)
{
    u16 limit = (u16){ 0 } + dropout_limit(d), draws[2];
    v16 keep = splat(1 / (1 - d->p));

    for (int64_t k = 0; k < n; k += 32) {
        philox8(draws, i / 4 + (uint64_t)k / 4, d);
        store(factor + k, blend((i16)(draws[0] < limit), (v16){ 0 }, keep));
        store(factor + k + LANES, blend((i16)(draws[1] < limit), (v16){ 0 }, keep));
    }
}
#endif
