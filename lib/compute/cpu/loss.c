#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <math.h>

/* log of the sum of exp over a row. */
static double log_sum_exp(struct tensor x, int64_t from, int64_t n)
{
    double max = -INFINITY, sum = 0;

    for (int64_t i = 0; i < n; i++) max = fmax(max, get(x, from + i));
    for (int64_t i = 0; i < n; i++) sum += exp(get(x, from + i) - max);
    return max + log(sum);
}

int cpu_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                      struct tensor labels, float smoothing, float scale)
{
    int64_t n = logits.shape[0], v = logits.shape[1];

    for (int64_t t = 0; t < n; t++) {
        int64_t label = i32(labels)[t];
        double lse = log_sum_exp(logits, t * v, v), sum = 0;
        for (int64_t i = 0; i < v; i++) sum += get(logits, t * v + i);
        if (label >= 0)
            f32(loss)[t] = (float)(lse - (1 - smoothing) * get(logits, t * v + label) - smoothing * sum / (double)v);
        else f32(loss)[t] = 0;
        for (int64_t i = 0; dlogits.data && i < v; i++) {
            double target = (i == label ? 1 - smoothing : 0) + smoothing / (double)v;
            put(dlogits, t * v + i, label < 0 ? 0 : scale * (exp(get(logits, t * v + i) - lse) - target));
        }
    }
    return 0;
}

int cpu_soft_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                           struct tensor target, float scale)
{
    int64_t n = logits.shape[0], k = logits.shape[1];

    for (int64_t t = 0; t < n; t++) {
        double lse = log_sum_exp(logits, t * k, k), mass = 0, sum = 0;
        for (int64_t i = 0; i < k; i++) {
            mass += get(target, t * k + i);
            sum -= (double)get(target, t * k + i) * (get(logits, t * k + i) - lse);
        }
        f32(loss)[t] = (float)sum;
        for (int64_t i = 0; dlogits.data && i < k; i++)
            put(dlogits, t * k + i, scale * (mass * exp(get(logits, t * k + i) - lse) - get(target, t * k + i)));
    }
    return 0;
}

int cpu_symmetric_kl(struct device *d, struct tensor loss, struct tensor da, struct tensor db, struct tensor a,
                     struct tensor b, float scale)
{
    int64_t n = a.shape[0], v = a.shape[1];

    for (int64_t t = 0; t < n; t++) {
        double la = log_sum_exp(a, t * v, v), lb = log_sum_exp(b, t * v, v), sum = 0, mean_p = 0, mean_q = 0;
        for (int64_t i = t * v; i < (t + 1) * v; i++) {
            double lp = get(a, i) - la, lq = get(b, i) - lb, p = exp(lp), q = exp(lq);
            sum += (p - q) * (lp - lq);
            mean_p += p * (lp - lq);
            mean_q += q * (lp - lq);
        }
        f32(loss)[t] = (float)sum;
        for (int64_t i = t * v; i < (t + 1) * v; i++) {
            double lp = get(a, i) - la, lq = get(b, i) - lb, p = exp(lp), q = exp(lq);
            f32(da)[i] += (float)(scale * (p * (lp - lq - mean_p) + p - q));
            f32(db)[i] += (float)(scale * (q * (lq - lp + mean_q) + q - p));
        }
    }
    return 0;
}

int cpu_squared_error(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                      float scale)
{
    int64_t n = x.shape[0], h = x.n / (n ? n : 1);

    for (int64_t t = 0; t < n; t++) {
        double sum = 0;
        for (int64_t i = t * h; i < (t + 1) * h; i++) {
            double gap = (double)get(x, i) - get(target, i);
            sum += gap * gap;
            if (dx.data) put(dx, i, 2 * scale * gap);
        }
        f32(loss)[t] = (float)sum;
    }
    return 0;
}

int cpu_binary_cross_entropy(struct device *d, struct tensor loss, struct tensor dx, struct tensor x,
                             struct tensor target, struct tensor weight, float scale)
{
    int64_t n = x.shape[0], h = x.n / (n ? n : 1);

    for (int64_t t = 0; t < n; t++) {
        double sum = 0;
        for (int64_t i = t * h; i < (t + 1) * h; i++) {
            double v = get(x, i), w = weight.data ? get(weight, i) : 1, y = get(target, i);
            sum += w * (fmax(v, 0) - v * y + log1p(exp(-fabs(v))));
            if (dx.data) put(dx, i, scale * w * (1 / (1 + exp(-v)) - y));
        }
        f32(loss)[t] = (float)sum;
    }
    return 0;
}

int cpu_smooth_l1(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                  struct tensor weight, float beta, float scale)
{
    int64_t n = x.shape[0], h = x.n / (n ? n : 1);

    for (int64_t t = 0; t < n; t++) {
        double sum = 0, w = f32(weight)[t];
        for (int64_t i = t * h; i < (t + 1) * h; i++) {
            double gap = (double)get(x, i) - get(target, i), size = fabs(gap);
            sum += size < beta ? 0.5 * gap * gap / beta : size - 0.5 * beta;
            if (dx.data) put(dx, i, scale * w * (size < beta ? gap / beta : gap > 0 ? 1 : -1));
        }
        f32(loss)[t] = (float)(w * sum);
    }
    return 0;
}

/* log-sum-exp of the group's scores times a factor; only the positive ones when wanted. -INFINITY when there are none.
 */
static double group_lse(const float *score, const int32_t *positive, int64_t from, int64_t to, double factor,
                        bool only_positive)
{
    double max = -INFINITY, sum = 0;

    for (int64_t i = from; i < to; i++) {
        if (!only_positive || positive[i]) max = fmax(max, score[i] * factor);
    }
    for (int64_t i = from; i < to; i++) {
        if (!only_positive || positive[i]) sum += exp(score[i] * factor - max);
    }
    return sum > 0 ? max + log(sum) : -INFINITY;
}

int cpu_group_contrastive(struct device *d, struct tensor loss, struct tensor dscores, struct tensor dinv_tau,
                          struct tensor scores, struct tensor start, struct tensor positive, float inv_tau, float scale)
{
    const float *s = f32(scores);
    const int32_t *is_positive = i32(positive);
    double dfactor = 0;

    for (int64_t g = 0; g + 1 < start.n; g++) {
        int64_t from = i32(start)[g], to = i32(start)[g + 1];
        double all = group_lse(s, is_positive, from, to, inv_tau, false),
               good = group_lse(s, is_positive, from, to, inv_tau, true);
        bool counts = good > -INFINITY;
        f32(loss)[g] = counts ? (float)(all - good) : 0;
        for (int64_t i = from; i < to; i++) {
            double x = s[i] * (double)inv_tau;
            double slope = counts ? exp(x - all) - (is_positive[i] ? exp(x - good) : 0) : 0;
            dfactor += slope * s[i] * scale;
            if (dscores.data) f32(dscores)[i] = (float)(scale * slope * inv_tau);
        }
    }
    if (dinv_tau.data) f32(dinv_tau)[0] += (float)dfactor;
    return 0;
}

/* The exponent of a score, and its slope, in which the weight is a constant (no gradient flows through it). */
static double circle_exponent(double score, bool is_positive, double margin, double gamma, double *slope)
{
    double weight = fmax(is_positive ? 1 + margin - score : score + margin, 0);

    *slope = is_positive ? -gamma * weight : gamma * weight;
    return *slope * (score - (is_positive ? 1 - margin : margin));
}

/* log-sum-exp of the exponents of one kind; -INFINITY when there are none. */
static double circle_lse(const float *score, const int32_t *positive, int64_t from, int64_t to, bool of_positive,
                         double margin, double gamma)
{
    double max = -INFINITY, sum = 0, slope;

    for (int64_t i = from; i < to; i++) {
        if ((positive[i] != 0) != of_positive) continue;
        max = fmax(max, circle_exponent(score[i], of_positive, margin, gamma, &slope));
    }
    for (int64_t i = from; i < to; i++) {
        if ((positive[i] != 0) != of_positive) continue;
        sum += exp(circle_exponent(score[i], of_positive, margin, gamma, &slope) - max);
    }
    return sum > 0 ? max + log(sum) : -INFINITY;
}

/* log(1 + sum of exp over negatives * sum of exp over positives): exponents grow with the square of a score. */
int cpu_group_circle(struct device *d, struct tensor loss, struct tensor dscores, struct tensor scores,
                     struct tensor start, struct tensor positive, float margin, float gamma, float scale)
{
    const float *s = f32(scores);
    const int32_t *is_positive = i32(positive);

    for (int64_t g = 0; g + 1 < start.n; g++) {
        int64_t from = i32(start)[g], to = i32(start)[g + 1];
        double good = circle_lse(s, is_positive, from, to, true, margin, gamma),
               bad = circle_lse(s, is_positive, from, to, false, margin, gamma), both = good + bad;
        f32(loss)[g] = (float)(fmax(both, 0) + log1p(exp(-fabs(both))));
        for (int64_t i = from; dscores.data && i < to; i++) {
            double slope, x = circle_exponent(s[i], is_positive[i], margin, gamma, &slope);
            double share = exp(x - (is_positive[i] ? good : bad)) / (1 + exp(-both));
            f32(dscores)[i] = (float)(scale * share * slope);
        }
    }
    return 0;
}

int cpu_log_softmax(struct device *d, struct tensor y, struct tensor x)
{
    int64_t v = x.shape[1];

    for (int64_t t = 0; t < x.shape[0]; t++) {
        double lse = log_sum_exp(x, t * v, v);
        for (int64_t i = 0; i < v; i++) put(y, t * v + i, get(x, t * v + i) - lse);
    }
    return 0;
}

int cpu_top_columns(struct device *d, struct tensor value, struct tensor column, struct tensor lse, struct tensor x,
                    int64_t from)
{
    int64_t k = value.shape[1], v = x.shape[1];

    for (int64_t t = 0; t < x.shape[0]; t++) {
        float *best = f32(value) + t * k;
        int32_t *at = i32(column) + t * k;
        for (int64_t i = 0, n = from ? k : 0; i < v; i++) {
            float s = get(x, t * v + i);
            if (n == k && s <= best[k - 1]) continue;
            int64_t to = n < k ? n++ : k - 1;
            for (; to > 0 && best[to - 1] < s; to--) {
                best[to] = best[to - 1];
                at[to] = at[to - 1];
            }
            best[to] = s;
            at[to] = (int32_t)(from + i);
        }
        double all = log_sum_exp(x, t * v, v), before = (double)f32(lse)[t], most = from ? fmax(all, before) : all;
        f32(lse)[t] = (float)(from ? most + log(exp(all - most) + exp(before - most)) : all);
    }
    return 0;
}

int cpu_sum(struct device *d, struct tensor total, struct tensor x)
{
    double sum = 0;

    for (int64_t i = 0; i < x.n; i++) sum += get(x, i);
    f32(total)[0] = (float)sum;
    return 0;
}
