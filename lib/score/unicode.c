#include "score/unicode.h"
#include "core/dtype.h"
#include "core/unicode.h"
#include "score/unicode_ranges.h"
#include <string.h>

#define ROWS(table) ((int)(sizeof table / sizeof *table))

static bool is_in(const uint16_t ranges[][2], int n, uint32_t c)
{
    int low = 0, high = n;

    while (low < high) {
        int mid = (low + high) / 2;
        if (c > ranges[mid][1]) low = mid + 1;
        else high = mid;
    }
    return low < n && c >= ranges[low][0];
}

bool unicode_is_letter(uint32_t c)
{
    if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
    return is_in(letter_ranges, ROWS(letter_ranges), c);
}

bool unicode_is_digit(uint32_t c)
{
    return c < 0x80 ? c >= '0' && c <= '9' : is_in(digit_ranges, ROWS(digit_ranges), c);
}

bool unicode_is_capital(uint32_t c)
{
    return c < 0x80 ? c >= 'A' && c <= 'Z' : is_in(capital_ranges, ROWS(capital_ranges), c);
}

bool unicode_is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* A letter of Java's words; ideographs and kana are words of their own. */
static bool is_alphabetic(uint16_t c)
{
    return unicode_is_letter(c) && !((c >= 0x3040 && c <= 0x30FF) || (c >= 0x4E00 && c <= 0x9FA5));
}

/* Whether Java's words go on across the unit at i: a mark may stand between two letters or between two digits. */
static bool is_within_word(const uint16_t *text, int64_t n, int64_t i)
{
    uint16_t c = text[i], before = i > 0 ? text[i - 1] : ' ', after = i + 1 < n ? text[i + 1] : ' ';
    bool is_either = c == '\'' || c == '.' || c == '"', is_joint = c == '-' || c == '_' || (c >= 0x2010 && c <= 0x2015);

    if ((is_either || is_joint) && is_alphabetic(before) && is_alphabetic(after)) return true;
    if ((is_either || c == ',' || c == 0x66B) && unicode_is_digit(before) && unicode_is_digit(after)) return true;
    if ((c >= 0x3040 && c <= 0x30FF) || (c >= 0x4E00 && c <= 0x9FA5)) return false;
    return !unicode_is_space(c) && !unicode_is_punctuation(c) && !unicode_is_symbol(c);
}

/* Java's rule: the word has a letter with cases before the sigma and none behind it. */
static bool is_final(const uint16_t *text, int64_t n, int64_t i)
{
    int64_t before = i - 1, after = i + 1;

    while (before >= 0 && !unicode_is_cased(text[before]) && is_within_word(text, n, before)) before--;
    while (after < n && !unicode_is_cased(text[after]) && is_within_word(text, n, after)) after++;
    return before >= 0 && unicode_is_cased(text[before]) && !(after < n && unicode_is_cased(text[after]));
}

void unicode_add_lower(struct str *out, const uint16_t *text, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        char coded[4];
        uint32_t c = text[i];
        if (c < 0x80) {
            str_add_char(out, (char)(c >= 'A' && c <= 'Z' ? c | 32 : c));
            continue;
        }
        if (c == 0x130) {
            str_add(out, "i\u0307");
            continue;
        }
        if (c >= 0xD800 && c <= 0xDFFF) {
            bool is_pair = c < 0xDC00 && i + 1 < n && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF;
            c = is_pair ? 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00u) : '?';
        } else {
            c = c == 0x3A3 && is_final(text, n, i) ? 0x3C2 : unicode_lower(c);
        }
        str_add_bytes(out, coded, (size_t)utf8_encode(c, coded));
    }
}

/* The ASCII at the beginning of text, eight at a time; returns how many. */
static int64_t widen(uint16_t *out, const char *text, int64_t n)
{
    int64_t i = 0;

    for (; n - i >= 8; i += 8) {
        uint8_t narrow[8];
        uint16_t wide[8];
        memcpy(narrow, text + i, sizeof narrow);
        if (load_u64(narrow) & 0x8080808080808080u) break;
        for (int k = 0; k < 8; k++) wide[k] = narrow[k];
        memcpy(out + i, wide, sizeof wide);
    }
    return i;
}

int64_t unicode_to_utf16(uint16_t *out, const char *text, int64_t n)
{
    int64_t at = 0;

    for (int64_t i = 0; i < n;) {
        int64_t plain = widen(out + at, text + i, n - i);
        at += plain;
        i += plain;
        if (i == n) break;
        if ((unsigned char)text[i] < 0x80) {
            out[at++] = (unsigned char)text[i++];
            continue;
        }
        uint32_t c;
        int bytes = utf8_decode(text + i, (size_t)(n - i), &c);
        if (!bytes) c = 0xFFFD;
        if (c > 0xFFFF) {
            out[at++] = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
            out[at++] = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
            out[at++] = (uint16_t)c;
        }
        i += bytes ? bytes : 1;
    }
    return at;
}
