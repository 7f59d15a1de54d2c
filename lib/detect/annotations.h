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
/* Reads a stream, or, from a name that ends in .json, COCO's annotations. A picture's relative name is relative to
 * folder, or, when that is NULL, to the folder of the file. Classes and attributes are looked up in c, or, when
 * learns_names, added to it. */
int annotations_load(struct annotations *a, const char *path, const char *folder, struct detect_config *c,
                     bool learns_names, struct err *e);
int annotations_load_coco(struct annotations *a, const char *path, const char *folder, struct detect_config *c,
                          bool learns_names, struct err *e);
/* The number of a class, -1 when it is unknown; an object's "attributes" that are known, at most 8, without a NUL. */
int annotation_class(struct names *classes, const char *name, bool learns);
int annotation_attributes(struct annotation *a, const struct value *object, struct detect_config *c, bool learns,
                          struct err *e);
/* Of ids and objects in their order; where the pictures lie, and what they show, does not count. */
uint64_t annotations_digest(const struct annotations *a);
void annotations_release(struct annotations *a);
/* The path of a record's picture: `image`, relative to the folder of the file the record came from. A heap string. */
char *picture_path(const char *stream, const char *image);
#endif
