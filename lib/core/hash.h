#ifndef CORE_HASH_H
#define CORE_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* XXH64 (the published xxHash specification), of n bytes at once or in pieces. */
uint64_t hash64(const void *data, size_t n, uint64_t seed);
struct digest {
    uint64_t lane[4];
    uint64_t total;
    uint8_t tail[32];
    int n_tail;
};
void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t n);
uint64_t digest_value(const struct digest *d);

/* A map from byte strings to int64 (open addressing). Keys are copied. Zero is a valid empty map.
 * Iterate with `for (int64_t i = 0; i < m.n; i++)` over keys in order of insertion. */
struct map {
    int64_t n;
    struct map_entry {
        char *key; /* NUL-terminated, owned by the map */
        size_t n;
        int64_t value;
        uint64_t hash;
    } * at;
    int64_t cap;
    int64_t *slot; /* into at; 0 = free */
    int64_t n_slots;
};
/* The value of a key, or NULL when absent. The pointer is valid until the next insertion. */
int64_t *map_find(const struct map *m, const void *key, size_t n);
/* As map_find(), but inserts the key with value 0 when absent; *is_new may be NULL. */
int64_t *map_put(struct map *m, const void *key, size_t n, bool *is_new);
void map_clear(struct map *m);
void map_release(struct map *m);

/* Numbers 0, 1, ... by the hashes of keys that the caller keeps: 20 to 30 bytes a key. The slots alone find a number
 * again, from a file too: a free one is 0, another has the number + 1 below and the top of the hash above. */
struct slots {
    int64_t n, n_slots; /* keys; a power of two, or 0 */
    int64_t *slot;
    uint64_t *hash; /* [n]; only slots_add() needs it */
    int64_t cap;
};
/* The next number whose key may have this hash, or -1; begin with *at = hash. Looks at each slot at most once. */
int64_t slots_next(const struct slots *s, uint64_t hash, uint64_t *at);
int64_t slots_add(struct slots *s, uint64_t hash); /* the new number */
/* Whether slots from a file are a power of two of them (or none) with n numbers, all below n. */
bool slots_check(const struct slots *s);
void slots_release(struct slots *s);
#endif
