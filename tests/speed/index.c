/* index.t terms TEXTS            prints what each line is indexed by, with blanks
 * index.t search INDEX QUERIES K THREADS [HITS]   the best K documents for each line of terms: prints the seconds, and
 * writes "document score ..." for each query to HITS. What tests/bench/rewrite compares with its peer. */
#include "core/file.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/str.h"
#include "rewrite/retrieve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lines {
    char *bytes, **at;
    int64_t n;
};

static int read_lines(struct lines *l, const char *path, struct err *e)
{
    size_t n = 0;
    int64_t cap = 0;

    l->bytes = file_load(path, (size_t)1 << 31, &n, e);
    for (char *p = l->bytes; p && p < l->bytes + n; p += strlen(p) + 1) {
        char *end = memchr(p, '\n', (size_t)(l->bytes + n - p));
        if (end) *end = 0;
        mem_reserve(&l->at, &cap, l->n + 1);
        l->at[l->n++] = p;
    }
    return l->bytes ? 0 : -1;
}

static int cut(char *line, const char **words, int most)
{
    int n = 0;

    for (char *save, *w = strtok_r(line, " ", &save); w && n < most; w = strtok_r(NULL, " ", &save)) words[n++] = w;
    return n;
}

struct searching {
    const struct tfidf *index;
    const struct lines *queries;
    struct tfidf_search *workers;
    struct tfidf_hit *hits; /* [queries][k] */
    int *found;
    int k;
};

static int search_one(int64_t i, int worker, void *arg, struct err *e)
{
    enum { WORDS_MAX = 200 };
    struct searching *s = arg;
    const char *words[WORDS_MAX];
    char *line = mem_strdup(s->queries->at[i]);

    s->found[i] =
        tfidf_best(&s->workers[worker], s->index, words, cut(line, words, WORDS_MAX), s->hits + i * s->k, s->k);
    free(line);
    return 0;
}

static int search(char **argv, const char *hits, struct err *e)
{
    struct tfidf *index = tfidf_open(argv[0], e);
    struct lines queries = { 0 };
    int threads = (int)strtol(argv[3], NULL, 10);
    struct searching s = { index, &queries, .k = (int)strtol(argv[2], NULL, 10) };

    if (!index || read_lines(&queries, argv[1], e)) return -1;
    s.workers = mem_new(struct tfidf_search, threads);
    s.hits = mem_new(struct tfidf_hit, queries.n * s.k);
    s.found = mem_new(int, queries.n);
    double start = clock_seconds();
    if (pool_for(queries.n, 16, threads, search_one, &s, e)) return -1;
    printf("%.6f\n", clock_seconds() - start);
    FILE *out = hits ? fopen(hits, "w") : NULL;
    for (int64_t i = 0; i < queries.n && out; i++) {
        for (int j = 0; j < s.found[i]; j++)
            fprintf(out, "%d %.9f ", s.hits[i * s.k + j].document,
                    (double)s.hits[i * s.k + j].score / (double)TFIDF_ONE);
        fprintf(out, "\n");
    }
    if (out) fclose(out);
    for (int i = 0; i < threads; i++) tfidf_search_release(&s.workers[i]);
    free(s.workers);
    free(s.hits);
    free(s.found);
    free(queries.at);
    free(queries.bytes);
    tfidf_close(index);
    return 0;
}

static int print_terms(const char *path, struct err *e)
{
    struct lines texts = { 0 };
    struct arena a = { 0 };

    if (read_lines(&texts, path, e)) return -1;
    for (int64_t i = 0; i < texts.n; i++) {
        struct words w;
        const char **terms;
        words_split(&w, texts.at[i], &a);
        int n = text_terms(&w, TERMS_BY_CONTENT, &terms, &a);
        for (int k = 0; k < n; k++) printf("%s%s", k ? " " : "", terms[k]);
        printf("\n");
        arena_reset(&a);
    }
    arena_release(&a);
    free(texts.at);
    free(texts.bytes);
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    int rc = -1;

    if (argc == 3 && !strcmp(argv[1], "terms")) rc = print_terms(argv[2], &e);
    else if ((argc == 6 || argc == 7) && !strcmp(argv[1], "search")) rc = search(argv + 2, argv[6], &e);
    else err_set(&e, ERR_USAGE, "terms TEXTS or search INDEX QUERIES K THREADS [HITS] was expected");
    if (rc) fprintf(stderr, "index: %s\n", e.text);
    return rc != 0;
}
