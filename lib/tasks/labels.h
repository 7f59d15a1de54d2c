#ifndef TASKS_LABELS_H
#define TASKS_LABELS_H
#include "tasks/downstream.h"

/* What the tasks with a classifier share: the labels found in the training examples, loss, measuring and predicting.
 * They are entries of struct downstream_kind; what is a task's own is its put(). */

/* Gives the model the labels of the training stream, in the order of their bytes. */
int labels_configure(struct downstream *d, struct model_config *c, struct err *e);
void labels_prepare(struct task *t);
int labels_add(void *downstream, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a,
               struct err *e);
/* *score: share of right labels in percent. */
int labels_evaluate(void *downstream, struct model *m, struct scratch *s, struct value *report, double *score,
                    struct err *e);
/* Records {"id","pred","probs":{label: probability}}. */
int labels_predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e);
#endif
