#ifndef STREAM_INSPECT_H
#define STREAM_INSPECT_H
#include "core/str.h"
#include "stream/reader.h"

/* What unimo-view shows, of streams and of models. */

/* Whether the path is a model: a file whose name ends in .safetensors, or a directory with model.safetensors. */
bool inspect_is_model(const char *path);

/* The provenance entries, indented JSON. */
int inspect_header(const char *path, struct str *out, struct err *e);
/* One line per block: "block OFFSET RECORDS", and one per stream. Needs a file with an index. */
int inspect_index(const char *path, struct str *out, struct err *e);
/* Of a model each parameter; of a stream counts of records, of each field by type, and of each tensor with dtype,
 * shapes and range. */
int inspect_stats(const char *path, struct str *out, struct err *e);
/* Reads everything; finite: NaN and infinity in float tensors are errors. *records: of a model its tensors. */
int inspect_check(const char *path, bool finite, int64_t *records, struct err *e);

/* Replaces the record's tensors by a member "tensors" that says dtype and shape, and with_values also what is in them,
 * as readers take it from plain JSON Lines ("base64"), for printing. */
void inspect_describe_tensors(struct record *r, bool with_values);
/* The values of a tensor, one row of its last dimension a line. */
int inspect_print_tensor(const struct record *r, const char *name, struct str *out, struct err *e);
/* The same of a model. */
int inspect_print_parameter(const char *path, const char *name, struct out *out, struct err *e);
#endif
