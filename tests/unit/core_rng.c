/* Known answers of Philox4x32-10 (the published vectors of Random123) and of XXH64, and properties of the draws. */
#include "core/hash.h"
#include "core/mem.h"
#include "core/rng.h"
#include "tap.h"

static void philox(void)
{
    uint32_t out[4], zero[4] = { 0 }, ones[4] = { ~0u, ~0u, ~0u, ~0u };
    uint32_t pi_counter[4] = { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, pi_key[2] = { 0xa4093822, 0x299f31d0 };
    static const uint32_t want[3][4] = { { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
                                         { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
                                         { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } };

    philox4x32(out, zero, zero);
    ok(!memcmp(out, want[0], sizeof out), "philox of zeros");
    philox4x32(out, ones, ones);
    ok(!memcmp(out, want[1], sizeof out), "philox of ones");
    philox4x32(out, pi_counter, pi_key);
    ok(!memcmp(out, want[2], sizeof out), "philox of the digits of pi");
}

static void sequences(void)
{
    enum { N = 20000 };
    struct rng a, b;
    double sum = 0, squares = 0;
    int count[5] = { 0 };

    rng_init(&a, 7, 3);
    for (int i = 0; i < 6; i++) rng_u32(&a);
    rng_init(&b, 7, 3);
    b.next = 6;
    is_int(rng_u32(&b), rng_u32(&a), "a sequence goes on from `next` alone");
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&a);
        sum += x;
        squares += x * x;
    }
    ok(fabs(sum / N) < 0.03, "normal draws have mean 0 (%.4f)", sum / N);
    ok(fabs(squares / N - 1) < 0.05, "and variance 1 (%.4f)", squares / N);
    for (int i = 0; i < N; i++) count[rng_below(&a, 5)]++;
    for (int i = 0; i < 5; i++) ok(abs(count[i] - N / 5) < 200, "rng_below is even (%d: %d)", i, count[i]);
}

static void permutations(void)
{
    int moved = 0;

    for (int64_t n = 1; n <= 300; n += 37) {
        char *seen = mem_new(char, n);
        int64_t distinct = 0, fixed = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t at = rng_permute(5, 1, n, i);
            if (at < 0 || at >= n) break;
            distinct += !seen[at];
            seen[at] = 1;
            fixed += at == i;
        }
        ok(distinct == n, "rng_permute of %d is a permutation", (int)n);
        ok(n < 30 || fixed < n / 4, "that moves most elements (%d stay)", (int)fixed);
        free(seen);
    }
    for (int64_t i = 0; i < 1000; i++) moved += rng_permute(5, 1, 1000, i) != rng_permute(5, 2, 1000, i);
    ok(moved > 950, "epochs differ (%d of 1000)", moved);
}

static void hashes(void)
{
    uint8_t bytes[101];
    char key[16];
    struct map m = { 0 };

    for (int i = 0; i < 101; i++) bytes[i] = (uint8_t)(i * 7);
    ok(hash64("", 0, 0) == 0xEF46DB3751D8E999u, "XXH64 of nothing");
    ok(hash64("abc", 3, 0) == 0x44BC2CF5AD770999u, "XXH64 of abc");
    for (int cut = 0; cut <= 101; cut += 13) {
        struct digest d;
        digest_init(&d);
        digest_add(&d, bytes, (size_t)cut);
        digest_add(&d, bytes + cut, (size_t)(101 - cut));
        ok(digest_value(&d) == hash64(bytes, 101, 0), "in two pieces, cut at %d", cut);
    }
    for (int i = 0; i < 1000; i++) *map_put(&m, key, (size_t)snprintf(key, sizeof key, "k%d", i % 500), NULL) += i;
    is_int(m.n, 500, "a map keeps a key once");
    is_int(*map_find(&m, "k7", 2), 7 + 507, "and its value");
    ok(!map_find(&m, "k500", 4), "and does not invent keys");
    map_release(&m);
}

int main(void)
{
    philox();
    sequences();
    permutations();
    hashes();
    return done();
}
