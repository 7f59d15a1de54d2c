/* unimo-view - look into streams and models */
#include "core/log.h"
#include "core/mem.h"
#include "core/opt.h"
#include "stream/inspect.h"
#include "stream/writer.h"
#include <stdio.h>
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
    { OPT_LIST, "select", 's', &select_ids, 0, 0, "ID", "only the record with this id (may be repeated)" },
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_OUTPUT(&output),
    { 0 },
};

static bool is_selected(const struct record *r, bool *was_found)
{
    bool is_one = false;

    for (int i = 0; i < select_ids.n; i++) { /* all of them: an id may be given twice */
        if (strcmp(select_ids.at[i], record_id(r))) continue;
        is_one = was_found[i] = true;
    }
    return is_one || !select_ids.n;
}

static int print_record(struct writer *w, struct record *r, struct err *e)
{
    struct str s = { 0 };
    int rc;

    if (!tensor) {
        if (!pack) inspect_describe_tensors(r, base64);
        return writer_put(w, r, e);
    }
    rc = inspect_print_tensor(r, tensor, &s, e) ? err_in(e, "%s: record %lld", r->file, (long long)r->number) : 0;
    if (!rc) fwrite(s.data, 1, s.n, stdout);
    str_release(&s);
    return rc;
}

static int print_records(const char *const *paths, int n, struct err *e)
{
    struct reader *in = reader_open(paths, n, NULL, e);
    struct writer *w =
        in ? writer_open(output, &(struct writer_opts){ .plain = !pack, .from = in, .repeats = !pack }, e) : NULL;
    bool was_found[OPT_LIST_MAX] = { false };
    struct record *r;
    int rc = w ? 0 : -1, got = 0;
    int64_t printed = 0;

    while (!rc && (!limit || printed < limit) && (got = reader_next(in, &r, e)) > 0) {
        if (is_selected(r, was_found)) {
            rc = print_record(w, r, e);
            printed++;
        }
        record_free(r);
    }
    bool is_read = !rc && !got; /* to its end, not to the limit */
    for (int i = 0; i < select_ids.n && is_read && !rc; i++) {
        if (!was_found[i]) rc = err_set(e, ERR_INPUT, "no record with id %s", err_quote(select_ids.at[i]));
    }
    if (rc || got < 0) writer_abort(w);
    else rc = writer_close(w, e);
    reader_close(in);
    return got < 0 ? -1 : rc;
}

/* The text of one whole-file report on standard output. */
static int report(int (*make)(const char *path, struct str *out, struct err *e), const char *const *paths, int n,
                  struct err *e)
{
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) {
        struct str s = { 0 };
        rc = make(paths[i], &s, e);
        if (!rc) fwrite(s.data, 1, s.n, stdout);
        str_release(&s);
    }
    return rc;
}

static int check_all(const char *const *paths, int n, struct err *e)
{
    int bad = 0;

    for (int i = 0; i < n; i++) {
        struct err why = { 0 };
        int64_t records;
        if (!inspect_check(paths[i], finite, &records, &why)) {
            printf("%s: good, %lld records\n", paths[i], (long long)records);
            continue;
        }
        printf("bad: %s\n", why.text);
        bad++;
    }
    return bad ? err_set(e, ERR_INPUT, "%d of %d files are bad", bad, n) : 0;
}

static int run(int argc, char **argv, struct err *e)
{
    static const char *const standard_input[] = { "-" };
    const char *const *paths = argc ? (const char *const *)argv : standard_input;
    int n = argc ? argc : 1;

    if (header + index_only + stats + check + base64 + pack + (tensor != NULL) > 1)
        return opt_usage(e, "--header, --index, --stats, --check, --tensor, --base64 and --pack exclude each other");
    if (finite && !check) return opt_usage(e, "--finite: goes with --check");
    if (header) return report(inspect_header, paths, n, e);
    if (index_only) return report(inspect_index, paths, n, e);
    if (stats) return report(inspect_stats, paths, n, e);
    if (check) return check_all(paths, n, e);
    return print_records(paths, n, e);
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-view", "look into streams and models", "[FILE]...", opts, run, false };
    return program_main(&p, argc, argv);
}
