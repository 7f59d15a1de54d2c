#include "train/comm.h"
#include "compute/profile.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/signals.h"
#include "core/str.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PENDING = 256 };
enum { PATIENCE = 10 }; /* seconds in which the first rank should find what another one found */

struct comm {
    const struct comm_ops *ops;
    void *plugin;
    int rank, ranks;
    bool is_apart;         /* errors are a rank's own */
    struct device *device; /* whose elements are summed: where its memory is the host's, MPI can read them */
    const struct comm_gpu_ops *gpu;
    void *group, *queue; /* with gpu: NCCL's, and the device's queue of work */
    /* without: sums under way */
    pthread_t thread;
    struct queue *begun, *ended;
    int64_t n_pending;
    double summing, waiting; /* seconds; the former is the thread's while sums are under way */
};

int comm_rank(const struct comm *c)
{
    return c ? c->rank : 0;
}

int comm_ranks(const struct comm *c)
{
    return c ? c->ranks : 1;
}

/* ---- opening ---- */

/* As Open MPI's mpirun, MPICH's and srun tell their children: the first of the variables that is a number from `least`
 * on; else the one below it. */
static int told(const char *open_mpi, const char *mpich, const char *slurm, int least)
{
    const char *const names[] = { open_mpi, mpich, getenv("SLURM_STEP_ID") ? slurm : mpich };
    int64_t n;

    for (int i = 0; i < 3; i++) {
        const char *text = getenv(names[i]);
        if (text && str_to_int(text, least, 1 << 24, &n)) return (int)n;
    }
    return least - 1;
}

int comm_expected(void)
{
    return told("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", 2);
}

static int expected_rank(void)
{
    return comm_expected() == 1 ? 0 : told("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID", 0);
}

bool comm_speaks(void)
{
    return expected_rank() <= 0;
}

/* Sums whatever was begun, one after the other; by way of the host where the elements are elsewhere. */
static void *sum_begun(void *arg)
{
    struct comm *c = arg;
    void *p;

    while (!queue_pop(c->begun, &p)) {
        struct tensor *part = p;
        double start = clock_seconds();
        float *x = c->device->is_host ? part->data : mem_new(float, part->n);
        if (!c->device->is_host) op_download(c->device, x, part->data, tensor_bytes(*part));
        c->ops->sum_float(x, part->n);
        if (!c->device->is_host) op_upload(c->device, part->data, x, tensor_bytes(*part));
        if (!c->device->is_host) free(x);
        free(part);
        c->summing += clock_seconds() - start;
        queue_push(c->ended, c);
    }
    return NULL;
}

static int open_plugin(struct comm *c, struct err *e)
{
    char *path = file_plugin("libunimo-mpi.so"), why[512] = "";

    /* MPI libraries load parts of themselves that look for their symbols globally. */
    if (access(path, R_OK))
        err_set(e, ERR_IO, "started as one of several processes, but libunimo-mpi.so was not built (no mpicc)");
    else if (!(c->plugin = dlopen(path, RTLD_NOW | RTLD_GLOBAL)))
        err_set(e, ERR_IO, "cannot load the part that uses MPI: %s", dlerror());
    else if (!(c->ops = dlsym(c->plugin, "unimo_mpi")) || c->ops->abi != COMM_ABI)
        err_set(e, ERR_IO, "%s: is of another version", path);
    else if (c->ops->open(&c->rank, &c->ranks, why, sizeof why)) err_set(e, ERR_IO, "MPI: %s", why);
    else if (c->ranks == 1) /* each would train for itself */
        err_set(e, ERR_IO,
                "started as one of %d processes, but MPI knows of no other (srun --mpi=list says how it can)",
                comm_expected());
    free(path);
    return e->code ? -1 : 0;
}

int comm_open(struct comm **out, struct err *e)
{
    *out = NULL;
    if (comm_expected() == 1) return 0;
    struct comm *c = mem_new(struct comm, 1);
    if (open_plugin(c, e)) {
        free(c);
        return -1;
    }
    c->begun = queue_new(PENDING);
    c->ended = queue_new(PENDING);
    if (pthread_create(&c->thread, NULL, sum_begun, c)) {
        log_line("rank %d: cannot start a thread", c->rank);
        c->ops->abort(1); /* the others wait for this rank */
    }
    *out = c;
    return 0;
}

/* Opens libunimo-nccl.so, when it is there; -1: why it is of no use. */
static int open_gpu(const struct comm_gpu_ops **gpu, char *why, size_t n)
{
    char *path = file_plugin("libunimo-nccl.so");
    void *plugin = access(path, R_OK) ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);

    *gpu = plugin ? dlsym(plugin, "unimo_nccl") : NULL;
    if (access(path, R_OK)) snprintf(why, n, "libunimo-nccl.so was not built");
    else if (!plugin) snprintf(why, n, "%s", dlerror());
    else if (!*gpu || (*gpu)->abi != COMM_ABI) snprintf(why, n, "libunimo-nccl.so is of another version");
    free(path);
    return why[0] ? -1 : 0;
}

/* All ranks sum by NCCL, or none does. */
void comm_use(struct comm *c, struct device *d, const void *memory)
{
    const struct comm_gpu_ops *gpu = NULL;
    char name[COMM_NAME_BYTES] = "", why[256] = "";
    int64_t failed;

    if (!c) return;
    c->device = d;
    if (!(c->queue = device_queue(d))) return;
    failed = open_gpu(&gpu, why, sizeof why) != 0;
    if (!failed && !c->rank) failed = gpu->name(name, why, sizeof why) != 0;
    comm_sum_int(c, &failed, 1);
    if (!failed) {
        comm_broadcast(c, name, sizeof name, 0);
        int64_t own = failed = gpu->open(&c->group, name, c->rank, c->ranks, memory, why, sizeof why) != 0;
        comm_sum_int(c, &failed, 1);
        if (failed && !own) gpu->close(c->group);
    }
    if (!failed) c->gpu = gpu;
    else if (why[0] && !c->rank) log_line("%s; gradients are summed by way of the host", why);
}

void comm_leave(struct comm *c)
{
    if (!c) return;
    if (c->gpu) c->gpu->close(c->group);
    c->gpu = NULL;
}

/* ---- ending ---- */

static bool has_failed(const struct err *e)
{
    return e->code && e->code != ERR_SAVED;
}

void comm_print_profile(struct comm *c, const struct device *d, const struct err *e)
{
    if (!c) profile_print(d);
    if (!c || has_failed(e) || !d->profile) return;
    double *x = mem_new(double, c->ranks *PROFILE_NUMBERS);
    profile_numbers(d, x + c->rank * PROFILE_NUMBERS);
    comm_sum_double(c, x, c->ranks * PROFILE_NUMBERS);
    if (!c->rank) profile_print_ranks(x, c->ranks);
    free(x);
}

void comm_settle(struct err *e)
{
    double start = clock_seconds();
    int before = signals_stop();

    if (comm_speaks()) return;
    while (signals_stop() == before && clock_seconds() - start < PATIENCE) usleep(20000);
    if (signals_stop() != before) e->text[0] = 0;
    else if (e->text[0]) err_in(e, "rank %d", expected_rank());
}

void comm_part(struct comm *c)
{
    if (c) c->is_apart = true;
}

static void end_job(struct comm *c, struct err *e)
{
    if (!c->is_apart || !e->text[0]) comm_settle(e);
    else err_in(e, "rank %d", c->rank);
    if (e->text[0]) log_line("%s", e->text);
    c->ops->abort(e->code == ERR_USAGE ? 2 : 1);
}

void comm_close(struct comm *c, struct err *e)
{
    if (!c) return;
    if (has_failed(e)) end_job(c, e);
    queue_close(c->begun);
    pthread_join(c->thread, NULL);
    queue_free(c->begun);
    queue_free(c->ended);
    c->ops->close();
    free(c); /* the libraries stay loaded: MPI's do not like to go */
}

/* ---- sums ---- */

void comm_sum_int(struct comm *c, int64_t *x, int64_t n)
{
    if (c) c->ops->sum_int(x, n);
}

void comm_sum_double(struct comm *c, double *x, int64_t n)
{
    if (c) c->ops->sum_double(x, n);
}

void comm_broadcast(struct comm *c, void *x, int64_t bytes, int from)
{
    if (c) c->ops->broadcast(x, bytes, from);
}

/* A collective that failed on one rank cannot be made good by the others. */
static void check(struct comm *c, int rc, const char *why)
{
    if (!rc) return;
    log_line("rank %d: %s", c->rank, why);
    c->ops->abort(1);
}

void comm_begin_sum(struct comm *c, struct tensor part)
{
    char why[256] = "";

    if (!c || !part.n) return;
    if (c->gpu) {
        check(c, c->gpu->sum(c->group, part.data, part.n, c->queue, why, sizeof why), why);
        return;
    }
    if (c->n_pending == PENDING) comm_wait(c);
    struct tensor *copy = mem_new(struct tensor, 1);
    *copy = part;
    c->n_pending++;
    queue_push(c->begun, copy);
}

void comm_wait(struct comm *c)
{
    double start = clock_seconds();
    char why[256] = "";
    void *p;

    if (!c) return;
    if (c->gpu) check(c, c->gpu->join(c->group, c->queue, why, sizeof why), why);
    for (; c->n_pending; c->n_pending--) queue_pop(c->ended, &p);
    c->waiting += clock_seconds() - start;
}

void comm_share(struct comm *c, struct tensor part, int from)
{
    char why[256] = "";

    if (!c || !part.n) return;
    if (c->gpu) {
        check(c, c->gpu->broadcast(c->group, part.data, part.n, from, c->queue, why, sizeof why), why);
        check(c, c->gpu->join(c->group, c->queue, why, sizeof why), why);
        return;
    }
    float *host = c->device->is_host ? part.data : mem_new(float, part.n);
    if (!c->device->is_host && from == c->rank) op_download(c->device, host, part.data, tensor_bytes(part));
    comm_broadcast(c, host, tensor_bytes(part), from);
    if (!c->device->is_host && from != c->rank) op_upload(c->device, part.data, host, tensor_bytes(part));
    if (!c->device->is_host) free(host);
}

bool comm_times(struct comm *c, double *summing, double *waiting)
{
    *summing = c->summing;
    *waiting = c->waiting;
    c->summing = c->waiting = 0;
    return !c->gpu;
}
