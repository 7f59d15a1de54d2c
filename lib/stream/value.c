/* JSON values over jansson. Printing is ours: numbers in the fewest digits that read back to the same double. */
#include "stream/value.h"
#include "core/file.h"
#include "stream/limits.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *json(const struct value *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct value *wrap(json_t *j)
{
    return (struct value *)j;
}

/* jansson would recurse deeper than we want to: brackets are counted before it parses. */
static bool is_too_deep(const char *text, int64_t n)
{
    int depth = 0;
    bool in_string = false;

    for (int64_t i = 0; i < n; i++) {
        if (in_string) {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') in_string = false;
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > LIMIT_JSON_DEPTH) return true;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return false;
}

struct value *value_parse(const char *text, int64_t n, struct err *e)
{
    json_error_t why;

    if (is_too_deep(text, n)) {
        err_set(e, ERR_INPUT, "JSON nested more than %d deep", LIMIT_JSON_DEPTH);
        return NULL;
    }
    json_t *j = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    if (!j) err_set(e, ERR_INPUT, "bad JSON at byte %d: %s", why.position, why.text);
    return wrap(j);
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

void value_free(struct value *v)
{
    json_decref(json(v));
}

struct value *value_copy(const struct value *v)
{
    return wrap(json_deep_copy(json(v)));
}

static void print_string(const char *s, size_t n, struct str *out)
{
    str_add_char(out, '"');
    for (size_t i = 0, from = 0; i <= n; i++) {
        bool is_plain = i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\';
        if (is_plain) continue;
        str_add_bytes(out, s + from, i - from);
        from = i + 1;
        if (i == n) break;
        if (s[i] == '"' || s[i] == '\\') str_addf(out, "\\%c", s[i]);
        else if (s[i] == '\n') str_add(out, "\\n");
        else if (s[i] == '\t') str_add(out, "\\t");
        else str_addf(out, "\\u%04x", (unsigned char)s[i]);
    }
    str_add_char(out, '"');
}

static void print_real(double d, struct str *out)
{
    char text[40];

    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    str_add(out, text);
    if (!strpbrk(text, ".e")) str_add(out, ".0"); /* stays a real when read back */
}

/* Most of what is printed are tokens: ten times the speed of printf(). */
static void print_integer(int64_t i, struct str *out)
{
    char text[20];
    int at = sizeof text;
    uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

    do text[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (i < 0) text[--at] = '-';
    str_add_bytes(out, text + at, sizeof text - (size_t)at);
}

static void new_line(int indent, struct str *out)
{
    if (indent < 0) return;
    str_add_char(out, '\n');
    for (int i = 0; i < indent; i++) str_add(out, "  ");
}

static void print(json_t *j, int indent, struct str *out)
{
    int inner = indent < 0 ? -1 : indent + 1;
    const char *key;
    json_t *v;
    size_t i, n = 0;

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        str_add_char(out, '{');
        json_object_foreach(j, key, v)
        {
            if (n++) str_add_char(out, ',');
            new_line(inner, out);
            print_string(key, strlen(key), out);
            str_add(out, indent < 0 ? ":" : ": ");
            print(v, inner, out);
        }
        if (n) new_line(indent, out);
        str_add_char(out, '}');
        break;
    case JSON_ARRAY:
        str_add_char(out, '[');
        json_array_foreach(j, i, v)
        {
            if (i) str_add_char(out, ',');
            if (indent >= 0 && !json_is_number(v)) new_line(inner, out);
            else if (i && indent >= 0) str_add_char(out, ' ');
            print(v, inner, out);
        }
        if (json_array_size(j) && !json_is_number(json_array_get(j, 0))) new_line(indent, out);
        str_add_char(out, ']');
        break;
    case JSON_STRING:
        print_string(json_string_value(j), json_string_length(j), out);
        break;
    case JSON_INTEGER:
        print_integer(json_integer_value(j), out);
        break;
    case JSON_REAL:
        print_real(json_real_value(j), out);
        break;
    case JSON_TRUE:
        str_add(out, "true");
        break;
    case JSON_FALSE:
        str_add(out, "false");
        break;
    case JSON_NULL:
        str_add(out, "null");
        break;
    }
}

void value_print(const struct value *v, struct str *out)
{
    print(json(v), -1, out);
}

void value_print_indented(const struct value *v, struct str *out)
{
    print(json(v), 0, out);
}

struct value *value_object(void)
{
    return wrap(json_object());
}

struct value *value_array(void)
{
    return wrap(json_array());
}

struct value *value_strn(const char *s, int64_t n)
{
    return wrap(json_stringn(s, (size_t)n));
}

struct value *value_str(const char *s)
{
    return wrap(json_string(s));
}

struct value *value_int(int64_t i)
{
    return wrap(json_integer(i));
}

struct value *value_real(double d)
{
    if (isnan(d)) return value_str("nan");
    if (isinf(d)) return value_str(d > 0 ? "inf" : "-inf");
    return wrap(json_real(d));
}

struct value *value_bool(bool b)
{
    return wrap(json_boolean(b));
}

void value_set(struct value *object, const char *key, struct value *v)
{
    json_object_set_new(json(object), key, json(v));
}

void value_drop(struct value *object, const char *key)
{
    json_object_del(json(object), key);
}

void value_push(struct value *array, struct value *v)
{
    json_array_append_new(json(array), json(v));
}

struct value *value_ints(const int32_t *v, int64_t n)
{
    struct value *a = value_array();

    for (int64_t i = 0; i < n; i++) value_push(a, value_int(v[i]));
    return a;
}

struct value *value_reals(const float *v, int64_t n)
{
    struct value *a = value_array();

    for (int64_t i = 0; i < n; i++) value_push(a, value_real(v[i]));
    return a;
}

struct value *value_get(const struct value *object, const char *key)
{
    return wrap(json_object_get(json(object), key));
}

struct value *value_at(const struct value *array, int64_t i)
{
    return wrap(json_array_get(json(array), (size_t)i));
}

int64_t value_count(const struct value *v)
{
    return (int64_t)(json_is_array(json(v)) ? json_array_size(json(v)) : json_object_size(json(v)));
}

const char *value_key(const struct value *object, int64_t i, struct value **v)
{
    const char *key;
    json_t *member;

    json_object_foreach(json(object), key, member)
    {
        if (i--) continue;
        if (v) *v = wrap(member);
        return key;
    }
    return NULL;
}

bool value_next(const struct value *object, struct value_iter *it)
{
    it->at = it->at ? json_object_iter_next(json(object), it->at) : json_object_iter(json(object));
    if (!it->at) return false;
    it->key = json_object_iter_key(it->at);
    it->value = wrap(json_object_iter_value(it->at));
    return true;
}

bool value_is_string(const struct value *v)
{
    return json_is_string(json(v));
}

bool value_is_int(const struct value *v)
{
    return json_is_integer(json(v));
}

bool value_is_number(const struct value *v)
{
    return json_is_number(json(v));
}

bool value_is_array(const struct value *v)
{
    return json_is_array(json(v));
}

bool value_is_object(const struct value *v)
{
    return json_is_object(json(v));
}

bool value_is_null(const struct value *v)
{
    return json_is_null(json(v));
}

bool value_is_true(const struct value *v)
{
    return json_is_true(json(v));
}

const char *value_text(const struct value *v, int64_t *n)
{
    if (n) *n = (int64_t)json_string_length(json(v));
    return json_string_value(json(v));
}

int64_t value_integer(const struct value *v)
{
    return json_integer_value(json(v));
}

double value_number(const struct value *v)
{
    return json_number_value(json(v));
}

static int wanted(const char *key, const struct value *v, const char *what, struct err *e)
{
    if (!v) return err_set(e, ERR_INPUT, "no \"%s\" (%s was expected)", key, what);
    return err_set(e, ERR_INPUT, "\"%s\" is not %s", key, what);
}

int value_get_string(const struct value *o, const char *key, const char **out, struct err *e)
{
    const struct value *v = value_get(o, key);

    if (!value_is_string(v)) return wanted(key, v, "a string", e);
    *out = value_text(v, NULL);
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

    if (!json_is_boolean(json(v))) return wanted(key, v, "true or false", e);
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

    return !v || json_is_null(json(v));
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
