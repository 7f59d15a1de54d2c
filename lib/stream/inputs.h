#ifndef STREAM_INPUTS_H
#define STREAM_INPUTS_H
#include "stream/value.h"

/* What records come from, for provenance: {"name", "bytes", "digest"} of each file, added to an array. Base names, so
 * that a directory's place does not change the bytes; bytes and digest of regular files only, as anything else, a named
 * pipe above all, may be opened but once. */

/* Records. digest: that of the index, for a stream of ours. */
int inputs_add_stream(struct value *list, const char *path, struct err *e);
/* A model, or lines. digest: of all of it; above 16 MiB of 64 pieces at equal distances, from the first to the last, as
 * a training changes all. */
int inputs_add_file(struct value *list, const char *path, struct err *e);
#endif
