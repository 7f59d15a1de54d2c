/* NCCL between emulated GPUs, over MPI. The device's own queue runs everything at once (tests/emulated/emulate.cc);
 * what is enqueued on a stream of this file waits as long as it may: until another queue is told to wait for it. Work
 * that uses elements before it was ordered behind their sum gets them unsummed. */
#include "nccl.h"
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

void *emulate_view(const void *p); /* where the host finds device memory */

struct work {
    float *x;
    size_t n;
    int root; /* of a broadcast; -1: a sum */
};
struct emulated_stream {
    struct work *work;
    size_t n;
};
struct emulated_event {
    cudaStream_t recorded_on;
    size_t behind; /* so much of its work */
};
struct emulated_group {
    int rank, ranks;
};

/* ---- streams ---- */

/* Streams of the device's are not known here, and nothing waits on them. */
static cudaStream_t own[16];
static int n_own;

static int is_own(cudaStream_t s)
{
    for (int i = 0; i < n_own; i++) {
        if (own[i] == s) return 1;
    }
    return 0;
}

static void run_until(cudaStream_t s, size_t end)
{
    if (end > s->n) end = s->n;
    for (size_t i = 0; i < end; i++) {
        struct work w = s->work[i];
        float *x = emulate_view(w.x);
        if (w.root < 0) MPI_Allreduce(MPI_IN_PLACE, x, (int)w.n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        else MPI_Bcast(x, (int)w.n, MPI_FLOAT, w.root, MPI_COMM_WORLD);
    }
    memmove(s->work, s->work + end, (s->n - end) * sizeof *s->work);
    s->n -= end;
}

static ncclResult_t enqueue(cudaStream_t s, struct work w)
{
    struct work *more = is_own(s) ? realloc(s->work, (s->n + 1) * sizeof w) : NULL;

    if (!more) return ncclInvalidArgument;
    s->work = more;
    s->work[s->n++] = w;
    return ncclSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
    if (n_own == sizeof own / sizeof *own || flags != cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *s = own[n_own++] = calloc(1, sizeof **s);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    free(s->work);
    s->work = NULL;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    run_until(s, s->n);
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    *e = calloc(1, sizeof **e);
    return flags == cudaEventDisableTiming ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    free(e);
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    e->recorded_on = s;
    e->behind = is_own(s) ? s->n : 0;
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags)
{
    if (is_own(e->recorded_on) && e->recorded_on != s) run_until(e->recorded_on, e->behind);
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int index)
{
    return index ? cudaErrorInvalidValue : cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *to, const void *p)
{
    to->device = 0;
    return emulate_view(p) == p ? cudaErrorInvalidValue : cudaSuccess; /* must be the device's */
}
const char *cudaGetErrorString(cudaError_t e)
{
    return e ? "emulated: invalid value" : "no error";
}

/* ---- collectives ---- */

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    for (size_t i = 0; i < sizeof id->internal; i++) id->internal[i] = (char)(i * 37 + 11);
    return ncclSuccess;
}

/* All ranks of the group must have come with the same name. */
ncclResult_t ncclCommInitRank(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank)
{
    ncclUniqueId first = id;
    int own_rank, size, differ;

    MPI_Comm_rank(MPI_COMM_WORLD, &own_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Bcast(&first, sizeof first, MPI_BYTE, 0, MPI_COMM_WORLD);
    differ = memcmp(&first, &id, sizeof id) || own_rank != rank || size != ranks;
    MPI_Allreduce(MPI_IN_PLACE, &differ, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (differ) return ncclInvalidUsage;
    *comm = calloc(1, sizeof **comm);
    **comm = (struct emulated_group){ rank, ranks };
    return ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    free(comm);
    return ncclSuccess;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error)
{
    *error = ncclSuccess;
    return comm ? ncclSuccess : ncclInvalidArgument;
}
ncclResult_t ncclAllReduce(const void *from, void *to, size_t n, ncclDataType_t type, ncclRedOp_t op, ncclComm_t comm,
                           cudaStream_t s)
{
    if (from != to || type != ncclFloat || op != ncclSum || !comm) return ncclInvalidArgument;
    return enqueue(s, (struct work){ to, n, -1 });
}
ncclResult_t ncclBroadcast(const void *from, void *to, size_t n, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t s)
{
    if (from != to || type != ncclFloat || !comm || root < 0 || root >= comm->ranks) return ncclInvalidArgument;
    return enqueue(s, (struct work){ to, n, root });
}
const char *ncclGetErrorString(ncclResult_t e)
{
    return e ? "emulated: invalid" : "no error";
}
