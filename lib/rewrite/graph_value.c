/* A scene graph as a record has it, and two graphs compared. */
#include "core/str.h"
#include "rewrite/scene_graph.h"

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
