/* What making a scene graph works on: words get classes (graph_classes.c), noun phrases become objects
 * (scene_graph.c; names: graph_names.c), and links become relations (graph_relations.c), sentence by sentence. */
#ifndef REWRITE_GRAPH_WORK_H
#define REWRITE_GRAPH_WORK_H
#include "rewrite/scene_graph.h"

enum { OBJECTS_MAX = 64 }; /* of a sentence: its objects fit the bits of a word */

struct graph_work {
    struct scene_graph *g;
    struct words *w;
    struct parse parse;
    const struct wordnet *wordnet;
    struct arena *a;
    int from, to;     /* the sentence */
    int first_object; /* of the sentence */
    int *head_of;     /* [words] object (of all) whose phrase holds the word, or -1 */
    bool *is_used;    /* [words] taken by a preposition of several words or a picture word */
    int cap_attributes, cap_relations;
};

/* Whether a link of this stem goes from word left to word right; -1: from or to any. */
bool graph_has_link(const struct graph_work *k, int left, int right, const char *stem);
/* Whether the word is in a list of words with blanks around each. */
bool word_is_one_of(const char *word, const char *list);

/* Whether nouns [from, to) name one of its kind: "Paris", "Eiffel Tower". */
bool graph_is_name(const struct graph_work *k, int from, int to);
/* Where of nouns [from, to) what the thing is called begins, as "Milo" of "my cat Milo"; to where it is not said. */
int graph_epithet(const struct graph_work *k, int from, int to);

/* Gives every word of the sentence its class. */
void graph_settle_classes(struct graph_work *k);
void graph_add_attribute(struct graph_work *k, int object, int from, int to, bool is_predicate);
/* Relations, and what is said of objects by verbs. */
void graph_find_relations(struct graph_work *k);
#endif
