#include "score/synonyms.h"
#include "core/mem.h"
#include "core/sorted.h"
#include "core/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pos { NOUN, VERB, ADJ, ADV, POS };
struct synonyms {
    struct sorted index[POS], exceptions[POS];
};

struct synonyms *synonyms_open(const char *dir, struct err *e)
{
    static const char *const names[POS] = { "noun", "verb", "adj", "adv" };
    struct synonyms *s = mem_new(struct synonyms, 1);
    char name[16];
    int rc = 0;

    for (int p = 0; p < POS && !rc; p++) {
        snprintf(name, sizeof name, "index.%s", names[p]);
        rc = sorted_open(&s->index[p], dir, name, e);
        snprintf(name, sizeof name, "%s.exc", names[p]);
        if (!rc) rc = sorted_open(&s->exceptions[p], dir, name, e);
    }
    if (!rc) return s;
    synonyms_close(s);
    return NULL;
}

void synonyms_close(struct synonyms *s)
{
    if (!s) return;
    for (int p = 0; p < POS; p++) {
        sorted_close(&s->index[p]);
        sorted_close(&s->exceptions[p]);
    }
    free(s);
}

static int64_t number(const char *at, size_t n)
{
    int64_t v = 0;

    if (!n || n > 8) return -1;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        v = v * 10 + at[i] - '0';
    }
    return v;
}

/* METEOR's tables have Princeton's offsets; Debian's files differ where a gloss was mended. */
static uint32_t offset_of(enum pos p, int64_t v)
{
    if (p == ADJ && v >= 1681478) return (uint32_t)(v - 1);
    if (p == VERB && v >= 613036 && v < 2422967) return (uint32_t)(v - 18);
    return (uint32_t)v;
}

struct set {
    uint32_t *at;
    int n;
};

/* An index line: word, part of speech, how many synsets, how many pointers, the pointers, two numbers, the synsets.
 * Whether the word is there at all. */
static bool look_up(const struct synonyms *s, const char *word, size_t n, struct set *out)
{
    bool found = false;

    for (int p = 0; p < POS; p++) {
        const char *end, *at = sorted_line(&s->index[p], word, n, &end), *f;
        size_t length;
        if (!at) continue;
        found = true;
        sorted_field(&at, end, &length);
        sorted_field(&at, end, &length);
        f = sorted_field(&at, end, &length);
        int64_t count = number(f, length);
        f = sorted_field(&at, end, &length);
        int64_t skip = number(f, length) + 2;
        for (int64_t i = 0; i < skip && i < 100; i++) sorted_field(&at, end, &length);
        for (int64_t i = 0; i < count && out && out->n < SYNONYMS_MAX; i++) {
            f = sorted_field(&at, end, &length);
            int64_t v = number(f, length);
            if (v >= 0) out->at[out->n++] = offset_of((enum pos)p, v);
        }
    }
    return found;
}

/* All base forms that the lists of exceptions give; whether the word is in one. */
static bool look_up_exceptions(const struct synonyms *s, const char *word, size_t n, struct set *out)
{
    bool found = false;

    for (int p = 0; p < POS; p++) {
        const char *end, *at = sorted_line(&s->exceptions[p], word, n, &end), *f;
        size_t length;
        if (!at) continue;
        found = true;
        sorted_field(&at, end, &length);
        while ((f = sorted_field(&at, end, &length)), length) look_up(s, f, length, out);
    }
    return found;
}

/* The first rule of detachment whose result is a word. */
static void look_up_base(const struct synonyms *s, const char *word, size_t n, struct set *out)
{
    static const char *const rules[][2] = {
        { "s", "" },      { "ses", "s" },   { "xes", "x" }, { "zes", "z" }, { "ches", "ch" },
        { "shes", "sh" }, { "men", "man" }, { "ies", "y" }, { "s", "" },    { "ies", "y" },
        { "es", "e" },    { "es", "" },     { "ed", "e" },  { "ed", "" },   { "ing", "e" },
        { "ing", "" },    { "er", "" },     { "est", "" },  { "er", "e" },  { "est", "e" },
    };
    char base[80];

    if (n <= 2 || n > 70 || (word[n - 1] == 's' && word[n - 2] == 's')) return;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t ending = strlen(rules[i][0]);
        if (n < ending || memcmp(word + n - ending, rules[i][0], ending)) continue;
        int m = snprintf(base, sizeof base, "%.*s%s", (int)(n - ending), word, rules[i][1]);
        if (m > 0 && look_up(s, base, (size_t)m, out)) return;
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int synonyms_of(const struct synonyms *s, const char *word, size_t n, uint32_t out[SYNONYMS_MAX])
{
    struct set set = { out, 0 };
    int kept = 0;

    look_up(s, word, n, &set);
    if (!look_up_exceptions(s, word, n, &set)) look_up_base(s, word, n, &set);
    qsort(out, (size_t)set.n, sizeof *out, by_number);
    for (int i = 0; i < set.n; i++) {
        if (!kept || out[i] != out[kept - 1]) out[kept++] = out[i];
    }
    return kept;
}

bool synonyms_meet(const uint32_t *a, int n_a, const uint32_t *b, int n_b)
{
    for (int i = 0, k = 0; i < n_a && k < n_b;) {
        if (a[i] == b[k]) return true;
        if (a[i] < b[k]) i++;
        else k++;
    }
    return false;
}
