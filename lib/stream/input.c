#include "stream/input.h"
#include "core/file.h"
#include "core/mem.h"
#include "stream/frame.h"
#include "stream/limits.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { CHUNK = 256 << 10 };

/* What is there, at most CHUNK bytes. */
static ssize_t read_some(int fd, void *at, struct err *e)
{
    ssize_t got = read(fd, at, CHUNK);

    return got >= 0 ? got : file_read(fd, at, CHUNK, e); /* retries EINTR, words the error */
}

/* Where in the input the front is. */
static int64_t place(const struct input *s)
{
    return s->before + s->at;
}

/* Makes at least n bytes available at buf + at, unless the input ends before. Returns what is there, or -1. */
static int64_t need(struct input *s, int64_t n, struct err *e)
{
    while (s->end - s->at < n && !s->is_over) {
        if (s->at && (s->end == s->at || s->cap - s->end < CHUNK)) {
            memmove(s->buf, s->buf + s->at, (size_t)(s->end - s->at));
            s->before += s->at;
            s->end -= s->at;
            s->at = 0;
        }
        if (mem_reserve_try(&s->buf, &s->cap, s->end + CHUNK)) return err_set(e, ERR_IO, "not enough memory");
        ssize_t got = read_some(s->fd, s->buf + s->end, e);
        if (got < 0) return -1;
        if (!got) s->is_over = true;
        s->end += got;
    }
    return s->end - s->at;
}

/* Whether frames or lines are to come. */
static int detect_form(struct input *s, struct err *e)
{
    int64_t n = need(s, 4, e);
    const uint8_t *b = s->buf + s->at;

    if (n < 0) return -1;
    if (n == 0) return err_set(e, ERR_INPUT, "is empty (a stream was expected)");
    uint32_t magic = n >= 4 ? load_u32(b) : 0;
    s->is_plain = magic != FRAME_ZSTD && (magic & ~15u) != FRAME_SKIPPABLE;
    if (!s->is_plain) return 0;
    if (n >= 2 && b[0] == 0x1f && b[1] == 0x8b) return err_set(e, ERR_INPUT, "gzip data (use zcat FILE |)");
    if (n >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf)
        return err_set(e, ERR_INPUT, "starts with a byte-order mark (plain UTF-8 was expected)");
    if (b[0] != '{' && b[0] != '\n' && b[0] != ' ' && b[0] != '\r' && b[0] != '\t')
        return err_set(e, ERR_INPUT, "neither zstd data nor JSON Lines");
    return 0;
}

static int truncated(struct input *s, const char *where, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s after record %" PRId64 " (truncated, or its writer failed)", where, s->number);
}

static void drop_block(struct input *s)
{
    block_release(s->block);
    s->block = NULL;
    s->in_block = false;
    str_clear(&s->text);
    s->text_at = 0;
}

/* The end of an input (or the start of a stream joined by cat): what was open must be complete. */
static int check_end(struct input *s, struct err *e)
{
    if (s->in_frame) return truncated(s, "ends inside a frame", e);
    if (s->in_stream) return truncated(s, "ends without its index", e);
    return 0;
}

/* This and the next: the frame, of n bytes of payload, is just behind the front. */
static int start_stream(struct input *s, const uint8_t *payload, int64_t n, struct err *e)
{
    struct value *p, *list;

    if (check_end(s, e)) return -1;
    if (!(p = value_parse((const char *)payload, n, e))) return err_in(e, "provenance");
    if (value_get_array(p, "provenance", &list, e)) {
        value_free(p);
        return err_in(e, "provenance");
    }
    value_free(s->provenance);
    s->provenance = value_copy(list);
    value_free(p);
    s->in_stream = true;
    s->stream_records = 0;
    s->stream_start = place(s) - n - FRAME_HEAD - 8;
    digest_init(&s->digest);
    return 0;
}

static int finish_stream(struct input *s, const uint8_t *payload, int64_t n, struct err *e)
{
    struct frame_index x;

    if (!s->in_stream) return err_set(e, ERR_INPUT, "an index without the start of its stream");
    if (frame_index_parse(&x, payload, (size_t)n, e)) return -1;
    s->in_stream = false;
    int rc = 0;
    if (x.records != (uint64_t)s->stream_records)
        rc = err_set(e, ERR_INPUT, "%" PRId64 " records, but its index says %" PRIu64, s->stream_records, x.records);
    else if (x.length != (uint64_t)(place(s) - s->stream_start))
        rc = err_set(e, ERR_INPUT, "%" PRId64 " bytes, but its index says %" PRIu64, place(s) - s->stream_start,
                     x.length);
    else if (x.digest != digest_value(&s->digest))
        rc = err_set(e, ERR_INPUT, "its contents do not match the digest of its index");
    frame_index_release(&x);
    return rc;
}

/* The tensor frame that follows a block's text: payload is one zstd frame. */
static int take_tensors(struct input *s, const uint8_t *payload, int64_t n, struct err *e)
{
    uint8_t *data;
    int64_t bytes;

    if (frame_decompress(&data, &bytes, payload, (size_t)n, LIMIT_BLOCK_BYTES, e))
        return err_in(e, "tensors after record %" PRId64, s->number);
    digest_add(&s->digest, data, (size_t)bytes);
    if (s->skip_tensors) free(data);
    else s->block = block_new(data, bytes);
    return 0;
}

/* One skippable frame at the front: ours is handled, another stepped over. 0 or -1. */
static int take_skippable(struct input *s, struct err *e)
{
    int64_t have = need(s, 8, e);

    if (have < 0) return -1;
    if (have < 8) return truncated(s, "ends inside a frame", e);
    bool is_ours = load_u32(s->buf + s->at) == FRAME_MAGIC;
    int64_t n = load_u32(s->buf + s->at + 4);
    s->at += 8;
    if (is_ours && n > LIMIT_FRAME_BYTES)
        return err_set(e, ERR_INPUT, "a frame of %" PRId64 " bytes (at most %lld)", n, LIMIT_FRAME_BYTES);
    if (!is_ours || n < FRAME_HEAD) {
        while (n > 0) {
            have = need(s, n < CHUNK ? n : CHUNK, e);
            if (have < 0) return -1;
            if (!have) return truncated(s, "ends inside a frame", e);
            s->at += have < n ? have : n;
            n -= have < n ? have : n;
        }
        return 0;
    }
    have = need(s, n, e);
    if (have < 0) return -1;
    if (have < n) return truncated(s, "ends inside a frame", e);
    const uint8_t *head = s->buf + s->at, *payload = head + FRAME_HEAD;
    s->at += n;
    n -= FRAME_HEAD;
    bool is_start = !memcmp(head, FRAME_PROVENANCE, 4), is_index = !memcmp(head, FRAME_INDEX, 4);
    bool is_tensors = !memcmp(head, FRAME_TENSORS, 4);
    if (!is_start && !is_index && !is_tensors) return 0;
    if (frame_check_head(head, e)) return -1;
    if (is_start) return start_stream(s, payload, n, e);
    if (is_index) return finish_stream(s, payload, n, e);
    if (!s->in_block) return err_set(e, ERR_INPUT, "tensors without the records that name them");
    return take_tensors(s, payload, n, e);
}

/* Unpacks more of the zstd frame at the front into text, up to limit bytes in all. 1 when the frame is over. */
static int unpack(struct input *s, int64_t limit, struct err *e)
{
    int64_t have = need(s, 1, e);

    if (have < 0) return -1;
    if (!have) return truncated(s, "ends inside a frame", e);
    if ((int64_t)s->text.n > limit)
        return err_set(e, ERR_INPUT, "more than %" PRId64 " bytes in one block or line", limit);
    size_t room = ZSTD_DStreamOutSize();
    int64_t cap = (int64_t)s->text.cap;
    if (mem_reserve_try(&s->text.data, &cap, (int64_t)(s->text.n + room + 1)))
        return err_set(e, ERR_IO, "not enough memory");
    s->text.cap = (size_t)cap;
    ZSTD_inBuffer in = { s->buf + s->at, (size_t)have, 0 };
    ZSTD_outBuffer out = { s->text.data + s->text.n, room, 0 };
    size_t rc = ZSTD_decompressStream(s->context, &out, &in);
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(e, ERR_INPUT, "zstd data of a window above %d MiB (use zstd -dc --long=31 FILE |)",
                       1 << (LIMIT_WINDOW_LOG - 20));
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) return err_set(e, ERR_IO, "not enough memory");
    if (ZSTD_isError(rc))
        return err_set(e, ERR_INPUT, "corrupt data after record %" PRId64 " (%s)", s->number, ZSTD_getErrorName(rc));
    s->at += (int64_t)in.pos;
    s->text.n += out.pos;
    s->text.data[s->text.n] = 0;
    return rc == 0;
}

/* A whole block of ours: its text, and its tensors when they follow. */
static int take_block(struct input *s, struct err *e)
{
    int over;

    drop_block(s);
    ZSTD_DCtx_reset(s->context, ZSTD_reset_session_only);
    do {
        over = unpack(s, LIMIT_BLOCK_TEXT, e);
    } while (!over);
    if (over < 0) return -1;
    digest_add(&s->digest, str_c(&s->text), s->text.n);
    s->in_block = true;
    s->offset = 0;
    int64_t have = need(s, FRAME_TELLS, e);
    if (have < 0) return -1;
    return frame_is(s->buf + s->at, have, FRAME_TENSORS) ? take_skippable(s, e) : 0;
}

/* Whether the skippable frame at the front is the first of a stream of ours. Other programs' frames may stand in the
 * middle of a line, as those of pzstd do. */
static bool begins_stream(struct input *s)
{
    const int64_t n = 12;
    struct err ignored = { 0 }; /* comes again with the frame */

    if (need(s, n, &ignored) < n) return false;
    const uint8_t *frame = s->buf + s->at;
    return load_u32(frame) == FRAME_MAGIC && !memcmp(frame + 8, FRAME_PROVENANCE, 4);
}

/* More text from the frames: 1, or 0 at the end of the input. */
static int more_frames(struct input *s, struct err *e)
{
    for (;;) {
        if (s->in_frame) {
            int over = unpack(s, LIMIT_RECORD_BYTES, e);
            if (over < 0) return -1;
            s->in_frame = !over;
            return 1;
        }
        int64_t have = need(s, 4, e);
        if (have < 0) return -1;
        if (!have) return check_end(s, e);
        if (have < 4) return truncated(s, "ends inside a frame", e);
        uint32_t magic = load_u32(s->buf + s->at);
        if ((magic & ~15u) == FRAME_SKIPPABLE) {
            bool ends_line = s->text.n > s->text_at && begins_stream(s);
            if (ends_line) return str_add_char(&s->text, '\n'), 1; /* a foreign last line without its newline */
            if (take_skippable(s, e)) return -1;
        } else if (magic != FRAME_ZSTD) {
            return err_set(e, ERR_INPUT, "not a zstd frame after record %" PRId64, s->number);
        } else if (s->in_stream) {
            return take_block(s, e) ? -1 : 1;
        } else {
            ZSTD_DCtx_reset(s->context, ZSTD_reset_session_only);
            s->in_frame = true;
        }
    }
}

static int more_plain(struct input *s, struct err *e)
{
    int64_t have = s->end - s->at;

    if ((int64_t)s->text.n > LIMIT_RECORD_BYTES)
        return err_set(e, ERR_INPUT, "a line of more than %lld bytes", LIMIT_RECORD_BYTES);
    if (have) { /* what was read to see what this is */
        str_add_bytes(&s->text, s->buf + s->at, (size_t)have);
        s->at += have;
        return 1;
    }
    ssize_t got = s->is_over ? 0 : read_some(s->fd, str_room(&s->text, CHUNK), e);
    if (got < 0) return -1;
    s->is_over = !got; /* a terminal would go on */
    if (!got) return 0;
    s->text.n += (size_t)got;
    s->text.data[s->text.n] = 0;
    return 1;
}

/* The next line of this input without its newline; 0 at the end. */
static int next_line(struct input *s, const char **line, size_t *n, struct err *e)
{
    bool is_over = false;

    for (size_t searched = 0;;) {
        const char *from = str_c(&s->text) + s->text_at;
        size_t left = s->text.n - s->text_at;
        const char *end = left > searched ? memchr(from + searched, '\n', left - searched) : NULL;
        if (!end && is_over && left) end = from + left;
        if (end) {
            *line = from;
            *n = (size_t)(end - from);
            s->text_at += *n + (s->text_at + *n < s->text.n);
            return 1;
        }
        if (is_over) return 0;
        if (s->in_block && left) return err_set(e, ERR_INPUT, "a block that ends inside a record");
        if (s->in_block) drop_block(s);
        if (s->text_at) {
            memmove(s->text.data, from, left);
            s->text.n = left;
            s->text_at = 0;
        }
        searched = left;
        int more = s->is_plain ? more_plain(s, e) : more_frames(s, e);
        if (more < 0) return -1;
        if (s->in_block) searched = 0;
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

/* ---- for readers ---- */

int input_open(struct input *s, int fd, struct err *e)
{
    struct stat st;

    s->fd = fd;
    s->is_open = true;
    s->is_file = !fstat(fd, &st) && S_ISREG(st.st_mode);
    s->at = s->end = s->before = s->number = 0;
    s->is_over = s->in_stream = s->in_frame = false;
    drop_block(s);
    if (!s->context && !(s->context = ZSTD_createDCtx())) return err_set(e, ERR_IO, "not enough memory");
    ZSTD_DCtx_setParameter(s->context, ZSTD_d_windowLogMax, LIMIT_WINDOW_LOG);
    return detect_form(s, e);
}

int input_line(struct input *s, const char **line, size_t *n, struct err *e)
{
    int got;

    do {
        got = next_line(s, line, n, e);
    } while (got > 0 && is_blank(*line, *n));
    if (got > 0) s->number++, s->stream_records++;
    return got;
}

bool input_has_line(const struct input *s)
{
    return s->text.n > s->text_at && memchr(s->text.data + s->text_at, '\n', s->text.n - s->text_at);
}

void input_close(struct input *s)
{
    if (s->is_open) close(s->fd);
    s->is_open = s->is_file = false;
}

void input_release(struct input *s)
{
    input_close(s);
    free(s->buf);
    str_release(&s->text);
    block_release(s->block);
    ZSTD_freeDCtx(s->context);
    value_free(s->provenance);
    *s = (struct input){ 0 };
}
