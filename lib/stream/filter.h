#ifndef STREAM_FILTER_H
#define STREAM_FILTER_H
#include "stream/reader.h"
#include "stream/writer.h"

/* The loop of every filter: records in, changed records out, order kept, whatever the number of threads.
 * work changes *r in place (or replaces it; NULL drops the record). On an error of one record, --skip-bad skips it.
 * batch > 1 hands up to that many records to one call (n of them), for programs that compute in batches. */
struct filter {
    int (*work)(void *arg, struct record **r, int n, int worker, struct err *e);
    void *arg;
    int threads;
    int batch;
    const char *progress; /* "images", or NULL for none */
};
int filter_run(const struct filter *f, struct reader *in, struct writer *out, struct err *e);
#endif
