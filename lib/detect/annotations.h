#ifndef DETECT_ANNOTATIONS_H
#define DETECT_ANNOTATIONS_H
#include "detect/boxes.h"
#include "image/image.h"

/* Pictures with boxes, as records name them: `image`, `objects`: [{class, attributes, box}] (unimo-records(5)). */
struct annotation {
    struct box box;
    int class_of; /* 1.. */
    int n_attributes;
    int attributes[8]; /* 1.. */
};
struct picture {
    char *path, *id;
    int n;
    struct annotation *objects;
};
struct annotations {
    int64_t n, cap;
    struct picture *at;
};
/* Reads a stream; a relative `image` is relative to the stream's folder. Classes and attributes are looked up in c, or,
 * when learns_names, added to it. */
int annotations_load(struct annotations *a, const char *path, struct detect_config *c, bool learns_names,
                     struct err *e);
void annotations_release(struct annotations *a);
/* The path of a record's picture: `image`, relative to the folder of the file the record came from. A heap string. */
char *picture_path(const char *stream, const char *image);
#endif
