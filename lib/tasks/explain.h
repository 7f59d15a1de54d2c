#ifndef TASKS_EXPLAIN_H
#define TASKS_EXPLAIN_H
#include "tasks/downstream.h"

/* The inputs, which are read several times. */
struct explain_from {
    const char *const *paths;
    int n;
    struct reader_opts how;
};
/* To be called before there are predictions: whether the inputs have pictures, unless bad ones are to be skipped, no
 * drawing takes the place of one, whoever's drawing it is, and the folder is none of theirs. */
int explain_spares(struct downstream *d, const struct explain_from *from, const char *folder, struct err *e);
/* What each word looked at: copies predictions to out with `looked_at` (unimo-records(5)), and draws a JPEG for each
 * into the folder: the picture once for every word, bright where the word's attention went. Words are those of the
 * record's text, or, of tasks that write, of what was written. Inputs and predictions are in the same order. */
int explain(struct downstream *d, struct model *m, const struct explain_from *from, const char *predictions,
            const char *folder, struct writer *out, struct err *e);
#endif
