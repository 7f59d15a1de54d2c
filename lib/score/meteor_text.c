/* METEOR's normaliser is a list of replacements, each from left to right without overlap over the whole text. */
#include "score/meteor_text.h"
#include "core/mem.h"
#include "core/unicode.h"
#include "score/unicode.h"
#include <stdlib.h>
#include <string.h>

struct codes {
    uint32_t *at;
    int64_t n, cap;
};

enum { DOT = 0xF8FF }; /* a period of a run of them, which the rules for periods leave alone */

static void put(struct codes *c, uint32_t code)
{
    if (c->n == c->cap) mem_reserve(&c->at, &c->cap, c->n + 1);
    c->at[c->n++] = code;
}

static void put_spaced(struct codes *c, uint32_t code)
{
    put(c, ' ');
    put(c, code);
    put(c, ' ');
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
    if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
    return (c >= 0xC0 && c <= 0x17E && c != 0xD7 && c != 0xF7) || c == 0x178 || (c >= 0x400 && c <= 0x527) ||
           (c >= 0xA640 && c <= 0xA66E) || (c >= 0xA67E && c <= 0xA697) || (c >= 0x1D00 && c <= 0x1D7F);
}

static bool is_word(uint32_t c)
{
    return is_letter(c) || is_digit(c);
}

/* Everything but words, white space and what later rules look at stands alone. */
static void space_marks(const struct codes *in, struct codes *out)
{
    for (int64_t i = 0; i < in->n; i++) {
        uint32_t c = in->at[i];
        bool is_plain = is_word(c) || c == ' ' || (c >= 9 && c <= 13) || c == '.' || c == '\'' || c == '`' ||
                        c == ',' || c == '-' || c == 0x2018 || c == 0x2019;
        if (is_plain) put(out, c);
        else put_spaced(out, c);
    }
}

static void protect_dots(const struct codes *in, struct codes *out)
{
    for (int64_t i = 0; i < in->n; i++) {
        if (in->at[i] != '.' || i + 1 == in->n || in->at[i + 1] != '.') {
            put(out, in->at[i]);
            continue;
        }
        put(out, ' ');
        for (; i < in->n && in->at[i] == '.'; i++) put(out, DOT);
        put(out, ' ');
        i--;
    }
}

/* x MARK y becomes x <before> MARK <after> y where both sides are as asked for. */
static void space_between(const struct codes *in, struct codes *out, uint32_t mark, bool (*left)(uint32_t),
                          bool (*right)(uint32_t), bool after)
{
    for (int64_t i = 0; i < in->n; i++) {
        put(out, in->at[i]);
        if (i + 2 >= in->n || in->at[i + 1] != mark || !left(in->at[i]) || !right(in->at[i + 2])) continue;
        put(out, ' ');
        put(out, mark);
        if (after) put(out, ' ');
        put(out, in->at[i + 2]);
        i += 2;
    }
}

static bool has(const struct codes *c, uint32_t mark)
{
    for (int64_t i = 0; i < c->n; i++) {
        if (c->at[i] == mark) return true;
    }
    return false;
}

static bool is_no_digit(uint32_t c)
{
    return !is_digit(c);
}

static bool is_no_letter(uint32_t c)
{
    return !is_letter(c);
}

static bool is_no_word(uint32_t c)
{
    return !is_word(c);
}

static bool is_s(uint32_t c)
{
    return c == 's';
}

/* Single quotation marks become apostrophes, double ones of any kind ". */
static void unify_quotes(const struct codes *in, struct codes *out)
{
    for (int64_t i = 0; i < in->n; i++) {
        uint32_t c = in->at[i];
        put(out, c == '`' || c == 0x2018 || c == 0x2019 ? '\'' : c);
        int64_t n = out->n;
        bool is_pair = n > 1 && out->at[n - 1] == '\'' && out->at[n - 2] == '\'';
        if (is_pair) out->n -= 2;
        else if (c == 0x201C || c == 0x201D) out->n--;
        else continue;
        put_spaced(out, '"');
    }
}

static void unify_dashes(const struct codes *in, struct codes *out)
{
    for (int64_t i = 0; i < in->n; i++) {
        bool is_pair = in->at[i] == '-' && i + 1 < in->n && in->at[i + 1] == '-';
        put(out, in->at[i] == 0x2013 ? '-' : in->at[i]);
        i += is_pair;
    }
}

static void split_hyphens(const struct codes *in, struct codes *out)
{
    for (int64_t i = 0; i < in->n; i++) {
        put(out, in->at[i]);
        bool splits =
            i + 2 < in->n && in->at[i + 1] == '-' && (is_word(in->at[i]) || in->at[i] == '.') && is_word(in->at[i + 2]);
        if (!splits) continue;
        put(out, ' ');
        put(out, in->at[i + 2]);
        i += 2;
    }
}

/* ---- periods ---- */

static bool is_one_of(const char *const *list, const char *word, size_t n)
{
    for (; *list; list++) {
        if (strlen(*list) == n && !memcmp(*list, word, n)) return true;
    }
    return false;
}

static bool is_prefix(const char *word, size_t n)
{
    static const char *const prefixes[] = {
        "Adj",  "Adm", "Adv", "Asst", "Bart", "Bldg",   "Brig", "Bros", "Capt", "Cmdr", "Col",  "Comdr", "Con",
        "Corp", "Cpl", "DR",  "Dr",   "Drs",  "Ens",    "Gen",  "Gov",  "Hon",  "Hr",   "Hosp", "Insp",  "Lt",
        "MM",   "MR",  "MRS", "MS",   "Maj",  "Messrs", "Mlle", "Mme",  "Mr",   "Mrs",  "Ms",   "Msgr",  "Op",
        "Ord",  "Pfc", "Ph",  "Prof", "Pvt",  "Rep",    "Reps", "Res",  "Rev",  "Rt",   "Sen",  "Sens",  "Sfc",
        "Sgt",  "Sr",  "St",  "Supt", "Surg", "v",      "vs",   "i.e",  "rev",  "e.g",  "Nos",  "Nr",    NULL,
    };

    return (n == 1 && *word >= 'A' && *word <= 'Z') || is_one_of(prefixes, word, n);
}

static bool has_letter_and_dot(const char *word, size_t n)
{
    bool letter = false, dot = false;
    uint32_t c;

    for (size_t i = 0; i < n;) {
        int length = utf8_decode(word + i, n - i, &c);
        letter |= length && is_letter(c);
        dot |= length && c == '.';
        i += length ? (size_t)length : 1;
    }
    return letter && dot;
}

/* A word that ends in a period: an acronym loses all of them, an abbreviation keeps it, any other gives it away. */
static void add_stopped(struct str *out, const char *word, size_t n, const char *next)
{
    static const char *const numeric[] = { "No", "Art", "pp", NULL };
    size_t stem = n - 1;

    if (has_letter_and_dot(word, stem)) {
        for (size_t i = 0; i < stem; i++) {
            if (word[i] != '.') str_add_char(out, word[i]);
        }
        return;
    }
    bool keeps = is_prefix(word, stem) || (*next >= 'a' && *next <= 'z') ||
                 (is_one_of(numeric, word, stem) && *next >= '0' && *next <= '9');
    str_add_bytes(out, word, stem);
    str_add(out, keeps ? "." : " .");
}

static void add_words(const char *text, struct str *out)
{
    for (const char *p = text + strspn(text, " \t\n\v\f\r"); *p;) {
        size_t n = strcspn(p, " \t\n\v\f\r");
        const char *next = p + n + strspn(p + n, " \t\n\v\f\r");
        if (n > 1 && p[n - 1] == '.') add_stopped(out, p, n, next);
        else str_add_bytes(out, p, n);
        if (*next) str_add_char(out, ' ');
        p = next;
    }
}

/* ---- the list ---- */

static void decode(struct codes *c, const char *text)
{
    size_t length = strlen(text);

    put(c, ' ');
    for (size_t i = 0; i < length;) {
        uint32_t code = 0xFFFD;
        int n = utf8_decode(text + i, length - i, &code);
        put(c, code);
        i += n ? (size_t)n : 1;
    }
    put(c, ' ');
}

static void encode(const struct codes *c, struct str *out)
{
    char coded[4];

    for (int64_t i = 0; i < c->n; i++) str_add_bytes(out, coded, (size_t)utf8_encode(c->at[i], coded));
}

static void swap(struct codes c[2])
{
    struct codes first = c[0];

    c[0] = c[1];
    c[1] = first;
    c[1].n = 0;
}

static void replace_all(struct codes c[2])
{
    static const struct {
        uint32_t mark;
        bool (*left)(uint32_t), (*right)(uint32_t);
        bool after;
    } commas[] = { { ',', is_no_digit, is_no_digit, true },
                   { ',', is_digit, is_no_digit, true },
                   { ',', is_no_digit, is_digit, true } },
      apostrophes[] = { { '\'', is_no_letter, is_no_letter, true },
                        { '\'', is_no_word, is_letter, true },
                        { '\'', is_letter, is_no_letter, true },
                        { '\'', is_letter, is_letter, false },
                        { '\'', is_digit, is_s, false } };
    static void (*const rules[])(const struct codes *, struct codes *) = { unify_quotes, unify_dashes, split_hyphens };

    space_marks(&c[0], &c[1]);
    swap(c);
    protect_dots(&c[0], &c[1]);
    swap(c);
    for (int i = 0; i < 3 && has(&c[0], ','); i++) {
        space_between(&c[0], &c[1], commas[i].mark, commas[i].left, commas[i].right, commas[i].after);
        swap(c);
    }
    for (int i = 0; i < 3; i++) {
        rules[i](&c[0], &c[1]);
        swap(c);
    }
    for (int i = 0; i < 5 && has(&c[0], '\''); i++) {
        space_between(&c[0], &c[1], apostrophes[i].mark, apostrophes[i].left, apostrophes[i].right,
                      apostrophes[i].after);
        swap(c);
    }
}

void meteor_normalise(const char *text, struct str *out)
{
    struct codes c[2] = { 0 };
    struct str spaced = { 0 }, words = { 0 };
    bool open = false, any = false;

    decode(&c[0], text);
    replace_all(c);
    encode(&c[0], &spaced);
    add_words(str_c(&spaced), &words);
    str_clear(&spaced);
    unicode_add_lowered(&spaced, str_c(&words), words.n);
    for (size_t i = 0; i < spaced.n;) {
        uint32_t code = 0;
        int n = utf8_decode(spaced.data + i, spaced.n - i, &code);
        bool is_space = n && unicode_is_space(code);
        if (!is_space && !open && any) str_add_char(out, ' ');
        if (code == DOT) str_add_char(out, '.');
        else if (!is_space) str_add_bytes(out, spaced.data + i, n ? (size_t)n : 1);
        open = !is_space;
        any |= open;
        i += n ? (size_t)n : 1;
    }
    free(c[0].at);
    free(c[1].at);
    str_release(&spaced);
    str_release(&words);
}
