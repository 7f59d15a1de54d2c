#ifndef FEATURES_CONVERT_H
#define FEATURES_CONVERT_H
#include "features/form.h"

/* From files of the field to streams and back, record by record, so that memory does not grow with them. */
struct convert_opts {
    const struct form *from, *to; /* NULL: a stream */
    const char *output;           /* of .npz forms: a directory */
    bool check;                   /* write nothing but what the files hold, to standard output */
    bool plain, skip_bad;
    int threads;
    int64_t shard, shards, limit;
    struct geometry geometry; /* of lines; AUTO: from the first pictures */
    /* Names of classes and attributes, whose numbers become the fields of these names; NULL: none. Number 0 is the
     * background or none. */
    const char *const *classes, *const *attributes;
    int n_classes, n_attributes;
};
/* paths: files; of .npz forms also folders of them, whose files are taken in the order of their names and whose names
 * are the ids. */
int convert_features(const char *const *paths, int n, const struct convert_opts *o, struct err *e);
#endif
