/* The back end's exported functions, its state, and the rows that move memory. */
#include "compute/cuda/blas.cuh"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- errors ---- */

int gpu_check(struct device *d, const char *row, cudaError_t error)
{
    if (error == cudaSuccess && gpu_of(d)->syncs) error = cudaStreamSynchronize(gpu_of(d)->queue);
    if (error == cudaSuccess) return 0;
    if (!d->why[0])
        snprintf(d->why, sizeof d->why, "%s on GPU %d: %s", row, gpu_of(d)->index, cudaGetErrorString(error));
    return -1;
}

/* ---- state ---- */

/* The runtime's current device is each thread's own. */
cudaStream_t gpu_queue(struct device *d)
{
    cudaSetDevice(gpu_of(d)->index);
    return gpu_of(d)->queue;
}

void *gpu_room(struct device *d, enum room which, int64_t bytes)
{
    struct gpu *g = gpu_of(d);

    if (bytes <= g->room[which].bytes) return g->room[which].data;
    cudaSetDevice(g->index);
    cudaFree(g->room[which].data); /* waits for the work that uses it */
    g->room[which].data = NULL;
    g->room[which].bytes = 0;
    bytes += bytes / 8; /* shapes vary: not at every new largest one again */
    if (cuda_allocate(d, &g->room[which].data, bytes)) return NULL;
    g->room[which].bytes = bytes;
    return g->room[which].data;
}

/* Uploads go through pinned memory in two halves, so that they run beside the host's work: a half is written again only
 * when the copies out of it are over. Gradients of several ranks are sent by a thread of their own. */
enum { STAGING_HALF = 8 << 20, STAGING_ALIGN = 256 };
struct staging {
    char *data;
    int64_t used; /* of the half that is being filled */
    int half;
    cudaEvent_t is_over[2];
    pthread_mutex_t lock;
};

static int staging_open(struct device *d, struct gpu *g)
{
    struct staging *s = (struct staging *)calloc(1, sizeof *s);

    if (!s) return -1;
    g->staging = s;
    pthread_mutex_init(&s->lock, NULL);
    if (gpu_check(d, "open", cudaMallocHost((void **)&s->data, 2 * STAGING_HALF))) return -1;
    for (int i = 0; i < 2; i++) {
        if (gpu_check(d, "open", cudaEventCreateWithFlags(&s->is_over[i], cudaEventDisableTiming))) return -1;
    }
    return 0;
}

static void staging_close(struct gpu *g)
{
    struct staging *s = g->staging;

    if (!s) return;
    for (int i = 0; i < 2; i++) {
        if (s->is_over[i]) cudaEventDestroy(s->is_over[i]);
    }
    cudaFreeHost(s->data);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void close_gpu(struct device *d)
{
    struct gpu *g = gpu_of(d);

    cudaSetDevice(g->index);
    if (g->queue) cudaStreamSynchronize(g->queue);
    blas_close(g);
    staging_close(g);
    for (int i = 0; i < ROOM_COUNT; i++) cudaFree(g->room[i].data);
    if (g->queue) cudaStreamDestroy(g->queue);
    free(g);
    d->impl = NULL;
}

static int open_state(struct device *d, struct gpu *g)
{
    const char *syncs = getenv("UNIMO_SYNC");

    g->syncs = syncs && !strcmp(syncs, "1");
    if (gpu_check(d, "open", cudaStreamCreateWithFlags(&g->queue, cudaStreamNonBlocking))) return -1;
    d->queue = g->queue;
    return staging_open(d, g) || blas_open(d, g) ? -1 : 0;
}

static const struct ops rows = {
    OPS_ABI,
    "cuda",
    close_gpu,
#define ROW(name, args) cuda_##name,
#include "compute/ops.def"
#undef ROW
};

/* Opens GPU `index`: fills the table and the device's state, or writes one line of why not and returns -1. The kernels
 * need compute capability 8.0 (mma and cp.async on BF16). */
extern "C" __attribute__((visibility("default"))) int unimo_cuda_open(struct device *d, struct ops *table, int abi,
                                                                      int index, char *why, size_t n)
{
    int count = 0, major = 0;

    if (abi != OPS_ABI) {
        snprintf(why, n, "libunimo-cuda.so is of another version (%d, not %d)", OPS_ABI, abi);
        return -1;
    }
    cudaError_t error = cudaGetDeviceCount(&count);

    if (error != cudaSuccess || !count) {
        snprintf(why, n, "no device (%s)", error == cudaSuccess ? "none is there" : cudaGetErrorString(error));
        return -1;
    }
    if (index >= count) {
        snprintf(why, n, "no device %d (there %s %d)", index, count == 1 ? "is" : "are", count);
        return -1;
    }
    error = cudaSetDevice(index);
    if (error == cudaSuccess) error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
    if (error != cudaSuccess || major < 8) {
        snprintf(why, n, "device %d: %s", index,
                 error != cudaSuccess ? cudaGetErrorString(error) : "too old (compute capability 8.0 is needed)");
        return -1;
    }
    struct gpu *g = (struct gpu *)calloc(1, sizeof *g);
    if (!g) {
        snprintf(why, n, "not enough memory");
        return -1;
    }
    g->index = index;
    d->impl = g;
    *table = rows;
    d->has_bf16 = true;
    if (!open_state(d, g)) return 0;
    snprintf(why, n, "%s", d->why[0] ? d->why : "not enough memory");
    close_gpu(d);
    return -1;
}

/* ---- rows ---- */

int cuda_allocate(struct device *d, void **data, int64_t bytes)
{
    cudaSetDevice(gpu_of(d)->index);
    cudaError_t error = cudaMalloc(data, (size_t)(bytes ? bytes : 1));

    if (error == cudaSuccess) return 0;
    *data = NULL;
    cudaGetLastError(); /* it is reported here, not after the next launch */
    if (error != cudaErrorMemoryAllocation) return gpu_check(d, "allocate", error); /* of work before it, say */
    if (!d->why[0])
        snprintf(d->why, sizeof d->why, "not enough memory on GPU %d for %lld bytes", gpu_of(d)->index,
                 (long long)bytes);
    return -1;
}

int cuda_release(struct device *d, void *data)
{
    cudaSetDevice(gpu_of(d)->index);
    return gpu_check(d, "release", cudaFree(data));
}

/* Room for n bytes in pinned memory. */
static char *stage(struct device *d, int64_t n)
{
    struct staging *s = gpu_of(d)->staging;

    if (s->used + n > STAGING_HALF) {
        if (gpu_check(d, "upload", cudaEventRecord(s->is_over[s->half], gpu_of(d)->queue))) return NULL;
        s->half = !s->half;
        s->used = 0;
        if (gpu_check(d, "upload", cudaEventSynchronize(s->is_over[s->half]))) return NULL;
    }
    char *at = s->data + s->half * (int64_t)STAGING_HALF + s->used;
    s->used += (n + STAGING_ALIGN - 1) / STAGING_ALIGN * STAGING_ALIGN;
    return at;
}

static int upload_piece(struct device *d, void *dst, const void *src, int64_t n)
{
    cudaStream_t queue = gpu_queue(d);
    char *pinned = stage(d, n);

    if (!pinned) return -1;
    memcpy(pinned, src, (size_t)n);
    return gpu_check(d, "upload", cudaMemcpyAsync(dst, pinned, (size_t)n, cudaMemcpyHostToDevice, queue));
}

int cuda_upload(struct device *d, void *dst, const void *src, int64_t bytes)
{
    int rc = 0;

    pthread_mutex_lock(&gpu_of(d)->staging->lock);
    for (int64_t at = 0; at < bytes && !rc; at += STAGING_HALF)
        rc = upload_piece(d, (char *)dst + at, (const char *)src + at, least(bytes - at, STAGING_HALF));
    pthread_mutex_unlock(&gpu_of(d)->staging->lock);
    return rc;
}

int cuda_download(struct device *d, void *dst, const void *src, int64_t bytes)
{
    cudaStream_t queue = gpu_queue(d);

    if (bytes && gpu_check(d, "download", cudaMemcpyAsync(dst, src, (size_t)bytes, cudaMemcpyDeviceToHost, queue)))
        return -1;
    return gpu_check(d, "download", cudaStreamSynchronize(queue));
}

int cuda_sync(struct device *d)
{
    return gpu_check(d, "sync", cudaStreamSynchronize(gpu_queue(d)));
}

/* Products read the parameters themselves: there are no packed copies. */
int cuda_params_changed(struct device *d)
{
    d->param_epoch++;
    return 0;
}
