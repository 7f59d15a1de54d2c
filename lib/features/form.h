#ifndef FEATURES_FORM_H
#define FEATURES_FORM_H
#include "features/geometry.h"
#include "features/npz.h"
#include "stream/record.h"

/* The files in which the field exchanges region features. Records are those of unimo-records(5); what a file knows and
 * they have no name for is kept in tensors, so that the way back is exact to the last bit:
 *   bua      lines of the bottom-up-attention release: image_id, image_w, image_h, num_boxes, boxes, features
 *   lxmert   lines of LXMERT: also classes and attributes with their probabilities
 *   unimo    lines of the UNIMO and ERNIE-ViL releases: as bua, with the distributions over classes
 *   milvlg   one .npz a picture: x, bbox, num_bbox, image_h, image_w, info
 *   uniter   one .npz a picture: norm_bb, features, conf, soft_labels
 * Numbers of classes and attributes count from 0 without the background in lxmert and milvlg, from 1 in records. */
struct form {
    const char *name;
    bool is_lines; /* else one .npz a picture */
    enum size_order sizes;
    const struct column *columns; /* of lines: layout.c */
    int n_columns;
    /* of .npz: the arrays into a record that has nothing but its id, and back to the bytes of a file */
    int (*read)(struct record *r, const struct npz *z, struct err *e);
    int (*write)(struct str *out, const struct record *r, struct err *e);
};
const struct form *form_find(const char *name); /* NULL for "stream" and unknown names */
#define FORM_NAMES "stream|bua|lxmert|unimo|milvlg|uniter"

/* One line without its newline, as the (decided) geometry says, to a fresh record, and back with its newline. */
int line_read(struct record **out, const struct form *f, const char *line, size_t n, struct geometry g, struct err *e);
/* What a line's boxes and sizes leave possible (geometry_possible()). */
int line_geometry(uint32_t *possible, const struct form *f, const char *line, size_t n, struct err *e);
int line_write(struct str *out, const struct form *f, const struct record *r, struct err *e);
bool line_is_header(const struct form *f, const char *line, size_t n);

/* The bytes of an .npz file and the picture's id to a fresh record. */
int form_read_npz(struct record **out, const struct form *f, const char *id, const void *data, size_t n, struct err *e);

int milvlg_read(struct record *r, const struct npz *z, struct err *e);
int milvlg_write(struct str *out, const struct record *r, struct err *e);
int uniter_read(struct record *r, const struct npz *z, struct err *e);
int uniter_write(struct str *out, const struct record *r, struct err *e);

/* What the forms share. Sets "id"; refuses one that is no name. */
int form_set_id(struct record *r, const char *id, size_t n, struct err *e);
/* Most likely classes (or attributes) with their probabilities as tensors `ids` I64 [n] and `scores` F32 [n], from the
 * tensors of these names or the distributions `probs` [n, K], whose column 0 does not count. Borrowed or in *owned. */
int form_best(const struct record *r, const char *ids, const char *scores, const char *probs, const int64_t **out_ids,
              const float **out_scores, void **owned, int64_t n, struct err *e);
/* Numbers of classes without the background to ours, where it is 0, and back. Huge ones are refused. */
int form_from_one(int64_t *out, const int64_t *ids, int64_t n, struct err *e);
void form_from_zero(int64_t *out, const int64_t *ids, int64_t n);
enum { FORM_REGIONS_MAX = 100000 }; /* regions of a picture: releases have 10 to 100, proposals 300 */
#endif
