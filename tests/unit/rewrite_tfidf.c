/* The index against plain arithmetic over all documents; and files that are not one. */
#include "core/rng.h"
#include "core/str.h"
#include "rewrite/tfidf.h"
#include "stream/safetensors.h"
#include "tap.h"
#include <unistd.h>

enum { DOCUMENTS = 300, WORDS = 40, LONGEST = 12 };
static char word[WORDS][8], ids[DOCUMENTS][8];
static int counts[DOCUMENTS][WORDS];
static const char *terms[DOCUMENTS][LONGEST];
static int n_terms[DOCUMENTS];

/* With memory for a few postings only they are written in many passes. */
static void build(const char *path, int64_t memory)
{
    struct err e = { 0 };
    struct tfidf_builder *b = tfidf_builder_new("/tmp", &e);
    struct rng r;

    rng_init(&r, 5, 0);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < WORDS; i++) snprintf(word[i], sizeof word[i], "w%d", i);
    for (int d = 0; d < DOCUMENTS; d++) {
        n_terms[d] = (int)rng_below(&r, LONGEST + 1);
        for (int k = 0; k < n_terms[d]; k++) {
            int t = (int)(rng_below(&r, WORDS) * rng_uniform(&r));
            terms[d][k] = word[t];
            counts[d][t]++;
        }
        snprintf(ids[d], sizeof ids[d], "d%d", d);
        if (tfidf_builder_has(b, ids[d], &e)) ok(false, "an id that is not there");
        tfidf_builder_add(b,
                          &(struct tfidf_document){ ids[d], d % 3 ? "even" : "", "text", d == 7 ? "dog\n" : "",
                                                    n_terms[d], terms[d] },
                          &e);
    }
    is_int(tfidf_builder_has(b, "d17", &e), 1, "an id that was added");
    is_int(tfidf_builder_has(b, "d1700", &e), 0, "one that was not");
    ok(!tfidf_builder_save(b, path, memory, &e), "saved%s", e.text);
    tfidf_builder_free(b);
}

static double weight(int d, int t)
{
    int df = 0;

    for (int i = 0; i < DOCUMENTS; i++) df += counts[i][t] > 0;
    return counts[d][t] ? (1 + log(counts[d][t])) * (log((DOCUMENTS + 1.0) / (df + 1)) + 1) : 0;
}

static double cosine(int a, int b)
{
    double ab = 0, aa = 0, bb = 0;

    for (int t = 0; t < WORDS; t++) {
        ab += weight(a, t) * weight(b, t);
        aa += weight(a, t) * weight(a, t);
        bb += weight(b, t) * weight(b, t);
    }
    return ab ? ab / sqrt(aa * bb) : 0;
}

static void test_search(const char *path)
{
    struct err e = { 0 };
    struct tfidf *x = tfidf_open(path, &e);
    struct tfidf_search s = { 0 };
    struct tfidf_hit hits[DOCUMENTS];
    struct arena a = { 0 };
    double worst = 0;
    bool ordered = true, complete = true;

    if (!ok(x != NULL, "opened%s", e.text)) return;
    for (int d = 0; d < 60; d++) {
        int n = tfidf_best(&s, x, terms[d], n_terms[d], hits, DOCUMENTS), positive = 0;
        for (int i = 0; i < DOCUMENTS; i++) positive += cosine(d, i) > 0;
        complete = complete && n == positive;
        for (int i = 0; i < n; i++) {
            worst = fmax(worst, fabs(hits[i].score / (double)TFIDF_ONE - cosine(d, hits[i].document)));
            if (i && (hits[i].score > hits[i - 1].score ||
                      (hits[i].score == hits[i - 1].score && hits[i].document < hits[i - 1].document)))
                ordered = false;
        }
        struct tfidf_hit few[5];
        int m = tfidf_best(&s, x, terms[d], n_terms[d], few, 5);
        for (int i = 0; i < m; i++) complete = complete && few[i].document == hits[i].document;
    }
    ok(worst < 1e-5, "scores are cosines (off by %.2g)", worst);
    ok(ordered, "best first, then by position");
    ok(complete, "nothing is missing, and the best five are the best of all");
    is_int(tfidf_best(&s, x, terms[1], n_terms[1], hits, 0), 0, "none are asked for");
    is_int(tfidf_best(&s, x, (const char *const[]){ "unknown" }, 1, hits, 5), 0, "an unknown word finds nothing");
    is_int(tfidf_find(x, "d17"), 17, "a document by its id");
    is_int(tfidf_find(x, "d1700"), -1, "or not");
    is_str(tfidf_facts(x, 7, &a), "dog\n", "facts");
    const int32_t *docs;
    is_int(tfidf_group(x, 3), -1, "a document without a group");
    is_int(tfidf_group_documents(x, tfidf_group_find(x, "even"), &docs), DOCUMENTS - DOCUMENTS / 3,
           "documents of a group");
    is_int(docs[0], 1, "the first of them");
    is_int(tfidf_group_find(x, "odd"), -1, "no such group");
    tfidf_search_release(&s);
    tfidf_close(x);
    arena_release(&a);
}

/* A collection of many windows: the best few, for which most postings are passed over, are the first of all. */
static void test_few_of_many(const char *path)
{
    enum { MANY = 40000, VOCABULARY = 600, QUERIES = 150 };
    struct err e = { 0 };
    struct tfidf_builder *b = tfidf_builder_new("/tmp", &e);
    struct tfidf_search s = { 0 };
    struct tfidf_hit *all = malloc(MANY * sizeof *all), few[100];
    static char names[VOCABULARY][8];
    const char *document[16];
    struct rng r;
    int wrong = 0, unordered = 0;

    rng_init(&r, 6, 0);
    for (int i = 0; i < VOCABULARY; i++) snprintf(names[i], sizeof names[i], "v%d", i);
    for (int d = 0; d < MANY; d++) {
        char id[16];
        int n = (int)rng_below(&r, 16);
        for (int k = 0; k < n; k++) document[k] = names[(int)(VOCABULARY * pow(rng_uniform(&r), 4))];
        snprintf(id, sizeof id, "%d", d);
        tfidf_builder_add(b, &(struct tfidf_document){ id, "", "", "", n, document }, &e);
    }
    ok(!tfidf_builder_save(b, path, 1 << 16, &e), "saved%s", e.text);
    tfidf_builder_free(b);
    struct tfidf *x = tfidf_open(path, &e);
    if (!ok(x != NULL, "opened%s", e.text)) return;
    for (int q = 0; q < QUERIES; q++) {
        static const int most[] = { 1, 3, 10, 100 };
        int n = 1 + (int)rng_below(&r, 12);
        for (int k = 0; k < n; k++) document[k] = names[(int)(VOCABULARY * pow(rng_uniform(&r), 4))];
        int found = tfidf_best(&s, x, document, n, all, MANY);
        for (int i = 1; i < found; i++)
            unordered += all[i].score > all[i - 1].score ||
                         (all[i].score == all[i - 1].score && all[i].document < all[i - 1].document);
        for (size_t m = 0; m < sizeof most / sizeof *most; m++) {
            int got = tfidf_best(&s, x, document, n, few, most[m]);
            wrong += got != (found < most[m] ? found : most[m]);
            for (int i = 0; i < got; i++) wrong += few[i].document != all[i].document || few[i].score != all[i].score;
        }
    }
    is_int(unordered, 0, "all documents of a large collection come in order");
    is_int(wrong, 0, "and the best few are the first of them");
    tfidf_search_release(&s);
    tfidf_close(x);
    free(all);
}

/* The file again with one tensor changed. */
static void test_damage(const char *path, const char *name, int64_t element, int64_t value, const char *message)
{
    struct safetensors s;
    struct err e = { 0 };
    char *other = malloc(strlen(path) + 5);
    static const char *const meta[] = { "format", "unimo-rewrite index 2" };

    void *copy = NULL;

    snprintf(other, strlen(path) + 5, "%s.bad", path);
    if (!ok(!safetensors_open(&s, path, &e), "the good file opens")) return;
    for (int i = 0; i < s.n; i++) {
        if (strcmp(s.at[i].name, name)) continue;
        copy = malloc((size_t)s.at[i].bytes + 1);
        memcpy(copy, s.at[i].data, (size_t)s.at[i].bytes);
        if (s.at[i].dtype == DT_I64) ((int64_t *)copy)[element] = value;
        else ((int32_t *)copy)[element] = (int32_t)value;
        s.at[i].data = copy;
    }
    safetensors_save(other, s.at, s.n, meta, 1, &e);
    safetensors_close(&s);
    struct tfidf *x = tfidf_open(other, &e);
    ok(!x && strstr(e.text, message), "%s: %s", name, e.text);
    tfidf_close(x);
    unlink(other);
    free(other);
    free(copy);
}

int main(void)
{
    char path[] = "/tmp/unimo-tfidf-XXXXXX";
    int fd = mkstemp(path);

    close(fd);
    build(path, 100);
    test_search(path);
    build(path, 1 << 20);
    test_search(path);
    test_few_of_many(path);
    build(path, 1 << 20);
    test_damage(path, "posting_document", 2, 100000, "out of range");
    test_damage(path, "posting_document", 0, -1, "out of range");
    test_damage(path, "posting_start", 1, -5, "does not divide");
    test_damage(path, "posting_start", 2, 1LL << 60, "does not divide");
    test_damage(path, "text_start", 0, 1, "does not divide");
    test_damage(path, "group", 0, 1, "out of range");
    test_damage(path, "posting_weight", 0, 0x7f800000, "out of range");
    test_damage(path, "posting_weight", 0, (int64_t)0xbf800000, "out of range");
    test_damage(path, "posting_document", 1, 0, "out of order");
    test_damage(path, "id_slots", 2, 1 << 20, "no table");
    test_damage(path, "term_start", 1, 1, "not in order");
    unlink(path);
    return done();
}
