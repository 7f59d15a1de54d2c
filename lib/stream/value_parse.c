/* JSON text to values (RFC 8259), strictly: no duplicate keys, no lone surrogates, no numbers that int64 or double
 * cannot hold, UTF-8 only. Ours because streams are as fast as this is: strings are looked at eight bytes at a time and
 * arrays of numbers become one block. */
#include "core/mem.h"
#include "stream/limits.h"
#include "stream/value_layout.h"
#include <math.h>
#include <stdlib.h>

struct parser {
    const char *start, *at, *end;
    int depth;
    struct str text; /* of strings with escapes */
    struct err *e;
};

static int refuse(const struct parser *p, const char *what)
{
    return err_set(p->e, ERR_INPUT, "bad JSON at byte %lld: %s", (long long)(p->at - p->start), what);
}

/* The next character behind white space; 0 at the end, which is also what a NUL, never right there, gives. */
static char peek(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')) p->at++;
    return p->at < p->end ? *p->at : 0;
}

/* ---- strings ---- */

static int read_hex(struct parser *p, uint32_t *code)
{
    *code = 0;
    if (p->end - p->at < 4) return refuse(p, "four hexadecimal digits were expected behind \\u");
    for (int i = 0; i < 4; i++, p->at++) {
        char c = *p->at, low = (char)(c | 0x20);
        if (c >= '0' && c <= '9') *code = *code << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f') *code = *code << 4 | (uint32_t)(low - 'a' + 10);
        else return refuse(p, "four hexadecimal digits were expected behind \\u");
    }
    return 0;
}

static int read_unicode(struct parser *p)
{
    uint32_t code, second = 0;
    char utf8[4];

    if (read_hex(p, &code)) return -1;
    bool is_first = code >= 0xd800 && code < 0xdc00;
    if (is_first && p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'u') {
        p->at += 2;
        if (read_hex(p, &second)) return -1;
    }
    if (is_first && second >= 0xdc00 && second < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
    else if (is_first || (code >= 0xdc00 && code < 0xe000)) return refuse(p, "half of a surrogate pair");
    str_add_bytes(&p->text, utf8, (size_t)utf8_encode(code, utf8));
    return 0;
}

static int read_escape(struct parser *p)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

    p->at++;
    char c = p->at < p->end ? *p->at : 0;
    const char *found = c ? strchr(escapes, c) : NULL;
    if (!found && c != 'u') return refuse(p, "an unknown escape");
    p->at++;
    if (!found) return read_unicode(p);
    str_add_char(&p->text, meant[found - escapes]);
    return 0;
}

/* The string at the opening quote: *s, *n until the next string is read. */
static int read_string(struct parser *p, const char **s, size_t *n)
{
    bool is_ascii = true, is_whole = true;
    size_t plain;

    for (p->at++;; is_whole = false) {
        *s = p->at;
        plain = value_plain_length(p->at, p->end, &is_ascii);
        p->at += plain;
        if (p->at == p->end) return refuse(p, "a string without its end");
        if (is_whole && *p->at == '"') break;
        if (is_whole) str_clear(&p->text);
        str_add_bytes(&p->text, *s, plain);
        if (*p->at == '"') break;
        if (*p->at != '\\') return refuse(p, "a control character in a string");
        if (read_escape(p)) return -1;
    }
    if (is_whole) *n = plain;
    else *s = str_c(&p->text), *n = p->text.n;
    if (!is_ascii && !utf8_valid(*s, *n)) return refuse(p, "a string that is not UTF-8");
    p->at++;
    return 0;
}

/* ---- numbers ---- */

struct decimal {
    uint64_t digits; /* all of them, as long as is_exact */
    int64_t scale;   /* value = digits * 10^scale */
    bool is_exact;
};

static bool read_digits(struct parser *p, struct decimal *d)
{
    const char *from = p->at;

    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (d->digits > (UINT64_MAX - 9) / 10) d->is_exact = false;
        d->digits = d->digits * 10 + (uint64_t)(*p->at - '0');
    }
    return p->at > from;
}

/* Where digits and power of ten are doubles themselves, one operation rounds rightly (Clinger 1990); else strtod(). */
static int read_real(struct parser *p, const char *from, const struct decimal *d, bool is_negative, struct value *out)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    double real;

    if (d->is_exact && d->digits < (uint64_t)1 << 53 && d->scale >= -22 && d->scale <= 22) {
        real = (double)d->digits;
        real = d->scale < 0 ? real / powers[-d->scale] : real * powers[d->scale];
        if (is_negative) real = -real;
    } else {
        str_clear(&p->text);
        str_add_bytes(&p->text, from, (size_t)(p->at - from));
        real = strtod(p->text.data, NULL);
        if (isinf(real)) return refuse(p, "a number beyond the range of doubles");
    }
    *out = (struct value){ .kind = VALUE_REAL, .d = real };
    return 0;
}

static int read_integer(struct parser *p, const struct decimal *d, bool is_negative, struct value *out)
{
    if (!d->is_exact || d->digits > (uint64_t)INT64_MAX + is_negative)
        return refuse(p, "a whole number beyond the range of 64 bits");
    *out = (struct value){ .kind = VALUE_INT, .i = (int64_t)(is_negative ? 0 - d->digits : d->digits) };
    return 0;
}

static int read_number(struct parser *p, struct value *out)
{
    const char *from = p->at;
    struct decimal d = { .is_exact = true }, exponent = { .is_exact = true };
    bool is_negative = *p->at == '-', is_real = false;

    p->at += is_negative;
    const char *first = p->at;
    if (!read_digits(p, &d) || (*first == '0' && p->at - first > 1)) return refuse(p, "not a number");
    if (p->at < p->end && *p->at == '.') {
        const char *point = p->at++;
        if (!read_digits(p, &d)) return refuse(p, "digits were expected behind the point");
        d.scale = -(p->at - point - 1);
        is_real = true;
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        bool is_small = p->at < p->end && *p->at == '-';
        if (p->at < p->end && (*p->at == '-' || *p->at == '+')) p->at++;
        if (!read_digits(p, &exponent)) return refuse(p, "digits were expected in the exponent");
        if (exponent.digits > 1000) exponent.is_exact = false;
        d.is_exact = d.is_exact && exponent.is_exact;
        if (exponent.is_exact) d.scale += is_small ? -(int64_t)exponent.digits : (int64_t)exponent.digits;
        is_real = true;
    }
    return is_real ? read_real(p, from, &d, is_negative, out) : read_integer(p, &d, is_negative, out);
}

/* ---- values ---- */

static struct value *read_value(struct parser *p);

static bool starts_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

static int read_entries(struct parser *p, struct value *array)
{
    struct value_array *a = value_as_array(array);
    struct value number, *entry;

    if (peek(p) == ']') return p->at++, 0;
    for (;;) {
        if (!a->at && starts_number(peek(p))) {
            if (read_number(p, &number)) return -1;
            value_push_number(a, number);
        } else {
            if (!(entry = read_value(p))) return -1;
            value_push(array, entry);
        }
        char c = peek(p);
        if (c != ',' && c != ']') return refuse(p, "',' or ']' was expected");
        p->at++;
        if (c == ']') return 0;
    }
}

static int read_members(struct parser *p, struct value_object *o)
{
    if (peek(p) == '}') return p->at++, 0;
    for (;;) {
        const char *key;
        char room[64], *copy = room;
        size_t n;
        if (peek(p) != '"') return refuse(p, "a string was expected as key");
        if (read_string(p, &key, &n)) return -1;
        if (memchr(key, 0, n)) return refuse(p, "a NUL in a key");
        if (key == p->text.data) { /* the value may need that */
            copy = n < sizeof room ? room : mem_alloc(n, 1);
            memcpy(copy, key, n);
            key = copy;
        }
        struct value *v = peek(p) == ':' ? (p->at++, read_value(p)) : (refuse(p, "':' was expected"), NULL);
        bool is_new = v && value_add_member(o, key, n, v);
        if (copy != room) free(copy);
        if (!v) return -1;
        if (!is_new) {
            value_free(v);
            return refuse(p, "the same key twice in one object");
        }
        char c = peek(p);
        if (c != ',' && c != '}') return refuse(p, "',' or '}' was expected");
        p->at++;
        if (c == '}') return 0;
    }
}

static struct value *read_container(struct parser *p, bool is_array)
{
    if (p->depth == LIMIT_JSON_DEPTH) {
        err_set(p->e, ERR_INPUT, "JSON nested more than %d deep", LIMIT_JSON_DEPTH);
        return NULL;
    }
    struct value *v = is_array ? value_array() : value_object();
    p->depth++;
    p->at++;
    int rc = is_array ? read_entries(p, v) : read_members(p, value_as_object(v));
    p->depth--;
    if (!rc) return v;
    value_free(v);
    return NULL;
}

static struct value *read_word(struct parser *p)
{
    static const char *const words[] = { [VALUE_NULL] = "null", [VALUE_FALSE] = "false", [VALUE_TRUE] = "true" };

    for (int i = VALUE_NULL; i <= VALUE_TRUE; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(p->end - p->at) < n || memcmp(p->at, words[i], n)) continue;
        p->at += n;
        struct value *v = mem_new(struct value, 1);
        v->kind = (enum value_kind)i;
        return v;
    }
    bool is_mark = p->end - p->at >= 3 && !memcmp(p->at, "\xef\xbb\xbf", 3);
    refuse(p, p->at == p->end ? "ends where a value was expected"
              : is_mark       ? "a byte-order mark (plain UTF-8 was expected)"
                              : "a value was expected");
    return NULL;
}

static struct value *read_value(struct parser *p)
{
    char c = peek(p);
    struct value number, *v;
    const char *s;
    size_t n;

    if (c == '"') return read_string(p, &s, &n) ? NULL : value_string_new(s, (int64_t)n);
    if (c == '[' || c == '{') return read_container(p, c == '[');
    if (!starts_number(c)) return read_word(p);
    if (read_number(p, &number)) return NULL;
    v = mem_new(struct value, 1);
    *v = number;
    return v;
}

struct value *value_parse(const char *text, int64_t n, struct err *e)
{
    struct parser p = { .start = text, .at = text, .end = text + n, .e = e };
    struct value *v = read_value(&p);

    peek(&p);
    if (v && p.at < p.end) {
        refuse(&p, "more behind the value");
        value_free(v);
        v = NULL;
    }
    str_release(&p.text);
    return v;
}

/* ---- one value at a time ---- */

static int visit_value(struct parser *p, const char *key, int64_t number, value_visit *visit, void *arg)
{
    struct value *v = read_value(p);
    int rc = v ? visit(arg, key, number, v, p->e) : -1;

    value_free(v);
    return rc;
}

static int walk_elements(struct parser *p, const char *key, value_visit *visit, void *arg)
{
    p->at++;
    if (visit(arg, key, 0, NULL, p->e)) return -1;
    if (peek(p) == ']') return p->at++, 0;
    for (int64_t number = 1;; number++) {
        if (visit_value(p, key, number, visit, arg)) return -1;
        char c = peek(p);
        if (c != ',' && c != ']') return refuse(p, "',' or ']' was expected");
        p->at++;
        if (c == ']') return 0;
    }
}

/* One member; the keys before it are in `seen`. */
static int walk_member(struct parser *p, struct value *seen, value_visit *visit, void *arg)
{
    const char *s;
    size_t n;

    if (peek(p) != '"') return refuse(p, "a string was expected as key");
    if (read_string(p, &s, &n)) return -1;
    if (memchr(s, 0, n)) return refuse(p, "a NUL in a key");
    char *key = mem_strndup(s, n); /* values may need the parser's own room */
    struct value *known = value_bool(true);
    int rc = value_add_member(value_as_object(seen), key, n, known) ? 0 : -1;
    if (rc) value_free(known);
    if (rc) refuse(p, "the same key twice in one object");
    else if (peek(p) != ':') rc = refuse(p, "':' was expected");
    else p->at++;
    if (!rc) rc = peek(p) == '[' ? walk_elements(p, key, visit, arg) : visit_value(p, key, 0, visit, arg);
    free(key);
    return rc;
}

int value_walk(const char *text, int64_t n, value_visit *visit, void *arg, struct err *e)
{
    struct parser p = { .start = text, .at = text, .end = text + n, .e = e };
    struct value *seen = value_object();
    int rc = peek(&p) == '{' ? 0 : refuse(&p, "an object was expected");
    char c = 0;

    p.at += !rc;
    if (!rc && peek(&p) == '}') c = *p.at++;
    while (!rc && c != '}') {
        if (!(rc = walk_member(&p, seen, visit, arg))) c = peek(&p);
        if (!rc && c != ',' && c != '}') rc = refuse(&p, "',' or '}' was expected");
        p.at += !rc;
    }
    peek(&p);
    if (!rc && p.at < p.end) rc = refuse(&p, "more behind the value");
    value_free(seen);
    str_release(&p.text);
    return rc;
}
