#ifndef DETECT_INFER_H
#define DETECT_INFER_H
#include "detect/net.h"

/* The layers of a net without what training keeps: a block's additions and ReLUs happen inside its convolutions, blocks
 * without a shortcut work in place, and all blocks share two buffers. Values are those of net_features() and net_head()
 * but for the order of additions. */

/* Feature map [B,Y,X,C] of input [B,H,W,3]. */
struct tensor infer_features(struct net *n, struct tensor input);
/* Regions that the head can take at once, so that what they need stays small. */
int64_t infer_head_rows(const struct net *n);
/* means[R,C'] = the head's output of pooled regions [R,P,P,C], averaged over its positions. pooled is overwritten. The
 * scratch memory is as before. */
void infer_head(struct net *n, struct tensor means, struct tensor pooled);
#endif
