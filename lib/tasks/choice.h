#ifndef TASKS_CHOICE_H
#define TASKS_CHOICE_H
#include "tasks/downstream.h"

/* Predicts for each record which of the fields d->o.choices holds the text that fits its image best. */
int choice_predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e);
#endif
