/* Strict numbers, UTF-8, quoting, error lines, half floats. */
#include "core/dtype.h"
#include "core/err.h"
#include "core/mem.h"
#include "core/str.h"
#include "tap.h"

static void numbers(void)
{
    static const char *const bad[] = { "", " 1", "1 ", "1e3", "0x1", "nan", "1.5", "99999999999999999999", "+1", "1O" };
    static const char *const not_real[] = { "", "nan", "inf", "0x1p3", "1e", "1e999", " 1", "1,5", "--1" };
    int64_t i;
    double d;

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        ok(!str_to_int(bad[k], -10, 1000, &i), "'%s' is not a whole number", bad[k]);
    ok(str_to_int("-10", -10, 10, &i) && i == -10, "-10 is in [-10, 10]");
    ok(!str_to_int("11", -10, 10, &i), "11 is not");
    for (size_t k = 0; k < sizeof not_real / sizeof *not_real; k++)
        ok(!str_to_double(not_real[k], -1e300, 1e300, &d), "'%s' is not a number", not_real[k]);
    ok(str_to_double("1e-5", 0, 1, &d) && d == 1e-5, "1e-5 is");
}

static void paths(void)
{
    char *path = path_of_id("dir", "a/b%c_", ".jpg");

    is_str(path, "dir/a%2Fb%25c_.jpg", "a file named after an id");
    free(path);
}

static void utf8(void)
{
    static const char *const bad[] = { "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82", "\xff" };
    uint32_t code;
    char out[4], digits[101];
    int wrong = 0;

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        ok(!utf8_valid(bad[k], strlen(bad[k])), "broken UTF-8 %d is refused", (int)k);
    for (uint32_t c = 0; c <= 0x10ffff; c += 37) {
        if (c >= 0xd800 && c < 0xe000) continue;
        int n = utf8_encode(c, out);
        wrong += utf8_decode(out, (size_t)n, &code) != n || code != c;
    }
    is_int(wrong, 0, "every code point survives encoding");
    is_str(err_quote("a\x1b[31m\xff"
                     "b"),
           "\"a?[31m?b\"", "quotes are safe to print");
    memset(digits, '7', 100);
    digits[100] = 0;
    ok(strlen(err_quote(digits)) <= 86, "and short");
}

static void errors(void)
{
    struct err e = { 0 };
    char *longer = mem_new(char, 3000);

    is_int(err_set(&e, ERR_INPUT, "%d bytes (at most %d)", 300, 256), -1, "err_set returns -1");
    err_set(&e, ERR_IO, "later");
    err_in(&e, "line %d", 2);
    err_in(&e, "w.txt");
    is_str(e.text, "w.txt: line 2: 300 bytes (at most 256)", "the first cause, then places in front");
    memset(longer, 'x', 2999);
    err_in(&e, "%s", longer);
    ok(strlen(e.text) < sizeof e.text, "a line never overflows");
    free(longer);
}

static void halves(void)
{
    int wrong16 = 0, wrongb = 0;

    for (uint32_t u = 0; u < 65536; u++) {
        bool nan16 = (u & 0x7c00) == 0x7c00 && (u & 0x3ff), nanb = (u & 0x7f80) == 0x7f80 && (u & 0x7f);
        wrong16 += !nan16 && f32_to_f16(f16_to_f32((uint16_t)u)) != u;
        wrongb += !nanb && f32_to_bf16(bf16_to_f32((uint16_t)u)) != u;
    }
    is_int(wrong16, 0, "every f16 survives f32");
    is_int(wrongb, 0, "every bf16 survives f32");
    is_int(f32_to_f16(1 + 0x1p-11f), 0x3c00, "f16 ties go to even");
    is_int(f32_to_f16(1 + 3 * 0x1p-11f), 0x3c02, "both ways");
    is_int(f32_to_f16(65520), 0x7c00, "f16 overflows to infinity");
    is_int(f32_to_f16(0x1p-25f * 1.5f), 1, "f16 subnormals round");
    is_int(f32_to_bf16(1 + 0x1p-8f), 0x3f80, "bf16 ties go to even");
}

int main(void)
{
    numbers();
    paths();
    utf8();
    errors();
    halves();
    return done();
}
