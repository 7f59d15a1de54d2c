#ifndef CORE_SORTED_H
#define CORE_SORTED_H
#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

/* A text file whose lines are sorted by bytes, mapped: lines are found by their first field, fields end at blanks. As
 * WordNet's index and exception files are. */
struct sorted {
    const char *data;
    int64_t n;
};
int sorted_open(struct sorted *s, const char *dir, const char *name, struct err *e);
void sorted_close(struct sorted *s);
/* The line whose first field is the key (1 to 76 bytes), and where it ends; or NULL. */
const char *sorted_line(const struct sorted *s, const char *key, size_t n, const char **end);
/* The next field of a line, *n = 0 at its end; *p moves behind it. */
const char *sorted_field(const char **p, const char *end, size_t *n);
#endif
