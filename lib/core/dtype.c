#include "core/dtype.h"
#include <assert.h>
#include <limits.h>

static_assert(sizeof(void *) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "64-bit little-endian hosts only");
static_assert(CHAR_MIN < 0, "char is signed, which -fsigned-char makes so everywhere");

static const struct {
    const char *name;
    int64_t size;
} types[DT_COUNT] = { { "", 0 },    { "F32", 4 }, { "BF16", 2 }, { "F16", 2 }, { "F64", 8 }, { "I64", 8 },
                      { "I32", 4 }, { "I16", 2 }, { "I8", 1 },   { "U8", 1 },  { "BOOL", 1 } };

int64_t dtype_size(enum dtype t)
{
    return types[t].size;
}

const char *dtype_name(enum dtype t)
{
    return types[t].name;
}

enum dtype dtype_from_name(const char *name)
{
    for (int i = 1; i < DT_COUNT; i++) {
        if (!strcmp(types[i].name, name)) return (enum dtype)i;
    }
    return DT_NONE;
}

bool dtype_is_float(enum dtype t)
{
    return t == DT_F32 || t == DT_BF16 || t == DT_F16 || t == DT_F64;
}

float f16_to_f32(uint16_t v)
{
    uint32_t sign = (uint32_t)(v & 0x8000) << 16, exponent = v >> 10 & 31, fraction = v & 0x3ff, u;
    float f;

    if (exponent == 0) { /* zero and subnormals: fraction * 2^-24 */
        f = (float)fraction * 0x1p-24f;
        memcpy(&u, &f, 4);
        u |= sign;
    } else {
        u = sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | fraction << 13;
    }
    memcpy(&f, &u, 4);
    return f;
}

uint16_t f32_to_f16(float f)
{
    uint32_t u;

    memcpy(&u, &f, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    u &= 0x7fffffff;
    if (u > 0x7f800000) return sign | 0x7e00;  /* NaN */
    if (u >= 0x477ff000) return sign | 0x7c00; /* rounds to infinity */
    if (u < 0x38800000) {                      /* subnormal: let the addition round to a multiple of 2^-24 */
        float a, magic = 0.5f;
        memcpy(&a, &u, 4);
        a += magic;
        memcpy(&u, &a, 4);
        return (uint16_t)(sign | (u - 0x3f000000));
    }
    return (uint16_t)(sign | ((u + 0xfff + (u >> 13 & 1) - (112u << 23)) >> 13));
}

void dtype_to_f32(float *out, const void *in, enum dtype t, int64_t n)
{
    const uint16_t *half = in;

    assert(dtype_is_float(t));
    if (t == DT_F32 && n) memcpy(out, in, (size_t)n * 4);
    for (int64_t i = 0; t == DT_BF16 && i < n; i++) out[i] = bf16_to_f32(half[i]);
    for (int64_t i = 0; t == DT_F16 && i < n; i++) out[i] = f16_to_f32(half[i]);
    for (int64_t i = 0; t == DT_F64 && i < n; i++) out[i] = (float)((const double *)in)[i];
}

void dtype_from_f32(void *out, enum dtype t, const float *in, int64_t n)
{
    uint16_t *half = out;

    assert(dtype_is_float(t));
    if (t == DT_F32 && n) memcpy(out, in, (size_t)n * 4);
    for (int64_t i = 0; t == DT_BF16 && i < n; i++) half[i] = f32_to_bf16(in[i]);
    for (int64_t i = 0; t == DT_F16 && i < n; i++) half[i] = f32_to_f16(in[i]);
    for (int64_t i = 0; t == DT_F64 && i < n; i++) ((double *)out)[i] = in[i];
}
