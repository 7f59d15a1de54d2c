#ifndef CORE_DTYPE_H
#define CORE_DTYPE_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Element types, named as safetensors names them. */
enum dtype { DT_NONE, DT_F32, DT_BF16, DT_F16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL };
enum { DT_COUNT = 11 };

int64_t dtype_size(enum dtype t);             /* bytes of one element; 0 for DT_NONE */
const char *dtype_name(enum dtype t);         /* "F32" */
enum dtype dtype_from_name(const char *name); /* DT_NONE when unknown */
bool dtype_is_float(enum dtype t);            /* dtype_to_f32() takes it */

static inline float bf16_to_f32(uint16_t v)
{
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint16_t f32_to_bf16(float f) /* round to nearest even; NaN stays NaN */
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}
float f16_to_f32(uint16_t v);
uint16_t f32_to_f16(float f);

/* n elements of any float type to f32 and back. */
void dtype_to_f32(float *out, const void *in, enum dtype t, int64_t n);
void dtype_from_f32(void *out, enum dtype t, const float *in, int64_t n);

/* Little-endian numbers in byte buffers. */
static inline uint32_t load_u32(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t load_u64(const void *p)
{
    return (uint64_t)load_u32(p) | (uint64_t)load_u32((const uint8_t *)p + 4) << 32;
}
static inline void store_u32(void *p, uint32_t v)
{
    uint8_t *b = (uint8_t *)p;
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(v >> (8 * i));
}
static inline void store_u64(void *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
#ifdef __cplusplus
}
#endif
#endif
