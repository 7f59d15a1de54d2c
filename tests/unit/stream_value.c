/* JSON values: what is read, what is refused and where, what is printed; arrays and objects as they grow. */
#include "core/mem.h"
#include "core/rng.h"
#include "stream/limits.h"
#include "stream/value.h"
#include "tap.h"
#include <float.h>
#include <math.h>

static struct value *parse(const char *text, struct err *e)
{
    *e = (struct err){ 0 };
    return value_parse(text, (int64_t)strlen(text), e);
}

static void is_printed(const char *text, const char *want)
{
    struct str s = { 0 };
    struct err e;
    struct value *v = parse(text, &e);

    if (v) value_print(v, &s);
    is_str(v ? s.data : e.text, want, text);
    value_free(v);
    str_release(&s);
}

static void check_accepted(void)
{
    static const char same[] = "{\"z\":[-9223372036854775808,9223372036854775807,0,-1,10,-907],\"a\":null,\"m\":\"x\"}";

    is_printed(same, same);
    is_printed(" \t\r\n[ 1 , 2.5 , { } , [ ] , true , false , null ] \n", "[1,2.5,{},[],true,false,null]");
    is_printed("[-0,0.1,1e3,1E+3,2e-2,-0.0,123456789.125]", "[0,0.1,1000.0,1000.0,0.02,-0.0,123456789.125]");
    is_printed("[1e22,1e23,4.9e-324,1.7976931348623157e308,0.30000000000000004,1e-400]",
               "[1e+22,1e+23,4.94066e-324,1.7976931348623157e+308,0.30000000000000004,0.0]");
    is_printed("[1000000.0,1234567.0,0.00001]", "[1e+06,1234567.0,1e-05]");
    is_printed("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\uD83D\\ude00\"",
               "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    is_printed("\"12345678 then \\n, a long plain tail of it: \xc3\xa9\"",
               "\"12345678 then \\n, a long plain tail of it: \xc3\xa9\"");
    is_printed("{\"a\\nb\":1,\"\":{\"a\":2}}", "{\"a\\nb\":1,\"\":{\"a\":2}}");
    is_printed("[1,2,\"x\",3,[4]]", "[1,2,\"x\",3,[4]]");
    is_printed("7", "7");
}

static void check_refused(void)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "", "byte 0: ends where a value was expected" },
        { "[1,2", "byte 4: ',' or ']' was expected" },
        { "[1,]", "byte 3: a value was expected" },
        { "[1 2]", "byte 3: ',' or ']' was expected" },
        { "{\"a\":1,}", "byte 7: a string was expected as key" },
        { "{\"a\" 1}", "byte 5: ':' was expected" },
        { "{\"a\":1 \"b\":2}", "byte 7: ',' or '}' was expected" },
        { "{\"a\":1,\"a\":2}", "byte 12: the same key twice in one object" },
        { "{\"a\\u0000\":1}", "byte 10: a NUL in a key" },
        { "{1:2}", "byte 1: a string was expected as key" },
        { "1 2", "byte 2: more behind the value" },
        { "tru", "byte 0: a value was expected" },
        { "NaN", "byte 0: a value was expected" },
        { "[01]", "byte 3: not a number" },
        { "-", "byte 1: not a number" },
        { "1.", "byte 2: digits were expected behind the point" },
        { "1e+", "byte 3: digits were expected in the exponent" },
        { ".5", "byte 0: a value was expected" },
        { "+1", "byte 0: a value was expected" },
        { "9223372036854775808", "byte 19: a whole number beyond the range of 64 bits" },
        { "-9223372036854775809", "byte 20: a whole number beyond the range of 64 bits" },
        { "99999999999999999999999", "byte 23: a whole number beyond the range of 64 bits" },
        { "1e999", "byte 5: a number beyond the range of doubles" },
        { "1e99999999999999999999", "byte 22: a number beyond the range of doubles" },
        { "\"abc", "byte 4: a string without its end" },
        { "\"a\nb\"", "byte 2: a control character in a string" },
        { "\"\\x\"", "byte 2: an unknown escape" },
        { "\"\\", "byte 2: an unknown escape" },
        { "\"\\u12\"", "byte 3: four hexadecimal digits were expected behind \\u" },
        { "\"\\u12g4\"", "byte 5: four hexadecimal digits were expected behind \\u" },
        { "\"\\ud800\"", "byte 7: half of a surrogate pair" },
        { "\"\\ud800\\u0041\"", "byte 13: half of a surrogate pair" },
        { "\"\\udc00\"", "byte 7: half of a surrogate pair" },
        { "\"\xff\"", "byte 2: a string that is not UTF-8" },
        { "\"12345678\xc3\"", "byte 10: a string that is not UTF-8" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char want[120];
        snprintf(want, sizeof want, "bad JSON at %s", bad[i].why);
        is_printed(bad[i].text, want);
    }
}

static void check_depth(void)
{
    char text[2 * LIMIT_JSON_DEPTH + 3];
    struct err e;

    for (int more = 0; more < 2; more++) {
        int depth = LIMIT_JSON_DEPTH + more;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        struct value *v = parse(text, &e);
        is_str(v ? "" : e.text, more ? "JSON nested more than 64 deep" : "",
               more ? "a level too deep" : "as deep as allowed");
        value_free(v);
    }
}

/* Doubles of every size must come back to the bit. */
static void check_reals(void)
{
    int wrong = 0;
    uint32_t draw[4];

    for (uint64_t i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double d;
        } x;
        struct str s = { 0 };
        struct err e;
        philox4x32(draw, (const uint32_t[4]){ (uint32_t)i }, (const uint32_t[2]){ 1, 2 });
        x.bits = (uint64_t)draw[0] << 32 | draw[1];
        if (i % 3 == 1) x.d = (double)(float)(draw[2] / 4294967296.0);
        if (i % 3 == 2) x.d = (int32_t)draw[2] / 1000.0;
        if (!isfinite(x.d)) continue;
        struct value *v = value_real(x.d);
        value_print(v, &s);
        value_free(v);
        v = parse(s.data, &e);
        double back = value_number(v);
        wrong += memcmp(&back, &x.d, sizeof back) != 0;
        value_free(v);
        str_release(&s);
    }
    is_int(wrong, 0, "20,000 doubles print and read back");
}

static void check_objects(void)
{
    struct value *o = value_object();
    struct str keys = { 0 }, want = { 0 };
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        value_set(o, key, value_int(i));
        if (i != 40 && i != 3) str_addf(&want, "%s ", key);
    }
    value_set(o, "k7", value_str("seven"));
    value_drop(o, "k40");
    value_drop(o, "k3");
    value_drop(o, "none");
    for (struct value_iter it = { 0 }; value_next(o, &it);) {
        str_addf(&keys, "%s ", it.key);
        if (it.value != value_get(o, it.key)) ok(false, "the value of %s", it.key);
    }
    is_str(keys.data, want.data, "members in order, two dropped");
    is_int(value_count(o), 98, "their number");
    is_str(value_text(value_get(o, "k7"), NULL), "seven", "one replaced in its place");
    struct value *copy = value_copy(o);
    str_clear(&keys);
    str_clear(&want);
    value_print(o, &want);
    value_print(copy, &keys);
    is_str(keys.data, want.data, "a copy is the same");
    value_free(copy);
    value_free(o);
    o = value_object();
    struct value_iter it = { 0 };
    ok(!value_next(o, &it), "an empty object has none");
    value_free(o);
    str_release(&keys);
    str_release(&want);
}

static void check_arrays(void)
{
    struct value *a = value_ints((const int32_t[]){ 5, -6 }, 2);
    struct str s = { 0 };

    value_push(a, value_real(0.5));
    is_int(value_integer(value_at(a, 1)), -6, "numbers of a block");
    value_push(a, value_str("x"));
    value_push(a, value_int(8));
    value_print(a, &s);
    is_str(s.data, "[5,-6,0.5,\"x\",8]", "and what is pushed behind them");
    ok(!value_at(a, 5) && !value_at(a, -1), "nothing beyond the ends");
    value_free(a);
    str_clear(&s);
    a = value_ints((const int32_t[]){ 0, 1, 255 }, 3);
    value_print_indented(a, &s);
    is_str(s.data, "[0, 1, 255]", "integers at once");
    value_free(a);
    str_release(&s);
}

static void check_wrong_kinds(void)
{
    struct err e;
    struct value *v = parse("{\"a\":null,\"m\":\"x\",\"n\":3}", &e);

    ok(value_is_null(value_get(v, "a")) && !value_is_null(value_get(v, "m")) && !value_is_null(value_get(v, "none")),
       "null is a value, absence is not");
    ok(!value_text(value_get(v, "n"), NULL) && !value_integer(value_get(v, "m")) && !value_get(value_get(v, "m"), "x"),
       "looking for another kind finds nothing");
    ok(value_number(value_get(v, "n")) == 3 && !value_is_array(v) && !value_at(v, 0), "a whole number is a number");
    ok(!value_strn("\xff", 1), "no string of what is not UTF-8");
    value_free(v);
}

/* What a walk meets, as text: "key number value", and at 9 it stops. */
static int note(void *arg, const char *key, int64_t number, const struct value *v, struct err *e)
{
    struct str *s = arg;

    str_addf(s, "%s %lld ", key, (long long)number);
    if (v) value_print(v, s);
    else str_add(s, "begins");
    str_add(s, "; ");
    return v && value_integer(v) == 9 ? err_set(e, ERR_INPUT, "a nine") : 0;
}

static void walk_is(const char *text, const char *met, const char *why)
{
    struct str s = { 0 };
    struct err e = { 0 };
    char *copy = mem_alloc(strlen(text), 1); /* to its exact size: a sanitizer sees one byte too far */

    memcpy(copy, text, strlen(text));
    int rc = value_walk(copy, (int64_t)strlen(text), note, &s, &e);
    is_str(str_c(&s), met, text);
    is_str(rc ? e.text : "", why, *why ? why : "to its end");
    free(copy);
    str_release(&s);
}

static void check_walk(void)
{
    walk_is(" { \"a\" : [ 1 , {\"b\":[2]} ] , \"c\\n\" : [ ] , \"d\":{\"e\":3},\"f\":null } ",
            "a 0 begins; a 1 1; a 2 {\"b\":[2]}; c\n 0 begins; d 0 {\"e\":3}; f 0 null; ", "");
    walk_is("{}", "", "");
    walk_is("{\"a\":[8,9,10]}", "a 0 begins; a 1 8; a 2 9; ", "a nine");
    walk_is("[1]", "", "bad JSON at byte 0: an object was expected");
    walk_is("", "", "bad JSON at byte 0: an object was expected");
    walk_is("{", "", "bad JSON at byte 1: a string was expected as key");
    walk_is("{\"a\":1,}", "a 0 1; ", "bad JSON at byte 7: a string was expected as key");
    walk_is("{\"a\" 1}", "", "bad JSON at byte 5: ':' was expected");
    walk_is("{\"a\":[1 2]}", "a 0 begins; a 1 1; ", "bad JSON at byte 8: ',' or ']' was expected");
    walk_is("{\"a\":[1,]}", "a 0 begins; a 1 1; ", "bad JSON at byte 8: a value was expected");
    walk_is("{\"a\":1 \"b\":2}", "a 0 1; ", "bad JSON at byte 7: ',' or '}' was expected");
    walk_is("{\"a\":1,\"a\":2}", "a 0 1; ", "bad JSON at byte 10: the same key twice in one object");
    walk_is("{\"a\":1}2", "a 0 1; ", "bad JSON at byte 7: more behind the value");
    walk_is("{\"a\":[1", "a 0 begins; a 1 1; ", "bad JSON at byte 7: ',' or ']' was expected");
}

/* Strings with a NUL are whole for those who ask how long they are, and none for the others. */
static void check_nuls(void)
{
    struct err e;
    struct value *v = parse("{\"a\":\"x\\u0000y\",\"b\":\"x\"}", &e);
    const char *text = "before";
    int64_t n = 0;

    ok(value_text(value_get(v, "a"), &n) && n == 3, "three characters, the second a NUL");
    ok(!value_text(value_get(v, "a"), NULL), "no string up to a NUL");
    ok(value_get_string(v, "a", &text, &e) && value_opt_string(v, "a", &text, &e), "as a member it is refused");
    is_str(e.text, "\"a\": holds the character 0", "with a reason");
    is_str(text, "before", "and not taken");
    ok(!value_get_string(v, "b", &text, &e), "another is taken");
    is_str(text, "x", "whole");
    value_free(v);
}

int main(void)
{
    check_accepted();
    check_refused();
    check_depth();
    check_walk();
    check_reals();
    check_objects();
    check_nuls();
    check_arrays();
    check_wrong_kinds();
    return done();
}
