#include "model/cmcl.h"
#include "core/mem.h"
#include <stdlib.h>

int64_t cmcl_draw(struct rng *r, int64_t have, int64_t want, int64_t *picked)
{
    int64_t n = want < have ? want : have, *deck;

    if (n <= 0) return 0;
    deck = mem_new(int64_t, have);
    for (int64_t i = 0; i < have; i++) deck[i] = i;
    for (int64_t i = 0; i < n; i++) { /* the first n steps of a shuffle */
        int64_t k = i + rng_below(r, have - i);
        picked[i] = deck[k];
        deck[k] = deck[i];
    }
    free(deck);
    return n;
}
