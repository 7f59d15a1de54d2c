#include "core/unicode.h"
#include "tap.h"
#include "text/byte_symbols.h"

static void check_classes(void)
{
    static const struct {
        uint32_t code;
        enum unicode_class class;
    } rows[] = {
        { 'a', UNICODE_LETTER },     { 0xe9, UNICODE_LETTER },    { 0x1c5, UNICODE_LETTER },
        { 0x2b0, UNICODE_LETTER },   { 0xaa, UNICODE_LETTER },    { 0x4e00, UNICODE_LETTER },
        { 0xac00, UNICODE_LETTER },  { '7', UNICODE_NUMBER },     { 0xbd, UNICODE_NUMBER },
        { 0x2167, UNICODE_NUMBER },  { 0x661, UNICODE_NUMBER },   { 0x301, UNICODE_OTHER },
        { 0x200d, UNICODE_OTHER },   { 0x1f600, UNICODE_OTHER },  { '_', UNICODE_OTHER },
        { 0x200b, UNICODE_OTHER },   { 0xfeff, UNICODE_OTHER },   { 0x1c, UNICODE_OTHER },
        { 0, UNICODE_OTHER },        { 0xe000, UNICODE_OTHER },   { 0x10ffff, UNICODE_OTHER },
        { 0x378, UNICODE_OTHER },    { 0x1c89, UNICODE_LETTER },  { 0x2ebf0, UNICODE_LETTER },
        { 0x10d40, UNICODE_NUMBER }, { 0x1e5f1, UNICODE_NUMBER }, { 0x2ee5e, UNICODE_OTHER },
        { 0x180e, UNICODE_OTHER },
    };
    int spaces = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (unicode_class(rows[i].code) != rows[i].class) ok(false, "class of U+%04X", rows[i].code);
    }
    for (uint32_t c = 0; c < 0x110000; c++) spaces += unicode_class(c) == UNICODE_SPACE;
    is_int(spaces, 25, "White_Space has 25 characters");
}

static void check_repair(const char *bytes, size_t n, const char *want, const char *what)
{
    struct str s = { 0 };

    unicode_repair(bytes, n, &s);
    is_str(str_c(&s), want, what);
    str_release(&s);
}

static void check_symbols(void)
{
    uint8_t order[256];
    uint32_t last = 0;
    bool is_good = true;

    for (int b = 0; b < 256; b++) is_good = is_good && byte_of_symbol(byte_symbol((uint8_t)b)) == b;
    ok(is_good, "each byte has a symbol of its own");
    is_int(byte_symbol(' '), 0x120, "a space is U+0120");
    is_int(byte_symbol(0xad), 0x143, "a soft hyphen the last one");
    ok(byte_of_symbol(' ') < 0 && byte_of_symbol(0xad) < 0 && byte_of_symbol(0x144) < 0,
       "other characters are no symbols");
    byte_symbols_in_order(order);
    is_good = true;
    for (int i = 0; i < 256; i++) {
        is_good = is_good && byte_symbol(order[i]) > last;
        last = byte_symbol(order[i]);
    }
    ok(is_good, "they have an order");
    struct str s = { 0 };
    ok(!byte_symbols_read("ab c", 4, &s) && s.n == 0, "what is no symbol is not read");
    str_release(&s);
}

int main(void)
{
    check_classes();
    check_repair("caf\xc3\xa9", 5, "caf\xc3\xa9", "good text stays");
    check_repair("a\xff"
                 "b",
                 3,
                 "a\xef\xbf\xbd"
                 "b",
                 "a bad byte is U+FFFD");
    check_repair("\xf0\x9f\x98", 3, "\xef\xbf\xbd", "a cut character is one U+FFFD");
    check_repair("\xf0\x9f\x41", 3,
                 "\xef\xbf\xbd"
                 "A",
                 "also before other text");
    check_repair("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "a surrogate is three");
    check_repair("\xc0\x80\xf5", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "so are bytes that never occur");
    check_symbols();
    return done();
}
