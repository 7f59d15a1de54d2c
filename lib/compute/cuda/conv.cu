/* Convolution as a matrix product: patches of x side by side (im2col), times the filters. Patches are laid out (ky, kx,
 * channel), so that they are copied in stretches of the channels; filters are put in the same order each time, which is
 * small beside the product. One by one filters with stride 1 need no patches. Patches take 256 MiB at most: a piece of
 * the output's positions at a time. */
#include "compute/cuda/blas.cuh"

enum { THREADS = 256 };
static const int64_t patch_bytes = 256 << 20;

struct patches {
    struct array x;
    int64_t h, w, c, out_h, out_w, ky, kx, in, first; /* channels [first, first + in) of c */
    int64_t from, n;                                  /* output positions of all images */
    int stride, pad, dilation;
};

/* What a convolution's shapes say. */
static struct patches patches_of(struct tensor y, struct tensor x, struct tensor w, struct conv c)
{
    struct patches p = {};

    p.x = array_of(x);
    p.h = x.shape[1], p.w = x.shape[2], p.c = x.shape[3];
    p.out_h = y.shape[1], p.out_w = y.shape[2];
    p.in = w.shape[1], p.ky = w.shape[2], p.kx = w.shape[3];
    p.stride = c.stride, p.pad = c.pad, p.dilation = c.dilation;
    return p;
}
static int64_t width_of(const struct patches &p)
{
    return p.in * p.ky * p.kx;
}
static bool is_plain(const struct patches &p)
{
    return p.ky == 1 && p.kx == 1 && p.stride == 1 && p.pad == 0 && p.in == p.c;
}

/* Eight channels a thread. */
static __global__ void take_patches(struct array to, struct patches p, int64_t eights)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x, taps = p.ky * p.kx;

    if (i >= p.n * taps * eights) return;
    int64_t ch = i % eights * EIGHT, tap = i / eights % taps, row = i / eights / taps, at = p.from + row;
    int64_t iy = at / p.out_w % p.out_h * p.stride - p.pad + tap / p.kx * p.dilation;
    int64_t ix = at % p.out_w * p.stride - p.pad + tap % p.kx * p.dilation;
    bool is_inside = iy >= 0 && iy < p.h && ix >= 0 && ix < p.w;
    float v[EIGHT];
    load8(v, p.x, ((at / (p.out_h * p.out_w) * p.h + iy) * p.w + ix) * p.c + p.first + ch, is_inside ? p.in - ch : 0);
    store8(to, (row * taps + tap) * p.in + ch, p.in - ch, v);
}

/* The patches of output positions [from, from + n): x itself, or in `room`. */
static const void *patches_at(struct device *d, const char *row, struct patches p, int64_t from, int64_t n, void *room)
{
    int64_t eights = pieces(p.in, EIGHT), size = p.x.is_half ? 2 : 4;

    if (is_plain(p)) return (const char *)p.x.data + from * p.c * size;
    p.from = from;
    p.n = n;
    struct array to = { room, p.x.is_half, true };
    return launch(d, row, take_patches, pieces(n * p.ky * p.kx * eights, THREADS), THREADS, 0, to, p, eights) ? NULL
                                                                                                              : room;
}

/* w[O,I,taps] to [O,taps,I]; or back, added: F32. */
static __global__ void turn_filters(struct array to, struct array from, int64_t out, int64_t in, int64_t taps,
                                    bool is_back)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x, o = i / (in * taps);

    if (i >= out * in * taps) return;
    int64_t ch = i % in, tap = i / in % taps, at = (o * in + ch) * taps + tap;
    if (is_back) put(to, at, get(to, at) + get(from, i));
    else put(to, i, get(from, at));
}

static struct tensor turned_filters(struct device *d, const char *row, struct tensor w)
{
    int64_t taps = w.shape[2] * w.shape[3];
    struct tensor to = w;

    if (taps == 1) return w;
    to.data = gpu_room(d, ROOM_FILTER, w.n * (w.dtype == DT_BF16 ? 2 : 4));
    if (to.data && launch(d, row, turn_filters, pieces(w.n, THREADS), THREADS, 0, array_of(to), array_of(w), w.shape[0],
                          w.shape[1], taps, false))
        to.data = NULL;
    return to;
}

/* Positions at a time, and memory for their patches (none for plain ones). */
static int64_t plan(struct device *d, const struct patches &p, int64_t positions, int64_t element, void **room,
                    bool *failed)
{
    int64_t row = width_of(p) * element, n = least(positions, patch_bytes / row > 0 ? patch_bytes / row : 1);

    *room = is_plain(p) ? NULL : gpu_room(d, ROOM_PATCHES, n * row);
    *failed = !is_plain(p) && !*room;
    return is_plain(p) ? positions : n;
}

int cuda_conv_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b,
                      struct conv c, bool relu, int flags)
{
    struct patches p = patches_of(y, x, w, c);
    int64_t out = y.shape[3], groups = p.c / p.in, each = out / groups, k = width_of(p), positions = y.n / out;
    int64_t size = x.dtype == DT_BF16 ? 2 : 4, y_size = y.dtype == DT_BF16 ? 2 : 4;
    void *room;
    bool failed;
    int64_t step = plan(d, p, positions, size, &room, &failed);
    struct tensor filters = turned_filters(d, "conv_forward", w);

    if (failed || !filters.data) return -1;
    for (int64_t g = 0; g < groups; g++) {
        p.first = g * p.in;
        for (int64_t from = 0; from < positions; from += step) {
            int64_t n = least(step, positions - from);
            const void *a = patches_at(d, "conv_forward", p, from, n, room);
            if (!a || blas_product(d, product{ n, each, k, a, (const char *)filters.data + g * each * k * size,
                                               (char *)y.data + (from * out + g * each) * y_size, k, k, out, false,
                                               true, x.dtype, y.dtype, b.data ? f32(b) + g * each : NULL,
                                               (flags & LINEAR_ADD) != 0, relu }))
                return -1;
        }
    }
    return 0;
}

/* dx[b,y,x,c] (+)= sum over the taps of the patches that hold it, of images [first, first + n). */
static __global__ void gather_patches(struct array dx, struct array from, struct patches p, int64_t first, int64_t n,
                                      bool adds)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i >= n * p.h * p.w * p.c) return;
    int64_t ch = i % p.c, ix = i / p.c % p.w, iy = i / p.c / p.w % p.h, image = i / p.c / p.w / p.h;
    int64_t at = first * p.h * p.w * p.c + i;
    float sum = adds ? get(dx, at) : 0;
    for (int64_t tap = 0; tap < p.ky * p.kx; tap++) {
        int64_t oy = iy + p.pad - tap / p.kx * p.dilation, ox = ix + p.pad - tap % p.kx * p.dilation;
        if (oy < 0 || ox < 0 || oy % p.stride || ox % p.stride) continue;
        oy /= p.stride;
        ox /= p.stride;
        if (oy >= p.out_h || ox >= p.out_w) continue;
        sum += get(from, (((image * p.out_h + oy) * p.out_w + ox) * p.ky * p.kx + tap) * p.c + ch);
    }
    put(dx, at, sum);
}

int cuda_conv_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, struct conv c,
                             int flags)
{
    struct patches p = patches_of(dy, dx, w, c);
    int64_t out = dy.shape[3], k = width_of(p), area = p.out_h * p.out_w, images = dx.shape[0];
    struct tensor filters = turned_filters(d, "conv_backward_input", w);
    bool adds = (flags & LINEAR_ADD) != 0;

    if (!filters.data) return -1;
    if (is_plain(p))
        return blas_product(d, product{ images * area, k, out, dy.data, filters.data, dx.data, out, k, k, false, false,
                                        dy.dtype, dx.dtype, NULL, adds, false });
    int64_t step = least(images, patch_bytes / (area * k * 4 + 1) > 0 ? patch_bytes / (area * k * 4 + 1) : 1);
    void *room = gpu_room(d, ROOM_PATCHES, step * area * k * 4);
    if (!room) return -1;
    for (int64_t from = 0; from < images; from += step) {
        int64_t n = least(step, images - from);
        const char *rows = (const char *)dy.data + from * area * out * (dy.dtype == DT_BF16 ? 2 : 4);
        struct array patches = { room, false, true };
        if (area && blas_product(d, product{ n * area, k, out, rows, filters.data, room, out, k, k, false, false,
                                             dy.dtype, DT_F32, NULL, false, false }))
            return -1;
        if (launch(d, "conv_backward_input", gather_patches, pieces(n * p.h * p.w * p.c, THREADS), THREADS, 0,
                   array_of(dx), patches, p, from, n, adds))
            return -1;
    }
    return 0;
}

int cuda_conv_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x,
                              struct conv c)
{
    const char *row = "conv_backward_weight";
    struct patches p = patches_of(dy, x, dw, c);
    int64_t out = dy.shape[3], k = width_of(p), positions = dy.n / out, size = x.dtype == DT_BF16 ? 2 : 4;
    struct tensor sum = dw;
    void *room;
    bool failed, is_turned = p.ky * p.kx > 1;
    int64_t step = plan(d, p, positions, size, &room, &failed);

    if (is_turned) sum.data = gpu_room(d, ROOM_FILTER, dw.n * 4);
    if (failed || !sum.data) return -1;
    if (is_turned && cuda_fill(d, sum, 0)) return -1;
    for (int64_t from = 0; from < positions; from += step) {
        int64_t n = least(step, positions - from);
        const void *b = patches_at(d, row, p, from, n, room);
        if (!b || blas_product(d, product{ out, k, n, (const char *)dy.data + from * out * size, b, sum.data, out, k, k,
                                           true, false, x.dtype, DT_F32, NULL, true, false }))
            return -1;
    }
    if (is_turned && launch(d, row, turn_filters, pieces(dw.n, THREADS), THREADS, 0, array_of(dw), array_of(sum), out,
                            p.in, p.ky * p.kx, true))
        return -1;
    return db.data && dy.n ? column_sums(d, row, db, dy) : 0;
}
