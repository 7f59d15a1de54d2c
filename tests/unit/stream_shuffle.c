/* The order that reads block by block: every record once an epoch, few blocks at a time, named by seed and epoch only.
 */
#include "core/mem.h"
#include "core/rng.h"
#include "stream/shuffle.h"
#include "tap.h"

enum { BLOCKS = 2000 };
static struct shuffle_block blocks[BLOCKS];
static int block_of[BLOCKS * 12]; /* of a record */

static int64_t make_blocks(int64_t bytes)
{
    int64_t n = 0;

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = (struct shuffle_block){ (i * 7) % 12, bytes };
        for (int64_t k = 0; k < blocks[i].records; k++) block_of[n++] = i;
    }
    return n;
}

static bool is_permutation(struct shuffle *s, int64_t n, uint64_t epoch)
{
    uint8_t *seen = mem_new(uint8_t, n);
    bool good = true;

    for (int64_t i = 0; i < n && good; i++) {
        int64_t r = shuffle_at(s, 5, epoch, i);
        good = r >= 0 && r < n && !seen[r]++;
    }
    free(seen);
    return good;
}

/* The most blocks that any stretch of a window's mean length touches. */
static int64_t widest(struct shuffle *s, int64_t n, int64_t stretch)
{
    int64_t most = 0;

    for (int64_t from = 0; from + stretch <= n; from += stretch) {
        uint8_t seen[BLOCKS] = { 0 };
        int64_t touched = 0;
        for (int64_t i = 0; i < stretch; i++) {
            touched += !seen[block_of[shuffle_at(s, 5, 0, from + i)]]++;
        }
        if (touched > most) most = touched;
    }
    return most;
}

int main(void)
{
    int64_t n = make_blocks(1 << 20), same = 0, far = 0;
    struct shuffle *s = shuffle_new(blocks, BLOCKS);

    ok(is_permutation(s, n, 0) && is_permutation(s, n, 1), "an epoch visits every record once");
    int64_t *first = mem_new(int64_t, n);
    for (int64_t i = 0; i < n; i++) first[i] = shuffle_at(s, 5, 0, i);
    for (int64_t i = 0; i < n; i++) same += first[i] == shuffle_at(s, 5, 1, i);
    ok(same < 20, "another epoch has another order (%d of %d in the same place)", (int)same, (int)n);
    int64_t most = widest(s, n, n / 8);
    ok(most <= 2 * (SHUFFLE_WINDOW >> 20) + 2, "an eighth of an epoch touches the blocks of two windows at most (%d)",
       (int)most);
    for (int64_t i = 1; i < n; i++) far += llabs(first[i] - first[i - 1]) > 100;
    free(first);
    ok(far > n * 9 / 10, "neighbours in the order are seldom neighbours in the file");
    int64_t late = shuffle_at(s, 5, 7, n - 1);
    shuffle_at(s, 6, 3, 0);
    is_int(shuffle_at(s, 5, 7, n - 1), late, "the order depends on seed and epoch, not on what was asked before");
    shuffle_free(s);

    n = make_blocks(1000);
    s = shuffle_new(blocks, BLOCKS);
    same = 0;
    for (int64_t i = 0; i < n; i++) same += shuffle_at(s, 5, 2, i) == rng_permute(5, 2, n, i);
    is_int(same, n, "what fits into one window is permuted as a whole");
    shuffle_free(s);
    return done();
}
