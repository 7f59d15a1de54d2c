#ifndef DETECT_CONFIG_H
#define DETECT_CONFIG_H
#include "core/err.h"
#include "stream/value.h"
#include <stdbool.h>

/* What config.json of a detector says (unimo-model(5)). */
enum { STAGES_MAX = 5, ANCHOR_SCALES_MAX = 8, ANCHOR_RATIOS_MAX = 8, ANCHOR_BOXES_MAX = 64, NAMES_MAX = 4096 };
enum { SIDE_LEAST = 32, SIDE_MOST = 4096 }; /* of the input */
#define DETECT_PARAMETERS_MAX (1LL << 29)   /* four times ResNeXt-152 with 1600 classes */
struct stage_config {
    int blocks, width, channels; /* bottlenecks of 1x1 to width, 3x3, 1x1 to channels */
    int stride, dilation;        /* of the first block; of all 3x3 */
    bool stride_in_1x1;          /* the stride sits in the first 1x1 (Caffe), not in the 3x3 */
    int cardinality;             /* groups of the 3x3 (ResNeXt); 0 is 1 */
};
struct names {
    int n;
    char **at;
};
struct detect_config {
    bool is_bgr;
    float mean[3], scale[3];   /* of the input: (value - mean) * scale, in the order of the input's channels */
    bool is_exact_scale;       /* pixels of the input are 1 / scale apart, not width / rounded width (OpenCV) */
    int short_side, long_side; /* pictures are resized to this, keeping their shape */
    int stem_kernel, stem_stride, stem_channels, pool_kernel, pool_stride, pool_pad; /* pool_kernel 0: none */
    bool pool_ceil; /* Caffe's output size of pooling */
    int groups;     /* of group norm; 0: frozen norms, folded into the filters and biases */
    int n_stages;
    struct stage_config stages[STAGES_MAX], head; /* backbone; head: on pooled regions */
    bool anchors_caffe;                           /* rounded anchors around 7.5 and widths with +1 */
    int n_scales, n_ratios;
    float scales[ANCHOR_SCALES_MAX],
        ratios[ANCHOR_RATIOS_MAX]; /* sides of the square anchor in input pixels; height / width */
    int n_anchor_boxes;            /* more than 0: the anchors of the first cell themselves, instead of both */
    float anchor_boxes[ANCHOR_BOXES_MAX][4];
    int rpn_channels, pre_nms, post_nms, roi_size;
    float rpn_nms, min_side;  /* proposals with a smaller side are dropped */
    bool min_side_of_picture; /* which is in the picture's pixels, not the input's */
    bool roi_align, boxes_per_class;
    bool
        roi_unaligned; /* of RoIAlign: without the half pixel, and no region smaller than a cell (its first versions) */
    int roi_samples;   /* of RoIAlign: along a side of a bin; 0: as many as it has cells */
    int attribute_hidden;
    bool attribute_of_background; /* attributes follow the most likely class of all, not of all but the background */
    struct names classes;         /* classes.at[0] is the background */
    struct names attributes;      /* attributes.at[0] is none */
};

int detect_config_read(struct detect_config *c, const struct value *v, struct err *e);
/* What must hold beyond each key's own range: groups divide channels, no pooling window lies outside, the parameters
 * are not too many, ... */
int detect_config_check(const struct detect_config *c, struct err *e);
int detect_config_load(struct detect_config *c, const char *path, struct err *e);
struct value *detect_config_print(const struct detect_config *c);
/* The architecture that --learn trains, without names. */
void detect_config_small(struct detect_config *c);
/* Adds anchors for a larger input of that architecture: twice as large, up to half of its shorter side. */
void detect_config_anchors(struct detect_config *c);
/* The field's detector (Anderson et al. 2018), a ResNet of 50, 101 or 152 layers up to its fourth stage and the fifth
 * on regions, as the release has it, without names. */
void detect_config_field(struct detect_config *c, int layers);
void detect_config_release(struct detect_config *c);
void names_add(struct names *n, const char *name);
int names_find(const struct names *n, const char *name); /* -1 */
/* Parameters of the convolutions and of the second stage, without biases and norms. */
int64_t detect_config_parameters(const struct detect_config *c);
int detect_stride(const struct detect_config *c); /* input pixels per cell of the feature map */
#endif
