/* Runs kernels on the host. A block's threads are fibers: each has a stack of its own and runs until it waits for
 * others or ends; the scheduler lets the waiting ones go on when all that are left have come. Every other launch runs
 * blocks and threads in the opposite order, so that what depends on the order shows. Device memory is one mapping that
 * only kernels and copies may touch. */
#include "compute/cuda/device.cuh"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

[[noreturn]] static void fail(const char *why)
{
    fprintf(stderr, "emulated GPU: block (%u,%u,%u) thread %u: %s\n", blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x,
            why);
    abort();
}

/* ---- device memory ---- */

static const size_t memory_bytes = (size_t)1 << 34, page = 1 << 16; /* addresses; memory is only taken when touched */
static char *memory, *top, *view; /* view: the same memory at another address, for copies */
struct piece {
    char *from;
    size_t bytes;
    bool is_used;
};
static std::vector<piece> pieces;

static void protect(int how)
{
    if (top > memory && mprotect(memory, (size_t)(top - memory), how)) fail("mprotect");
}
static void map_memory()
{
    int fd = memfd_create("emulated GPU", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)memory_bytes)) fail("memfd_create");
    top = memory = (char *)mmap(NULL, memory_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    view = (char *)mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED || view == MAP_FAILED) fail("mmap");
    close(fd);
}
extern "C" void *emulate_view(const void *p)
{
    char *at = (char *)p;

    return at >= memory && at < top ? view + (at - memory) : at;
}

/* First fit; contents are poison, so that what is read before it is written shows. */
cudaError_t cudaMalloc(void **p, size_t n)
{
    n = (n + page) / page * page;
    if (!memory) map_memory();
    size_t i = 0;
    while (i < pieces.size() && (pieces[i].is_used || pieces[i].bytes < n)) i++;
    if (i == pieces.size()) {
        if (n > memory_bytes - (size_t)(top - memory)) return cudaErrorMemoryAllocation;
        pieces.push_back(piece{ top, n, true });
        top += n;
    }
    pieces[i].is_used = true;
    *p = pieces[i].from;
    memset(emulate_view(*p), 0xA5, pieces[i].bytes);
    return cudaSuccess;
}
cudaError_t cudaFree(void *p)
{
    for (piece &x : pieces) {
        if (x.from == p) x.is_used = false;
    }
    return cudaSuccess;
}
cudaError_t cudaMallocHost(void **p, size_t n)
{
    *p = malloc(n ? n : 1);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFreeHost(void *p)
{
    free(p);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind, cudaStream_t)
{
    if (n) memcpy(emulate_view(to), emulate_view(from), n);
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t)
{
    if (n) memset(emulate_view(p), value, n);
    return cudaSuccess;
}

/* ---- threads of a block ---- */

enum state { READY, AT_WARP, AT_BLOCK, ENDED };
enum { STACK = 256 << 10, THREADS_MOST = 1024, LANES = 32 };
struct copy {
    void *to;
    const void *from;
    size_t bytes;
    bool is_there;
    int group;
};
struct fiber {
    enum state state;
    bool is_begun;
    void *at[5]; /* of __builtin_setjmp() */
    ucontext_t first;
    std::vector<copy> copies;
    int groups;
    unsigned exchanges;
};
static fiber fibers[THREADS_MOST];
static void *scheduler[5];
static ucontext_t home;
static int current;
static const std::function<void()> *body;
alignas(64) static char exchanged[2][THREADS_MOST][EMULATED_EXCHANGE];
static char *shared;

void *shared_memory()
{
    return shared;
}

[[gnu::noinline]] static void leave()
{
    __builtin_longjmp(scheduler, 1);
}

/* Back to the scheduler; returns when this thread may go on. */
[[gnu::noinline]] static void wait_as(enum state s)
{
    fiber *f = &fibers[current];

    f->state = s;
    if (!__builtin_setjmp(f->at)) leave();
}
void emulate_block_barrier()
{
    wait_as(AT_BLOCK);
}
void emulate_warp_barrier()
{
    wait_as(AT_WARP);
}
/* Two buffers by turns: whoever comes to the next exchange has read this one. */
const void *emulate_exchange(const void *own, size_t bytes)
{
    char(*to)[EMULATED_EXCHANGE] = exchanged[fibers[current].exchanges++ % 2];

    if (bytes > EMULATED_EXCHANGE) fail("too much to exchange");
    memcpy(to[current], own, bytes);
    emulate_warp_barrier();
    return to[current / LANES * LANES];
}

static void arrive(fiber *f, int group)
{
    size_t kept = 0;

    for (const copy &c : f->copies) {
        if (c.group >= group) f->copies[kept++] = c;
        else if (c.is_there) memcpy(c.to, c.from, c.bytes);
        else memset(c.to, 0, c.bytes);
    }
    f->copies.resize(kept);
}
void emulate_copy_begin(void *to, const void *from, size_t bytes, bool is_there)
{
    fiber *f = &fibers[current];

    if (((uintptr_t)to | (is_there ? (uintptr_t)from : 0)) % bytes) fail("a copy is not aligned");
    f->copies.push_back(copy{ to, from, bytes, is_there, f->groups });
}
void emulate_copies_close()
{
    fibers[current].groups++;
}
void emulate_copies_wait(int open)
{
    arrive(&fibers[current], fibers[current].groups - open);
}

static void run_fiber()
{
    for (;;) {
        (*body)();
        arrive(&fibers[current], fibers[current].groups + 1);
        wait_as(ENDED);
    }
}

[[gnu::noinline]] static void enter(fiber *f)
{
    if (f->is_begun) __builtin_longjmp(f->at, 1);
    f->is_begun = true;
    getcontext(&f->first);
    f->first.uc_stack.ss_sp =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    f->first.uc_stack.ss_size = STACK;
    makecontext(&f->first, run_fiber, 0);
    swapcontext(&home, &f->first);
}

/* Runs thread i until it waits. */
[[gnu::noinline]] static void resume(int i)
{
    current = i;
    threadIdx.x = (unsigned)i;
    if (!__builtin_setjmp(scheduler)) enter(&fibers[i]);
}

/* Whether all of threads [from, to) that have not ended wait at the same place: then they may go on. */
static bool release(int from, int to, enum state where)
{
    int waiting = 0, ended = 0;

    for (int i = from; i < to; i++) {
        waiting += fibers[i].state == where;
        ended += fibers[i].state == ENDED;
    }
    if (!waiting || waiting + ended < to - from) return false;
    for (int i = from; i < to; i++) {
        if (fibers[i].state == where) fibers[i].state = READY;
    }
    return true;
}

/* One warp as far as it gets. */
static void run_warp(int from, int to, bool is_reversed)
{
    do {
        for (int i = from; i < to; i++) {
            int k = is_reversed ? to - 1 - (i - from) : i;
            if (fibers[k].state == READY) resume(k);
        }
    } while (release(from, to, AT_WARP));
}

static void run_block(int threads, bool is_reversed)
{
    int warps = (threads + LANES - 1) / LANES;

    for (int i = 0; i < threads; i++) {
        fibers[i].state = READY;
        fibers[i].groups = 0;
        fibers[i].exchanges = 0;
    }
    memset(exchanged[0], 0, (size_t)warps * LANES * EMULATED_EXCHANGE);
    memset(exchanged[1], 0, (size_t)warps * LANES * EMULATED_EXCHANGE);
    do {
        for (int w = 0; w < warps; w++) {
            int k = is_reversed ? warps - 1 - w : w, end = (k + 1) * LANES;
            run_warp(k * LANES, end < threads ? end : threads, is_reversed);
        }
    } while (release(0, threads, AT_BLOCK));
    for (int i = 0; i < threads; i++) {
        if (fibers[i].state != ENDED) fail("waits at a barrier that others never reach");
    }
}

enum { SHARED_MOST = 99 << 10 }; /* of a block: compute capability 8.6, 8.9 and 12.0; 8.0 and 9.0 have more */

void emulate_launch(dim3 grid, int threads, size_t shared_bytes, const std::function<void()> &thread)
{
    static bool is_reversed;
    int64_t blocks = (int64_t)grid.x * grid.y * grid.z;

    if (threads < 1 || threads > THREADS_MOST || !blocks || grid.y > 65535 || grid.z > 65535 ||
        shared_bytes > SHARED_MOST)
        fail("a launch that no GPU takes");
    free(shared);
    if (posix_memalign((void **)&shared, 128, shared_bytes + 128)) fail("memory");
    body = &thread;
    blockDim = dim3((unsigned)threads);
    gridDim = grid;
    is_reversed = !is_reversed;
    protect(PROT_READ | PROT_WRITE);
    for (int64_t i = 0; i < blocks; i++) {
        int64_t k = is_reversed ? blocks - 1 - i : i;
        blockIdx = dim3((unsigned)(k % grid.x), (unsigned)(k / grid.x % grid.y), (unsigned)(k / grid.x / grid.y));
        memset(shared, 0xA5, shared_bytes);
        run_block(threads, is_reversed);
    }
    protect(PROT_NONE);
}

/* ---- the rest of the runtime: everything has happened when a call returns ---- */

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "no error";
}
cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 1;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr, int)
{
    *value = 9;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    static char queue;

    *s = (cudaStream_t)&queue; /* a name for it: lib/train tells by it that work is enqueued */
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = NULL;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t)
{
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t)
{
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return cudaSuccess;
}
