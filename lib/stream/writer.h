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
    const struct reader *from;  /* its provenance is carried on, its inputs must differ from the output; may be NULL */
    const struct value *others; /* what else the records come from, in the form of stream/inputs.h; may be NULL */
    bool append;                /* go on with what an earlier writer left in PATH.partial, or with PATH, which must have
                                 * been begun by the same program with the same options and inputs */
    int threads;                /* above 1: blocks wait for so many threads that call writer_help(), up to two each; the
                                 * bytes are the same, but a write that fails is told by a later call */
    bool repeats;               /* allow repeated ids (predictions of several questions on one image, say) */
};
/* path NULL or "-": standard output. The provenance entry comes from core/opt. */
struct writer *writer_open(const char *path, const struct writer_opts *opts, struct err *e);
/* Into a file without a name, which this program's readers open by its path until nameless_close(). */
struct nameless {
    int fd; /* -1: none */
    char path[32];
};
struct writer *writer_open_nameless(struct nameless *file, const struct writer_opts *opts, struct err *e);
void nameless_close(struct nameless *file);
bool writer_has(const struct writer *w, const char *id); /* a record of this id is written */
/* Appends the record (not taken over). A repeated id is an error unless opts.repeats. */
int writer_put(struct writer *w, const struct record *r, struct err *e);
/* The same, and frees the record. */
int writer_give(struct writer *w, struct record *r, struct err *e);
/* Lines of JSON, each a record without tensors, so that threads can share the work of printing. A record is appended to
 * text, then ended; id: what record_id() gives. Zero is valid and empty. */
struct printed {
    struct str text;
    int64_t n, cap;
    struct printed_line *at; /* [n] */
};
struct printed_line {
    uint64_t id; /* its hash; 0: it has none */
    size_t end;  /* in text, behind its newline */
};
void printed_end(struct printed *p, const char *id, size_t n);
void printed_clear(struct printed *p); /* keeps the memory */
void printed_release(struct printed *p);
/* Appends records [from, to) of those printed. */
int writer_put_printed(struct writer *w, const struct printed *p, int64_t from, int64_t to, struct err *e);
/* Packs a block that waits for it, and writes those whose turn it is; false when none waits. For any thread, at any
 * time until writer_close() or writer_abort(). */
bool writer_help(struct writer *w);
/* Ends the block and writes it: with append, what was put so far stays when the program is killed. */
int writer_flush(struct writer *w, struct err *e);
/* Ends the stream with its index and commits the file. Frees w also on failure. */
int writer_close(struct writer *w, struct err *e);
void writer_abort(struct writer *w); /* nothing appears under the final name; NULL is fine */
/* The one when rc is 0, else the other; 0, or -1. */
int writer_end(struct writer *w, int rc, struct err *e);
#endif
