#include "train/comm.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/str.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PENDING = 256 };

struct sum {
    struct device *device;
    struct tensor part;
};
struct comm {
    const struct comm_ops *ops;
    void *plugin;
    int rank, ranks;
    /* sums under way */
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

/* As Open MPI's mpirun, MPICH's and srun tell their children. */
int comm_expected(void)
{
    const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                  getenv("SLURM_STEP_ID") ? "SLURM_STEP_NUM_TASKS" : "PMI_SIZE" };
    int64_t n;

    for (int i = 0; i < 3; i++) {
        const char *text = getenv(names[i]);
        if (text && str_to_int(text, 2, 1 << 24, &n)) return (int)n;
    }
    return 1;
}

/* Sums whatever was begun, one after the other. */
static void *sum_begun(void *arg)
{
    struct comm *c = arg;
    void *p;

    while (!queue_pop(c->begun, &p)) {
        struct sum *s = p;
        double start = clock_seconds();
        bool is_host = strcmp(s->device->ops->name, "cuda") != 0;
        float *x = is_host ? s->part.data : mem_new(float, s->part.n);
        if (!is_host) op_download(s->device, x, s->part.data, tensor_bytes(s->part));
        c->ops->sum_float(x, s->part.n);
        if (!is_host) op_upload(s->device, s->part.data, x, tensor_bytes(s->part));
        if (!is_host) free(x);
        free(s);
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
    if (pthread_create(&c->thread, NULL, sum_begun, c)) abort();
    *out = c;
    return 0;
}

void comm_close(struct comm *c)
{
    if (!c) return;
    queue_close(c->begun);
    pthread_join(c->thread, NULL);
    queue_free(c->begun);
    queue_free(c->ended);
    c->ops->close();
    free(c); /* the library stays loaded: MPI's do not like to go */
}

void comm_abort(struct comm *c, int status)
{
    if (c) c->ops->abort(status);
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

void comm_begin_sum(struct comm *c, struct device *d, struct tensor part)
{
    if (!c || !part.n) return;
    if (c->n_pending == PENDING) comm_wait(c);
    struct sum *s = mem_new(struct sum, 1);
    *s = (struct sum){ d, part };
    c->n_pending++;
    queue_push(c->begun, s);
}

void comm_wait(struct comm *c)
{
    double start = clock_seconds();
    void *p;

    if (!c) return;
    for (; c->n_pending; c->n_pending--) queue_pop(c->ended, &p);
    c->waiting += clock_seconds() - start;
}

void comm_times(struct comm *c, double *summing, double *waiting)
{
    *summing = c->summing;
    *waiting = c->waiting;
    c->summing = c->waiting = 0;
}
