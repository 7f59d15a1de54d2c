#ifndef CORE_STR_H
#define CORE_STR_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string that knows its length; data is NUL-terminated once anything was added and may hold
 * NUL bytes. Zero is a valid empty string. */
struct str {
    char *data;
    size_t n;
    size_t cap;
};
void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t n);
void str_grow(struct str *s, size_t n); /* to have room for n more bytes and a NUL */
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void str_clear(struct str *s); /* keeps the memory */
void str_release(struct str *s);
const char *str_c(const struct str *s); /* never NULL; "" when empty */

/* The place of n more bytes and a NUL, which the caller writes, behind the end, which the caller moves. */
static inline char *str_room(struct str *s, size_t n)
{
    if (s->cap - s->n <= n) str_grow(s, n);
    return s->data + s->n;
}

static inline void str_add_char(struct str *s, char c)
{
    if (s->n + 1 >= s->cap) {
        str_add_bytes(s, &c, 1);
        return;
    }
    s->data[s->n++] = c;
    s->data[s->n] = 0;
}

/* The whole of text as a number within [min, max]; false for anything else (also nan, inf, hex, "1e",
 * leading blanks, overflow). Doubles accept "1e-5". */
bool str_to_int(const char *text, int64_t min, int64_t max, int64_t *out);
bool str_to_double(const char *text, double min, double max, double *out);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* Length of the valid UTF-8 sequence at s (1-4), or 0 when the bytes are not UTF-8 (overlong forms,
 * surrogates and values above U+10FFFF are not). *code is the code point. */
int utf8_decode(const char *s, size_t n, uint32_t *code);
int utf8_encode(uint32_t code, char out[4]); /* bytes written, 1-4 */
bool utf8_valid(const char *s, size_t n);

/* dir "/" name, in a new heap string. */
char *path_join(const char *dir, const char *name);
const char *path_base(const char *path); /* part after the last '/' */
/* dir "/" id ending, for an id, which is no path: its '/' are %2F and its '%' %25, so that no two ids have one file. */
char *path_of_id(const char *dir, const char *id, const char *ending);
#endif
