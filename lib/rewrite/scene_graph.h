#ifndef REWRITE_SCENE_GRAPH_H
#define REWRITE_SCENE_GRAPH_H
#include "rewrite/parse.h"
#include "rewrite/wordnet.h"
#include "stream/value.h"

/* What a text says is there: objects with attributes and counts, and relations between them, each with its place in the
 * text as words [from, to). */
struct graph_object {
    const char *name;            /* singular, lower case: "stop sign" */
    int count;                   /* 1 for a singular, a number that is said, or 0: several */
    bool is_plural, has_article; /* a, an, the, a number ... in front */
    int from, to;                /* the noun with the nouns before it ("stop sign") */
    int phrase_from;             /* the phrase with its attributes begins here, without its article */
    int article;                 /* the word a, an, one, a number, the ..., or -1 */
    bool is_absent;              /* "no dog", "without a dog": the text says that none is there */
    bool is_name;                /* of one of its kind: "Paris" */
    const char *called;          /* lower case: "milo" of "my cat Milo", or NULL */
    bool is_unsure;              /* in a sentence with "not": what is true of it, nobody knows here */
};
struct graph_attribute {
    int object;
    const char *name; /* lower case */
    int from, to;
    bool is_predicate; /* "the hat is black" */
};
struct graph_relation {
    int subject, object;
    const char *name; /* "to the left of", or a verb's base form: "ride" */
    const char *verb; /* of a preposition: the verb that carries it ("stand"), or NULL */
    int from, to;     /* the preposition or the verb */
    bool is_verb;
};
struct scene_graph {
    const char *text;
    struct words words;
    enum parse_kind kind; /* the worst of its sentences: pattern, repaired, full */
    int n_objects, n_attributes, n_relations;
    struct graph_object *objects;
    struct graph_attribute *attributes;
    struct graph_relation *relations;
};
/* Everything lives in the arena, which must outlive the graph; text too. parser NULL: by patterns only. wordnet may be
 * NULL. */
void scene_graph_make(struct scene_graph *g, const char *text, struct parser *parser, const struct wordnet *wordnet,
                      struct arena *a);

/* "not", "nobody", "isn't": whether a sentence with this word denies something ("no" denies what it stands before). */
bool word_denies(const char *lower);

extern const char *const parse_kind_names[]; /* "pattern", "full", "repaired" */

/* As a record has it, with spans in code points; and the spans of phrases: noun phrases of two words or more, and
 * prepositions of several words. */
struct value *scene_graph_value(const struct scene_graph *g);
struct value *scene_graph_phrases(const struct scene_graph *g);

/* Whether b can be another wording of a: it names the same things by the same or related names, with the same
 * attributes and counts, who does what to whom is the same, and what a says by a preposition is still said. */
bool scene_graph_agrees(const struct scene_graph *a, const struct scene_graph *b, const struct wordnet *wordnet,
                        struct arena *arena);
#endif
