#include "score/porter.h"
#include <stdbool.h>
#include <string.h>

struct stem {
    char *at;
    size_t n;
};
struct rule {
    const char *ending, *instead;
};

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* y is a consonant at the beginning and after a vowel. */
static bool is_consonant(const struct stem *s, size_t i)
{
    bool consonant = !is_one_of(s->at[0], "aeiou");

    if (s->at[0] == 'y') consonant = true;
    for (size_t k = 1; k <= i; k++) consonant = s->at[k] == 'y' ? !consonant : !is_one_of(s->at[k], "aeiou");
    return consonant;
}

/* How often a vowel is followed by a consonant in the first n letters. */
static int measure(const struct stem *s, size_t n)
{
    bool before = true;
    int m = 0;

    for (size_t i = 0; i < n; i++) {
        bool consonant = s->at[i] == 'y' ? i == 0 || !before : !is_one_of(s->at[i], "aeiou");
        m += consonant && !before;
        before = consonant;
    }
    return m;
}

/* One pass, whatever the length: a text without blanks is one word. */
static bool has_vowel(const struct stem *s, size_t n)
{
    bool before = false;

    for (size_t i = 0; i < n; i++) {
        bool consonant = s->at[i] == 'y' ? i == 0 || !before : !is_one_of(s->at[i], "aeiou");
        if (!consonant) return true;
        before = consonant;
    }
    return false;
}

static bool ends(const struct stem *s, const char *ending)
{
    size_t n = strlen(ending);

    return s->n >= n && !memcmp(s->at + s->n - n, ending, n);
}

/* Takes the ending off and puts another one there, which is no longer. */
static void replace(struct stem *s, const char *ending, const char *instead)
{
    s->n -= strlen(ending);
    memcpy(s->at + s->n, instead, strlen(instead));
    s->n += strlen(instead);
}

/* The first rule whose ending is there decides: it is applied if what it leaves measures more than `above`. */
static void apply_first(struct stem *s, const struct rule *rules, int n, int above)
{
    for (int i = 0; i < n; i++) {
        if (!ends(s, rules[i].ending)) continue;
        if (measure(s, s->n - strlen(rules[i].ending)) > above) replace(s, rules[i].ending, rules[i].instead);
        return;
    }
}

#define APPLY(s, rules, above) apply_first(s, rules, (int)(sizeof(rules) / sizeof *(rules)), above)

static const struct rule step2[] = {
    { "ational", "ate" }, { "tional", "tion" }, { "enci", "ence" },   { "anci", "ance" },   { "izer", "ize" },
    { "bli", "ble" },     { "alli", "al" },     { "entli", "ent" },   { "eli", "e" },       { "ousli", "ous" },
    { "ization", "ize" }, { "ation", "ate" },   { "ator", "ate" },    { "alism", "al" },    { "iveness", "ive" },
    { "fulness", "ful" }, { "ousness", "ous" }, { "aliti", "al" },    { "iviti", "ive" },   { "biliti", "ble" },
}, step3[] = {
    { "icate", "ic" }, { "ative", "" }, { "alize", "al" }, { "iciti", "ic" }, { "ical", "ic" }, { "ful", "" },
    { "ness", "" },
};

/* ---- ROUGE-1.5.5.pl ---- */

/* The whole of the first n letters is consonants, one vowel and a consonant that is not w, x or y. */
static bool is_short(const struct stem *s, size_t n)
{
    if (n < 3 || is_one_of(s->at[n - 1], "aeiouwxy") || !is_one_of(s->at[n - 2], "aeiouy")) return false;
    if (is_one_of(s->at[0], "aeiou")) return false;
    for (size_t i = 1; i < n - 2; i++) {
        if (is_one_of(s->at[i], "aeiouy")) return false;
    }
    return true;
}

static void perl_step1(struct stem *s)
{
    if (ends(s, "sses") || ends(s, "ies")) s->n -= 2;
    else if (ends(s, "s") && !ends(s, "ss")) s->n--;
    if (ends(s, "eed")) {
        if (measure(s, s->n - 3) > 0) s->n--;
    } else if (ends(s, "ed") || ends(s, "ing")) {
        size_t left = s->n - (ends(s, "ed") ? 2 : 3);
        if (has_vowel(s, left)) {
            s->n = left;
            bool is_double = left > 1 && s->at[left - 1] == s->at[left - 2];
            if (ends(s, "at") || ends(s, "bl") || ends(s, "iz") || (!is_double && is_short(s, left)))
                s->at[s->n++] = 'e';
            else if (is_double && !is_one_of(s->at[left - 1], "aeiouylsz")) s->n--;
        }
    }
    if (ends(s, "y") && has_vowel(s, s->n - 1)) s->at[s->n - 1] = 'i';
}

static bool cut_above(struct stem *s, const char *ending, int above)
{
    if (!ends(s, ending)) return false;
    if (measure(s, s->n - strlen(ending)) > above) s->n -= strlen(ending);
    return true;
}

/* Three endings may go, one after the other. The longest of the first list that is there. */
static void perl_step4(struct stem *s)
{
    static const char *const first[] = { "ement", "ance", "ence", "able", "ible", "ant", "ism", "ate",
                                         "iti",   "ous",  "ive",  "ize",  "al",   "er",  "ic",  "ou" };
    bool done = false;

    for (size_t i = 0; i < sizeof first / sizeof *first && !done; i++) done = cut_above(s, first[i], 1);
    cut_above(s, "ment", 1);
    if (!cut_above(s, "ent", 1) && (ends(s, "sion") || ends(s, "tion")) && measure(s, s->n - 3) > 1) s->n -= 3;
}

size_t porter_perl(char *word, size_t n)
{
    struct stem s = { word, n };

    if (n < 3) return n;
    perl_step1(&s);
    if (ends(&s, "logi")) {
        if (measure(&s, s.n - 4) > 0) s.n--;
    } else {
        APPLY(&s, step2, 0);
    }
    APPLY(&s, step3, 0);
    perl_step4(&s);
    if (ends(&s, "e")) {
        int m = measure(&s, s.n - 1);
        if (m > 1 || (m == 1 && !is_short(&s, s.n - 1))) s.n--;
    }
    if (ends(&s, "ll") && measure(&s, s.n) > 1) s.n--;
    return s.n;
}

/* ---- NLTK ---- */

static bool ends_cvc(const struct stem *s, size_t n)
{
    if (n == 2) return !is_consonant(s, 0) && is_consonant(s, 1);
    return n > 2 && is_consonant(s, n - 3) && !is_consonant(s, n - 2) && is_consonant(s, n - 1) &&
           !is_one_of(s->at[n - 1], "wxy");
}

/* After ed or ing was taken off. */
static void nltk_mend(struct stem *s)
{
    if (ends(s, "at") || ends(s, "bl") || ends(s, "iz")) {
        s->at[s->n++] = 'e';
        return;
    }
    if (s->n > 1 && s->at[s->n - 1] == s->at[s->n - 2] && is_consonant(s, s->n - 1)) {
        if (!is_one_of(s->at[s->n - 1], "lsz")) s->n--;
        return;
    }
    if (measure(s, s->n) == 1 && ends_cvc(s, s->n)) s->at[s->n++] = 'e';
}

static void nltk_step1(struct stem *s)
{
    if (ends(s, "sses") || (ends(s, "ies") && s->n != 4)) s->n -= 2;
    else if (ends(s, "ies") || (ends(s, "s") && !ends(s, "ss"))) s->n--;
    if (ends(s, "ied")) {
        s->n -= s->n == 4 ? 1 : 2;
    } else if (ends(s, "eed")) {
        if (measure(s, s->n - 3) > 0) s->n--;
    } else if ((ends(s, "ed") && has_vowel(s, s->n - 2)) || (ends(s, "ing") && has_vowel(s, s->n - 3))) {
        s->n -= ends(s, "ed") ? 2 : 3;
        nltk_mend(s);
    }
    if (ends(s, "y") && s->n > 2 && is_consonant(s, s->n - 2)) s->at[s->n - 1] = 'i';
}

static void nltk_step2(struct stem *s)
{
    while (ends(s, "alli") && measure(s, s->n - 4) > 0) s->n -= 2;
    for (size_t i = 0; i < sizeof step2 / sizeof *step2; i++) {
        if (!ends(s, step2[i].ending)) continue;
        if (measure(s, s->n - strlen(step2[i].ending)) > 0) replace(s, step2[i].ending, step2[i].instead);
        return;
    }
    if (ends(s, "fulli")) {
        if (measure(s, s->n - 5) > 0) s->n -= 2;
    } else if (ends(s, "logi") && measure(s, s->n - 3) > 0) {
        s->n--;
    }
}

/* One ending goes. */
static void nltk_step4(struct stem *s)
{
    static const char *const endings[] = { "al",  "ance", "ence", "er",  "ic",  "able", "ible", "ant", "ement", "ment",
                                           "ent", "ion",  "ou",   "ism", "ate", "iti",  "ous",  "ive", "ize" };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!ends(s, endings[i])) continue;
        if (strcmp(endings[i], "ion") || (s->n > 3 && is_one_of(s->at[s->n - 4], "st"))) cut_above(s, endings[i], 1);
        return;
    }
}

static const struct rule irregular[] = {
    { "sky", "sky" },        { "skies", "sky" },       { "dying", "die" },        { "lying", "lie" },
    { "tying", "tie" },      { "news", "news" },       { "innings", "inning" },   { "inning", "inning" },
    { "outings", "outing" }, { "outing", "outing" },   { "cannings", "canning" }, { "canning", "canning" },
    { "howe", "howe" },      { "proceed", "proceed" }, { "exceed", "exceed" },    { "succeed", "succeed" },
};

size_t porter_nltk(char *word, size_t n)
{
    struct stem s = { word, n };

    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++) {
        if (strlen(irregular[i].ending) != n || memcmp(word, irregular[i].ending, n)) continue;
        memcpy(word, irregular[i].instead, strlen(irregular[i].instead));
        return strlen(irregular[i].instead);
    }
    if (n <= 2) return n;
    nltk_step1(&s);
    nltk_step2(&s);
    APPLY(&s, step3, 0);
    nltk_step4(&s);
    if (ends(&s, "e")) {
        int m = measure(&s, s.n - 1);
        if (m > 1 || (m == 1 && !ends_cvc(&s, s.n - 1))) s.n--;
    }
    if (ends(&s, "ll") && measure(&s, s.n - 1) > 1) s.n--;
    return s.n;
}
