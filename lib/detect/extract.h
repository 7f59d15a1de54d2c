#ifndef DETECT_EXTRACT_H
#define DETECT_EXTRACT_H
#include "detect/select.h"
#include "stream/writer.h"

/* From pictures to a stream of region features (unimo-records(5)). */
struct extract_opts {
    struct select_opts select;
    enum dtype dtype; /* of features and class_probs */
    const char *draw, *output;
    const char *detector; /* its directory, for the provenance of output */
    bool plain, skip_bad;
    bool append;  /* leave out what the output, or what was begun of it, has already */
    bool shrinks; /* decode pictures at a part of their size that is still no smaller than the input */
    bool grid;    /* cells of the backbone's map, at most select.max, instead of regions */
    int64_t shard, shards, limit;
};
/* paths: as items_add() takes them. */
int extract_regions(struct detector *d, const char *const *paths, int n, const struct extract_opts *o, struct err *e);
/* The same into a writer that is open already. */
int extract_regions_to(struct detector *d, const char *const *paths, int n, const struct extract_opts *o,
                       struct writer *out, struct err *e);
#endif
