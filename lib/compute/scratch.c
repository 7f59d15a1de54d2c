/* Memory of one step on a device: a stack in one chunk as large as the largest step so far. A step that needs more
 * takes further chunks; the next reset joins them into one, so that after the first steps nothing is allocated. Host
 * memory costs nothing until it is touched, and that once: there chunks grow by doubling and all are kept. */
#include "compute/backend.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>

enum { SCRATCH_ALIGN = 256, SCRATCH_CHUNK = 4 << 20, TURNS = 256 << 20 };
struct scratch_chunk {
    struct scratch_chunk *older;
    char *data;
    int64_t from, bytes; /* this chunk holds the stack's [from, from + bytes) */
};

void scratch_init(struct scratch *s, struct device *d)
{
    *s = (struct scratch){ .device = d };
}

/* A spare chunk that is large enough, or NULL. */
static struct scratch_chunk *take_spare(struct scratch *s, int64_t bytes)
{
    struct scratch_chunk **at = &s->spare;

    while (*at && (*at)->bytes < bytes) at = &(*at)->older;
    struct scratch_chunk *c = *at;
    if (c) *at = c->older;
    return c;
}

static void add_chunk(struct scratch *s, int64_t bytes)
{
    struct scratch_chunk *c = take_spare(s, bytes);
    void *data;

    if (!c) {
        if (s->device->is_host && bytes < s->used) bytes = s->used;
        op_allocate(s->device, &data, bytes);
        c = mem_new(struct scratch_chunk, 1);
        *c = (struct scratch_chunk){ .data = data, .bytes = bytes };
    }
    c->older = s->chunk;
    c->from = s->used;
    s->chunk = c;
}

static void spare_newest(struct scratch *s)
{
    struct scratch_chunk *c = s->chunk;

    s->chunk = c->older;
    c->older = s->spare;
    s->spare = c;
}

static void drop_chunks(struct scratch *s, struct scratch_chunk *c)
{
    while (c) {
        struct scratch_chunk *older = c->older;
        op_release(s->device, c->data);
        free(c);
        c = older;
    }
}

static void drop_all(struct scratch *s)
{
    if (s->chunk) op_sync(s->device);
    drop_chunks(s, s->chunk);
    drop_chunks(s, s->spare);
    s->chunk = s->spare = NULL;
}

static void *take(struct scratch *s, int64_t bytes)
{
    if (!bytes) bytes = 1; /* operations tell tensors apart by their addresses, empty ones too */
    bytes = (bytes + SCRATCH_ALIGN - 1) & ~(int64_t)(SCRATCH_ALIGN - 1);
    struct scratch_chunk *c = s->chunk;
    if (!c || s->used - c->from + bytes > c->bytes) {
        add_chunk(s, bytes > SCRATCH_CHUNK ? bytes : SCRATCH_CHUNK);
        c = s->chunk;
    }
    void *p = c->data ? c->data + (s->used - c->from) : NULL;
    s->used += bytes;
    if (s->used > s->peak) s->peak = s->used;
    return p;
}

struct tensor scratch_4d(struct scratch *s, enum dtype t, int64_t a, int64_t b, int64_t c, int64_t e)
{
    struct tensor x = tensor_4d(NULL, t, a, b, c, e);

    x.data = take(s, tensor_bytes(x));
    return x;
}

struct tensor scratch_3d(struct scratch *s, enum dtype t, int64_t a, int64_t b, int64_t c)
{
    struct tensor x = scratch_4d(s, t, a, b, c, 1);

    x.rank = 3;
    return x;
}

struct tensor scratch_2d(struct scratch *s, enum dtype t, int64_t a, int64_t b)
{
    struct tensor x = scratch_4d(s, t, a, b, 1, 1);

    x.rank = 2;
    return x;
}

struct tensor scratch_1d(struct scratch *s, enum dtype t, int64_t a)
{
    struct tensor x = scratch_4d(s, t, a, 1, 1, 1);

    x.rank = 1;
    return x;
}

struct tensor scratch_zeros(struct scratch *s, struct tensor like)
{
    like.data = take(s, tensor_bytes(like));
    op_fill(s->device, like, 0);
    return like;
}

struct tensor scratch_upload(struct scratch *s, struct tensor host)
{
    const void *from = host.data;

    host.data = take(s, tensor_bytes(host));
    op_upload(s->device, host.data, from, tensor_bytes(host));
    return host;
}

void scratch_reserve(struct scratch *s, int64_t bytes)
{
    const struct scratch_chunk *c = s->chunk;

    if (!c || s->used - c->from + bytes > c->bytes) add_chunk(s, bytes > SCRATCH_CHUNK ? bytes : SCRATCH_CHUNK);
}

void scratch_turns(struct scratch *s)
{
    if (s->device->is_host) scratch_reserve(s, s->used + TURNS);
}

int64_t scratch_mark(const struct scratch *s)
{
    return s->used;
}

/* Work on what is given back may still be under way; operations run in order, so that later ones may overwrite it.
 * Chunks are only freed at a reset. */
void scratch_back_to(struct scratch *s, int64_t mark)
{
    assert(mark <= s->used);
    while (s->chunk && s->chunk->from > mark) spare_newest(s);
    s->used = mark;
}

void scratch_reset(struct scratch *s)
{
    s->used = 0;
    if (s->device->is_host) {
        while (s->chunk) spare_newest(s);
        return;
    }
    if (s->chunk && !s->chunk->older && !s->spare && s->chunk->bytes >= s->peak) {
        s->chunk->from = 0;
        return;
    }
    drop_all(s);
    if (s->peak) add_chunk(s, s->peak + s->peak / 8);
}

void scratch_release(struct scratch *s)
{
    drop_all(s);
    *s = (struct scratch){ 0 };
}
