#include "core/mem.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void (*failure_handler)(size_t bytes);

void mem_on_failure(void (*handler)(size_t bytes))
{
    failure_handler = handler;
}

void mem_fail(size_t bytes)
{
    if (failure_handler) failure_handler(bytes);
    abort();
}

bool mem_size(size_t *bytes, size_t a, size_t b, size_t c)
{
    return !__builtin_mul_overflow(a, b, bytes) && !__builtin_mul_overflow(*bytes, c, bytes);
}

void mem_expect(size_t bytes)
{
    /* untouched, it costs little */
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) mem_fail(bytes);
    munmap(p, bytes);
}

/* Of glibc's two only malloc() takes small pieces from what the thread itself freed, without a lock; calloc() knows
 * which large ones are zero already. */
enum { SMALL = 1024 };

void *mem_try(size_t count, size_t size)
{
    size_t bytes;

    if (!mem_size(&bytes, count, size, 1)) return NULL;
    if (bytes > SMALL) return calloc(1, bytes);
    void *p = malloc(bytes ? bytes : 1);
    return p ? memset(p, 0, bytes) : NULL;
}

void *mem_alloc(size_t count, size_t size)
{
    void *p = mem_try(count, size);

    if (!p) mem_fail(count * size);
    return p;
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_new(char, n + 1);

    if (n) memcpy(copy, s, n);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

static int extend(void **at, int64_t *cap, int64_t need, size_t size)
{
    size_t bytes;

    if (need <= *cap) return 0;
    int64_t grown = *cap < 8 ? 8 : *cap + *cap / 2;
    if (grown < need) grown = need;
    if (!mem_size(&bytes, (size_t)grown, size, 1) || bytes > PTRDIFF_MAX) return -1;
    char *p = realloc(*at, bytes);
    if (!p) return -1;
    *at = p;
    *cap = grown;
    return 0;
}

int mem_reserve_try_bytes(void **at, int64_t *cap, int64_t need, size_t size)
{
    int64_t was = *cap;

    if (extend(at, cap, need, size)) return -1;
    if (*cap > was) memset((char *)*at + (size_t)was * size, 0, (size_t)(*cap - was) * size);
    return 0;
}

void mem_extend_bytes(void **at, int64_t *cap, int64_t need, size_t size)
{
    if (extend(at, cap, need, size)) mem_fail((size_t)need * size);
}

void mem_reserve_bytes(void **at, int64_t *cap, int64_t need, size_t size)
{
    if (mem_reserve_try_bytes(at, cap, need, size)) mem_fail((size_t)need * size);
}

enum { ARENA_ALIGN = 64, ARENA_CHUNK = 64 << 10 };
struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    char pad[ARENA_ALIGN - 2 * sizeof(size_t)];
    char data[];
};

static void arena_grow(struct arena *a, size_t bytes)
{
    size_t size = a->chunk ? a->chunk->size * 2 : ARENA_CHUNK;
    if (size < bytes) size = bytes;
    struct arena_chunk *c = NULL;
    if (size > PTRDIFF_MAX - sizeof *c || posix_memalign((void **)&c, ARENA_ALIGN, sizeof *c + size)) mem_fail(size);
    c->older = a->chunk;
    c->size = size;
    a->chunk = c;
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    if (!mem_size(&bytes, count, size, 1) || bytes > PTRDIFF_MAX - ARENA_ALIGN) mem_fail(SIZE_MAX);
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!a->chunk || a->chunk->size - a->used < bytes) arena_grow(a, bytes);
    void *p = a->chunk->data + a->used;
    a->used += bytes;
    return memset(p, 0, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1, 1);

    if (n) memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

void arena_reset(struct arena *a)
{
    size_t total = 0;

    if (!a->chunk) return;
    if (!a->chunk->older) {
        a->used = 0;
        return;
    }
    for (struct arena_chunk *c = a->chunk; c; c = c->older) total += c->size;
    arena_release(a);
    arena_grow(a, total);
}

void arena_release(struct arena *a)
{
    for (struct arena_chunk *c = a->chunk, *older; c; c = older) {
        older = c->older;
        free(c);
    }
    *a = (struct arena){ 0 };
}
