#ifndef SCORE_ACCURACY_H
#define SCORE_ACCURACY_H
#include "score/report.h"

/* Share of equal strings in percent. */
double accuracy(const char *const *pred, const char *const *gold, int64_t n);
void accuracy_report(const struct score_data *d, struct report *r);
#endif
