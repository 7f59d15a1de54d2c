/* unimo-score - compare predictions with references */
#include "core/file.h"
#include "core/mem.h"
#include "core/opt.h"
#include "score/metrics.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *metrics, *output, *images, *each, *format = "auto", *field = "label";

static const struct opt opts[] = {
    { OPT_STRING, "metrics", 'm', &metrics, 0, 0, "LIST",
      "accuracy, bleu, cider, retrieval; several joined by commas" },
    OPT_ROW_OUTPUT(&output),
    { OPT_STRING, "images", 0, &images, 0, 0, "FILE", "retrieval: the images that were scored, in the same order" },
    { OPT_STRING, "field", 0, &field, 0, 0, "NAME", "field of the references that holds the label" },
    { OPT_CHOICE, "format", 0, &format, 0, 0, "auto|table|tsv|json",
      "how to print (auto: a table on a terminal, else JSON Lines)" },
    { OPT_STRING, "each", 0, &each, 0, 0, "FILE", "also write each item's scores as JSON Lines" },
    { 0 },
};

static void print_json(const struct value *list, struct str *out)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        value_print(value_at(list, i), out);
        str_add_char(out, '\n');
    }
}

/* A line for each figure: for people, or separated by tabs with every digit. */
static void print_lines(const struct value *list, bool tabs, struct str *out)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        const char *metric = value_text(value_get(v, "metric"), NULL);
        for (int64_t k = 0; k < value_count(v); k++) {
            struct value *x;
            const char *name = value_key(v, k, &x);
            if (tabs && value_is_number(x)) {
                str_addf(out, "%s\t%s\t", metric, name);
                value_print(x, out);
                str_add_char(out, '\n');
            } else if (value_is_int(x))
                str_addf(out, "%-16s %-12s %10lld\n", metric, name, (long long)value_integer(x));
            else if (value_is_number(x)) str_addf(out, "%-16s %-12s %10.2f\n", metric, name, value_number(x));
        }
    }
}

static int write_text(const char *path, const struct str *text, struct err *e)
{
    struct out *o = out_open(path, e);

    if (!o) return -1;
    if (!out_write(o, str_c(text), text->n, e)) return out_commit(o, e);
    out_abort(o);
    return -1;
}

static int run(int argc, char **argv, struct err *e)
{
    if (!metrics) return opt_usage(e, "--metrics: is required");
    if (argc < 1 || argc > 2) return opt_usage(e, "predictions and, but for retrieval, references were expected");
    const struct score_files files = {
        .pred = argv[0], .ref = argc > 1 ? argv[1] : NULL, .images = images, .field = field
    };
    struct report r = { value_array(), each ? value_array() : NULL };
    bool is_table = !strcmp(format, "table") || (!strcmp(format, "auto") && !output && isatty(1)),
         is_tabs = !strcmp(format, "tsv");
    struct str text = { 0 };
    int rc = metrics_compute(metrics, &files, &r, e);

    if (!rc && each) {
        print_json(r.each, &text);
        rc = write_text(each, &text, e);
        str_clear(&text);
    }
    if (is_table || is_tabs) print_lines(r.metrics, is_tabs, &text);
    else print_json(r.metrics, &text);
    if (!rc) rc = write_text(output, &text, e);
    str_release(&text);
    value_free(r.metrics);
    value_free(r.each);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-score", "compare predictions with references", "PRED [REF]", opts, run,
                                      false };
    return program_main(&p, argc, argv);
}
