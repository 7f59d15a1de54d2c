#include "score/spice.h"
#include "score/synonyms.h"
#include <math.h>
#include <string.h>

/* ---- graphs ---- */

struct concept { /* what a node is called, and what that may mean */
    int n_names, cap_names, n_synsets;
    const char **names;
    uint32_t *synsets; /* sorted */
};
struct attribute {
    int object;
    struct concept what;
};
struct relation {
    int subject, object;
    struct concept what;
};
struct graph {
    int n_objects, n_attributes, n_relations;
    struct concept *objects;
    struct attribute *attributes;
    struct relation *relations;
};
struct making {
    const struct synonyms *synonyms; /* NULL: names alone */
    struct arena arena;
};

static struct concept concept_of(struct making *m, const char *name)
{
    uint32_t found[SYNONYMS_MAX];
    char word[80];
    size_t n = strlen(name);
    struct concept c = { 1, 1, 0, arena_new(&m->arena, const char *, 1), NULL };

    c.names[0] = name;
    if (!m->synonyms || n >= sizeof word) return c;
    for (size_t i = 0; i <= n; i++) {
        char x = name[i];
        word[i] = x == ' ' ? '_' : x >= 'A' && x <= 'Z' ? (char)(x | 32) : x;
    }
    c.n_synsets = synonyms_of(m->synonyms, word, n, found);
    c.synsets = arena_new(&m->arena, uint32_t, c.n_synsets + 1);
    memcpy(c.synsets, found, (size_t)c.n_synsets * sizeof *found);
    return c;
}

static bool has_name(const struct concept *c, const char *name)
{
    for (int i = 0; i < c->n_names; i++) {
        if (!strcmp(c->names[i], name)) return true;
    }
    return false;
}

static bool share_name(const struct concept *a, const struct concept *b)
{
    for (int i = 0; i < a->n_names; i++) {
        if (has_name(b, a->names[i])) return true;
    }
    return false;
}

static bool meet(const struct concept *a, const struct concept *b)
{
    return share_name(a, b) || synonyms_meet(a->synsets, a->n_synsets, b->synsets, b->n_synsets);
}

static bool same(const struct concept *a, const struct concept *b)
{
    if (a->n_names != b->n_names || a->n_synsets != b->n_synsets) return false;
    for (int i = 0; i < a->n_names; i++) {
        if (!has_name(b, a->names[i])) return false;
    }
    return !a->n_synsets || !memcmp(a->synsets, b->synsets, (size_t)a->n_synsets * sizeof *a->synsets);
}

/* 1 when a name is shared; else the Jaccard index of the synsets. */
static double similarity(const struct concept *a, const struct concept *b)
{
    int both = 0;

    if (share_name(a, b)) return 1;
    for (int i = 0, k = 0; i < a->n_synsets && k < b->n_synsets;) {
        both += a->synsets[i] == b->synsets[k];
        if (a->synsets[i] == b->synsets[k]) i++, k++;
        else if (a->synsets[i] < b->synsets[k]) i++;
        else k++;
    }
    int all = a->n_synsets + b->n_synsets - both;
    return all ? (double)both / all : 0;
}

static void merge(struct making *m, struct concept *into, const struct concept *c)
{
    for (int i = 0; i < c->n_names; i++) {
        if (has_name(into, c->names[i])) continue;
        const char **names = arena_new(&m->arena, const char *, into->n_names + 1);
        memcpy(names, into->names, (size_t)into->n_names * sizeof *names);
        names[into->n_names++] = c->names[i];
        into->names = names;
    }
    uint32_t *all = arena_new(&m->arena, uint32_t, into->n_synsets + c->n_synsets + 1);
    int n = 0;
    for (int i = 0, k = 0; i < into->n_synsets || k < c->n_synsets;) {
        bool first = k == c->n_synsets || (i < into->n_synsets && into->synsets[i] <= c->synsets[k]);
        uint32_t x = first ? into->synsets[i++] : c->synsets[k++];
        if (!n || all[n - 1] != x) all[n++] = x;
    }
    into->synsets = all;
    into->n_synsets = n;
}

/* The node that the object becomes part of; a new one where none is like it. */
static int add_object(struct making *m, struct graph *g, const char *name)
{
    struct concept c = concept_of(m, name);
    double best = 0;
    int at = -1;

    for (int i = 0; i < g->n_objects; i++) {
        if (same(&g->objects[i], &c)) return i;
    }
    for (int i = 0; i < g->n_objects; i++) {
        double s = similarity(&g->objects[i], &c);
        if (s <= best) continue;
        best = s;
        at = i;
    }
    if (at < 0) {
        g->objects[g->n_objects] = c;
        return g->n_objects++;
    }
    merge(m, &g->objects[at], &c);
    return at;
}

static void add_attribute(struct making *m, struct graph *g, int object, const char *name)
{
    struct concept c = concept_of(m, name);

    for (int i = 0; i < g->n_attributes; i++) {
        if (g->attributes[i].object != object || !meet(&g->attributes[i].what, &c)) continue;
        merge(m, &g->attributes[i].what, &c);
        return;
    }
    g->attributes[g->n_attributes++] = (struct attribute){ object, c };
}

static void add_relation(struct making *m, struct graph *g, int subject, int object, const char *name)
{
    struct concept c = concept_of(m, str_starts(name, "be ") ? name + 3 : name);

    for (int i = 0; i < g->n_relations; i++) {
        struct relation *r = &g->relations[i];
        if (r->subject != subject || r->object != object || !meet(&r->what, &c)) continue;
        merge(m, &r->what, &c);
        return;
    }
    g->relations[g->n_relations++] = (struct relation){ subject, object, c };
}

static struct graph make_graph(struct making *m, const struct tuple_list *l)
{
    struct graph g = { .objects = arena_new(&m->arena, struct concept, 2 * l->n + 1),
                       .attributes = arena_new(&m->arena, struct attribute, l->n + 1),
                       .relations = arena_new(&m->arena, struct relation, l->n + 1) };

    for (int64_t i = 0; i < l->n; i++) {
        const struct tuple *t = &l->at[i];
        int object = add_object(m, &g, t->at[0]);
        if (t->n == 2) add_attribute(m, &g, object, t->at[1]);
        if (t->n == 3) add_relation(m, &g, object, add_object(m, &g, t->at[1]), t->at[2]);
    }
    return g;
}

/* ---- counts ---- */

enum kind { ALL, OBJECT, ATTRIBUTE, RELATION, CARDINALITY, COLOR, SIZE, KINDS };
struct counts {
    int right[KINDS], pred[KINDS], ref[KINDS];
};

static const char *const numbers[] = { "one",   "two",   "three", "four", "five", "six",
                                       "seven", "eight", "nine",  "ten",  NULL },
                         *const colors[] = { "black", "blue",   "brown",  "gray",   "green",  "grey", "orange",
                                             "pink",  "purple", "red",    "white",  "yellow", "gold", "silver",
                                             "tan",   "beige",  "blonde", "maroon", NULL },
                         *const sizes[] = { "big",    "bulky",   "colossal", "enormous", "giant",     "gigantic",
                                            "great",  "huge",    "immense",  "large",    "little",    "long",
                                            "low",    "massive", "medium",   "mini",     "miniature", "narrow",
                                            "petite", "high",    "short",    "slim",     "small",     "tall",
                                            "thick",  "thin",    "tiny",     "vast",     "wide",      NULL };

static bool is_in(const char *const *list, const char *word)
{
    for (; *list; list++) {
        if (!strcmp(*list, word)) return true;
    }
    return false;
}

/* Counts a tuple under all kinds that it is of. */
static void count(int *at, enum kind kind, const struct concept *what)
{
    at[ALL]++;
    at[kind]++;
    if (kind != ATTRIBUTE || what->n_names != 1) return;
    at[CARDINALITY] += is_in(numbers, what->names[0]);
    at[COLOR] += is_in(colors, what->names[0]);
    at[SIZE] += is_in(sizes, what->names[0]);
}

static void count_graph(const struct graph *g, int *at)
{
    for (int i = 0; i < g->n_objects; i++) count(at, OBJECT, &g->objects[i]);
    for (int i = 0; i < g->n_attributes; i++) count(at, ATTRIBUTE, &g->attributes[i].what);
    for (int i = 0; i < g->n_relations; i++) count(at, RELATION, &g->relations[i].what);
}

/* The prediction's tuples that one of the references' matches in all concepts. kind-wise: a colour matches among the
 * colours only. */
static bool fits(enum kind k, const struct concept *what)
{
    int at[KINDS] = { 0 };

    count(at, ATTRIBUTE, what);
    return at[k] > 0;
}

static void match_attributes(const struct graph *pred, const struct graph *ref, int *right)
{
    static const enum kind kinds[] = { ATTRIBUTE, CARDINALITY, COLOR, SIZE };

    for (int i = 0; i < pred->n_attributes; i++) {
        const struct attribute *a = &pred->attributes[i];
        for (int k = 0; k < 4; k++) {
            bool found = false;
            for (int r = 0; r < ref->n_attributes && !found; r++) {
                const struct attribute *b = &ref->attributes[r];
                found = fits(kinds[k], &a->what) && fits(kinds[k], &b->what) && meet(&a->what, &b->what) &&
                        meet(&pred->objects[a->object], &ref->objects[b->object]);
            }
            right[kinds[k]] += found;
            if (!k) right[ALL] += found;
        }
    }
}

static void match(const struct graph *pred, const struct graph *ref, int *right)
{
    for (int i = 0; i < pred->n_objects; i++) {
        bool found = false;
        for (int r = 0; r < ref->n_objects && !found; r++) found = meet(&pred->objects[i], &ref->objects[r]);
        right[OBJECT] += found;
        right[ALL] += found;
    }
    match_attributes(pred, ref, right);
    for (int i = 0; i < pred->n_relations; i++) {
        const struct relation *a = &pred->relations[i];
        bool found = false;
        for (int r = 0; r < ref->n_relations && !found; r++) {
            const struct relation *b = &ref->relations[r];
            found = meet(&pred->objects[a->subject], &ref->objects[b->subject]) && meet(&a->what, &b->what) &&
                    meet(&pred->objects[a->object], &ref->objects[b->object]);
        }
        right[RELATION] += found;
        right[ALL] += found;
    }
}

/* ---- figures ---- */

/* Of each kind: F, and whether there is anything to find (all items count for the kind ALL). */
static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    (void)t, (void)n;
    for (int k = 0; k < KINDS; k++) out[k] = sum[2 * k + 1] > 0 ? sum[2 * k] / sum[2 * k + 1] : NAN;
}

static double f_of(const struct counts *c, int k)
{
    double p = c->pred[k] ? (double)c->right[k] / c->pred[k] : 0, r = c->ref[k] ? (double)c->right[k] / c->ref[k] : 0;

    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

static struct counts compare(const struct synonyms *s, const struct tuples *t, int64_t i)
{
    struct making m = { .synonyms = s };
    struct counts c = { 0 };
    struct graph pred = make_graph(&m, &t->pred[i]), ref = make_graph(&m, &t->ref[i]);

    count_graph(&pred, c.pred);
    count_graph(&ref, c.ref);
    match(&pred, &ref, c.right);
    arena_release(&m.arena);
    return c;
}

static const char *const names[KINDS] = { "score", "object", "attribute", "relation", "cardinality", "color", "size" };

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct counts *c = (const struct counts *)t->more + i;
    struct value *all = value_object();

    for (int k = 0; k < KINDS; k++) {
        struct value *v = value_object();
        value_set(v, "right", value_int(c->right[k]));
        value_set(v, "predicted", value_int(c->pred[k]));
        value_set(v, "true", value_int(c->ref[k]));
        value_set(all, names[k], v);
    }
    value_set(out, "tuples", all);
}

int spice_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct tuples *t = &d->tuples;
    const char *dir = d->o->wordnet ? d->o->wordnet : SYNONYMS_DIR;
    bool is_plain = !strcmp(dir, "none");
    struct synonyms *s = is_plain ? NULL : synonyms_open(dir, e);

    if (!s && !is_plain) return -1;
    struct counts *all = mem_new(struct counts, t->n + 1);
    tally_begin(out, "spice", t->n, t->ids, 2 * KINDS);
    for (int k = 0; k < KINDS; k++) tally_figure(out, names[k], 100, 1, 3);
    str_addf(&out->signature, "spice|tuples:given|wordnet:%s", is_plain ? "none" : "3.0");
    out->finish = finish;
    out->explain = explain;
    out->more = all;
    for (int64_t i = 0; i < t->n; i++) {
        all[i] = compare(s, t, i);
        for (int k = 0; k < KINDS; k++) {
            bool counts = !k || all[i].ref[k] > 0;
            out->stats[i * 2 * KINDS + 2 * k] = counts ? f_of(&all[i], k) : 0;
            out->stats[i * 2 * KINDS + 2 * k + 1] = counts;
        }
    }
    synonyms_close(s);
    return 1;
}
