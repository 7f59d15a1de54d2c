/* Parameters in the layouts that the library prefers, shared by all primitives that want the same one. In training most
 * are wanted once between updates: they are packed into a room that the next one takes, which stays in the cache. What
 * is wanted again, and is not there any more, gets memory of its own, and so does all of a model that only predicts. */
#include "compute/cpu/cpu.h"
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "core/hash.h"
#include "core/mem.h"
#include <stdio.h>
#include <stdlib.h>

struct packed {
    dnnl_memory_t plain, packed;
    dnnl_primitive_t reorder;
    void *own;      /* memory of its own, or NULL */
    uint64_t epoch; /* of the parameters, when they were packed; 0: not yet */
};

static void packed_free(void *item)
{
    struct packed *p = item;

    dnnl_primitive_destroy(p->reorder);
    dnnl_memory_destroy(p->plain);
    dnnl_memory_destroy(p->packed);
    free(p->own);
    free(p);
}

uint64_t layout_hash(const struct layout *l)
{
    return hash64(&l->plain, sizeof l->plain, hash64(&l->wanted, sizeof l->wanted, 0));
}

static dnnl_status_t make(struct dnnl_state *state, struct packed *p, const struct layout *l)
{
    dnnl_primitive_desc_t pd = NULL;

    mem_expect(DNNL_ROOM);
    dnnl_status_t s = dnnl_memory_create(&p->plain, &l->plain, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_memory_create(&p->packed, &l->wanted, state->engine, DNNL_MEMORY_NONE);
    if (!s) s = dnnl_reorder_primitive_desc_create(&pd, &l->plain, state->engine, &l->wanted, state->engine, NULL);
    if (!s) s = dnnl_primitive_create(&p->reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

/* Where what is packed goes: into a room that the next one overwrites, or into memory of its own. */
static dnnl_status_t place(struct device *d, struct packed *p, const struct layout *l, bool is_param)
{
    int64_t bytes = (int64_t)dnnl_memory_desc_get_size(&l->wanted);
    bool is_kept = is_param && (!d->trains || p->epoch == d->param_epoch);

    if (is_kept && !p->own && cpu_allocate(d, &p->own, bytes)) return dnnl_out_of_memory;
    void *room = p->own ? p->own : fast_room(d, is_param ? ROOM_PARAM : ROOM_PACKED, bytes);
    return room ? dnnl_memory_set_data_handle(p->packed, room) : dnnl_out_of_memory;
}

static dnnl_status_t fill(struct device *d, struct packed *p, const struct layout *l, const void *data)
{
    dnnl_exec_arg_t args[2] = { { DNNL_ARG_FROM, p->plain }, { DNNL_ARG_TO, p->packed } };
    void *plain = l->transform ? l->transform(d, l, data) : NULL;

    if (l->transform && !plain) return dnnl_out_of_memory;
    dnnl_memory_set_data_handle(p->plain, plain ? plain : (void *)(uintptr_t)data);
    dnnl_status_t s = dnnl_primitive_execute(p->reorder, fast_dnnl(d)->stream, 2, args);
    free(plain);
    return s;
}

static dnnl_status_t pack(struct device *d, struct packed *p, const struct layout *l, const void *data, bool is_param)
{
    struct dnnl_state *state = fast_dnnl(d);

    if (is_param && p->epoch == d->param_epoch && (p->own || state->in_room == p)) return dnnl_success;
    dnnl_status_t s = place(d, p, l, is_param);
    if (is_param && !p->own) state->in_room = NULL;
    if (!s) s = fill(d, p, l, data);
    p->epoch = is_param && !s ? d->param_epoch : 0;
    if (p->epoch && !p->own) state->in_room = p;
    return s;
}

dnnl_memory_t dnnl_packed(struct device *d, const struct layout *l, const void *data, bool is_param)
{
    struct dnnl_state *state = fast_dnnl(d);
    struct lru_key key = { { is_param ? (int64_t)(uintptr_t)data : 0, (int64_t)l->hash } };
    dnnl_status_t s = dnnl_success;

    if (!state->packed) state->packed = lru_new(PACKED_MOST, packed_free);
    struct packed *p = lru_find(state->packed, &key);
    if (!p) {
        p = mem_new(struct packed, 1);
        s = make(state, p, l);
        if (!s) lru_add(state->packed, &key, p);
        else packed_free(p);
    }
    if (!s) s = pack(d, p, l, data, is_param);
    if (!s) return p->packed;
    snprintf(d->why, sizeof d->why, "packing a matrix: the matrix library refused (status %d)", (int)s);
    return NULL;
}
