#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H
#include "core/file.h"
#include "stream/reader.h"

/* What a writer wants to know of the inputs it writes from. */

/* For provenance: [{"name", "bytes", "digest"}]: base names, so that a directory's place does not change the bytes;
 * bytes and digest only for regular files (digest: of the index, for a stream of ours). The caller owns the value. */
struct value *source_inputs(const struct reader *r);
/* An error when one of the inputs is the output. */
int source_differs(const struct reader *r, const struct out *o, struct err *e);
#endif
