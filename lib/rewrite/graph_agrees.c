/* Whether one text can stand for another, as far as their scene graphs tell. */
#include "rewrite/kinds.h"
#include "rewrite/scene_graph.h"
#include <string.h>

struct comparison {
    const struct scene_graph *a, *b;
    const struct wordnet *wordnet;
    struct arena *arena;
    int *partner; /* [objects of a] object of b that is the same thing */
};

/* Whether y says no more than x: "coat" for "jacket", not "wife" for "woman". Of verbs, which have many senses, the two
 * usual ones count, and either may be the more general word. */
static bool words_agree(const struct comparison *c, enum wordnet_pos pos, const char *x, const char *y)
{
    struct meaning p, q;

    if (!strcmp(x, y)) return true;
    if (!c->wordnet) return false;
    int senses = pos == WN_VERB ? 2 : 0;
    wordnet_meaning(c->wordnet, &p, pos, x, senses, c->arena);
    wordnet_meaning(c->wordnet, &q, pos, y, senses, c->arena);
    return meaning_covers(&q, &p) || (pos == WN_VERB && meaning_covers(&p, &q));
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

static bool is_opposite(const char *relation, const char *other)
{
    const char *opposite;

    for (int n = 0; (opposite = relation_opposite(relation, n)); n++) {
        if (!strcmp(opposite, other)) return true;
    }
    return false;
}

/* Whether y, of the same two things, says what x does. */
static bool says_same(const struct comparison *c, const struct graph_relation *x, const struct graph_relation *y)
{
    if (is_opposite(x->name, y->name)) return false;
    if (x->is_verb && y->is_verb) return words_agree(c, WN_VERB, x->name, y->name);
    return !x->verb || !y->verb || words_agree(c, WN_VERB, x->verb, y->verb);
}

static const char no_places[] = "of for to with without from about like as into onto";

/* "in", "next to", not "of". */
static bool says_where(const struct graph_relation *x)
{
    return !x->is_verb && !word_is_listed(no_places, x->name);
}

/* "Near a house there is a car": a place that b relates to nothing, but still says by a preposition. */
static bool is_placed(const struct scene_graph *b, int object)
{
    const struct graph_object *o = &b->objects[object];
    int first = o->article >= 0 ? o->article : o->phrase_from;

    return first > 0 && b->words.at[first - 1].class == WORD_PREPOSITION &&
           !word_is_listed(no_places, b->words.at[first - 1].lower);
}

/* Whether b keeps relation x of a. Prepositions may be put to another thing ("a man on a horse by the sea"), but what
 * says where must go on doing so. */
static bool is_kept(const struct comparison *c, const struct graph_relation *x)
{
    bool is_said = false;

    for (int k = 0; k < c->b->n_relations; k++) {
        const struct graph_relation *y = &c->b->relations[k];
        if (y->object != c->partner[x->object]) continue;
        bool same_subject = y->subject == c->partner[x->subject];
        if (same_subject && !says_same(c, x, y)) return false;
        if (says_where(x) ? says_where(y) : same_subject || (!x->is_verb && !strcmp(x->name, y->name))) is_said = true;
    }
    return is_said || (says_where(x) && is_placed(c->b, c->partner[x->object]));
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

/* Whether each verb of b has one of a kind in a: not "two cats expect" for "two cats wait". */
static bool verbs_are_known(const struct comparison *c)
{
    for (int k = 0; k < c->b->words.n; k++) {
        const struct word *y = &c->b->words.at[k];
        bool found = y->class != WORD_VERB;
        const char *lemma = found ? NULL : wordnet_verb_lemma(c->wordnet, y->lower, c->arena);
        for (int i = 0; i < c->a->words.n && !found; i++) {
            const struct word *x = &c->a->words.at[i];
            found = !strcmp(x->lower, y->lower) ||
                    (x->class == WORD_VERB &&
                     words_agree(c, WN_VERB, wordnet_verb_lemma(c->wordnet, x->lower, c->arena), lemma));
        }
        if (!found) return false;
    }
    return true;
}

bool scene_graph_agrees(const struct scene_graph *a, const struct scene_graph *b, const struct wordnet *wordnet,
                        struct arena *arena)
{
    struct comparison c = { a, b, wordnet, arena, arena_new(arena, int, a->n_objects + 1) };

    if (a->n_objects != b->n_objects || !a->n_objects || !find_partners(&c) || !verbs_are_known(&c)) return false;
    for (int i = 0; i < a->n_relations; i++) {
        if (!is_kept(&c, &a->relations[i])) return false;
    }
    for (int i = 0; i < b->n_relations; i++) {
        if (b->relations[i].is_verb && !is_known(&c, &b->relations[i])) return false;
    }
    return true;
}
