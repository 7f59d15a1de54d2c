#include "stream/mapped.h"
#include "core/file.h"
#include "core/mem.h"
#include "stream/frame.h"
#include "stream/writer.h"
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* ---- the index ---- */

/* Takes a stream's blocks and ids in front of those of the streams behind it in the file, which start at b0 and r0. */
static int insert_stream(struct mapped *m, int file, const struct frame_index *x, int64_t start, int64_t end,
                         int64_t b0, int64_t r0, struct err *e)
{
    int64_t records = (int64_t)x->records, counted = 0;

    mem_reserve(&m->block, &m->cap_block, m->n_blocks + x->n_blocks + 1);
    mem_reserve(&m->id, &m->cap_id, m->n_records + records + 1); /* not NULL for none */
    memmove(m->block + b0 + x->n_blocks, m->block + b0, (size_t)(m->n_blocks - b0) * sizeof *m->block);
    memmove(m->id + r0 + records, m->id + r0, (size_t)(m->n_records - r0) * sizeof *m->id);
    m->n_blocks += x->n_blocks;
    m->n_records += records;
    m->digest += x->digest;
    for (int64_t i = 0; i < x->n_blocks; i++) {
        int64_t at = start + (int64_t)x->blocks[i].offset;
        if (at < start || at >= end) return err_set(e, ERR_INPUT, "an index that points outside of its stream");
        m->block[b0 + i] = (struct mapped_block){ .offset = at, .first = x->blocks[i].records, .file = file };
        counted += x->blocks[i].records;
    }
    for (int64_t i = 0; i < records; i++) {
        if (!x->ids[i])
            return err_set(e, ERR_INPUT, "record %" PRId64 " of a stream has no \"id\" (a string was expected)", i + 1);
        m->id[r0 + i] = x->ids[i];
    }
    return counted == records ? 0 : err_set(e, ERR_INPUT, "an index that does not count its records");
}

/* The streams of a file from its end backwards. *is_ours: it consists of complete streams of ours. */
static int read_index(struct mapped *m, int file, bool *is_ours, struct err *e)
{
    const struct mapped_file *f = &m->file[file];
    int64_t end = f->bytes, b0 = m->n_blocks, r0 = m->n_records;
    uint64_t digest = m->digest;
    int rc = 0;

    *is_ours = false;
    while (end > 0 && !rc) {
        struct frame_index x;
        struct err why = { 0 };
        int64_t size = end >= FRAME_TAIL ? frame_index_size(f->data + end - FRAME_TAIL) : 0;
        bool is_index = size >= FRAME_START && size <= end && frame_is(f->data + end - size, size, FRAME_INDEX) &&
                        !frame_index_parse(&x, f->data + end - size + FRAME_START, (size_t)size - FRAME_START, &why);
        if (!is_index) break;
        int64_t start = end - (int64_t)x.length;
        bool fits = x.length && x.length <= (uint64_t)end;
        if (fits) rc = insert_stream(m, file, &x, start, end, b0, r0, e);
        frame_index_release(&x);
        if (!fits) break;
        end = start;
    }
    *is_ours = f->bytes > 0 && !end;
    if (!*is_ours) m->n_blocks = b0, m->n_records = r0, m->digest = digest;
    return rc;
}

/* From the records of each block to the number of its first. */
static void number_blocks(struct mapped *m)
{
    int64_t first = 0;

    mem_reserve(&m->block, &m->cap_block, m->n_blocks + 1);
    for (int64_t i = 0; i < m->n_blocks; i++) {
        int64_t n = m->block[i].first;
        m->block[i].first = first;
        first += n;
    }
    m->block[m->n_blocks] = (struct mapped_block){ .first = first };
}

/* ---- opening ---- */

/* A stream with the records of a file that is none; *copy is for the caller to close, also on failure. */
static int copy_foreign(const char *path, struct nameless *copy, struct err *e)
{
    struct writer_opts o = { .level = 1, .repeats = true };
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct writer *out = in ? writer_open_nameless(copy, &o, e) : NULL;
    struct record *r;
    int got = out ? 1 : -1;

    while (got > 0 && (got = reader_next(in, &r, e)) > 0) {
        if (writer_put(out, r, e)) got = -1;
        record_free(r);
    }
    reader_close(in);
    return writer_end(out, got, e);
}

static int map_file(struct mapped_file *f, int fd)
{
    struct stat st;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0) return -1;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return -1;
    f->data = p;
    f->bytes = st.st_size;
    return 0;
}

static void unmap_file(struct mapped_file *f)
{
    if (f->data) munmap((void *)f->data, (size_t)f->bytes);
    f->data = NULL;
}

static int open_file(struct mapped *m, int file, struct err *e)
{
    struct mapped_file *f = &m->file[file];
    struct stat st;
    struct nameless copy = { .fd = -1 };
    bool is_ours = false;
    int fd = -1, rc = 0;

    if (!stat(f->path, &st) && S_ISREG(st.st_mode)) { /* a pipe can be opened once only, by copy_foreign() */
        if ((fd = file_open(f->path, e)) < 0) return -1;
        if (!map_file(f, fd)) rc = read_index(m, file, &is_ours, e);
        close(fd);
    }
    if (rc || is_ours) return rc ? err_in(e, "%s", f->path) : 0;
    unmap_file(f);
    if (copy_foreign(f->path, &copy, e)) rc = -1;
    else if (map_file(f, copy.fd)) rc = err_set(e, ERR_IO, "%s: cannot map its copy", f->path);
    else if (read_index(m, file, &is_ours, e)) rc = err_in(e, "%s", f->path);
    nameless_close(&copy);
    return rc;
}

static void add_path(struct mapped *m, const char *path)
{
    mem_reserve(&m->file, &m->cap_file, m->n_files + 1);
    m->file[m->n_files++] = (struct mapped_file){ .path = mem_strdup(path) };
}

/* A name that is no file's but matches some stands for these, in the order of their bytes. */
static void add_matching(struct mapped *m, const char *path)
{
    glob_t g = { 0 };
    struct stat st;
    bool is_pattern = strpbrk(path, "*?[") && stat(path, &st) && !glob(path, 0, NULL, &g);

    for (size_t i = 0; is_pattern && i < g.gl_pathc; i++) add_path(m, g.gl_pathv[i]);
    if (!is_pattern) add_path(m, path);
    globfree(&g);
}

int mapped_open(struct mapped *m, const char *const *paths, int n, struct err *e)
{
    *m = (struct mapped){ 0 };
    for (int i = 0; i < n; i++) add_matching(m, paths[i]);
    for (int64_t i = 0; i < m->n_files; i++) {
        if (!open_file(m, i, e)) continue;
        mapped_close(m);
        return -1;
    }
    number_blocks(m);
    m->digest = hash64(m->id, (size_t)m->n_records * sizeof *m->id, m->digest); /* streams in another order differ */
    return 0;
}

void mapped_close(struct mapped *m)
{
    for (int64_t i = 0; i < m->n_files; i++) {
        unmap_file(&m->file[i]);
        free(m->file[i].path);
    }
    free(m->file);
    free(m->block);
    free(m->id);
    *m = (struct mapped){ 0 };
}

int64_t mapped_find_block(const struct mapped *m, int64_t record)
{
    int64_t low = 0, high = m->n_blocks;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (m->block[middle].first <= record) low = middle;
        else high = middle;
    }
    return low;
}

int64_t mapped_block_bytes(const struct mapped *m, int64_t block)
{
    const struct mapped_block *b = &m->block[block];
    bool is_last = block + 1 == m->n_blocks || b[1].file != b->file;

    return (is_last ? m->file[b->file].bytes : b[1].offset) - b->offset;
}

/* ---- unpacking ---- */

static int unpack_frames(const struct mapped_file *f, int64_t offset, struct unpacked *u, struct err *e)
{
    const uint8_t *p = f->data + offset;
    int64_t left = f->bytes - offset, text_n, data_n = 0;
    uint8_t *text = NULL, *data = NULL;
    size_t frame = ZSTD_findFrameCompressedSize(p, (size_t)left);

    if (!frame || ZSTD_isError(frame)) return err_set(e, ERR_INPUT, "corrupt block at byte %" PRId64, offset);
    if (frame_decompress(&text, &text_n, p, frame, LIMIT_BLOCK_TEXT, e)) return -1;
    u->text = (char *)text;
    u->bytes = text_n;
    p += frame;
    left -= (int64_t)frame;
    if (!frame_is(p, left, FRAME_TENSORS)) return 0;
    int64_t n = load_u32(p + 4);
    if (n < FRAME_HEAD || n > left - 8 || frame_check_head(p + 8, e) ||
        frame_decompress(&data, &data_n, p + FRAME_START, (size_t)(n - FRAME_HEAD), LIMIT_BLOCK_BYTES, e))
        return err_set(e, ERR_INPUT, "corrupt tensors at byte %" PRId64, offset);
    u->tensors = block_new(data, data_n);
    u->bytes += data_n;
    return 0;
}

static int find_lines(struct unpacked *u, int64_t text_n, int64_t told, struct err *e)
{
    if (told > text_n) return err_set(e, ERR_INPUT, "a block with fewer records than its index says");
    u->line = mem_new(uint32_t, told + 1);
    for (int64_t from = 0; from < text_n; u->n++) {
        const char *end = memchr(u->text + from, '\n', (size_t)(text_n - from));
        if (u->n == told) return err_set(e, ERR_INPUT, "a block with more records than its index says");
        from = end ? end - u->text + 1 : text_n + 1;
        u->line[u->n + 1] = (uint32_t)from;
    }
    return u->n == told ? 0 : err_set(e, ERR_INPUT, "a block with fewer records than its index says");
}

/* Unpacked bytes are kept elsewhere: what was mapped of them need not count as the program's memory any longer. */
static void forget_pages(const struct mapped *m, int64_t block)
{
    const uintptr_t page = 4096,
                    from = (uintptr_t)m->file[m->block[block].file].data + (uintptr_t)m->block[block].offset,
                    start = (from + page - 1) / page * page,
                    end = (from + (uintptr_t)mapped_block_bytes(m, block)) / page * page;

    if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
}

int mapped_unpack(const struct mapped *m, int64_t block, struct unpacked *u, struct err *e)
{
    const struct mapped_block *b = &m->block[block];
    const struct mapped_file *f = &m->file[b->file];

    *u = (struct unpacked){ 0 };
    int rc = unpack_frames(f, b->offset, u, e);
    int64_t text_n = u->bytes - (u->tensors ? u->tensors->bytes : 0);
    if (!rc) rc = find_lines(u, text_n, b[1].first - b->first, e);
    forget_pages(m, block);
    if (!rc) return 0;
    unpacked_release(u);
    return err_in(e, "%s", f->path);
}

void unpacked_release(struct unpacked *u)
{
    free(u->text);
    free(u->line);
    block_release(u->tensors);
    *u = (struct unpacked){ 0 };
}
