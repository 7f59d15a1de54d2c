/* Winograd's convolutions against direct ones, on maps that tiles don't fit, dilated, of many tiles; and that a
 * picture's bits don't depend on its neighbours or on threads. */
#include "compute/backend.h"
#include "compute/cpu/dnnl_state.h"
#include "core/rng.h"
#include "numeric.h"
#include "tap.h"

static struct rng r;

static struct tensor filled(struct tensor shape)
{
    struct tensor x = guarded(shape);

    fill_normal(x, &r);
    return x;
}

static const struct map {
    int64_t b, y, x, in, out;
    int dilation;
    bool has_bias, relu;
} maps[] = {
    { 1, 24, 24, 128, 128, 1, true, true },   { 2, 25, 23, 128, 144, 1, false, true },
    { 5, 14, 14, 160, 128, 2, true, false },  { 2, 29, 31, 128, 128, 3, true, true },
    { 1, 131, 130, 128, 128, 1, true, true },
};

/* The same as a parameter and not: only the former is worth transformed filters. */
static void against_direct(struct device *d, const struct map *m)
{
    struct tensor x = filled(tensor_4d(NULL, DT_F32, m->b, m->y, m->x, m->in)), none = { 0 },
                  w = filled(tensor_4d(NULL, DT_F32, m->out, m->in, 3, 3)), b = filled(tensor_1d(NULL, DT_F32, m->out)),
                  y = guarded(tensor_4d(NULL, DT_F32, m->b, m->y, m->x, m->out)), z = guarded(y);
    const struct conv c = { 1, m->dilation, m->dilation };

    op_params_changed(d);
    op_conv_forward(d, y, x, w, m->has_bias ? b : none, c, m->relu, LINEAR_PARAM);
    op_conv_forward(d, z, x, w, m->has_bias ? b : none, c, m->relu, 0);
    struct difference off = compare(y, z);
    ok(off.is_finite && off.row > 0 && off.row < 1e-5 && guards_hold(y),
       "%d of %d x %d, %d to %d, dilation %d: %.1e off", (int)m->b, (int)m->y, (int)m->x, (int)m->in, (int)m->out,
       m->dilation, off.row);
    guarded_free(x), guarded_free(w), guarded_free(b), guarded_free(y), guarded_free(z);
}

static void same_bits(struct device *d, struct device *two)
{
    enum { PICTURES = 9 };
    const struct conv c = { 1, 2, 2 };
    struct tensor x = filled(tensor_4d(NULL, DT_F32, PICTURES, 14, 15, 256)), none = { 0 },
                  w = filled(tensor_4d(NULL, DT_F32, 256, 256, 3, 3)),
                  y = guarded(tensor_4d(NULL, DT_F32, PICTURES, 14, 15, 256)), z = guarded(y);
    bool good = true;

    op_params_changed(d);
    op_params_changed(two);
    op_conv_forward(d, y, x, w, none, c, false, LINEAR_PARAM);
    op_conv_forward(two, z, x, w, none, c, false, LINEAR_PARAM);
    ok(!memcmp(y.data, z.data, (size_t)tensor_bytes(y)), "two threads, the same bits");
    for (int from = 0, n = 2; from + n <= PICTURES; from += n++) {
        struct tensor part = tensor_rows(z, from, n);
        op_conv_forward(d, part, tensor_rows(x, from, n), w, none, c, false, LINEAR_PARAM);
    }
    ok(!memcmp(y.data, z.data, (size_t)tensor_bytes(y)), "two, three and four pictures, the bits of nine");
    ((float *)w.data)[7] += 1;
    op_params_changed(d);
    op_conv_forward(d, y, x, w, none, c, false, LINEAR_PARAM);
    op_conv_forward(d, z, x, w, none, c, false, 0);
    good = compare(y, z).row < 1e-5;
    ok(good, "filters that have changed");
    guarded_free(x), guarded_free(w), guarded_free(y), guarded_free(z);
}

static bool is_here(void)
{
    const char *level = getenv("UNIMO_CPU");

    if (level && strncmp(level, "v4", 2)) return false;
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

int main(void)
{
    struct err e = { 0 };
    struct device *d = device_open("cpu", 1, &e), *two = device_open("cpu", 2, &e);

    if (!is_here()) {
        printf("1..0 # SKIP Winograd's convolutions need AVX-512\n");
        return 0;
    }
    rng_init(&r, 5, 1);
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) against_direct(d, &maps[i]);
    same_bits(d, two);
    ok(lru_count(fast_dnnl(d)->winograd) > 0 && !device_check(d, &e), "they were Winograd's");
    device_close(d);
    device_close(two);
    return done();
}
