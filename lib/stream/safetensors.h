#ifndef STREAM_SAFETENSORS_H
#define STREAM_SAFETENSORS_H
#include "core/dtype.h"
#include "core/err.h"
#include "stream/limits.h"
#include <stdint.h>

/* A mapped safetensors file. The header is checked completely (size, JSON, names, dtypes, offsets without
 * holes or overlaps, the file's length) before anything is used. */
struct safetensor {
    const char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[LIMIT_RANK];
    const void *data;
    int64_t bytes;
    int64_t n; /* elements */
};
struct safetensors {
    int n;
    struct safetensor *at; /* in file order */
    void *impl;
};
int safetensors_open(struct safetensors *s, const char *path, struct err *e);
const struct safetensor *safetensors_find(const struct safetensors *s, const char *name);
const char *safetensors_metadata(const struct safetensors *s, const char *key); /* NULL when absent */
/* Everything will be read, in order: a thread has the system begin with that. */
void safetensors_expect(struct safetensors *s);
void safetensors_close(struct safetensors *s);

/* Writes n tensors and metadata (n_meta pairs key, value) atomically. Same input, same bytes. */
int safetensors_save(const char *path, const struct safetensor *at, int n, const char *const *meta, int n_meta,
                     struct err *e);
/* The same of data that are not in memory: read() brings `bytes` of tensor i from `offset` on, some MiB at a time. */
typedef int safetensors_read(void *ctx, int i, int64_t offset, int64_t bytes, void *to, struct err *e);
int safetensors_save_from(safetensors_read *read, void *ctx, const char *path, const struct safetensor *at, int n,
                          const char *const *meta, int n_meta, struct err *e);
#endif
