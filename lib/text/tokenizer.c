#include "text/tokenizer.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/unicode.h"
#include "stream/filter.h"
#include <stdio.h>
#include <stdlib.h>

/* Lines that one thread takes at once, as the loop of filters does. */
enum { BATCH_BYTES = 1 << 16, MOST_BYTES = 4 << 20 };

struct loop {
    const struct tokenizer *t;
    struct encoded *scratch; /* [threads] */
    struct reader *reader;
    struct lines *lines;
    struct writer *writer;
    struct out *out;
    struct spares spares; /* batches of lines */
};

static void loop_open(struct loop *l, const struct tokenizer *t)
{
    l->t = t;
    l->scratch = mem_new(struct encoded, t->threads);
}

static int loop_close(struct loop *l, int rc)
{
    for (int i = 0; i < l->t->threads; i++) encoded_release(&l->scratch[i]);
    free(l->scratch);
    return rc;
}

static int encode_record(void *arg, const struct outline *o, struct str *out, int worker, struct err *e)
{
    const struct loop *l = arg;

    return fields_encode(&l->t->fields, o, l->t->bpe, &l->scratch[worker], l->t->max_length, out, e);
}

int tokenizer_encode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e)
{
    struct loop l = { 0 };
    struct filter f = { .line = encode_record, .arg = &l, .threads = t->threads, .progress = "records" };

    loop_open(&l, t);
    return loop_close(&l, filter_run(&f, in, out, e));
}

static int decode_records(void *arg, struct record **r, int n, int worker, struct err *e)
{
    const struct tokenizer *t = arg;

    for (int i = 0; i < n; i++) {
        if (fields_decode(&t->fields, r[i]->fields, t->bpe, e)) return -1;
    }
    return 0;
}

int tokenizer_decode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e)
{
    struct filter f = {
        .work = decode_records, .arg = (void *)(uintptr_t)t, .threads = t->threads, .progress = "records"
    };

    return filter_run(&f, in, out, e);
}

/* ---- lines in ---- */

struct line {
    int64_t number;
    size_t end;
};
struct line_batch {
    int64_t n, cap;
    struct line *at;
    struct str bytes;
    struct printed printed;
};

static void line_batch_free(void *batch)
{
    struct line_batch *b = batch;

    free(b->at);
    str_release(&b->bytes);
    printed_release(&b->printed);
    free(b);
}

static void line_batch_return(struct loop *l, struct line_batch *b)
{
    b->n = 0;
    str_clear(&b->bytes);
    printed_clear(&b->printed);
    spares_give(&l->spares, b, b->bytes.cap + b->printed.text.cap);
}

static int next_lines(void *arg, void **job, struct err *e)
{
    struct loop *l = arg;
    struct line_batch *b = spares_take(&l->spares);
    int64_t number;
    int got = 1;

    if (!b) b = mem_new(struct line_batch, 1);
    while (!b->n || (b->bytes.n < BATCH_BYTES && lines_has_line(l->lines))) {
        if ((got = lines_next(l->lines, &b->bytes, &number, e)) <= 0) break;
        mem_reserve(&b->at, &b->cap, b->n + 1);
        b->at[b->n++] = (struct line){ .number = number, .end = b->bytes.n };
    }
    if (got < 0 || !b->n) {
        line_batch_return(l, b);
        return got;
    }
    *job = b;
    return 1;
}

static void print_line(const struct loop *l, struct encoded *x, int64_t number, const char *text, size_t n,
                       struct printed *printed)
{
    struct encoding *c = &x->all;
    struct str *out = &printed->text;
    char id[24];

    bpe_encode(l->t->bpe, c, text, n);
    if (l->t->max_length && c->n > l->t->max_length) c->n = l->t->max_length;
    if (!utf8_valid(text, n)) {
        str_clear(&x->room);
        unicode_repair(text, n, &x->room);
        text = str_c(&x->room);
        n = x->room.n;
    }
    size_t digits = (size_t)snprintf(id, sizeof id, "%lld", (long long)number);
    str_add(out, "{\"id\":\"");
    str_add_bytes(out, id, digits);
    str_add(out, "\",\"text\":");
    value_print_string(text, n, out);
    str_add(out, ",\"tokens\":");
    value_print_ints(c->ids, c->n, out);
    str_add(out, ",\"units\":");
    value_print_bytes(c->units, c->n, out);
    encoding_trim(c);
    str_add_char(out, '}');
    printed_end(printed, id, digits);
}

static int encode_lines(void *arg, void *job, int worker, struct err *e)
{
    const struct loop *l = arg;
    struct line_batch *b = job;
    size_t from = 0;

    for (int64_t i = 0; i < b->n; from = b->at[i++].end) {
        const struct line *line = &b->at[i];
        print_line(l, &l->scratch[worker], line->number, str_c(&b->bytes) + from, line->end - from, &b->printed);
    }
    return 0;
}

static int put_records(void *arg, void *job, bool failed, struct err *e)
{
    struct loop *l = arg;
    struct line_batch *b = job;
    int rc = failed ? 0 : writer_put_printed(l->writer, &b->printed, 0, b->printed.n, e);

    line_batch_return(l, b);
    return rc;
}

static bool is_ready(void *arg)
{
    const struct loop *l = arg;

    return lines_is_ready(l->lines);
}

static bool help(void *arg)
{
    const struct loop *l = arg;

    return writer_help(l->writer);
}

int tokenizer_encode_lines(const struct tokenizer *t, struct lines *in, struct writer *out, struct err *e)
{
    struct loop l = { .lines = in, .writer = out, .spares = { .drop = line_batch_free, .most = MOST_BYTES } };
    struct pipeline p = { next_lines, encode_lines, put_records, &l, t->threads, 2 * t->threads + 2, is_ready, help };

    loop_open(&l, t);
    int rc = loop_close(&l, pipeline_run(&p, e));
    spares_release(&l.spares);
    return rc;
}

/* ---- lines out ---- */

enum { BATCH = 64 };
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
        if (value_get_array(b->record[i]->fields, l->t->fields.at[0].tokens.text, &tokens, &b->bad[i]) ||
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
    struct loop l = { .t = t, .reader = in, .out = out };
    struct pipeline p = { next_records, decode_lines, put_lines, &l, t->threads, 2 * t->threads + 2 };

    int rc = pipeline_run(&p, e);
    return rc ? rc : reader_used_some(in, e);
}
