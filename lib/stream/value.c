/* JSON values: making them, looking into them. */
#include "core/file.h"
#include "core/mem.h"
#include "stream/limits.h"
#include "stream/value_layout.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static struct value *scalar(struct value v)
{
    struct value *fresh = mem_alloc(1, sizeof *fresh);

    *fresh = v;
    return fresh;
}

struct value *value_load(const char *path, struct err *e)
{
    size_t n;
    char *text = file_load(path, LIMIT_JSON_FILE, &n, e);
    struct value *v = text ? value_parse(text, (int64_t)n, e) : NULL;

    if (text && !v) err_in(e, "%s", path);
    free(text);
    return v;
}

int value_save(const struct value *v, const char *path, struct err *e)
{
    struct str text = { 0 };

    value_print_indented(v, &text);
    str_add_char(&text, '\n');
    int rc = out_save(path, text.data, text.n, e);
    str_release(&text);
    return rc;
}

void value_free(struct value *v)
{
    struct value_array *a = value_as_array(v);
    struct value_object *o = value_as_object(v);

    if (a) {
        for (int64_t i = 0; i < a->head.n && a->at; i++) value_free(a->at[i]);
        free(a->at);
        free(a->numbers);
    }
    if (o) {
        for (int64_t i = 0; i < o->head.n; i++) {
            free(o->at[i].key);
            value_free(o->at[i].value);
        }
        free(o->at);
        map_release(&o->index);
    }
    free(v);
}

struct value *value_copy(const struct value *v)
{
    const struct value_array *a = value_as_array(v);
    const struct value_object *o = value_as_object(v);

    if (!v) return NULL;
    if (v->kind == VALUE_STRING) return value_string_new(((const struct value_string *)v)->bytes, v->n);
    if (!a && !o) return scalar(*v);
    struct value *copy = a ? value_array() : value_object();
    for (int64_t i = 0; a && i < a->head.n; i++) {
        if (a->numbers) value_push_number(value_as_array(copy), a->numbers[i]);
        else value_push(copy, value_copy(a->at[i]));
    }
    for (int64_t i = 0; o && i < o->head.n; i++)
        value_add_member(value_as_object(copy), o->at[i].key, o->at[i].n, value_copy(o->at[i].value));
    return copy;
}

/* ---- making ---- */

struct value *value_object(void)
{
    struct value_object *o = mem_new(struct value_object, 1);

    o->head.kind = VALUE_OBJECT;
    return &o->head;
}

struct value *value_array(void)
{
    struct value_array *a = mem_new(struct value_array, 1);

    a->head.kind = VALUE_ARRAY;
    return &a->head;
}

struct value *value_string_new(const char *s, int64_t n)
{
    struct value_string *v = mem_alloc(sizeof *v + (size_t)n + 1, 1);

    v->head = (struct value){ .kind = VALUE_STRING, .n = n };
    if (n) memcpy(v->bytes, s, (size_t)n);
    v->bytes[n] = 0;
    return &v->head;
}

struct value *value_strn(const char *s, int64_t n)
{
    return utf8_valid(s, (size_t)n) ? value_string_new(s, n) : NULL;
}

struct value *value_str(const char *s)
{
    return value_strn(s, (int64_t)strlen(s));
}

struct value *value_int(int64_t i)
{
    return scalar((struct value){ .kind = VALUE_INT, .i = i });
}

struct value *value_real(double d)
{
    if (isnan(d)) return value_str("nan");
    if (isinf(d)) return value_str(d > 0 ? "inf" : "-inf");
    return scalar((struct value){ .kind = VALUE_REAL, .d = d });
}

struct value *value_bool(bool b)
{
    return scalar((struct value){ .kind = b ? VALUE_TRUE : VALUE_FALSE });
}

static struct value_member *find_member(const struct value_object *o, const char *key, size_t n)
{
    if (o->index.n) {
        const int64_t *at = map_find(&o->index, key, n);
        return at ? &o->at[*at] : NULL;
    }
    for (int64_t i = 0; i < o->head.n; i++) {
        if (o->at[i].n == n && !memcmp(o->at[i].key, key, n)) return &o->at[i];
    }
    return NULL;
}

static void index_members(struct value_object *o)
{
    map_release(&o->index);
    for (int64_t i = 0; i < o->head.n; i++) *map_put(&o->index, o->at[i].key, o->at[i].n, NULL) = i;
}

static void append_member(struct value_object *o, const char *key, size_t n, struct value *v)
{
    int64_t i = o->head.n++;

    mem_reserve(&o->at, &o->cap, o->head.n);
    o->at[i] = (struct value_member){ mem_strndup(key, n), n, v };
    if (o->index.n) *map_put(&o->index, key, n, NULL) = i;
    else if (o->head.n > VALUE_INDEXED) index_members(o);
}

bool value_add_member(struct value_object *o, const char *key, size_t n, struct value *v)
{
    if (find_member(o, key, n)) return false;
    append_member(o, key, n, v);
    return true;
}

void value_set(struct value *object, const char *key, struct value *v)
{
    struct value_object *o = value_as_object(object);

    if (!o || !v) {
        value_free(v);
        return;
    }
    struct value_member *m = find_member(o, key, strlen(key));
    if (!m) {
        append_member(o, key, strlen(key), v);
        return;
    }
    if (m->value != v) value_free(m->value);
    m->value = v;
}

void value_drop(struct value *object, const char *key)
{
    struct value_object *o = value_as_object(object);
    struct value_member *m = o ? find_member(o, key, strlen(key)) : NULL;

    if (!m) return;
    free(m->key);
    value_free(m->value);
    memmove(m, m + 1, (size_t)(o->at + o->head.n - m - 1) * sizeof *m);
    o->head.n--;
    if (o->index.n) index_members(o);
}

/* From one block of numbers to values of their own. */
static void separate(struct value_array *a)
{
    mem_reserve(&a->at, &a->cap, a->head.n);
    for (int64_t i = 0; i < a->head.n; i++) a->at[i] = scalar(a->numbers[i]);
    free(a->numbers);
    a->numbers = NULL;
}

void value_push_number(struct value_array *a, struct value number)
{
    mem_reserve(&a->numbers, &a->cap, a->head.n + 1);
    a->numbers[a->head.n++] = number;
}

void value_push(struct value *array, struct value *v)
{
    struct value_array *a = value_as_array(array);

    if (!a || !v) {
        value_free(v);
        return;
    }
    if (!a->at && value_is_number(v)) {
        value_push_number(a, *v);
        free(v);
        return;
    }
    if (a->numbers) {
        a->cap = 0;
        separate(a);
    }
    mem_reserve(&a->at, &a->cap, a->head.n + 1);
    a->at[a->head.n++] = v;
}

struct value *value_ints(const int32_t *v, int64_t n)
{
    struct value_array *a = value_as_array(value_array());

    mem_reserve(&a->numbers, &a->cap, n);
    a->head.n = n;
    for (int64_t i = 0; i < n; i++) a->numbers[i] = (struct value){ .kind = VALUE_INT, .i = v[i] };
    return &a->head;
}

struct value *value_reals(const float *v, int64_t n)
{
    struct value *a = value_array();

    for (int64_t i = 0; i < n; i++) value_push(a, value_real(v[i]));
    return a;
}

/* ---- looking ---- */

struct value *value_get(const struct value *object, const char *key)
{
    const struct value_object *o = value_as_object(object);
    const struct value_member *m = o ? find_member(o, key, strlen(key)) : NULL;

    return m ? m->value : NULL;
}

struct value *value_at(const struct value *array, int64_t i)
{
    const struct value_array *a = value_as_array(array);

    if (!a || i < 0 || i >= a->head.n) return NULL;
    return a->numbers ? &a->numbers[i] : a->at[i];
}

int64_t value_count(const struct value *v)
{
    return v && (v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT) ? v->n : 0;
}

const char *value_key(const struct value *object, int64_t i, struct value **v)
{
    const struct value_object *o = value_as_object(object);

    if (!o || i < 0 || i >= o->head.n) return NULL;
    if (v) *v = o->at[i].value;
    return o->at[i].key;
}

bool value_next(const struct value *object, struct value_iter *it)
{
    it->key = value_key(object, it->next, &it->value);
    it->next += it->key != NULL;
    return it->key;
}

static bool is_kind(const struct value *v, enum value_kind kind)
{
    return v && v->kind == kind;
}

bool value_is_string(const struct value *v)
{
    return is_kind(v, VALUE_STRING);
}

bool value_is_int(const struct value *v)
{
    return is_kind(v, VALUE_INT);
}

bool value_is_number(const struct value *v)
{
    return is_kind(v, VALUE_INT) || is_kind(v, VALUE_REAL);
}

bool value_is_array(const struct value *v)
{
    return is_kind(v, VALUE_ARRAY);
}

bool value_is_object(const struct value *v)
{
    return is_kind(v, VALUE_OBJECT);
}

bool value_is_null(const struct value *v)
{
    return is_kind(v, VALUE_NULL);
}

bool value_is_true(const struct value *v)
{
    return is_kind(v, VALUE_TRUE);
}

static bool value_is_bool(const struct value *v)
{
    return is_kind(v, VALUE_TRUE) || is_kind(v, VALUE_FALSE);
}

const char *value_text(const struct value *v, int64_t *n)
{
    const char *text = value_is_string(v) ? ((const struct value_string *)v)->bytes : NULL;

    if (n) *n = text ? v->n : 0;
    return n || !text || !memchr(text, 0, (size_t)v->n) ? text : NULL;
}

int64_t value_integer(const struct value *v)
{
    return value_is_int(v) ? v->i : 0;
}

double value_number(const struct value *v)
{
    return is_kind(v, VALUE_REAL) ? v->d : (double)value_integer(v);
}

/* ---- typed members ---- */

static int wanted(const char *key, const struct value *v, const char *what, struct err *e)
{
    if (!v) return err_set(e, ERR_INPUT, "no \"%s\" (%s was expected)", key, what);
    return err_set(e, ERR_INPUT, "\"%s\" is not %s", key, what);
}

int value_get_string(const struct value *o, const char *key, const char **out, struct err *e)
{
    const struct value *v = value_get(o, key);

    if (!value_is_string(v)) return wanted(key, v, "a string", e);
    const char *text = value_text(v, NULL);
    if (!text) return err_set(e, ERR_INPUT, "\"%s\": holds the character 0", key);
    *out = text;
    return 0;
}

int value_get_int(const struct value *o, const char *key, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    const struct value *v = value_get(o, key);

    if (!value_is_int(v)) return wanted(key, v, "a whole number", e);
    int64_t i = value_integer(v);
    if (i < min || i > max)
        return err_set(e, ERR_INPUT, "\"%s\" is %" PRId64 " (from %" PRId64 " to %" PRId64 " was expected)", key, i,
                       min, max);
    *out = i;
    return 0;
}

int value_get_real(const struct value *o, const char *key, double min, double max, double *out, struct err *e)
{
    const struct value *v = value_get(o, key);

    if (!value_is_number(v)) return wanted(key, v, "a number", e);
    double d = value_number(v);
    if (!(d >= min && d <= max))
        return err_set(e, ERR_INPUT, "\"%s\" is %g (from %g to %g was expected)", key, d, min, max);
    *out = d;
    return 0;
}

int value_get_bool(const struct value *o, const char *key, bool *out, struct err *e)
{
    const struct value *v = value_get(o, key);

    if (!value_is_bool(v)) return wanted(key, v, "true or false", e);
    *out = value_is_true(v);
    return 0;
}

int value_get_array(const struct value *o, const char *key, struct value **out, struct err *e)
{
    *out = value_get(o, key);
    return value_is_array(*out) ? 0 : wanted(key, *out, "an array", e);
}

int value_get_object(const struct value *o, const char *key, struct value **out, struct err *e)
{
    *out = value_get(o, key);
    return value_is_object(*out) ? 0 : wanted(key, *out, "an object", e);
}

static bool is_absent(const struct value *o, const char *key)
{
    const struct value *v = value_get(o, key);

    return !v || value_is_null(v);
}

int value_opt_string(const struct value *o, const char *key, const char **out, struct err *e)
{
    return is_absent(o, key) ? 0 : value_get_string(o, key, out, e);
}

int value_opt_int(const struct value *o, const char *key, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    return is_absent(o, key) ? 0 : value_get_int(o, key, min, max, out, e);
}

int value_opt_real(const struct value *o, const char *key, double min, double max, double *out, struct err *e)
{
    return is_absent(o, key) ? 0 : value_get_real(o, key, min, max, out, e);
}

int value_opt_bool(const struct value *o, const char *key, bool *out, struct err *e)
{
    return is_absent(o, key) ? 0 : value_get_bool(o, key, out, e);
}
