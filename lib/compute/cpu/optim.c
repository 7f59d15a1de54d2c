#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

int cpu_sum_of_squares(struct device *d, struct tensor out, struct tensor g)
{
    double sum = 0;

    for (int64_t i = 0; i < g.n; i++) sum += (double)get(g, i) * get(g, i);
    f32(out)[0] = (float)sum;
    return 0;
}

float adamw_gradient_factor(struct tensor square_sum, struct adamw a)
{
    double norm = square_sum.data ? sqrt(f32(square_sum)[0]) * a.grad_scale : 0;

    return a.max_norm > 0 && norm > a.max_norm ? (float)(a.grad_scale * a.max_norm / norm) : a.grad_scale;
}

int cpu_adamw(struct device *d, struct tensor p, struct tensor p16, struct tensor g, struct tensor m, struct tensor v,
              struct tensor square_sum, const struct adamw_segment *segments, int n_segments, struct adamw a)
{
    double factor = adamw_gradient_factor(square_sum, a), c1 = 1 - pow(a.beta1, (double)a.step),
           c2 = 1 - pow(a.beta2, (double)a.step);

    for (int s = 0; s < n_segments; s++) {
        double lr = (double)a.lr * segments[s].lr_scale;
        for (int64_t i = segments[s].from; i < segments[s].from + segments[s].n; i++) {
            double grad = f32(g)[i] * factor, old = f32(p)[i];
            double first = a.beta1 * f32(m)[i] + (1 - a.beta1) * grad,
                   second = a.beta2 * f32(v)[i] + (1 - a.beta2) * grad * grad;
            f32(m)[i] = (float)first;
            f32(v)[i] = (float)second;
            f32(p)[i] =
                (float)(old - lr * ((first / c1) / (sqrt(second / c2) + a.eps) + segments[s].weight_decay * old));
            f32(g)[i] = 0;
            if (p16.data) put(p16, i, f32(p)[i]);
        }
    }
    d->param_epoch++;
    return 0;
}
