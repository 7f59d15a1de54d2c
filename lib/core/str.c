#include "core/str.h"
#include "core/mem.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_grow(struct str *s, size_t n)
{
    int64_t cap = (int64_t)s->cap;

    mem_extend(&s->data, &cap, (int64_t)(s->n + n + 1));
    s->cap = (size_t)cap;
}

void str_add_bytes(struct str *s, const void *bytes, size_t n)
{
    char *at = str_room(s, n);

    if (n) memcpy(at, bytes, n);
    at[n] = 0;
    s->n += n;
}

void str_add(struct str *s, const char *text)
{
    str_add_bytes(s, text, strlen(text));
}

void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    str_room(s, (size_t)n);
    vsnprintf(s->data + s->n, (size_t)n + 1, fmt, again);
    va_end(again);
    s->n += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vaddf(s, fmt, ap);
    va_end(ap);
}

void str_clear(struct str *s)
{
    s->n = 0;
    if (s->data) s->data[0] = 0;
}

void str_release(struct str *s)
{
    free(s->data);
    *s = (struct str){ 0 };
}

const char *str_c(const struct str *s)
{
    return s->data ? s->data : "";
}

bool str_to_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;

    if (!text || !((*text >= '0' && *text <= '9') || *text == '-')) return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end || end == text || v < min || v > max) return false;
    *out = v;
    return true;
}

bool str_to_double(const char *text, double min, double max, double *out)
{
    char *end;

    if (!text || !*text || strspn(text, "0123456789+-.eE") != strlen(text) || *text == '+') return false;
    errno = 0;
    double v = strtod(text, &end);
    if ((errno == ERANGE && fabs(v) > 1) || *end || end == text || !isfinite(v) || v < min || v > max) return false;
    *out = v;
    return true;
}

bool str_starts(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

bool str_ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && !memcmp(text + n - m, suffix, m);
}

int utf8_decode(const char *s, size_t n, uint32_t *code)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    const uint8_t *b = (const uint8_t *)s;

    if (!n) return 0;
    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    int len = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 0;
    if (!len || b[0] > 0xf4 || (size_t)len > n) return 0;
    uint32_t c = b[0] & (0xffu >> (len + 1));
    for (int i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (b[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
    *code = c;
    return len;
}

int utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> len) | c);
    return len;
}

bool utf8_valid(const char *s, size_t n)
{
    uint32_t code;
    int len;

    for (size_t i = 0; i < n; i += (size_t)len) {
        len = utf8_decode(s + i, n - i, &code);
        if (!len) return false;
    }
    return true;
}

char *path_join(const char *dir, const char *name)
{
    struct str s = { 0 };

    str_add(&s, dir);
    if (s.n && s.data[s.n - 1] != '/') str_add_char(&s, '/');
    str_add(&s, name);
    return s.data;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *path_of_id(const char *dir, const char *id, const char *ending)
{
    struct str s = { 0 };

    str_addf(&s, "%s/", dir);
    for (const char *p = id; *p; p++) {
        if (*p == '/') str_add(&s, "%2F");
        else if (*p == '%') str_add(&s, "%25");
        else str_add_char(&s, *p);
    }
    str_add(&s, ending);
    return s.data;
}
