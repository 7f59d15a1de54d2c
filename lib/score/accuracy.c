#include "score/accuracy.h"
#include <string.h>

double accuracy(const char *const *pred, const char *const *gold, int64_t n)
{
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++) right += !strcmp(pred[i], gold[i]);
    return n ? 100.0 * (double)right / (double)n : 0;
}
