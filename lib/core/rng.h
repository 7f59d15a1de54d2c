#ifndef CORE_RNG_H
#define CORE_RNG_H
#include <stdint.h>

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): four 32-bit
 * draws from a counter and a key. No state: the same arguments give the same draws everywhere. */
void philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* A sequence of draws named by (seed, stream): the k-th draw is a function of seed, stream and k only.
 * Use one stream per purpose and record (rng_stream() mixes numbers into a stream name). */
struct rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t next;     /* draws taken so far; may be saved and restored */
    uint64_t block_of; /* block number + 1 of the cached draws */
    uint32_t block[4];
};
void rng_init(struct rng *r, uint64_t seed, uint64_t stream);
uint64_t rng_stream(uint64_t purpose, uint64_t a, uint64_t b); /* a well-mixed 64-bit name */
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
int64_t rng_below(struct rng *r, int64_t n); /* uniform in [0, n), unbiased; n >= 1 */
double rng_uniform(struct rng *r);           /* [0, 1), 53 bits */
double rng_normal(struct rng *r);            /* mean 0, variance 1 (Box-Muller) */
double rng_trunc_normal(struct rng *r);      /* normal, redrawn until within 2 deviations */

/* Element i of a pseudo-random permutation of 0..n-1 named by (seed, epoch), without a table
 * (a Feistel network over the next power of four, walked until it lands below n). */
int64_t rng_permute(uint64_t seed, uint64_t epoch, int64_t n, int64_t i);
#endif
