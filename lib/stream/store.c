/* Random access by id. Where a record is comes from the index of each stream in a file (found from the file's end
 * backwards); a file that is not made of our complete streams is read once and kept by block position, plain lines by
 * byte position. */
#include "stream/store.h"
#include "core/file.h"
#include "core/mem.h"
#include "stream/block.h"
#include "stream/frame.h"
#include "stream/reader.h"
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

struct place {
    int32_t file, block; /* block -1: the record itself is kept (foreign input) */
    int32_t within;
};
struct file_map {
    char *path;
    uint8_t *data;
    int64_t bytes;
    int64_t *offset; /* [n_blocks] of text frames */
    int32_t *records;
    int64_t n_blocks, cap_offset, cap_records;
};
/* An unpacked block: the records in it, ready to be copied out. */
struct cached {
    int32_t file, block;
    int32_t n;
    struct record **at;
    int64_t bytes;
    uint64_t used;
};
struct store {
    pthread_mutex_t lock;
    struct file_map *files;
    int n_files;
    struct map ids; /* id -> position + 1 */
    struct place *places;
    int64_t n, cap;
    struct record **kept; /* [n] of foreign inputs, else NULL */
    int64_t cap_kept;
    struct cached *cache;
    int64_t n_cache, cap_cache, cache_bytes, limit;
    uint64_t clock;
};

static int add_id(struct store *s, const char *id, struct place p, struct record *kept, struct err *e)
{
    bool is_new = true;

    if (!*id) return err_set(e, ERR_INPUT, "record %d of block %d has no id", p.within + 1, p.block + 1);
    int64_t *at = map_put(&s->ids, id, strlen(id), &is_new);
    if (!is_new)
        return err_set(e, ERR_INPUT, "id %s is also that of record %" PRId64 " (of all files)", err_quote(id), *at);
    mem_reserve(&s->places, &s->cap, s->n + 1);
    mem_reserve(&s->kept, &s->cap_kept, s->n + 1);
    s->places[s->n] = p;
    s->kept[s->n++] = kept;
    *at = s->n;
    return 0;
}

static void cached_release(struct cached *c)
{
    for (int32_t i = 0; i < c->n; i++) record_free(c->at[i]);
    free(c->at);
}

/* Unpacks the block whose text frame starts at offset. */
static int unpack(const struct file_map *f, int64_t offset, struct cached *c, struct err *e)
{
    const uint8_t *p = f->data + offset;
    int64_t left = f->bytes - offset, text_n, data_n = 0, at = 0;
    uint8_t *text = NULL, *data = NULL;
    struct block *b = NULL;
    int rc = -1;

    size_t frame = offset < 0 || left < 0 ? 0 : ZSTD_findFrameCompressedSize(p, (size_t)left);
    if (!frame || ZSTD_isError(frame)) return err_set(e, ERR_INPUT, "corrupt block at byte %" PRId64, offset);
    if (frame_decompress(&text, &text_n, p, frame, LIMIT_BLOCK_TEXT, e)) return -1;
    p += frame;
    left -= (int64_t)frame;
    if (left >= 16 && load_u32(p) == FRAME_MAGIC && !memcmp(p + 8, FRAME_TENSORS, 4)) {
        int64_t n = load_u32(p + 4);
        if (n < FRAME_HEAD || n > left - 8 || frame_check_head(p + 8, e) ||
            frame_decompress(&data, &data_n, p + 16, (size_t)(n - FRAME_HEAD), LIMIT_BLOCK_BYTES, e)) {
            err_set(e, ERR_INPUT, "corrupt tensors at byte %" PRId64, offset);
            goto out;
        }
        b = block_new(data, data_n);
    }
    c->bytes = text_n + data_n;
    for (int64_t from = 0; from < text_n;) {
        const uint8_t *end = memchr(text + from, '\n', (size_t)(text_n - from));
        int64_t n = end ? end - text - from : text_n - from, cap = c->n;
        mem_reserve(&c->at, &cap, c->n + 1);
        if (block_record(&c->at[c->n], (const char *)text + from, n, b, &at, false, e)) goto out;
        c->at[c->n]->file = f->path;
        c->n++;
        from += n + 1;
    }
    rc = 0;
out:
    block_release(b);
    free(text);
    if (rc) cached_release(c);
    return rc;
}

/* The streams of a file from its end backwards; false when it is not made of complete streams of ours. */
static bool index_file(struct file_map *f, struct err *e)
{
    int64_t end = f->bytes;

    while (end > 0) {
        struct frame_index x;
        int64_t size = end >= FRAME_TAIL ? frame_index_size(f->data + end - FRAME_TAIL) : 0;
        if (!size || size > end || size < 16 || load_u32(f->data + end - size) != FRAME_MAGIC) return false;
        if (frame_index_parse(&x, f->data + end - size + 16, (size_t)size - 16, e)) return false;
        int64_t start = end - (int64_t)x.length;
        bool is_good = x.length <= (uint64_t)end && start >= 0;
        /* Put in front: the streams are met from the last to the first. */
        mem_reserve(&f->offset, &f->cap_offset, f->n_blocks + x.n_blocks);
        mem_reserve(&f->records, &f->cap_records, f->n_blocks + x.n_blocks);
        memmove(f->offset + x.n_blocks, f->offset, (size_t)f->n_blocks * sizeof *f->offset);
        memmove(f->records + x.n_blocks, f->records, (size_t)f->n_blocks * sizeof *f->records);
        for (int64_t i = 0; i < x.n_blocks; i++) {
            f->offset[i] = start + (int64_t)x.blocks[i].offset;
            f->records[i] = (int32_t)x.blocks[i].records;
            if (f->offset[i] < start || f->offset[i] >= end) is_good = false;
        }
        f->n_blocks += x.n_blocks;
        frame_index_release(&x);
        if (!is_good) return false;
        end = start;
    }
    return f->bytes > 0;
}

/* The id of a line, into id. Where it is the first member, as in streams of ours, the rest is not looked at before the
 * record is read. */
static int line_id(const char *line, int64_t n, struct str *id, struct err *e)
{
    static const char first[] = "{\"id\":\"";
    const int64_t skip = (int64_t)sizeof first - 1;
    const char *end =
        n > skip && !memcmp(line, first, (size_t)skip) ? memchr(line + skip, '"', (size_t)(n - skip)) : NULL;

    str_clear(id);
    if (end && !memchr(line + skip, '\\', (size_t)(end - line - skip))) {
        str_add_bytes(id, line + skip, (size_t)(end - line - skip));
        return 0;
    }
    struct value *v = value_parse(line, n, e);
    const char *text = v ? value_text(value_get(v, "id"), NULL) : NULL;
    if (text) str_add(id, text);
    value_free(v);
    return v ? 0 : -1;
}

static int add_block_ids(struct store *s, int file, int32_t block, const char *text, int64_t n, struct str *id,
                         struct err *e)
{
    int32_t records = 0, told = s->files[file].records[block];

    for (int64_t from = 0; from < n; records++) {
        const char *end = memchr(text + from, '\n', (size_t)(n - from));
        int64_t length = end ? end - text - from : n - from;
        if (line_id(text + from, length, id, e) ||
            add_id(s, str_c(id), (struct place){ file, block, records }, NULL, e))
            return -1;
        from += length + 1;
    }
    return records == told
               ? 0
               : err_set(e, ERR_INPUT, "block %d has %d records, its index says %d", block + 1, records, told);
}

/* The ids of an indexed file: only the text of each block is unpacked. */
static int add_indexed(struct store *s, int file, struct err *e)
{
    const struct file_map *f = &s->files[file];
    struct str id = { 0 };
    int rc = 0;

    for (int64_t b = 0; b < f->n_blocks && !rc; b++) {
        const uint8_t *p = f->data + f->offset[b];
        uint8_t *text = NULL;
        int64_t n = 0;
        size_t frame = ZSTD_findFrameCompressedSize(p, (size_t)(f->bytes - f->offset[b]));
        if (!frame || ZSTD_isError(frame)) rc = err_set(e, ERR_INPUT, "corrupt block at byte %" PRId64, f->offset[b]);
        else rc = frame_decompress(&text, &n, p, frame, LIMIT_BLOCK_TEXT, e);
        if (!rc) rc = add_block_ids(s, file, (int32_t)b, (const char *)text, n, &id, e);
        free(text);
    }
    str_release(&id);
    return rc;
}

/* Foreign input: read once and kept. */
static int add_foreign(struct store *s, int file, struct err *e)
{
    const char *path = s->files[file].path;
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        r->file = path;
        if (!add_id(s, record_id(r), (struct place){ file, -1, 0 }, r, e)) continue;
        record_free(r);
        got = -1;
        break;
    }
    reader_close(in);
    return got;
}

static int open_file(struct store *s, int file, struct err *e)
{
    struct file_map *f = &s->files[file];
    struct stat st;
    struct err why = { 0 };
    int fd = file_open(f->path, e);

    if (fd < 0) return -1;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
        f->bytes = st.st_size;
        f->data = mmap(NULL, (size_t)f->bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (f->data == MAP_FAILED) f->data = NULL;
    }
    close(fd);
    if (f->data && index_file(f, &why)) return add_indexed(s, file, e) ? err_in(e, "%s", f->path) : 0;
    f->n_blocks = 0;
    return add_foreign(s, file, e);
}

struct store *store_open(const char *const *paths, int n, int64_t cache_bytes, struct err *e)
{
    struct store *s = mem_new(struct store, 1);

    pthread_mutex_init(&s->lock, NULL);
    s->limit = cache_bytes ? cache_bytes : 256 << 20;
    s->files = mem_new(struct file_map, n);
    for (int i = 0; i < n; i++, s->n_files++) s->files[i].path = mem_strdup(paths[i]);
    for (int i = 0; i < n; i++) {
        if (!open_file(s, i, e)) continue;
        store_close(s);
        return NULL;
    }
    return s;
}

int64_t store_count(const struct store *s)
{
    return s->n;
}

const char *store_id(const struct store *s, int64_t i)
{
    return s->ids.at[i].key;
}

int64_t store_find(const struct store *s, const char *id)
{
    const int64_t *at = map_find(&s->ids, id, strlen(id));

    return at ? *at - 1 : -1;
}

/* Makes room for a block; the one used longest ago goes first. */
static void evict(struct store *s, int64_t bytes)
{
    while (s->n_cache && s->cache_bytes + bytes > s->limit) {
        int64_t oldest = 0;
        for (int64_t i = 1; i < s->n_cache; i++) {
            if (s->cache[i].used < s->cache[oldest].used) oldest = i;
        }
        s->cache_bytes -= s->cache[oldest].bytes;
        cached_release(&s->cache[oldest]);
        s->cache[oldest] = s->cache[--s->n_cache];
    }
}

static struct cached *find_cached(struct store *s, struct place p)
{
    for (int64_t i = 0; i < s->n_cache; i++) {
        if (s->cache[i].file == p.file && s->cache[i].block == p.block) return &s->cache[i];
    }
    return NULL;
}

static struct cached *load_block(struct store *s, struct place p, struct err *e)
{
    const struct file_map *f = &s->files[p.file];
    struct cached c = { .file = p.file, .block = p.block };

    if (unpack(f, f->offset[p.block], &c, e)) {
        err_in(e, "%s", f->path);
        return NULL;
    }
    evict(s, c.bytes);
    mem_reserve(&s->cache, &s->cap_cache, s->n_cache + 1);
    s->cache_bytes += c.bytes;
    s->cache[s->n_cache] = c;
    return &s->cache[s->n_cache++];
}

/* A second holder of the same fields would need counting; a copy of the small JSON part does not, and tensors are
 * shared. */
static struct record *share(const struct record *r)
{
    struct record *copy = mem_new(struct record, 1);

    *copy = *r;
    copy->fields = value_copy(r->fields);
    copy->tensors = mem_new(struct record_tensor, r->n_tensors + 1);
    for (int i = 0; i < r->n_tensors; i++) {
        copy->tensors[i] = r->tensors[i];
        copy->tensors[i].name = mem_strdup(r->tensors[i].name);
        if (!r->tensors[i].owned) continue;
        copy->tensors[i].owned = mem_alloc((size_t)r->tensors[i].bytes + 1, 1);
        memcpy(copy->tensors[i].owned, r->tensors[i].data, (size_t)r->tensors[i].bytes);
        copy->tensors[i].data = copy->tensors[i].owned;
    }
    if (copy->block) atomic_fetch_add(&copy->block->holders, 1);
    return copy;
}

int store_get(struct store *s, int64_t i, struct record **out, struct err *e)
{
    struct place p = s->places[i];

    *out = NULL;
    pthread_mutex_lock(&s->lock);
    if (p.block < 0) {
        *out = share(s->kept[i]);
    } else {
        struct cached *c = find_cached(s, p);
        if (!c) c = load_block(s, p, e);
        if (c) c->used = ++s->clock;
        if (c && p.within < c->n) *out = share(c->at[p.within]);
    }
    pthread_mutex_unlock(&s->lock);
    return *out ? 0 : -1;
}

int store_get_id(struct store *s, const char *id, struct record **out, struct err *e)
{
    int64_t i = store_find(s, id);

    *out = NULL;
    if (i >= 0) return store_get(s, i, out, e);
    return err_set(e, ERR_INPUT, "no record with id %s in %s%s", err_quote(id),
                   s->n_files ? s->files[0].path : "(no file)", s->n_files > 1 ? " and the files after it" : "");
}

void store_close(struct store *s)
{
    if (!s) return;
    evict(s, INT64_MAX / 2);
    for (int64_t i = 0; i < s->n; i++) record_free(s->kept[i]);
    for (int i = 0; i < s->n_files; i++) {
        struct file_map *f = &s->files[i];
        if (f->data) munmap(f->data, (size_t)f->bytes);
        free(f->path);
        free(f->offset);
        free(f->records);
    }
    map_release(&s->ids);
    free(s->files);
    free(s->places);
    free(s->kept);
    free(s->cache);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
