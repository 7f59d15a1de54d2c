#ifndef TRAIN_SHARE_H
#define TRAIN_SHARE_H
#include "nn/params.h"
#include "train/comm.h"

/* The optimizer's state divided among the ranks (stage 1 of Rajbhandari et al., "ZeRO", 2020): each keeps the moments
 * of a part of the parameters, steps that part and sends its values to the others. */
void share_begin(struct params *p, const struct comm *c);
/* After each step: everybody gets everybody's values. */
void share_values(struct params *p, struct comm *c);
/* For saving: the moments of all parameters on the host of rank 0, which frees them; NULL on other ranks. */
void share_gather(const struct params *p, struct comm *c, float **m, float **v);
#endif
