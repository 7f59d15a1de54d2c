/* A scene graph as a record has it, and two graphs compared. */
#include "core/str.h"
#include "rewrite/kinds.h"
#include "rewrite/scene_graph.h"
#include <string.h>

static struct value *span(const struct scene_graph *g, int from, int to)
{
    struct value *v = value_array();

    value_push(v, value_int(text_code_points(g->text, g->words.at[from].from)));
    value_push(v, value_int(text_code_points(g->text, g->words.at[to - 1].to)));
    return v;
}

struct value *scene_graph_value(const struct scene_graph *g)
{
    struct value *graph = value_object(), *objects = value_array(), *relations = value_array();

    for (int i = 0; i < g->n_objects; i++) {
        const struct graph_object *o = &g->objects[i];
        struct value *object = value_object(), *attributes = value_array();
        value_set(object, "name", value_str(o->name));
        if (o->count) value_set(object, "count", value_int(o->count));
        value_set(object, "span", span(g, o->from, o->to));
        for (int k = 0; k < g->n_attributes; k++) {
            if (g->attributes[k].object != i) continue;
            struct value *attribute = value_object();
            value_set(attribute, "name", value_str(g->attributes[k].name));
            value_set(attribute, "span", span(g, g->attributes[k].from, g->attributes[k].to));
            value_push(attributes, attribute);
        }
        value_set(object, "attributes", attributes);
        value_push(objects, object);
    }
    for (int i = 0; i < g->n_relations; i++) {
        const struct graph_relation *r = &g->relations[i];
        struct value *relation = value_object();
        value_set(relation, "subject", value_int(r->subject));
        value_set(relation, "relation", value_str(r->name));
        value_set(relation, "object", value_int(r->object));
        value_set(relation, "span", span(g, r->from, r->to));
        if (r->verb) value_set(relation, "verb", value_str(r->verb));
        value_push(relations, relation);
    }
    value_set(graph, "parse", value_str(parse_kind_names[g->kind]));
    value_set(graph, "objects", objects);
    value_set(graph, "relations", relations);
    return graph;
}

struct value *scene_graph_phrases(const struct scene_graph *g)
{
    struct value *phrases = value_array();
    int done = 0; /* words before this one are in a phrase already */

    for (int i = 0; i < g->words.n; i++) {
        int end = 0;
        for (int k = 0; k < g->n_objects && !end; k++) {
            if (g->objects[k].phrase_from == i) end = g->objects[k].to;
        }
        for (int k = 0; k < g->n_relations && !end; k++) {
            if (g->relations[k].from == i) end = g->relations[k].to;
        }
        if (i < done || end - i < 2) continue;
        value_push(phrases, span(g, i, end));
        done = end;
    }
    return phrases;
}

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

/* Whether b says the opposite of a relation of a, of objects with the same names. */
static bool is_opposed(const struct scene_graph *a, const struct scene_graph *b)
{
    for (int i = 0; i < a->n_relations; i++) {
        const struct graph_relation *x = &a->relations[i];
        for (int k = 0; k < b->n_relations; k++) {
            const struct graph_relation *y = &b->relations[k];
            const char *opposite;
            if (strcmp(a->objects[x->subject].name, b->objects[y->subject].name) ||
                strcmp(a->objects[x->object].name, b->objects[y->object].name))
                continue;
            for (int n = 0; (opposite = relation_opposite(x->name, n)); n++) {
                if (!strcmp(opposite, y->name)) return true;
            }
        }
    }
    return false;
}

bool scene_graph_agrees(const struct scene_graph *a, const struct scene_graph *b, const struct wordnet *wordnet,
                        struct arena *arena)
{
    bool *taken = arena_new(arena, bool, b->n_objects + 1);

    if (a->n_objects != b->n_objects || !a->n_objects || is_opposed(a, b)) return false;
    for (int i = 0; i < a->n_objects; i++) {
        struct meaning x = { 0 };
        int found = -1;
        if (wordnet) wordnet_meaning(wordnet, &x, WN_NOUN, a->objects[i].name, arena);
        for (int k = 0; k < b->n_objects && found < 0; k++) {
            if (taken[k] || a->objects[i].is_plural != b->objects[k].is_plural ||
                a->objects[i].count != b->objects[k].count)
                continue;
            if (!same_attributes(a, i, b, k) || !same_attributes(b, k, a, i)) continue;
            if (!strcmp(a->objects[i].name, b->objects[k].name)) {
                found = k;
            } else if (wordnet) {
                struct meaning y;
                wordnet_meaning(wordnet, &y, WN_NOUN, b->objects[k].name, arena);
                if (meaning_related(&x, &y)) found = k;
            }
        }
        if (found < 0) return false;
        taken[found] = true;
    }
    return true;
}
