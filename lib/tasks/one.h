#ifndef TASKS_ONE_H
#define TASKS_ONE_H
#include "stream/writer.h"
#include "tasks/downstream.h"

/* One record made of what the command line says, as if it had been read from streams: in files without names. */
struct one_opts {
    const char *image;    /* a JPEG, or NULL */
    const char *detector; /* directory; NULL: the one that comes with unimo */
    int min_boxes, max_boxes;
    const char *text, *text_pair; /* or NULL */
    struct file_list turns;       /* of a dialog */
    const char *vocabulary;       /* directory */
};
struct one {
    struct nameless images, input; /* of no path where there is none; input has that of images when it is the same */
};
/* On error nothing stays open. */
int one_open(struct one *x, const struct one_opts *o, struct device *dv, enum dtype compute, struct err *e);
void one_close(struct one *x);
#endif
