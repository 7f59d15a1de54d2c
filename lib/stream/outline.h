#ifndef STREAM_OUTLINE_H
#define STREAM_OUTLINE_H
#include "core/str.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Where the values of a line of JSON lie, without a tree of them: for programs that add to a line and leave the rest of
 * it as it is, or only read it. Only a line that value_print() would write in the same bytes has an outline, and no
 * reals. Zero is a valid empty outline, and can be read into again and again. */
enum outline_kind {
    OUTLINE_WORD, /* true, false, or a real */
    OUTLINE_NULL,
    OUTLINE_INTEGER,
    OUTLINE_STRING,
    OUTLINE_ARRAY,
    OUTLINE_OBJECT,
};
struct outline_node {
    enum outline_kind kind;
    uint32_t key, key_n; /* of a member: where its key lies, without quotes */
    uint32_t place;      /* of an entry: how many are before it in its array */
    uint32_t at, end;    /* the bytes of the value, a string's quotes among them */
    uint32_t n;          /* entries or members */
    uint32_t next;       /* node behind this one and all that is in it */
    bool is_escaped;     /* a string with escapes */
};
struct outline {
    const char *line; /* borrowed */
    size_t length;
    struct outline_node *at; /* [n] at[0] is the whole; a container's nodes follow it. Numbers in arrays have none */
    int64_t n, cap;
};

/* What is known of a line, or asked of it. */
enum outline_form {
    OUTLINE_SAME,    /* value_print() would write it in the same bytes */
    OUTLINE_SPACED,  /* but for white space between values: for those that only read */
    OUTLINE_PRINTED, /* value_print() wrote it, so it has an outline, with reals, too */
};
/* False for a line without an outline, which may well be JSON. */
bool outline_read(struct outline *o, const char *line, size_t n, enum outline_form form);
void outline_release(struct outline *o);

/* The member of an object by its key as value_print() writes it, without quotes; or NULL. */
static inline const struct outline_node *outline_member(const struct outline *o, const struct outline_node *object,
                                                        const char *key, size_t n)
{
    for (const struct outline_node *m = object + 1; m < o->at + object->next; m = o->at + m->next) {
        if (m->key_n == n && !memcmp(o->line + m->key, key, n)) return m;
    }
    return NULL;
}
/* By its key as it is. */
const struct outline_node *outline_get(const struct outline *o, const struct outline_node *object, const char *key);
/* The string's n bytes, which for one with escapes are put into room; borrowed. */
const char *outline_text(const struct outline *o, const struct outline_node *string, struct str *room, size_t *n);
#endif
