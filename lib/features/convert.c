/* One thread reads what a record is made of, the others parse it and print what is written, the caller's writes in the
 * order of the input. */
#include "features/convert.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "features/stats.h"
#include "stream/lines.h"
#include "stream/writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_AHEAD = 16 }; /* pictures that geometry is decided from */
#define NPZ_FILE_MAX ((size_t)1 << 30)

struct job {
    struct str line;
    int64_t number; /* of the line */
    const char *path;
    struct record *record;
    struct str product;
    struct feature_stats *stats;
    struct err bad;
};

struct run {
    const struct convert_opts *o;
    struct geometry geometry;
    /* one of three sources */
    struct lines *lines;
    struct reader *reader;
    char **paths;
    int64_t n_paths, cap_paths;
    struct job *ahead[LOOK_AHEAD]; /* lines read already */
    int n_ahead, at_ahead;
    int64_t seen, taken;
    const char *const *inputs; /* operands, for messages */
    /* one of three products */
    struct writer *writer;
    struct out *out;
    struct outdir *dir;
    struct map ids; /* of what has no writer to look after them */
    struct feature_stats stats;
    struct progress progress;
    int64_t done, skipped;
    struct err first_bad;
};

static void job_free(struct job *j)
{
    str_release(&j->line);
    str_release(&j->product);
    record_free(j->record);
    free(j->stats);
    free(j);
}

/* The next line that is no header: 1, 0, -1. */
static int read_line(struct run *run, struct job **out, struct err *e)
{
    struct job *j = mem_new(struct job, 1);
    int got;

    do {
        str_clear(&j->line);
        got = lines_next(run->lines, &j->line, &j->number, e);
    } while (got > 0 && line_is_header(run->o->from, str_c(&j->line), j->line.n));
    j->path = run->inputs[0];
    if (got > 0) *out = j;
    else job_free(j);
    return got;
}

/* Decides how boxes and sizes are to be read from the first lines that can be read at all. Boxes that fit in no way say
 * nothing about the others: they are their line's fault. */
static int look_ahead(struct run *run, struct err *e)
{
    uint32_t possible = 0;
    bool was_open = !run->geometry.sizes || !run->geometry.order || !run->geometry.unit;
    int got = 1, readable = 0, fitting = 0;

    while (run->n_ahead < LOOK_AHEAD && (got = read_line(run, &run->ahead[run->n_ahead], e)) > 0) {
        const struct job *j = run->ahead[run->n_ahead++];
        struct err ignored = { 0 };
        uint32_t one;
        if (line_geometry(&one, run->o->from, str_c(&j->line), j->line.n, &ignored)) continue;
        readable++;
        if (one) possible = fitting++ ? possible & one : one;
    }
    if (got < 0) return -1;
    const struct geometry usual = { run->o->from->sizes, BOX_XYXY, UNIT_PIXELS };
    if (!readable) { /* each line will say what is wrong with it */
        if (!run->geometry.sizes) run->geometry.sizes = usual.sizes;
        if (!run->geometry.order) run->geometry.order = usual.order;
        if (!run->geometry.unit) run->geometry.unit = usual.unit;
        return 0;
    }
    if (geometry_decide(&run->geometry, possible, run->o->from->sizes, e))
        return err_in(e, "%s: the first %d pictures", run->inputs[0], run->n_ahead);
    bool is_usual =
        run->geometry.sizes == usual.sizes && run->geometry.order == usual.order && run->geometry.unit == usual.unit;
    if (was_open && !is_usual) {
        struct str text = { 0 };
        geometry_print(run->geometry, &text);
        log_line("%s: %s", run->inputs[0], str_c(&text));
        str_release(&text);
    }
    return 0;
}

static int next_of_source(struct run *run, struct job **out, struct err *e)
{
    if (run->at_ahead < run->n_ahead) {
        *out = run->ahead[run->at_ahead++];
        return 1;
    }
    if (run->lines) return read_line(run, out, e);
    if (run->reader) {
        struct record *r;
        int got = reader_next(run->reader, &r, e);
        if (got <= 0) return got;
        *out = mem_new(struct job, 1);
        (*out)->record = r;
        return 1;
    }
    if (run->seen == run->n_paths) return 0;
    *out = mem_new(struct job, 1);
    (*out)->path = run->paths[run->seen];
    return 1;
}

static int next_job(void *arg, void **job, struct err *e)
{
    struct run *run = arg;
    const struct convert_opts *o = run->o;
    struct job *j = NULL;

    while (!o->limit || run->taken < o->limit) {
        int got = next_of_source(run, &j, e);
        if (got <= 0) return got;
        if (run->seen++ % (o->shards > 1 ? o->shards : 1) == o->shard) {
            run->taken++;
            *job = j;
            return 1;
        }
        job_free(j);
    }
    return 0;
}

/* "a/b/name.npz" names the picture "name". */
static int read_npz(struct run *run, struct job *j, struct err *e)
{
    const char *base = path_base(j->path);
    size_t n, length = strlen(base);
    char *data = file_load(j->path, NPZ_FILE_MAX, &n, e);

    if (!data) return -1;
    char *id = mem_strndup(base, str_ends(base, ".npz") && length > 4 ? length - 4 : length);
    int rc = form_read_npz(&j->record, run->o->from, id, data, n, e);
    free(id);
    free(data);
    return rc;
}

/* Names of the tensor's numbers as a field, where there are names for all of them. */
static void add_names(struct record *r, const char *tensor, const char *field, const char *const *names, int n)
{
    const struct record_tensor *t = record_tensor(r, tensor);
    const int64_t *id = t ? t->data : NULL;

    if (!n || !t || t->dtype != DT_I64 || t->rank != 1) return;
    for (int64_t i = 0; i < t->shape[0]; i++) {
        if (id[i] < 0 || id[i] >= n) return;
    }
    struct value *list = value_array();
    for (int64_t i = 0; i < t->shape[0]; i++) value_push(list, value_str(names[id[i]]));
    value_set(r->fields, field, list);
}

static int work(struct run *run, struct job *j, struct err *e)
{
    const struct convert_opts *o = run->o;
    int rc = 0;

    if (run->lines) rc = line_read(&j->record, o->from, str_c(&j->line), j->line.n, run->geometry, e);
    else if (!run->reader) rc = read_npz(run, j, e);
    str_release(&j->line);
    if (rc) return -1;
    add_names(j->record, "class_ids", "classes", o->classes, o->n_classes);
    add_names(j->record, "attribute_ids", "attributes", o->attributes, o->n_attributes);
    if (o->check) {
        j->stats = mem_new(struct feature_stats, 1);
        stats_add(j->stats, j->record);
        return 0;
    }
    if (!o->to) return 0;
    return o->to->is_lines ? line_write(&j->product, o->to, j->record, e) : o->to->write(&j->product, j->record, e);
}

static void say_where(const struct run *run, struct job *j)
{
    if (run->lines) err_in(&j->bad, "line %" PRId64, j->number);
    if (run->reader) err_in(&j->bad, "%s: record %" PRId64, j->record->file, j->record->number);
    else if (run->lines) err_in(&j->bad, "%s", j->path);
    else if (!strstr(j->bad.text, j->path)) err_in(&j->bad, "%s", j->path); /* file_load() names it */
}

static int work_job(void *arg, void *job, int worker, struct err *e)
{
    struct run *run = arg;
    struct job *j = job;

    if (work(run, j, &j->bad)) say_where(run, j);
    return 0;
}

static int write_file(struct run *run, const struct job *j, struct err *e)
{
    const char *id = record_id(j->record);
    struct str name = { 0 };

    if (!*id || *id == '.' || strchr(id, '/'))
        return err_set(e, ERR_INPUT, "the id %s is no file's name (one without / and a dot in front was expected)",
                       err_quote(id));
    str_addf(&name, "%s.npz", id);
    char *path = path_join(outdir_path(run->dir), name.data);
    int rc = out_save(path, j->product.data, j->product.n, e);
    free(path);
    str_release(&name);
    return rc;
}

static int emit(struct run *run, const struct job *j, struct err *e)
{
    const char *id = record_id(j->record);
    bool is_new;

    if (run->o->check) {
        stats_merge(&run->stats, j->stats);
        return 0;
    }
    map_put(&run->ids, id, strlen(id), &is_new);
    if (!is_new) return err_set(e, ERR_INPUT, "id %s for the second time", err_quote(id));
    if (run->writer) return writer_put(run->writer, j->record, e);
    return run->dir ? write_file(run, j, e) : out_write(run->out, j->product.data, j->product.n, e);
}

static int done_job(void *arg, void *job, bool failed, struct err *e)
{
    struct run *run = arg;
    struct job *j = job;
    int rc = 0;

    if (!failed && !j->bad.code && emit(run, j, &j->bad) && j->bad.code == ERR_INPUT) say_where(run, j);
    if (!failed && j->bad.code) {
        bool goes_on = (run->o->skip_bad || run->o->check) && j->bad.code == ERR_INPUT;
        if (goes_on && !run->skipped++) run->first_bad = j->bad;
        if (!goes_on) {
            *e = j->bad;
            rc = -1;
        }
    }
    progress_step(&run->progress, ++run->done, NULL);
    job_free(j);
    return rc;
}

static int add_paths(struct run *run, const char *path, struct err *e)
{
    static const char *const endings[] = { ".npz", NULL };
    struct stat st;
    char **names;

    if (stat(path, &st)) return err_errno(e, "%s: cannot open", path);
    if (!S_ISDIR(st.st_mode)) {
        mem_reserve(&run->paths, &run->cap_paths, run->n_paths + 1);
        run->paths[run->n_paths++] = mem_strdup(path);
        return 0;
    }
    int64_t n = dir_list(path, endings, &names, e);
    if (n < 0) return -1;
    mem_reserve(&run->paths, &run->cap_paths, run->n_paths + n);
    for (int64_t i = 0; i < n; i++) {
        run->paths[run->n_paths++] = path_join(path, names[i]);
        free(names[i]);
    }
    free(names);
    return n ? 0 : err_set(e, ERR_INPUT, "%s: has no files whose names end in .npz", path);
}

static int open_source(struct run *run, const char *const *paths, int n, struct err *e)
{
    const struct convert_opts *o = run->o;

    if (!o->from) return (run->reader = reader_open(paths, n, NULL, e)) ? 0 : -1;
    if (o->from->is_lines) {
        run->lines = lines_open(paths, n, NULL);
        return look_ahead(run, e);
    }
    for (int i = 0; i < n; i++) {
        if (add_paths(run, paths[i], e)) return -1;
    }
    return 0;
}

static int open_product(struct run *run, const char *const *paths, int n, struct err *e)
{
    const struct convert_opts *o = run->o;

    if (o->check) return 0;
    if (out_spares(o->output, paths, n, e)) return -1;
    if (!o->to) {
        const struct writer_opts w = { .plain = o->plain, .from = run->reader };
        return (run->writer = writer_open(o->output, &w, e)) ? 0 : -1;
    }
    if (o->to->is_lines) return (run->out = out_open(o->output, e)) ? 0 : -1;
    static const char *const ours[] = { "*.npz", NULL };
    return (run->dir = outdir_open(o->output, ours, e)) ? 0 : -1;
}

static int print_stats(struct run *run, struct err *e)
{
    struct str text = { 0 };

    run->stats.bad = run->skipped;
    stats_print(&run->stats, &text);
    if (run->lines) {
        geometry_print(run->geometry, &text);
        str_add_char(&text, '\n');
    }
    int rc = out_save(NULL, text.data, text.n, e);
    str_release(&text);
    return rc;
}

/* What is said at the end of everything that was read. */
static int conclude(struct run *run, struct err *e)
{
    const struct convert_opts *o = run->o;

    if (o->check && print_stats(run, e)) return -1;
    if (!run->skipped) return 0;
    if (o->check || run->skipped == run->done)
        return err_set(e, ERR_INPUT, "%" PRId64 " of %" PRId64 " pictures are bad (first: %s)", run->skipped, run->done,
                       run->first_bad.text);
    log_line("%" PRId64 " of %" PRId64 " pictures skipped (first: %s)", run->skipped, run->done, run->first_bad.text);
    return 0;
}

static int close_product(struct run *run, int rc, struct err *e)
{
    if (run->writer) rc = writer_end(run->writer, rc, e);
    if (run->out && rc) out_abort(run->out);
    else if (run->out) rc = out_commit(run->out, e);
    if (run->dir && rc) outdir_abort(run->dir);
    else if (run->dir) rc = outdir_commit(run->dir, e);
    return rc;
}

int convert_features(const char *const *paths, int n, const struct convert_opts *o, struct err *e)
{
    struct run run = { .o = o, .geometry = o->geometry, .inputs = paths };
    const struct pipeline p = { next_job, work_job, done_job, &run, o->threads, 2 * o->threads + 2 };
    int rc = open_source(&run, paths, n, e);

    if (!rc) rc = open_product(&run, paths, n, e);
    if (!rc) {
        progress_begin(&run.progress, "pictures", -1);
        rc = pipeline_run(&p, e);
        progress_end(&run.progress);
    }
    if (!rc) rc = conclude(&run, e);
    rc = close_product(&run, rc, e);
    while (run.at_ahead < run.n_ahead) job_free(run.ahead[run.at_ahead++]);
    for (int64_t i = 0; i < run.n_paths; i++) free(run.paths[i]);
    free(run.paths);
    map_release(&run.ids);
    lines_close(run.lines);
    reader_close(run.reader);
    return rc;
}
