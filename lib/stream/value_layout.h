#ifndef STREAM_VALUE_LAYOUT_H
#define STREAM_VALUE_LAYOUT_H
#include "core/dtype.h"
#include "core/hash.h"
#include "stream/value.h"
#include <stddef.h>
#include <string.h>

/* What a value is in memory; private to value*.c and outline.c. A number is the head alone, so that an array of numbers
 * (tokens, boxes) is one block of heads; the other kinds begin with the head. */
enum value_kind {
    VALUE_NULL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_INT,
    VALUE_REAL,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT,
};
struct value {
    enum value_kind kind;
    union {
        int64_t i;
        double d;
        int64_t n; /* bytes, entries or members */
    };
};
struct value_string {
    struct value head;
    char bytes[]; /* [n + 1], UTF-8, NUL behind it */
};
struct value_array {
    struct value head;
    struct value *numbers; /* [n], when there are only numbers */
    struct value **at;     /* [n], otherwise */
    int64_t cap;
};
struct value_member {
    char *key; /* [n + 1], owned */
    size_t n;
    struct value *value;
};
struct value_object {
    struct value head;
    struct value_member *at; /* [n] */
    int64_t cap;
    struct map index; /* key -> position, in objects of more than VALUE_INDEXED members */
};
enum { VALUE_INDEXED = 16 };

static inline struct value_array *value_as_array(const struct value *v)
{
    return v && v->kind == VALUE_ARRAY ? (struct value_array *)(uintptr_t)v : NULL;
}

static inline struct value_object *value_as_object(const struct value *v)
{
    return v && v->kind == VALUE_OBJECT ? (struct value_object *)(uintptr_t)v : NULL;
}

/* A string of bytes that are known to be UTF-8. */
struct value *value_string_new(const char *s, int64_t n);
void value_push_number(struct value_array *a, struct value number);
/* Adds a member, taking over v; false, taking over nothing, when the object has the key already. */
bool value_add_member(struct value_object *o, const char *key, size_t n, struct value *v);

/* How many bytes from s up to end need no escape in a JSON string: neither control characters nor quotes nor
 * backslashes. *is_ascii becomes false when one is above 0x7f. Eight at a time; the lowest of the bits that mark stops
 * is always right. */
static inline size_t value_plain_length(const char *s, const char *end, bool *is_ascii)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    const char *p = s;
    uint64_t seen = 0;

    for (; end - p >= 8; p += 8) {
        uint64_t eight = load_u64(p), quote = eight ^ '"' * ones, slash = eight ^ '\\' * ones;
        uint64_t stops = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((eight - 0x20 * ones) & ~eight);
        if (stops & tops) {
            int plain = __builtin_ctzll(stops & tops) / 8 * 8;
            if ((seen | (eight & (((uint64_t)1 << plain) - 1))) & tops) *is_ascii = false;
            return (size_t)(p - s) + (size_t)plain / 8;
        }
        seen |= eight;
    }
    for (; p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\'; p++) seen |= (unsigned char)*p;
    if (seen & tops) *is_ascii = false;
    return (size_t)(p - s);
}
#endif
