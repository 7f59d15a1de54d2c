#ifndef STREAM_MAPPED_H
#define STREAM_MAPPED_H
#include "core/err.h"
#include "stream/block.h"
#include <stdint.h>

/* Files of complete streams of ours, mapped into memory, and where their blocks are (from the index at the end of each
 * stream). What is something else - JSON Lines, foreign zstd, a pipe - is first copied into a stream in a nameless
 * temporary file ($TMPDIR, else /tmp). */
struct mapped_block {
    int64_t offset, first; /* of its text frame in its file; number of its first record over all files */
    int32_t file;
};
struct mapped {
    struct mapped_file {
        char *path;
        const uint8_t *data;
        int64_t bytes;
    } * file;
    int64_t n_files, cap_file;
    struct mapped_block *block; /* [n_blocks], and one behind the last whose `first` is n_records */
    int64_t n_blocks, cap_block, n_records, cap_id;
    uint64_t *id;    /* [n_records] hash64() of each id */
    uint64_t digest; /* of contents and order: that of the parts is that of the whole */
};
/* paths: files, or patterns of the shell (* ? [...]) that stand for all files they match. */
int mapped_open(struct mapped *m, const char *const *paths, int n, struct err *e);
void mapped_close(struct mapped *m);
int64_t mapped_find_block(const struct mapped *m, int64_t record);
int64_t mapped_block_bytes(const struct mapped *m, int64_t block); /* packed; 0 records: 0 */

/* A block as it is when unpacked: the lines of its records and the bytes of their tensors. */
struct unpacked {
    char *text;
    uint32_t *line; /* [n + 1] where each line starts in text; the last: its end */
    int64_t n, bytes;
    struct block *tensors; /* or NULL */
};
int mapped_unpack(const struct mapped *m, int64_t block, struct unpacked *u, struct err *e);
void unpacked_release(struct unpacked *u);
#endif
