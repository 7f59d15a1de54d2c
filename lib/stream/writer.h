#ifndef STREAM_WRITER_H
#define STREAM_WRITER_H
#include "stream/reader.h"
#include "stream/record.h"

/* Writes a stream: provenance, blocks, index (unimo-stream(5)). The bytes are a function of the records,
 * the options and the seed only. */
struct writer;
struct writer_opts {
    bool plain; /* JSON Lines without compression, tensors or frames; also when standard output is a terminal */
    int level;  /* zstd level; 0: 3 */
    const struct reader *from; /* its provenance is carried on, its inputs must differ from the output; may be NULL */
    bool append;               /* go on with what an earlier writer left in PATH.partial, or with PATH, which must have
                                * been begun by the same program with the same options */
    int threads;               /* above 1: so many threads pack blocks behind the caller; the bytes are the same, but a
                                * write that fails is told by a later call */
    bool repeats;              /* allow repeated ids (predictions of several questions on one image, say) */
};
/* path NULL or "-": standard output. The provenance entry comes from core/opt. */
struct writer *writer_open(const char *path, const struct writer_opts *opts, struct err *e);
/* Into a file without a name, which *fd reads and keeps alive; the caller closes it. */
struct writer *writer_open_nameless(const struct writer_opts *opts, int *fd, struct err *e);
bool writer_has(const struct writer *w, const char *id); /* a record of this id is written */
/* Appends the record (not taken over). A repeated id is an error unless opts.repeats. */
int writer_put(struct writer *w, const struct record *r, struct err *e);
/* The same for a record without tensors that is printed already (value_print()), so that threads can share the work of
 * printing; id: writer_id() of what record_id() gives. */
int writer_put_printed(struct writer *w, uint64_t id, const char *json, size_t n, struct err *e);
uint64_t writer_id(const char *id, size_t n);
void writer_expect(const struct writer *w, uint64_t id); /* it is put soon: what is known of it can be fetched */
/* Ends the block: with append, what was written so far stays when the program is killed (with threads: once they wrote
 * it). */
int writer_flush(struct writer *w, struct err *e);
/* Ends the stream with its index and commits the file. Frees w also on failure. */
int writer_close(struct writer *w, struct err *e);
void writer_abort(struct writer *w); /* nothing appears under the final name; NULL is fine */
#endif
