#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"

/* Calls visit for every pair of an output position and an input position that a filter position joins. */
struct walk {
    int64_t b, oy, ox, ky, kx, iy, ix;
};
static bool inside(struct tensor x, struct conv c, struct walk *w)
{
    w->iy = w->oy * c.stride - c.pad + w->ky * c.dilation;
    w->ix = w->ox * c.stride - c.pad + w->kx * c.dilation;
    return w->iy >= 0 && w->iy < x.shape[1] && w->ix >= 0 && w->ix < x.shape[2];
}

static int64_t pixel(struct tensor x, int64_t b, int64_t y, int64_t column)
{
    return ((b * x.shape[1] + y) * x.shape[2] + column) * x.shape[3];
}

int cpu_conv_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                     struct conv c, bool relu, int flags)
{
    int64_t in = w.shape[1], out = y.shape[3], kh = w.shape[2], kw = w.shape[3], groups = x.shape[3] / in;
    struct walk at;

    for (int64_t p = 0; p < y.n / (out ? out : 1); p++) {
        at.b = p / (y.shape[1] * y.shape[2]);
        at.oy = p / y.shape[2] % y.shape[1];
        at.ox = p % y.shape[2];
        for (int64_t o = 0; o < out; o++) {
            double sum = b.data ? get(b, o) : 0;
            if (flags & LINEAR_ADD) sum += get(y, p * out + o);
            for (at.ky = 0; at.ky < kh; at.ky++) {
                for (at.kx = 0; at.kx < kw; at.kx++) {
                    if (!inside(x, c, &at)) continue;
                    int64_t from = pixel(x, at.b, at.iy, at.ix) + o / (out / groups) * in;
                    for (int64_t i = 0; i < in; i++)
                        sum += (double)get(x, from + i) * get(w, ((o * in + i) * kh + at.ky) * kw + at.kx);
                }
            }
            put(y, p * out + o, relu && sum < 0 ? 0 : sum);
        }
    }
    return 0;
}

int cpu_conv_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, struct conv c,
                            int flags)
{
    int64_t in = dx.shape[3], out = dy.shape[3], kh = w.shape[2], kw = w.shape[3];

    for (int64_t q = 0; q < dx.n / (in ? in : 1); q++) {
        int64_t b = q / (dx.shape[1] * dx.shape[2]), iy = q / dx.shape[2] % dx.shape[1], ix = q % dx.shape[2];
        for (int64_t i = 0; i < in; i++) {
            double sum = flags & LINEAR_ADD ? get(dx, q * in + i) : 0;
            for (int64_t k = 0; k < kh * kw; k++) {
                int64_t oy = iy + c.pad - k / kw * c.dilation, ox = ix + c.pad - k % kw * c.dilation;
                if (oy < 0 || ox < 0 || oy % c.stride || ox % c.stride) continue;
                oy /= c.stride;
                ox /= c.stride;
                if (oy >= dy.shape[1] || ox >= dy.shape[2]) continue;
                int64_t from = pixel(dy, b, oy, ox);
                for (int64_t o = 0; o < out; o++)
                    sum += (double)get(dy, from + o) * get(w, ((o * in + i) * kh + k / kw) * kw + k % kw);
            }
            put(dx, q * in + i, sum);
        }
    }
    return 0;
}

int cpu_conv_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x,
                             struct conv c)
{
    int64_t in = x.shape[3], out = dy.shape[3], kh = dw.shape[2], kw = dw.shape[3], positions = dy.n / (out ? out : 1);
    struct walk at;

    for (int64_t k = 0; k < dw.n; k++) {
        int64_t o = k / (in * kh * kw), i = k / (kh * kw) % in;
        double sum = f32(dw)[k];
        at.ky = k / kw % kh;
        at.kx = k % kw;
        for (int64_t p = 0; p < positions; p++) {
            at.b = p / (dy.shape[1] * dy.shape[2]);
            at.oy = p / dy.shape[2] % dy.shape[1];
            at.ox = p % dy.shape[2];
            if (inside(x, c, &at)) sum += (double)get(dy, p * out + o) * get(x, pixel(x, at.b, at.iy, at.ix) + i);
        }
        f32(dw)[k] = (float)sum;
    }
    for (int64_t o = 0; db.data && o < out; o++) {
        double sum = f32(db)[o];
        for (int64_t p = 0; p < positions; p++) sum += get(dy, p * out + o);
        f32(db)[o] = (float)sum;
    }
    return 0;
}
