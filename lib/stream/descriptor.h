#ifndef STREAM_DESCRIPTOR_H
#define STREAM_DESCRIPTOR_H
#include "core/dtype.h"
#include "stream/limits.h"
#include "stream/value.h"

/* What a tensor is, as safetensors says it and records do: {"dtype":"F32","shape":[2,3], ...}. */

/* *n: its elements, at most LIMIT_ELEMENTS. */
int descriptor_read(const struct value *d, enum dtype *dtype, int *rank, int64_t shape[LIMIT_RANK], int64_t *n,
                    struct err *e);
/* One with these two members, for the caller to add to. */
struct value *descriptor_new(enum dtype dtype, int rank, const int64_t *shape);
#endif
