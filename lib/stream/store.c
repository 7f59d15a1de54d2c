/* Random access: a cache of unpacked blocks over mapped files, and a table of ids made when it is first needed. */
#include "stream/store.h"
#include "core/hash.h"
#include "core/mem.h"
#include "stream/mapped.h"
#include "stream/shuffle.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* An unpacked block. Held by who reads it; those that nobody holds are dropped, the one used longest ago first. */
struct cached {
    struct cached *older, *newer;
    int64_t block;
    int holders;
    enum { LOADING, READY, FAILED } state;
    struct err e;
    struct unpacked u;
};
struct store {
    struct mapped files;
    struct shuffle *order;
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    struct cached **cached; /* [n_blocks] */
    struct cached *oldest, *newest;
    int64_t bytes, limit;
    int64_t *slots; /* [n_slots] record + 1 by its id's hash, 0: free; NULL until ids are looked up */
    int64_t n_slots;
    struct map names; /* ids given out by store_id(), each with its number in the map */
};

/* ---- opening ---- */

/* What a block takes when unpacked, without looking into it: blocks are closed at a mebibyte, and those that a pipe
 * made smaller do not pack better than eightfold. */
static int64_t rough_bytes(const struct mapped *m, int64_t block)
{
    int64_t bytes = 8 * mapped_block_bytes(m, block);

    return bytes < 1 << 20 ? bytes : 1 << 20;
}

static struct shuffle *make_order(const struct mapped *m)
{
    struct shuffle_block *b = mem_new(struct shuffle_block, m->n_blocks + 1);

    for (int64_t i = 0; i < m->n_blocks; i++)
        b[i] = (struct shuffle_block){ m->block[i + 1].first - m->block[i].first, rough_bytes(m, i) };
    struct shuffle *s = shuffle_new(b, m->n_blocks);
    free(b);
    return s;
}

struct store *store_open(const char *const *paths, int n, int64_t cache_bytes, struct err *e)
{
    struct mapped files;

    if (mapped_open(&files, paths, n, e)) return NULL;
    struct store *s = mem_new(struct store, 1);
    s->files = files;
    s->limit = cache_bytes ? cache_bytes : 2 * (int64_t)SHUFFLE_WINDOW;
    s->cached = mem_new(struct cached *, files.n_blocks + 1);
    s->order = make_order(&s->files);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->loaded, NULL);
    return s;
}

int64_t store_count(const struct store *s)
{
    return s->files.n_records;
}

uint64_t store_digest(const struct store *s)
{
    return s->files.digest;
}

int64_t store_shuffled(struct store *s, uint64_t seed, uint64_t epoch, int64_t i)
{
    return shuffle_at(s->order, seed, epoch, i);
}

/* ---- the cache; these are called with the lock held ---- */

static void unlink_cached(struct store *s, struct cached *c)
{
    *(c->older ? &c->older->newer : &s->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &s->newest) = c->older;
}

static void link_newest(struct store *s, struct cached *c)
{
    c->older = s->newest;
    c->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
}

static void drop(struct store *s, struct cached *c)
{
    unlink_cached(s, c);
    s->cached[c->block] = NULL;
    s->bytes -= c->u.bytes;
    unpacked_release(&c->u);
    free(c);
}

static void shrink(struct store *s, int64_t limit)
{
    for (struct cached *c = s->oldest, *next; c && s->bytes > limit; c = next) {
        next = c->newer;
        if (!c->holders) drop(s, c);
    }
}

static void load(struct store *s, struct cached *c)
{
    pthread_mutex_unlock(&s->lock);
    int rc = mapped_unpack(&s->files, c->block, &c->u, &c->e);
    pthread_mutex_lock(&s->lock);
    c->state = rc ? FAILED : READY;
    s->bytes += c->u.bytes;
    shrink(s, s->limit);
    pthread_cond_broadcast(&s->loaded);
}

static struct cached *hold(struct store *s, int64_t block)
{
    struct cached *c = s->cached[block];

    if (!c) {
        s->cached[block] = c = mem_new(struct cached, 1);
        *c = (struct cached){ .block = block, .holders = 1, .state = LOADING };
        link_newest(s, c);
        load(s, c);
        return c;
    }
    c->holders++;
    unlink_cached(s, c);
    link_newest(s, c);
    while (c->state == LOADING) pthread_cond_wait(&s->loaded, &s->lock);
    return c;
}

static void let_go(struct store *s, struct cached *c)
{
    if (!--c->holders && c->state == FAILED) drop(s, c);
}

/* ---- records ---- */

/* Holds the record's block and finds its line; NULL on error. */
static struct cached *hold_line(struct store *s, int64_t i, const char **line, int64_t *n, struct err *e)
{
    int64_t block = mapped_find_block(&s->files, i), within = i - s->files.block[block].first;

    pthread_mutex_lock(&s->lock);
    struct cached *c = hold(s, block);
    if (c->state == FAILED) {
        *e = c->e;
        let_go(s, c);
        c = NULL;
    } else {
        *line = c->u.text + c->u.line[within];
        *n = (int64_t)c->u.line[within + 1] - 1 - c->u.line[within];
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static void release_line(struct store *s, struct cached *c)
{
    pthread_mutex_lock(&s->lock);
    let_go(s, c);
    pthread_mutex_unlock(&s->lock);
}

int store_get(struct store *s, int64_t i, struct record **out, struct err *e)
{
    const char *line;
    int64_t n;

    *out = NULL;
    struct cached *c = hold_line(s, i, &line, &n, e);
    if (!c) return -1;
    const struct mapped_file *f = &s->files.file[s->files.block[c->block].file];
    int rc = block_record(out, line, n, c->u.tensors, NULL, false, e);
    if (rc) err_in(e, "%s", f->path);
    else (*out)->file = f->path, (*out)->number = i + 1;
    release_line(s, c);
    return rc;
}

/* ---- ids ---- */

/* The id of a record. Where it is the first member, as in streams of ours, the rest is not parsed. */
static int read_id(struct store *s, int64_t i, struct str *id, struct err *e)
{
    static const char first[] = "{\"id\":\"";
    const int64_t skip = (int64_t)sizeof first - 1;
    const char *line;
    int64_t n;
    struct record *r;

    str_clear(id);
    struct cached *c = hold_line(s, i, &line, &n, e);
    if (!c) return -1;
    const char *end =
        n > skip && !memcmp(line, first, (size_t)skip) ? memchr(line + skip, '"', (size_t)(n - skip)) : NULL;
    bool is_plain = end && !memchr(line + skip, '\\', (size_t)(end - line - skip));
    if (is_plain) str_add_bytes(id, line + skip, (size_t)(end - line - skip));
    release_line(s, c);
    if (is_plain) return 0;
    if (store_get(s, i, &r, e)) return -1;
    str_add(id, record_id(r));
    record_free(r);
    return 0;
}

const char *store_id(struct store *s, int64_t i)
{
    struct str id = { 0 };
    struct err ignored = { 0 };
    bool is_new;

    if (read_id(s, i, &id, &ignored)) str_clear(&id);
    pthread_mutex_lock(&s->lock);
    int64_t *number = map_put(&s->names, str_c(&id), id.n, &is_new);
    if (is_new) *number = s->names.n - 1;
    const char *name = s->names.at[*number].key;
    pthread_mutex_unlock(&s->lock);
    str_release(&id);
    return name;
}

/* With the lock held. */
static int fill_slots(struct store *s, struct err *e)
{
    const struct mapped *m = &s->files;

    for (s->n_slots = 16; s->n_slots < 2 * m->n_records;) s->n_slots *= 2;
    s->slots = mem_new(int64_t, s->n_slots);
    for (int64_t i = 0; i < m->n_records; i++) {
        uint64_t at = m->id[i] & (uint64_t)(s->n_slots - 1);
        for (; s->slots[at]; at = (at + 1) & (uint64_t)(s->n_slots - 1)) {
            if (m->id[s->slots[at] - 1] != m->id[i]) continue;
            return err_set(e, ERR_INPUT, "records %" PRId64 " and %" PRId64 " (of all files) have the same id",
                           s->slots[at], i + 1);
        }
        s->slots[at] = i + 1;
    }
    return 0;
}

int store_index(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = s->slots ? 0 : fill_slots(s, e);
    if (rc) free(s->slots), s->slots = NULL;
    pthread_mutex_unlock(&s->lock);
    return rc ? err_in(e, "%s", s->files.file[0].path) : 0;
}

/* Equal hashes are compared by name, so that an absent id is never found. */
static int find(struct store *s, const char *id, int64_t *out, struct err *e)
{
    uint64_t hash = hash64(id, strlen(id), 0) | 1;
    struct str there = { 0 };
    int rc = store_index(s, e);

    *out = -1;
    for (uint64_t at = hash; !rc && *out < 0; at++) {
        int64_t i = s->slots[at & (uint64_t)(s->n_slots - 1)] - 1;
        if (i < 0) break;
        if (s->files.id[i] != hash) continue;
        rc = read_id(s, i, &there, e);
        if (!rc && !strcmp(str_c(&there), id)) *out = i;
    }
    str_release(&there);
    return rc;
}

int64_t store_find(struct store *s, const char *id)
{
    struct err ignored = { 0 };
    int64_t i;

    return find(s, id, &i, &ignored) ? -1 : i;
}

int store_get_id(struct store *s, const char *id, struct record **out, struct err *e)
{
    int64_t i;

    *out = NULL;
    if (find(s, id, &i, e)) return -1;
    if (i >= 0) return store_get(s, i, out, e);
    return err_set(e, ERR_INPUT, "no record with id %s in %s%s", err_quote(id),
                   s->files.n_files ? s->files.file[0].path : "(no file)",
                   s->files.n_files > 1 ? " and the files after it" : "");
}

void store_close(struct store *s)
{
    if (!s) return;
    shrink(s, -1);
    shuffle_free(s->order);
    mapped_close(&s->files);
    map_release(&s->names);
    pthread_cond_destroy(&s->loaded);
    pthread_mutex_destroy(&s->lock);
    free(s->cached);
    free(s->slots);
    free(s);
}
