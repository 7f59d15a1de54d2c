#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

int cpu_layer_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                           struct tensor b, float eps)
{
    int64_t rows = x.shape[0], h = x.shape[1];

    for (int64_t t = 0; t < rows; t++) {
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < h; i++) mean += get(x, t * h + i);
        mean /= (double)h;
        for (int64_t i = 0; i < h; i++) variance += (get(x, t * h + i) - mean) * (get(x, t * h + i) - mean);
        double rstd = 1 / sqrt(variance / (double)h + eps);
        f32(stats)[2 * t] = (float)mean;
        f32(stats)[2 * t + 1] = (float)rstd;
        for (int64_t i = 0; i < h; i++) put(y, t * h + i, (get(x, t * h + i) - mean) * rstd * f32(g)[i] + f32(b)[i]);
    }
    return 0;
}

int cpu_layer_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                            struct tensor x, struct tensor stats, struct tensor g)
{
    int64_t rows = x.shape[0], h = x.shape[1];

    for (int64_t t = 0; t < rows; t++) {
        double mean = f32(stats)[2 * t], rstd = f32(stats)[2 * t + 1], sum = 0, dot = 0;
        for (int64_t i = 0; i < h; i++) {
            double n = (get(x, t * h + i) - mean) * rstd, dn = (double)get(dy, t * h + i) * f32(g)[i];
            sum += dn;
            dot += dn * n;
            f32(dg)[i] += (float)(get(dy, t * h + i) * n);
            f32(db)[i] += get(dy, t * h + i);
        }
        for (int64_t i = 0; i < h; i++) {
            double n = (get(x, t * h + i) - mean) * rstd, dn = (double)get(dy, t * h + i) * f32(g)[i];
            put(dx, t * h + i, rstd * (dn - (sum + n * dot) / (double)h));
        }
    }
    return 0;
}

int cpu_residual_norm_forward(struct device *d, struct tensor y, struct tensor sum, struct tensor stats,
                              struct tensor residual, struct tensor sub, struct tensor g, struct tensor b, float eps,
                              struct dropout drop)
{
    for (int64_t i = 0; i < sum.n; i++)
        put(sum, i, (double)get(residual, i) + (double)get(sub, i) * dropout_factor(&drop, (uint64_t)i));
    return cpu_layer_norm_forward(d, y, stats, sum, g, b, eps);
}

int cpu_residual_norm_backward(struct device *d, struct tensor dresidual, struct tensor dsub, struct tensor dg,
                               struct tensor db, struct tensor dy, struct tensor sum, struct tensor stats,
                               struct tensor g, struct dropout drop)
{
    cpu_layer_norm_backward(d, dresidual, dg, db, dy, sum, stats, g);
    for (int64_t i = 0; i < dsub.n; i++) put(dsub, i, (double)get(dresidual, i) * dropout_factor(&drop, (uint64_t)i));
    return 0;
}
