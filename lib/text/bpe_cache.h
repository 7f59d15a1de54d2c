#ifndef TEXT_BPE_CACHE_H
#define TEXT_BPE_CACHE_H
#include "core/dtype.h"
#include "core/mem.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A thread's memory of short pieces of text and their tokens: a table of fixed size, in pairs of slots, the piece that
 * was met last in front; a new one takes the place of the other. Also the space that merging a long piece needs.
 * Private to bpe.c. */
enum { CACHED_BYTES = 16, CACHED_IDS = 4, CACHED_ID_BYTES = 3, CACHE_BITS = 18 };
struct cached {                                    /* 32 bytes: a pair is one line of the processor's cache */
    uint64_t key[2];                               /* the piece, padded with zeros */
    uint8_t n_bytes, n_ids;                        /* n_bytes 0: nothing here yet */
    uint8_t ids[CACHED_IDS * CACHED_ID_BYTES + 2]; /* little-endian; one is read as four bytes */
};
struct candidate {
    int32_t rank, at;
};
struct bpe_cache {
    const void *of; /* the vocabulary it belongs to */
    struct arena arena;
    struct cached *slots; /* [1 << CACHE_BITS], in the arena, which aligns them */
    struct candidate *heap;
    int64_t n_heap, heap_cap;
};

struct bpe_cache *bpe_cache_new(const void *of);
void bpe_cache_free(struct bpe_cache *c); /* NULL is fine */
/* Gives back the space that a very long piece took. */
void bpe_cache_trim(struct bpe_cache *c);

/* The piece of n bytes, of which `readable` >= n may be read, as a key; false when it is too long to be kept. */
static inline bool cached_key(struct cached *key, const char *piece, size_t n, size_t readable)
{
    if (n > CACHED_BYTES) return false;
    if (readable >= CACHED_BYTES) {
        memcpy(key->key, piece, CACHED_BYTES);
        if (n < 8) {
            key->key[0] &= ((uint64_t)1 << 8 * n) - 1;
            key->key[1] = 0;
        } else if (n < 16) {
            key->key[1] &= ((uint64_t)1 << 8 * (n - 8)) - 1;
        }
    } else {
        key->key[0] = key->key[1] = 0;
        memcpy(key->key, piece, n);
    }
    key->n_bytes = (uint8_t)n;
    return true;
}

/* The pair of slots where the key is or would be. */
static inline struct cached *cached_pair(const struct bpe_cache *c, const struct cached *key)
{
    uint64_t h = (key->key[0] + key->n_bytes) * 0x9E3779B185EBCA87u;

    h = (h ^ h >> 29 ^ key->key[1]) * 0xC2B2AE3D27D4EB4Fu;
    return &c->slots[h >> (65 - CACHE_BITS) << 1];
}

static inline bool cached_same(const struct cached *a, const struct cached *b)
{
    return a->key[0] == b->key[0] && a->key[1] == b->key[1] && a->n_bytes == b->n_bytes;
}

/* Whether the key is there; if so, in front. */
static inline bool cached_find(struct cached pair[2], const struct cached *key)
{
    if (cached_same(&pair[0], key)) return true;
    if (!cached_same(&pair[1], key)) return false;
    struct cached front = pair[0];
    pair[0] = pair[1];
    pair[1] = front;
    return true;
}

/* The ids of a piece that was found; to has room for CACHED_IDS. */
static inline void cached_ids(int32_t *to, const struct cached *c)
{
    for (int i = 0; i < CACHED_IDS; i++) to[i] = (int32_t)(load_u32(c->ids + i * CACHED_ID_BYTES) & 0xffffff);
}

static inline void cached_put(struct cached pair[2], const struct cached *key, const int32_t *ids, int n)
{
    struct cached new = *key;

    if (n > CACHED_IDS) return;
    new.n_ids = (uint8_t)n;
    for (int i = 0; i < n; i++) {
        if (ids[i] > 0xffffff) return;
        store_u32(new.ids + i *CACHED_ID_BYTES, (uint32_t)ids[i]);
    }
    pair[1] = pair[0];
    pair[0] = new;
}
#endif
