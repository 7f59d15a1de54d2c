#ifndef STREAM_STORE_H
#define STREAM_STORE_H
#include "stream/record.h"

/* Random access to the records of stream files by id: files are mapped, a record costs the unpacking of its
 * block, the latest blocks stay in a small cache. Thread-safe. Foreign streams and joined parts are scanned
 * once at opening; ids repeated between files are refused. */
struct store;
struct store *store_open(const char *const *paths, int n, int64_t cache_bytes, struct err *e); /* cache 0: 256 MiB */
int64_t store_count(const struct store *s);
const char *store_id(const struct store *s, int64_t i);    /* by position over all files */
int64_t store_find(const struct store *s, const char *id); /* position or -1 */
/* Record i; the caller frees it. */
int store_get(struct store *s, int64_t i, struct record **out, struct err *e);
/* By id; absence is an error that names the files. */
int store_get_id(struct store *s, const char *id, struct record **out, struct err *e);
void store_close(struct store *s);
#endif
