#ifndef STREAM_FILTER_H
#define STREAM_FILTER_H
#include "stream/outline.h"
#include "stream/reader.h"
#include "stream/writer.h"

/* The loop of every filter: records in, changed records out, order kept, whatever the number of threads, which also
 * parse and print. On an error of one record, --skip-bad skips it. Either of these is given:
 *   work changes *r in place (or replaces it; NULL drops the record). batch > 1 hands up to that many records to one
 *   call (n of them), for programs that compute in batches.
 *   line appends the changed record to out, from its outline: for those that only add to it. */
struct filter {
    int (*work)(void *arg, struct record **r, int n, int worker, struct err *e);
    int (*line)(void *arg, const struct outline *o, struct str *out, int worker, struct err *e);
    void *arg;
    int threads;
    int batch;            /* records for one thread at a time; 0: as many as are there */
    const char *progress; /* "images", or NULL for none */
};
int filter_run(const struct filter *f, struct reader *in, struct writer *out, struct err *e);
#endif
