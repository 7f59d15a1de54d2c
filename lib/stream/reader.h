#ifndef STREAM_READER_H
#define STREAM_READER_H
#include "core/file.h"
#include "stream/outline.h"
#include "stream/record.h"

/* Reads records from files as if they were concatenated: our blocks, foreign zstd, plain JSON Lines.
 * Every promise of unimo-stream(5) is checked: checksums, tensor ranges, the end rule, index count and digest. */
struct reader;
struct reader_opts {
    bool skip_bad;         /* count and skip records that cannot be used */
    bool needs_id;         /* a record without an id cannot be used; for reader_next() only */
    bool is_again;         /* the input was read before: what is skipped has been said */
    bool skip_tensors;     /* do not unpack tensors (they are absent from the records) */
    int64_t shard, shards; /* take record r (counted over all inputs from 0) when r % shards == shard, the others are
                            * not looked at; 0 shards: all */
    int64_t limit;         /* stop after this many records; 0: no limit */
};
/* paths: n names, "-" or n = 0 is standard input. opts may be NULL. The files are opened one after another. */
struct reader *reader_open(const char *const *paths, int n, const struct reader_opts *opts, struct err *e);
/* 1 and a record that the caller frees; 0 at the end; -1. Zero bytes of input are an error, a complete
 * stream of zero records is not. */
int reader_next(struct reader *r, struct record **out, struct err *e);
/* A record as the line it came as, so that other threads can parse it. */
struct raw {
    const char *line; /* n bytes, not checked; valid until the next call */
    size_t n;
    int64_t number; /* as in struct record */
    const char *file;
    struct record *record; /* parsed already, which the caller frees, when the order in which that is done matters */
};
int reader_next_raw(struct reader *r, struct raw *raw, struct err *e); /* as reader_next() */
bool reader_has_line(const struct reader *r);                          /* that call need not read anything */
bool reader_is_ready(const struct reader *r);                          /* nor wait for more than a disk */
/* Parses the line into raw->record. Any thread may. */
int raw_parse(struct raw *raw, struct err *e);
/* The outline of the record without its tensors: of its line, SAME or SPACED, or, where that has none, of the parsed
 * record as printed to room. Both are to live as long as the outline is used. */
int raw_outline(struct raw *raw, enum outline_form form, struct outline *o, struct str *room, struct err *e);

/* From now on records of these ids are passed over, as if they had been delivered: what an interrupted run did. */
void reader_leave_out(struct reader *r, bool (*is_done)(const void *arg, const char *id), const void *arg);
/* Counts a bad record when --skip-bad allows that and returns 0; else puts file and record in front of e, returns -1.
 */
int reader_bad(struct reader *r, const struct record *rec, struct err *e);
int reader_bad_raw(struct reader *r, const struct raw *raw, struct err *e);
/* The provenance entries read so far (an array of objects); borrowed, valid until the next call. */
const struct value *reader_provenance(const struct reader *r);
/* Adds the inputs to an array, as stream/inputs.h does. */
int reader_inputs(const struct reader *r, struct value *list, struct err *e);
/* An error when one of the inputs is the output. */
int reader_differs(const struct reader *r, const struct out *o, struct err *e);
int64_t reader_count(const struct reader *r);   /* records read, */
int64_t reader_skipped(const struct reader *r); /* of which so many were skipped */
/* An error when that was every one of them: --skip-bad is for some bad records among good ones. */
int reader_used_some(const struct reader *r, struct err *e);
/* Calls each() with every record of a file; what it returns other than 0 ends the reading. Errors name file and
 * record. */
int reader_each(const char *path, const struct reader_opts *opts,
                int (*each)(void *arg, const struct record *r, struct err *e), void *arg, struct err *e);
/* The same with the record's outline, without tensors: no tree is made of most. */
int reader_each_outline(const char *path, int (*each)(void *arg, const struct outline *o, struct err *e), void *arg,
                        struct err *e);
void reader_close(struct reader *r); /* NULL is fine. When records were skipped, says in one line how many */
#endif
