/* Opening devices: the two CPU tables, and the CUDA back end as a shared object found at run time. */
#include "compute/backend.h"
#include "compute/cpu/cpu.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/str.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A device with its own copy of the table, so that closing needs no globals. */
struct opened {
    struct device device;
    struct ops table;
    void *plugin;
};

/* What libunimo-cuda.so exports: fills the table and the device's state for GPU `index`, or writes why not. It is told
 * which table is expected, and refuses to fill another one. */
typedef int plugin_open(struct device *d, struct ops *table, int abi, int index, char *why, size_t n);

static struct device *open_cpu(const char *name, int threads, struct err *e)
{
    struct opened *o = mem_new(struct opened, 1);

    o->table = cpu_reference;
    o->device = (struct device){
        .ops = &o->table, .threads = threads > 0 ? threads : pool_cpus(), .param_epoch = 1, .is_host = true
    };
    if (!strcmp(name, "ref")) return &o->device;
    if (!cpu_fast_rows(&o->table))
        err_set(e, ERR_USAGE, "UNIMO_CPU: %s: no level of this kind of processor (see unimo(7))",
                err_quote(getenv("UNIMO_CPU")));
    else if (!fast_open(&o->device)) return &o->device;
    else err_set(e, ERR_IO, "--device cpu: %s", o->device.why);
    free(o);
    return NULL;
}

/* The plugin stays loaded once it was: the libraries behind it keep memory of their own until the program ends. */
static struct device *open_cuda(int index, int threads, struct err *e)
{
    char *path = file_plugin("libunimo-cuda.so"), why[512] = "";
    struct opened *o = mem_new(struct opened, 1);
    plugin_open *open = NULL;

    o->device = (struct device){ .ops = &o->table, .threads = threads > 0 ? threads : pool_cpus(), .param_epoch = 1 };
    if (access(path, R_OK)) {
        err_set(e, ERR_IO, "no CUDA back end built (libunimo-cuda.so is not there)");
    } else if (!(o->plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))) {
        err_set(e, ERR_IO, "cannot load the CUDA back end: %s", dlerror());
    } else {
        *(void **)&open = dlsym(o->plugin, "unimo_cuda_open");
        if (!open) err_set(e, ERR_IO, "%s: is not a back end of unimo", path);
        else if (open(&o->device, &o->table, OPS_ABI, index, why, sizeof why))
            err_set(e, ERR_IO, "no usable GPU: %s", why);
    }
    free(path);
    if (!e->code) return &o->device;
    if (o->plugin) dlclose(o->plugin);
    free(o);
    return NULL;
}

/* Without the driver's library there is no GPU: to find that out, the back end and the large libraries behind it need
 * not be loaded. */
static bool has_driver(void)
{
    return dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE) != NULL;
}

/* Which of the ranks on this machine this process is, as mpirun or srun say; 0 for a process on its own. */
static int local_rank(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID" };
    int64_t rank = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text && str_to_int(text, 0, 1023, &rank)) return (int)rank;
    }
    return 0;
}

/* The GPU of this rank: its own number, or the only one that it is shown. */
static struct device *open_own_cuda(int threads, struct err *e)
{
    struct err why = { 0 };
    int rank = local_rank();
    struct device *d = rank ? open_cuda(rank, threads, &why) : NULL;

    return d ? d : open_cuda(0, threads, e);
}

struct device *device_open(const char *name, int threads, struct err *e)
{
    struct err why = { 0 };
    int64_t index = 0;

    if (name && (!strcmp(name, "cpu") || !strcmp(name, "ref"))) return open_cpu(name, threads, e);
    if (!name && !has_driver()) return open_cpu("cpu", threads, e);
    bool is_any = !name || !strcmp(name, "cuda");
    if (!is_any && !(str_starts(name, "cuda:") && str_to_int(name + 5, 0, 1023, &index))) {
        err_set(e, ERR_USAGE, "--device %s: not one of cpu, ref, cuda, cuda:N", err_quote(name));
        return NULL;
    }
    struct device *d = is_any ? open_own_cuda(threads, &why) : open_cuda((int)index, threads, &why);
    if (d) return d;
    if (!name) {
        log_line("%s: the CPU is used", why.text);
        return open_cpu("cpu", threads, e);
    }
    *e = why;
    err_in(e, "--device %s", name);
    return NULL;
}

void device_close(struct device *d)
{
    struct opened *o = (struct opened *)(void *)d;

    if (!d) return;
    if (o->table.close) o->table.close(d);
    free(d->profile);
    if (o->plugin) dlclose(o->plugin);
    free(o);
}

void *device_queue(struct device *d)
{
    return d->queue;
}

void device_will_train(struct device *d)
{
    d->trains = true;
}

bool device_has_bf16(const struct device *d)
{
    return d->has_bf16;
}

int device_check(struct device *d, struct err *e)
{
    op_sync(d);
    return d->why[0] ? err_set(e, ERR_IO, "%s", d->why) : 0;
}
