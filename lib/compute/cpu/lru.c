/* A few hundred entries: hashes side by side are scanned faster than a table would be kept. */
#include "compute/cpu/lru.h"
#include "core/hash.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lru {
    int n, most;
    uint64_t clock;
    uint64_t *hash, *used; /* [most]; used: when it was asked for last */
    struct lru_key *key;
    void **item;
    void (*release)(void *item);
};

struct lru *lru_new(int most, void (*release)(void *item))
{
    struct lru *s = mem_new(struct lru, 1);

    *s = (struct lru){ .most = most,
                       .release = release,
                       .hash = mem_new(uint64_t, most),
                       .used = mem_new(uint64_t, most),
                       .key = mem_new(struct lru_key, most),
                       .item = mem_new(void *, most) };
    return s;
}

void *lru_find(struct lru *s, const struct lru_key *key)
{
    uint64_t hash = hash64(key, sizeof *key, 0);

    for (int i = 0; i < s->n; i++) {
        if (s->hash[i] != hash || memcmp(&s->key[i], key, sizeof *key)) continue;
        s->used[i] = ++s->clock;
        return s->item[i];
    }
    return NULL;
}

void lru_add(struct lru *s, const struct lru_key *key, void *item)
{
    int at = s->n;

    assert(s->most > 0);
    if (s->n == s->most) {
        at = 0;
        for (int i = 1; i < s->n; i++) {
            if (s->used[i] < s->used[at]) at = i;
        }
        s->release(s->item[at]);
    } else {
        s->n++;
    }
    s->hash[at] = hash64(key, sizeof *key, 0);
    s->used[at] = ++s->clock;
    s->key[at] = *key;
    s->item[at] = item;
}

int lru_count(const struct lru *s)
{
    return s->n;
}

void lru_free(struct lru *s)
{
    if (!s) return;
    for (int i = 0; i < s->n; i++) s->release(s->item[i]);
    free(s->hash);
    free(s->used);
    free(s->key);
    free(s->item);
    free(s);
}
