#ifndef DETECT_GRID_H
#define DETECT_GRID_H
#include "detect/detector.h"

/* The backbone's feature map as regions, without the detector's own stages: for models that take a grid of cells (Jiang
 * et al. 2020, "In Defense of Grid Features"). */
struct grid {
    int rows, columns;
    int width, height; /* of the picture */
    struct box *boxes; /* [rows * columns], in the picture's pixels, row by row */
    float *features;   /* [rows * columns][channels of the last stage] */
};
/* n pictures whose inputs have one size. Neighbouring cells are averaged k x k, with the least k that leaves at most
 * `most` of them. out[n] are filled; release each. */
int detector_grid(struct detector *d, struct grid *out, const struct view *views, int n, int most, struct err *e);
void grid_release(struct grid *g);
#endif
