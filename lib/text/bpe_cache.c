#include "text/bpe_cache.h"
#include "core/mem.h"
#include <stdlib.h>

_Static_assert(sizeof(struct cached) == 32, "a pair of slots is one line of the cache");

struct bpe_cache *bpe_cache_new(const void *of)
{
    struct bpe_cache *c = mem_new(struct bpe_cache, 1);

    c->of = of;
    c->slots = arena_new(&c->arena, struct cached, 1 << CACHE_BITS);
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
    arena_release(&c->arena);
    free(c);
}
