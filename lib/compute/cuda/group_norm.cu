/* Group norm over NHWC maps: a block has one image's group. A group's elements are read three times (mean, variance,
 * output); maps of the sizes it is used on (a group of 14 x 14 x 64) stay in the cache. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256 };

struct group_in {
    struct array y, x, dx, dy;
    float *stats, *part; /* part[B, 2, C]: dg and db by images */
    const float *g, *b;
    int64_t area, c, width;
    int groups;
    float eps;
    bool relu;
};
/* Element i of the block's group. */
static __device__ inline int64_t element(const struct group_in &p, int64_t i)
{
    return (blockIdx.x / p.groups * p.area + i / p.width) * p.c + blockIdx.x % p.groups * p.width + i % p.width;
}
static __device__ inline int64_t channel(const struct group_in &p, int64_t i)
{
    return blockIdx.x % p.groups * p.width + i % p.width;
}

static __global__ void group_forward(struct group_in p)
{
    int64_t n = p.area * p.width;
    float sum = 0, squares = 0;

    for (int64_t i = threadIdx.x; i < n; i += THREADS) sum += get(p.x, element(p, i));
    float mean = block_sum(sum) / n;
    for (int64_t i = threadIdx.x; i < n; i += THREADS) {
        float gap = get(p.x, element(p, i)) - mean;
        squares += gap * gap;
    }
    float rstd = 1 / sqrtf(block_sum(squares) / n + p.eps);
    if (threadIdx.x == 0) {
        p.stats[2 * blockIdx.x] = mean;
        p.stats[2 * blockIdx.x + 1] = rstd;
    }
    for (int64_t i = threadIdx.x; i < n; i += THREADS) {
        float v = (get(p.x, element(p, i)) - mean) * rstd * p.g[channel(p, i)] + p.b[channel(p, i)];
        put(p.y, element(p, i), p.relu && v < 0 ? 0 : v);
    }
}

int cuda_group_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                            struct tensor b, int groups, float eps, bool relu)
{
    return launch(d, "group_norm_forward", group_forward, (unsigned)(x.shape[0] * groups), THREADS, 0,
                  group_in{ array_of(y), array_of(x), array{}, array{}, f32(stats), NULL, f32(g), f32(b),
                            x.shape[1] * x.shape[2], x.shape[3], x.shape[3] / groups, groups, eps, relu });
}

/* Gradient of element i before the norm's own part, and the normalised value. */
static __device__ inline float slope_at(const struct group_in &p, int64_t at, float mean, float rstd, float *unit)
{
    *unit = (get(p.x, at) - mean) * rstd;
    return p.relu && get(p.y, at) <= 0 ? 0 : get(p.dy, at);
}

static __global__ void group_backward(struct group_in p)
{
    int64_t n = p.area * p.width, image = blockIdx.x / p.groups;
    float mean = p.stats[2 * blockIdx.x], rstd = p.stats[2 * blockIdx.x + 1], sum = 0, dot = 0, unit;

    /* A warp a channel: dg and db of the image. */
    for (int64_t c = threadIdx.x / WARP; c < p.width; c += THREADS / WARP) {
        float dg = 0, db = 0;
        for (int64_t i = threadIdx.x % WARP; i < p.area; i += WARP) {
            float slope = slope_at(p, element(p, i * p.width + c), mean, rstd, &unit);
            dg += slope * unit;
            db += slope;
        }
        dg = warp_sum(dg);
        db = warp_sum(db);
        int64_t to = channel(p, c);
        if (threadIdx.x % WARP == 0) {
            p.part[image * 2 * p.c + to] = dg;
            p.part[image * 2 * p.c + p.c + to] = db;
            sum += db * p.g[to];
            dot += dg * p.g[to];
        }
    }
    sum = block_sum(sum);
    dot = block_sum(dot);
    for (int64_t i = threadIdx.x; i < n; i += THREADS) {
        int64_t at = element(p, i);
        float slope = slope_at(p, at, mean, rstd, &unit);
        put(p.dx, at, rstd * (slope * p.g[channel(p, i)] - (sum + unit * dot) / n));
    }
}

/* dg, db += the images' parts, in order. */
static __global__ void add_images(float *dg, float *db, const float *part, int64_t images, int64_t c)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    float sum = 0;

    if (i >= 2 * c) return;
    for (int64_t b = 0; b < images; b++) sum += part[b * 2 * c + i];
    if (i < c) dg[i] += sum;
    else db[i - c] += sum;
}

int cuda_group_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                             struct tensor y, struct tensor x, struct tensor stats, struct tensor g, int groups,
                             bool relu)
{
    int64_t images = x.shape[0], c = x.shape[3];
    float *part = (float *)gpu_room(d, ROOM_PARTIAL, images * 2 * c * 4);

    if (!part || launch(d, "group_norm_backward", group_backward, (unsigned)(images * groups), THREADS, 0,
                        group_in{ array_of(y), array_of(x), array_of(dx), array_of(dy), f32(stats), part, f32(g), NULL,
                                  x.shape[1] * x.shape[2], c, c / groups, groups, 0, relu }))
        return -1;
    return launch(d, "group_norm_backward", add_images, pieces(2 * c, THREADS), THREADS, 0, f32(dg), f32(db),
                  (const float *)part, images, c);
}
