/* The loader of learnt indexes: what it accepts must be searched and read without a step outside. */
#include "rewrite/tfidf.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const terms[] = { "dog", "red", "dog", "", "zzz" };
    int fd = memfd_create("index", 0);
    char path[64];
    struct err e = { 0 };

    if (fd < 0 || write(fd, data, n) != (ssize_t)n) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct tfidf *x = tfidf_open(path, &e);
    if (!x && !e.text[0]) abort();
    if (x) {
        struct tfidf_search s = { 0 };
        struct tfidf_hit hits[8];
        struct arena a = { 0 };
        const int32_t *documents;
        int found = tfidf_best(&s, x, terms, 5, hits, 8);
        for (int i = 0; i < found; i++) {
            tfidf_id(x, hits[i].document, &a);
            tfidf_text(x, hits[i].document, &a);
            tfidf_facts(x, hits[i].document, &a);
            if (tfidf_group(x, hits[i].document) >= 0)
                tfidf_group_documents(x, tfidf_group(x, hits[i].document), &documents);
        }
        tfidf_search_release(&s);
        arena_release(&a);
        tfidf_close(x);
    }
    close(fd);
    return 0;
}
