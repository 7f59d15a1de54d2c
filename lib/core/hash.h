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
#endif
