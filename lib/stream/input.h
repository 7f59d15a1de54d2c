#ifndef STREAM_INPUT_H
#define STREAM_INPUT_H
#include "core/hash.h"
#include "core/str.h"
#include "stream/block.h"

/* One input of a reader: a sequence of frames, or plain lines. Inside a stream of ours (from its provenance frame to
 * its index) a text frame is taken whole, because its tensors come after it; anything else is foreign and read line by
 * line, so that a foreign frame of any size needs little memory. */
struct input {
    bool skip_tensors; /* the caller's to set */
    bool is_open, is_file;
    int64_t number; /* of the line given last, from 1 */
    bool in_block;  /* that line is one of a block of ours, with tensors in block (NULL: none, or skipped) */
    struct block *block;
    int64_t offset;           /* in the block, of the next tensor: moved on by the caller */
    struct value *provenance; /* of the stream begun last, an array; the caller's before the first */

    /* its own: bytes read, of which those from at to end are to come */
    int fd;
    uint8_t *buf;
    int64_t cap, at, end, before; /* before: bytes of the input that are in buf no longer */
    bool is_over, is_plain;

    /* a stream of ours */
    bool in_stream;
    struct digest digest;
    int64_t stream_records, stream_start; /* where in the input it began */

    /* text that is cut into lines */
    struct str text;
    size_t text_at;
    struct ZSTD_DCtx_s *context; /* a foreign frame under way */
    bool in_frame;
};
/* Takes over an open descriptor (also on failure) and tells frames from lines; what is neither is refused. s is zeroed
 * or one that was closed, whose memory is used again. */
int input_open(struct input *s, int fd, struct err *e);
/* The next line that is not blank, without its newline; 1, 0 at the end, -1. It and the block are valid until the next
 * call. Every promise of unimo-stream(5) about frames is checked on the way. */
int input_line(struct input *s, const char **line, size_t *n, struct err *e);
bool input_has_line(const struct input *s); /* that call need not read anything */
void input_close(struct input *s);
void input_release(struct input *s);
#endif
