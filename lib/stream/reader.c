/* Reading streams. An input is a sequence of frames (or plain lines). Inside a stream of ours (from its provenance
 * frame to its index) a text frame is taken whole, because its tensors come after it; anything else is foreign and read
 * line by line, so that a foreign frame of any size needs little memory. */
#include "stream/reader.h"
#include "core/dtype.h"
#include "core/log.h"
#include "core/mem.h"
#include "stream/block.h"
#include "stream/frame.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { INPUT_CHUNK = 256 << 10 };

/* Buffered bytes of one input. */
struct input {
    int fd;
    uint8_t *buf;
    int64_t cap, at, end, before; /* before: bytes of the input that are in buf no longer */
    bool is_over, is_file;
};

enum mode { MODE_NONE, MODE_PLAIN, MODE_FRAMES };

struct reader {
    struct reader_opts opts;
    char **paths;
    int n_paths, next_path; /* index of the next input to open */
    const char *file;
    struct input in;
    bool is_open;
    enum mode mode;

    /* a stream of ours */
    bool in_stream;
    struct digest digest;
    int64_t stream_records, stream_start; /* where in the input it began */

    /* text that is cut into lines */
    struct str text;
    size_t text_at;
    bool text_is_block; /* text is one whole block with tensors in block */
    struct block *block;
    int64_t offset;     /* of the next tensor in the block */
    ZSTD_DCtx *context; /* a foreign frame under way */
    bool in_frame;

    int64_t number;                       /* record of this input */
    int64_t total;                        /* over all inputs, for shards */
    int64_t delivered, unparsed, skipped; /* those that cannot be parsed are not delivered */
    struct err first_bad;
    struct value *provenance;
    bool (*is_done)(const void *arg, const char *id); /* or NULL */
    const void *is_done_arg;
};

/* What is there, at most INPUT_CHUNK bytes. */
static ssize_t read_some(int fd, void *at, struct err *e)
{
    ssize_t got = read(fd, at, INPUT_CHUNK);

    return got >= 0 ? got : file_read(fd, at, INPUT_CHUNK, e); /* retries EINTR, words the error */
}

/* Where in the input the front is. */
static int64_t input_place(const struct input *s)
{
    return s->before + s->at;
}

/* Makes at least n bytes available at in.buf + in.at, unless the input ends before. Returns what is there, or -1. */
static int64_t input_need(struct input *s, int64_t n, struct err *e)
{
    while (s->end - s->at < n && !s->is_over) {
        if (s->at && (s->end == s->at || s->cap - s->end < INPUT_CHUNK)) {
            memmove(s->buf, s->buf + s->at, (size_t)(s->end - s->at));
            s->before += s->at;
            s->end -= s->at;
            s->at = 0;
        }
        if (mem_reserve_try(&s->buf, &s->cap, s->end + INPUT_CHUNK)) return err_set(e, ERR_IO, "not enough memory");
        ssize_t got = read_some(s->fd, s->buf + s->end, e);
        if (got < 0) return -1;
        if (!got) s->is_over = true;
        s->end += got;
    }
    return s->end - s->at;
}

struct reader *reader_open(const char *const *paths, int n, const struct reader_opts *opts, struct err *e)
{
    struct reader *r = mem_new(struct reader, 1);

    if (opts) r->opts = *opts;
    r->n_paths = n ? n : 1;
    r->paths = mem_new(char *, r->n_paths);
    for (int i = 0; i < r->n_paths; i++) r->paths[i] = mem_strdup(n ? paths[i] : "-");
    r->provenance = value_array();
    r->context = ZSTD_createDCtx();
    if (r->context) ZSTD_DCtx_setParameter(r->context, ZSTD_d_windowLogMax, LIMIT_WINDOW_LOG);
    r->in.fd = -1;
    /* A wrong name is said at once, not after hours of work on the inputs before it. */
    for (int i = 0; i < r->n_paths; i++) {
        if (!strcmp(r->paths[i], "-") || !access(r->paths[i], R_OK)) continue;
        err_errno(e, "%s: cannot open", r->paths[i]);
        reader_close(r);
        return NULL;
    }
    return r;
}

static const char *file_name(const struct reader *r, int i)
{
    return strcmp(r->paths[i], "-") ? r->paths[i] : "standard input";
}

/* Takes an error to the outside: with the file in front. */
static int failed(struct reader *r, struct err *e)
{
    return err_in(e, "%s", r->file);
}

static int detect_mode(struct reader *r, struct err *e)
{
    int64_t n = input_need(&r->in, 4, e);
    const uint8_t *b = r->in.buf + r->in.at;

    if (n < 0) return -1;
    if (n == 0) return err_set(e, ERR_INPUT, "is empty (a stream was expected)");
    uint32_t magic = n >= 4 ? load_u32(b) : 0;
    r->mode = MODE_FRAMES;
    if (magic == FRAME_ZSTD || (magic & ~15u) == FRAME_SKIPPABLE) return 0;
    r->mode = MODE_PLAIN;
    if (n >= 2 && b[0] == 0x1f && b[1] == 0x8b) return err_set(e, ERR_INPUT, "gzip data (use zcat FILE |)");
    if (n >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf)
        return err_set(e, ERR_INPUT, "starts with a byte-order mark (plain UTF-8 was expected)");
    if (b[0] != '{' && b[0] != '\n' && b[0] != ' ' && b[0] != '\r' && b[0] != '\t')
        return err_set(e, ERR_INPUT, "neither zstd data nor JSON Lines");
    return 0;
}

static int open_next(struct reader *r, struct err *e)
{
    int i = r->next_path++;
    struct stat st;

    r->file = file_name(r, i);
    r->in.fd = file_open(r->paths[i], e);
    if (r->in.fd < 0) return -1;
    r->in.at = r->in.end = r->in.before = 0;
    r->in.is_over = false;
    r->in.is_file = !fstat(r->in.fd, &st) && S_ISREG(st.st_mode);
    r->is_open = true;
    r->in_stream = r->in_frame = r->text_is_block = false;
    r->number = 0;
    str_clear(&r->text);
    r->text_at = 0;
    if (detect_mode(r, e)) return failed(r, e);
    return 0;
}

static int truncated(struct reader *r, const char *where, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s after record %" PRId64 " (truncated, or its writer failed)", where, r->number);
}

static void drop_block(struct reader *r)
{
    block_release(r->block);
    r->block = NULL;
    r->text_is_block = false;
    str_clear(&r->text);
    r->text_at = 0;
}

/* The end of an input (or the start of a stream joined by cat): what was open must be complete. */
static int check_end(struct reader *r, struct err *e)
{
    if (r->in_frame) return truncated(r, "ends inside a frame", e);
    if (r->in_stream) return truncated(r, "ends without its index", e);
    return 0;
}

/* This and the next: the frame, of n bytes of payload, is just behind the front. */
static int start_stream(struct reader *r, const uint8_t *payload, int64_t n, struct err *e)
{
    struct value *p, *list;

    if (check_end(r, e)) return -1;
    if (!(p = value_parse((const char *)payload, n, e))) return err_in(e, "provenance");
    if (value_get_array(p, "provenance", &list, e)) {
        value_free(p);
        return err_in(e, "provenance");
    }
    value_free(r->provenance);
    r->provenance = value_copy(list);
    value_free(p);
    r->in_stream = true;
    r->stream_records = 0;
    r->stream_start = input_place(&r->in) - n - FRAME_HEAD - 8;
    digest_init(&r->digest);
    return 0;
}

static int finish_stream(struct reader *r, const uint8_t *payload, int64_t n, struct err *e)
{
    struct frame_index x;

    if (!r->in_stream) return err_set(e, ERR_INPUT, "an index without the start of its stream");
    if (frame_index_parse(&x, payload, (size_t)n, e)) return -1;
    r->in_stream = false;
    int rc = 0;
    if (x.records != (uint64_t)r->stream_records)
        rc = err_set(e, ERR_INPUT, "%" PRId64 " records, but its index says %" PRIu64, r->stream_records, x.records);
    else if (x.length != (uint64_t)(input_place(&r->in) - r->stream_start))
        rc = err_set(e, ERR_INPUT, "%" PRId64 " bytes, but its index says %" PRIu64,
                     input_place(&r->in) - r->stream_start, x.length);
    else if (x.digest != digest_value(&r->digest))
        rc = err_set(e, ERR_INPUT, "its contents do not match the digest of its index");
    frame_index_release(&x);
    return rc;
}

/* The tensor frame that follows a block's text: payload is one zstd frame. */
static int take_tensors(struct reader *r, const uint8_t *payload, int64_t n, struct err *e)
{
    uint8_t *data;
    int64_t bytes;

    if (frame_decompress(&data, &bytes, payload, (size_t)n, LIMIT_BLOCK_BYTES, e))
        return err_in(e, "tensors after record %" PRId64, r->number);
    digest_add(&r->digest, data, (size_t)bytes);
    if (r->opts.skip_tensors) free(data);
    else r->block = block_new(data, bytes);
    return 0;
}

/* One skippable frame at the front: ours is handled, another stepped over. 0 or -1. */
static int take_skippable(struct reader *r, struct err *e)
{
    int64_t have = input_need(&r->in, 8, e);

    if (have < 0) return -1;
    if (have < 8) return truncated(r, "ends inside a frame", e);
    bool is_ours = load_u32(r->in.buf + r->in.at) == FRAME_MAGIC;
    int64_t n = load_u32(r->in.buf + r->in.at + 4);
    r->in.at += 8;
    if (is_ours && n > LIMIT_FRAME_BYTES)
        return err_set(e, ERR_INPUT, "a frame of %" PRId64 " bytes (at most %lld)", n, LIMIT_FRAME_BYTES);
    if (!is_ours || n < FRAME_HEAD) {
        while (n > 0) {
            have = input_need(&r->in, n < INPUT_CHUNK ? n : INPUT_CHUNK, e);
            if (have < 0) return -1;
            if (!have) return truncated(r, "ends inside a frame", e);
            r->in.at += have < n ? have : n;
            n -= have < n ? have : n;
        }
        return 0;
    }
    have = input_need(&r->in, n, e);
    if (have < 0) return -1;
    if (have < n) return truncated(r, "ends inside a frame", e);
    const uint8_t *head = r->in.buf + r->in.at, *payload = head + FRAME_HEAD;
    r->in.at += n;
    n -= FRAME_HEAD;
    bool is_start = !memcmp(head, FRAME_PROVENANCE, 4), is_index = !memcmp(head, FRAME_INDEX, 4);
    bool is_tensors = !memcmp(head, FRAME_TENSORS, 4);
    if (!is_start && !is_index && !is_tensors) return 0;
    if (frame_check_head(head, e)) return -1;
    if (is_start) return start_stream(r, payload, n, e);
    if (is_index) return finish_stream(r, payload, n, e);
    if (!r->text_is_block) return err_set(e, ERR_INPUT, "tensors without the records that name them");
    return take_tensors(r, payload, n, e);
}

/* Unpacks more of the zstd frame at the front into text, up to limit bytes in all. 1 when the frame is over. */
static int unpack(struct reader *r, int64_t limit, struct err *e)
{
    int64_t have = input_need(&r->in, 1, e);

    if (have < 0) return -1;
    if (!have) return truncated(r, "ends inside a frame", e);
    if (!r->context) return err_set(e, ERR_IO, "not enough memory");
    if ((int64_t)r->text.n > limit)
        return err_set(e, ERR_INPUT, "more than %" PRId64 " bytes in one block or line", limit);
    size_t room = ZSTD_DStreamOutSize();
    int64_t cap = (int64_t)r->text.cap;
    if (mem_reserve_try(&r->text.data, &cap, (int64_t)(r->text.n + room + 1)))
        return err_set(e, ERR_IO, "not enough memory");
    r->text.cap = (size_t)cap;
    ZSTD_inBuffer in = { r->in.buf + r->in.at, (size_t)have, 0 };
    ZSTD_outBuffer out = { r->text.data + r->text.n, room, 0 };
    size_t rc = ZSTD_decompressStream(r->context, &out, &in);
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(e, ERR_INPUT, "zstd data of a window above %d MiB (use zstd -dc --long=31 FILE |)",
                       1 << (LIMIT_WINDOW_LOG - 20));
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) return err_set(e, ERR_IO, "not enough memory");
    if (ZSTD_isError(rc))
        return err_set(e, ERR_INPUT, "corrupt data after record %" PRId64 " (%s)", r->number, ZSTD_getErrorName(rc));
    r->in.at += (int64_t)in.pos;
    r->text.n += out.pos;
    r->text.data[r->text.n] = 0;
    return rc == 0;
}

/* A whole block of ours: its text, and its tensors when they follow. */
static int take_block(struct reader *r, struct err *e)
{
    int over;

    drop_block(r);
    ZSTD_DCtx_reset(r->context, ZSTD_reset_session_only);
    do {
        over = unpack(r, LIMIT_BLOCK_TEXT, e);
    } while (!over);
    if (over < 0) return -1;
    digest_add(&r->digest, str_c(&r->text), r->text.n);
    r->text_is_block = true;
    r->offset = 0;
    int64_t have = input_need(&r->in, FRAME_TELLS, e);
    if (have < 0) return -1;
    return frame_is(r->in.buf + r->in.at, have, FRAME_TENSORS) ? take_skippable(r, e) : 0;
}

/* Whether the skippable frame at the front is the first of a stream of ours. Other programs' frames may stand in the
 * middle of a line, as those of pzstd do. */
static bool begins_stream(struct reader *r)
{
    const int64_t n = 12;
    struct err ignored = { 0 }; /* comes again with the frame */

    if (input_need(&r->in, n, &ignored) < n) return false;
    const uint8_t *frame = r->in.buf + r->in.at;
    return load_u32(frame) == FRAME_MAGIC && !memcmp(frame + 8, FRAME_PROVENANCE, 4);
}

/* More text from the frames: 1, or 0 at the end of the input. */
static int more_frames(struct reader *r, struct err *e)
{
    for (;;) {
        if (r->in_frame) {
            int over = unpack(r, LIMIT_RECORD_BYTES, e);
            if (over < 0) return -1;
            r->in_frame = !over;
            return 1;
        }
        int64_t have = input_need(&r->in, 4, e);
        if (have < 0) return -1;
        if (!have) return check_end(r, e);
        if (have < 4) return truncated(r, "ends inside a frame", e);
        uint32_t magic = load_u32(r->in.buf + r->in.at);
        if ((magic & ~15u) == FRAME_SKIPPABLE) {
            bool ends_line = r->text.n > r->text_at && begins_stream(r);
            if (ends_line) return str_add_char(&r->text, '\n'), 1; /* a foreign last line without its newline */
            if (take_skippable(r, e)) return -1;
        } else if (magic != FRAME_ZSTD) {
            return err_set(e, ERR_INPUT, "not a zstd frame after record %" PRId64, r->number);
        } else if (r->in_stream) {
            return take_block(r, e) ? -1 : 1;
        } else {
            ZSTD_DCtx_reset(r->context, ZSTD_reset_session_only);
            r->in_frame = true;
        }
    }
}

static int more_plain(struct reader *r, struct err *e)
{
    int64_t have = r->in.end - r->in.at;

    if ((int64_t)r->text.n > LIMIT_RECORD_BYTES)
        return err_set(e, ERR_INPUT, "a line of more than %lld bytes", LIMIT_RECORD_BYTES);
    if (have) { /* what was read to see what this is */
        str_add_bytes(&r->text, r->in.buf + r->in.at, (size_t)have);
        r->in.at += have;
        return 1;
    }
    ssize_t got = r->in.is_over ? 0 : read_some(r->in.fd, str_room(&r->text, INPUT_CHUNK), e);
    if (got < 0) return -1;
    r->in.is_over = !got; /* a terminal would go on */
    if (!got) return 0;
    r->text.n += (size_t)got;
    r->text.data[r->text.n] = 0;
    return 1;
}

/* The next line of this input without its newline; 0 at the end. */
static int next_line(struct reader *r, const char **line, size_t *n, struct err *e)
{
    bool is_over = false;

    for (size_t searched = 0;;) {
        const char *from = str_c(&r->text) + r->text_at;
        size_t left = r->text.n - r->text_at;
        const char *end = left > searched ? memchr(from + searched, '\n', left - searched) : NULL;
        if (!end && is_over && left) end = from + left;
        if (end) {
            *line = from;
            *n = (size_t)(end - from);
            r->text_at += *n + (r->text_at + *n < r->text.n);
            return 1;
        }
        if (is_over) return 0;
        if (r->text_is_block && left) return err_set(e, ERR_INPUT, "a block that ends inside a record");
        if (r->text_is_block) drop_block(r);
        if (r->text_at) {
            memmove(r->text.data, from, left);
            r->text.n = left;
            r->text_at = 0;
        }
        searched = left;
        int more = r->mode == MODE_PLAIN ? more_plain(r, e) : more_frames(r, e);
        if (more < 0) return -1;
        if (r->text_is_block) searched = 0;
        is_over = !more;
    }
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    }
    return true;
}

static bool is_in_shard(struct reader *r)
{
    return r->opts.shards < 2 || r->total % r->opts.shards == r->opts.shard;
}

/* What depends on the records before: where tensors lie in the block, and which of them count. */
static bool needs_order(const struct reader *r)
{
    bool has_tensors = r->text_is_block && (r->block || r->opts.skip_tensors);

    return has_tensors || r->is_done || (r->opts.limit && r->opts.skip_bad);
}

static int check_id(const struct record *r, struct err *e)
{
    const char *id;

    if (value_get_string(r->fields, "id", &id, e)) return -1;
    return *id ? 0 : err_set(e, ERR_INPUT, "\"id\" is empty (a name was expected)");
}

static int parse_here(struct reader *r, struct raw *raw, struct err *e)
{
    struct block *b = r->text_is_block ? r->block : NULL;
    /* Outside a stream of ours records have no tensors to find; inside, a block without a tensor frame has none. */
    bool skip = r->opts.skip_tensors && r->text_is_block;

    if (block_record(&raw->record, raw->line, (int64_t)raw->n, b, &r->offset, skip, e)) return -1;
    raw->record->number = raw->number;
    raw->record->file = raw->file;
    if (!r->opts.needs_id || !check_id(raw->record, e)) return 0;
    record_free(raw->record);
    return -1;
}

/* The next record of the open input: 1, 0 at its end, -1. */
static int next_of_input(struct reader *r, struct raw *raw, bool parses, struct err *e)
{
    for (;;) {
        *raw = (struct raw){ .file = r->file };
        int got = next_line(r, &raw->line, &raw->n, e);
        if (got < 0) return failed(r, e);
        if (!got) return 0;
        if (is_blank(raw->line, raw->n)) continue;
        raw->number = ++r->number;
        r->stream_records++;
        bool is_wanted = is_in_shard(r);
        r->total++;
        if (!is_wanted && !needs_order(r)) continue;
        if (!parses && !needs_order(r)) return 1;
        if (parse_here(r, raw, e)) {
            if (reader_bad_raw(r, raw, e)) return -1;
            r->unparsed++;
            continue;
        }
        if (is_wanted) return 1;
        record_free(raw->record);
    }
}

static int next(struct reader *r, struct raw *raw, bool parses, struct err *e)
{
    for (;;) {
        if (r->opts.limit && r->delivered == r->opts.limit) return 0;
        if (!r->is_open) {
            if (r->next_path == r->n_paths) return 0;
            if (open_next(r, e)) return -1;
        }
        int got = next_of_input(r, raw, parses, e);
        if (got < 0) return -1;
        if (got) {
            r->delivered++;
            if (!r->is_done || !r->is_done(r->is_done_arg, record_id(raw->record))) return 1;
            record_free(raw->record);
            continue;
        }
        close(r->in.fd);
        r->in.fd = -1;
        r->is_open = r->in.is_file = false;
    }
}

int reader_next(struct reader *r, struct record **out, struct err *e)
{
    struct raw raw = { 0 };
    int got = next(r, &raw, true, e);

    *out = got > 0 ? raw.record : NULL;
    return got;
}

int reader_next_raw(struct reader *r, struct raw *raw, struct err *e)
{
    return next(r, raw, false, e);
}

bool reader_is_ready(const struct reader *r)
{
    return r->in.is_file || reader_has_line(r);
}

bool reader_has_line(const struct reader *r)
{
    return r->text.n > r->text_at && memchr(r->text.data + r->text_at, '\n', r->text.n - r->text_at);
}

int raw_parse(struct raw *raw, struct err *e)
{
    if (block_record(&raw->record, raw->line, (int64_t)raw->n, NULL, NULL, false, e)) return -1;
    raw->record->number = raw->number;
    raw->record->file = raw->file;
    return 0;
}

/* As block_record() wants it, without tensors. */
static bool is_plain(const struct outline *o)
{
    const struct outline_node *record = o->at;

    if (record->kind != OUTLINE_OBJECT || outline_member(o, record, "tensors", strlen("tensors"))) return false;
    const struct outline_node *id = outline_member(o, record, "id", strlen("id"));
    bool is_name = id && id->kind == OUTLINE_STRING && !id->is_escaped && id->end - id->at <= LIMIT_ID_BYTES;
    return !id || id->kind == OUTLINE_INTEGER || is_name;
}

int raw_outline(struct raw *raw, enum outline_form form, struct outline *o, struct str *room, struct err *e)
{
    if (!raw->record && outline_read(o, raw->line, raw->n, form) && is_plain(o)) return 0;
    if (!raw->record && raw_parse(raw, e)) return -1;
    str_clear(room);
    value_print(raw->record->fields, room);
    outline_read(o, room->data, room->n, OUTLINE_PRINTED);
    return 0;
}

void reader_leave_out(struct reader *r, bool (*is_done)(const void *arg, const char *id), const void *arg)
{
    r->is_done = is_done;
    r->is_done_arg = arg;
}

static int pass_over(struct reader *r, struct err *e)
{
    if (!r->opts.skip_bad || e->code != ERR_INPUT) return -1;
    if (!r->skipped++) r->first_bad = *e;
    err_clear(e);
    return 0;
}

int reader_bad(struct reader *r, const struct record *rec, struct err *e)
{
    err_in(e, "%s: record %" PRId64, rec->file, rec->number);
    return pass_over(r, e);
}

int reader_bad_raw(struct reader *r, const struct raw *raw, struct err *e)
{
    err_in(e, "%s: record %" PRId64, raw->file, raw->number);
    return pass_over(r, e);
}

const struct value *reader_provenance(const struct reader *r)
{
    return r->provenance;
}

int64_t reader_count(const struct reader *r)
{
    return r->delivered + r->unparsed;
}

int64_t reader_skipped(const struct reader *r)
{
    return r->skipped;
}

int reader_used_some(const struct reader *r, struct err *e)
{
    bool used_none = r->skipped && r->skipped >= reader_count(r);

    return used_none ? err_set(e, ERR_INPUT, "every record was skipped") : 0;
}

void reader_close(struct reader *r)
{
    if (!r) return;
    if (r->skipped) log_line("%" PRId64 " records skipped (first: %s)", r->skipped, r->first_bad.text);
    if (r->in.fd >= 0) close(r->in.fd);
    for (int i = 0; i < r->n_paths; i++) free(r->paths[i]);
    free(r->paths);
    free(r->in.buf);
    str_release(&r->text);
    block_release(r->block);
    ZSTD_freeDCtx(r->context);
    value_free(r->provenance);
    free(r);
}

/* The digest in the index that ends a file of ours. */
static bool file_digest(int fd, int64_t bytes, uint64_t *digest)
{
    uint8_t tail[FRAME_TAIL], head[FRAME_START + 16];

    if (bytes < FRAME_TAIL || pread(fd, tail, sizeof tail, bytes - FRAME_TAIL) != sizeof tail) return false;
    int64_t n = frame_index_size(tail);
    if (!n || n > bytes || pread(fd, head, sizeof head, bytes - n) != sizeof head) return false;
    *digest = load_u64(head + FRAME_START + 8);
    return true;
}

/* Anything else, a named pipe above all, may be opened but once. */
static bool is_file(const char *path)
{
    struct stat st;

    return strcmp(path, "-") && !stat(path, &st) && S_ISREG(st.st_mode);
}

struct value *reader_inputs(const struct reader *r)
{
    struct value *list = value_array();

    for (int i = 0; i < r->n_paths; i++) {
        struct value *v = value_object();
        struct stat st;
        uint64_t digest;
        char hex[20];
        struct err ignored = { 0 };
        value_set(v, "name", value_str(utf8_valid(r->paths[i], strlen(r->paths[i])) ? path_base(r->paths[i]) : "?"));
        int fd = is_file(r->paths[i]) ? file_open(r->paths[i], &ignored) : -1;
        if (fd >= 0 && !fstat(fd, &st)) {
            value_set(v, "bytes", value_int(st.st_size));
            if (file_digest(fd, st.st_size, &digest)) {
                snprintf(hex, sizeof hex, "%016" PRIx64, digest);
                value_set(v, "digest", value_str(hex));
            }
        }
        if (fd >= 0) close(fd);
        value_push(list, v);
    }
    return list;
}

int reader_differs(const struct reader *r, const struct out *o, struct err *e)
{
    for (int i = 0; i < r->n_paths; i++) {
        struct err ignored = { 0 };
        int fd = !strcmp(r->paths[i], "-") ? 0 : is_file(r->paths[i]) ? file_open(r->paths[i], &ignored) : -1;
        if (fd < 0) continue;
        int rc = out_differs(o, fd, file_name(r, i), e);
        if (fd) close(fd);
        if (rc) return -1;
    }
    return 0;
}

int reader_each(const char *path, const struct reader_opts *opts,
                int (*each)(void *arg, const struct record *r, struct err *e), void *arg, struct err *e)
{
    struct reader *in = reader_open(&path, 1, opts, e);
    struct record *r;
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next(in, &r, e)) > 0) {
        if (each(arg, r, e)) got = err_in(e, "%s: record %lld", r->file, (long long)r->number);
        record_free(r);
    }
    reader_close(in);
    return got;
}

int reader_each_outline(const char *path, int (*each)(void *arg, const struct outline *o, struct err *e), void *arg,
                        struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true }, e);
    struct outline o = { 0 };
    struct str room = { 0 };
    struct raw raw;
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next_raw(in, &raw, e)) > 0) {
        if (raw_outline(&raw, OUTLINE_SPACED, &o, &room, e) || each(arg, &o, e)) got = reader_bad_raw(in, &raw, e);
        record_free(raw.record);
    }
    outline_release(&o);
    str_release(&room);
    reader_close(in);
    return got;
}
