#ifndef COMPUTE_CPU_ELEMENT_H
#define COMPUTE_CPU_ELEMENT_H
#include "compute/ops.h"
#include "core/rng.h"

/* Elements of F32 and BF16 tensors as float, for the reference implementation. */
static inline float get(struct tensor x, int64_t i)
{
    return x.dtype == DT_BF16 ? bf16_to_f32(((const uint16_t *)x.data)[i]) : ((const float *)x.data)[i];
}

static inline void put(struct tensor x, int64_t i, double v)
{
    if (x.dtype == DT_BF16) ((uint16_t *)x.data)[i] = f32_to_bf16((float)v);
    else ((float *)x.data)[i] = (float)v;
}

static inline float *f32(struct tensor x)
{
    return (float *)x.data;
}

static inline int32_t *i32(struct tensor x)
{
    return (int32_t *)x.data;
}

/* The factor that dropout gives element i: 0 or 1 / (1 - p) (see struct dropout). */
static inline float dropout_factor(const struct dropout *d, uint64_t i)
{
    if (d->p <= 0) return 1;
    uint64_t block = i / 4;
    uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32), d->site, (uint32_t)d->step }, draw[4];
    uint32_t key[2] = { (uint32_t)d->seed, (uint32_t)(d->seed >> 32) ^ (uint32_t)(d->step >> 32) };
    philox4x32(draw, counter, key);
    return (double)draw[i % 4] < (double)d->p * 0x1p32 ? 0 : 1 / (1 - d->p);
}

/* The dropout element of score (row, head, key) in attention. */
static inline uint64_t attention_element(int64_t row, int64_t heads, int64_t head, int64_t key)
{
    return ((uint64_t)(row * heads + head) << 16) + (uint64_t)key;
}
#endif
