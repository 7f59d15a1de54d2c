#ifndef COMPUTE_TENSOR_H
#define COMPUTE_TENSOR_H
#include "core/dtype.h"
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A dense row-major array in a device's memory; a plain value that owns nothing. Zeroed is "none".
 * Views are made by changing data and shape. */
enum { TENSOR_RANK = 4 };
struct tensor {
    void *data;
    int64_t n; /* elements */
    int64_t shape[TENSOR_RANK];
    int rank;
    enum dtype dtype;
};
/* Shapes; data is the caller's. */
struct tensor tensor_1d(void *data, enum dtype t, int64_t a);
struct tensor tensor_2d(void *data, enum dtype t, int64_t a, int64_t b);
struct tensor tensor_4d(void *data, enum dtype t, int64_t a, int64_t b, int64_t c, int64_t d);
/* Rows [from, from + n) of the first dimension. */
struct tensor tensor_rows(struct tensor x, int64_t from, int64_t n);
/* The same elements with another shape (same number). */
struct tensor tensor_view2(struct tensor x, int64_t a, int64_t b);
struct tensor tensor_view1(struct tensor x);
int64_t tensor_bytes(struct tensor x);
#ifdef __cplusplus
}
#endif
#endif
