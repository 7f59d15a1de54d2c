#include "stream/shuffle.h"
#include "core/mem.h"
#include "core/rng.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RNG_WINDOW = 0x7769 };

struct shuffle {
    pthread_mutex_t lock;
    struct shuffle_block *blocks;
    int64_t *first; /* [n + 1] records before each block */
    int64_t n, bytes;
    /* the order in use */
    bool is_made;
    uint64_t seed, epoch;
    int64_t *order, *before; /* [n] blocks as they come, [n + 1] records before each in that order */
    int64_t *window;         /* [n_windows] records before each window */
    int64_t n_windows, cap;
};

struct shuffle *shuffle_new(const struct shuffle_block *blocks, int64_t n)
{
    struct shuffle *s = mem_new(struct shuffle, 1);

    pthread_mutex_init(&s->lock, NULL);
    s->n = n;
    s->blocks = mem_new(struct shuffle_block, n + 1);
    s->first = mem_new(int64_t, n + 1);
    s->order = mem_new(int64_t, n + 1);
    s->before = mem_new(int64_t, n + 1);
    if (n) memcpy(s->blocks, blocks, (size_t)n * sizeof *blocks);
    for (int64_t i = 0; i < n; i++) {
        s->first[i + 1] = s->first[i] + blocks[i].records;
        s->bytes += blocks[i].bytes;
    }
    return s;
}

static void make_order(struct shuffle *s, uint64_t seed, uint64_t epoch)
{
    int64_t filled = SHUFFLE_WINDOW;
    bool is_one = s->bytes <= SHUFFLE_WINDOW; /* then the order of the blocks is of no use */

    s->n_windows = 0;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t b = is_one ? k : rng_permute(seed, epoch, s->n, k);
        if (filled >= SHUFFLE_WINDOW) {
            mem_reserve(&s->window, &s->cap, s->n_windows + 1);
            s->window[s->n_windows++] = s->before[k];
            filled = 0;
        }
        s->order[k] = b;
        s->before[k + 1] = s->before[k] + s->blocks[b].records;
        filled += s->blocks[b].bytes;
    }
    s->seed = seed;
    s->epoch = epoch;
    s->is_made = true;
}

/* Which of n > 0 parts record i is in; before[n]: the records before each, ascending. */
static int64_t find_part(const int64_t *before, int64_t n, int64_t i)
{
    int64_t low = 0, high = n;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (before[middle] <= i) low = middle;
        else high = middle;
    }
    return low;
}

int64_t shuffle_at(struct shuffle *s, uint64_t seed, uint64_t epoch, int64_t i)
{
    pthread_mutex_lock(&s->lock);
    if (!s->is_made || s->seed != seed || s->epoch != epoch) make_order(s, seed, epoch);
    int64_t w = find_part(s->window, s->n_windows, i), start = s->window[w],
            end = w + 1 < s->n_windows ? s->window[w + 1] : s->first[s->n];
    uint64_t named = w ? seed ^ rng_stream(RNG_WINDOW, (uint64_t)w, 0) : seed;
    int64_t record = start + rng_permute(named, epoch, end - start, i - start);
    int64_t k = find_part(s->before, s->n, record);
    record = s->first[s->order[k]] + record - s->before[k];
    pthread_mutex_unlock(&s->lock);
    return record;
}

void shuffle_free(struct shuffle *s)
{
    if (!s) return;
    pthread_mutex_destroy(&s->lock);
    free(s->blocks);
    free(s->first);
    free(s->order);
    free(s->before);
    free(s->window);
    free(s);
}
