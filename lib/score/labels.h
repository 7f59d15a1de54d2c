#ifndef SCORE_LABELS_H
#define SCORE_LABELS_H
#include "score/data.h"

/* Figures of labels, which are compared as they are written. Accuracy: a prediction is right when it equals one of the
 * references. */
int accuracy_count(const struct score_data *d, struct tally *out, struct err *e);
/* Matthews' correlation of any number of classes, as scikit-learn computes it; 0 where it is 0/0. */
int matthews_count(const struct score_data *d, struct tally *out, struct err *e);
/* F1 of the class "1", and the mean over all classes (macro); 0 where it is 0/0, undefined without that class. */
int f1_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
