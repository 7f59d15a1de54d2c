#ifndef STREAM_SHUFFLE_H
#define STREAM_SHUFFLE_H
#include <stdint.h>

/* A random order of records that lie in blocks, for reading them with a cache of bounded size: the blocks are permuted
 * anew each epoch and cut into windows of about SHUFFLE_WINDOW bytes; within a window the records are permuted. When
 * everything fits into one window, that is a permutation of all records. No table of the records is made: memory grows
 * with the blocks only. */
enum { SHUFFLE_WINDOW = 256 << 20 };
struct shuffle_block {
    int64_t records, bytes; /* bytes: unpacked, roughly */
};
struct shuffle;
/* The blocks are copied. */
struct shuffle *shuffle_new(const struct shuffle_block *blocks, int64_t n);
/* The number of the record, counted through the blocks as given, that comes at place i of the order named by (seed,
 * epoch). Thread-safe; cheap while seed and epoch stay the same. */
int64_t shuffle_at(struct shuffle *s, uint64_t seed, uint64_t epoch, int64_t i);
void shuffle_free(struct shuffle *s); /* NULL is fine */
#endif
