#include "stream/writer.h"
#include "core/dtype.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/opt.h"
#include "core/pool.h"
#include "stream/block.h"
#include "stream/frame.h"
#include "stream/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A block closes at this many bytes of text and tensors: big enough to pack well, small enough to unpack for one
 * record. Into a pipe the first closes at few records, and each at twice as many as the one before: a reader need not
 * wait for a slow producer much longer than that has run, and a fast one soon has blocks worth packing. */
enum { BLOCK_BYTES = 1 << 20, PIPE_RECORDS_FIRST = 64, PIPE_RECORDS = 4096 };

/* Ids seen, by hash: open addressing, 0 is free. */
struct ids {
    uint64_t *hash;
    int64_t n, slots;
};

/* One block: gathered, then packed, then written. */
struct gathered {
    struct str text, payload, packed;
    int64_t records;
    bool has_tensors; /* a record of the block names some, if only empty ones */
    bool is_packed;
};

/* Blocks on their way to the file: block i is in ring[i % depth]. They are packed by the caller and by whoever calls
 * writer_help(), and written in order by the thread that finds the next one packed. */
struct closed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gathered **ring;
    int64_t depth, closed, taken, written;
    bool is_writing;
    struct err failure; /* of the first write that failed; what follows it is dropped */
};

struct writer {
    struct out *out;
    struct writer_opts opts;
    bool is_pipe;
    struct str packed;      /* what is not in blocks */
    struct gathered *block; /* being gathered */
    int64_t most_records;   /* of it */
    int64_t offset;         /* of its next tensor */
    struct digest digest;
    struct frame_index index;
    int64_t blocks_cap, ids_cap;
    struct ids ids;
    struct closed closed; /* who writes has index.blocks, index.length and the digest */
    struct spares spares; /* blocks that are written */
};

/* Options that do not change the records, and so must not change the bytes. */
static const char *const left_out[] = { "threads", "output", "log", "append", NULL };

static int add_provenance(struct writer *w, struct str *out, struct err *e)
{
    struct value *p = value_object(), *entry = value_object(), *inputs = value_array();
    struct value *list = w->opts.from ? value_copy(reader_provenance(w->opts.from)) : value_array();
    struct str json = { 0 };
    struct err ignored = { 0 };

    opt_json(&json);
    struct value *options = value_parse(str_c(&json), (int64_t)json.n, &ignored);
    for (int i = 0; left_out[i] && options; i++) value_drop(options, left_out[i]);
    value_set(entry, "program", value_str(opt_program()));
    value_set(entry, "version", value_str(opt_version()));
    value_set(entry, "options", options ? options : value_object());
    int rc = w->opts.from ? reader_inputs(w->opts.from, inputs, e) : 0;
    for (int64_t i = 0; i < value_count(w->opts.others); i++)
        value_push(inputs, value_copy(value_at(w->opts.others, i)));
    if (w->opts.from || w->opts.others) value_set(entry, "inputs", inputs);
    else value_free(inputs);
    value_push(list, entry);
    value_set(p, "provenance", list);
    str_clear(&json);
    value_print(p, &json);
    frame_add(out, FRAME_PROVENANCE, json.data, json.n);
    str_release(&json);
    value_free(p);
    return rc;
}

static int flush(struct writer *w, struct err *e)
{
    w->index.length += w->packed.n;
    int rc = out_write(w->out, str_c(&w->packed), w->packed.n, e);
    str_clear(&w->packed);
    return rc;
}

/* A block starts at the present length and adds so many bytes to it, which are returned. */
static int64_t note_block(struct writer *w, int64_t records, int64_t bytes)
{
    mem_reserve(&w->index.blocks, &w->blocks_cap, w->index.n_blocks + 1);
    w->index.blocks[w->index.n_blocks++] = (struct frame_block){ w->index.length, (uint32_t)records };
    w->index.length += (uint64_t)bytes;
    return bytes;
}

/* ---- blocks: packed by any thread, written in order ---- */

static struct gathered *gathered_new(struct writer *w)
{
    struct gathered *b = spares_take(&w->spares);

    return b ? b : mem_new(struct gathered, 1);
}

static void gathered_free(void *block)
{
    struct gathered *b = block;

    if (!b) return;
    str_release(&b->text);
    str_release(&b->payload);
    str_release(&b->packed);
    free(b);
}

static void gathered_clear(struct gathered *b)
{
    str_clear(&b->text);
    str_clear(&b->payload);
    str_clear(&b->packed);
    b->records = 0;
    b->has_tensors = b->is_packed = false;
}

static void pack(struct gathered *b, int level)
{
    frame_compress(&b->packed, b->text.data, b->text.n, level);
    if (!b->has_tensors) return;
    struct str inner = { 0 };
    frame_compress(&inner, str_c(&b->payload), b->payload.n, level);
    frame_add(&b->packed, FRAME_TENSORS, inner.data, inner.n);
    str_release(&inner);
}

static int write_block(struct writer *w, const struct gathered *b, struct err *e)
{
    digest_add(&w->digest, b->text.data, b->text.n);
    digest_add(&w->digest, str_c(&b->payload), b->payload.n);
    note_block(w, b->records, (int64_t)b->packed.n);
    return out_write(w->out, b->packed.data, b->packed.n, e);
}

/* Those whose turn it is. Called and returns with the lock held. */
static void write_packed(struct writer *w)
{
    struct closed *c = &w->closed;

    while (!c->is_writing && c->written < c->closed && c->ring[c->written % c->depth]->is_packed) {
        struct gathered *b = c->ring[c->written % c->depth];
        struct err e = c->failure;
        c->is_writing = true;
        pthread_mutex_unlock(&c->lock);
        if (!e.code) write_block(w, b, &e);
        gathered_clear(b);
        spares_give(&w->spares, b, b->text.cap + b->payload.cap);
        pthread_mutex_lock(&c->lock);
        c->failure = e;
        c->is_writing = false;
        c->written++;
        pthread_cond_broadcast(&c->changed);
    }
}

/* Packs a block, if one waits for it. Called and returns with the lock held. */
static bool pack_next(struct writer *w)
{
    struct closed *c = &w->closed;

    if (c->taken == c->closed) return false;
    struct gathered *b = c->ring[c->taken++ % c->depth];
    bool is_dropped = c->failure.code;
    pthread_mutex_unlock(&c->lock);
    if (!is_dropped) pack(b, w->opts.level);
    pthread_mutex_lock(&c->lock);
    b->is_packed = true;
    write_packed(w);
    return true;
}

bool writer_help(struct writer *w)
{
    pthread_mutex_lock(&w->closed.lock);
    bool has_helped = pack_next(w);
    pthread_mutex_unlock(&w->closed.lock);
    return has_helped;
}

/* Until no more than so many closed blocks are not written. */
static int finish_blocks(struct writer *w, int64_t left, struct err *e)
{
    struct closed *c = &w->closed;

    pthread_mutex_lock(&c->lock);
    while (c->closed - c->written > left) {
        if (!pack_next(w)) pthread_cond_wait(&c->changed, &c->lock);
    }
    int rc = c->failure.code ? -1 : 0;
    if (rc) *e = c->failure;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static int close_block(struct writer *w, struct err *e)
{
    struct closed *c = &w->closed;

    if (!w->block->records) return 0;
    w->offset = 0;
    if (w->most_records < PIPE_RECORDS) w->most_records *= 2;
    pthread_mutex_lock(&c->lock);
    c->ring[c->closed++ % c->depth] = w->block;
    pthread_mutex_unlock(&c->lock);
    int rc = finish_blocks(w, c->depth - 1, e);
    w->block = gathered_new(w);
    return rc;
}

/* ---- ids ---- */

/* Where a hash is, or the free slot where it would be. There are slots, and not all are taken. */
static uint64_t *ids_slot(const struct ids *s, uint64_t hash)
{
    uint64_t at = hash & (uint64_t)(s->slots - 1);

    while (s->hash[at] && s->hash[at] != hash) at = (at + 1) & (uint64_t)(s->slots - 1);
    return &s->hash[at];
}

static void ids_grow(struct ids *s)
{
    struct ids old = *s;

    s->slots = old.slots ? old.slots * 2 : 64;
    s->hash = mem_new(uint64_t, s->slots);
    for (int64_t i = 0; i < old.slots; i++) {
        if (old.hash[i]) *ids_slot(s, old.hash[i]) = old.hash[i];
    }
    free(old.hash);
}

/* Notes an id; false when it was there. */
static bool ids_add(struct ids *s, uint64_t hash)
{
    if (s->n * 4 >= s->slots * 3) ids_grow(s);
    uint64_t *slot = ids_slot(s, hash);
    if (*slot) return false;
    *slot = hash;
    s->n++;
    return true;
}

static uint64_t hash_bytes(const char *id, size_t n)
{
    return n ? hash64(id, n, 0) | 1 : 0;
}

static uint64_t hash_of(const char *id)
{
    return hash_bytes(id, strlen(id));
}

/* Notes the id of the next record; false when it was there before. */
static bool note_id(struct writer *w, uint64_t id)
{
    if ((int64_t)w->index.records == w->ids_cap) mem_extend(&w->index.ids, &w->ids_cap, w->ids_cap + 1);
    w->index.ids[w->index.records++] = id;
    return !id || w->opts.repeats || ids_add(&w->ids, id);
}

/* The last id noted was there before. */
static int refuse_id(const struct writer *w, const char *name, struct err *e)
{
    uint64_t last = w->index.records - 1, before = 0;

    while (w->index.ids[before] != w->index.ids[last]) before++;
    return err_set(e, ERR_INPUT, "id %s is that of records %" PRIu64 " and %" PRIu64 " of the output", err_quote(name),
                   before + 1, last + 1);
}

/* The same of a record's line. */
static int refuse_line(const struct writer *w, const char *json, size_t n, struct err *e)
{
    struct err ignored = { 0 };
    struct value *record = value_parse(json, (int64_t)n, &ignored);
    const char *name = value_text(value_get(record, "id"), NULL);

    refuse_id(w, name ? name : "", e);
    value_free(record);
    return -1;
}

/* Nothing is written that no reader would take: the last id noted is that of a record of so many bytes of text. */
static int check_size(const struct writer *w, size_t bytes, struct err *e)
{
    const size_t most = LIMIT_BLOCK_TEXT - BLOCK_BYTES; /* behind what is in the block */

    if (w->opts.plain) return 0;
    if (w->index.records > (uint64_t)LIMIT_RECORDS)
        return err_set(e, ERR_INPUT, "more than %lld records (make several streams)", LIMIT_RECORDS);
    if (bytes <= most) return 0;
    return err_set(e, ERR_INPUT, "record %" PRIu64 " of the output has %zu bytes of text (at most %zu)",
                   w->index.records, bytes, most);
}

/* ---- going on with what an earlier writer left ---- */

/* One record's line: its id is noted. */
static int recover_line(struct writer *w, const char *line, int64_t n, struct err *e)
{
    struct value *v = value_parse(line, n, e);
    const char *id = v ? value_text(value_get(v, "id"), NULL) : NULL;
    int rc = v ? 0 : -1;

    if (v && !note_id(w, hash_of(id ? id : ""))) rc = refuse_id(w, id, e);
    value_free(v);
    return rc;
}

/* What to say of a block that cannot be unpacked: want of memory does not make it a broken one. */
static int not_whole(const struct err *e)
{
    return e->code == ERR_IO ? -1 : 0;
}

/* The block at data, when it is whole: its bytes, or 0. A text at the very end may have lost its tensors. */
static int64_t recover_block(struct writer *w, const uint8_t *data, int64_t n, struct err *e)
{
    uint8_t *text, *tensors = NULL;
    int64_t text_n, tensors_n = 0, records = 0, whole = frame_size(data, n);

    if (whole <= 0 || load_u32(data) != FRAME_ZSTD || n - whole < FRAME_START) return 0;
    if (frame_decompress(&text, &text_n, data, (size_t)whole, LIMIT_BLOCK_TEXT, e)) return not_whole(e);
    bool has_tensors = frame_is(data + whole, n - whole, FRAME_TENSORS);
    int64_t more = has_tensors ? frame_size(data + whole, n - whole) : 0, at = whole + FRAME_START;
    if (more < 0 || (has_tensors && frame_decompress(&tensors, &tensors_n, data + at, (size_t)(more - FRAME_START),
                                                     LIMIT_BLOCK_BYTES, e))) {
        free(text);
        return not_whole(e);
    }
    int rc = 0;
    for (int64_t from = 0; from < text_n && !rc; records++) {
        const uint8_t *end = memchr(text + from, '\n', (size_t)(text_n - from));
        int64_t to = end ? end - text : text_n;
        rc = recover_line(w, (const char *)text + from, to - from, e);
        from = to + 1;
    }
    digest_add(&w->digest, text, (size_t)text_n);
    if (has_tensors) digest_add(&w->digest, tensors, (size_t)tensors_n);
    free(text);
    free(tensors);
    return rc ? -1 : note_block(w, records, whole + more);
}

/* Takes over the blocks that are whole, and cuts off what follows them. */
static int recover(struct writer *w, int64_t size, struct err *e)
{
    struct err broken = { 0 };
    int64_t at = (int64_t)w->packed.n, got = 1;
    uint8_t *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, out_fd(w->out), 0);
    int rc = data == MAP_FAILED ? err_errno(e, "cannot map") : 0;

    if (!rc && size < at && !memcmp(data, w->packed.data, (size_t)size)) got = at = 0; /* not even its first frame */
    else if (!rc && (size < at || memcmp(data, w->packed.data, (size_t)at)))
        rc = err_set(e, ERR_INPUT, "was begun by another program, with other options or from other data");
    w->index.length = (uint64_t)at;
    while (!rc && at < size && got > 0) {
        got = recover_block(w, data + at, size - at, &broken);
        if (got > 0) at += got;
    }
    if (got < 0) {
        *e = broken;
        rc = -1;
    }
    if (data != MAP_FAILED) munmap(data, (size_t)size);
    if (rc) return err_in(e, "%s", out_place(w->out));
    if (at) str_clear(&w->packed);
    rc = out_cut(w->out, at, e);
    return rc || at ? rc : flush(w, e);
}

/* out NULL: it could not be opened. size: bytes that an earlier writer left in it. */
static struct writer *begin(struct out *out, const struct writer_opts *opts, int64_t size, struct err *e)
{
    struct writer *w = mem_new(struct writer, 1);
    struct stat st;

    if (opts) w->opts = *opts;
    if (!w->opts.level) w->opts.level = 3;
    w->block = mem_new(struct gathered, 1);
    w->spares = (struct spares){ .drop = gathered_free, .most = 4 * BLOCK_BYTES };
    w->closed.depth = w->opts.threads > 1 ? 2 * w->opts.threads : 1;
    w->closed.ring = mem_new(struct gathered *, w->closed.depth);
    pthread_mutex_init(&w->closed.lock, NULL);
    pthread_cond_init(&w->closed.changed, NULL);
    digest_init(&w->digest);
    if (!(w->out = out)) goto fail;
    if (w->opts.from && reader_differs(w->opts.from, w->out, e)) goto fail;
    w->is_pipe = !fstat(out_fd(w->out), &st) && !S_ISREG(st.st_mode);
    w->most_records = w->is_pipe ? PIPE_RECORDS_FIRST : INT64_MAX;
    if (isatty(out_fd(w->out))) w->opts.plain = true;
    if (!w->opts.plain && add_provenance(w, &w->packed, e)) goto fail;
    w->opts.others = NULL; /* the caller's until now */
    if (size ? recover(w, size, e) : flush(w, e)) goto fail;
    return w;
fail:
    writer_abort(w);
    return NULL;
}

struct writer *writer_open(const char *path, const struct writer_opts *opts, struct err *e)
{
    int64_t size = 0;
    bool appends = opts && opts->append && path && strcmp(path, "-");
    struct out *out = appends ? out_continue(path, &size, e) : out_open(path, e);

    return begin(out, opts, size, e);
}

struct writer *writer_open_nameless(struct nameless *file, const struct writer_opts *opts, struct err *e)
{
    *file = (struct nameless){ .fd = -1 };
    struct writer *w = begin(out_nameless(&file->fd, e), opts, 0, e);
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    return w;
}

void nameless_close(struct nameless *file)
{
    if (file->fd >= 0) close(file->fd);
    file->fd = -1;
}

/* The records at the end of text (packed, when plain) are whole lines: writes when there is enough. */
static int end_records(struct writer *w, int64_t n, struct err *e)
{
    if (w->opts.plain) return w->packed.n < BLOCK_BYTES && !w->is_pipe ? 0 : flush(w, e);
    struct gathered *b = w->block;
    b->records += n;
    bool is_full = b->text.n + b->payload.n >= BLOCK_BYTES || b->records >= w->most_records;
    return is_full ? close_block(w, e) : 0;
}

bool writer_has(const struct writer *w, const char *id)
{
    uint64_t hash = hash_of(id);

    return w->ids.slots && hash && *ids_slot(&w->ids, hash);
}

/* Blocks that wait are let go also after a failure. */
int writer_flush(struct writer *w, struct err *e)
{
    struct err again = { 0 };

    if (w->opts.plain) return 0;
    int rc = close_block(w, e);
    return finish_blocks(w, 0, rc ? &again : e) || rc ? -1 : 0;
}

void printed_end(struct printed *p, const char *id, size_t n)
{
    str_add_char(&p->text, '\n');
    mem_reserve(&p->at, &p->cap, p->n + 1);
    p->at[p->n++] = (struct printed_line){ hash_bytes(id, n), p->text.n };
}

void printed_clear(struct printed *p)
{
    str_clear(&p->text);
    p->n = 0;
}

void printed_release(struct printed *p)
{
    str_release(&p->text);
    free(p->at);
    *p = (struct printed){ 0 };
}

static size_t printed_start(const struct printed *p, int64_t i)
{
    return i ? p->at[i - 1].end : 0;
}

/* Notes the id of one record; those some way behind it are fetched meanwhile. */
static int note_printed(struct writer *w, const struct printed *p, int64_t i, struct err *e)
{
    enum { AHEAD = 8 };

    if (i + AHEAD < p->n && w->ids.slots)
        __builtin_prefetch(&w->ids.hash[p->at[i + AHEAD].id & (uint64_t)(w->ids.slots - 1)]);
    size_t start = printed_start(p, i);
    if (note_id(w, p->at[i].id)) return check_size(w, p->at[i].end - start, e);
    return refuse_line(w, p->text.data + start, p->at[i].end - 1 - start, e);
}

/* As many at once as the block takes. */
int writer_put_printed(struct writer *w, const struct printed *p, int64_t from, int64_t to, struct err *e)
{
    while (from < to) {
        struct str *text = w->opts.plain ? &w->packed : &w->block->text;
        size_t start = printed_start(p, from), have = text->n + w->block->payload.n;
        int64_t i = from, most = w->most_records - w->block->records;
        do {
            if (note_printed(w, p, i, e)) return -1;
        } while (++i < to && i - from < most && have + p->at[i - 1].end - start < BLOCK_BYTES);
        str_add_bytes(text, p->text.data + start, p->at[i - 1].end - start);
        if (end_records(w, i - from, e)) return -1;
        from = i;
    }
    return 0;
}

static int end_record(struct writer *w, struct str *text, struct err *e)
{
    str_add_char(text, '\n');
    return end_records(w, 1, e);
}

int writer_put(struct writer *w, const struct record *r, struct err *e)
{
    int64_t bytes = 0;

    if (!note_id(w, hash_of(record_id(r)))) return refuse_id(w, record_id(r), e);
    if (w->opts.plain) {
        value_print(r->fields, &w->packed);
        return end_record(w, &w->packed, e);
    }
    for (int i = 0; i < r->n_tensors; i++) bytes += r->tensors[i].bytes;
    if (bytes > LIMIT_BLOCK_BYTES)
        return err_set(e, ERR_INPUT, "%" PRId64 " bytes of tensors in one record (at most %lld)", bytes,
                       LIMIT_BLOCK_BYTES);
    if (w->block->records && w->offset + bytes > LIMIT_BLOCK_BYTES && close_block(w, e)) return -1;
    struct gathered *b = w->block;
    size_t before = b->text.n;
    block_print(r, &w->offset, &b->text);
    if (check_size(w, b->text.n + 1 - before, e)) return -1;
    for (int i = 0; i < r->n_tensors; i++) str_add_bytes(&b->payload, r->tensors[i].data, (size_t)r->tensors[i].bytes);
    b->has_tensors = b->has_tensors || r->n_tensors;
    return end_record(w, &b->text, e);
}

int writer_give(struct writer *w, struct record *r, struct err *e)
{
    int rc = writer_put(w, r, e);

    record_free(r);
    return rc;
}

static void writer_free(struct writer *w)
{
    gathered_free(w->block);
    free(w->closed.ring);
    pthread_mutex_destroy(&w->closed.lock);
    pthread_cond_destroy(&w->closed.changed);
    spares_release(&w->spares);
    str_release(&w->packed);
    frame_index_release(&w->index);
    free(w->ids.hash);
    free(w);
}

int writer_close(struct writer *w, struct err *e)
{
    int rc = writer_flush(w, e);

    if (!rc && !w->opts.plain) {
        w->index.digest = digest_value(&w->digest);
        frame_index_add(&w->packed, &w->index);
    }
    if (!rc) rc = flush(w, e);
    if (rc) out_abort(w->out);
    else rc = out_commit(w->out, e);
    writer_free(w);
    return rc;
}

void writer_abort(struct writer *w)
{
    struct err ignored = { 0 };

    if (!w) return;
    finish_blocks(w, 0, &ignored);
    out_abort(w->out);
    writer_free(w);
}

int writer_end(struct writer *w, int rc, struct err *e)
{
    if (!rc) return writer_close(w, e);
    writer_abort(w);
    return -1;
}
