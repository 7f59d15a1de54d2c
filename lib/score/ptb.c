/* At each place every rule says how far it matches, look-ahead included; the longest match wins, ties go to the rule that stands first.
 * Rules, in the order of the table at the end, follow the published lexer. */
#include "score/ptb.h"
#include "core/hash.h"
#include "core/mem.h"
#include <string.h>
#include <strings.h>

/* ---- characters ---- */

struct at { /* a place in a text */
    const char *p, *end;
};

static uint32_t look(struct at a, int *bytes)
{
    uint32_t c = 0;

    *bytes = a.p < a.end ? utf8_decode(a.p, (size_t)(a.end - a.p), &c) : 0;
    return *bytes ? c : 0;
}

/* Whether the character here is one of a set. */
static bool in(struct at a, const char *set)
{
    return a.p < a.end && *a.p && strchr(set, *a.p);
}

static bool is_digit(struct at a)
{
    return a.p < a.end && *a.p >= '0' && *a.p <= '9';
}

static bool is_ascii_letter(struct at a)
{
    return a.p < a.end && ((*a.p | 32) >= 'a' && (*a.p | 32) <= 'z');
}

/* Bytes of the letter here, 0 when there is none: letters beyond ASCII are what is no mark, sign or space of the BMP's tables. */
static int letter(struct at a)
{
    static const uint32_t others[][2] = { { 0x80, 0xA9 }, { 0xAB, 0xAC }, { 0xAE, 0xB4 }, { 0xB6, 0xB9 }, { 0xBB, 0xBF }, { 0xD7, 0xD7 }, { 0xF7, 0xF7 },
                                          { 0x2000, 0x2070 }, { 0x2072, 0x207E }, { 0x2080, 0x208F }, { 0x20A0, 0x20CF }, { 0x2100, 0x2101 },
                                          { 0x2140, 0x2BFF }, { 0x2E00, 0x2E7F }, { 0x3000, 0x3004 }, { 0x3008, 0x3020 }, { 0x30FB, 0x30FB },
                                          { 0xD800, 0xF8FF }, { 0xFE00, 0xFE6F }, { 0xFEFF, 0xFEFF }, { 0xFF00, 0xFF20 }, { 0xFF3B, 0xFF40 }, { 0xFF5B, 0xFF65 },
                                          { 0xFFE0, 0xFFFF } };
    int bytes;
    uint32_t c = look(a, &bytes);

    if (c < 0x80) return is_ascii_letter(a) ? 1 : 0;
    if (c > 0xFFFF) return 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (c >= others[i][0] && c <= others[i][1]) return 0;
    }
    return bytes;
}

static int blank(struct at a)
{
    int bytes;
    uint32_t c = look(a, &bytes);
    bool is_blank = c == ' ' || (c >= 9 && c <= 13) || c == 0xA0 || (c >= 0x2000 && c <= 0x200A) || c == 0x3000 || c == 0x85 || c == 0x2028 || c == 0x2029;

    return bytes && is_blank ? bytes : 0;
}

static bool ends(struct at a) /* the end of the text, or a blank */
{
    return a.p >= a.end || blank(a);
}

/* An apostrophe, also a typographic one. */
static int quote(struct at a)
{
    int bytes;
    uint32_t c = look(a, &bytes);

    return c == '\'' || c == 0x92 || c == 0x2019 ? bytes : 0;
}

/* Whether the text goes on with a word of ASCII, in any case; what follows it is not looked at. */
static int word_here(struct at a, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(a.end - a.p) >= n && !strncasecmp(a.p, word, n) ? (int)n : 0;
}

static struct at skip(struct at a, int n)
{
    return (struct at){ a.p + n, a.end };
}

static int while_digits(struct at a)
{
    int n = 0;

    while (is_digit(skip(a, n))) n++;
    return n;
}

static int while_alnum(struct at a) /* ASCII letters and digits */
{
    int n = 0;

    while (is_digit(skip(a, n)) || is_ascii_letter(skip(a, n))) n++;
    return n;
}

/* ---- rules: bytes of the token; *ahead gets the bytes of the whole match ---- */

/* 'm 's 'd 're 've 'll before what is no letter. */
static int auxiliary(struct at a)
{
    static const char *const tails[] = { "re", "ve", "ll", "m", "s", "d", NULL };
    int q = quote(a);

    for (int i = 0; q && tails[i]; i++) {
        int n = word_here(skip(a, q), tails[i]);
        if (n && !letter(skip(a, q + n))) return q + n;
    }
    return 0;
}

/* n't before what is no letter. */
static int negation(struct at a)
{
    int q = a.p < a.end && (*a.p | 32) == 'n' ? quote(skip(a, 1)) : 0;

    return q && word_here(skip(a, 1 + q), "t") && !letter(skip(a, 2 + q)) ? 2 + q : 0;
}

static int plain_word(struct at a)
{
    int n = letter(a), more;

    if (!n) return 0;
    for (;;) {
        struct at b = skip(a, n);
        if ((more = letter(b)) || (more = is_digit(b))) n += more;
        else if (in(b, ".!?") && letter(skip(b, 1))) n += 1;
        else return n;
    }
}

static int word(struct at a, int *ahead)
{
    int n = plain_word(a), aux = n ? auxiliary(skip(a, n)) : 0;

    *ahead = n + aux;
    return n;
}

/* The word before n't: it gives its last n away. */
static int negated(struct at a, int *ahead)
{
    int n = 0, more;

    while ((more = letter(skip(a, n)))) {
        int tail = n ? negation(skip(a, n)) : 0;
        if (tail) {
            *ahead = n + tail;
            return n;
        }
        n += more;
    }
    return 0;
}

static int one_of(struct at a, const char *const *list)
{
    int best = 0;

    for (int i = 0; list[i]; i++) {
        int n = word_here(a, list[i]);
        if (n > best) best = n;
    }
    return best;
}

static int split_words(struct at a, int *ahead)
{
    static const char *const list[] = { "gonna", "gotta", "lemme", "gimme", "wanna", NULL };
    int n = one_of(a, list);

    if (n && plain_word(a) != n) n = 0;
    *ahead = n;
    if (n) return n - 2;
    n = word_here(a, "cannot");
    if (n && plain_word(a) != n) n = 0;
    *ahead = n;
    return n ? 3 : 0;
}

static int apostrophe_word(struct at a, int *ahead)
{
    static const char *const fixed[] = { "'n'", "dunkin'", "somethin'", "ol'", "'em", "'cause", "cont'd.", "cont'd", "nor'easter", "c'mon", "e'er", "s'mores",
                                         "ev'ry", "li'l", "nat'l", "'till", "'til", "'tis", "'twas", NULL };
    int n = one_of(a, fixed), q = quote(a);

    if (n && strncasecmp(a.p, "'t", 2) == 0 && (n == 4 || n == 5) && (a.p[2] | 32) == 'i' && (a.p[3] | 32) == 's') n = 2; /* 't is */
    if (n == 5 && !strncasecmp(a.p, "'twas", 5)) n = 2;
    bool initial = is_ascii_letter(a) && ((*a.p >= 'A' && *a.p <= 'Z' && *a.p != 'I' && *a.p != 'Y') || *a.p == 'n');
    int inner = initial ? quote(skip(a, 1)) : 0;
    if (inner && letter(skip(a, 1 + inner)) && letter(skip(a, 1 + inner + letter(skip(a, 1 + inner))))) { /* O'Neil */
        int k = 1 + inner, more;
        while ((more = letter(skip(a, k)))) k += more;
        if (k > n) n = k;
    }
    if (in(a, "lLdDjJ") && quote(skip(a, 1)) && letter(skip(a, 2)) && !auxiliary(skip(a, 1)) && n < 2) n = 2; /* l'eau */
    if (q && while_digits(skip(a, q)) == 2 && (a.p[q] >= '2' && a.p[q + 1] == '0') && skip(a, q + 2).p < a.end && (a.p[q + 2] | 32) == 's') n = q + 3; /* '90s */
    if (n && n > 2 && *a.p != '\'' && letter(skip(a, n))) n = 0;
    *ahead = n;
    return n;
}

static int address(struct at a, int *ahead)
{
    static const char *const ends_in[] = { "com", "net", "org", "edu", NULL };
    int n = 0, scheme = word_here(a, "https://");

    if (!scheme) scheme = word_here(a, "http://");
    if (scheme || word_here(a, "www.")) {
        while (skip(a, n).p < a.end && !blank(skip(a, n)) && !strchr("\"<>|(){}", a.p[n])) n++;
        while (n && strchr(".,-?!", a.p[n - 1])) n--;
        return *ahead = n > scheme ? n : 0;
    }
    int at_sign = 0, dots = 0, last = 0;
    while (skip(a, n).p < a.end && (while_alnum(skip(a, n)) || strchr("._-@", a.p[n]))) {
        if (a.p[n] == '@') at_sign++;
        if (a.p[n] == '.' && while_alnum(skip(a, n + 1))) dots++, last = n + 1;
        n++;
    }
    while (n && strchr(".-_@", a.p[n - 1])) n--;
    bool is_mail = at_sign == 1 && dots && *a.p != '@' && last < n, is_site = !at_sign && dots && last < n && one_of(skip(a, last), ends_in) == n - last;
    for (int i = 0; is_site && i < last; i++) is_site = (a.p[i] >= 'a' && a.p[i] <= 'z') || a.p[i] == '.' || a.p[i] == '-';
    return *ahead = is_mail || is_site ? n : 0;
}

static int handle(struct at a, int *ahead)
{
    int n = 0;

    if (a.p < a.end && (*a.p == '@' || *a.p == '#') && is_ascii_letter(skip(a, 1))) {
        n = 1;
        while (is_ascii_letter(skip(a, n)) || (*a.p == '@' && (is_digit(skip(a, n)) || (skip(a, n).p < a.end && a.p[n] == '_')))) n++;
    }
    return *ahead = n;
}

static int sharp(struct at a, int *ahead)
{
    static const char *const list[] = { "c++", "c#", "f#", NULL };
    return *ahead = one_of(a, list);
}

static int date(struct at a, int *ahead)
{
    int d = while_digits(a), m, y;

    *ahead = 0;
    if (d < 1 || d > 2 || !in(skip(a, d), "/-")) return 0;
    m = while_digits(skip(a, d + 1));
    if (m < 1 || m > 2 || !in(skip(a, d + 1 + m), "/-")) return 0;
    y = while_digits(skip(a, d + m + 2));
    return *ahead = y >= 2 && y <= 4 ? d + m + 2 + y : 0;
}

static int number(struct at a, int *ahead)
{
    int n = a.p < a.end && (*a.p == '+' || *a.p == '-'), digits = while_digits(skip(a, n)), found = digits;

    n += digits;
    while (in(skip(a, n), ".:,") && (digits = while_digits(skip(a, n + 1)))) n += 1 + digits, found += digits;
    return *ahead = found ? n : 0;
}

static int fraction(struct at a, int *ahead)
{
    int whole = while_digits(a), n = 0, top, low;

    if (whole && whole <= 4 && in(skip(a, whole), "- ") && is_digit(skip(a, whole + 1))) n = whole + 1;
    top = while_digits(skip(a, n));
    if (n && (!top || skip(a, n + top).p >= a.end || a.p[n + top] != '/')) n = 0, top = whole;
    if (!top || top > 4 || skip(a, n + top).p >= a.end || a.p[n + top] != '/') return *ahead = 0;
    low = while_digits(skip(a, n + top + 1));
    return *ahead = low && low <= 4 ? n + top + 1 + low : 0;
}

/* he/she, and/or: ASCII words, some with hyphens, joined by slashes. */
static int slashed(struct at a, int *ahead)
{
    int n = while_alnum(a), parts = 0, more;

    if (!n) return *ahead = 0;
    while (skip(a, n).p < a.end && a.p[n] == '-' && (more = while_alnum(skip(a, n + 1)))) n += 1 + more;
    while (parts < 2 && skip(a, n).p < a.end && a.p[n] == '/' && (more = while_alnum(skip(a, n + 1)))) n += 1 + more, parts++;
    return *ahead = parts ? n : 0;
}

static bool is_hyphen(struct at a)
{
    return a.p < a.end && (*a.p == '-' || *a.p == '_');
}

/* 12-inch, 9-year-old, red-and-white, AT&T. */
static int joined(struct at a, int *ahead)
{
    int n = while_alnum(a), parts = 0, more, k = n;

    while (k && in(skip(a, k), ".,") && (more = while_alnum(skip(a, k + 1))) && is_digit(a)) k += 1 + more;
    if (k > n && is_hyphen(skip(a, k)) && while_alnum(skip(a, k + 1))) n = k;
    while (n && is_hyphen(skip(a, n)) && (more = while_alnum(skip(a, n + 1)))) n += 1 + more, parts++;
    if (!parts) {
        n = 0;
        while (skip(a, n).p < a.end && a.p[n] >= 'A' && a.p[n] <= 'Z') n++;
        for (k = n; k && in(skip(a, k), "&+") && a.p[k + 1] >= 'A' && a.p[k + 1] <= 'Z'; parts++) {
            k++;
            while (skip(a, k).p < a.end && a.p[k] >= 'A' && a.p[k] <= 'Z') k++;
            n = k;
        }
    }
    return *ahead = parts ? n : 0;
}

/* ---- abbreviations ---- */

/* With a period that belongs to them; at the end of a sentence the period is also one of its own. */
static const char *const sentence_final[] = {
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues", "wed", "thu", "thurs", "fri", "ala", "ariz", "ark",
    "calif", "colo", "conn", "ct", "dak", "fla", "ga", "ind", "kan", "kans", "ky", "md", "mich", "minn", "mo", "mont", "neb", "nev", "okla", "pa", "penn", "tenn",
    "vt", "va", "wis", "wisc", "wyo", "inc", "co", "cos", "corp", "pty", "pte", "ptys", "ltd", "plc", "rt", "bancorp", "bhd", "assn", "univ", "intl", "sys", "tel",
    "est", "ext", "sq", "jr", "sr", "bros", "ed.d", "ph.d", "blvd", "rd", "esq", "etc", "al", "seq", "bldg", NULL
};
static const char *const titles[] = {
    "mr", "mrs", "ms", "dr", "drs", "prof", "profs", "sen", "sens", "rep", "reps", "atty", "attys", "lt", "col", "gen", "messrs", "gov", "govs", "adm", "rev", "maj",
    "sgt", "cpl", "pvt", "capt", "st", "ste", "ave", "pres", "lieut", "hon", "brig", "comdr", "commdr", "pfc", "spc", "supt", "supts", "det", "mt", "ft", "adj", "adv",
    "asst", "assoc", "ens", "insp", "mlle", "mme", "msgr", "sfc", "vs", "alex", "wm", "jos", "cie", "a.k.a", "cf", "treas", "ph", "invt", "elec", "natl", "mtg", "mfg",
    "dept", NULL
};

static int listed(struct at a, const char *const *list)
{
    int n = one_of(a, list);

    return n && skip(a, n).p < a.end && a.p[n] == '.' ? n + 1 : 0;
}

static int abbreviation(struct at a, int *ahead)
{
    static const char *const before_number[] = { "ca", "fig", "figs", "prop", "no", "nos", "art", "bldg", "pp", "op", NULL };
    int n = listed(a, before_number);

    if (n && is_digit(skip(a, n + blank(skip(a, n))))) {
        *ahead = n + blank(skip(a, n)) + 1;
        return n;
    }
    n = listed(a, titles);

    *ahead = n;
    if (n) return n;
    n = listed(a, sentence_final);
    *ahead = n;
    return n;
}

/* Letters with periods: U.S., p.m. */
static int acronym(struct at a, int *ahead)
{
    int n = 0;

    while (is_ascii_letter(skip(a, n)) && skip(a, n + 1).p < a.end && a.p[n + 1] == '.') n += 2;
    if (n == 2 && !ends(skip(a, n))) n = 0;
    *ahead = n + (n && blank(skip(a, n)) ? 1 : 0);
    return n;
}

/* A file with a known extension: photo.jpg */
static int file_name(struct at a, int *ahead)
{
    static const char *const extensions[] = { "bat", "bmp", "c", "class", "cgi", "cpp", "dll", "doc", "docx", "exe", "gif", "gz", "h", "htm", "html", "jar", "java",
                                              "jpeg", "jpg", "mov", "mp3", "pdf", "php", "pl", "png", "ppt", "ps", "py", "sql", "tar", "txt", "wav", "x", "xml", "zip", NULL };
    int n = while_alnum(a), more;

    if (!n || skip(a, n).p >= a.end || a.p[n] != '.') return *ahead = 0;
    more = one_of(skip(a, n + 1), extensions);
    n += 1 + more;
    return *ahead = more && (ends(skip(a, n)) || strchr(".?!,", a.p[n])) ? n : 0;
}

/* ---- marks ---- */

static int run_of(struct at a, char c)
{
    int n = 0;

    while (skip(a, n).p < a.end && a.p[n] == c) n++;
    return n;
}

static int dashes(struct at a, int *ahead)
{
    return *ahead = run_of(a, '-');
}

static int dots(struct at a, int *ahead)
{
    int n = run_of(a, '.'), k = n == 1;

    if (n >= 3) return *ahead = n > 5 ? 5 : n;
    while (k && k < 5 && word_here(skip(a, k), " .")) k += 2; /* . . . */
    return *ahead = k == 5 ? 5 : 0;
}

static int questions(struct at a, int *ahead)
{
    int n = 0;

    while (in(skip(a, n), "?!")) n++;
    return *ahead = n;
}

static int doubles(struct at a, int *ahead)
{
    static const char marks[] = "@#_*";
    int n = 0;

    for (int i = 0; marks[i] && !n; i++) n = run_of(a, marks[i]);
    if (a.p < a.end && !n && (word_here(a, "<<") || word_here(a, ">>") || word_here(a, "''") || word_here(a, "``"))) n = 2;
    return *ahead = n;
}

static int smiley(struct at a, int *ahead)
{
    int n = in(a, "<>");

    if (!in(skip(a, n), ":;=")) return *ahead = 0;
    n++;
    if (in(skip(a, n), "-o*'")) n++;
    if (!in(skip(a, n), ")(DPdpO\\{@|[]")) return *ahead = 0;
    n++;
    return *ahead = while_alnum(skip(a, n)) ? 0 : n;
}

static int tag(struct at a, int *ahead)
{
    int n = a.p < a.end && *a.p == '<';

    if (!n) return *ahead = 0;
    if (skip(a, n).p < a.end && a.p[n] == '/') n++;
    if (!is_ascii_letter(skip(a, n))) return *ahead = 0;
    n += while_alnum(skip(a, n));
    while (blank(skip(a, n))) n += blank(skip(a, n));
    if (skip(a, n).p < a.end && a.p[n] == '/') n++;
    return *ahead = skip(a, n).p < a.end && a.p[n] == '>' ? n + 1 : 0;
}

static int entity(struct at a, int *ahead)
{
    static const char *const list[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&mdash;", "&ndash;", NULL };
    return *ahead = one_of(a, list);
}

static int single(struct at a, int *ahead)
{
    int bytes;
    uint32_t c = look(a, &bytes);
    bool is_mark = (c > 0x20 && c < 0x7F) || (c >= 0xA1 && c <= 0xFFFD && !letter(a) && !blank(a) && c != 0xAD && !(c >= 0x200B && c <= 0x200F) &&
                                              !(c >= 0x2028 && c <= 0x202F) && !(c >= 0xE000 && c <= 0xF8FF) && !(c >= 0xFE00 && c <= 0xFE0F) && c != 0xFEFF);

    return *ahead = is_mark && bytes ? bytes : 0;
}

static int aux_alone(struct at a, int *ahead)
{
    return *ahead = auxiliary(a);
}

static int negation_alone(struct at a, int *ahead)
{
    return *ahead = negation(a);
}

static int (*const rules[])(struct at, int *) = { sharp, split_words, tag, entity, negated, word, apostrophe_word, address, handle, aux_alone, negation_alone,
                                                  date, number, fraction, slashed, abbreviation, acronym, file_name, smiley, dashes, dots, doubles, questions,
                                                  joined, single };

/* ---- writing ---- */

/* Lower case of the alphabets with two cases, as far as they are regular. */
static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    bool pairs = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1EFF);
    return pairs && c % 2 == 0 ? c + 1 : c;
}

static const char *replacement(struct at a, int n)
{
    static const struct {
        const char *from, *to;
    } table[] = { { "(", "-lrb-" }, { ")", "-rrb-" }, { "[", "-lsb-" }, { "]", "-rsb-" }, { "{", "-lcb-" }, { "}", "-rcb-" }, { "&amp;", "&" }, { "&lt;", "<" },
                  { "&gt;", ">" }, { "&mdash;", "--" }, { "&ndash;", "--" }, { "---", "--" }, { "----", "--" }, { "....", "..." }, { ".....", "..." },
                  { ". . .", "..." }, { "\u2013", "--" }, { "\u2014", "--" }, { "\u2015", "--" }, { "\u2026", "..." }, { "\u00bc", "1/4" }, { "\u00bd", "1/2" },
                  { "\u00be", "3/4" }, { "\u2153", "1/3" }, { "\u2154", "2/3" }, { "\u00a2", "cents" }, { "\u00a3", "#" }, { "\u20ac", "$" }, { "\u00a4", "$" },
                  { "\u2018", "`" }, { "\u2039", "`" }, { "\u2019", "'" }, { "\u203a", "'" }, { "\u201c", "``" }, { "\u00ab", "``" }, { "\u201d", "''" },
                  { "\u00bb", "''" }, { "\u201e", "``" } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strlen(table[i].from) == (size_t)n && !memcmp(table[i].from, a.p, (size_t)n)) return table[i].to;
    }
    bool is_double = (n == 1 && *a.p == '"') || (n == 6 && word_here(a, "&quot;"));
    if (is_double) return while_alnum(skip(a, n)) || word_here(skip(a, n), "$") ? "``" : "''";
    if (n == 1 && *a.p == '\'') return is_ascii_letter(skip(a, 1)) && !ends(skip(a, 2)) ? "`" : "'";
    return NULL;
}

static void write_token(struct at a, int n, struct str *out)
{
    const char *other = replacement(a, n);
    struct at token = { a.p, a.p + n };
    int bytes;

    if (other) {
        str_add(out, other);
        return;
    }
    while (token.p < token.end) {
        char coded[4];
        uint32_t c = look(token, &bytes);
        if (!bytes) break;
        token = skip(token, bytes);
        if (c == 0xAD) continue;
        if (c == 0x2019) c = '\'';
        if (n > 1 && c == '(') str_add(out, "-lrb-");
        else if (n > 1 && c == ')') str_add(out, "-rrb-");
        else str_add_bytes(out, coded, (size_t)utf8_encode(lower(c), coded));
    }
}

void ptb_tokenize(const char *text, size_t n, struct str *out)
{
    struct at a = { text, text + n };
    size_t start = out->n;

    while (a.p < a.end) {
        int best = 0, length = 0, bytes;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
            int ahead = 0, got = rules[i](a, &ahead);
            if (got && ahead > best) best = ahead, length = got;
        }
        if (!length) { /* a blank, or nothing that is known */
            look(a, &bytes);
            a = skip(a, bytes ? bytes : 1);
            continue;
        }
        if (out->n > start) str_add_char(out, ' ');
        write_token(a, length, out);
        a = skip(a, length);
    }
}

void ptb_words(const char *text, size_t n, struct str *out)
{
    static const char *const dropped[] = { "''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";", NULL };
    struct str all = { 0 };
    size_t start = out->n;

    ptb_tokenize(text, n, &all);
    for (const char *p = str_c(&all), *end = p + all.n; p < end;) {
        const char *stop = memchr(p, ' ', (size_t)(end - p));
        size_t k = (size_t)((stop ? stop : end) - p);
        bool is_dropped = false;
        for (int i = 0; dropped[i] && !is_dropped; i++) is_dropped = strlen(dropped[i]) == k && !memcmp(dropped[i], p, k);
        if (!is_dropped && out->n > start) str_add_char(out, ' ');
        if (!is_dropped) str_add_bytes(out, p, k);
        p += k + 1;
    }
    str_release(&all);
}
