#include "text/tokenizer.h"
#include "core/mem.h"
#include "core/pool.h"
#include "stream/filter.h"
#include "text/unicode.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records or lines that one thread takes at once: enough that handing them over costs nothing. A bound in bytes too, so
 * that long texts do not pile up. */
enum { BATCH = 64, BATCH_BYTES = 1 << 20 };

struct loop {
    const struct tokenizer *t;
    struct encoding *scratch; /* [threads] */
    struct reader *reader;
    struct lines *lines;
    struct writer *writer;
    struct out *out;
    struct str name; /* of the tokens that decode_lines reads */
};

static void loop_open(struct loop *l, const struct tokenizer *t)
{
    l->t = t;
    l->scratch = mem_new(struct encoding, t->threads);
    str_addf(&l->name, strcmp(t->fields.name[0], "text") ? "%s_tokens" : "tokens", t->fields.name[0]);
}

static int loop_close(struct loop *l, int rc)
{
    for (int i = 0; i < l->t->threads; i++) encoding_release(&l->scratch[i]);
    free(l->scratch);
    str_release(&l->name);
    return rc;
}

static int encode_records(void *arg, struct record **r, int n, int worker, struct err *e)
{
    const struct loop *l = arg;

    for (int i = 0; i < n; i++) {
        if (fields_encode(&l->t->fields, r[i]->fields, l->t->bpe, &l->scratch[worker], l->t->max_length, e)) return -1;
    }
    return 0;
}

static int decode_records(void *arg, struct record **r, int n, int worker, struct err *e)
{
    const struct loop *l = arg;

    for (int i = 0; i < n; i++) {
        if (fields_decode(&l->t->fields, r[i]->fields, l->t->bpe, e)) return -1;
    }
    return 0;
}

static int filter_records(const struct tokenizer *t, int (*work)(void *, struct record **, int, int, struct err *),
                          struct reader *in, struct writer *out, struct err *e)
{
    struct loop l = { 0 };

    loop_open(&l, t);
    struct filter f = { work, &l, t->threads, BATCH, "records" };
    return loop_close(&l, filter_run(&f, in, out, e));
}

int tokenizer_encode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e)
{
    return filter_records(t, encode_records, in, out, e);
}

int tokenizer_decode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e)
{
    return filter_records(t, decode_records, in, out, e);
}

/* ---- lines in ---- */

struct line_batch {
    int n;
    struct str bytes;
    size_t start[BATCH + 1];
    int64_t number[BATCH];
    struct str printed; /* records */
    size_t printed_end[BATCH];
};

static void line_batch_free(struct line_batch *b)
{
    str_release(&b->bytes);
    str_release(&b->printed);
    free(b);
}

static int next_lines(void *arg, void **job, struct err *e)
{
    struct loop *l = arg;
    struct line_batch *b = mem_new(struct line_batch, 1);
    int got = 1;

    while (b->n < BATCH && b->bytes.n < BATCH_BYTES && (got = lines_next(l->lines, &b->bytes, &b->number[b->n], e)) > 0)
        b->start[++b->n] = b->bytes.n;
    if (got < 0 || !b->n) {
        line_batch_free(b);
        return got;
    }
    *job = b;
    return 1;
}

static void name_line(char id[24], int64_t number)
{
    snprintf(id, 24, "%lld", (long long)number);
}

static void print_line(const struct loop *l, struct encoding *c, int64_t number, const char *text, size_t n,
                       struct str *out)
{
    struct value *record = value_object();
    struct str repaired = { 0 };
    char id[24];

    bpe_encode(l->t->bpe, c, text, n);
    if (l->t->max_length && c->n > l->t->max_length) c->n = l->t->max_length;
    unicode_repair(text, n, &repaired);
    name_line(id, number);
    value_set(record, "id", value_str(id));
    value_set(record, "text", value_strn(str_c(&repaired), (int64_t)repaired.n));
    value_set(record, "tokens", value_ints(c->ids, c->n));
    value_set(record, "units", value_bytes(c->units, c->n));
    value_print(record, out);
    str_release(&repaired);
    value_free(record);
}

static int encode_lines(void *arg, void *job, int worker, struct err *e)
{
    const struct loop *l = arg;
    struct line_batch *b = job;

    for (int i = 0; i < b->n; i++) {
        print_line(l, &l->scratch[worker], b->number[i], str_c(&b->bytes) + b->start[i], b->start[i + 1] - b->start[i],
                   &b->printed);
        b->printed_end[i] = b->printed.n;
    }
    return 0;
}

static int put_records(void *arg, void *job, bool failed, struct err *e)
{
    const struct loop *l = arg;
    struct line_batch *b = job;
    size_t from = 0;
    char id[24];
    int rc = 0;

    for (int i = 0; i < b->n && !failed && !rc; from = b->printed_end[i++]) {
        name_line(id, b->number[i]);
        rc = writer_put_printed(l->writer, id, b->printed.data + from, b->printed_end[i] - from, e);
    }
    line_batch_free(b);
    return rc;
}

int tokenizer_encode_lines(const struct tokenizer *t, struct lines *in, struct writer *out, struct err *e)
{
    struct loop l = { .lines = in, .writer = out };
    struct pipeline p = { next_lines, encode_lines, put_records, &l, t->threads, 2 * t->threads + 2 };

    loop_open(&l, t);
    return loop_close(&l, pipeline_run(&p, e));
}

/* ---- lines out ---- */

struct record_batch {
    int n;
    struct record *record[BATCH];
    struct err bad[BATCH];
    struct str bytes;
};

static void record_batch_free(struct record_batch *b)
{
    for (int i = 0; i < b->n; i++) record_free(b->record[i]);
    str_release(&b->bytes);
    free(b);
}

static int next_records(void *arg, void **job, struct err *e)
{
    struct loop *l = arg;
    struct record_batch *b = mem_new(struct record_batch, 1);
    int got = 1;

    while (b->n < BATCH && (got = reader_next(l->reader, &b->record[b->n], e)) > 0) b->n++;
    if (got < 0 || !b->n) {
        record_batch_free(b);
        return got;
    }
    *job = b;
    return 1;
}

static int decode_lines(void *arg, void *job, int worker, struct err *e)
{
    const struct loop *l = arg;
    struct record_batch *b = job;

    for (int i = 0; i < b->n; i++) {
        struct value *tokens;
        size_t was = b->bytes.n;
        if (value_get_array(b->record[i]->fields, l->name.data, &tokens, &b->bad[i]) ||
            fields_bytes(tokens, l->t->bpe, &b->bytes, &b->bad[i]))
            b->bytes.n = was;
        else str_add_char(&b->bytes, '\n');
    }
    return 0;
}

static int put_lines(void *arg, void *job, bool failed, struct err *e)
{
    const struct loop *l = arg;
    struct record_batch *b = job;
    int rc = 0;

    for (int i = 0; i < b->n && !failed && !rc; i++) {
        if (!b->bad[i].code || !(rc = reader_bad(l->reader, b->record[i], &b->bad[i]))) continue;
        *e = b->bad[i];
    }
    if (!failed && !rc) rc = out_write(l->out, str_c(&b->bytes), b->bytes.n, e);
    record_batch_free(b);
    return rc;
}

int tokenizer_decode_lines(const struct tokenizer *t, struct reader *in, struct out *out, struct err *e)
{
    struct loop l = { .reader = in, .out = out };
    struct pipeline p = { next_records, decode_lines, put_lines, &l, t->threads, 2 * t->threads + 2 };

    loop_open(&l, t);
    int rc = pipeline_run(&p, e);
    if (!rc && reader_skipped(in) && reader_skipped(in) >= reader_count(in))
        rc = err_set(e, ERR_INPUT, "every record was skipped");
    return loop_close(&l, rc);
}
