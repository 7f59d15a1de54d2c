/* sacreBLEU's tokenizers: passes of replacements from left to right that do not overlap. */
#include "core/mem.h"
#include "core/unicode.h"
#include "score/sacrebleu.h"
#include <stdlib.h>
#include <string.h>

static void add_alone(struct str *out, char c)
{
    const char three[] = { ' ', c, ' ' };

    str_add_bytes(out, three, 3);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_stop(char c)
{
    return c == '.' || c == ',';
}

/* ASCII marks that always stand alone: not apostrophe, comma, hyphen, period. Blanks are told apart. */
static bool is_lone(char c)
{
    return (c > ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* A run of periods and commas from text[at] on; returns where it ends. One pass sets a stop apart behind what is no
 * digit, two characters at a time: of a run every other one. The next pass sets apart those that are left, but for one
 * before a digit, which can only be the last. The ends of the text count as digits. */
static size_t add_stops(struct str *out, const char *text, size_t at, size_t n)
{
    size_t end = at;

    while (end < n && is_stop(text[end])) end++;
    bool is_behind_digit = !at || is_digit(text[at - 1]), is_left = (end - at) % 2 == (is_behind_digit ? 1 : 0),
         joins = is_left && (end == n || is_digit(text[end]));
    for (; at < end - joins; at++) add_alone(out, text[at]);
    if (joins) str_add_char(out, text[at]);
    return end;
}

/* What the four passes that 13a and zh share do, in one: lone marks; periods and commas after what is no digit; those
 * before what is no digit; hyphens after digits. */
static void split_marks(const char *text, size_t n, struct str *out)
{
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && !is_lone(text[i]) && !is_stop(text[i]) && !(text[i] == '-' && i && is_digit(text[i - 1]))) i++;
        str_add_bytes(out, text + from, i - from);
        if (i == n) return;
        if (is_stop(text[i])) i = add_stops(out, text, i, n);
        else add_alone(out, text[i++]);
    }
}

static void replace_all(struct str *s, const char *from, const char *to)
{
    struct str out = { 0 };
    const char *text = str_c(s);

    for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
        str_add_bytes(&out, text, (size_t)(at - text));
        str_add(&out, to);
    }
    str_add(&out, text);
    str_release(s);
    *s = out;
}

static void tokenize_13a(const char *text, struct str *out)
{
    static const char *const entities[][2] = { { "&quot;", "\"" }, { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" } };
    struct str s = { 0 };

    str_addf(&s, " %s ", text);
    if (strchr(text, '<')) replace_all(&s, "<skipped>", "");
    if (strchr(text, '\n')) replace_all(&s, "-\n", "");
    for (char *at = s.data; (at = strchr(at, '\n'));) *at = ' ';
    for (int i = 0; i < 4 && strchr(str_c(&s), '&'); i++) replace_all(&s, entities[i][0], entities[i][1]);
    split_marks(s.data, s.n, out);
    str_release(&s);
}

/* Characters of a text; what is no UTF-8 byte by byte. */
struct codes {
    int64_t n;
    uint32_t *at;
};
static struct codes decode(const char *text)
{
    size_t length = strlen(text);
    struct codes c = { 0, mem_new(uint32_t, length + 1) };

    for (size_t i = 0; i < length;) {
        int n = utf8_decode(text + i, length - i, &c.at[c.n]);
        if (!n) c.at[c.n] = 0xFFFD;
        c.n++;
        i += n ? (size_t)n : 1;
    }
    return c;
}

static void add_code(struct str *out, uint32_t c)
{
    char coded[4];

    str_add_bytes(out, coded, (size_t)utf8_encode(c, coded));
}

/* Punctuation after what is no number; punctuation before what is no number; all symbols. */
static void tokenize_intl(const char *text, struct str *out)
{
    struct str s = { 0 };
    struct codes c = decode(text);

    for (int64_t i = 0; i < c.n; i++) {
        add_code(&s, c.at[i]);
        if (unicode_is_number(c.at[i]) || i + 1 == c.n || !unicode_is_punctuation(c.at[i + 1])) continue;
        str_add_char(&s, ' ');
        add_code(&s, c.at[++i]);
        str_add_char(&s, ' ');
    }
    free(c.at);
    c = decode(str_c(&s));
    str_clear(&s);
    for (int64_t i = 0; i < c.n; i++) {
        if (unicode_is_punctuation(c.at[i]) && i + 1 < c.n && !unicode_is_number(c.at[i + 1])) {
            str_add_char(&s, ' ');
            add_code(&s, c.at[i++]);
            str_add_char(&s, ' ');
        }
        add_code(&s, c.at[i]);
    }
    free(c.at);
    c = decode(str_c(&s));
    for (int64_t i = 0; i < c.n; i++) {
        bool is_symbol = unicode_is_symbol(c.at[i]);
        if (is_symbol) str_add_char(out, ' ');
        add_code(out, c.at[i]);
        if (is_symbol) str_add_char(out, ' ');
    }
    free(c.at);
    str_release(&s);
}

static void tokenize_char(const char *text, struct str *out)
{
    struct codes c = decode(text);

    for (int64_t i = 0; i < c.n; i++) {
        if (i) str_add_char(out, ' ');
        add_code(out, c.at[i]);
    }
    free(c.at);
}

/* sacreBLEU's Chinese characters. Two of its ranges were written with too few digits, so that they hold quotation
 * marks, arrows and the like instead of rare characters. */
static bool is_chinese(uint32_t c)
{
    static const uint16_t ranges[][2] = {
        { 0x2001, 0x2A6D }, { 0x2E80, 0x2FDF }, { 0x2FF0, 0x303F }, { 0x3100, 0x312F }, { 0x31A0, 0x31BF },
        { 0x31C0, 0x31EF }, { 0x3200, 0x33FF }, { 0x3400, 0x4DB5 }, { 0x4E00, 0x9FBB }, { 0xF900, 0xFA2D },
        { 0xFA30, 0xFA6A }, { 0xFA70, 0xFAD9 }, { 0xFE10, 0xFE1F }, { 0xFE30, 0xFE4F }, { 0xFF00, 0xFFEF },
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    }
    return false;
}

static void tokenize_zh(const char *text, struct str *out)
{
    struct str s = { 0 };
    struct codes c = decode(text);

    for (int64_t i = 0; i < c.n; i++) {
        bool alone = is_chinese(c.at[i]);
        if (alone) str_add_char(&s, ' ');
        add_code(&s, c.at[i]);
        if (alone) str_add_char(&s, ' ');
    }
    split_marks(str_c(&s), s.n, out);
    free(c.at);
    str_release(&s);
}

static void tokenize_none(const char *text, struct str *out)
{
    str_add(out, text);
}

static const struct {
    const char *name;
    void (*run)(const char *text, struct str *out);
} tokenizers[] = { { "13a", tokenize_13a },
                   { "intl", tokenize_intl },
                   { "char", tokenize_char },
                   { "zh", tokenize_zh },
                   { "none", tokenize_none } };
enum { N_TOKENIZERS = sizeof tokenizers / sizeof *tokenizers };

bool sacrebleu_tokenizer_known(const char *name)
{
    for (int i = 0; i < N_TOKENIZERS; i++) {
        if (!strcmp(tokenizers[i].name, name)) return true;
    }
    return false;
}

void sacrebleu_tokenize(const char *tokenizer, const char *text, struct str *out)
{
    for (int i = 0; i < N_TOKENIZERS; i++) {
        if (!strcmp(tokenizers[i].name, tokenizer)) tokenizers[i].run(text, out);
    }
}
