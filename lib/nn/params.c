#include "nn/params.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/rng.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RNG_PARAMS = 0x7061, STATES = 3 /* m, v, averages */ };

static int64_t padded(int64_t n)
{
    return (n + PARAMS_ALIGN - 1) / PARAMS_ALIGN * PARAMS_ALIGN;
}

int params_add(struct params *p, const char *name, enum param_init init, float std, int rank, const int64_t *shape)
{
    mem_reserve(&p->at, &p->cap, p->n + 1);
    struct param *q = &p->at[p->n];
    *q = (struct param){
        .rank = rank, .n = 1, .from = p->total, .init = init, .std = std, .lr_scale = 1, .decays = rank > 1
    };
    assert(strlen(name) < sizeof q->name && params_find(p, name) < 0);
    memcpy(q->name, name, strlen(name) + 1);
    for (int i = 0; i < rank; i++) {
        q->shape[i] = shape[i];
        q->n *= shape[i];
    }
    p->total += padded(q->n);
    return p->n++;
}

static struct tensor unset(struct device *d, enum dtype t, int64_t n)
{
    struct tensor x = tensor_1d(NULL, t, n);

    op_allocate(d, &x.data, tensor_bytes(x));
    return x;
}

static struct tensor flat(struct device *d, enum dtype t, int64_t n)
{
    struct tensor x = unset(d, t, n);

    if (x.data) op_fill(d, x, 0);
    return x;
}

/* The padding behind each parameter is zero, and stays so. */
static void fill_gaps(const struct params *p)
{
    for (int i = 0; i < p->n && p->value.data; i++) {
        const struct param *q = &p->at[i];
        int64_t end = q->from + q->n, next = i + 1 < p->n ? p->at[i + 1].from : p->total;
        if (next > end) op_fill(p->device, tensor_rows(p->value, end, next - end), 0);
    }
}

void params_build(struct params *p, struct device *d, enum dtype compute, bool training)
{
    p->device = d;
    p->compute = compute;
    p->value = unset(d, DT_F32, p->total);
    fill_gaps(p);
    if (compute == DT_BF16 && !d->is_host) p->value16 = unset(d, DT_BF16, p->total);
    if (!training) return;
    device_will_train(d);
    p->grad = flat(d, DT_F32, p->total);
    p->m = flat(d, DT_F32, p->total);
    p->v = flat(d, DT_F32, p->total);
    p->own_n = p->total;
}

void params_share(struct params *p, int64_t from, int64_t n)
{
    p->own_from = from;
    p->own_n = n;
    op_release(p->device, p->m.data);
    op_release(p->device, p->v.data);
    p->m = flat(p->device, DT_F32, n);
    p->v = flat(p->device, DT_F32, n);
}

/* Part of a flat buffer with the parameter's shape. */
static struct tensor part(struct tensor whole, const struct param *q)
{
    struct tensor x = whole;

    x.data = whole.data ? (char *)whole.data + q->from * dtype_size(whole.dtype) : NULL;
    x.n = q->n;
    x.rank = q->rank;
    memcpy(x.shape, q->shape, sizeof x.shape);
    for (int i = q->rank; i < TENSOR_RANK; i++) x.shape[i] = 1;
    return x;
}

void params_keep_average(struct params *p)
{
    p->average = flat(p->device, DT_F32, p->total);
    op_convert(p->device, p->average, p->value);
}

void params_average(struct params *p, float decay)
{
    op_scale(p->device, p->average, decay);
    op_axpy(p->device, p->average, p->value, 1 - decay);
}

void params_swap_average(struct params *p)
{
    struct tensor value = p->value;

    p->value = p->average;
    p->average = value;
    params_changed(p);
}

struct tensor params_weight(const struct params *p, int i)
{
    return p->value16.data ? part(p->value16, &p->at[i]) : params_f32(p, i);
}

struct tensor params_f32(const struct params *p, int i)
{
    struct tensor x = part(p->value, &p->at[i]);

    if (p->file.n) x.data = (void *)(uintptr_t)p->file.at[i].data;
    return x;
}

struct tensor params_grad(const struct params *p, int i)
{
    return part(p->grad, &p->at[i]);
}

int params_find(const struct params *p, const char *name)
{
    for (int i = 0; i < p->n; i++) {
        if (!strcmp(p->at[i].name, name)) return i;
    }
    return -1;
}

int64_t params_count(const struct params *p)
{
    int64_t n = 0;

    for (int i = 0; i < p->n; i++) n += p->at[i].n;
    return n;
}

void params_changed(struct params *p)
{
    if (p->value16.data) op_convert(p->device, p->value16, p->value);
    op_params_changed(p->device);
}

static float draw(const struct param *q, struct rng *r)
{
    switch (q->init) {
    case INIT_ZERO:
        return 0;
    case INIT_ONE:
        return 1;
    case INIT_TRUNC_NORMAL:
        return q->std * (float)rng_trunc_normal(r);
    case INIT_NORMAL:
        return q->std * (float)rng_normal(r);
    }
    return 0;
}

struct drawn {
    const struct param *at;
    uint64_t seed;
    float **host; /* [parameters] where they are drawn: in place, where the host can */
};

static int draw_one(int64_t i, int worker, void *arg, struct err *e)
{
    const struct drawn *all = arg;
    const struct param *q = &all->at[i];
    struct rng r;

    if (!all->host[i]) all->host[i] = mem_new(float, q->n);
    rng_init(&r, all->seed, rng_stream(RNG_PARAMS, hash64(q->name, strlen(q->name), 0), 0));
    for (int64_t k = 0; k < q->n; k++) all->host[i][k] = draw(q, &r);
    return 0;
}

void params_init(struct params *p, uint64_t seed)
{
    struct drawn all = { p->at, seed, mem_new(float *, p->n + 1) };
    struct err none = { 0 };

    for (int i = 0; i < p->n && p->device->is_host; i++) all.host[i] = params_f32(p, i).data;
    pool_for(p->n, 1, p->device->threads, draw_one, &all, &none);
    for (int i = 0; i < p->n && !p->device->is_host; i++) {
        op_upload(p->device, params_f32(p, i).data, all.host[i], p->at[i].n * (int64_t)sizeof(float));
        free(all.host[i]);
    }
    free(all.host);
    params_changed(p);
}

/* "[2,3]", or "[-]" for a parameter that is not there. */
static void add_shape(struct str *s, int rank, const int64_t *shape)
{
    str_add_char(s, '[');
    for (int k = 0; k < rank; k++) str_addf(s, "%s%" PRId64, k ? "," : "", shape[k]);
    str_add(s, rank < 0 ? "-]" : "]");
}

static void report_line(struct params_report *report, const char *status, const char *name, const struct param *here,
                        const struct safetensor *there)
{
    str_addf(&report->text, "%-10s %-64s model ", status, name);
    add_shape(&report->text, here ? here->rank : -1, here ? here->shape : NULL);
    str_add(&report->text, " file ");
    add_shape(&report->text, there ? there->rank : -1, there ? there->shape : NULL);
    str_add_char(&report->text, '\n');
}

static bool same_shape(const struct param *q, const struct safetensor *t)
{
    if (q->rank != t->rank) return false;
    for (int i = 0; i < q->rank; i++) {
        if (q->shape[i] != t->shape[i]) return false;
    }
    return true;
}

static int load_one(struct params *p, int i, const struct safetensor *t, struct err *e)
{
    const struct param *q = &p->at[i];

    if (!same_shape(q, t)) {
        struct str there = { 0 }, here = { 0 };
        add_shape(&there, t->rank, t->shape);
        add_shape(&here, q->rank, q->shape);
        err_set(e, ERR_INPUT, "tensor %s: shape %s (expected %s)", err_quote(t->name), there.data, here.data);
        str_release(&there);
        str_release(&here);
        return -1;
    }
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_INPUT, "tensor %s is %s (a float type was expected)", err_quote(t->name),
                       dtype_name(t->dtype));
    if (t->dtype == DT_F32) {
        op_upload(p->device, params_f32(p, i).data, t->data, t->n * (int64_t)sizeof(float));
        return 0;
    }
    float *host = mem_try((size_t)t->n, sizeof *host);
    if (!host) return err_set(e, ERR_IO, "not enough memory for %s", err_quote(t->name));
    dtype_to_f32(host, t->data, t->dtype, t->n);
    op_upload(p->device, params_f32(p, i).data, host, t->n * (int64_t)sizeof(float));
    free(host);
    return 0;
}

int params_load(struct params *p, const struct safetensors *s, const char *(*rename)(const char *name, void *arg),
                void *arg, bool strict, struct params_report *report, struct err *e)
{
    struct params_report own = { 0 }, *to = report ? report : &own;
    bool *used = mem_new(bool, s->n + 1);
    int rc = 0;

    for (int i = 0; i < p->n && !rc; i++) {
        const char *name = rename ? rename(p->at[i].name, arg) : p->at[i].name;
        const struct safetensor *t = name ? safetensors_find(s, name) : NULL;
        if (t) {
            rc = load_one(p, i, t, e);
            used[t - s->at] = true;
            to->matched++;
        } else {
            to->missing++;
            if (strict) rc = err_set(e, ERR_INPUT, "no tensor %s", err_quote(name ? name : p->at[i].name));
        }
        report_line(to, t ? "matched" : "missing", p->at[i].name, &p->at[i], t);
    }
    for (int k = 0; k < s->n && !rc; k++) {
        if (used[k]) continue;
        to->unexpected++;
        report_line(to, "unexpected", s->at[k].name, NULL, &s->at[k]);
    }
    if (!rc) params_changed(p);
    str_release(&own.text);
    free(used);
    return rc;
}

bool params_map(struct params *p, struct safetensors *s)
{
    bool fits = p->device->is_host && !p->grad.data && s->n == p->n;

    for (int i = 0; i < p->n && fits; i++) {
        const struct safetensor *t = &s->at[i];
        fits = !strcmp(t->name, p->at[i].name) && t->dtype == DT_F32 && same_shape(&p->at[i], t) &&
               (uintptr_t)t->data % sizeof(float) == 0;
    }
    if (!fits) return false;
    op_release(p->device, p->value.data);
    p->value.data = NULL;
    p->file = *s;
    *s = (struct safetensors){ 0 };
    params_changed(p);
    return true;
}

/* A file's tensors: those of one flat buffer after the other. */
struct saved {
    const struct params *p;
    struct tensor states[STATES];
    params_fetch *fetch;
    void *ctx;
};

static int fetch_here(void *ctx, const struct params *p, struct tensor state, int64_t from, int64_t n, float *to,
                      struct err *e)
{
    op_download(p->device, to, (const float *)state.data + from, n * (int64_t)sizeof *to);
    return device_check(p->device, e);
}

static int read_state(void *ctx, int i, int64_t offset, int64_t bytes, void *to, struct err *e)
{
    const struct saved *s = ctx;
    const struct param *q = &s->p->at[i % s->p->n];
    int64_t size = sizeof(float);

    return s->fetch(s->ctx, s->p, s->states[i / s->p->n], q->from + offset / size, bytes / size, to, e);
}

static int read_half(void *ctx, int i, int64_t offset, int64_t bytes, void *to, struct err *e)
{
    const struct saved *s = ctx;
    int64_t n = bytes / 2;
    float *whole = mem_new(float, n);
    int rc = fetch_here(NULL, s->p, s->states[0], s->p->at[i].from + offset / 2, n, whole, e);

    if (!rc) dtype_from_f32(to, DT_BF16, whole, n);
    free(whole);
    return rc;
}

/* The tensors of a flat buffer, named prefix + name. */
static void describe(const struct params *p, const char *prefix, enum dtype dtype, struct safetensor *t,
                     struct arena *names)
{
    for (int i = 0; i < p->n; i++) {
        const struct param *q = &p->at[i];
        struct str name = { 0 };
        str_addf(&name, "%s%s", prefix, q->name);
        t[i] = (struct safetensor){ .name = arena_strdup(names, name.data),
                                    .dtype = dtype,
                                    .rank = q->rank,
                                    .bytes = q->n * dtype_size(dtype),
                                    .n = q->n };
        memcpy(t[i].shape, q->shape, sizeof q->shape);
        str_release(&name);
    }
}

int params_save(const struct params *p, const char *path, bool half, struct err *e)
{
    static const char *const meta[] = { "format", "pt" };
    struct safetensor *t = mem_new(struct safetensor, p->n + 1);
    struct saved s = { .p = p, .states = { p->value }, .fetch = fetch_here };
    struct arena names = { 0 };

    describe(p, "", half ? DT_BF16 : DT_F32, t, &names);
    op_sync(p->device);
    int rc = safetensors_save_from(half ? read_half : read_state, &s, path, t, p->n, meta, 1, e);
    arena_release(&names);
    free(t);
    return rc;
}

int params_save_moments(const struct params *p, params_fetch *fetch, void *ctx, const char *path, struct err *e)
{
    static const char *const prefixes[STATES] = { "m.", "v.", "average." };
    struct safetensor *t = mem_new(struct safetensor, STATES * p->n + 1);
    struct saved s = { .p = p, .states = { p->m, p->v, p->average }, .fetch = fetch ? fetch : fetch_here, .ctx = ctx };
    int n = p->average.data ? STATES : STATES - 1;
    struct arena names = { 0 };

    for (int k = 0; k < n; k++) describe(p, prefixes[k], DT_F32, t + k * p->n, &names);
    op_sync(p->device);
    int rc = safetensors_save_from(read_state, &s, path, t, n * p->n, NULL, 0, e);
    arena_release(&names);
    free(t);
    return rc;
}

/* What is kept here of a parameter's moments, from the whole of it. */
static void upload_own(const struct params *p, struct tensor to, const struct param *q, const float *whole)
{
    int64_t from = q->from > p->own_from ? q->from : p->own_from, end = q->from + q->n;

    if (end > p->own_from + p->own_n) end = p->own_from + p->own_n;
    if (end > from)
        op_upload(p->device, (float *)to.data + (from - p->own_from), whole + (from - q->from),
                  (end - from) * (int64_t)sizeof(float));
}

/* The tensor PREFIX.NAME of a parameter's shape; NULL and an error when it is not there. */
static const struct safetensor *find_state(const struct safetensors *s, const char *prefix, const struct param *q,
                                           struct err *e)
{
    struct str name = { 0 };

    str_addf(&name, "%s.%s", prefix, q->name);
    const struct safetensor *t = safetensors_find(s, name.data);
    if (t && (t->dtype != DT_F32 || !same_shape(q, t))) t = NULL;
    if (!t) err_set(e, ERR_INPUT, "no tensor %s of the model's shape", err_quote(name.data));
    str_release(&name);
    return t;
}

int params_load_moments(struct params *p, const char *path, struct err *e)
{
    struct safetensors s;
    int rc = 0;

    if (safetensors_open(&s, path, e)) return -1;
    for (int i = 0; i < p->n && !rc; i++) {
        const struct param *q = &p->at[i];
        const struct safetensor *m = find_state(&s, "m", q, e), *v = m ? find_state(&s, "v", q, e) : NULL, *a = v;
        if (v && p->average.data) a = find_state(&s, "average", q, e);
        if (!a) {
            rc = -1;
            break;
        }
        upload_own(p, p->m, q, m->data);
        upload_own(p, p->v, q, v->data);
        if (p->average.data) op_upload(p->device, part(p->average, q).data, a->data, a->bytes);
    }
    safetensors_close(&s);
    return rc ? err_in(e, "%s", path) : 0;
}

/* Runs of kept elements with the same rate and decay; the padding between parameters is zero and stays so. */
static int own_segments(const struct params *p, float weight_decay, struct adamw_segment *segments)
{
    int n = 0;

    for (int i = 0; i < p->n; i++) {
        const struct param *q = &p->at[i];
        int64_t from = q->from, end = from + padded(q->n);
        float decay = q->decays ? weight_decay : 0;
        struct adamw_segment *last = n ? &segments[n - 1] : NULL;
        if (from < p->own_from) from = p->own_from;
        if (end > p->own_from + p->own_n) end = p->own_from + p->own_n;
        if (end <= from) continue;
        if (last && last->lr_scale == q->lr_scale && last->weight_decay == decay) last->n += end - from;
        else segments[n++] = (struct adamw_segment){ from - p->own_from, end - from, q->lr_scale, decay };
    }
    return n;
}

void params_step(struct params *p, struct adamw a, float weight_decay, struct tensor square_sum)
{
    struct adamw_segment *segments = mem_new(struct adamw_segment, p->n + 1);
    int64_t from = p->own_from, n = p->own_n, end = from + n;
    struct tensor half = p->value16.data ? tensor_rows(p->value16, from, n) : p->value16;

    for (int i = 0; i < p->n; i++) { /* what is frozen does not count for clipping */
        if (p->at[i].lr_scale == 0) op_fill(p->device, params_grad(p, i), 0);
    }
    op_sum_of_squares(p->device, square_sum, p->grad);
    op_adamw(p->device, tensor_rows(p->value, from, n), half, tensor_rows(p->grad, from, n), p->m, p->v, square_sum,
             segments, own_segments(p, weight_decay, segments), a);
    if (from) op_fill(p->device, tensor_rows(p->grad, 0, from), 0);
    if (end < p->total) op_fill(p->device, tensor_rows(p->grad, end, p->total - end), 0);
    free(segments);
}

void params_release(struct params *p)
{
    struct tensor all[] = { p->value, p->value16, p->grad, p->m, p->v, p->average };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].data) op_release(p->device, all[i].data);
    }
    safetensors_close(&p->file);
    free(p->at);
    *p = (struct params){ 0 };
}
