#include "rewrite/words.h"
#include "core/str.h"
#include "core/unicode.h"
#include <string.h>

static const struct {
    enum word_class class;
    const char *words; /* blanks around each */
} closed[] = {
    { WORD_DETERMINER, " a an the this that these those some any each every another both several many few various all "
                       "no its his her their our my your other " },
    { WORD_CONJUNCTION, " and or but while as " },
    { WORD_PRONOUN, " it he she they them him i we you who which what there something someone themselves itself " },
    { WORD_AUXILIARY, " is are was were be been being am has have had can could will would may might do does did " },
    { WORD_PREPOSITION, " in on at by near with without under above below over behind beside besides beneath "
                        "underneath between among amongst around across along "
                        "against inside outside onto into toward towards through of from to for atop upon up down off "
                        "past beyond within alongside amid like about "
                        "aboard throughout via opposite next " },
    { WORD_ADVERB,
      " very not also together close away there here while too so just nearby outdoors indoors else how when " },
    { WORD_POSSESSIVE, " 's ' " },
};

static const char *const numbers[] = { NULL,  "one",   "two",   "three", "four", "five",
                                       "six", "seven", "eight", "nine",  "ten" };

/* Prepositions of several words, the longest first where one begins another. */
static const char *const compound_prepositions[] = {
    "to the left of",
    "to the right of",
    "on the left of",
    "on the right of",
    "on the left side of",
    "on the right side of",
    "at the left of",
    "at the right of",
    "on the other side of",
    "on the side of",
    "on each side of",
    "on both sides of",
    "in the middle of",
    "in the center of",
    "in the centre of",
    "from the back of",
    "in the back of",
    "in the front of",
    "in front of",
    "in back of",
    "in between",
    "in the midst of",
    "at the top of",
    "at the bottom of",
    "on the top of",
    "on top of",
    "on the back of",
    "on the edge of",
    "at the edge of",
    "at the end of",
    "on the corner of",
    "at the foot of",
    "next to",
    "close to",
    "near to",
    "adjacent to",
    "opposite to",
    "across from",
    "away from",
    "far from",
    "out of",
    "inside of",
    "outside of",
    "along with",
    "together with",
    "full of",
    "filled with",
    "covered in",
    "covered with",
    "covered by",
    "surrounded by",
    "in the background of",
    "left of",
    "right of",
    "up to",
    "down from",
    "by the side of",
    "at the side of",
    "attached to",
    "made of",
    "made from",
    "off of",
    "on board",
};

/* list: words with blanks around each. */
static bool is_one_of(const char *lower, const char *list)
{
    char key[32];
    size_t n = strlen(lower);

    if (n > 20) return false;
    key[0] = ' ';
    memcpy(key + 1, lower, n);
    memcpy(key + n + 1, " ", 2);
    return strstr(list, key) != NULL;
}

/* "doesn't", "they're": a verb that helps, or a pronoun with one. */
static enum word_class contraction_class(const char *lower)
{
    static const char *const ends[] = { "'re", "'m", "'ve", "'ll", "'d" };

    if (str_ends(lower, "n't")) return WORD_AUXILIARY;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (str_ends(lower, ends[i])) return WORD_PRONOUN;
    }
    return WORD_OTHER;
}

enum word_class word_closed_class(const char *lower)
{
    enum word_class contraction = strchr(lower, '\'') ? contraction_class(lower) : WORD_OTHER;

    if (contraction != WORD_OTHER) return contraction;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        if (is_one_of(lower, closed[i].words)) return closed[i].class;
    }
    return word_number(lower) ? WORD_NUMBER : WORD_OTHER;
}

bool word_is_colour(const char *lower)
{
    return is_one_of(lower, " red orange yellow green blue purple pink brown black white gray grey gold golden silver "
                            "tan beige violet turquoise teal maroon navy ");
}

int word_number(const char *lower)
{
    int64_t value;

    for (int i = 1; i <= 10; i++) {
        if (!strcmp(lower, numbers[i])) return i;
    }
    return str_to_int(lower, 1, 100, &value) ? (int)value : 0;
}

const char *word_of_number(int n)
{
    return n >= 1 && n <= 10 ? numbers[n] : NULL;
}

/* Bytes of the letter or digit at s[i], 0 when it is none. */
static size_t letter_at(const char *s, size_t n, size_t i)
{
    size_t length = 1;

    if (i >= n) return 0;
    unsigned char c = (unsigned char)s[i];
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    enum unicode_class class = unicode_next(s + i, n - i, &length);
    return class == UNICODE_LETTER || class == UNICODE_NUMBER ? length : 0;
}

/* Bytes of the mark at s[i] that belongs to the letter before, as in decomposed text; 0 when it is none. */
static size_t mark_at(const char *s, size_t n, size_t i)
{
    uint32_t code;
    int length = i < n && (unsigned char)s[i] >= 0x80 ? utf8_decode(s + i, n - i, &code) : 0;

    return length > 0 && unicode_is_mark(code) ? (size_t)length : 0;
}

size_t apostrophe_at(const char *s, size_t n, size_t i)
{
    if (i < n && s[i] == '\'') return 1;
    return i + 3 <= n && !memcmp(s + i, "\xe2\x80\x99", 3) ? 3 : 0;
}

/* Bytes of the "'s" that is a word of its own at s[i], or 0. */
static size_t possessive_at(const char *s, size_t n, size_t i)
{
    size_t mark = apostrophe_at(s, n, i), end = i + mark + 1;

    if (!mark || end > n || (s[end - 1] != 's' && s[end - 1] != 'S')) return 0;
    return letter_at(s, n, end) || mark_at(s, n, end) ? 0 : mark + 1;
}

/* The end of the word that starts at i. */
static size_t word_end(const char *s, size_t n, size_t i)
{
    for (size_t length; i < n; i += length) {
        length = letter_at(s, n, i);
        if (!length) length = mark_at(s, n, i);
        if (length) continue;
        length = s[i] == '-' ? 1 : apostrophe_at(s, n, i);
        if (!length || !letter_at(s, n, i + length) || possessive_at(s, n, i)) break;
    }
    return i;
}

/* In lower case, with straight apostrophes, accents in one character with their letters. */
static const char *lower_copy(struct arena *a, const char *s, size_t n)
{
    char *out = arena_strndup(a, s, n);
    struct str lower = { 0 }, composed = { 0 };
    bool is_ascii = true;
    size_t m = 0;

    for (size_t i = 0, mark; i < n; i += mark ? mark : 1) {
        mark = apostrophe_at(s, n, i);
        out[m] = mark ? '\'' : s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
        is_ascii = is_ascii && (unsigned char)out[m] < 0x80;
        m++;
    }
    out[m] = 0;
    if (is_ascii) return out;
    unicode_add_lowered(&lower, out, m);
    unicode_add_composed(&composed, lower.data, lower.n);
    out = arena_strndup(a, composed.data, composed.n);
    str_release(&lower);
    str_release(&composed);
    return out;
}

void words_split(struct words *w, const char *text, struct arena *a)
{
    size_t n = strlen(text), i = 0, count = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (i = count = 0; i < n;) {
            size_t from = i;
            size_t length = 1, possessive = possessive_at(text, n, i);
            bool is_word = letter_at(text, n, i) != 0, is_blank = (unsigned char)text[i] <= ' ';
            if ((unsigned char)text[i] >= 0x80) is_blank = unicode_next(text + i, n - i, &length) == UNICODE_SPACE;
            i = is_word ? word_end(text, n, i) : i + (possessive ? possessive : length);
            if (is_blank) continue;
            if (pass) {
                const char *lower = lower_copy(a, text + from, i - from);
                enum word_class class = word_closed_class(lower);
                if (class == WORD_OTHER && !is_word) class = WORD_PUNCTUATION;
                w->at[count] = (struct word){ (int32_t)from, (int32_t)i, lower, class };
            }
            count++;
        }
        if (!pass) w->at = arena_new(a, struct word, count + 1);
    }
    w->n = (int)count;
}

int words_sentence_end(const struct words *w, int from)
{
    int i = from;

    while (i < w->n) {
        const char *s = w->at[i++].lower;
        if (!strcmp(s, ".") || !strcmp(s, "!") || !strcmp(s, "?") || !strcmp(s, ";")) break;
        if (i - from >= 80) break; /* a parser's time grows with the cube of the length */
    }
    while (i < w->n && w->at[i].class == WORD_PUNCTUATION && strchr(".!?;\")", w->at[i].lower[0])) i++;
    return i;
}

int words_preposition(const struct words *w, int i, int end)
{
    for (size_t k = 0; k < sizeof compound_prepositions / sizeof *compound_prepositions; k++) {
        const char *p = compound_prepositions[k];
        int j = i;
        while (*p && j < end) {
            size_t n = strcspn(p, " ");
            if (strlen(w->at[j].lower) != n || strncmp(w->at[j].lower, p, n)) break;
            p += n + (p[n] == ' ');
            j++;
        }
        if (!*p) return j - i;
    }
    return w->at[i].class == WORD_PREPOSITION;
}

int64_t text_code_points(const char *text, int64_t n)
{
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

bool word_is_capitalised(const struct word *x, const char *text)
{
    size_t n = (size_t)(x->to - x->from);
    uint32_t first, small, second, next;
    int a = utf8_decode(text + x->from, n, &first), b = utf8_decode(x->lower, strlen(x->lower), &small);

    if (!a || !b || first == small || (size_t)a == n) return false;
    bool has_next = utf8_decode(text + x->from + a, n - (size_t)a, &second) &&
                    utf8_decode(x->lower + b, strlen(x->lower + b), &next);
    return has_next && second == next && second != '-';
}
