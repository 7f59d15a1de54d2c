#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H
#include "core/err.h"
#include "stream/value.h"
#include <stdint.h>

/* A training log: JSON Lines, each line in one write, so that a reader can follow it. Losing it must not lose the
 * training: when a line cannot be written (a full disk, a reader that went away), that is said once and the training
 * goes on without. */
struct journal;
/* NULL path: nothing is written. When a run is resumed after `step`, lines of later steps are removed from a regular
 * file; at step 0 the file starts empty. */
struct journal *journal_open(const char *path, int64_t step, struct err *e);
void journal_write(struct journal *j, const struct value *line);
void journal_close(struct journal *j);
#endif
