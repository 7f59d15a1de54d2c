#ifndef SCORE_ITEM_H
#define SCORE_ITEM_H
#include <stdint.h>

/* One generated text with its references, as written; borrowed. Metrics tokenize them themselves. */
struct score_item {
    const char *pred;
    const char *const *refs;
    int n_refs; /* at least 1 */
};
#endif
