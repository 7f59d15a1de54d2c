#include "core/rng.h"
#include "core/hash.h"
#include <math.h>

void philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
    *r = (struct rng){ .seed = seed, .stream = stream };
}

uint64_t rng_stream(uint64_t purpose, uint64_t a, uint64_t b)
{
    uint64_t words[3] = { purpose, a, b };

    return hash64(words, sizeof words, 0);
}

uint32_t rng_u32(struct rng *r)
{
    uint64_t block = r->next / 4;
    uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r->stream,
                            (uint32_t)(r->stream >> 32) };
    uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };

    /* `next` alone is the state: after a restore in the middle of a block it is drawn again. */
    if (r->next % 4 == 0 || r->block_of != block + 1) {
        philox4x32(r->block, counter, key);
        r->block_of = block + 1;
    }
    return r->block[r->next++ % 4];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);

    return low | (uint64_t)rng_u32(r) << 32;
}

int64_t rng_below(struct rng *r, int64_t n)
{
    uint64_t bound = (uint64_t)n, threshold = (0 - bound) % bound;

    for (;;) { /* Lemire's multiply and reject */
        __uint128_t m = (__uint128_t)rng_u64(r) * bound;
        if ((uint64_t)m >= threshold) return (int64_t)(m >> 64);
    }
}

double rng_uniform(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *r)
{
    double u = 1 - rng_uniform(r), v = rng_uniform(r);

    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

double rng_trunc_normal(struct rng *r)
{
    double x;

    do {
        x = rng_normal(r);
    } while (fabs(x) > 2);
    return x;
}

int64_t rng_permute(uint64_t seed, uint64_t epoch, int64_t n, int64_t i)
{
    int half = 1;

    while (half < 31 && (int64_t)1 << (2 * half) < n) half++;
    uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1);
    uint64_t x = (uint64_t)i;
    do {
        uint32_t left = (uint32_t)(x >> half) & mask, right = (uint32_t)x & mask;
        for (uint32_t round = 0; round < 6; round++) {
            uint32_t counter[4] = { right, round, (uint32_t)epoch, (uint32_t)(epoch >> 32) }, out[4];
            uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
            philox4x32(out, counter, key);
            uint32_t next = left ^ (out[0] & mask);
            left = right;
            right = next;
        }
        x = (uint64_t)left << half | right;
    } while (x >= (uint64_t)n);
    return (int64_t)x;
}
