#ifndef DETECT_DETECTOR_H
#define DETECT_DETECTOR_H
#include "detect/boxes.h"
#include "detect/net.h"
#include "detect/view.h"

/* A Faster R-CNN (Ren et al. 2015) with an attribute head: configuration, parameters, layers and working memory on a
 * device. */
struct detector {
    struct detect_config config;
    struct device *device;
    struct params params;
    struct scratch scratch;
    struct net net;
    int objectness, objectness_bias, deltas, deltas_bias; /* parameters of the RPN's outputs */
    int cls, cls_bias, box, box_bias;                     /* and of the second stage's */
    int attribute_feature, attribute_class, attribute_bias, attribute, attribute_out_bias;
};

/* Builds the network of d->config (already filled) on a device. */
void detector_build(struct detector *d, struct device *device, enum dtype compute, bool training);
/* From a directory with config.json and model.safetensors. */
int detector_load(struct detector *d, const char *dir, struct device *device, enum dtype compute, struct err *e);
extern const char *const detector_files[];                                   /* their names, for outdir_open() */
int detector_save(const struct detector *d, const char *dir, struct err *e); /* writes both files, parameters as BF16 */
void detector_release(struct detector *d);

/* Training from another detector on. First: its configuration without its names, where that can be trained; the names
 * are then added. */
int detector_adapt_config(struct detect_config *c, const struct detect_config *from, struct err *e);
/* Then, d being built and its parameters drawn: from's values; of those that have a row for each class or attribute,
 * the rows of names that both have. With frozen norms the stem and the first stage are not trained, as in the field. */
void detector_adapt(struct detector *d, const struct detector *from);

/* What the network says about one picture. Rows are proposals, in original pixels. */
struct detections {
    int64_t n;
    struct box *proposals, *refined; /* [n]; refined by the second stage for the most likely class */
    struct box *class_boxes;         /* [n][classes] refined for each class (0: the proposal), or NULL: not asked for */
    float *probs;                    /* [n][classes] softmax, class 0 is the background */
    float *attribute_probs;          /* [n][attributes] softmax, or NULL */
    float *features;                 /* [n][feature_size]: the head's output, averaged over its positions */
    int width, height;
};
int detector_feature_size(const struct detector *d);
/* Runs n pictures that have the same input size. out[n] are filled; release each. */
int detector_run(struct detector *d, struct detections *out, const struct view *views, int n, bool wants_class_boxes,
                 struct err *e);
void detections_release(struct detections *x);

/* Steps that prediction and training share. */
struct tensor detector_input(struct detector *d, const struct view *views, int n); /* [n,H,W,3] on the device */
struct rpn_output {
    struct tensor hidden, objectness, deltas; /* [B,Y,X,C], F32 [B,Y,X,A], F32 [B,Y,X,4A] */
};
struct rpn_output detector_rpn(struct detector *d, struct tensor features);
/* Proposals of one picture from its scores and deltas on the host, best first, at most `most`; input pixels. The
 * anchors are of the model; scale: input pixels per picture pixel. Caffe drops small boxes before the best `pre` are
 * chosen, others after. */
struct proposal_opts {
    float width, height; /* of the input */
    float scale[2];
    int64_t pre, most;
};
int64_t detector_proposals(const struct detector *d, struct box *out, const float *scores, const float *deltas,
                           const struct box *anchors, int64_t n, const struct proposal_opts *o);
#endif
