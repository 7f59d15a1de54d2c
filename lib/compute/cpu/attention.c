#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>
#include <string.h>

/* One head of one sequence: rows [from, to) of qkv[T,3H], columns of the head. */
struct view {
    struct tensor qkv;
    int64_t from, to, prefix, h, d, column;
};

static struct view view_of(struct tensor qkv, struct sequences seq, int64_t s, int heads, int head)
{
    int64_t h = qkv.shape[1] / 3, d = h / heads;

    return (struct view){ qkv, i32(seq.start)[s], i32(seq.start)[s + 1], i32(seq.prefix)[s], h, d, head * d };
}

static double dot_qk(const struct view *v, int64_t i, int64_t j)
{
    double sum = 0;

    for (int64_t c = 0; c < v->d; c++)
        sum += (double)get(v->qkv, i * 3 * v->h + v->column + c) * get(v->qkv, j * 3 * v->h + v->h + v->column + c);
    return sum;
}

static bool sees(const struct view *v, int64_t i, int64_t j)
{
    return j - v->from < v->prefix || j <= i;
}

static double value(const struct view *v, int64_t j, int64_t c)
{
    return get(v->qkv, j * 3 * v->h + 2 * v->h + v->column + c);
}

int cpu_attention_forward(struct device *d, struct tensor out, struct tensor lse, struct tensor qkv,
                          struct sequences seq, int heads, float scale, struct dropout drop)
{
    for (int64_t s = 0; s < seq.n; s++) {
        for (int head = 0; head < heads; head++) {
            struct view v = view_of(qkv, seq, s, heads, head);
            for (int64_t i = v.from; i < v.to; i++) {
                double max = -INFINITY, total = 0;
                for (int64_t j = v.from; j < v.to; j++) {
                    if (sees(&v, i, j)) max = fmax(max, scale * dot_qk(&v, i, j));
                }
                for (int64_t j = v.from; j < v.to; j++) {
                    if (sees(&v, i, j)) total += exp(scale * dot_qk(&v, i, j) - max);
                }
                f32(lse)[i * heads + head] = (float)(max + log(total));
                for (int64_t c = 0; c < v.d; c++) {
                    double sum = 0;
                    for (int64_t j = v.from; j < v.to; j++) {
                        if (!sees(&v, i, j)) continue;
                        double p = exp(scale * dot_qk(&v, i, j) - max) / total;
                        sum +=
                            p * dropout_factor(&drop, attention_element(i, heads, head, j - v.from)) * value(&v, j, c);
                    }
                    put(out, i * v.h + v.column + c, sum);
                }
            }
        }
    }
    return 0;
}

/* Gradient of one score: p (dp - sum of dout out), with dp through the dropout mask. */
int cpu_attention_backward(struct device *d, struct tensor dqkv, struct tensor dout, struct tensor out,
                           struct tensor qkv, struct tensor lse, struct sequences seq, int heads, float scale,
                           struct dropout drop)
{
    int64_t n = qkv.n;
    double *sum;
    void *memory;

    if (cpu_allocate(d, &memory, n * (int64_t)sizeof(double))) return -1;
    sum = memory;
    for (int64_t i = 0; i < n; i++) sum[i] = 0;
    for (int64_t s = 0; s < seq.n; s++) {
        for (int head = 0; head < heads; head++) {
            struct view v = view_of(qkv, seq, s, heads, head);
            for (int64_t i = v.from; i < v.to; i++) {
                double dot = 0;
                for (int64_t c = 0; c < v.d; c++)
                    dot += (double)get(dout, i * v.h + v.column + c) * get(out, i * v.h + v.column + c);
                for (int64_t j = v.from; j < v.to; j++) {
                    if (!sees(&v, i, j)) continue;
                    double p = exp(scale * dot_qk(&v, i, j) - f32(lse)[i * heads + head]), dp = 0;
                    double keep = dropout_factor(&drop, attention_element(i, heads, head, j - v.from));
                    for (int64_t c = 0; c < v.d; c++) {
                        double g = get(dout, i * v.h + v.column + c);
                        dp += g * value(&v, j, c);
                        sum[j * 3 * v.h + 2 * v.h + v.column + c] += p * keep * g;
                    }
                    double ds = scale * p * (dp * keep - dot);
                    for (int64_t c = 0; c < v.d; c++) {
                        sum[i * 3 * v.h + v.column + c] += ds * get(qkv, j * 3 * v.h + v.h + v.column + c);
                        sum[j * 3 * v.h + v.h + v.column + c] += ds * get(qkv, i * 3 * v.h + v.column + c);
                    }
                }
            }
        }
    }
    for (int64_t i = 0; i < n; i++) put(dqkv, i, sum[i]);
    return cpu_release(d, memory);
}

int cpu_attention_cached(struct device *d, struct tensor out, struct tensor qkv, struct tensor k, struct tensor v,
                         struct tensor slots, struct tensor lengths, int heads, float scale)
{
    int64_t beams = out.shape[0], h = out.shape[1], dim = h / heads, width = slots.shape[1];

    for (int64_t b = 0; b < beams; b++) {
        for (int head = 0; head < heads; head++) {
            const int32_t *slot = i32(slots) + b * width;
            double max = -INFINITY, total = 0;
            for (int64_t j = 0; j < i32(lengths)[b]; j++) {
                double dot = 0;
                for (int64_t c = head * dim; c < (head + 1) * dim; c++)
                    dot += (double)get(qkv, b * 3 * h + c) * get(k, slot[j] * h + c);
                max = fmax(max, scale * dot);
            }
            for (int64_t c = head * dim; c < (head + 1) * dim; c++) {
                double sum = 0;
                total = 0;
                for (int64_t j = 0; j < i32(lengths)[b]; j++) {
                    double dot = 0;
                    for (int64_t x = head * dim; x < (head + 1) * dim; x++)
                        dot += (double)get(qkv, b * 3 * h + x) * get(k, slot[j] * h + x);
                    double p = exp(scale * dot - max);
                    total += p;
                    sum += p * get(v, slot[j] * h + c);
                }
                put(out, b * h + c, total > 0 ? sum / total : 0);
            }
        }
    }
    return 0;
}

int cpu_cache_rows(struct device *d, struct tensor k, struct tensor v, struct tensor qkv, struct tensor slot)
{
    size_t row = (size_t)k.shape[1] * (size_t)dtype_size(k.dtype);

    for (int64_t b = 0; b < slot.n; b++) {
        const char *from = (const char *)qkv.data + (size_t)b * 3 * row;
        memcpy((char *)k.data + (size_t)i32(slot)[b] * row, from + row, row);
        memcpy((char *)v.data + (size_t)i32(slot)[b] * row, from + 2 * row, row);
    }
    return 0;
}
