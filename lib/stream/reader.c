/* Records of several inputs, one after another: shards, limits, and what --skip-bad passes over. */
#include "stream/reader.h"
#include "core/dtype.h"
#include "core/log.h"
#include "core/mem.h"
#include "stream/input.h"
#include "stream/inputs.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
    struct reader_opts opts;
    char **paths;
    int n_paths, next_path; /* index of the next input to open */
    const char *file;
    struct input in;
    int64_t total;                        /* records of all inputs, for shards */
    int64_t delivered, unparsed, skipped; /* those that cannot be parsed are not delivered */
    struct err first_bad;
    bool (*is_done)(const void *arg, const char *id); /* or NULL */
    const void *is_done_arg;
};

struct reader *reader_open(const char *const *paths, int n, const struct reader_opts *opts, struct err *e)
{
    struct reader *r = mem_new(struct reader, 1);

    if (opts) r->opts = *opts;
    r->n_paths = n ? n : 1;
    r->paths = mem_new(char *, r->n_paths);
    for (int i = 0; i < r->n_paths; i++) r->paths[i] = mem_strdup(n ? paths[i] : "-");
    r->in.skip_tensors = r->opts.skip_tensors;
    r->in.provenance = value_array();
    /* A wrong name is said at once, not after hours of work on the inputs before it. */
    for (int i = 0; i < r->n_paths; i++) {
        if (!strcmp(r->paths[i], "-") || !access(r->paths[i], R_OK)) continue;
        err_errno(e, "%s: cannot open", r->paths[i]);
        reader_close(r);
        return NULL;
    }
    return r;
}

static const char *file_name(const struct reader *r, int i)
{
    return strcmp(r->paths[i], "-") ? r->paths[i] : "standard input";
}

/* Takes an error to the outside: with the file in front. */
static int failed(struct reader *r, struct err *e)
{
    return err_in(e, "%s", r->file);
}

static int open_next(struct reader *r, struct err *e)
{
    int i = r->next_path++, fd;

    r->file = file_name(r, i);
    if ((fd = file_open(r->paths[i], e)) < 0) return -1;
    return input_open(&r->in, fd, e) ? failed(r, e) : 0;
}

static bool is_in_shard(struct reader *r)
{
    return r->opts.shards < 2 || r->total % r->opts.shards == r->opts.shard;
}

/* What depends on the records before: where tensors lie in the block, and which of them count. */
static bool needs_order(const struct reader *r)
{
    bool has_tensors = r->in.in_block && (r->in.block || r->opts.skip_tensors);

    return has_tensors || r->is_done || (r->opts.limit && r->opts.skip_bad);
}

static int check_id(const struct record *r, struct err *e)
{
    const char *id;

    if (value_get_string(r->fields, "id", &id, e)) return -1;
    return *id ? 0 : err_set(e, ERR_INPUT, "\"id\" is empty (a name was expected)");
}

static int parse_here(struct reader *r, struct raw *raw, struct err *e)
{
    /* Outside a stream of ours records have no tensors to find; inside, a block without a tensor frame has none. */
    bool skip = r->opts.skip_tensors && r->in.in_block;

    if (block_record(&raw->record, raw->line, (int64_t)raw->n, r->in.block, &r->in.offset, skip, e)) return -1;
    raw->record->number = raw->number;
    raw->record->file = raw->file;
    if (!r->opts.needs_id || !check_id(raw->record, e)) return 0;
    record_free(raw->record);
    return -1;
}

/* The next record of the open input: 1, 0 at its end, -1. */
static int next_of_input(struct reader *r, struct raw *raw, bool parses, struct err *e)
{
    for (;;) {
        *raw = (struct raw){ .file = r->file };
        int got = input_line(&r->in, &raw->line, &raw->n, e);
        if (got < 0) return failed(r, e);
        if (!got) return 0;
        raw->number = r->in.number;
        bool is_wanted = is_in_shard(r);
        r->total++;
        if (!is_wanted && !needs_order(r)) continue;
        if (!parses && !needs_order(r)) return 1;
        if (parse_here(r, raw, e)) {
            if (reader_bad_raw(r, raw, e)) return -1;
            r->unparsed++;
            continue;
        }
        if (is_wanted) return 1;
        record_free(raw->record);
    }
}

static int next(struct reader *r, struct raw *raw, bool parses, struct err *e)
{
    for (;;) {
        if (r->opts.limit && r->delivered == r->opts.limit) return 0;
        if (!r->in.is_open) {
            if (r->next_path == r->n_paths) return 0;
            if (open_next(r, e)) return -1;
        }
        int got = next_of_input(r, raw, parses, e);
        if (got < 0) return -1;
        if (got) {
            r->delivered++;
            if (!r->is_done || !r->is_done(r->is_done_arg, record_id(raw->record))) return 1;
            record_free(raw->record);
            continue;
        }
        input_close(&r->in);
    }
}

int reader_next(struct reader *r, struct record **out, struct err *e)
{
    struct raw raw = { 0 };
    int got = next(r, &raw, true, e);

    *out = got > 0 ? raw.record : NULL;
    return got;
}

int reader_next_raw(struct reader *r, struct raw *raw, struct err *e)
{
    return next(r, raw, false, e);
}

bool reader_is_ready(const struct reader *r)
{
    return r->in.is_file || input_has_line(&r->in);
}

bool reader_has_line(const struct reader *r)
{
    return input_has_line(&r->in);
}

int raw_parse(struct raw *raw, struct err *e)
{
    if (block_record(&raw->record, raw->line, (int64_t)raw->n, NULL, NULL, false, e)) return -1;
    raw->record->number = raw->number;
    raw->record->file = raw->file;
    return 0;
}

/* As block_record() wants it, without tensors. */
static bool is_plain(const struct outline *o)
{
    const struct outline_node *record = o->at;

    if (record->kind != OUTLINE_OBJECT || outline_member(o, record, "tensors", strlen("tensors"))) return false;
    const struct outline_node *id = outline_member(o, record, "id", strlen("id"));
    bool is_name = id && id->kind == OUTLINE_STRING && !id->is_escaped && id->end - id->at <= LIMIT_ID_BYTES;
    return !id || id->kind == OUTLINE_INTEGER || is_name;
}

int raw_outline(struct raw *raw, enum outline_form form, struct outline *o, struct str *room, struct err *e)
{
    if (!raw->record && outline_read(o, raw->line, raw->n, form) && is_plain(o)) return 0;
    if (!raw->record && raw_parse(raw, e)) return -1;
    str_clear(room);
    value_print(raw->record->fields, room);
    outline_read(o, room->data, room->n, OUTLINE_PRINTED);
    return 0;
}

void reader_leave_out(struct reader *r, bool (*is_done)(const void *arg, const char *id), const void *arg)
{
    r->is_done = is_done;
    r->is_done_arg = arg;
}

static int pass_over(struct reader *r, struct err *e)
{
    if (!r->opts.skip_bad || e->code != ERR_INPUT) return -1;
    if (!r->skipped++) r->first_bad = *e;
    err_clear(e);
    return 0;
}

int reader_bad(struct reader *r, const struct record *rec, struct err *e)
{
    err_in(e, "%s: record %" PRId64, rec->file, rec->number);
    return pass_over(r, e);
}

int reader_bad_raw(struct reader *r, const struct raw *raw, struct err *e)
{
    err_in(e, "%s: record %" PRId64, raw->file, raw->number);
    return pass_over(r, e);
}

const struct value *reader_provenance(const struct reader *r)
{
    return r->in.provenance;
}

int64_t reader_count(const struct reader *r)
{
    return r->delivered + r->unparsed;
}

int64_t reader_skipped(const struct reader *r)
{
    return r->skipped;
}

int reader_used_some(const struct reader *r, struct err *e)
{
    bool used_none = r->skipped && r->skipped >= reader_count(r);

    return used_none ? err_set(e, ERR_INPUT, "every record was skipped") : 0;
}

void reader_close(struct reader *r)
{
    if (!r) return;
    if (r->skipped && !r->opts.is_again)
        log_line("%" PRId64 " records skipped (first: %s)", r->skipped, r->first_bad.text);
    for (int i = 0; i < r->n_paths; i++) free(r->paths[i]);
    free(r->paths);
    input_release(&r->in);
    free(r);
}

int reader_inputs(const struct reader *r, struct value *list, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < r->n_paths && !rc; i++) rc = inputs_add_stream(list, r->paths[i], e);
    return rc;
}

int reader_differs(const struct reader *r, const struct out *o, struct err *e)
{
    for (int i = 0; i < r->n_paths; i++) {
        bool is_stdin = !strcmp(r->paths[i], "-");
        if (!is_stdin && !file_is_regular(r->paths[i])) continue;
        int fd = is_stdin ? 0 : file_open(r->paths[i], e);
        if (fd < 0) return -1;
        int rc = out_differs(o, fd, file_name(r, i), e);
        if (fd) close(fd);
        if (rc) return -1;
    }
    return 0;
}

int reader_each(const char *path, const struct reader_opts *opts,
                int (*each)(void *arg, const struct record *r, struct err *e), void *arg, struct err *e)
{
    struct reader *in = reader_open(&path, 1, opts, e);
    struct record *r;
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next(in, &r, e)) > 0) {
        if (each(arg, r, e)) got = err_in(e, "%s: record %lld", r->file, (long long)r->number);
        record_free(r);
    }
    reader_close(in);
    return got;
}

int reader_each_outline(const char *path, int (*each)(void *arg, const struct outline *o, struct err *e), void *arg,
                        struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true }, e);
    struct outline o = { 0 };
    struct str room = { 0 };
    struct raw raw;
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next_raw(in, &raw, e)) > 0) {
        if (raw_outline(&raw, OUTLINE_SPACED, &o, &room, e) || each(arg, &o, e)) got = reader_bad_raw(in, &raw, e);
        record_free(raw.record);
    }
    outline_release(&o);
    str_release(&room);
    reader_close(in);
    return got;
}
