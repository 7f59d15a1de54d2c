#ifndef STREAM_STORE_H
#define STREAM_STORE_H
#include "stream/record.h"

/* Random access to the records of stream files, whose size may be far above memory: files are mapped, the latest
 * unpacked blocks stay in a cache, a record costs the parsing of its line. Kept for good are 24 bytes a block and 8 a
 * record (16 more once ids are looked up). Inputs that are no streams of ours are copied into a temporary file first.
 * Thread-safe. */
struct store;
/* paths: files, or patterns of the shell for many. cache_bytes: of unpacked blocks; 0: twice a window of
 * store_shuffled(). */
struct store *store_open(const char *const *paths, int n, int64_t cache_bytes, struct err *e);
int64_t store_count(const struct store *s);
/* Names contents and order of the records, in whatever files they are. */
uint64_t store_digest(const struct store *s);
/* Record i, counted over all files; the caller frees it. */
int store_get(struct store *s, int64_t i, struct record **out, struct err *e);
/* The record's id, "" when it cannot be read. Kept by the store until it is closed. */
const char *store_id(struct store *s, int64_t i);
/* Makes lookups by id possible; without, the first lookup does. Refuses ids that two records have. */
int store_index(struct store *s, struct err *e);
int64_t store_find(struct store *s, const char *id); /* its number or -1 */
/* By id; absence is an error that names the files. */
int store_get_id(struct store *s, const char *id, struct record **out, struct err *e);
/* The record at place i of the random order named by (seed, epoch) that reads each block about once: see shuffle.h. */
int64_t store_shuffled(struct store *s, uint64_t seed, uint64_t epoch, int64_t i);
void store_close(struct store *s); /* NULL is fine */
#endif
