#include "score/resample.h"
#include "core/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numpy.random.default_rng: PCG64 XSL-RR, seeded by SeedSequence ---- */

enum { POOL = 4 };
struct pcg {
    unsigned __int128 state, inc;
    uint32_t spare; /* the high half of the last 64 bits */
    bool has_spare;
};

/* SeedSequence's hash: the multiplier changes with each use. */
struct mixer {
    uint32_t at, factor;
};
static uint32_t mixed(struct mixer *m, uint32_t x)
{
    x ^= m->at;
    m->at *= m->factor;
    x *= m->at;
    return x ^ x >> 16;
}

static void seed_words(uint64_t seed, uint32_t *out, int n)
{
    struct mixer in = { 0x43b0d7e5u, 0x931e8875u }, from = { 0x8b51f9ddu, 0x58f38dedu };
    uint32_t pool[POOL];

    for (int i = 0; i < POOL; i++) pool[i] = mixed(&in, i < 2 ? (uint32_t)(seed >> 32 * i) : 0);
    for (int src = 0; src < POOL; src++) {
        for (int to = 0; to < POOL; to++) {
            if (src == to) continue;
            uint32_t x = 0xca01f9ddu * pool[to] - 0x4973f715u * mixed(&in, pool[src]);
            pool[to] = x ^ x >> 16;
        }
    }
    for (int i = 0; i < n; i++) out[i] = mixed(&from, pool[i % POOL]);
}

static void step(struct pcg *g)
{
    const unsigned __int128 factor = (unsigned __int128)0x2360ED051FC65DA4u << 64 | 0x4385DF649FCCF645u;

    g->state = g->state * factor + g->inc;
}

static void pcg_seed(struct pcg *g, uint64_t seed)
{
    uint32_t w[8];
    unsigned __int128 half[2];

    seed_words(seed, w, 8);
    for (int i = 0; i < 2; i++) {
        uint64_t high = w[4 * i] | (uint64_t)w[4 * i + 1] << 32, low = w[4 * i + 2] | (uint64_t)w[4 * i + 3] << 32;
        half[i] = (unsigned __int128)high << 64 | low;
    }
    *g = (struct pcg){ .inc = half[1] << 1 | 1 };
    step(g);
    g->state += half[0];
    step(g);
}

static uint64_t pcg_u64(struct pcg *g)
{
    step(g);
    uint64_t x = (uint64_t)(g->state >> 64) ^ (uint64_t)g->state;
    unsigned turn = (unsigned)(g->state >> 122);
    return x >> turn | x << (-turn & 63);
}

static uint32_t pcg_u32(struct pcg *g)
{
    if (g->has_spare) {
        g->has_spare = false;
        return g->spare;
    }
    uint64_t x = pcg_u64(g);
    g->spare = (uint32_t)(x >> 32);
    g->has_spare = true;
    return (uint32_t)x;
}

/* Below n, 1 <= n <= 2^32; draws nothing for n = 1. */
static uint32_t pcg_below(struct pcg *g, uint64_t n)
{
    if (n == 1) return 0;
    uint64_t m = pcg_u32(g) * n;
    if ((uint32_t)m < n) { /* Lemire: draws that would make some values likelier are taken again */
        uint32_t least = (uint32_t)(((1ull << 32) - n) % n);
        while ((uint32_t)m < least) m = pcg_u32(g) * n;
    }
    return (uint32_t)(m >> 32);
}

/* ---- resamples ---- */

static void draw(struct pcg *g, int32_t *times, int64_t n)
{
    memset(times, 0, (size_t)n * sizeof *times);
    for (int64_t i = 0; i < n; i++) times[pcg_below(g, (uint64_t)n)]++;
}

static void figures_of(const struct tally *t, const int32_t *times, double *sum, double *out)
{
    if (!t->stats) {
        t->weigh(t, times, out);
        return;
    }
    memset(sum, 0, (size_t)t->width * sizeof *sum);
    for (int64_t i = 0; i < t->n; i++) {
        if (!times[i]) continue;
        const double *row = t->stats + i * t->width;
        for (int k = 0; k < t->width; k++) sum[k] += times[i] * row[k];
    }
    t->finish(t, sum, (double)t->n, out);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What one figure of all[trials][figures] is where it is defined, in order; returns in how many trials. A correlation
 * has no value in a resample of items that are all the same. */
static int64_t column(const double *all, int64_t trials, int figures, int k, double *out)
{
    int64_t n = 0;

    for (int64_t i = 0; i < trials; i++) {
        double x = all[i * figures + k];
        if (!isnan(x)) out[n++] = x;
    }
    return n;
}

/* The same by rising value. */
static int64_t sorted_column(const double *all, int64_t trials, int figures, int k, double *out)
{
    int64_t n = column(all, trials, figures, k, out);

    qsort(out, (size_t)n, sizeof *out, ascending);
    return n;
}

static const struct interval no_interval = { NAN, NAN, NAN };

static double mean_of(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

void resample_interval(const struct tally *t, struct trials trials, struct interval *out)
{
    int f = t->n_figures;
    double *all = mem_new(double, trials.n *f), *one = mem_new(double, trials.n), *sum = mem_new(double, t->width + 1);
    int32_t *times = mem_new(int32_t, t->n + 1);
    struct pcg g;

    pcg_seed(&g, trials.seed);
    for (int64_t i = 0; i < trials.n; i++) {
        draw(&g, times, t->n);
        figures_of(t, times, sum, all + i * f);
    }
    for (int k = 0; k < f; k++) {
        int64_t n = sorted_column(all, trials.n, f, k, one), cut = n / 40;
        out[k] = n ? (struct interval){ mean_of(one, n), one[cut], one[n - 1 - cut] } : no_interval;
    }
    free(all);
    free(one);
    free(sum);
    free(times);
}

/* ---- numpy.random before default_rng ---- */

enum { STATE = 624, LAG = 397 };
struct twister { /* MT19937 (Matsumoto and Nishimura 1998) */
    uint32_t at[STATE];
    int next;
};

static void twister_seed(struct twister *g, uint32_t seed)
{
    for (int i = 0; i < STATE; i++) {
        g->at[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + (uint32_t)i + 1;
    }
    g->next = STATE;
}

static uint32_t twister_u32(struct twister *g)
{
    if (g->next == STATE) {
        for (int i = 0; i < STATE; i++) {
            uint32_t x = (g->at[i] & 0x80000000u) | (g->at[(i + 1) % STATE] & 0x7fffffffu);
            g->at[i] = g->at[(i + LAG) % STATE] ^ x >> 1 ^ (x & 1 ? 0x9908b0dfu : 0);
        }
        g->next = 0;
    }
    uint32_t y = g->at[g->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* Below n: draws of as many bits as it takes, until one fits. */
static uint32_t twister_below(struct twister *g, uint32_t n)
{
    uint32_t mask = n - 1, x;

    if (n == 1) return 0;
    for (int bits = 1; bits < 32; bits *= 2) mask |= mask >> bits;
    while ((x = twister_u32(g) & mask) >= n) {
    }
    return x;
}

static double percentile(const double *ascending_values, int64_t n, double share)
{
    double at = share * (double)(n - 1);
    int64_t below = (int64_t)at, above = below + 1 < n ? below + 1 : below;

    return ascending_values[below] + (ascending_values[above] - ascending_values[below]) * (at - (double)below);
}

void resample_legacy(const struct tally *t, struct trials trials, struct interval *out)
{
    int f = t->n_figures, group = t->group ? t->group : f;
    double *all = mem_new(double, trials.n *f), *one = mem_new(double, trials.n), *sum = mem_new(double, t->width + 1);
    int32_t *times = mem_new(int32_t, t->n + 1);
    struct twister g;

    twister_seed(&g, (uint32_t)trials.seed);
    for (int first = 0; first < f; first += group) {
        for (int64_t i = 0; i < trials.n; i++) {
            memset(times, 0, (size_t)t->n * sizeof *times);
            for (int64_t k = 0; k < t->n; k++) times[twister_below(&g, (uint32_t)t->n)]++;
            figures_of(t, times, sum, all + i * f);
        }
        for (int k = first; k < first + group && k < f; k++) {
            int64_t n = sorted_column(all, trials.n, f, k, one);
            out[k] =
                n ? (struct interval){ percentile(one, n, 0.5), percentile(one, n, 0.025), percentile(one, n, 0.975) }
                  : no_interval;
        }
    }
    free(all);
    free(one);
    free(sum);
    free(times);
}

/* ---- tests ---- */

/* The share of differences that are beyond the one seen, NaN where either has none; all [trials][figures]. */
static void count_beyond(const double *all, struct trials trials, int f, const double *seen, bool centre, double *p)
{
    double *one = mem_new(double, trials.n);

    for (int k = 0; k < f; k++) {
        int64_t n = column(all, trials.n, f, k, one), beyond = 0;
        double middle = centre ? mean_of(one, n) : 0;
        for (int64_t i = 0; i < n; i++) beyond += one[i] - middle > seen[k];
        p[k] = n && !isnan(seen[k]) ? (double)(beyond + 1) / (double)(n + 1) : NAN;
    }
    free(one);
}

static void differences(const double *a, const double *b, int f, double *out)
{
    for (int k = 0; k < f; k++) out[k] = fabs(a[k] - b[k]);
}

void resample_paired(const struct tally *a, const struct tally *b, struct trials trials, double *p)
{
    int f = a->n_figures;
    double *all = mem_new(double, trials.n *f), *sum = mem_new(double, a->width + 1), x[TALLY_FIGURES],
           y[TALLY_FIGURES], seen[TALLY_FIGURES];
    int32_t *times = mem_new(int32_t, a->n + 1);
    struct pcg g;

    tally_finish(a, x);
    tally_finish(b, y);
    differences(x, y, f, seen);
    pcg_seed(&g, trials.seed);
    for (int64_t i = 0; i < trials.n; i++) {
        draw(&g, times, a->n);
        figures_of(a, times, sum, x);
        figures_of(b, times, sum, y);
        differences(x, y, f, all + i * f);
    }
    count_beyond(all, trials, f, seen, true, p);
    free(all);
    free(sum);
    free(times);
}

void resample_swapped(const struct tally *a, const struct tally *b, struct trials trials, double *p)
{
    int f = a->n_figures, w = a->width;
    double *all = mem_new(double, trials.n *f), *sums = mem_new(double, 2 * w), x[TALLY_FIGURES], y[TALLY_FIGURES],
           seen[TALLY_FIGURES];
    uint32_t bits = 0;
    int left = 0;
    struct pcg g;

    tally_finish(a, x);
    tally_finish(b, y);
    differences(x, y, f, seen);
    pcg_seed(&g, trials.seed);
    for (int64_t i = 0; i < trials.n; i++) {
        memset(sums, 0, 2 * (size_t)w * sizeof *sums);
        for (int64_t r = 0; r < a->n; r++) {
            if (!left--) {
                bits = pcg_u32(&g);
                left = 31;
            }
            double *one = sums + (bits & 1 ? w : 0), *other = sums + (bits & 1 ? 0 : w);
            bits >>= 1;
            for (int k = 0; k < w; k++) {
                one[k] += a->stats[r * w + k];
                other[k] += b->stats[r * w + k];
            }
        }
        a->finish(a, sums, (double)a->n, x);
        b->finish(b, sums + w, (double)a->n, y);
        differences(x, y, f, all + i * f);
    }
    count_beyond(all, trials, f, seen, false, p);
    free(all);
    free(sums);
}
