#ifndef TRAIN_COMM_H
#define TRAIN_COMM_H
#include "compute/backend.h"
#include "core/err.h"
#include <stdint.h>

/* The processes of a data-parallel training: one for each device, started by mpirun or srun. Messages go through
 * libunimo-mpi.so, which is opened only when this process was started as one of several, so that programs run where MPI
 * is not installed; gradients on GPUs through libunimo-nccl.so where it is there. Every rank makes the same calls in
 * the same order. */
enum { COMM_ABI = 2, COMM_NAME_BYTES = 128 };
struct comm;
struct comm_ops { /* what the shared object exports as `unimo_mpi` */
    int abi;
    /* Sets rank and ranks; -1: why. */
    int (*open)(int *rank, int *ranks, char *why, size_t n);
    /* Sums over all ranks, in place, the same bits on each. */
    void (*sum_int)(int64_t *x, int64_t n);
    void (*sum_double)(double *x, int64_t n);
    void (*sum_float)(float *x, int64_t n);
    void (*broadcast)(void *x, int64_t bytes, int from); /* from a rank to all others */
    void (*close)(void);
    void (*abort)(int status); /* ends all ranks at once; does not return */
};

/* What libunimo-nccl.so exports as `unimo_nccl`. Calls enqueue work and return; -1: why. */
struct comm_gpu_ops {
    int abi;
    /* A name of COMM_NAME_BYTES for the group, made by one rank. */
    int (*name)(void *name, char *why, size_t n);
    /* memory: some of the device that this rank uses. */
    int (*open)(void **group, const void *name, int rank, int ranks, const void *memory, char *why, size_t n);
    /* After the work that was enqueued on `queue` so far. */
    int (*sum)(void *group, float *x, int64_t count, void *queue, char *why, size_t n);
    int (*broadcast)(void *group, float *x, int64_t count, int from, void *queue, char *why, size_t n);
    /* Work that is enqueued on `queue` from now on comes after all of the group's. */
    int (*join)(void *group, void *queue, char *why, size_t n);
    void (*close)(void *group);
};

/* *c is NULL for a process on its own, and that is a valid comm: rank 0 of 1. */
int comm_open(struct comm **c, struct err *e);
int comm_expected(void); /* how many processes this one was started with, before they talk; 1: none */
bool comm_speaks(void);  /* whether this is the one of them that says what all know */
/* What all processes find, a wrong option, say, the first one tells, which ends the others. They wait for that before
 * they tell the same: e is without text after it when there is nothing to be told any more. */
void comm_settle(struct err *e);
/* From here on what fails on a rank is its own, and is told at once. */
void comm_part(struct comm *c);
/* To be called before elements on the device are summed; memory: some of it. comm_leave() ends it. */
void comm_use(struct comm *c, struct device *d, const void *memory);
void comm_leave(struct comm *c);
int comm_rank(const struct comm *c);
int comm_ranks(const struct comm *c);
void comm_sum_int(struct comm *c, int64_t *x, int64_t n);
void comm_sum_double(struct comm *c, double *x, int64_t n);
void comm_broadcast(struct comm *c, void *x, int64_t bytes, int from);
/* Begins to sum F32 elements in device memory over all ranks, in place, by a thread or a stream of its own while the
 * caller goes on; the caller must leave them alone until comm_wait(): what it enqueues then comes after all sums. */
void comm_begin_sum(struct comm *c, struct tensor part);
void comm_wait(struct comm *c);
/* F32 elements in device memory, from a rank to all others. */
void comm_share(struct comm *c, struct tensor part, int from);
/* Seconds that sums took since the last call, and those of them that the caller spent waiting: the rest was hidden
 * behind its own work. With no sum under way. False where nobody measures: on GPUs. */
bool comm_times(struct comm *c, double *summing, double *waiting);
/* Prints the table of --profile, the first rank that of all; nothing when there is no profile, nor by a rank that
 * failed, for which the others would not be there. */
void comm_print_profile(struct comm *c, const struct device *d, const struct err *e);
/* The last thing that a rank does, so that all end together. After an error, but for ERR_SAVED, it tells it and ends
 * the job: the other ranks, which may wait for this one, are ended too. Returns for a process on its own. */
void comm_close(struct comm *c, struct err *e);
#endif
