/* The files of wndb(5WN): index lines are sorted by bytes and found by bisection; synsets are found by their byte
 * offset. Nothing is trusted: every number is checked against the file's size, and a line ends where the file does. */
#include "rewrite/wordnet.h"
#include "core/file.h"
#include "core/sorted.h"
#include "core/str.h"
#include "rewrite/inflect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENSES_MAX = 24, ANCESTORS_MAX = 512, POINTERS_MAX = 400, WORDS_MAX = 32, SIBLINGS_MAX = 200 };

struct wordnet {
    struct sorted index[WN_POS], data[WN_POS], exceptions;
};
struct synset {
    int file;
    char type; /* n v a s */
    int n_words, n_pointers;
    struct {
        const char *at;
        int n;
    } words[WORDS_MAX];
    struct {
        char symbol[4];
        uint32_t offset;
        char pos;
    } pointers[POINTERS_MAX];
};

struct wordnet *wordnet_open(const char *dir, struct err *e)
{
    static const char *const names[WN_POS] = { "noun", "verb", "adj" };
    struct wordnet *w = mem_new(struct wordnet, 1);
    char name[32];
    int rc = 0;

    for (int p = 0; p < WN_POS && !rc; p++) {
        snprintf(name, sizeof name, "index.%s", names[p]);
        rc = sorted_open(&w->index[p], dir, name, e);
        snprintf(name, sizeof name, "data.%s", names[p]);
        if (!rc) rc = sorted_open(&w->data[p], dir, name, e);
    }
    if (!rc) rc = sorted_open(&w->exceptions, dir, "noun.exc", e);
    if (!rc) return w;
    wordnet_close(w);
    return NULL;
}

void wordnet_close(struct wordnet *w)
{
    if (!w) return;
    for (int p = 0; p < WN_POS; p++) {
        sorted_close(&w->index[p]);
        sorted_close(&w->data[p]);
    }
    sorted_close(&w->exceptions);
    free(w);
}

/* ---- lines and fields ---- */

struct field {
    const char *at;
    size_t n;
};
static struct field next_field(const char **p, const char *end)
{
    struct field f;

    f.at = sorted_field(p, end, &f.n);
    return f;
}

static int64_t field_number(struct field f, int base)
{
    int64_t v = 0;

    if (!f.n || f.n > 8) return -1;
    for (size_t i = 0; i < f.n; i++) {
        char c = f.at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base) return -1;
        v = v * base + digit;
    }
    return v;
}

/* The line of a word, whose blanks are underscores in the file, or NULL. */
static const char *find_line(const struct sorted *t, const char *word, const char **end)
{
    char key[80];
    size_t n = strlen(word);

    if (n >= sizeof key) return NULL;
    for (size_t i = 0; i < n; i++) key[i] = word[i] == ' ' ? '_' : word[i];
    return sorted_line(t, key, n, end);
}

/* The synsets of a word, at most SENSES_MAX, in WordNet's order; *uses: how many of them were seen in texts. */
static int senses(const struct wordnet *w, enum wordnet_pos pos, const char *word, uint32_t *out, int *uses)
{
    const char *end, *p = find_line(&w->index[pos], word, &end);
    int n = 0;

    *uses = 0;
    if (!p) return 0;
    next_field(&p, end);
    next_field(&p, end);
    int64_t count = field_number(next_field(&p, end), 10), pointers = field_number(next_field(&p, end), 10);
    if (count < 0 || pointers < 0 || pointers > 64) return 0;
    for (int i = 0; i < pointers + 1; i++) next_field(&p, end);
    int64_t seen = field_number(next_field(&p, end), 10);
    *uses = seen > 0 ? (int)seen : 0;
    while (n < count && n < SENSES_MAX) {
        int64_t offset = field_number(next_field(&p, end), 10);
        if (offset < 0) break;
        out[n++] = (uint32_t)offset;
    }
    return n;
}

static bool read_synset(const struct wordnet *w, enum wordnet_pos pos, uint32_t offset, struct synset *s)
{
    const struct sorted *t = &w->data[pos];

    s->n_words = s->n_pointers = 0;
    if ((int64_t)offset >= t->n || (offset && t->data[offset - 1] != '\n')) return false;
    const char *p = t->data + offset, *end = memchr(p, '\n', (size_t)(t->n - (int64_t)offset));
    if (!end) end = t->data + t->n;
    if (field_number(next_field(&p, end), 10) != (int64_t)offset) return false;
    s->file = (int)field_number(next_field(&p, end), 10);
    struct field type = next_field(&p, end);
    s->type = type.n ? *type.at : 0;
    int64_t n = field_number(next_field(&p, end), 16);
    for (int64_t i = 0; i < n; i++) {
        struct field word = next_field(&p, end);
        next_field(&p, end);
        if (word.n && s->n_words < WORDS_MAX) {
            s->words[s->n_words].at = word.at;
            s->words[s->n_words++].n = word.n;
        }
    }
    n = field_number(next_field(&p, end), 10);
    for (int64_t i = 0; i < n && s->n_pointers < POINTERS_MAX; i++) {
        struct field symbol = next_field(&p, end);
        int64_t target = field_number(next_field(&p, end), 10);
        struct field kind = next_field(&p, end);
        next_field(&p, end);
        if (target < 0 || !kind.n || symbol.n > 3) return s->n_words > 0;
        memcpy(s->pointers[s->n_pointers].symbol, symbol.at, (size_t)symbol.n);
        s->pointers[s->n_pointers].symbol[symbol.n] = 0;
        s->pointers[s->n_pointers].offset = (uint32_t)target;
        s->pointers[s->n_pointers++].pos = *kind.at;
    }
    return s->n_words > 0;
}

bool wordnet_knows(const struct wordnet *w, enum wordnet_pos pos, const char *word)
{
    const char *end;

    return find_line(&w->index[pos], word, &end) != NULL;
}

int wordnet_uses(const struct wordnet *w, enum wordnet_pos pos, const char *word)
{
    uint32_t offsets[SENSES_MAX];
    int uses;

    senses(w, pos, word, offsets, &uses);
    return uses;
}

const char *wordnet_exception(const struct wordnet *w, const char *plural, struct arena *a)
{
    const char *end, *p = find_line(&w->exceptions, plural, &end);

    if (!p) return NULL;
    next_field(&p, end);
    struct field one = next_field(&p, end);
    return one.n ? arena_strndup(a, one.at, (size_t)one.n) : NULL;
}

static bool is_verb(void *wordnet, const char *word)
{
    return wordnet_knows(wordnet, WN_VERB, word);
}

const char *wordnet_verb_lemma(const struct wordnet *w, const char *form, struct arena *a)
{
    return verb_lemma(form, a, w ? is_verb : NULL, (void *)(uintptr_t)w);
}

/* One that has siblings of its own sort. */
static bool is_thing(int file)
{
    return file == LEX_ANIMAL || file == LEX_ARTIFACT || file == LEX_BODY || file == LEX_FOOD || file == LEX_OBJECT ||
           file == LEX_PERSON || file == LEX_PLANT;
}

static bool is_visible(int file)
{
    return is_thing(file) || file == LEX_SUBSTANCE || file == LEX_LOCATION;
}

/* One of its kind, such as a person whose name is also a word ("Day"). */
static bool is_instance(const struct synset *s)
{
    for (int i = 0; i < s->n_pointers; i++) {
        if (!strcmp(s->pointers[i].symbol, "@i")) return true;
    }
    return false;
}

bool wordnet_is_unique(const struct wordnet *w, const char *noun)
{
    uint32_t offsets[SENSES_MAX];
    struct synset s;
    int uses, n = senses(w, WN_NOUN, noun, offsets, &uses);

    return n && read_synset(w, WN_NOUN, offsets[0], &s) && is_instance(&s);
}

/* The first sense that can be seen; the first of all when none can. */
static bool likely_sense(const struct wordnet *w, const char *noun, uint32_t *offset, struct synset *s)
{
    uint32_t offsets[SENSES_MAX];
    int uses, n = senses(w, WN_NOUN, noun, offsets, &uses);

    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < n; i++) {
            if (!read_synset(w, WN_NOUN, offsets[i], s)) continue;
            if (!pass && (!is_visible(s->file) || is_instance(s))) continue;
            *offset = offsets[i];
            return true;
        }
    }
    return false;
}

int wordnet_file(const struct wordnet *w, const char *noun)
{
    /* the most general words have a file of their own, and other senses elsewhere ("person": a body) */
    static const struct {
        const char *noun;
        int file;
    } general[] = { { "person", LEX_PERSON }, { "people", LEX_PERSON }, { "animal", LEX_ANIMAL },
                    { "plant", LEX_PLANT },   { "food", LEX_FOOD },     { "object", LEX_ARTIFACT } };
    struct synset s;
    uint32_t offset;

    for (size_t i = 0; i < sizeof general / sizeof *general; i++) {
        if (!strcmp(general[i].noun, noun)) return general[i].file;
    }
    return likely_sense(w, noun, &offset, &s) ? s.file : -1;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool holds(const uint32_t *set, int n, uint32_t x)
{
    for (int i = 0; i < n; i++) {
        if (set[i] == x) return true;
    }
    return false;
}

void wordnet_meaning(const struct wordnet *w, struct meaning *m, enum wordnet_pos pos, const char *word, int most,
                     int up, struct arena *a)
{
    uint32_t own[SENSES_MAX], all[ANCESTORS_MAX];
    int uses, n_own = senses(w, pos, word, own, &uses), n, generation_end;
    struct synset s;

    /* only senses in use: by a rare one a bus is a car (an old one), and almost everything a person */
    if (n_own > (uses > 1 ? uses : 1)) n_own = uses > 1 ? uses : 1;
    if (most && n_own > most) n_own = most;
    n = generation_end = n_own;

    memcpy(all, own, sizeof *own * (size_t)n_own);
    for (int i = 0, generation = 0; i < n; i++) { /* breadth first, over what is more general */
        if (i == generation_end) {
            generation++;
            generation_end = n;
        }
        if (up && generation == up) break;
        if (!read_synset(w, pos, all[i], &s)) continue;
        for (int k = 0; k < s.n_pointers && n < ANCESTORS_MAX; k++) {
            bool is_up = s.pointers[k].symbol[0] == '@' ||
                         (pos == WN_ADJECTIVE && !strcmp(s.pointers[k].symbol, "&") && s.type == 's');
            if (is_up && !holds(all, n, s.pointers[k].offset)) all[n++] = s.pointers[k].offset;
        }
    }
    m->n_own = n_own;
    m->n_all = n;
    m->own = arena_new(a, uint32_t, n_own + 1);
    m->all = arena_new(a, uint32_t, n + 1);
    memcpy(m->own, own, sizeof *own * (size_t)n_own);
    memcpy(m->all, all, sizeof *all * (size_t)n);
    qsort(m->own, (size_t)n_own, sizeof *m->own, by_number);
    qsort(m->all, (size_t)n, sizeof *m->all, by_number);
}

static bool meet(const uint32_t *a, int n_a, const uint32_t *b, int n_b)
{
    for (int i = 0, k = 0; i < n_a && k < n_b;) {
        if (a[i] == b[k]) return true;
        if (a[i] < b[k]) i++;
        else k++;
    }
    return false;
}

bool meaning_covers(const struct meaning *general, const struct meaning *special)
{
    return meet(general->own, general->n_own, special->all, special->n_all);
}

bool meaning_related(const struct meaning *a, const struct meaning *b)
{
    return meaning_covers(a, b) || meaning_covers(b, a);
}

/* The synset's words that are one word in lower case. */
static int plain_words(const struct wordnet *w, enum wordnet_pos pos, const struct synset *s, bool only_used,
                       const char **out, int n, int max, struct arena *a)
{
    for (int i = 0; i < s->n_words && n < max; i++) {
        bool plain = true;
        int length = s->words[i].n;
        for (int k = 0; k < length; k++) {
            char c = s->words[i].at[k];
            if (c == '(') { /* an adjective's syntactic marker */
                length = k;
                break;
            }
            if (c < 'a' || c > 'z') plain = false;
        }
        if (!plain || length < 2) continue;
        const char *word = arena_strndup(a, s->words[i].at, (size_t)length);
        if (only_used && !wordnet_uses(w, pos, word)) continue;
        out[n++] = word;
    }
    return n;
}

/* "washing": what is done, or much of something, but no thing that could have an article. */
static bool is_doing(const struct wordnet *w, const char *noun, struct arena *a)
{
    size_t n = strlen(noun);

    return n > 5 && !strcmp(noun + n - 3, "ing") && wordnet_uses(w, WN_VERB, wordnet_verb_lemma(w, noun, a)) > 0;
}

int wordnet_siblings(const struct wordnet *w, const char *noun, const char ***out, struct arena *a)
{
    struct synset *s = mem_new(struct synset, 3);
    uint32_t offset, likely;
    int n = 0;

    *out = arena_new(a, const char *, SIBLINGS_MAX);
    if (likely_sense(w, noun, &offset, &s[0]) && is_thing(s[0].file)) { /* a crowd's sibling is a throng */
        for (int i = 0; i < s[0].n_pointers; i++) {
            if (strcmp(s[0].pointers[i].symbol, "@") || !read_synset(w, WN_NOUN, s[0].pointers[i].offset, &s[1]))
                continue;
            for (int k = 0; k < s[1].n_pointers && n < SIBLINGS_MAX; k++) {
                uint32_t other = s[1].pointers[k].offset;
                if (strcmp(s[1].pointers[k].symbol, "~") || other == offset || !read_synset(w, WN_NOUN, other, &s[2]) ||
                    s[2].file != s[0].file)
                    continue;
                int before = n;
                n = plain_words(w, WN_NOUN, &s[2], true, *out, n, SIBLINGS_MAX, a);
                for (int j = before; j < n;) { /* only words that mostly mean this */
                    bool is_noun = wordnet_uses(w, WN_NOUN, (*out)[j]) >=
                                   wordnet_uses(w, WN_ADJECTIVE, (*out)[j]); /* "local" is no bus */
                    bool is_one = !is_doing(w, (*out)[j], a) && !noun_is_plural((*out)[j]);
                    if (is_noun && is_one && likely_sense(w, (*out)[j], &likely, &s[2]) && likely == other) j++;
                    else (*out)[j] = (*out)[--n];
                }
            }
        }
    }
    free(s);
    return n;
}

int wordnet_antonyms(const struct wordnet *w, const char *adjective, const char ***out, struct arena *a)
{
    struct synset *s = mem_new(struct synset, 3);
    uint32_t offsets[SENSES_MAX];
    int uses, n = 0;

    *out = arena_new(a, const char *, SIBLINGS_MAX);
    if (senses(w, WN_ADJECTIVE, adjective, offsets, &uses) && read_synset(w, WN_ADJECTIVE, offsets[0], &s[0])) {
        const struct synset *head = &s[0];
        for (int i = 0; i < s[0].n_pointers && s[0].type == 's'; i++) {
            if (strcmp(s[0].pointers[i].symbol, "&") || !read_synset(w, WN_ADJECTIVE, s[0].pointers[i].offset, &s[1]))
                continue;
            head = &s[1];
            break;
        }
        for (int i = 0; i < head->n_pointers; i++) {
            if (strcmp(head->pointers[i].symbol, "!") || !read_synset(w, WN_ADJECTIVE, head->pointers[i].offset, &s[2]))
                continue;
            n = plain_words(w, WN_ADJECTIVE, &s[2], true, *out, n, SIBLINGS_MAX, a);
        }
    }
    free(s);
    return n;
}
