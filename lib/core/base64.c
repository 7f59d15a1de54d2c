#include "core/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct str *out, const void *data, size_t n)
{
    const uint8_t *p = data;
    char four[4 * 256];

    while (n) {
        size_t made = 0;
        for (; n && made < sizeof four; made += 4) {
            size_t take = n < 3 ? n : 3;
            uint32_t v = (uint32_t)p[0] << 16 | (take > 1 ? (uint32_t)p[1] << 8 : 0) | (take > 2 ? p[2] : 0);
            four[made] = digits[v >> 18];
            four[made + 1] = digits[v >> 12 & 63];
            four[made + 2] = take > 1 ? digits[v >> 6 & 63] : '=';
            four[made + 3] = take > 2 ? digits[v & 63] : '=';
            p += take;
            n -= take;
        }
        str_add_bytes(out, four, made);
    }
}

int64_t base64_bytes(const char *text, size_t n)
{
    if (n % 4) return -1;
    int64_t pad = n && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0;
    return (int64_t)n / 4 * 3 - pad;
}

/* 0..63, or 64 for a foreign character. */
static void digit_values(uint8_t value[256])
{
    for (int i = 0; i < 256; i++) value[i] = 64;
    for (int i = 0; i < 64; i++) value[(uint8_t)digits[i]] = (uint8_t)i;
}

bool base64_decode(void *out, const char *text, size_t n)
{
    const uint8_t *in = (const uint8_t *)text;
    int64_t bytes = base64_bytes(text, n), whole = bytes / 3 * 3;
    uint8_t value[256], *p = out, bad = 0;

    if (bytes < 0) return false;
    digit_values(value);
    for (int64_t i = 0; i < whole; i += 3, in += 4, p += 3) {
        uint8_t a = value[in[0]], b = value[in[1]], c = value[in[2]], d = value[in[3]];
        bad |= a | b | c | d;
        p[0] = (uint8_t)(a << 2 | b >> 4);
        p[1] = (uint8_t)(b << 4 | c >> 2);
        p[2] = (uint8_t)(c << 6 | d);
    }
    if (bytes > whole) {
        uint8_t a = value[in[0]], b = value[in[1]], c = bytes - whole == 2 ? value[in[2]] : 0;
        bad |= a | b | c | (bytes - whole == 2 ? (c & 3 ? 64 : 0) : (b & 15 ? 64 : 0));
        p[0] = (uint8_t)(a << 2 | b >> 4);
        if (bytes - whole == 2) p[1] = (uint8_t)(b << 4 | c >> 2);
    }
    return bad < 64;
}
