/* libunimo-nccl.so: sums of gradients between GPUs by NCCL, on a stream of their own. The only file that knows it.
 * Nothing here waits: the sum of a part begins when the work that was enqueued before it is done, and goes on beside
 * what is enqueued after it. */
#include "train/comm.h"
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(ncclUniqueId) == COMM_NAME_BYTES, "a group's name is NCCL's");

struct group {
    ncclComm_t comm;
    cudaStream_t stream;
    cudaEvent_t is_ready, is_done;
};

static int nccl_failed(ncclResult_t rc, char *why, size_t n)
{
    if (rc == ncclSuccess) return 0;
    snprintf(why, n, "NCCL: %s", ncclGetErrorString(rc));
    return -1;
}

static int cuda_failed(cudaError_t rc, char *why, size_t n)
{
    if (rc == cudaSuccess) return 0;
    snprintf(why, n, "NCCL: %s", cudaGetErrorString(rc));
    return -1;
}

static int name(void *out, char *why, size_t n)
{
    ncclUniqueId id;

    if (nccl_failed(ncclGetUniqueId(&id), why, n)) return -1;
    memcpy(out, &id, sizeof id);
    return 0;
}

static void close(void *arg)
{
    struct group *g = arg;

    if (g->stream) cudaStreamSynchronize(g->stream);
    if (g->comm) ncclCommDestroy(g->comm);
    if (g->is_ready) cudaEventDestroy(g->is_ready);
    if (g->is_done) cudaEventDestroy(g->is_done);
    if (g->stream) cudaStreamDestroy(g->stream);
    free(g);
}

static int open(void **out, const void *named, int rank, int ranks, const void *memory, char *why, size_t n)
{
    struct group *g = calloc(1, sizeof *g);
    struct cudaPointerAttributes where = { 0 };
    ncclUniqueId id;

    if (!g) {
        snprintf(why, n, "not enough memory");
        return -1;
    }
    memcpy(&id, named, sizeof id);
    if (cuda_failed(cudaPointerGetAttributes(&where, memory), why, n) ||
        cuda_failed(cudaSetDevice(where.device), why, n) ||
        cuda_failed(cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking), why, n) ||
        cuda_failed(cudaEventCreateWithFlags(&g->is_ready, cudaEventDisableTiming), why, n) ||
        cuda_failed(cudaEventCreateWithFlags(&g->is_done, cudaEventDisableTiming), why, n) ||
        nccl_failed(ncclCommInitRank(&g->comm, ranks, id, rank), why, n)) {
        close(g);
        return -1;
    }
    *out = g;
    return 0;
}

/* What is enqueued here from now on begins when the work of the other queue is done. */
static int follow(struct group *g, void *queue, char *why, size_t n)
{
    return cuda_failed(cudaEventRecord(g->is_ready, queue), why, n) ||
           cuda_failed(cudaStreamWaitEvent(g->stream, g->is_ready, 0), why, n);
}

static int sum(void *arg, float *x, int64_t count, void *queue, char *why, size_t n)
{
    struct group *g = arg;

    if (follow(g, queue, why, n)) return -1;
    return nccl_failed(ncclAllReduce(x, x, (size_t)count, ncclFloat, ncclSum, g->comm, g->stream), why, n);
}

static int broadcast(void *arg, float *x, int64_t count, int from, void *queue, char *why, size_t n)
{
    struct group *g = arg;

    if (follow(g, queue, why, n)) return -1;
    return nccl_failed(ncclBroadcast(x, x, (size_t)count, ncclFloat, from, g->comm, g->stream), why, n);
}

static int join(void *arg, void *queue, char *why, size_t n)
{
    struct group *g = arg;
    ncclResult_t later = ncclSuccess;

    if (nccl_failed(ncclCommGetAsyncError(g->comm, &later), why, n) || nccl_failed(later, why, n) ||
        cuda_failed(cudaEventRecord(g->is_done, g->stream), why, n))
        return -1;
    return cuda_failed(cudaStreamWaitEvent(queue, g->is_done, 0), why, n);
}

extern const struct comm_gpu_ops unimo_nccl;
const struct comm_gpu_ops unimo_nccl = { COMM_ABI, name, open, sum, broadcast, join, close };
