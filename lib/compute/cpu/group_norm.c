#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

/* The elements of one image's group: positions [0, area), channels [first, first + width) of c. */
struct group {
    int64_t base, area, c, first, width;
};

static struct group group_of(struct tensor x, int64_t b, int64_t g, int groups)
{
    int64_t area = x.shape[1] * x.shape[2], c = x.shape[3], width = c / groups;

    return (struct group){ b * area * c, area, c, g * width, width };
}

static int64_t at(const struct group *g, int64_t i)
{
    return g->base + i / g->width * g->c + g->first + i % g->width;
}

int cpu_group_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                           struct tensor b, int groups, float eps, bool relu)
{
    for (int64_t s = 0; s < x.shape[0] * groups; s++) {
        struct group w = group_of(x, s / groups, s % groups, groups);
        int64_t n = w.area * w.width;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < n; i++) mean += get(x, at(&w, i));
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) variance += (get(x, at(&w, i)) - mean) * (get(x, at(&w, i)) - mean);
        double rstd = 1 / sqrt(variance / (double)n + eps);
        f32(stats)[2 * s] = (float)mean;
        f32(stats)[2 * s + 1] = (float)rstd;
        for (int64_t i = 0; i < n; i++) {
            int64_t channel = w.first + i % w.width;
            double v = (get(x, at(&w, i)) - mean) * rstd * f32(g)[channel] + f32(b)[channel];
            put(y, at(&w, i), relu && v < 0 ? 0 : v);
        }
    }
    return 0;
}

int cpu_group_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                            struct tensor y, struct tensor x, struct tensor stats, struct tensor g, int groups,
                            bool relu)
{
    for (int64_t s = 0; s < x.shape[0] * groups; s++) {
        struct group w = group_of(x, s / groups, s % groups, groups);
        int64_t n = w.area * w.width;
        double mean = f32(stats)[2 * s], rstd = f32(stats)[2 * s + 1], sum = 0, dot = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t k = at(&w, i), channel = w.first + i % w.width;
            double slope = relu && get(y, k) <= 0 ? 0 : get(dy, k), unit = (get(x, k) - mean) * rstd;
            f32(dg)[channel] += (float)(slope * unit);
            f32(db)[channel] += (float)slope;
            sum += slope * f32(g)[channel];
            dot += slope * f32(g)[channel] * unit;
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t k = at(&w, i), channel = w.first + i % w.width;
            double slope = relu && get(y, k) <= 0 ? 0 : get(dy, k), unit = (get(x, k) - mean) * rstd;
            put(dx, k, rstd * (slope * f32(g)[channel] - (sum + unit * dot) / (double)n));
        }
    }
    return 0;
}
