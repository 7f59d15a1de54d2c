#ifndef REWRITE_SUBSTITUTE_H
#define REWRITE_SUBSTITUTE_H
#include "core/err.h"
#include "core/rng.h"
#include "rewrite/facts.h"

/* Wrong captions from a right one, by changing a word or a phrase of it: everything else stays byte for byte, but for
 * a/an and a sentence's capital. */
enum level { LEVEL_SENTENCE, LEVEL_PHRASE, LEVEL_WORD };
extern const char *const level_names[];
enum edit_kind {
    KIND_OBJECT,
    KIND_ATTRIBUTE,
    KIND_RELATION,
    KIND_COUNT,
    KIND_PHRASE,
    KIND_PLACE,
    KIND_ATTRIBUTE_SWAP,
    KIND_OBJECT_SWAP,
    KIND_SEVERAL, /* two words at once */
    KINDS
};
struct negative {
    const char *text;
    enum level level;
    const char *kind;       /* of edit: "object", "attribute", "relation", "count", "object phrase", "place", "attribute
                               swap", "object swap", "several" */
    const char *from, *to;  /* what became what */
    int span_from, span_to; /* words of the caption; of a swap the whole that it touches */
    double score;           /* how common the replacement is in the lexicon, 0 to 1; of sentences the cosine */
    const char *id;         /* of sentences */
};
struct substitution {
    const struct scene_graph *graph;
    const struct facts *facts; /* of the picture: the caption's own and what its other captions say */
    const struct lexicon *lexicon;
    const struct wordnet *wordnet; /* may be NULL */
    struct names *names;
    struct arena *arena;
    double weight[KINDS];
};
/* Weights from "object,attribute=2,object-swap=4": kinds that are not named get 0. NULL: all of them alike but
 * "several". */
int substitute_weights(const char *list, double weight[KINDS], struct err *e);
/* At most `want` different negatives, the kinds of edit by their weights as far as each has some; returns their number.
 */
int substitute(const struct substitution *s, struct negative *out, int want, struct rng *r);
#endif
