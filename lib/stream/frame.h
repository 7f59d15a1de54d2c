#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include <stdint.h>

/* The frames of unimo-stream(5). Ours are zstd skippable frames: magic, size, then an 8-byte head, then a payload,
 * which begins at FRAME_START. */
#define FRAME_MAGIC 0x184D2A55u /* 0 is pzstd's, E the seekable format's */
#define FRAME_ZSTD 0xFD2FB528u
#define FRAME_SKIPPABLE 0x184D2A50u /* with the low four bits free */
#define FRAME_PROVENANCE "UNMP"
#define FRAME_TENSORS "UNMT"
#define FRAME_INDEX "UNMI"
enum { FRAME_HEAD = 8, FRAME_START = 8 + FRAME_HEAD, FRAME_TELLS = 12, FRAME_MAJOR = 1, FRAME_MINOR = 0 };

/* One block of an index: where its text frame starts, counted from the stream's first byte, and its records. */
struct frame_block {
    uint64_t offset;
    uint32_t records;
};
/* What an index frame says. */
struct frame_index {
    uint64_t records, digest;
    uint64_t length; /* bytes from the stream's start to the end of the index frame */
    int64_t n_blocks;
    struct frame_block *blocks;
    uint64_t *ids; /* [records] XXH64 of each id, 0 for none */
};

/* Appends a whole skippable frame of the kind with the payload. */
void frame_add(struct str *out, const char *kind, const void *payload, size_t n);
/* Whether a frame of ours of this kind begins data[n]; no, when there are fewer than FRAME_TELLS bytes. */
bool frame_is(const uint8_t *data, int64_t n, const char *kind);
/* Checks the 8-byte head of a frame of ours: an unknown major version and flags are refused. */
int frame_check_head(const uint8_t *head, struct err *e);

/* Bytes of the whole frame (zstd or skippable) at the start of data[n]; -1 when it is not whole or no frame. */
int64_t frame_size(const uint8_t *data, int64_t n);
/* Appends data as one zstd frame with a content checksum. */
void frame_compress(struct str *out, const void *data, size_t n, int level);
/* One whole zstd frame of n bytes into a fresh buffer of exactly what it holds, at most limit. */
int frame_decompress(uint8_t **out, int64_t *out_n, const void *data, size_t n, int64_t limit, struct err *e);

/* Appends the whole frame of an index; x->length is that of what is before it. */
void frame_index_add(struct str *out, const struct frame_index *x);
/* The payload of one; every count is checked against n. */
int frame_index_parse(struct frame_index *x, const uint8_t *data, size_t n, struct err *e);
void frame_index_release(struct frame_index *x);
/* Bytes of the index frame that ends a file, found from its last 16 bytes; 0 when there is none. */
enum { FRAME_TAIL = 16 };
int64_t frame_index_size(const uint8_t tail[FRAME_TAIL]);
#endif
