#ifndef TASKS_EXPLAIN_H
#define TASKS_EXPLAIN_H
#include "tasks/downstream.h"

/* What each word looked at: copies predictions to out with `looked_at` (unimo-records(5)), and draws a JPEG for each
 * into the folder: the picture once for every word, bright where the word's attention went. Words are those of the
 * record's text, or, of tasks that write, of what was written. inputs and predictions are in the same order. */
int explain(struct downstream *d, struct model *m, const char *const *inputs, int n_inputs, const char *predictions,
            const char *folder, struct writer *out, struct err *e);
#endif
