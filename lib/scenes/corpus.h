#ifndef SCENES_CORPUS_H
#define SCENES_CORPUS_H
#include "core/err.h"
#include <stdint.h>

/* Makes a whole corpus in a directory (unimo-scenes(1) describes its files). Every scene is a function of (seed, split,
 * number), so that neither threads nor the sizes of other splits change it. */
struct corpus_opts {
    const char *dir, *sprites;
    uint64_t seed;
    int64_t train, dev, test, images, texts; /* scenes of each split; unpaired images and texts */
    int threads, quality;
};
int corpus_make(const struct corpus_opts *o, struct err *e);
#endif
