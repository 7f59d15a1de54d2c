/* bpe.t DIR TEXT: encodes the lines of a file in memory, on one thread, twice (the first time warms the caches) and
 * prints the seconds of the second time and the number of tokens. What tests/bench/tokenize compares with its peers,
 * which also work in memory. */
#include "text/bpe.h"
#include "core/file.h"
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

int main(int argc, char **argv)
{
    struct encoding c = { 0 };
    struct err e = { 0 };
    size_t n = 0;

    struct bpe *b = argc == 3 ? bpe_load(argv[1], &e) : NULL;
    char *text = b ? file_load(argv[2], (size_t)1 << 31, &n, &e) : NULL;
    if (!text) {
        fprintf(stderr, "bpe: %s\n", argc == 3 ? e.text : "DIR TEXT were expected");
        return 1;
    }
    encode(b, &c, text, n);
    double start = now();
    int64_t tokens = encode(b, &c, text, n);
    printf("%.6f %lld\n", now() - start, (long long)tokens);
    encoding_release(&c);
    bpe_close(b);
    free(text);
    return 0;
}
