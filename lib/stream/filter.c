#include "stream/filter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A batch of unlimited records ends at so many bytes: enough that handing it over costs nothing, and few enough that it
 * and what becomes of it stay in the processor's cache. */
enum { BATCH_BYTES = 1 << 16, MOST_BYTES = 4 << 20 };

/* A record on its way: a line, parsed, printed. One without tensors is printed, and freed, by the thread that worked on
 * it. */
struct item {
    struct raw raw;
    size_t line;     /* where it begins in batch.lines */
    struct err *bad; /* why it could not be used, if there is a reason */
    bool is_printed; /* the next one of batch.printed */
};
struct batch {
    int n;
    int64_t cap;
    struct item *at;
    struct record **records; /* [cap] those that work() is given */
    int64_t records_cap;
    struct str lines;
    struct printed printed;
};

struct run {
    const struct filter *f;
    struct reader *in;
    struct writer *out;
    struct spares spares;    /* batches */
    struct outline *outline; /* [threads] */
    struct str *room;        /* [threads] lines printed anew, for outlines; escaped ids */
    struct progress progress;
    int64_t done;
    bool is_over;
};

static void batch_free(void *batch)
{
    struct batch *b = batch;

    free(b->at);
    free(b->records);
    str_release(&b->lines);
    printed_release(&b->printed);
    free(b);
}

/* Ends its records; the rest is for the next batch. */
static void batch_return(struct run *run, struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        record_free(b->at[i].raw.record);
        free(b->at[i].bad);
    }
    b->n = 0;
    str_clear(&b->lines);
    printed_clear(&b->printed);
    spares_give(&run->spares, b, b->lines.cap + b->printed.text.cap);
}

/* ---- the three steps of a pipeline ---- */

static int next_batch(void *arg, void **job, struct err *e)
{
    struct run *run = arg;
    bool is_open = !run->f->batch;
    int want = is_open ? INT_MAX : run->f->batch, got = 1;
    struct batch *b = spares_take(&run->spares);

    if (!b) b = mem_new(struct batch, 1);
    while (b->n < want && !run->is_over) {
        if (is_open && b->n && (b->lines.n >= BATCH_BYTES || !reader_has_line(run->in))) break;
        struct raw raw;
        got = reader_next_raw(run->in, &raw, e);
        if (got < 0) break;
        run->is_over = !got;
        if (!got) break;
        mem_reserve(&b->at, &b->cap, b->n + 1);
        b->at[b->n++] = (struct item){ .raw = raw, .line = b->lines.n };
        if (raw.record) continue;
        memcpy(str_room(&b->lines, raw.n), raw.line, raw.n);
        b->lines.n += raw.n;
    }
    if (got < 0 || !b->n) {
        batch_return(run, b);
        return got < 0 ? -1 : 0;
    }
    for (int i = 0; i < b->n; i++) b->at[i].raw.line = str_c(&b->lines) + b->at[i].line;
    *job = b;
    return 1;
}

/* An error of one record is kept with it; any other ends the run. */
static int keep(struct item *x, const struct err *why, struct err *e)
{
    if (why->code != ERR_INPUT) {
        *e = *why;
        return -1;
    }
    x->bad = mem_new(struct err, 1);
    *x->bad = *why;
    return 0;
}

static int parse_items(struct batch *b, struct err *e)
{
    for (int i = 0; i < b->n; i++) {
        struct item *x = &b->at[i];
        struct err why = { 0 };
        if (!x->raw.record && raw_parse(&x->raw, &why) && keep(x, &why, e)) return -1;
    }
    return 0;
}

/* A batch that fails is tried record by record, so that one bad record costs only itself. */
static int work_items(struct run *run, struct batch *b, int worker, struct err *e)
{
    struct err why = { 0 };
    int n = 0;

    mem_reserve(&b->records, &b->records_cap, b->n);
    for (int i = 0; i < b->n; i++) {
        if (!b->at[i].bad) b->records[n++] = b->at[i].raw.record;
    }
    bool is_done = n > 1 && !run->f->work(run->f->arg, b->records, n, worker, &why);
    if (n > 1 && !is_done && why.code != ERR_INPUT) {
        *e = why;
        return -1;
    }
    for (int i = 0, k = 0; i < b->n; i++) {
        struct item *x = &b->at[i];
        if (x->bad) continue;
        x->raw.record = b->records[k++];
        err_clear(&why);
        if (!is_done && run->f->work(run->f->arg, &x->raw.record, 1, worker, &why) && keep(x, &why, e)) return -1;
    }
    return 0;
}

static void print_items(struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        struct item *x = &b->at[i];
        struct record *r = x->raw.record;
        if (!r || r->n_tensors || x->bad) continue;
        x->is_printed = true;
        value_print(r->fields, &b->printed.text);
        printed_end(&b->printed, record_id(r), strlen(record_id(r)));
        record_free(r);
        x->raw.record = NULL;
    }
}

static void end_line(struct printed *p, const struct outline *o, struct str *room)
{
    const struct outline_node *id = outline_member(o, o->at, "id", strlen("id"));
    size_t n = 0;
    const char *text = id && id->kind == OUTLINE_STRING ? outline_text(o, id, room, &n) : "";

    printed_end(p, text, n);
}

/* Tensors go with a record, not with its line: such a one is parsed again. */
static int line_to_record(struct record *r, struct batch *b, size_t start, struct err *e)
{
    struct str *text = &b->printed.text;
    struct value *fields = value_parse(text->data + start, (int64_t)(text->n - start), e);

    text->n = start;
    if (!fields) return -1;
    value_free(r->fields);
    r->fields = fields;
    return 0;
}

static int line_item(struct run *run, struct batch *b, struct item *x, int worker, struct err *e)
{
    struct outline *o = &run->outline[worker];
    struct str *text = &b->printed.text, room = { 0 };
    size_t start = text->n;

    if (raw_outline(&x->raw, OUTLINE_SAME, o, &run->room[worker], e)) return -1;
    if (run->f->line(run->f->arg, o, text, worker, e)) {
        text->n = start;
        return -1;
    }
    struct record *r = x->raw.record;
    if (r && r->n_tensors) return line_to_record(r, b, start, e);
    end_line(&b->printed, o, &room);
    str_release(&room);
    x->is_printed = true;
    record_free(r);
    x->raw.record = NULL;
    return 0;
}

static int work_batch(void *arg, void *job, int worker, struct err *e)
{
    struct run *run = arg;
    struct batch *b = job;

    if (!run->f->line) {
        if (parse_items(b, e) || work_items(run, b, worker, e)) return -1;
        print_items(b);
        return 0;
    }
    for (int i = 0; i < b->n; i++) {
        struct err why = { 0 };
        if (line_item(run, b, &b->at[i], worker, &why) && keep(&b->at[i], &why, e)) return -1;
    }
    return 0;
}

static int put_other(struct run *run, struct item *x, struct err *e)
{
    if (x->bad && reader_bad_raw(run->in, &x->raw, x->bad)) {
        *e = *x->bad;
        return -1;
    }
    return x->raw.record && !x->bad ? writer_put(run->out, x->raw.record, e) : 0;
}

/* The printed ones that follow each other go out together. */
static int done_batch(void *arg, void *job, bool failed, struct err *e)
{
    struct run *run = arg;
    struct batch *b = job;
    int64_t put = 0, printed = 0;
    int rc = 0;

    for (int i = 0; i < b->n && !failed && !rc; i++) {
        struct item *x = &b->at[i];
        printed += x->is_printed;
        if (x->is_printed && i + 1 < b->n) continue;
        rc = writer_put_printed(run->out, &b->printed, put, printed, e);
        put = printed;
        if (!rc) rc = put_other(run, x, e);
    }
    run->done += b->n;
    if (run->f->progress) progress_step(&run->progress, run->done, NULL);
    batch_return(run, b);
    return rc;
}

static bool is_ready(void *arg)
{
    const struct run *run = arg;

    return reader_is_ready(run->in);
}

static bool help(void *arg)
{
    struct run *run = arg;

    return writer_help(run->out);
}

static void release(struct run *run)
{
    spares_release(&run->spares);
    for (int i = 0; i < run->f->threads; i++) {
        outline_release(&run->outline[i]);
        str_release(&run->room[i]);
    }
    free(run->outline);
    free(run->room);
}

int filter_run(const struct filter *f, struct reader *in, struct writer *out, struct err *e)
{
    struct run run = { .f = f, .in = in, .out = out, .spares = { .drop = batch_free, .most = MOST_BYTES } };
    struct pipeline p = { next_batch, work_batch, done_batch, &run, f->threads, 2 * f->threads + 2, is_ready, help };

    run.outline = mem_new(struct outline, f->threads);
    run.room = mem_new(struct str, f->threads);
    if (f->progress) progress_begin(&run.progress, f->progress, -1);
    int rc = pipeline_run(&p, e);
    if (f->progress) progress_end(&run.progress);
    if (!rc) rc = reader_used_some(in, e);
    release(&run);
    return rc;
}
