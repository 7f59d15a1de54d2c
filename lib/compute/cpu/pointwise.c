#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

int cpu_gelu_forward(struct device *d, struct tensor y, struct tensor x)
{
    for (int64_t i = 0; i < x.n; i++) put(y, i, 0.5 * get(x, i) * (1 + erf(get(x, i) * M_SQRT1_2)));
    return 0;
}

int cpu_gelu_backward(struct device *d, struct tensor dx, struct tensor y, struct tensor dy, struct tensor x)
{
    for (int64_t i = 0; i < x.n; i++) {
        double v = get(x, i), density = exp(-0.5 * v * v) * (M_2_SQRTPI * M_SQRT1_2 / 2);
        double cdf = 0.5 * (1 + erf(v * M_SQRT1_2)), slope = get(dy, i) * (cdf + v * density);
        if (y.data) put(y, i, v * cdf);
        put(dx, i, slope);
    }
    return 0;
}

int cpu_relu_forward(struct device *d, struct tensor y, struct tensor x)
{
    for (int64_t i = 0; i < x.n; i++) put(y, i, get(x, i) > 0 ? get(x, i) : 0);
    return 0;
}

int cpu_relu_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor y)
{
    for (int64_t i = 0; i < y.n; i++) put(dx, i, get(y, i) > 0 ? get(dy, i) : 0);
    return 0;
}

int cpu_dropout_forward(struct device *d, struct tensor y, struct tensor x, struct dropout drop)
{
    for (int64_t i = 0; i < x.n; i++) put(y, i, (double)get(x, i) * dropout_factor(&drop, (uint64_t)i));
    return 0;
}

int cpu_add(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    for (int64_t i = 0; i < y.n; i++) put(y, i, (double)get(a, i) + get(b, i));
    return 0;
}

int cpu_multiply(struct device *d, struct tensor y, struct tensor a, struct tensor b)
{
    for (int64_t i = 0; i < y.n; i++) put(y, i, (double)get(a, i) * get(b, i));
    return 0;
}

int cpu_axpy(struct device *d, struct tensor y, struct tensor x, float alpha)
{
    for (int64_t i = 0; i < y.n; i++) put(y, i, get(y, i) + (double)alpha * get(x, i));
    return 0;
}

int cpu_scale(struct device *d, struct tensor y, float alpha)
{
    for (int64_t i = 0; i < y.n; i++) put(y, i, (double)alpha * get(y, i));
    return 0;
}

int cpu_normalize_rows_forward(struct device *d, struct tensor y, struct tensor norm, struct tensor x)
{
    int64_t h = x.shape[1];

    for (int64_t t = 0; t < x.shape[0]; t++) {
        double sum = 0;
        for (int64_t i = 0; i < h; i++) sum += (double)get(x, t * h + i) * get(x, t * h + i);
        double length = fmax(sqrt(sum), 1e-12);
        f32(norm)[t] = (float)length;
        for (int64_t i = 0; i < h; i++) put(y, t * h + i, get(x, t * h + i) / length);
    }
    return 0;
}

int cpu_normalize_rows_backward(struct device *d, struct tensor dx, struct tensor dy, struct tensor y,
                                struct tensor norm)
{
    int64_t h = y.shape[1];

    for (int64_t t = 0; t < y.shape[0]; t++) {
        double dot = 0;
        for (int64_t i = 0; i < h; i++) dot += (double)get(dy, t * h + i) * get(y, t * h + i);
        for (int64_t i = 0; i < h; i++)
            put(dx, t * h + i, (get(dy, t * h + i) - dot * get(y, t * h + i)) / f32(norm)[t]);
    }
    return 0;
}
