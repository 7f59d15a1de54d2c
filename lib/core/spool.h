#ifndef CORE_SPOOL_H
#define CORE_SPOOL_H
#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow on disk, in a file without a name, and are read back by mapping: for what may be far above memory. */
struct spool;
struct spool *spool_new(const char *dir, struct err *e); /* the file is in this directory; gone with the spool */
int spool_add(struct spool *s, const void *data, size_t n, struct err *e);
int64_t spool_bytes(const struct spool *s);
/* n bytes that were added, from `at` on. */
int spool_read(struct spool *s, int64_t at, void *out, size_t n, struct err *e);
/* All that was added: valid until the next spool_add() or spool_free(). Not NULL for no bytes. */
const void *spool_map(struct spool *s, struct err *e);
void spool_free(struct spool *s); /* NULL is fine */
#endif
