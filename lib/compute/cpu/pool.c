#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"

int cpu_max_pool_forward(struct device *d, struct tensor y, struct tensor arg, struct tensor x, int k, int stride,
                         int pad)
{
    int64_t h = x.shape[1], w = x.shape[2], c = x.shape[3];

    for (int64_t o = 0; o < y.n; o++) {
        int64_t p = o / c, b = p / (y.shape[1] * y.shape[2]), oy = p / y.shape[2] % y.shape[1], ox = p % y.shape[2];
        int64_t best = -1;
        for (int64_t iy = oy * stride - pad; iy < oy * stride - pad + k; iy++) {
            for (int64_t ix = ox * stride - pad; ix < ox * stride - pad + k; ix++) {
                if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
                int64_t from = (iy * w + ix) * c + o % c;
                if (best < 0 || get(x, b * h * w * c + from) > get(x, b * h * w * c + best)) best = from;
            }
        }
        put(y, o, best < 0 ? 0 : get(x, b * h * w * c + best));
        if (arg.data) i32(arg)[o] = (int32_t)best;
    }
    return 0;
}

int cpu_max_pool_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor arg, int k, int stride,
                          int pad)
{
    int64_t images = dx.shape[0], in = dx.n / (images ? images : 1), out = dy.n / (images ? images : 1);

    cpu_fill(d, dx, 0);
    for (int64_t o = 0; o < dy.n; o++) {
        int64_t to = o / out * in + i32(arg)[o];
        if (i32(arg)[o] >= 0) put(dx, to, get(dx, to) + get(dy, o));
    }
    return 0;
}

int cpu_mean_pool_forward(struct device *d, struct tensor y, struct tensor x)
{
    int64_t area = x.shape[1] * x.shape[2], c = x.shape[3];

    for (int64_t o = 0; o < y.n; o++) {
        double sum = 0;
        for (int64_t p = 0; p < area; p++) sum += get(x, (o / c * area + p) * c + o % c);
        put(y, o, sum / (double)area);
    }
    return 0;
}

int cpu_mean_pool_backward(struct device *d, struct tensor dx, struct tensor dy)
{
    int64_t area = dx.shape[1] * dx.shape[2], c = dx.shape[3];

    for (int64_t i = 0; i < dx.n; i++) put(dx, i, get(dy, i / (area * c) * c + i % c) / (double)area);
    return 0;
}
