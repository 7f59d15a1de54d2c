/* The outline of a line: there is one only of JSON that would be printed the same (but for white space, when that is
 * allowed), always one of what was printed, and what it finds is what the parsed record has. */
#include "stream/outline.h"
#include "stream/value.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool is_so)
{
    if (!is_so) abort();
}

static void compare(const struct outline *o, const struct outline_node *x, const struct value *v, struct str *room)
{
    int64_t length;
    size_t n;
    const char *text = value_text(v, &length);

    must((x->kind == OUTLINE_STRING) == value_is_string(v) && (x->kind == OUTLINE_ARRAY) == value_is_array(v));
    must((x->kind == OUTLINE_OBJECT) == value_is_object(v) && (x->kind == OUTLINE_NULL) == value_is_null(v));
    must((x->kind == OUTLINE_INTEGER) == value_is_int(v) && x->n == value_count(v));
    if (text) {
        const char *found = outline_text(o, x, room, &n);
        must(n == (size_t)length && !memcmp(found, text, n));
    }
    const struct outline_node *next = x + 1, *end = o->at + x->next;
    for (int64_t i = 0; i < value_count(v); i++) {
        struct value *entry = value_at(v, i);
        if (value_is_object(v)) value_key(v, i, &entry);
        else if (value_is_number(entry)) continue;
        must(next < end && (value_is_object(v) || next->place == i));
        compare(o, next, entry, room);
        next = o->at + next->next;
    }
    must(next == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct outline o = { 0 };
    struct str printed = { 0 }, room = { 0 };
    struct err e = { 0 };
    struct value *v = value_parse((const char *)data, (int64_t)n, &e);
    bool is_same = false;

    if (v) {
        value_print(v, &printed);
        must(outline_read(&o, printed.data, printed.n, OUTLINE_PRINTED));
        compare(&o, o.at, v, &room);
        is_same = printed.n == n && !memcmp(printed.data, data, n);
    }
    bool is_found = outline_read(&o, (const char *)data, n, OUTLINE_SAME);
    must(!is_found || is_same);
    if (outline_read(&o, (const char *)data, n, OUTLINE_SPACED)) compare(&o, o.at, v, &room);
    else must(!is_found);
    outline_release(&o);
    str_release(&printed);
    str_release(&room);
    value_free(v);
    return 0;
}
