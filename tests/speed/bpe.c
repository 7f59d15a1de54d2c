/* bpe.t DIR TEXT [THREADS]: encodes the lines of a file in memory, each thread a part of them, twice (the first time
 * warms the caches) and prints the seconds of the second time and the number of tokens. What tests/bench/tokenize
 * compares with its peers, which also work in memory. */
#include "text/bpe.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/pool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t encode(const struct bpe *b, struct encoding *c, const char *text, size_t n)
{
    int64_t tokens = 0;

    for (size_t i = 0, length; i < n; i += length + 1) {
        const char *end = memchr(text + i, '\n', n - i);
        length = end ? (size_t)(end - text) - i : n - i;
        bpe_encode(b, c, text + i, length);
        tokens += c->n;
    }
    return tokens;
}

struct part {
    const char *text;
    size_t n;
    int64_t tokens;
};
struct work {
    const struct bpe *b;
    struct encoding *c;
    struct part *at;
};

static int encode_part(int64_t i, int worker, void *arg, struct err *e)
{
    struct work *w = arg;
    struct part *p = &w->at[i];

    p->tokens =
        encode(w->b, &w->c[i], p->text, p->n); /* the thread of the first time may be another, the cache is not */
    return 0;
}

/* Parts of whole lines. */
static void divide(struct part *at, int parts, const char *text, size_t n)
{
    for (size_t i = 0, from = 0; i < (size_t)parts; i++) {
        size_t to = n / (size_t)parts * (i + 1);
        const char *end = i + 1 < (size_t)parts && to > from ? memchr(text + to, '\n', n - to) : NULL;
        to = end ? (size_t)(end + 1 - text) : i + 1 < (size_t)parts ? from : n;
        at[i] = (struct part){ .text = text + from, .n = to - from };
        from = to;
    }
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    size_t n = 0;
    int64_t threads = 1, tokens = 0;
    bool is_right = argc == 3 || (argc == 4 && str_to_int(argv[3], 1, 1024, &threads));

    struct bpe *b = is_right ? bpe_load(argv[1], &e) : NULL;
    char *text = b ? file_load(argv[2], (size_t)1 << 31, &n, &e) : NULL;
    if (!text) {
        fprintf(stderr, "bpe: %s\n", is_right ? e.text : "DIR TEXT [THREADS] were expected");
        return 1;
    }
    struct work w = { b, mem_new(struct encoding, threads), mem_new(struct part, threads) };
    divide(w.at, (int)threads, text, n);
    pool_for(threads, 1, (int)threads, encode_part, &w, &e);
    double start = now();
    pool_for(threads, 1, (int)threads, encode_part, &w, &e);
    double seconds = now() - start;
    for (int64_t i = 0; i < threads; i++) {
        tokens += w.at[i].tokens;
        encoding_release(&w.c[i]);
    }
    printf("%.6f %lld\n", seconds, (long long)tokens);
    free(w.c);
    free(w.at);
    bpe_free(b);
    free(text);
    return 0;
}
