#ifndef SCORE_ACCURACY_H
#define SCORE_ACCURACY_H
#include <stdint.h>

/* Share of equal strings in percent. */
double accuracy(const char *const *pred, const char *const *gold, int64_t n);
#endif
