#include "text/byte_symbols.h"

static bool is_printable(uint32_t b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

/* The others are 0-32 (33 of them), 127-160 (34) and 173. */
uint32_t byte_symbol(uint8_t b)
{
    if (is_printable(b)) return b;
    return 256u + (b <= 32 ? b : b <= 160 ? b - 127u + 33 : 67);
}

int byte_of_symbol(uint32_t code)
{
    if (code < 256) return is_printable(code) ? (int)code : -1;
    if (code < 256 + 33) return (int)code - 256;
    if (code < 256 + 67) return (int)code - 256 - 33 + 127;
    return code == 256 + 67 ? 173 : -1;
}

void byte_symbols_in_order(uint8_t bytes[256])
{
    int n = 0;

    for (uint32_t code = 0; code < 256 + 68; code++) {
        int b = byte_of_symbol(code);
        if (b >= 0) bytes[n++] = (uint8_t)b;
    }
}

void byte_symbols_write(const char *bytes, size_t n, struct str *out)
{
    char utf8[4];

    for (size_t i = 0; i < n; i++) {
        int len = utf8_encode(byte_symbol((uint8_t)bytes[i]), utf8);
        str_add_bytes(out, utf8, (size_t)len);
    }
}

bool byte_symbols_read(const char *symbols, size_t n, struct str *out)
{
    size_t was = out->n;
    uint32_t code;

    for (size_t i = 0; i < n;) {
        int len = utf8_decode(symbols + i, n - i, &code), b = len ? byte_of_symbol(code) : -1;
        if (b < 0) {
            out->n = was;
            return false;
        }
        str_add_char(out, (char)b);
        i += (size_t)len;
    }
    return true;
}
