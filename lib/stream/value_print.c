/* Values to JSON text: numbers in the fewest digits that read back to the same double. */
#include "stream/value_layout.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What was written ends here. */
static void end_at(struct str *out, char *at)
{
    *at = 0;
    out->n = (size_t)(at - out->data);
}

void value_print_string(const char *s, size_t n, struct str *out)
{
    const char *end = s + n;
    bool is_ascii;

    str_add_char(out, '"');
    for (;; s++) {
        size_t plain = value_plain_length(s, end, &is_ascii);
        str_add_bytes(out, s, plain);
        s += plain;
        if (s == end) break;
        if (*s == '"' || *s == '\\') str_addf(out, "\\%c", *s);
        else if (*s == '\n') str_add(out, "\\n");
        else if (*s == '\t') str_add(out, "\\t");
        else str_addf(out, "\\u%04x", (unsigned char)*s);
    }
    str_add_char(out, '"');
}

/* Digits behind which %.15g has only zeros. */
static int count_digits(const char *text)
{
    int digits = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && !digits)) continue;
        digits++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return digits - zeros;
}

/* A decimal of up to 15 digits survives in a double of normal size, so the shortest one that reads back, if it is that
 * short, is that of 15 digits without its zeros. At least 6 are asked for, which only moves where exponents begin. */
static void print_real(double d, struct str *out)
{
    char text[40];
    int digits = 6;

    if (fabs(d) >= 1e-290) {
        snprintf(text, sizeof text, "%.15g", d);
        int shown = count_digits(text);
        digits = strtod(text, NULL) != d ? 16 : shown > 6 ? shown : 6;
    }
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    str_add(out, text);
    if (!strpbrk(text, ".e")) str_add(out, ".0"); /* stays a real when read back */
}

enum { INTEGER_MAX = 20, INTEGER_ROOM = INTEGER_MAX + 8 };
static const uint32_t eight_digits = 100000000;

/* Most of what is printed are tokens and units, of few digits: all eight at once, without a branch, and then those that
 * count. */
static inline char *print_small(uint32_t i, char *at)
{
    uint64_t four = i / 10000 | (uint64_t)(i % 10000) << 32;   /* abcd, efgh */
    uint64_t hundreds = ((four * 10486) >> 20) & 0x7f0000007f; /* each / 100 */
    uint64_t two = hundreds | (four - hundreds * 100) << 16;   /* ab, cd, ef, gh */
    uint64_t tens = ((two * 103) >> 10) & 0x0f000f000f000f, one = tens | (two - tens * 10) << 8;
    int zeros = one ? __builtin_ctzll(one) / 8 : 7;

    one = (one | '0' * 0x0101010101010101u) >> 8 * zeros;
    memcpy(at, &one, 8);
    return at + 8 - zeros;
}

/* at has INTEGER_ROOM. */
static char *print_large(int64_t i, char *at)
{
    uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    int digits = 1;

    if (i < 0) *at++ = '-';
    for (uint64_t power = 10; rest >= power; power *= 10) digits++; /* up to 10^19, which 64 bits hold */
    for (int k = digits; k-- > 1; rest /= 10) at[k] = (char)('0' + rest % 10);
    at[0] = (char)('0' + rest);
    return at + digits;
}

static inline char *print_integer(int64_t i, char *at)
{
    return i >= 0 && i < eight_digits ? print_small((uint32_t)i, at) : print_large(i, at);
}

static void print_number(const struct value *v, struct str *out)
{
    if (v->kind == VALUE_REAL) {
        print_real(v->d, out);
        return;
    }
    end_at(out, print_integer(v->i, str_room(out, INTEGER_ROOM)));
}

static void new_line(int indent, struct str *out)
{
    if (indent < 0) return;
    str_add_char(out, '\n');
    for (int i = 0; i < indent; i++) str_add(out, "  ");
}

static void print(const struct value *v, int indent, struct str *out);

/* How many of the numbers are whole ones before the first that is not, at most INTEGERS; these are printed with a comma
 * behind each. */
enum { INTEGERS = 64 };
static int64_t print_integers(const struct value *numbers, int64_t n, struct str *out)
{
    char *at = str_room(out, INTEGERS * (INTEGER_MAX + 1) + INTEGER_ROOM);
    int64_t i = 0;

    for (; i < n && i < INTEGERS && numbers[i].kind == VALUE_INT; i++) {
        at = print_integer(numbers[i].i, at);
        *at++ = ',';
    }
    end_at(out, at);
    return i;
}

static void print_numbers(const struct value_array *a, int indent, struct str *out)
{
    int64_t i = 0, n = indent < 0 ? a->head.n - 1 : 0, got; /* the last has no comma behind it */

    while (i < n && (got = print_integers(a->numbers + i, n - i, out))) i += got;
    for (bool first = true; i < a->head.n; i++, first = false) {
        if (!first) str_add_bytes(out, ", ", indent < 0 ? 1 : 2);
        print_number(&a->numbers[i], out);
    }
}

static void print_array(const struct value *v, int indent, struct str *out)
{
    const struct value_array *a = value_as_array(v);
    int inner = indent < 0 ? -1 : indent + 1;

    str_add_char(out, '[');
    if (a->numbers) print_numbers(a, indent, out);
    for (int64_t i = 0; i < a->head.n && a->at; i++) {
        if (i) str_add_char(out, ',');
        if (indent >= 0 && !value_is_number(a->at[i])) new_line(inner, out);
        else if (i && indent >= 0) str_add_char(out, ' ');
        print(a->at[i], inner, out);
    }
    if (a->head.n && a->at && !value_is_number(a->at[0])) new_line(indent, out);
    str_add_char(out, ']');
}

static void print_object(const struct value *v, int indent, struct str *out)
{
    const struct value_object *o = value_as_object(v);
    int inner = indent < 0 ? -1 : indent + 1;

    str_add_char(out, '{');
    for (int64_t i = 0; i < o->head.n; i++) {
        if (i) str_add_char(out, ',');
        new_line(inner, out);
        value_print_string(o->at[i].key, o->at[i].n, out);
        str_add_bytes(out, ": ", indent < 0 ? 1 : 2);
        print(o->at[i].value, inner, out);
    }
    if (o->head.n) new_line(indent, out);
    str_add_char(out, '}');
}

static void print(const struct value *v, int indent, struct str *out)
{
    switch (v->kind) {
    case VALUE_NULL:
        str_add(out, "null");
        break;
    case VALUE_FALSE:
        str_add(out, "false");
        break;
    case VALUE_TRUE:
        str_add(out, "true");
        break;
    case VALUE_INT:
    case VALUE_REAL:
        print_number(v, out);
        break;
    case VALUE_STRING:
        value_print_string(((const struct value_string *)v)->bytes, (size_t)v->n, out);
        break;
    case VALUE_ARRAY:
        print_array(v, indent, out);
        break;
    case VALUE_OBJECT:
        print_object(v, indent, out);
        break;
    }
}

void value_print(const struct value *v, struct str *out)
{
    print(v, -1, out);
}

void value_print_indented(const struct value *v, struct str *out)
{
    print(v, 0, out);
}

/* The digits of what tokens mostly are, so that a row of them is printed by copying. */
enum { WRITTEN = 1 << 16 };
static struct written {
    char digits[7];
    uint8_t n;
} written[WRITTEN];

static void write_all(void)
{
    for (uint32_t i = 0; i < WRITTEN; i++) {
        char at[8];
        written[i].n = (uint8_t)(print_small(i, at) - at);
        memcpy(written[i].digits, at, sizeof written[i].digits);
    }
}

/* at has 8 bytes. */
static inline char *print_token(uint32_t i, char *at)
{
    memcpy(at, &written[i], sizeof written[i]);
    return at + written[i].n;
}

/* One of both is NULL. Room is made for some numbers at a time, since for the longest ones it is more than most need.
 */
static inline void print_row(const int32_t *ints, const uint8_t *bytes, int64_t n, struct str *out)
{
    enum { AT_ONCE = 1024, INT_ROOM = 12, BYTE_ROOM = 4 };
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, write_all);
    str_add_char(out, '[');
    for (int64_t i = 0; i < n;) {
        int64_t to = n - i < AT_ONCE ? n : i + AT_ONCE;
        char *at = str_room(out, (size_t)(to - i) * (ints ? INT_ROOM : BYTE_ROOM) + INTEGER_ROOM);
        for (; i < to; i++) {
            if (ints && (uint32_t)ints[i] >= WRITTEN) at = print_integer(ints[i], at);
            else if (ints) at = print_token((uint32_t)ints[i], at);
            else if (bytes[i] < 10) *at++ = (char)('0' + bytes[i]);
            else at = print_token(bytes[i], at);
            *at++ = ',';
        }
        end_at(out, at);
    }
    out->n -= n > 0; /* the last comma */
    str_add_char(out, ']');
}

void value_print_ints(const int32_t *v, int64_t n, struct str *out)
{
    print_row(v, NULL, n, out);
}

void value_print_bytes(const uint8_t *v, int64_t n, struct str *out)
{
    print_row(NULL, v, n, out);
}
