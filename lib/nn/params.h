#ifndef NN_PARAMS_H
#define NN_PARAMS_H
#include "compute/backend.h"
#include "core/str.h"
#include "stream/safetensors.h"

/* The named parameters of a model in flat buffers on one device: F32 masters, a BF16 copy for products when the compute
 * type is BF16 and the device is not the host, which rounds where it packs, and for training gradients and AdamW
 * moments. Used in three steps: params_add() for each, params_build(), then params_init() and/or params_load(). */
enum param_init { INIT_ZERO, INIT_ONE, INIT_TRUNC_NORMAL, INIT_NORMAL };
enum { PARAM_NAME_MAX = 128 };
/* Each begins at a multiple of so many elements: 64 bytes of F32, a line of the processor's cache. */
enum { PARAMS_ALIGN = 16 };
struct param {
    char name[PARAM_NAME_MAX];
    int rank;
    int64_t shape[TENSOR_RANK];
    int64_t n, from; /* elements; first element in the flat buffers */
    enum param_init init;
    float std;      /* deviation */
    float lr_scale; /* 1; 0 freezes */
    bool decays;    /* weight decay applies (not to biases and norms) */
};
struct params {
    struct device *device;
    int n;
    int64_t cap;
    struct param *at;
    int64_t total;                            /* elements of the flat buffers, padding included */
    enum dtype compute;                       /* DT_F32 or DT_BF16 */
    struct tensor value, value16, grad, m, v; /* flat; value16 may be none; grad, m, v none without training */
    struct tensor average;                    /* of the values over the steps (F32), or none */
    int64_t own_from, own_n;                  /* elements whose moments are kept here: all, unless params_share() */
    struct safetensors file;                  /* of params_map(), which has the values instead of value; or none */
};

/* Adds a parameter; returns its index. Names are unique. Rank-1 parameters do not decay. */
int params_add(struct params *p, const char *name, enum param_init init, float std, int rank, const int64_t *shape);
/* Memory for them. The values are not set yet: params_init() or a strict params_load() does that. */
void params_build(struct params *p, struct device *d, enum dtype compute, bool training);
/* Each parameter is drawn from a stream named by (seed, its name): adding one does not change the others. */
void params_init(struct params *p, uint64_t seed);
struct tensor params_weight(const struct params *p, int i); /* for products: in the compute type, or F32 on the host */
struct tensor params_f32(const struct params *p, int i);    /* master: biases, norms */
struct tensor params_grad(const struct params *p, int i);
int params_find(const struct params *p, const char *name); /* -1 */
int64_t params_count(const struct params *p);              /* elements without padding */

/* What a load did, for the table that --init prints. */
struct params_report {
    int matched, missing, unexpected;
    struct str text; /* one line each: status, name, shape here, shape there */
};
/* Loads by name. rename (or NULL) maps a parameter's name to the file's name for it (NULL: not expected there).
 * strict: every parameter must be there with its shape; else missing ones keep their values and are reported.
 * A wrong shape is always an error. F32, F16, BF16 and F64 files are read. */
int params_load(struct params *p, const struct safetensors *s, const char *(*rename)(const char *name, void *arg),
                void *arg, bool strict, struct params_report *report, struct err *e);
/* The same without a copy, when the values are only read, and by the host, and the file has just these parameters, in
 * this order, in F32: takes over s, whose data they are from then on. Else false, and nothing is changed. */
bool params_map(struct params *p, struct safetensors *s);
/* model.safetensors: F32, or BF16 when half. Not of values that params_map() found. */
int params_save(const struct params *p, const char *path, bool half, struct err *e);
/* Keeps moments for a part of the elements only, which params_step() then steps alone; who keeps the others steps them
 * and sends their values. To be called before moments are loaded. */
void params_share(struct params *p, int64_t from, int64_t n);
/* Keeps an exponential moving average of the values, which begins at the present ones; params_average() adds a step. */
void params_keep_average(struct params *p);
void params_average(struct params *p, float decay);
/* Puts the averages in the place of the values, and back. */
void params_swap_average(struct params *p);
/* Values were changed from outside: what is made of them for products follows. */
void params_changed(struct params *p);
/* Moments of AdamW: names "m.NAME" and "v.NAME", and averages: "average.NAME". fetch: brings elements of p->m, p->v or
 * p->average to the host when others keep a part of them; NULL: all are kept here. */
typedef int params_fetch(void *ctx, const struct params *p, struct tensor state, int64_t from, int64_t n, float *to,
                         struct err *e);
int params_save_moments(const struct params *p, params_fetch *fetch, void *ctx, const char *path, struct err *e);
int params_load_moments(struct params *p, const char *path, struct err *e);

/* One AdamW step over everything with its lr_scale and decay; clips to max_norm; zeroes the gradients. weight_decay
 * applies to the parameters that decay. */
void params_step(struct params *p, struct adamw a, float weight_decay, struct tensor square_sum);
void params_release(struct params *p);
#endif
