#ifndef COMPUTE_CPU_DNNL_STATE_H
#define COMPUTE_CPU_DNNL_STATE_H
#include "compute/ops.h"
#include <dnnl.h>

/* What the files that call oneDNN share: one engine and stream per device, and their caches of primitives. */
struct dnnl_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct products *products;       /* linear_fast.c */
    struct convolutions *convolutions; /* conv_fast.c */
};
void products_free(struct products *p);
void convolutions_free(struct convolutions *c);
#endif
