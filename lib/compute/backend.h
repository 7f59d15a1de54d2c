#ifndef COMPUTE_BACKEND_H
#define COMPUTE_BACKEND_H
#include "compute/ops.h"
#include "core/err.h"

/* Opens "ref" (plain C, the oracle), "cpu" (fast), "cuda" or "cuda:N" (the plugin libunimo-cuda.so, opened at run
 * time), or NULL: cuda when it is built and usable, else cpu, telling why where there is a driver. threads 0: all. One
 * line says why a device cannot be opened. */
struct device *device_open(const char *name, int threads, struct err *e);
void device_close(struct device *d);
/* The CUDA stream that operations are enqueued on, for those that enqueue work of their own; NULL on a CPU, where an
 * operation is done when it returns. */
void *device_queue(struct device *d);
/* Most parameters will be wanted once between changes: what is made of them need not be kept. */
void device_will_train(struct device *d);
bool device_has_bf16(const struct device *d); /* bf16 products are faster than f32 ones here */

/* The first failure of the operations so far (a wrong shape is a bug of ours, out of memory or a lost device are not);
 * waits until everything enqueued has run. Call it at the end of a step. */
int device_check(struct device *d, struct err *e);

/* Memory of one step: allocated piecewise, taken back at once. Grows during the first steps, then stays. */
struct scratch {
    struct device *device;
    struct scratch_chunk *chunk, *spare; /* spare: chunks that were given back, until the next reset */
    int64_t used, peak;
};
void scratch_init(struct scratch *s, struct device *d);
struct tensor scratch_1d(struct scratch *s, enum dtype t, int64_t a); /* uninitialised */
struct tensor scratch_2d(struct scratch *s, enum dtype t, int64_t a, int64_t b);
struct tensor scratch_3d(struct scratch *s, enum dtype t, int64_t a, int64_t b, int64_t c);
struct tensor scratch_4d(struct scratch *s, enum dtype t, int64_t a, int64_t b, int64_t c, int64_t e);
struct tensor scratch_zeros(struct scratch *s, struct tensor like);  /* same shape and dtype, zeroed */
struct tensor scratch_upload(struct scratch *s, struct tensor host); /* copy of a host tensor on the device */
int64_t scratch_mark(const struct scratch *s);                       /* and back to it, for temporaries inside a step */
void scratch_back_to(struct scratch *s, int64_t mark);
void scratch_reserve(struct scratch *s, int64_t bytes); /* so much from here on will be in one piece */
/* On a host what comes next lies in one piece, so that temporaries that take turns share it: where a piece ends, some
 * would use its rest and others the next. */
void scratch_turns(struct scratch *s);
void scratch_reset(struct scratch *s);
void scratch_release(struct scratch *s);
#endif
