#ifndef REWRITE_TFIDF_H
#define REWRITE_TFIDF_H
#include "core/err.h"
#include "core/mem.h"
#include <stdint.h>

/* An inverted index over documents (captions, texts, or images as bags of classes) with TF-IDF weights of unit length:
 * (1 + ln n) (1 + ln((1 + documents) / (1 + documents with the term))); the score of a query is its cosine. Built on
 * disk with bounded memory, kept as a safetensors file, opened by mapping. */
struct tfidf_document {
    const char *id;
    const char *group; /* the image a caption belongs to; "" for none */
    const char *text;  /* what a neighbour is shown as; for images the classes, one a line */
    const char *facts; /* what the text says is there, one fact a line (facts.h); "" for none */
    int n_terms;
    const char *const *terms; /* repeated ones count */
};
/* Memory: the vocabulary, the names of groups, about 40 bytes a document, and while it saves `memory` bytes. */
struct tfidf_builder;
struct tfidf_builder *tfidf_builder_new(const char *dir, struct err *e); /* where temporary files may be */
/* 1 when a document with this id was added, 0 when not, -1. */
int tfidf_builder_has(struct tfidf_builder *b, const char *id, struct err *e);
int tfidf_builder_add(struct tfidf_builder *b, const struct tfidf_document *d, struct err *e);
/* Calls visit for each group with the facts of its documents, in order of first appearance. */
int tfidf_builder_groups(struct tfidf_builder *b, void (*visit)(void *arg, const char *const *facts, int n), void *arg,
                         struct err *e);
int tfidf_builder_save(struct tfidf_builder *b, const char *path, int64_t memory, struct err *e);
void tfidf_builder_free(struct tfidf_builder *b);

struct tfidf;
struct tfidf *tfidf_open(const char *path, struct err *e); /* everything in the file is checked */
void tfidf_close(struct tfidf *x);                         /* NULL is fine */
int64_t tfidf_count(const struct tfidf *x);
int64_t tfidf_find(const struct tfidf *x, const char *id); /* position of a document, or -1 */
/* Strings of document i, in the arena. */
const char *tfidf_id(const struct tfidf *x, int64_t i, struct arena *a);
const char *tfidf_text(const struct tfidf *x, int64_t i, struct arena *a);
const char *tfidf_facts(const struct tfidf *x, int64_t i, struct arena *a);
int32_t tfidf_group(const struct tfidf *x, int64_t i);                                    /* -1: none */
int32_t tfidf_group_find(const struct tfidf *x, const char *name);                        /* or -1 */
int64_t tfidf_group_documents(const struct tfidf *x, int32_t group, const int32_t **out); /* in order; their number */

/* What one thread needs to search; zero is a good start. */
struct tfidf_search {
    uint32_t *score, *candidate; /* [documents of a window] */
    struct posting_list *list;   /* the query's terms */
    uint64_t *best;              /* so far */
    int64_t cap, cap_best;
};
void tfidf_search_release(struct tfidf_search *s);
#define TFIDF_ONE 1073741824.0f /* a score of 1: whole numbers, so that sums do not depend on their order */
struct tfidf_hit {
    int32_t document;
    uint32_t score;
};
/* The k best documents, by falling score, then by position; returns their number. Exact. */
int tfidf_best(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n_terms,
               struct tfidf_hit *out, int k);
#endif
