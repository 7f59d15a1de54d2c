#ifndef MODEL_TASK_H
#define MODEL_TASK_H
#include "core/mem.h"
#include "core/rng.h"
#include "model/model.h"
#include "stream/store.h"

/* What is trained: the seam between lib/tasks, which know what an example is, and lib/train, which knows what comes
 * when. A task has collections of examples; the trainer draws from them by their shares and lets the task put the
 * examples into packed batches. */
enum { TASK_COLLECTIONS_MAX = 8 };
struct task_collection {
    const char *name;
    int64_t n;           /* examples */
    double share;        /* of the draws, relative to the others; 0: unused */
    struct store *store; /* they are its records: drawn in an order that reads few blocks; NULL: in any order */
};
struct task {
    const char *name;
    const char *metric; /* what evaluate() returns, higher is better; NULL: there is no evaluate() */
    int n_collections;
    struct task_collection at[TASK_COLLECTIONS_MAX];
    const struct store *referred; /* what examples refer to by id (regions of images), or NULL */
    struct step_opts step;        /* weights, smoothing, margin, gamma */
    /* Puts example i of a collection into the batch; r is the example's own stream of draws, a holds what is needed
     * until the call ends. Called by several threads at once, each with a batch and an arena of its own. An error says
     * in which record of which file it is: an example may be made of several. */
    int (*add)(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e);
    /* The name of an example, for messages; borrowed. */
    const char *(*id)(void *arg, int collection, int64_t i);
    /* Measures the model on the held-out examples: *score is the metric; members are added to report. */
    int (*evaluate)(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e);
    bool keeps_last; /* the model that remains is the last one, however it measures */
    void *arg;
};
#endif
