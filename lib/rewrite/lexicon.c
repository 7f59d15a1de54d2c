#include "rewrite/lexicon.h"
#include "core/file.h"
#include "core/str.h"
#include "rewrite/kinds.h"
#include "rewrite/nouns.h"
#include "stream/value.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[LEX_KINDS] = { "objects", "bare_objects", "proper_names", "attributes", "relations",
                                              "verbs",   "phrases",      "places",       "aliases" };

/* Together they keep the file well below LIMIT_JSON_FILE, and memory in bounds, whatever the corpus: most phrases of
 * millions of captions occur once. */
enum {
    KEY_MAX = 100,       /* bytes of an entry: what is longer is no caption's */
    ENTRIES_MAX = 200000 /* of a kind that are kept; up to twice as many while learning */
};

static int by_count(const void *a, const void *b, void *map)
{
    int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
    const struct map_entry *x = &((const struct map *)map)->at[i], *y = &((const struct map *)map)->at[k];

    return x->value != y->value ? (x->value < y->value ? 1 : -1) : (i > k) - (i < k);
}

static int by_position(const void *a, const void *b)
{
    int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;

    return (i > k) - (i < k);
}

/* Keeps the most frequent entries, of equal ones the first, in the order they have. */
static void forget_rare(struct map *m)
{
    int64_t *kept = m->n > ENTRIES_MAX ? mem_new(int64_t, m->n) : NULL;
    struct map less = { 0 };

    if (!kept) return;
    for (int64_t i = 0; i < m->n; i++) kept[i] = i;
    qsort_r(kept, (size_t)m->n, sizeof *kept, by_count, m);
    qsort(kept, ENTRIES_MAX, sizeof *kept, by_position);
    for (int64_t i = 0; i < ENTRIES_MAX; i++) {
        const struct map_entry *x = &m->at[kept[i]];
        *map_put(&less, x->key, x->n, NULL) = x->value;
    }
    free(kept);
    map_release(m);
    *m = less;
}

static void count(struct lexicon *l, enum lexicon_kind kind, const char *text, size_t n)
{
    struct map *m = &l->kinds[kind];

    if (n > KEY_MAX) return;
    ++*map_put(m, text, n, NULL);
    if (m->n >= 2 * ENTRIES_MAX) forget_rare(m);
}

/* Words [from, to) of the text in lower case, with single blanks. */
static void add_words(struct str *s, const struct scene_graph *g, int from, int to)
{
    for (int i = from; i < to; i++) str_addf(s, "%s%s", i > from ? " " : "", g->words.at[i].lower);
}

static bool is_plain(const char *s) /* replacements are written as they are: letters, blanks, hyphens */
{
    for (; *s; s++) {
        if (!((*s >= 'a' && *s <= 'z') || *s == ' ' || *s == '-')) return false;
    }
    return true;
}

/* Whether one of words [from, to) is written as a name, "Eiffel" and not "TV": it would be wrong in lower case. */
static bool is_proper(const struct scene_graph *g, int from, int to)
{
    for (int i = from; i < to; i++) {
        const struct word *x = &g->words.at[i];
        bool opens = !i || strchr(".!?", x[-1].lower[0]);
        if (!opens && word_is_capitalised(x, g->text)) return true;
    }
    return false;
}

bool relation_is_place(const struct scene_graph *g, int i)
{
    const struct graph_relation *r = &g->relations[i];
    const struct graph_object *o = &g->objects[r->object];

    if (r->is_verb || r->to > o->phrase_from || !noun_is_place(o->name) || !strcmp(r->name, "of") ||
        !strcmp(r->name, "with") || (i && g->relations[i - 1].from == r->from))
        return false;
    if (word_is_listed("covered filled full surrounded made attached", g->words.at[r->from].lower))
        return false; /* "covered in snow" is how something looks */
    return o->to >= g->words.n || (strcmp(g->words.at[o->to].lower, "of") && strcmp(g->words.at[o->to].lower, "and"));
}

void lexicon_add(struct lexicon *l, const struct scene_graph *g)
{
    struct str s = { 0 };

    for (int i = 0; i < g->n_objects; i++) {
        const struct graph_object *o = &g->objects[i];
        if (!is_plain(o->name)) continue;
        count(l, LEX_OBJECTS, o->name, strlen(o->name));
        if (!o->has_article && !o->is_plural) count(l, LEX_BARE, o->name, strlen(o->name));
        bool proper = is_proper(g, o->phrase_from, o->to);
        if (proper) count(l, LEX_PROPER, o->name, strlen(o->name));
        if (proper || o->phrase_from == o->from || noun_is_place(o->name)) continue;
        str_clear(&s);
        add_words(&s, g, o->phrase_from, o->from);
        str_addf(&s, "\t%s", o->name);
        if (!strchr(str_c(&s), ',')) count(l, LEX_PHRASES, s.data, s.n);
    }
    for (int i = 0; i < g->n_attributes; i++) {
        if (is_plain(g->attributes[i].name))
            count(l, LEX_ATTRIBUTES, g->attributes[i].name, strlen(g->attributes[i].name));
    }
    for (int i = 0; i < g->n_relations; i++) {
        const struct graph_relation *r = &g->relations[i];
        const struct graph_object *o = &g->objects[r->object];
        if (i && g->relations[i - 1].from == r->from) continue; /* one of several subjects or objects */
        count(l, LEX_RELATIONS, r->name, strlen(r->name));
        if (r->is_verb && g->words.at[r->from].class == WORD_VERB && is_plain(g->words.at[r->from].lower))
            count(l, LEX_VERBS, g->words.at[r->from].lower, strlen(g->words.at[r->from].lower));
        if (!relation_is_place(g, i) || is_proper(g, r->from, o->to)) continue;
        str_clear(&s);
        add_words(&s, g, r->from, o->to);
        str_addf(&s, "\t%s", o->name);
        if (o->to - r->from <= 8) count(l, LEX_PLACES, s.data, s.n);
    }
    str_release(&s);
}

/* ---- names for one thing ---- */

enum { NAMES_MAX = 40, PAIRS_MAX = 2000000, SEEN_MIN = 3 };

struct pairs {
    struct lexicon *lexicon;
    struct map shared; /* "a\tb" -> images with both, and, times TOGETHER, images where one caption has both */
};
#define TOGETHER (1ll << 32)

static void count_pairs(void *arg, const char *const *facts, int n)
{
    struct pairs *p = arg;
    struct map names_of = { 0 }; /* name -> captions, as bits */
    struct str key = { 0 };

    for (int d = 0; d < n && d < 60; d++) {
        for (const char *f = facts[d]; *f;) {
            size_t m = strcspn(f, "\n"), k = m && f[m - 1] == '+' ? m - 1 : m;
            if (!memchr(f, '|', m)) {
                int64_t *seen = map_find(&p->lexicon->kinds[LEX_OBJECTS], f, k);
                if (seen && *seen >= SEEN_MIN && (names_of.n < NAMES_MAX || map_find(&names_of, f, k)))
                    *map_put(&names_of, f, k, NULL) |= 1ll << d;
            }
            f += m + (f[m] == '\n');
        }
    }
    for (int64_t i = 0; i < names_of.n; i++) {
        for (int64_t k = 0; k < names_of.n; k++) {
            const struct map_entry *a = &names_of.at[i], *b = &names_of.at[k];
            if (strcmp(a->key, b->key) >= 0) continue;
            str_clear(&key);
            str_addf(&key, "%s\t%s", a->key, b->key);
            if (p->shared.n >= PAIRS_MAX && !map_find(&p->shared, key.data, key.n)) continue;
            *map_put(&p->shared, key.data, key.n, NULL) += 1 + (a->value & b->value ? TOGETHER : 0);
        }
    }
    map_release(&names_of);
    str_release(&key);
}

int lexicon_add_aliases(struct lexicon *l, struct tfidf_builder *captions, struct err *e)
{
    struct pairs p = { .lexicon = l };
    int rc = tfidf_builder_groups(captions, count_pairs, &p, e);

    for (int64_t i = 0; i < p.shared.n && !rc; i++) {
        const struct map_entry *x = &p.shared.at[i];
        int64_t shared = x->value % TOGETHER, together = x->value / TOGETHER;
        if (shared >= SEEN_MIN && together * 12 <= shared)
            *map_put(&l->kinds[LEX_ALIASES], x->key, x->n, NULL) = shared;
    }
    map_release(&p.shared);
    return rc;
}

/* ---- keeping ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct map_entry *)a)->key, ((const struct map_entry *)b)->key);
}

int lexicon_save(struct lexicon *l, const char *path, struct err *e)
{
    struct value *v = value_object();
    struct str s = { 0 };

    for (int k = 0; k < LEX_KINDS; k++) {
        const struct map *m = &l->kinds[k];
        forget_rare(&l->kinds[k]);
        struct map_entry *sorted = mem_new(struct map_entry, m->n + 1);
        struct value *entries = value_object();
        if (m->n) memcpy(sorted, m->at, sizeof *sorted * (size_t)m->n);
        qsort(sorted, (size_t)m->n, sizeof *sorted, by_key);
        for (int64_t i = 0; i < m->n; i++) value_set(entries, sorted[i].key, value_int(sorted[i].value));
        free(sorted);
        value_set(v, names[k], entries);
    }
    value_print_indented(v, &s);
    value_free(v);
    int rc = out_save(path, s.data, s.n, e);
    str_release(&s);
    return rc;
}

/* Of "stop sign", and of "small red\tstop sign"; of the last word alone when the whole is unknown. */
static int file_of_entry(const struct wordnet *wordnet, const char *key)
{
    const char *tab = strchr(key, '\t'), *name = tab ? tab + 1 : key, *blank = strrchr(name, ' ');
    int file = wordnet_file(wordnet, name);

    return file < 0 && blank ? wordnet_file(wordnet, blank + 1) : file;
}

struct entry {
    const char *text;
    int64_t count;
    int file; /* -1: unknown */
};

static int by_file(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->file != y->file ? (x->file > y->file) - (x->file < y->file) : strcmp(x->text, y->text);
}

static void arrange(struct drawing *d, struct entry *all)
{
    int64_t at = 0, total = 0;

    qsort(all, (size_t)d->n, sizeof *all, by_file);
    d->text = mem_new(const char *, d->n + 1);
    d->sum = mem_new(int64_t, d->n + 1);
    for (int64_t i = 0; i < d->n; i++) {
        d->text[i] = all[i].text;
        d->sum[i] = total;
        total += 1 + (int64_t)(16 * sqrt((double)all[i].count));
    }
    d->sum[d->n] = total;
    for (int f = 0; f <= LEX_FILES; f++) {
        while (at < d->n && all[at].file < f) at++;
        d->first[f] = at;
    }
}

static int load_kind(struct lexicon *l, int k, const struct value *entries, const struct wordnet *wordnet,
                     struct err *e)
{
    struct drawing *d = &l->drawings[k];
    int64_t n = value_count(entries);
    bool has_files = wordnet && (k == LEX_OBJECTS || k == LEX_PHRASES);

    for (int64_t i = 0; i < n; i++) {
        struct value *v;
        const char *key = value_key(entries, i, &v);
        if (!value_is_int(v) || value_integer(v) < 1)
            return err_set(e, ERR_INPUT, "%s: %s: a count was expected", names[k], err_quote(key));
        *map_put(&l->kinds[k], key, strlen(key), NULL) = value_integer(v);
        if (value_integer(v) > d->top) d->top = value_integer(v);
    }
    d->n = l->kinds[k].n; /* a key that comes twice is one */
    struct entry *all = mem_new(struct entry, d->n + 1);
    for (int64_t i = 0; i < d->n; i++) {
        const struct map_entry *x = &l->kinds[k].at[i];
        int file = has_files ? file_of_entry(wordnet, x->key) : -1;
        all[i] = (struct entry){ x->key, x->value, file < LEX_FILES ? file : -1 };
    }
    arrange(d, all);
    free(all);
    return 0;
}

int lexicon_load(struct lexicon *l, const char *path, const struct wordnet *wordnet, struct err *e)
{
    struct value *v = value_load(path, e), *entries;
    int rc = v ? 0 : -1;

    *l = (struct lexicon){ 0 };
    for (int k = 0; k < LEX_KINDS && !rc; k++) {
        rc = value_get_object(v, names[k], &entries, e);
        if (!rc) rc = load_kind(l, k, entries, wordnet, e);
        if (rc) err_in(e, "%s", path);
    }
    value_free(v);
    if (rc) lexicon_release(l);
    return rc;
}

void lexicon_release(struct lexicon *l)
{
    for (int k = 0; k < LEX_KINDS; k++) {
        map_release(&l->kinds[k]);
        free(l->drawings[k].text);
        free(l->drawings[k].sum);
    }
    *l = (struct lexicon){ 0 };
}

/* ---- asking ---- */

int64_t lexicon_count(const struct lexicon *l, enum lexicon_kind kind, const char *text)
{
    const int64_t *n = map_find(&l->kinds[kind], text, strlen(text));

    return n ? *n : 0;
}

double lexicon_commonness(const struct lexicon *l, enum lexicon_kind kind, const char *text)
{
    return l->drawings[kind].top ? log1p((double)lexicon_count(l, kind, text)) / log1p((double)l->drawings[kind].top)
                                 : 0;
}

bool lexicon_is_alias(const struct lexicon *l, const char *a, const char *b)
{
    char key[256];
    size_t n = strlen(a), m = strlen(b);

    if (n + m + 2 > sizeof key) return false;
    if (strcmp(a, b) > 0) { /* kept in byte order */
        const char *swap = a;
        a = b;
        b = swap;
        n = strlen(a);
        m = strlen(b);
    }
    memcpy(key, a, n);
    key[n] = '\t';
    memcpy(key + n + 1, b, m + 1);
    return map_find(&l->kinds[LEX_ALIASES], key, n + m + 1) != NULL;
}

const char *lexicon_draw(const struct lexicon *l, enum lexicon_kind kind, int file, struct rng *r)
{
    const struct drawing *d = &l->drawings[kind];
    int64_t low = file < 0 ? 0 : d->first[file], end = file < 0 ? d->n : d->first[file + 1], high = end - 1;

    if (low >= end) return NULL;
    int64_t x = d->sum[low] + rng_below(r, d->sum[end] - d->sum[low]);
    while (low < high) { /* the last whose sum is at most x */
        int64_t middle = high - (high - low) / 2;
        if (d->sum[middle] <= x) low = middle;
        else high = middle - 1;
    }
    return d->text[low];
}
