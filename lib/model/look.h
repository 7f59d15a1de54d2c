#ifndef MODEL_LOOK_H
#define MODEL_LOOK_H
#include "model/model.h"

/* Which rows looked at which: share[i * n_rows + j] is how much of row i's attention went to row j, the mean over all
 * layers and heads; a row's shares sum to 1. The batch has one sequence. */
int model_attention(struct model *m, struct scratch *s, const struct batch *b, float *share, struct err *e);
#endif
