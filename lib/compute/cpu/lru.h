#ifndef COMPUTE_CPU_LRU_H
#define COMPUTE_CPU_LRU_H
#include <stdint.h>

/* A bounded set of things that are costly to make, found again by what they were made for. When it is full, the thing
 * that was not asked for the longest goes. Zero is no valid set: lru_new(). */
enum { LRU_KEY = 24 };
struct lru_key {
    int64_t v[LRU_KEY]; /* unused ones are 0 */
};
struct lru;
/* At most `most` things; release is called for each that goes. */
struct lru *lru_new(int most, void (*release)(void *item));
void *lru_find(struct lru *s, const struct lru_key *key); /* NULL */
/* Adds an item whose key is not there; the set owns it. */
void lru_add(struct lru *s, const struct lru_key *key, void *item);
int lru_count(const struct lru *s);
void lru_free(struct lru *s); /* NULL is fine */
#endif
