#ifndef TRAIN_SHARE_H
#define TRAIN_SHARE_H
#include "nn/params.h"
#include "train/comm.h"

/* The optimizer's state divided among the ranks (stage 1 of Rajbhandari et al., "ZeRO", 2020): each keeps the moments
 * of a part of the parameters, steps that part and sends its values to the others. */
void share_begin(struct params *p, const struct comm *c);
/* After each step: everybody gets everybody's values. */
void share_values(struct params *p, struct comm *c);
/* While rank 0 saves, the others share_serve() what it fetches of the moments that they keep (a params_fetch; ctx: its
 * struct comm), until it says that it is done. */
int share_fetch(void *ctx, const struct params *p, struct tensor state, int64_t from, int64_t n, float *to,
                struct err *e);
void share_serve(const struct params *p, struct comm *c);
void share_fetched(struct comm *c);
#endif
