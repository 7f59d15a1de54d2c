#ifndef DETECT_STATE_H
#define DETECT_STATE_H
#include "detect/train.h"

/* Where a training of a detector stands, on disk: a detector's directory (parameters as F32) with optimizer.safetensors
 * and trainer.json. A directory of the name is always complete. */
int state_save(const struct detector *d, const struct detect_train_opts *o, const struct annotations *train,
               int64_t step, struct err *e);
/* Brings it back; *step is 0 when there is none. Options that change the result, the names, the pictures' ids and their
 * objects must be those of the saved run. */
int state_load(struct detector *d, const struct detect_train_opts *o, const struct annotations *train, int64_t *step,
               struct err *e);
#endif
