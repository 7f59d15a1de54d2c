/* Whether one text can stand for another, as far as their scene graphs tell. */
#include "core/str.h"
#include "rewrite/kinds.h"
#include "rewrite/scene_graph.h"
#include <string.h>

struct comparison {
    const struct scene_graph *a, *b;
    const struct wordnet *wordnet;
    struct arena *arena;
    int *partner; /* [objects of a] object of b that is the same thing */
};

/* Whether y says no more than x, and hardly less: "coat" for "jacket", not "wife" for "woman" or "herb" for "grass". Of
 * verbs, which have many senses, the two usual ones count. */
static bool words_agree(const struct comparison *c, enum wordnet_pos pos, const char *x, const char *y)
{
    struct meaning p, q;

    if (!strcmp(x, y)) return true;
    if (!c->wordnet) return false;
    int senses = pos == WN_VERB ? 2 : 0;
    wordnet_meaning(c->wordnet, &p, pos, x, senses, 1, c->arena);
    wordnet_meaning(c->wordnet, &q, pos, y, senses, 1, c->arena);
    return meaning_covers(&q, &p);
}

/* ---- objects ---- */

static bool same_attributes(const struct scene_graph *a, int x, const struct scene_graph *b, int y)
{
    for (int i = 0; i < a->n_attributes; i++) {
        bool found = false;
        if (a->attributes[i].object != x) continue;
        for (int k = 0; k < b->n_attributes && !found; k++)
            found = b->attributes[k].object == y &&
                    attributes_contrast(a->attributes[i].name, b->attributes[k].name) == CONTRAST_SAME;
        if (!found) return false;
    }
    return true;
}

static bool find_partners(struct comparison *c)
{
    bool *taken = arena_new(c->arena, bool, c->b->n_objects + 1);

    for (int i = 0; i < c->a->n_objects; i++) {
        const struct graph_object *x = &c->a->objects[i];
        int found = -1;
        for (int k = 0; k < c->b->n_objects && found < 0; k++) {
            const struct graph_object *y = &c->b->objects[k];
            if (taken[k] || x->is_plural != y->is_plural || x->count != y->count) continue;
            if (strcmp(x->called ? x->called : "", y->called ? y->called : "") != 0) continue;
            if (!same_attributes(c->a, i, c->b, k) || !same_attributes(c->b, k, c->a, i)) continue;
            if (words_agree(c, WN_NOUN, x->name, y->name)) found = k;
        }
        if (found < 0) return false;
        taken[found] = true;
        c->partner[i] = found;
    }
    return true;
}

/* ---- relations ---- */

/* Whether y, of the same two things, says what x does. */
static bool says_same(const struct comparison *c, const struct graph_relation *x, const struct graph_relation *y)
{
    if (x->is_verb && y->is_verb) return words_agree(c, WN_VERB, x->name, y->name);
    if (!x->is_verb && !y->is_verb && !prepositions_agree(x->name, y->name)) return false;
    return !x->verb || !y->verb || words_agree(c, WN_VERB, x->verb, y->verb);
}

/* "Near a house there is a car": a place that b relates to nothing, but still says by the preposition. */
static bool is_placed(const struct scene_graph *b, int object, const char *preposition)
{
    const struct graph_object *o = &b->objects[object];
    int first = o->article >= 0 ? o->article : o->phrase_from;

    return first > 0 && b->words.at[first - 1].class == WORD_PREPOSITION &&
           prepositions_agree(preposition, b->words.at[first - 1].lower);
}

/* Whether b keeps relation x of a. Prepositions may be put to another thing ("a man on a horse by the sea"), but must
 * be there: not "a duck in the water" as one at the water. */
static bool is_kept(const struct comparison *c, const struct graph_relation *x)
{
    bool is_said = false;

    for (int k = 0; k < c->b->n_relations; k++) {
        const struct graph_relation *y = &c->b->relations[k];
        if (y->object != c->partner[x->object]) continue;
        bool same_subject = y->subject == c->partner[x->subject];
        if (same_subject && !says_same(c, x, y)) return false;
        if (x->is_verb ? same_subject : !y->is_verb && prepositions_agree(x->name, y->name)) is_said = true;
    }
    return is_said || (!x->is_verb && is_placed(c->b, c->partner[x->object], x->name));
}

/* Whether what verb relation y of b says was done by the same thing in a: not "sits in a chair that reads a book". */
static bool is_known(const struct comparison *c, const struct graph_relation *y)
{
    bool any = false;

    for (int i = 0; i < c->a->n_relations; i++) {
        const struct graph_relation *x = &c->a->relations[i];
        if (!x->is_verb || c->partner[x->object] != y->object) continue;
        if (c->partner[x->subject] == y->subject) return true;
        any = true;
    }
    return !any;
}

/* Whether verb y says what verb x does: words as they stand in the texts. */
static bool verbs_agree(const struct comparison *c, const struct word *x, const struct word *y)
{
    if (!strcmp(x->lower, y->lower)) return true;
    return x->class == WORD_VERB && y->class == WORD_VERB &&
           words_agree(c, WN_VERB, wordnet_verb_lemma(c->wordnet, x->lower, c->arena),
                       wordnet_verb_lemma(c->wordnet, y->lower, c->arena));
}

/* Whether each verb of one text has one of the other that says the same: not "two cats expect" for "two cats wait". */
static bool verbs_are_kept(const struct comparison *c)
{
    const struct words *a = &c->a->words, *b = &c->b->words;

    for (int side = 0; side < 2; side++) {
        const struct words *own = side ? b : a, *other = side ? a : b;
        for (int i = 0; i < own->n; i++) {
            bool found = own->at[i].class != WORD_VERB;
            for (int k = 0; k < other->n && !found; k++)
                found = side ? verbs_agree(c, &a->at[k], &b->at[i]) : verbs_agree(c, &a->at[i], &b->at[k]);
            if (!found) return false;
        }
    }
    return true;
}

/* The preposition of n words at word i. */
static const char *preposition_at(const struct comparison *c, const struct words *w, int i, int n)
{
    struct str name = { 0 };

    for (int k = i; k < i + n; k++) str_addf(&name, "%s%s", k > i ? " " : "", w->at[k].lower);
    const char *copy = arena_strdup(c->arena, str_c(&name));
    str_release(&name);
    return copy;
}

/* Whether each preposition of y has one of a kind in x: not "near up" for "close up". */
static bool prepositions_are_known(const struct comparison *c, const struct words *x, const struct words *y)
{
    int n, m;

    for (int k = 0; k<y->n; k += n> 1 ? n : 1) {
        if (!(n = words_preposition(y, k, y->n))) continue;
        const char *name = preposition_at(c, y, k, n);
        bool found = false;
        for (int i = 0; i < x->n && !found; i += m > 1 ? m : 1) {
            m = words_preposition(x, i, x->n);
            found = m && prepositions_agree(name, preposition_at(c, x, i, m));
        }
        if (!found) return false;
    }
    return true;
}

static bool has_any_of(const struct words *w, const char *list)
{
    for (int i = 0; i < w->n; i++) {
        if (word_is_listed(list, w->at[i].lower)) return true;
    }
    return false;
}

static bool denies(const struct words *w)
{
    for (int i = 0; i < w->n; i++) {
        if (!strcmp(w->at[i].lower, "no") || word_denies(w->at[i].lower)) return true;
    }
    return false;
}

/* Whether y denies no less and no more than x, and means nobody else: not "a mother and his baby" for "a mother and her
 * baby". */
static bool means_the_same(const struct words *x, const struct words *y)
{
    static const char *const persons[] = { "he him his himself", "she her hers herself", "it its itself",
                                           "they them their theirs themselves", "i me my mine myself" };

    for (size_t p = 0; p < sizeof persons / sizeof *persons; p++) {
        if (has_any_of(y, persons[p]) && !has_any_of(x, persons[p])) return false;
    }
    return denies(x) == denies(y);
}

bool scene_graph_agrees(const struct scene_graph *a, const struct scene_graph *b, const struct wordnet *wordnet,
                        struct arena *arena)
{
    struct comparison c = { a, b, wordnet, arena, arena_new(arena, int, a->n_objects + 1) };

    if (a->n_objects != b->n_objects || !a->n_objects || !find_partners(&c)) return false;
    if (!verbs_are_kept(&c) || !prepositions_are_known(&c, &a->words, &b->words) ||
        !means_the_same(&a->words, &b->words))
        return false;
    for (int i = 0; i < a->n_relations; i++) {
        if (!is_kept(&c, &a->relations[i])) return false;
    }
    for (int i = 0; i < b->n_relations; i++) {
        if (b->relations[i].is_verb && !is_known(&c, &b->relations[i])) return false;
    }
    return true;
}
