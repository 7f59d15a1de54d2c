/* Unicode classes from utf8proc, completed to Unicode 16.0, the version that Hugging Face's tokenizers and tiktoken
 * use: so ids are theirs on any text, whatever utf8proc is installed. */
#include "core/unicode.h"
#include <stdlib.h>
#include <utf8proc.h>

/* Letters and numbers that Unicode 15.1 and 16.0 added (utf8proc 2.8 knows 15.0). In order. */
static const struct range {
    uint32_t first, last;
    enum unicode_class class;
} added[] = {
    { 0x1c89, 0x1c8a, UNICODE_LETTER },   { 0xa7cb, 0xa7cd, UNICODE_LETTER },   { 0xa7da, 0xa7dc, UNICODE_LETTER },
    { 0x105c0, 0x105f3, UNICODE_LETTER }, { 0x10d40, 0x10d49, UNICODE_NUMBER }, { 0x10d4a, 0x10d65, UNICODE_LETTER },
    { 0x10d6f, 0x10d85, UNICODE_LETTER }, { 0x10ec2, 0x10ec4, UNICODE_LETTER }, { 0x11380, 0x11389, UNICODE_LETTER },
    { 0x1138b, 0x1138b, UNICODE_LETTER }, { 0x1138e, 0x1138e, UNICODE_LETTER }, { 0x11390, 0x113b5, UNICODE_LETTER },
    { 0x113b7, 0x113b7, UNICODE_LETTER }, { 0x113d1, 0x113d1, UNICODE_LETTER }, { 0x113d3, 0x113d3, UNICODE_LETTER },
    { 0x116d0, 0x116e3, UNICODE_NUMBER }, { 0x11bc0, 0x11be0, UNICODE_LETTER }, { 0x11bf0, 0x11bf9, UNICODE_NUMBER },
    { 0x13460, 0x143fa, UNICODE_LETTER }, { 0x16100, 0x1611d, UNICODE_LETTER }, { 0x16130, 0x16139, UNICODE_NUMBER },
    { 0x16d40, 0x16d6c, UNICODE_LETTER }, { 0x16d70, 0x16d79, UNICODE_NUMBER }, { 0x18cff, 0x18cff, UNICODE_LETTER },
    { 0x1ccf0, 0x1ccf9, UNICODE_NUMBER }, { 0x1e5d0, 0x1e5ed, UNICODE_LETTER }, { 0x1e5f0, 0x1e5f0, UNICODE_LETTER },
    { 0x1e5f1, 0x1e5fa, UNICODE_NUMBER }, { 0x2ebf0, 0x2ee5d, UNICODE_LETTER },
};

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static enum unicode_class added_class(uint32_t code)
{
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        if (code <= added[i].last) return code >= added[i].first ? added[i].class : UNICODE_OTHER;
    }
    return UNICODE_OTHER;
}

enum unicode_class unicode_class(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return UNICODE_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return UNICODE_NUMBER;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return is_space(code) ? UNICODE_SPACE : UNICODE_OTHER;
    case UTF8PROC_CATEGORY_CN:
        return added_class(code);
    default:
        return UNICODE_OTHER;
    }
}

static bool is_between(uint32_t code, utf8proc_category_t first, utf8proc_category_t last)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);

    return c >= first && c <= last;
}

bool unicode_is_punctuation(uint32_t code)
{
    return is_between(code, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool unicode_is_symbol(uint32_t code)
{
    return is_between(code, UTF8PROC_CATEGORY_SM, UTF8PROC_CATEGORY_SO);
}

bool unicode_is_mark(uint32_t code)
{
    return is_between(code, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME);
}

bool unicode_is_number(uint32_t code)
{
    return is_between(code, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool unicode_is_decimal(uint32_t code)
{
    return is_between(code, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND);
}

/* The property Case_Ignorable: marks, modifiers, and punctuation that may stand within a word. */
static bool is_case_ignorable(uint32_t c)
{
    static const uint16_t within[] = { '\'',   '.',    ':',    0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
                                       0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a };

    for (size_t i = 0; i < sizeof within / sizeof *within; i++) {
        if (c == within[i]) return true;
    }
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

bool unicode_is_cased(uint32_t c)
{
    return is_between(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LT) || (c >= 0x2160 && c < 0x2180) ||
           (c >= 0x24b6 && c < 0x24ea);
}

/* The nearest character before (step -1) or after s + i that counts for the case of its neighbours is a cased one. */
static bool meets_cased(const char *s, size_t n, size_t i, int step)
{
    uint32_t c;

    while (step < 0 ? i > 0 : i < n) {
        size_t at = i;
        if (step < 0) {
            do at--;
            while (at > 0 && (s[at] & 0xc0) == 0x80);
        }
        int len = utf8_decode(s + at, n - at, &c);
        if (!len) return false;
        if (!is_case_ignorable(c)) return unicode_is_cased(c);
        i = step < 0 ? at : at + (size_t)len;
    }
    return false;
}

uint32_t unicode_lower(uint32_t code)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

void unicode_add_lowered(struct str *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char coded[4];
        if ((unsigned char)s[i] < 0x80) {
            str_add_char(out, (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 32 : s[i]));
            i++;
            continue;
        }
        int len = utf8_decode(s + i, n - i, &c);
        if (!len) {
            str_add_char(out, s[i++]);
        } else if (c == 0x130) { /* the one letter whose lower case is two characters */
            str_add(out, "i\u0307");
        } else {
            bool is_final = c == 0x3a3 && meets_cased(s, n, i, -1) && !meets_cased(s, n, i + (size_t)len, 1);
            c = is_final ? 0x3c2 : unicode_lower(c);
            str_add_bytes(out, coded, (size_t)utf8_encode(c, coded));
        }
        i += (size_t)len;
    }
}

void unicode_add_composed(struct str *out, const char *s, size_t n)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);

    if (length < 0) str_add_bytes(out, s, n);
    else str_add_bytes(out, (const char *)composed, (size_t)length);
    free(composed);
}

enum unicode_class unicode_next(const char *s, size_t n, size_t *length)
{
    uint32_t code;
    int len = utf8_decode(s, n, &code);

    *length = len ? (size_t)len : 1;
    return len ? unicode_class(code) : UNICODE_OTHER;
}

/* How many of the n > 0 bytes at s, which are not valid UTF-8, could begin one and the same character; at least 1. */
static size_t broken_length(const char *s, size_t n)
{
    const uint8_t *b = (const uint8_t *)s;
    int len = b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : b[0] >= 0xe0 && b[0] < 0xf0 ? 3 : b[0] >= 0xf0 && b[0] <= 0xf4 ? 4 : 1;
    uint8_t low = b[0] == 0xe0   ? 0xa0
                  : b[0] == 0xf0 ? 0x90
                                 : 0x80,
            high = b[0] == 0xed   ? 0x9f
                   : b[0] == 0xf4 ? 0x8f
                                  : 0xbf;
    size_t good = 1;

    if (len > 1 && n > 1 && b[1] >= low && b[1] <= high)
        for (good = 2; good < (size_t)len && good < n && (b[good] & 0xc0) == 0x80;) good++;
    return good;
}

void unicode_repair(const char *s, size_t n, struct str *out)
{
    uint32_t code;
    size_t from = 0;

    for (size_t i = 0; i < n;) {
        int len = utf8_decode(s + i, n - i, &code);
        if (len) {
            i += (size_t)len;
            continue;
        }
        str_add_bytes(out, s + from, i - from);
        str_add(out, "\xef\xbf\xbd");
        i += broken_length(s + i, n - i);
        from = i;
    }
    str_add_bytes(out, s + from, n - from);
}
