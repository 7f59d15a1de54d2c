#ifndef TASKS_LABELS_H
#define TASKS_LABELS_H
#include "tasks/downstream.h"

/* What the tasks with a classifier share: the labels found in the training examples, measuring and predicting. put()
 * adds one record's sequence to the batch and names the pooled rows of its example (-1: none). */
typedef int (*labels_put)(struct downstream *d, struct arena *a, struct batch *b, const struct record *r, int32_t *text,
                          int32_t *image, struct err *e);

/* Gives the model the labels of the training stream, in the order of their bytes. */
int labels_configure(struct downstream *d, struct model_config *c, struct err *e);
int labels_add(struct downstream *d, struct batch *b, int64_t i, labels_put put, struct err *e);
/* Share of right labels in percent. */
int labels_evaluate(struct downstream *d, struct model *m, struct scratch *s, labels_put put, double *accuracy,
                    struct err *e);
/* Records {"id","pred","probs":{label: probability}}. */
int labels_predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, labels_put put,
                   struct err *e);
#endif
