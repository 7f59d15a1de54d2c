#ifndef SCORE_DETECTION_H
#define SCORE_DETECTION_H
#include <stdint.h>

/* Average precision of boxes as PASCAL VOC computes it, at an IoU threshold: detections by falling confidence (ties by
 * order) each take the ground truth of their class and picture that they overlap best, if its IoU is above the
 * threshold and it is not taken yet; the area under the envelope of precision over recall; the mean over the classes
 * that have ground truth. No width has +1 (real-valued boxes). */
struct scored_box {
    int64_t image;
    int class_of;
    float box[4], score; /* score is not used for ground truth */
};
double detection_ap(const struct scored_box *found, int64_t n_found, const struct scored_box *truth, int64_t n_truth,
                    int classes, double iou);
#endif
