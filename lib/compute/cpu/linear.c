#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"

int cpu_linear_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b, int flags)
{
    int64_t rows = x.shape[0], in = x.shape[1], out = w.shape[0];

    for (int64_t t = 0; t < rows; t++) {
        for (int64_t o = 0; o < out; o++) {
            double sum = b.data ? get(b, o) : 0;
            for (int64_t i = 0; i < in; i++) sum += (double)get(x, t * in + i) * get(w, o * in + i);
            put(y, t * out + o, flags & LINEAR_ADD ? get(y, t * out + o) + sum : sum);
        }
    }
    return 0;
}

int cpu_linear_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    int64_t rows = dy.shape[0], in = w.shape[1], out = w.shape[0];

    for (int64_t t = 0; t < rows; t++) {
        for (int64_t i = 0; i < in; i++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++) sum += (double)get(dy, t * out + o) * get(w, o * in + i);
            put(dx, t * in + i, flags & LINEAR_ADD ? get(dx, t * in + i) + sum : sum);
        }
    }
    return 0;
}

int cpu_linear_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    int64_t rows = dy.shape[0], in = x.shape[1], out = dy.shape[1];

    for (int64_t o = 0; o < out; o++) {
        for (int64_t i = 0; i < in; i++) {
            double sum = f32(dw)[o * in + i];
            for (int64_t t = 0; t < rows; t++) sum += (double)get(dy, t * out + o) * get(x, t * in + i);
            f32(dw)[o * in + i] = (float)sum;
        }
        if (!db.data) continue;
        double sum = f32(db)[o];
        for (int64_t t = 0; t < rows; t++) sum += get(dy, t * out + o);
        f32(db)[o] = (float)sum;
    }
    return 0;
}
