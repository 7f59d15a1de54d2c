#ifndef REWRITE_MEANS_H
#define REWRITE_MEANS_H
#include "rewrite/tfidf.h"
#include "stream/record.h"

/* Mean region features of images, scaled to length 1, in the order of an index of images: what the exact nearest by
 * cosine are found with. Built on disk, kept as a safetensors file, opened by mapping. */
struct means_builder;
struct means_builder *means_builder_new(const char *dir, struct err *e); /* where a temporary file may be */
/* The mean of an image's features, in the arena. */
int means_of(const struct record *r, const float **out, int64_t *width, struct arena *a, struct err *e);
/* Features must be as wide as those before them. */
int means_builder_fits(const struct means_builder *b, int64_t width, struct err *e);
int means_builder_add(struct means_builder *b, const float *mean, int64_t width, struct err *e);
int means_builder_save(struct means_builder *b, const char *path, struct err *e);
void means_builder_free(struct means_builder *b); /* NULL is fine */

struct means;
struct means *means_open(const char *path, int64_t images, struct err *e); /* images: as many as the index has */
void means_close(struct means *m);                                         /* NULL is fine */
/* The k images that are nearest to image i, itself apart, by falling cosine, then by position; their number. */
int means_best(const struct means *m, int64_t i, int32_t *out, int k, struct arena *a);
#endif
