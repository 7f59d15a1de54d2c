#ifndef STREAM_BLOCK_H
#define STREAM_BLOCK_H
#include "stream/record.h"
#include <stdatomic.h>

/* The unpacked tensor bytes of one block, shared by the records that point into it. */
struct block {
    atomic_int holders;
    int64_t bytes;
    uint8_t *data;
};
struct block *block_new(uint8_t *data, int64_t bytes); /* takes data over; one holder */
void block_release(struct block *b);                   /* NULL is fine */

/* Makes a record of one line of JSON: parses it and binds its tensors to the block (NULL: a record with tensors is an
 * error; skip_tensors: they are left out). Checks descriptors completely, and that they follow each other without holes
 * from *offset, which moves on; NULL: wherever they begin in the block. */
int block_record(struct record **out, const char *line, int64_t n, struct block *b, int64_t *offset, bool skip_tensors,
                 struct err *e);
/* The record's line, with its "tensors" member placed from *offset on, which moves on by their bytes. */
void block_print(const struct record *r, int64_t *offset, struct str *out);
#endif
