#ifndef REWRITE_FACTS_H
#define REWRITE_FACTS_H
#include "core/hash.h"
#include "core/str.h"
#include "rewrite/lexicon.h"
#include "rewrite/scene_graph.h"

/* What is known to be in a picture: the objects its captions name, with their attributes. As text one fact a line:
 * "dog", "dog+" (several), "dog|red". */
struct facts {
    int n, cap;
    struct fact {
        const char *name, *attribute; /* attribute NULL: the object itself */
        bool is_plural;
    } * at; /* in the arena given to facts_add() */
};
void facts_print(const struct scene_graph *g, struct str *out);
void facts_add(struct facts *f, const char *lines, struct arena *a); /* repeated ones are kept once */

/* Compares names: equal, synonyms, one more general than the other, the same thing by its head ("stop sign", "sign"),
 * persons or places that may be one ("woman", "driver"; "beach", "sea"), or other words for the same thing as far as
 * the lexicon learnt that. Remembers what it looked up; one per thread. */
struct names {
    const struct wordnet *wordnet; /* may be NULL */
    const struct lexicon *lexicon; /* may be NULL */
    struct map known;
    struct known_name {
        struct meaning meaning;
        int traits; /* of a person (nouns.h) */
        bool is_trade;
    } * names;
    int64_t cap;
    struct arena arena;
};
bool names_related(struct names *x, const char *a, const char *b);
void names_release(struct names *x);

/* Whether the picture may show an object of this name. */
bool facts_have(const struct facts *f, struct names *x, const char *name);
/* Whether what `other` says cannot be true of the picture that f is about: it names something else, or one thing with a
 * contrary attribute. */
bool facts_contradict(const struct facts *f, const struct facts *other, struct names *x);
#endif
