#ifndef CORE_MEM_H
#define CORE_MEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two kinds of allocation. mem_new() and arenas are for sizes bounded by our own tables: they never
 * return NULL (the out-of-memory handler ends the program). mem_try() is for sizes that come from
 * input, after a comparison with a limit: it returns NULL and the caller reports it. */

/* Sets the handler called with the number of bytes asked for; it must not return. */
void mem_on_failure(void (*handler)(size_t bytes));
/* Calls it: for what another library could not allocate. */
_Noreturn void mem_fail(size_t bytes);

/* a*b (*c) into *bytes; false on overflow. The only place where sizes are multiplied. */
bool mem_size(size_t *bytes, size_t a, size_t b, size_t c);

/* Zeroed memory, released with free(). */
void *mem_alloc(size_t count, size_t size);
#define mem_new(type, count) ((type *)mem_alloc((size_t)(count), sizeof(type)))
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Calls it too when so many bytes are not to be had at present: for libraries that do not look what they get. */
void mem_expect(size_t bytes);

/* Zeroed memory or NULL; also NULL when count * size overflows. */
void *mem_try(size_t count, size_t size);

/* Makes room for at least `need` elements in the array *at of capacity *cap (doubling; the new part
 * is zeroed). mem_reserve() never fails in the caller's face; mem_reserve_try() returns -1. */
void mem_reserve_bytes(void **at, int64_t *cap, int64_t need, size_t size);
int mem_reserve_try_bytes(void **at, int64_t *cap, int64_t need, size_t size);
#define mem_reserve(at, cap, need) mem_reserve_bytes((void **)(at), (cap), (need), sizeof(**(at)))
#define mem_reserve_try(at, cap, need) mem_reserve_try_bytes((void **)(at), (cap), (need), sizeof(**(at)))

/* The same without zeros in the new part, for what is filled at once: untouched, it costs nothing. */
void mem_extend_bytes(void **at, int64_t *cap, int64_t need, size_t size);
#define mem_extend(at, cap, need) mem_extend_bytes((void **)(at), (cap), (need), sizeof(**(at)))

/* Memory of one lifetime: allocated piecewise, freed at once. Zero is a valid empty arena. */
struct arena {
    struct arena_chunk *chunk; /* newest first */
    size_t used;               /* bytes taken from the newest chunk */
};
void *arena_alloc(struct arena *a, size_t count, size_t size); /* zeroed, 64-byte aligned */
#define arena_new(a, type, count) ((type *)arena_alloc((a), (size_t)(count), sizeof(type)))
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
void arena_reset(struct arena *a);   /* everything is gone; keeps one chunk as large as the peak */
void arena_release(struct arena *a); /* as zeroed */
#endif
