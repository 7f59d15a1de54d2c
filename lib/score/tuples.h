#ifndef SCORE_TUPLES_H
#define SCORE_TUPLES_H
#include "core/err.h"
#include "core/hash.h"
#include "core/mem.h"

/* Tuples of scene graphs: (object), (object, attribute), (subject, object, relation). */
struct tuple {
    int n;
    const char *at[3];
};
struct tuple_list {
    int64_t n, cap;
    struct tuple *at;
};
struct tuples {
    int64_t n;
    const char **ids;              /* in the order of the predictions */
    struct tuple_list *pred, *ref; /* [n]; those of all references of an id, one after the other */
    struct map map;                /* keeps the ids */
    struct arena arena;            /* and the words */
};
/* Predictions and references are records {"id"} with "tuples" (arrays of one to three strings) or "scene_graph" (as
 * unimo-rewrite makes it); references of the same id (or "image") are taken together. ref NULL: both are in pred, as
 * "test_tuples" and "ref_tuples". */
int tuples_read(struct tuples *t, const char *pred, const char *ref, struct err *e);
void tuples_release(struct tuples *t);
#endif
