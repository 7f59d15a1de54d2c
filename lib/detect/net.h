#ifndef DETECT_NET_H
#define DETECT_NET_H
#include "detect/config.h"
#include "nn/params.h"

/* The convolutional layers of a detector: stem, stages, RPN and head, forward and backward. Every layer runs once per
 * pass; what backward needs is kept in the layer until the scratch memory is reset. */
struct layer {
    int w, b, g; /* parameters: filters; bias (frozen norm) or shift; gain of the group norm, -1 without */
    int in, out, kernel;
    struct conv conv;
    struct tensor x, z, stats, y; /* of the last forward */
    bool relu;
};
struct bottleneck {
    struct layer a, b, c, shortcut;
    bool has_shortcut;
    struct tensor x, y;
};
struct net {
    const struct detect_config *config;
    struct params *params;
    struct scratch *scratch;
    struct layer stem, rpn;
    struct tensor pooled, pool_arg; /* of the stem */
    int n_blocks, n_head;
    struct bottleneck *blocks, *head; /* backbone; on regions */
};

#define NORM_EPS 1e-5f /* of group norms */

/* Adds all parameters (names in unimo-model(5)). */
void net_init(struct net *n, const struct detect_config *c, struct params *p, struct scratch *s);
void net_release(struct net *n);
/* Feature map [B,Y,X,C] of input [B,H,W,3]. */
struct tensor net_features(struct net *n, struct tensor input);
/* Through the stages and the stem; adds to gradients. */
void net_features_backward(struct net *n, struct tensor dfeatures);
struct tensor net_head(struct net *n, struct tensor rois);           /* [R,P,P,C] -> [R,P',P',C'] */
struct tensor net_head_backward(struct net *n, struct tensor dhead); /* gradient at the pooled regions */
/* Output side of the stem's pooling; Caffe rounds up. */
int64_t net_pooled_size(const struct detect_config *c, int64_t in);
struct tensor layer_forward(struct net *n, struct layer *l, struct tensor x, bool relu);
struct tensor layer_backward(struct net *n, struct layer *l, struct tensor dy, bool wants_dx);
#endif
