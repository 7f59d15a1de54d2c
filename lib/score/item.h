#ifndef SCORE_ITEM_H
#define SCORE_ITEM_H
#include <stdbool.h>

/* One generated text with its references, as written; borrowed. Metrics tokenize them themselves. */
struct score_item {
    const char *pred; /* "" when missing */
    const char *const *refs;
    int n_refs; /* may be 0 only where "refs" says so: a question without an answer */
    bool is_missing;
};
#endif
