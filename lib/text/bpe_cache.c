#include "text/bpe_cache.h"
#include "core/mem.h"
#include <stdlib.h>

enum { PAIR = 64 };
_Static_assert(2 * sizeof(struct cached) == PAIR, "a pair of slots is one line of the cache");

struct bpe_cache *bpe_cache_new(const void *of)
{
    struct bpe_cache *c = mem_new(struct bpe_cache, 1);

    c->of = of;
    /* Of so many zeros the system gives those pages that are used. */
    c->memory = mem_alloc(((size_t)1 << CACHE_BITS) + 1, sizeof(struct cached));
    c->slots = (struct cached *)(((uintptr_t)c->memory + PAIR - 1) & ~(uintptr_t)(PAIR - 1));
    return c;
}

void bpe_cache_trim(struct bpe_cache *c)
{
    if (c->heap_cap <= 1 << 16) return;
    free(c->heap);
    c->heap = NULL;
    c->heap_cap = 0;
}

void bpe_cache_free(struct bpe_cache *c)
{
    if (!c) return;
    free(c->heap);
    free(c->memory);
    free(c);
}
