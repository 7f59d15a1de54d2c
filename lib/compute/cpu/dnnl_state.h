#ifndef COMPUTE_CPU_DNNL_STATE_H
#define COMPUTE_CPU_DNNL_STATE_H
#include "compute/cpu/fast.h"
#include "compute/cpu/lru.h"
#include <dnnl.h>

/* What the files that call oneDNN share: one engine and stream per device, and what was made for it. Region counts,
 * picture sizes and lengths of texts vary without end, so everything made is bounded. */
struct dnnl_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct lru *products;     /* linear_fast.c; NULL until needed, as the others */
    struct lru *convolutions; /* conv_fast.c */
    struct lru *winograd;     /* winograd_fast.c */
    struct lru *packed;       /* dnnl_packed.c */
    const void *in_room;      /* the one of these that lies in ROOM_PARAM */
};
/* Bytes that oneDNN wants for a primitive's code and what belongs to it, and more: it writes to what it did not get. */
enum { DNNL_ROOM = 16 << 20 };
/* Primitives of each kind: a training step of the largest models uses about a hundred shapes. Packed parameters: a
 * large model has 200, each in the layouts of a few primitives, forward and backward. */
enum { PRIMITIVES_MOST = 512, PACKED_MOST = 2048 };

/* A parameter's layout in the model, and the one that a primitive wants. */
struct layout {
    dnnl_memory_desc_t plain, wanted;
    uint64_t hash; /* of both, by layout_hash() */
    /* Where plain is not the parameter's own layout: makes it, to be freed; NULL (with d->why set) without memory. */
    void *(*transform)(struct device *d, const struct layout *l, const void *data);
};
uint64_t layout_hash(const struct layout *l);
/* The parameter at data in the wanted layout; made anew when parameters have changed, or, when it is not marked as a
 * parameter, always. On failure NULL, and why is set. */
dnnl_memory_t dnnl_packed(struct device *d, const struct layout *l, const void *data, bool is_param);
/* The same for a matrix that is used once, where pack_fits() says so (pack_fast.c). to: room for the wanted layout. */
bool FAST_ROW(pack_fits)(const struct layout *l);
void FAST_ROW(pack)(struct device *d, void *to, const void *w, const struct layout *l);
#endif
