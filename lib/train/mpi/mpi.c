/* libunimo-mpi.so: the messages between ranks by MPI. The only file that knows it. */
#include "train/comm.h"
#include <mpi.h>
#include <stdio.h>

/* Sums of more elements are cut: counts are int, and MPI's own buffers stay small. */
enum { PIECE = 1 << 24 };

static void sum(char *x, int64_t n, int64_t size, MPI_Datatype type)
{
    for (int64_t from = 0; from < n; from += PIECE) {
        int64_t part = n - from < PIECE ? n - from : PIECE;
        MPI_Allreduce(MPI_IN_PLACE, x + from * size, (int)part, type, MPI_SUM, MPI_COMM_WORLD);
    }
}

static void sum_int(int64_t *x, int64_t n)
{
    sum((char *)x, n, sizeof *x, MPI_INT64_T);
}

static void sum_double(double *x, int64_t n)
{
    sum((char *)x, n, sizeof *x, MPI_DOUBLE);
}

static void sum_float(float *x, int64_t n)
{
    sum((char *)x, n, sizeof *x, MPI_FLOAT);
}

static void broadcast(void *x, int64_t bytes, int from)
{
    for (int64_t at = 0; at < bytes; at += PIECE) {
        int64_t part = bytes - at < PIECE ? bytes - at : PIECE;
        MPI_Bcast((char *)x + at, (int)part, MPI_BYTE, from, MPI_COMM_WORLD);
    }
}

static int open(int *rank, int *ranks, char *why, size_t n)
{
    int level = 0;

    /* One thread sums gradients, another everything else, never at the same time. */
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) || level < MPI_THREAD_SERIALIZED) {
        snprintf(why, n, "cannot be used from several threads");
        return -1;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, ranks);
    return 0;
}

static void close(void)
{
    MPI_Finalize();
}

static void abort_all(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

extern const struct comm_ops unimo_mpi;
const struct comm_ops unimo_mpi = { COMM_ABI, open, sum_int, sum_double, sum_float, broadcast, close, abort_all };
