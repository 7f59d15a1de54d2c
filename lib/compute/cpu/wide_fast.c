/* Products of bf16 on processors for which the library has none: operands are widened to f32, results narrowed. */
#include "compute/cpu/fast.h"
#include "compute/cpu/simd.h"

enum { OPERANDS = 3 }; /* of a product, the result first */

static int64_t padded(struct tensor x)
{
    return x.dtype == DT_BF16 ? (x.n + LANES - 1) / LANES * LANES : 0;
}

/* What is bf16 of x, in f32; the result's contents only where they are added to. */
static int widen(struct device *d, struct tensor wide[OPERANDS], const struct tensor x[OPERANDS], bool adds)
{
    int64_t n = padded(x[0]) + padded(x[1]) + padded(x[2]);
    float *room = n ? fast_room(d, ROOM_WIDE, n * (int64_t)sizeof *room) : NULL;

    if (n && !room) return -1;
    for (int i = 0; i < OPERANDS; i++) {
        wide[i] = x[i];
        if (x[i].dtype != DT_BF16) continue;
        wide[i].dtype = DT_F32;
        wide[i].data = room;
        room += padded(x[i]);
        if (i || adds) FAST_ROW(convert)(d, wide[i], x[i]);
    }
    return 0;
}

static int narrowed(struct device *d, struct tensor y, struct tensor wide)
{
    return y.dtype == DT_BF16 ? FAST_ROW(convert)(d, y, wide) : 0;
}

/* A widened parameter is another one each time. */
static int flags_of(struct tensor w, int flags)
{
    return w.dtype == DT_BF16 ? flags & ~LINEAR_PARAM : flags;
}

static int linear_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                          int flags)
{
    struct tensor t[OPERANDS];

    if (widen(d, t, (struct tensor[]){ y, x, w }, flags & LINEAR_ADD)) return -1;
    if (FAST_ROW(linear_forward)(d, t[0], t[1], t[2], b, flags_of(w, flags))) return -1;
    return narrowed(d, y, t[0]);
}

static int linear_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    struct tensor t[OPERANDS];

    if (widen(d, t, (struct tensor[]){ dx, dy, w }, flags & LINEAR_ADD)) return -1;
    if (FAST_ROW(linear_backward_input)(d, t[0], t[1], t[2], flags_of(w, flags))) return -1;
    return narrowed(d, dx, t[0]);
}

static int linear_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy,
                                  struct tensor x)
{
    struct tensor t[OPERANDS];

    return widen(d, t, (struct tensor[]){ dw, dy, x }, true) ? -1
                                                             : FAST_ROW(linear_backward_weight)(d, dw, db, t[1], t[2]);
}

static int conv_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                        struct conv c, bool relu, int flags)
{
    struct tensor t[OPERANDS];

    if (widen(d, t, (struct tensor[]){ y, x, w }, flags & LINEAR_ADD)) return -1;
    if (FAST_ROW(conv_forward)(d, t[0], t[1], t[2], b, c, relu, flags_of(w, flags))) return -1;
    return narrowed(d, y, t[0]);
}

static int conv_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, struct conv c,
                               int flags)
{
    struct tensor t[OPERANDS];

    if (widen(d, t, (struct tensor[]){ dx, dy, w }, flags & LINEAR_ADD)) return -1;
    if (FAST_ROW(conv_backward_input)(d, t[0], t[1], t[2], c, flags_of(w, flags))) return -1;
    return narrowed(d, dx, t[0]);
}

static int conv_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x,
                                struct conv c)
{
    struct tensor t[OPERANDS];

    return widen(d, t, (struct tensor[]){ dw, dy, x }, true) ? -1
                                                             : FAST_ROW(conv_backward_weight)(d, dw, db, t[1], t[2], c);
}

void FAST_ROW(wide_rows)(struct ops *t)
{
    t->linear_forward = linear_forward;
    t->linear_backward_input = linear_backward_input;
    t->linear_backward_weight = linear_backward_weight;
    t->conv_forward = conv_forward;
    t->conv_backward_input = conv_backward_input;
    t->conv_backward_weight = conv_backward_weight;
}
