/* The state behind the fast rows: oneDNN's engine, kept working memory. */
#include "compute/cpu/fast.h"
#include "compute/cpu/cpu.h"
#include "compute/cpu/dnnl_state.h"
#include "core/mem.h"
#include "core/pool.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

struct fast_state {
    struct dnnl_state dnnl;
    struct {
        void *data;
        int64_t bytes;
    } room[ROOM_COUNT];
};

static bool cpu_has_bf16(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool fast_multiplies_bf16(void)
{
    dnnl_engine_t engine = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t square;
    dnnl_matmul_desc_t op;

    mem_expect(DNNL_ROOM);
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&square, 2, (dnnl_dims_t){ 16, 16 }, dnnl_bf16, dnnl_ab);
    if (!s) s = dnnl_matmul_desc_init(&op, &square, &square, NULL, &square);
    if (!s) s = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (!s) s = dnnl_primitive_desc_create(&pd, &op, NULL, engine, NULL);
    dnnl_primitive_desc_destroy(pd);
    dnnl_engine_destroy(engine);
    return !s;
}

/* OpenMP ends the program when it cannot start a thread: it starts now those that it can have, and later no more. */
static int start_threads(int wanted)
{
    int n = 0;

    omp_set_dynamic(0);
    omp_set_num_threads(pool_startable(wanted));
#pragma omp parallel reduction(+ : n)
    n++;
    return n;
}

int fast_open(struct device *d)
{
    struct fast_state *s = mem_new(struct fast_state, 1);

    d->impl = s;
    /* Working memory and columns are shared out between as many threads as there will be. */
    if (d->threads > omp_get_thread_limit()) d->threads = omp_get_thread_limit();
    d->threads = start_threads(d->threads);
    d->has_bf16 = cpu_has_bf16();
    if (!dnnl_engine_create(&s->dnnl.engine, dnnl_cpu, 0) &&
        !dnnl_stream_create(&s->dnnl.stream, s->dnnl.engine, dnnl_stream_default_flags))
        return 0;
    snprintf(d->why, sizeof d->why, "the matrix library does not start");
    fast_close(d);
    return -1;
}

void fast_close(struct device *d)
{
    struct fast_state *s = d->impl;

    lru_free(s->dnnl.products);
    lru_free(s->dnnl.convolutions);
    lru_free(s->dnnl.winograd);
    lru_free(s->dnnl.packed);
    dnnl_stream_destroy(s->dnnl.stream);
    dnnl_engine_destroy(s->dnnl.engine);
    for (int i = 0; i < ROOM_COUNT; i++) free(s->room[i].data);
    free(s);
    d->impl = NULL;
}

struct dnnl_state *fast_dnnl(struct device *d)
{
    return &((struct fast_state *)d->impl)->dnnl;
}

void *fast_room(struct device *d, enum fast_room which, int64_t bytes)
{
    struct fast_state *s = d->impl;

    if (bytes <= s->room[which].bytes) return s->room[which].data;
    free(s->room[which].data);
    s->room[which].bytes = 0;
    s->room[which].data = NULL;
    if (cpu_allocate(d, &s->room[which].data, bytes)) return NULL;
    s->room[which].bytes = bytes;
    return s->room[which].data;
}
