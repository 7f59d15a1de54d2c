#include "stream/filter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include <stdlib.h>

/* Records without tensors are printed, and freed, by the thread that worked on them. */
struct printed {
    char *id; /* NULL: not printed */
    size_t start, n;
};
struct batch {
    int n;
    struct record **at;
    struct err **bad; /* why a record could not be used, of those for which there is a reason */
    struct printed *printed;
    struct str text;
};

struct run {
    const struct filter *f;
    struct reader *in;
    struct writer *out;
    struct progress progress;
    int64_t done;
    bool is_over;
};

static void batch_free(struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        record_free(b->at[i]);
        free(b->printed[i].id);
        free(b->bad[i]);
    }
    free(b->at);
    free(b->bad);
    free(b->printed);
    str_release(&b->text);
    free(b);
}

static int next_batch(void *arg, void **job, struct err *e)
{
    struct run *run = arg;
    int want = run->f->batch > 1 ? run->f->batch : 1;
    struct batch *b = mem_new(struct batch, 1);

    b->at = mem_new(struct record *, want);
    b->bad = mem_new(struct err *, want);
    b->printed = mem_new(struct printed, want);
    while (b->n < want && !run->is_over) {
        int got = reader_next(run->in, &b->at[b->n], e);
        if (got < 0) {
            batch_free(b);
            return -1;
        }
        if (got) b->n++;
        else run->is_over = true;
    }
    if (!b->n) {
        batch_free(b);
        return 0;
    }
    *job = b;
    return 1;
}

static void print_batch(struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        struct record *r = b->at[i];
        if (!r || r->n_tensors || b->bad[i]) continue;
        size_t start = b->text.n;
        value_print(r->fields, &b->text);
        b->printed[i] = (struct printed){ mem_strdup(record_id(r)), start, b->text.n - start };
        record_free(r);
        b->at[i] = NULL;
    }
}

/* A batch that fails is tried record by record, so that one bad record costs only itself. */
static int try_batch(void *arg, void *job, int worker, struct err *e)
{
    struct run *run = arg;
    struct batch *b = job;
    struct err why = { 0 };

    if (b->n > 1) {
        if (!run->f->work(run->f->arg, b->at, b->n, worker, &why)) return 0;
        if (why.code != ERR_INPUT) {
            *e = why;
            return -1;
        }
    }
    for (int i = 0; i < b->n; i++) {
        err_clear(&why);
        if (!run->f->work(run->f->arg, &b->at[i], 1, worker, &why)) continue;
        if (why.code != ERR_INPUT) {
            *e = why;
            return -1;
        }
        b->bad[i] = mem_new(struct err, 1);
        *b->bad[i] = why;
    }
    return 0;
}

static int work_batch(void *arg, void *job, int worker, struct err *e)
{
    if (try_batch(arg, job, worker, e)) return -1;
    print_batch(job);
    return 0;
}

static int done_batch(void *arg, void *job, bool failed, struct err *e)
{
    struct run *run = arg;
    struct batch *b = job;
    int rc = 0;

    for (int i = 0; i < b->n && !failed && !rc; i++) {
        if (b->bad[i]) {
            rc = reader_bad(run->in, b->at[i], b->bad[i]);
            if (rc) *e = *b->bad[i];
        } else if (b->printed[i].id) {
            rc = writer_put_printed(run->out, b->printed[i].id, b->text.data + b->printed[i].start, b->printed[i].n, e);
        } else if (b->at[i]) {
            rc = writer_put(run->out, b->at[i], e);
        }
    }
    run->done += b->n;
    if (run->f->progress) progress_step(&run->progress, run->done, NULL);
    batch_free(b);
    return rc;
}

int filter_run(const struct filter *f, struct reader *in, struct writer *out, struct err *e)
{
    struct run run = { .f = f, .in = in, .out = out };
    struct pipeline p = { next_batch, work_batch, done_batch, &run, f->threads, 2 * f->threads + 2 };

    if (f->progress) progress_begin(&run.progress, f->progress, -1);
    int rc = pipeline_run(&p, e);
    if (f->progress) progress_end(&run.progress);
    if (!rc && reader_skipped(in) && reader_skipped(in) >= reader_count(in))
        rc = err_set(e, ERR_INPUT, "every record was skipped");
    return rc;
}
