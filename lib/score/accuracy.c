#include "score/accuracy.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

double accuracy(const char *const *pred, const char *const *gold, int64_t n)
{
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++) right += !strcmp(pred[i], gold[i]);
    return n ? 100.0 * (double)right / (double)n : 0;
}

void accuracy_report(const struct score_data *d, struct report *r)
{
    const struct join *j = &d->labels;
    const char **pred = mem_new(const char *, j->n + 1), **gold = mem_new(const char *, j->n + 1);

    for (int64_t i = 0; i < j->n; i++) {
        pred[i] = j->items[i].pred;
        gold[i] = j->items[i].refs[0];
        report_each(r, j->id[i], "accuracy", !strcmp(pred[i], gold[i]) ? 100 : 0);
    }
    report_begin(r, "accuracy", j->n, "exact|x100");
    report_figure(r, "score", accuracy(pred, gold, j->n));
    free(pred);
    free(gold);
}
