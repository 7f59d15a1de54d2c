#ifndef COMPUTE_CPU_FAST_H
#define COMPUTE_CPU_FAST_H
#include "compute/ops.h"

/* Fast rows (those that fast.def names exist) and the state that they share. Every *_fast.c is compiled once for each
 * level of the processor, with ISA defined as its name: v1 (any), v3 (AVX2, FMA), v4 (AVX-512), v4b (and its products
 * of bf16 pairs). */
#ifndef ISA
#define ISA v1
#endif
#define FAST_JOIN(name, isa) fast_##name##_##isa
#define FAST_NAME(name, isa) FAST_JOIN(name, isa)
#define FAST_ROW(name) FAST_NAME(name, ISA)
#define ROW(name, args) int FAST_ROW(name) args;
#include "compute/ops.def"
#undef ROW
/* Puts this level's rows into the table. */
void FAST_ROW(rows)(struct ops *t);
/* Products and convolutions for where the library has none of bf16 (wide_fast.c). */
void FAST_ROW(wide_rows)(struct ops *t);

/* Working memory that grows and is kept: one piece per purpose. Uninitialised. NULL (with d->why set) without memory.
 */
enum fast_room { ROOM_PARTIAL, ROOM_ATTENTION, ROOM_CONV, ROOM_PACKED, ROOM_PARAM, ROOM_WIDE, ROOM_COUNT };
void *fast_room(struct device *d, enum fast_room which, int64_t bytes);
struct dnnl_state *fast_dnnl(struct device *d);
bool fast_multiplies_bf16(void); /* whether the library does, on this processor */
/* db[O] += sums of the columns of dy, seen as [rows, O]; one writer per column, rows in order. */
void FAST_ROW(column_sums)(struct device *d, struct tensor db, struct tensor dy);
/* linear_backward_weight() without the library, where gradient_fits() says so (gradient_fast.c). */
bool FAST_ROW(gradient_fits)(struct tensor dw, struct tensor dy);
int FAST_ROW(gradient_add)(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x);
/* conv_forward's other way, and where it is the faster one (winograd_fast.c). */
bool FAST_ROW(winograd_fits)(struct tensor y, struct tensor x, struct tensor w, struct conv c, int flags);
int FAST_ROW(winograd)(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                       struct conv c, bool relu);

/* Below this many elements an operation runs on one thread: starting the others would cost more. */
#define FAST_PARALLEL 16384
#endif
