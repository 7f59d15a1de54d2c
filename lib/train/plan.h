#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H
#include "train/trainer.h"

/* Figures that a training is planned and judged by; train_plan() and train_steps() are in trainer.h. */

/* Threads that read and mask: as asked for, else one beside a CPU and up to eight beside an accelerator. */
int train_loaders(const struct model *m, const struct train_opts *o);
/* FLOP/s of large matrix products in the model's compute type on its device, measured now; 0 for the reference device.
 */
double train_peak(const struct model *m);
#endif
