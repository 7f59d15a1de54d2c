/* unimo-view - look into streams and models */
#include "core/file.h"
#include "core/opt.h"
#include "stream/inspect.h"
#include "stream/writer.h"
#include <stdlib.h>
#include <string.h>

static bool header, index_only, stats, check, finite, base64, pack;
static const char *tensor, *output;
static struct opt_list select_ids;
static int64_t limit;

static const struct opt opts[] = {
    { OPT_FLAG, "header", 0, &header, 0, 0, NULL, "print the provenance: which programs and options made the stream" },
    { OPT_FLAG, "index", 0, &index_only, 0, 0, NULL, "print the blocks: offset, records" },
    { OPT_FLAG, "stats", 0, &stats, 0, 0, NULL, "print records, fields and tensors with counts and ranges" },
    { OPT_FLAG, "check", 0, &check, 0, 0, NULL, "verify everything; one line per file, exit 1 if any is bad" },
    { OPT_FLAG, "finite", 0, &finite, 0, 0, NULL, "with --check: refuse NaN and infinity in tensors" },
    { OPT_STRING, "tensor", 't', &tensor, 0, 0, "NAME", "print a tensor's values, one row a line, instead of records" },
    { OPT_FLAG, "base64", 0, &base64, 0, 0, NULL, "print records with their tensors, coded as text" },
    { OPT_FLAG, "pack", 0, &pack, 0, 0, NULL, "write a stream instead of plain lines" },
    { OPT_LIST, "select", 's', &select_ids, 0, 0, "ID", "only the record with this id" },
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_OUTPUT(&output),
    { 0 },
};

static bool is_selected(const struct record *r, bool *was_found)
{
    bool is = !select_ids.n;

    for (int i = 0; i < select_ids.n; i++) {
        if (strcmp(select_ids.at[i], record_id(r))) continue;
        was_found[i] = true;
        is = true;
    }
    return is;
}

static int put_record(void *writer, struct record *r, struct err *e)
{
    if (!pack) inspect_describe_tensors(r, base64);
    return writer_put(writer, r, e);
}

static int put_tensor(void *out, struct record *r, struct err *e)
{
    struct str s = { 0 };
    int rc = inspect_print_tensor(r, tensor, &s, e);

    if (rc) err_in(e, "%s: record %lld", r->file, (long long)r->number);
    else rc = out_write(out, str_c(&s), s.n, e);
    str_release(&s);
    return rc;
}

/* Calls put() for each record that is asked for. */
static int each_record(struct reader *in, int (*put)(void *arg, struct record *r, struct err *e), void *arg,
                       struct err *e)
{
    bool was_found[OPT_LIST_MAX] = { false };
    struct record *r;
    int rc = 0, got = 0;
    int64_t printed = 0;

    while (!rc && (!limit || printed < limit) && (got = reader_next(in, &r, e)) > 0) {
        if (is_selected(r, was_found)) {
            rc = put(arg, r, e);
            printed++;
        }
        record_free(r);
    }
    if (rc || got < 0) return -1;
    for (int i = 0; i < select_ids.n && !got; i++) { /* to the end, and not only to --limit */
        if (!was_found[i]) return err_set(e, ERR_INPUT, "no record with id %s", err_quote(select_ids.at[i]));
    }
    return 0;
}

static int print_records(const char *const *paths, int n, struct err *e)
{
    if (inspect_is_model(paths[0]))
        return err_set(e, ERR_INPUT, "%s: is a model, not a stream (see --stats, --check and --tensor)", paths[0]);
    struct reader *in = reader_open(paths, n, NULL, e);
    struct writer *w =
        in ? writer_open(output, &(struct writer_opts){ .plain = !pack, .from = in, .repeats = !pack }, e) : NULL;
    int rc = writer_end(w, w ? each_record(in, put_record, w, e) : -1, e);

    reader_close(in);
    return rc;
}

static int print_parameters(const char *const *paths, int n, struct out *out, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) rc = inspect_print_parameter(paths[i], tensor, out, e);
    return rc;
}

static int print_tensors(const char *const *paths, int n, struct out *out, struct err *e)
{
    if (inspect_is_model(paths[0])) return print_parameters(paths, n, out, e);
    struct reader *in = reader_open(paths, n, NULL, e);
    int rc = in ? each_record(in, put_tensor, out, e) : -1;

    reader_close(in);
    return rc;
}

/* The text of one whole-file report. */
static int report(int (*make)(const char *path, struct str *out, struct err *e), const char *const *paths, int n,
                  struct out *out, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) {
        struct str s = { 0 };
        rc = make(paths[i], &s, e);
        if (!rc) rc = out_write(out, str_c(&s), s.n, e);
        str_release(&s);
    }
    return rc;
}

static int check_all(const char *const *paths, int n, struct out *out, int *bad, struct err *e)
{
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) {
        struct err why = { 0 };
        struct str line = { 0 };
        int64_t records;
        bool is_good = !inspect_check(paths[i], finite, &records, &why);
        const char *of = inspect_is_model(paths[i]) ? "tensors" : "records";
        if (is_good) str_addf(&line, "%s: good, %lld %s\n", paths[i], (long long)records, of);
        else str_addf(&line, "bad: %s\n", why.text);
        *bad += !is_good;
        rc = out_write(out, line.data, line.n, e);
        str_release(&line);
    }
    return rc;
}

static int print_text(const char *const *paths, int n, struct err *e)
{
    struct out *out = out_spares(output, paths, n, e) ? NULL : out_open(output, e);
    int bad = 0, rc = !out         ? -1
                      : header     ? report(inspect_header, paths, n, out, e)
                      : index_only ? report(inspect_index, paths, n, out, e)
                      : stats      ? report(inspect_stats, paths, n, out, e)
                      : check      ? check_all(paths, n, out, &bad, e)
                                   : print_tensors(paths, n, out, e);

    if (rc) out_abort(out);
    else rc = out_commit(out, e);
    return rc ? -1 : bad ? err_set(e, ERR_INPUT, "%d of %d files are bad", bad, n) : 0;
}

static int run(int argc, char **argv, struct err *e)
{
    static const char *const standard_input[] = { "-" };
    const char *const *paths = argc ? (const char *const *)argv : standard_input;
    int n = argc ? argc : 1;

    if (header + index_only + stats + check + base64 + pack + (tensor != NULL) > 1)
        return opt_usage(e, "--header, --index, --stats, --check, --tensor, --base64 and --pack exclude each other");
    if (finite && !check) return opt_usage(e, "--finite: goes with --check");
    bool is_whole = header || index_only || stats || check;
    if (is_whole && (select_ids.n || limit))
        return opt_usage(e, "--%s: goes with records, not with what is said of whole files",
                         limit ? "limit" : "select");
    return is_whole || tensor ? print_text(paths, n, e) : print_records(paths, n, e);
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-view", "look into streams and models", "[FILE]...", opts, run, false };
    return program_main(&p, argc, argv);
}
