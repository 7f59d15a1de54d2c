/* Every possible edit of a few kinds is collected with a few drawn replacements each; then kinds take turns. A
 * replacement must exclude what it replaces: another object that nothing in the picture is called, a contrary
 * attribute, an opposite relation. */
#include "rewrite/substitute.h"
#include "rewrite/fit.h"
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include "rewrite/nouns.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DRAWS = 6, /* replacements of one object */
    TRIES = 24,
    CANDIDATES_MAX = 100, /* of a kind */
    PARTS_MAX = 64        /* objects, attributes, relations that are looked at: captions have a dozen */
};

const char *const level_names[] = { "sentence", "phrase", "word" };
static const struct {
    const char *name;
    enum level level;
} kinds[KINDS] = {
    [KIND_OBJECT] = { "object", LEVEL_WORD },
    [KIND_ATTRIBUTE] = { "attribute", LEVEL_WORD },
    [KIND_RELATION] = { "relation", LEVEL_WORD },
    [KIND_COUNT] = { "count", LEVEL_WORD },
    [KIND_PHRASE] = { "object phrase", LEVEL_PHRASE },
    [KIND_PLACE] = { "place", LEVEL_PHRASE },
    [KIND_ATTRIBUTE_SWAP] = { "attribute swap", LEVEL_PHRASE },
    [KIND_OBJECT_SWAP] = { "object swap", LEVEL_PHRASE },
    [KIND_SEVERAL] = { "several", LEVEL_PHRASE },
};

struct change { /* words [from, to) become `with` */
    int from, to;
    const char *with;
};
struct work {
    const struct substitution *s;
    const struct scene_graph *g;
    struct rng *r;
    struct list {
        int n;
        struct candidate {
            struct negative negative;
            struct change change; /* of a word; of more the first */
        } at[CANDIDATES_MAX];
    } * lists; /* [KINDS] */
};

/* The kind of this name, blanks written as '-' or as they are; or KINDS. */
static int kind_named(const char *name, size_t n)
{
    for (int k = 0; k < KINDS; k++) {
        size_t i = 0;
        while (i < n && (kinds[k].name[i] == name[i] || (kinds[k].name[i] == ' ' && name[i] == '-'))) i++;
        if (i == n && !kinds[k].name[n]) return k;
    }
    return KINDS;
}

int substitute_weights(const char *list, double weight[KINDS], struct err *e)
{
    struct str part = { 0 };
    int rc = 0;

    for (int k = 0; k < KINDS; k++) weight[k] = list ? 0 : k != KIND_SEVERAL;
    for (const char *p = list; p && !rc;) {
        size_t n = strcspn(p, ",");
        str_clear(&part);
        str_add_bytes(&part, p, n);
        size_t name = strcspn(str_c(&part), "=");
        int k = kind_named(str_c(&part), name);
        if (k == KINDS) rc = err_set(e, ERR_USAGE, "%s is no kind of edit", err_quote(str_c(&part)));
        else weight[k] = 1;
        if (!rc && part.data[name] && !str_to_double(part.data + name + 1, 0, 1e6, &weight[k]))
            rc = err_set(e, ERR_USAGE, "%s (expected a weight from 0 to 1000000)", err_quote(part.data));
        p = p[n] ? p + n + 1 : NULL;
    }
    str_release(&part);
    return rc;
}

static int at_most(int n)
{
    return n < PARTS_MAX ? n : PARTS_MAX;
}

/* ---- writing ---- */

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool begins_sentence(const struct scene_graph *g, int word)
{
    return word == 0 || strchr(".!?", g->words.at[word - 1].lower[0]) != NULL;
}

/* "A BLACK CAT": what is put into such a text is in capitals, too. */
static bool is_shouted(const char *text)
{
    int capitals = 0;

    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z') return false;
        capitals += is_capital(*text);
    }
    return capitals > 1;
}

static const char *in_capitals(const char *s, struct arena *a)
{
    char *out = arena_strdup(a, s);

    for (char *p = out; *p; p++) *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    return out;
}

/* Whether another thing in the place of o makes the text false: not of "no dog", as there may be no cat either. */
static bool may_change(const struct graph_object *o)
{
    return !o->is_absent && !o->is_unsure;
}

/* The text with n changes, in order of place, made; articles before them and capitals follow. */
static const char *rewritten(const struct scene_graph *g, const struct change *changes, int n, struct arena *a)
{
    struct str out = { 0 };
    bool shouted = is_shouted(g->text);
    int32_t done = 0;

    for (int i = 0; i < n; i++) {
        const struct change *c = &changes[i];
        const struct word *first = &g->words.at[c->from], *before = c->from ? first - 1 : NULL;
        bool article = before && (!strcmp(before->lower, "a") || !strcmp(before->lower, "an")) && before->from >= done;
        if (article) {
            str_add_bytes(&out, g->text + done, (size_t)(before->from - done));
            str_add_char(&out, g->text[before->from]);
            bool loud = shouted || (before->to - before->from > 1 && is_capital(g->text[before->from + 1]));
            if (takes_an(c->with)) str_add_char(&out, loud ? 'N' : 'n');
            done = before->to;
        }
        str_add_bytes(&out, g->text + done, (size_t)(first->from - done));
        size_t at = out.n;
        str_add(&out, shouted ? in_capitals(c->with, a) : c->with);
        if (begins_sentence(g, c->from) && is_capital(g->text[first->from]) && out.data[at] >= 'a' &&
            out.data[at] <= 'z')
            out.data[at] = (char)(out.data[at] - 32);
        done = g->words.at[c->to - 1].to;
    }
    str_add(&out, g->text + done);
    const char *text = arena_strndup(a, out.data, out.n);
    str_release(&out);
    return text;
}

/* Words [from, to) as they would stand inside a sentence. */
static const char *inner_text(const struct scene_graph *g, int from, int to, struct arena *a)
{
    const struct word *first = &g->words.at[from];
    char *text = arena_strndup(a, g->text + first->from, (size_t)(g->words.at[to - 1].to - first->from));

    if (begins_sentence(g, from) && is_capital(text[0]) && (first->to - first->from == 1 || !is_capital(text[1])))
        text[0] = (char)(text[0] + 32);
    return text;
}

static void add(struct work *w, enum edit_kind kind, const struct change *changes, int n, const char *from,
                const char *to, double score)
{
    struct list *l = &w->lists[kind];

    if (l->n >= CANDIDATES_MAX) return;
    const char *text = rewritten(w->g, changes, n, w->s->arena);
    if (!strcmp(text, w->g->text)) return;
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < w->lists[k].n; i++) {
            if (!strcmp(w->lists[k].at[i].negative.text, text)) return;
        }
    }
    if (is_shouted(w->g->text)) to = in_capitals(to, w->s->arena);
    struct candidate *x = &l->at[l->n++];
    x->negative = (struct negative){ text, kinds[kind].level, kinds[kind].name,  from,
                                     to,   changes[0].from,   changes[n - 1].to, score,
                                     NULL };
    x->change = changes[0];
}

static const char *text_of(const struct work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *text_of(const struct work *w, const char *fmt, ...)
{
    struct str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vaddf(&s, fmt, ap);
    va_end(ap);
    const char *text = arena_strdup(w->s->arena, str_c(&s));
    str_release(&s);
    return text;
}

static double commonness(const struct work *w, enum lexicon_kind kind, const char *text)
{
    return lexicon_commonness(w->s->lexicon, kind, text);
}

/* ---- objects ---- */

static const char *number_form(const struct work *w, const struct graph_object *o, const char *name)
{
    return o->is_plural ? noun_plural(name, w->s->arena) : name;
}

/* Another object for o, or NULL. */
static const char *other_object(struct work *w, const struct graph_object *o, int file)
{
    const char **siblings;
    /* WordNet's persons are mostly roles and epithets ("liberal", "gallant"): there the corpus knows better */
    int n = w->s->wordnet && file != LEX_PERSON && rng_uniform(w->r) < 0.3
                ? wordnet_siblings(w->s->wordnet, o->name, &siblings, w->s->arena)
                : 0;

    for (int i = 0; i < 4 && n; i++) {
        const char *name = siblings[rng_below(w->r, n)];
        if (object_fits(w->s, o, name, false)) return name;
    }
    for (int i = 0; i < 2 * TRIES; i++) { /* anybody may be a person: then an animal */
        int sort = file == LEX_PERSON && i >= TRIES ? LEX_ANIMAL : file;
        const char *name = lexicon_draw(w->s->lexicon, LEX_OBJECTS, sort, w->r);
        if (!name) continue;
        if (file < 0 && w->s->wordnet && sort_of(w->s, name) < 0) continue;
        if (object_fits(w->s, o, name, true)) return name;
    }
    return NULL;
}

/* Whether the corpus puts the place `name` behind the preposition before o: "at the beach", never "among beach". */
static bool is_usual_place(const struct work *w, const struct graph_object *o, const char *name)
{
    struct str s = { 0 };
    int first = o->article >= 0 ? o->article : o->phrase_from;
    bool usual = false;

    for (int i = 0; i < at_most(w->g->n_relations) && !usual; i++) {
        const struct graph_relation *r = &w->g->relations[i];
        if (r->is_verb || r->to != first || o->phrase_from != o->from) continue;
        str_clear(&s);
        for (int k = r->from; k < o->from; k++) str_addf(&s, "%s ", w->g->words.at[k].lower);
        str_addf(&s, "%s\t%s", name, name);
        usual = lexicon_count(w->s->lexicon, LEX_PLACES, str_c(&s)) > 0;
    }
    str_release(&s);
    return usual;
}

static void replace_objects(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_objects); i++) {
        const struct graph_object *o = &w->g->objects[i];
        int file = sort_of(w->s, o->name);
        const char *from = inner_text(w->g, o->from, o->to, w->s->arena);
        if (!may_change(o) || o->is_name || noun_is_abstract(o->name)) continue;
        for (int k = 0; k < DRAWS; k++) {
            const char *name = other_object(w, o, file);
            if (!name) break;
            if (noun_is_place(o->name) && !is_usual_place(w, o, name)) continue;
            const char *with = number_form(w, o, name);
            add(w, KIND_OBJECT, &(struct change){ o->from, o->to, with }, 1, from, with,
                commonness(w, LEX_OBJECTS, name));
        }
    }
}

/* "a large purple backpack" -> "a red car": words before the noun too. */
static void replace_phrases(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_objects); i++) {
        const struct graph_object *o = &w->g->objects[i];
        const char *from = inner_text(w->g, o->phrase_from, o->to, w->s->arena);
        int file = sort_of(w->s, o->name);
        if (!may_change(o) || o->is_name || noun_is_place(o->name) || noun_is_abstract(o->name)) continue;
        for (int k = 0; k < 2 * TRIES; k++) {
            const char *drawn = lexicon_draw(w->s->lexicon, LEX_PHRASES, file, w->r),
                       *tab = drawn ? strchr(drawn, '\t') : NULL;
            if (!tab) break;
            if (!object_fits(w->s, o, tab + 1, true)) continue;
            struct str s = { 0 };
            str_add_bytes(&s, drawn, (size_t)(tab - drawn));
            str_addf(&s, " %s", number_form(w, o, tab + 1));
            const char *with = arena_strdup(w->s->arena, str_c(&s));
            str_release(&s);
            add(w, KIND_PHRASE, &(struct change){ o->phrase_from, o->to, with }, 1, from, with,
                commonness(w, LEX_PHRASES, drawn));
            if (w->lists[KIND_PHRASE].n >= DRAWS * (i + 1)) break;
        }
    }
}

static void replace_places(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_relations); i++) {
        const struct graph_relation *r = &w->g->relations[i];
        const struct graph_object *o = &w->g->objects[r->object];
        if (!relation_is_place(w->g, i) || !may_change(o) || !may_change(&w->g->objects[r->subject])) continue;
        const char *from = inner_text(w->g, r->from, o->to, w->s->arena);
        for (int k = 0; k < TRIES; k++) {
            const char *drawn = lexicon_draw(w->s->lexicon, LEX_PLACES, -1, w->r),
                       *tab = drawn ? strchr(drawn, '\t') : NULL;
            if (!tab) break;
            if (facts_have(w->s->facts, w->s->names, tab + 1)) continue;
            const char *with = arena_strndup(w->s->arena, drawn, (size_t)(tab - drawn));
            add(w, KIND_PLACE, &(struct change){ r->from, o->to, with }, 1, from, with,
                commonness(w, LEX_PLACES, drawn));
            if (w->lists[KIND_PLACE].n >= DRAWS) break;
        }
    }
}

/* ---- attributes ---- */

/* Whether an object of this name with this attribute, or one too like it, may be in the picture. */
static bool may_have(const struct work *w, const char *name, const char *attribute)
{
    for (int i = 0; i < w->s->facts->n; i++) {
        const struct fact *f = &w->s->facts->at[i];
        enum contrast c = f->attribute ? attributes_contrast(f->attribute, attribute) : CONTRAST_NONE;
        if ((c == CONTRAST_SAME || c == CONTRAST_UNCLEAR) && names_related(w->s->names, f->name, name)) return true;
    }
    return false;
}

/* One word of a class, by how common it is in the corpus; NULL when the corpus has none. */
static const char *word_of_class(struct work *w, const char *class)
{
    const char *best = NULL;
    double most = 0;

    for (const char *p = class; *p;) {
        size_t n = strcspn(p, " ");
        const char *word = arena_strndup(w->s->arena, p, n);
        double x = (rng_uniform(w->r) + 1e-3) * sqrt((double)lexicon_count(w->s->lexicon, LEX_ATTRIBUTES, word));
        if (x > most) {
            most = x;
            best = word;
        }
        p += n + (p[n] == ' ');
    }
    return best;
}

/* "much smaller" is no "much large". */
static bool is_comparative(const struct work *w, const char *name)
{
    size_t n = strlen(name);

    return n > 4 && !strcmp(name + n - 2, "er") &&
           wordnet_knows(w->s->wordnet, WN_ADJECTIVE, arena_strndup(w->s->arena, name, n - 2));
}

static void replace_attributes(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_attributes); i++) {
        const struct graph_attribute *x = &w->g->attributes[i];
        const char *name = w->g->objects[x->object].name, *from = inner_text(w->g, x->from, x->to, w->s->arena),
                   **opposites;
        int class, before = w->lists[KIND_ATTRIBUTE].n;
        if (!may_change(&w->g->objects[x->object])) continue;
        if (noun_is_place(name)) continue; /* "a small city": who can tell */
        int file = sort_of(w->s, name);
        const struct attribute_kind *kind = attribute_kind_of(x->name, &class);
        for (int c = 0; kind && c < kind->n; c++) {
            const char *with = c == class ? NULL : word_of_class(w, kind->classes[c]);
            if (!with || !attribute_suits(with, file) || attributes_contrast(x->name, with) != CONTRAST_CONTRARY ||
                may_have(w, name, with))
                continue;
            add(w, KIND_ATTRIBUTE, &(struct change){ x->from, x->to, with }, 1, from, with,
                commonness(w, LEX_ATTRIBUTES, with));
        }
        if (kind && w->lists[KIND_ATTRIBUTE].n == before) { /* a corpus without a contrary one */
            for (int c = 0; c < kind->n; c++) {
                const char *with = arena_strndup(w->s->arena, kind->classes[c], strcspn(kind->classes[c], " "));
                if (c == class || !attribute_suits(with, file) ||
                    attributes_contrast(x->name, with) != CONTRAST_CONTRARY || may_have(w, name, with))
                    continue;
                add(w, KIND_ATTRIBUTE, &(struct change){ x->from, x->to, with }, 1, from, with, 0);
            }
        }
        int n = !kind && w->s->wordnet && !is_comparative(w, x->name)
                    ? wordnet_antonyms(w->s->wordnet, x->name, &opposites, w->s->arena)
                    : 0;
        for (int k = 0; k < n; k++) {
            if (may_have(w, name, opposites[k]) || !attribute_suits(opposites[k], file)) continue;
            add(w, KIND_ATTRIBUTE, &(struct change){ x->from, x->to, opposites[k] }, 1, from, opposites[k],
                commonness(w, LEX_ATTRIBUTES, opposites[k]));
        }
    }
}

/* "a red car and a blue bus" -> "a blue car and a red bus". */
static void swap_attributes(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_attributes); i++) {
        for (int k = i + 1; k < at_most(w->g->n_attributes); k++) {
            const struct graph_attribute *x = &w->g->attributes[i], *y = &w->g->attributes[k];
            if (x->from > y->from) {
                const struct graph_attribute *swap = x;
                x = y;
                y = swap;
            }
            const struct graph_object *a = &w->g->objects[x->object], *b = &w->g->objects[y->object];
            if (!may_change(a) || !may_change(b) || x->object == y->object ||
                attributes_contrast(x->name, y->name) != CONTRAST_CONTRARY ||
                names_related(w->s->names, a->name, b->name))
                continue;
            if (may_have(w, a->name, y->name) || may_have(w, b->name, x->name)) continue;
            struct change c[2] = { { x->from, x->to, y->name }, { y->from, y->to, x->name } };
            add(w, KIND_ATTRIBUTE_SWAP, c, 2, text_of(w, "%s %s, %s %s", x->name, a->name, y->name, b->name),
                text_of(w, "%s %s, %s %s", y->name, a->name, x->name, b->name), 1);
        }
    }
}

/* ---- relations and counts ---- */

static bool is_single(const struct work *w, const struct graph_object *o)
{
    for (int i = 0; i < w->s->facts->n; i++) {
        if (w->s->facts->at[i].is_plural && names_related(w->s->names, w->s->facts->at[i].name, o->name)) return false;
    }
    for (int i = 0; i < at_most(w->g->n_objects); i++) {
        if (&w->g->objects[i] != o && names_related(w->s->names, w->g->objects[i].name, o->name)) return false;
    }
    return o->count == 1;
}

/* Whether a text is false with another relation. Only "without" may be turned: what is absent is then there. */
static bool relation_may_change(const struct work *w, const struct graph_relation *x)
{
    const struct graph_object *o = &w->g->objects[x->object];

    return may_change(&w->g->objects[x->subject]) && !o->is_unsure && (!o->is_absent || !strcmp(x->name, "without"));
}

static const char *verb_ending(const char *verb)
{
    size_t n = strlen(verb);

    if (n > 4 && !strcmp(verb + n - 3, "ing")) return "ing";
    if (n > 3 && !strcmp(verb + n - 2, "ed")) return "ed";
    return n > 3 && verb[n - 1] == 's' && verb[n - 2] != 's' ? "s" : "";
}

static void replace_verb(struct work *w, const struct graph_relation *x, const char *from)
{
    const char *now = w->g->words.at[x->from].lower;
    const struct graph_object *o = &w->g->objects[x->object];
    struct meaning a, b;
    int next = o->article >= 0 ? o->article : o->phrase_from;

    if (!w->s->wordnet || !*verb_ending(now) || w->g->words.at[x->from].class != WORD_VERB) return;
    bool is_agent = x->to < w->g->words.n && !strcmp(w->g->words.at[x->to].lower, "by");
    if (next != x->to && !is_agent) return; /* "learning how to ride a bicycle" is no "wearing how" */
    wordnet_meaning(w->s->wordnet, &a, WN_VERB, x->name, 0, 0, w->s->arena);
    for (int k = 0, found = 0; k < TRIES && found < 3; k++) {
        const char *with = lexicon_draw(w->s->lexicon, LEX_VERBS, -1, w->r);
        if (!with) return;
        if (strcmp(verb_ending(with), verb_ending(now)) || !strcmp(with, now)) continue;
        const char *base = wordnet_verb_lemma(w->s->wordnet, with, w->s->arena);
        wordnet_meaning(w->s->wordnet, &b, WN_VERB, base, 0, 0, w->s->arena);
        if (!b.n_own || !a.n_own || meaning_related(&a, &b) || verbs_may_agree(x->name, base)) continue;
        add(w, KIND_RELATION, &(struct change){ x->from, x->to, with }, 1, from, with, commonness(w, LEX_VERBS, with));
        found++;
    }
}

/* Puts the opposites of relation i there that the corpus has, or, when it has none of them, all. */
static void replace_preposition(struct work *w, const struct graph_relation *x, const char *from)
{
    const char *with;
    bool any = false;

    for (int k = 0; (with = relation_opposite(x->name, k)); k++) any = any || commonness(w, LEX_RELATIONS, with) > 0;
    for (int k = 0; (with = relation_opposite(x->name, k)); k++) {
        double common = commonness(w, LEX_RELATIONS, with);
        if (common > 0 || !any) add(w, KIND_RELATION, &(struct change){ x->from, x->to, with }, 1, from, with, common);
    }
}

static void replace_relations(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_relations); i++) {
        const struct graph_relation *x = &w->g->relations[i];
        const char *from = inner_text(w->g, x->from, x->to, w->s->arena);
        bool sure = true;
        for (int k = 0; k < at_most(w->g->n_relations); k++) {
            const struct graph_relation *y = &w->g->relations[k];
            if (y->from == x->from)
                sure = sure && is_single(w, &w->g->objects[y->subject]) && is_single(w, &w->g->objects[y->object]);
        }
        if (i && w->g->relations[i - 1].from == x->from) continue;
        if (!relation_may_change(w, x)) continue;
        if (x->is_verb) {
            replace_verb(w, x, from);
            continue;
        }
        if (sure && !noun_is_place(w->g->objects[x->object].name)) replace_preposition(w, x, from);
    }
}

/* Whether the article of an object goes where it goes: "a", "an" or "the" just before it. */
static bool moves_article(const struct work *w, const struct graph_object *o)
{
    return o->article >= 0 && o->article + 1 == o->phrase_from &&
           word_is_listed("a an the", w->g->words.at[o->article].lower);
}

/* "a dog to the left of a cat" -> "a cat to the left of a dog". */
static void swap_objects(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_relations); i++) {
        const struct graph_relation *x = &w->g->relations[i];
        const struct graph_object *a = &w->g->objects[x->subject], *b = &w->g->objects[x->object];
        if (!may_change(a) || !may_change(b) || !relation_is_directed(x->name) || !is_single(w, a) ||
            !is_single(w, b) || noun_is_place(a->name) || noun_is_place(b->name))
            continue;
        if (a->has_article != b->has_article || a->to > b->phrase_from) continue;
        bool whole = moves_article(w, a) && moves_article(w, b); /* "under her arm": "her" stays */
        int a_from = whole ? a->article : a->phrase_from, b_from = whole ? b->article : b->phrase_from;
        const char *one = inner_text(w->g, a_from, a->to, w->s->arena),
                   *two = inner_text(w->g, b_from, b->to, w->s->arena);
        struct change c[2] = { { a_from, a->to, two }, { b_from, b->to, one } };
        add(w, KIND_OBJECT_SWAP, c, 2, text_of(w, "%s %s %s", one, x->name, two),
            text_of(w, "%s %s %s", two, x->name, one), 1);
    }
}

static void replace_counts(struct work *w)
{
    for (int i = 0; i < at_most(w->g->n_objects); i++) {
        const struct graph_object *o = &w->g->objects[i];
        int others = 0;
        if (o->count < 2 || o->count > 10 || o->article < 0 || !may_change(o)) continue;
        for (int k = 0; k < at_most(w->g->n_objects); k++)
            others += k != i && names_related(w->s->names, w->g->objects[k].name, o->name);
        if (others) continue;
        for (int n = 2; n <= 5; n++) {
            if (n == o->count) continue;
            add(w, KIND_COUNT, &(struct change){ o->article, o->article + 1, word_of_number(n) }, 1,
                w->g->words.at[o->article].lower, word_of_number(n), 1);
        }
    }
}

/* ---- more than one ---- */

/* Two words replaced at once. Each makes the caption false, and so do both. */
static void replace_several(struct work *w)
{
    static const enum edit_kind of_words[] = { KIND_OBJECT, KIND_ATTRIBUTE, KIND_RELATION, KIND_COUNT };
    const struct candidate *all[4 * CANDIDATES_MAX];
    int n = 0;

    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < w->lists[of_words[k]].n; i++) all[n++] = &w->lists[of_words[k]].at[i];
    }
    for (int t = 0; t < TRIES && n > 1; t++) {
        const struct candidate *x = all[rng_below(w->r, n)], *y = all[rng_below(w->r, n)];
        if (x->change.from > y->change.from) {
            const struct candidate *swap = x;
            x = y;
            y = swap;
        }
        bool is_one = x->negative.kind == y->negative.kind && x->negative.kind == kinds[KIND_OBJECT].name;
        if (x->change.to > y->change.from) continue;
        if (is_one && !strcmp(x->change.with, y->change.with)) continue; /* "a pizza and a pizza" */
        struct change both[2] = { x->change, y->change };
        add(w, KIND_SEVERAL, both, 2, text_of(w, "%s, %s", x->negative.from, y->negative.from),
            text_of(w, "%s, %s", x->negative.to, y->negative.to), fmin(x->negative.score, y->negative.score));
    }
}

static void collect(struct work *w, const double weight[KINDS])
{
    replace_objects(w);
    replace_attributes(w);
    replace_relations(w);
    replace_counts(w);
    replace_phrases(w);
    replace_places(w);
    swap_attributes(w);
    swap_objects(w);
    if (weight[KIND_SEVERAL] > 0) replace_several(w);
    for (int k = 0; k < KINDS; k++) {
        struct list *l = &w->lists[k];
        for (int i = l->n - 1; i > 0; i--) {
            int64_t j = rng_below(w->r, i + 1);
            struct candidate swap = l->at[i];
            l->at[i] = l->at[j];
            l->at[j] = swap;
        }
    }
}

int substitute(const struct substitution *s, struct negative *out, int want, struct rng *r)
{
    struct work w = { .s = s, .g = s->graph, .r = r, .lists = mem_new(struct list, KINDS) };
    int n = 0, taken[KINDS] = { 0 };

    collect(&w, s->weight);
    while (n < want) { /* the kind that is furthest behind its share is next */
        int next = -1;
        for (int k = 0; k < KINDS; k++) {
            if (s->weight[k] <= 0 || taken[k] == w.lists[k].n) continue;
            if (next < 0 || (taken[k] + 1) / s->weight[k] < (taken[next] + 1) / s->weight[next]) next = k;
        }
        if (next < 0) break;
        out[n++] = w.lists[next].at[taken[next]++].negative;
    }
    free(w.lists);
    return n;
}
