#ifndef STREAM_LINES_H
#define STREAM_LINES_H
#include "core/str.h"
#include "stream/reader.h"

/* Reads plain text line by line from files as if they were concatenated. Bytes may be any, NUL included. */
struct lines;
/* paths as in reader_open(), borrowed; of opts, shard, shards and limit count (lines instead of records). Each file is
 * opened when the one before it has ended. */
struct lines *lines_open(const char *const *paths, int n, const struct reader_opts *opts);
/* 1 with a line, without its newline, appended to *line, and its number from 1 over all files; 0 at the end; -1. Zero
 * bytes of input are an error. */
int lines_next(struct lines *l, struct str *line, int64_t *number, struct err *e);
bool lines_has_line(const struct lines *l); /* that call need not read anything */
bool lines_is_ready(const struct lines *l); /* nor wait for more than a disk */
void lines_close(struct lines *l);          /* NULL is fine */
#endif
