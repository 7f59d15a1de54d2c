#ifndef REWRITE_TFIDF_FILE_H
#define REWRITE_TFIDF_FILE_H
#include "core/hash.h"
#include "rewrite/tfidf.h"
#include "stream/safetensors.h"

/* An index as it is mapped: what tfidf.c opens and checks, and tfidf_search.c reads. */
#define TFIDF_FORMAT "unimo-rewrite index 2"
enum { TFIDF_BLOCK = 128 }; /* postings that share an upper bound */

struct tfidf_strings { /* string i at [start[i], start[i + 1]) of bytes */
    const int64_t *start;
    const char *bytes;
    int64_t n;
};
struct tfidf {
    struct safetensors file;
    struct tfidf_strings ids, texts, facts, terms, group_names;
    const int64_t *group_start, *posting_start;
    const int32_t *group_documents, *group, *posting_document; /* of a term: in order of position */
    const float *posting_weight, *idf;
    struct slots by_id, by_group; /* the slots are the file's */
    int64_t n;                    /* documents */
    float *term_top, *block_top; /* the largest weight of a term, and of TFIDF_BLOCK postings; made when it is opened */
};
/* Byte order of string i and s[n]. */
int tfidf_compare(const struct tfidf_strings *t, int64_t i, const char *s, size_t n);
#endif
