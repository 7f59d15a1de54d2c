#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H
#include "core/dtype.h"
#include "core/err.h"
#include "stream/limits.h"
#include "stream/value.h"
#include <stdint.h>

/* One record of a stream: a JSON object and the tensors that it names (unimo-records(5)).
 * Fields that nobody here knows travel along unchanged, in order. */
struct record_tensor {
    char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[LIMIT_RANK];
    const void *data; /* row-major, little-endian, 64-byte aligned */
    int64_t bytes;
    void *owned; /* data when the record owns it, NULL while it lives in the block */
};
struct record {
    struct value *fields; /* an object without the member "tensors" */
    int n_tensors;
    struct record_tensor *tensors;
    struct block *block; /* keeps borrowed tensor data alive; counted */
    int64_t number;      /* 1-based position in its input */
    const char *file;    /* its input, for messages; lives as long as the reader */
};

struct record *record_new(void); /* no fields, no tensors */
void record_free(struct record *r);
struct record *record_copy(const struct record *r);

const char *record_id(const struct record *r); /* "" when it has none */
/* Puts the record's file and id in front of e; -1. */
int record_bad(const struct record *r, struct err *e);
/* value_get_string(r->fields, ...) and the like serve for fields. */
int record_string(const struct record *r, const char *field, const char **out, struct err *e);

/* The named tensor or NULL. */
const struct record_tensor *record_tensor(const struct record *r, const char *name);
/* The named tensor with a wanted dtype (DT_NONE: any) and shape (-1: any size); an error names the difference. */
int record_tensor_shaped(const struct record *r, const char *name, enum dtype dtype, int rank, const int64_t *shape,
                         const struct record_tensor **out, struct err *e);
/* The named tensor of any float type as f32, in memory that the caller frees. */
int record_tensor_f32(const struct record *r, const char *name, int rank, const int64_t *shape, float **out, int64_t *n,
                      struct err *e);
/* Adds or replaces a tensor; the bytes are copied. */
void record_set_tensor(struct record *r, const char *name, enum dtype dtype, int rank, const int64_t *shape,
                       const void *data);
void record_drop_tensor(struct record *r, const char *name);
#endif
