#include "core/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct str *out, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < n; i += 3) {
        size_t m = n - i < 3 ? n - i : 3;
        uint32_t group = (uint32_t)b[i] << 16 | (m > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (m > 2 ? b[i + 2] : 0);
        char four[4] = { alphabet[group >> 18], alphabet[group >> 12 & 63], m > 1 ? alphabet[group >> 6 & 63] : '=',
                         m > 2 ? alphabet[group & 63] : '=' };
        str_add_bytes(out, four, 4);
    }
}

static size_t padding(const char *text, size_t n)
{
    return n < 4 || text[n - 1] != '=' ? 0 : text[n - 2] == '=' ? 2 : 1;
}

int64_t base64_bytes(const char *text, size_t n)
{
    return n % 4 ? -1 : (int64_t)(n / 4 * 3 - padding(text, n));
}

/* -1: not in the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(void *out, const char *text, size_t n)
{
    uint8_t *at = out;
    size_t end = n - padding(text, n);
    uint32_t group = 0;
    int bits = 0;

    if (n % 4) return false;
    for (size_t i = 0; i < end; i++) {
        int v = value_of(text[i]);
        if (v < 0) return false;
        group = group << 6 | (uint32_t)v;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        *at++ = (uint8_t)(group >> bits);
    }
    return !(group & ((1u << bits) - 1));
}
