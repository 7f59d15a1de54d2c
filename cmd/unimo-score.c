/* unimo-score - compare predictions with references */
#include "core/file.h"
#include "core/mem.h"
#include "core/opt.h"
#include "score/metrics.h"
#include "score/prepare.h"
#include "score/sacrebleu.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *output, *images, *per_item, *format = "auto", *field = "label", *from = "auto", *missing = "error",
                                               *scale = "percent", *explain, *compare;
static const char *ci, *test = "bs", *prepare = "none", *tokenize = "ptb", *vqa = "2017", *ties = "mid";
static const char *bleu_tokenize = "13a", *smooth = "exp", *exceptions, *wordnet, *paraphrases, *meteor_modules;
static struct opt_list lists, by;
static bool json, timed, lowercase, effective_order, no_stem;
static double smooth_value;
static int64_t max_order = 4, threads;

static const struct opt opts[] = {
    { OPT_LIST, "metrics", 'm', &lists, 0, 0, "LIST", "what to compute, several joined by commas; \"list\" names all" },
    OPT_ROW_OUTPUT(&output),
    { OPT_CHOICE, "format", 0, &format, 0, 0, "auto|table|tsv|json",
      "how to print (auto: a table on a terminal, else JSON Lines)" },
    { OPT_FLAG, "json", 0, &json, 0, 0, 0, "the same as --format json" },
    { OPT_CHOICE, "scale", 0, &scale, 0, 0, "percent|ref",
      "as papers print figures, or as the reference program does" },
    { OPT_STRING, "per-item", 0, &per_item, 0, 0, "FILE", "also write each item's figures as JSON Lines" },
    { OPT_STRING, "explain", 0, &explain, 0, 0, "ID", "print what led to one item's figures instead" },
    { OPT_FLAG, "time", 0, &timed, 0, 0, 0, "tell how many seconds each metric took" },
    OPT_ROW_THREADS(&threads),
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "inputs" },
    { OPT_STRING, "field", 0, &field, 0, 0, "NAME", "field of the references that holds the label or text" },
    { OPT_CHOICE, "from", 0, &from, 0, 0, "auto|records|document|text|tsv",
      "form of the files (auto: by their names)" },
    { OPT_CHOICE, "missing", 0, &missing, 0, 0, "error|zero|skip", "what becomes of items without a prediction" },
    { OPT_LIST, "by", 0, &by, 0, 0, "FIELD", "also break figures down by a field of the references" },
    { OPT_STRING, "images", 0, &images, 0, 0, "FILE", "retrieval: the images that were scored, in the same order" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "confidence" },
    { OPT_STRING, "ci", 0, &ci, 0, 0, "bootstrap|google[:N[:SEED]]",
      "confidence intervals from N resamples (1000, 12345)" },
    { OPT_STRING, "compare", 0, &compare, 0, 0, "FILE", "another system's predictions: test the difference" },
    { OPT_STRING, "test", 0, &test, 0, 0, "bs|ar[:N[:SEED]]",
      "paired bootstrap (1000 trials) or approximate randomisation (10000)" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "metrics" },
    { OPT_CHOICE, "prepare", 0, &prepare, 0, 0, "none|cnndm|gigaword|qg|qg-eval|qg-raw|coqa",
      "mend texts first, as the field's scripts do" },
    { OPT_CHOICE, "tokenize", 0, &tokenize, 0, 0, "ptb|split", "captions: by PTB tokens, or at white space" },
    { OPT_CHOICE, "vqa", 0, &vqa, 0, 0, "2017|2021", "version of the normaliser of answers" },
    { OPT_CHOICE, "ties", 0, &ties, 0, 0, "mid|min|max|id", "retrieval: rank of the right one among equal scores" },
    { OPT_STRING, "bleu-tokenize", 0, &bleu_tokenize, 0, 0, "13a|intl|char|zh|none", "sacrebleu: tokenizer" },
    { OPT_CHOICE, "smooth", 0, &smooth, 0, 0, "exp|floor|add-k|none", "sacrebleu: smoothing" },
    { OPT_DOUBLE, "smooth-value", 0, &smooth_value, 0, 1000, "X", "sacrebleu: of floor (0: 0.1) and add-k (0: 1)" },
    { OPT_INT, "max-order", 0, &max_order, 1, 4, "N", "sacrebleu: longest n-grams" },
    { OPT_FLAG, "lowercase", 0, &lowercase, 0, 0, 0, "sacrebleu: ignore case" },
    { OPT_FLAG, "effective-order", 0, &effective_order, 0, 0, 0, "sacrebleu: only orders that the predictions have" },
    { OPT_FLAG, "no-stem", 0, &no_stem, 0, 0, 0, "rouge, rouge-google: compare words as they are" },
    { OPT_STRING, "exceptions", 0, &exceptions, 0, 0, "DIR",
      "rouge: irregular forms from WordNet's *.exc (default: none)" },
    { OPT_STRING, "wordnet", 0, &wordnet, 0, 0, "DIR", "meteor, spice: WordNet 3.0, or \"none\" (default: Debian's)" },
    { OPT_STRING, "paraphrases", 0, &paraphrases, 0, 0, "FILE", "meteor: its table paraphrase-en.gz" },
    { OPT_STRING, "meteor-modules", 0, &meteor_modules, 0, 0, "LIST",
      "meteor: exact,stem,synonym,paraphrase (default: those whose tables are there)" },
    { 0 },
};

/* ---- printing ---- */

static void print_json(const struct value *list, struct str *out)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        value_print(value_at(list, i), out);
        str_add_char(out, '\n');
    }
}

/* With so many decimals; a value that is undefined is the text "nan". */
static void add_number(struct str *out, const struct value *v, int decimals)
{
    if (value_is_number(v)) str_addf(out, "%.*f", decimals, value_number(v));
    else str_add(out, value_text(v, NULL));
}

/* NAME FIGURE VALUE [± half width] [other system's value, p] */
static void print_row(const struct value *v, const char *metric, const char *name, struct str *out)
{
    const char *printed = value_text(value_get(value_get(v, "printed"), name), NULL);
    const struct value *interval = value_get(value_get(v, "ci"), name), *other = value_get(v, "compare");

    str_addf(out, "%-16s %-16s %10s", metric, name, printed);
    if (interval) {
        int decimals = (int)strlen(strchr(printed, '.') ? strchr(printed, '.') + 1 : "");
        str_add(out, " \u00b1 ");
        add_number(out, value_get(interval, "half_width"), decimals > 2 ? decimals : 2);
    }
    if (other) str_addf(out, "  against %s", value_text(value_get(value_get(other, "printed"), name), NULL));
    /* sacreBLEU's p of no difference is the least there is: beside two equal figures it would say the contrary. */
    const struct value *own = value_get(v, name), *theirs = other ? value_get(other, name) : NULL;
    if (value_is_number(theirs) && value_is_number(own) && value_number(own) == value_number(theirs)) {
        str_add(out, ", equal");
    } else if (other) {
        str_add(out, ", p = ");
        add_number(out, value_get(value_get(other, "p"), name), 4);
    }
    str_add_char(out, '\n');
}

/* FIGURE[FIELD=WORD], where what comes from a file is on one line. */
static void print_part_name(const char *figure, const char *of, const char *word, struct str *out)
{
    size_t at = out->n;

    str_addf(out, "%s[%s=%s]", figure, of, word);
    for (char *p = out->data + at; *p; p++) {
        if ((unsigned char)*p < ' ') *p = '?';
    }
}

/* One figure of a breakdown; NaN is text. */
static void print_part(const char *metric, const char *name, bool is_count, const struct value *v, bool is_table,
                       struct str *out)
{
    int digits = is_count ? 0 : !strcmp(scale, "percent") ? 2 : 4;

    str_addf(out, is_table ? "%-16s %-16s " : "%s\t%s\t", metric, name);
    if (value_is_string(v)) str_addf(out, is_table ? "%10s" : "%s", value_text(v, NULL));
    else if (is_table) str_addf(out, "%10.*f", digits, value_number(v));
    else value_print(v, out);
    str_add_char(out, '\n');
}

/* The figures of all breakdowns, with every digit and tabs, or as a table. */
static void print_parts(const struct value *v, bool is_table, struct str *out)
{
    const char *metric = value_text(value_get(v, "metric"), NULL);
    struct str name = { 0 };

    for (struct value_iter of = { 0 }; value_next(value_get(v, "by"), &of);) {
        for (struct value_iter word = { 0 }; value_next(of.value, &word);) {
            for (struct value_iter it = { 0 }; value_next(word.value, &it);) {
                str_clear(&name);
                print_part_name(it.key, of.key, word.key, &name);
                print_part(metric, str_c(&name), !strcmp(it.key, "n"), it.value, is_table, out);
            }
        }
    }
    str_release(&name);
}

static void print_table(const struct value *list, struct str *out)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        const char *metric = value_text(value_get(v, "metric"), NULL);
        if (explain) {
            value_print_indented(v, out);
            str_add_char(out, '\n');
            continue;
        }
        for (struct value_iter it = { 0 }; value_next(value_get(v, "printed"), &it);) print_row(v, metric, it.key, out);
        print_parts(v, true, out);
        str_addf(out, "%-16s %-16s %10lld\n", metric, "n", (long long)value_integer(value_get(v, "n")));
        str_addf(out, "%-16s %-16s %s (%s)\n", metric, "signature", value_text(value_get(v, "signature"), NULL),
                 value_text(value_get(v, "scale"), NULL));
    }
}

/* Metric, figure and value with every digit. */
static void print_tabs(const struct value *list, struct str *out)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        for (struct value_iter it = { 0 }; value_next(v, &it);) {
            bool is_undefined = value_is_string(it.value) && value_get(value_get(v, "printed"), it.key);
            if (!value_is_number(it.value) && !is_undefined) continue;
            str_addf(out, "%s\t%s\t", value_text(value_get(v, "metric"), NULL), it.key);
            if (is_undefined) str_add(out, value_text(it.value, NULL));
            else value_print(it.value, out);
            str_add_char(out, '\n');
        }
        print_parts(v, false, out);
    }
}

/* Of a field that references have: asked for, but none of the metrics is broken down. */
static int check_parts(const struct value *list, struct err *e)
{
    for (int i = 0; i < by.n; i++) {
        bool is_there = false;
        for (int64_t k = 0; k < value_count(list); k++)
            is_there = is_there || value_count(value_get(value_get(value_at(list, k), "by"), by.at[i]));
        if (!is_there)
            return err_set(e, ERR_INPUT, "--by: none of the metrics is broken down by %s", err_quote(by.at[i]));
    }
    return 0;
}

static int print_result(const struct score_result *r, struct err *e)
{
    bool is_table = !strcmp(format, "table") || (!strcmp(format, "auto") && !output && isatty(1));
    struct str text = { 0 };
    int rc = 0;

    if (per_item) {
        print_json(r->each, &text);
        rc = out_save(per_item, str_c(&text), text.n, e);
        str_clear(&text);
    }
    if (is_table) print_table(r->metrics, &text);
    else if (!strcmp(format, "tsv")) print_tabs(r->metrics, &text);
    else print_json(r->metrics, &text);
    if (!rc) rc = out_save(output, str_c(&text), text.n, e);
    str_release(&text);
    return rc;
}

/* ---- options ---- */

/* NAME[:N[:SEED]] */
static int read_trials(const char *option, const char *text, const char *name, int64_t n, struct trials *out,
                       bool *is_name, struct err *e)
{
    size_t length = strlen(name);
    int64_t seed = 12345;

    *is_name = !strncmp(text, name, length) && (!text[length] || text[length] == ':');
    if (!*is_name) return 0;
    char *copy = mem_strdup(text + length + (text[length] == ':')), *colon = strchr(copy, ':');
    if (colon) *colon = 0;
    bool good = (!*copy || str_to_int(copy, 1, 10000000, &n)) && (!colon || str_to_int(colon + 1, 0, INT64_MAX, &seed));
    free(copy);
    *out = (struct trials){ n, (uint64_t)seed, false };
    return good ? 0 : opt_usage(e, "--%s: %s: expected %s[:N[:SEED]]", option, err_quote(text), name);
}

static int read_confidence(struct score_request *q, struct err *e)
{
    bool is_ci = true, is_bs, is_ar;

    if (ci && read_trials("ci", ci, "bootstrap", 1000, &q->ci, &is_ci, e)) return -1;
    if (!is_ci && read_trials("ci", ci, "google", 1000, &q->ci, &is_ci, e)) return -1;
    if (!is_ci) return opt_usage(e, "--ci: %s: expected bootstrap or google[:N[:SEED]]", err_quote(ci));
    q->ci.is_legacy = ci && *ci == 'g';
    if (q->ci.is_legacy && q->ci.seed > UINT32_MAX)
        return opt_usage(e, "--ci: google: seed %" PRIu64 " (at most %" PRIu32 ")", q->ci.seed, UINT32_MAX);
    if (read_trials("test", test, "bs", 1000, &q->test, &is_bs, e)) return -1;
    if (!is_bs && read_trials("test", test, "ar", 10000, &q->test, &is_ar, e)) return -1;
    if (!is_bs && !is_ar) return opt_usage(e, "--test: %s: expected bs or ar[:N[:SEED]]", err_quote(test));
    q->swaps = !is_bs;
    return 0;
}

static int read_inputs(int argc, char **argv, struct join_files *f, struct err *e)
{
    if (argc < 1) return opt_usage(e, "predictions and, but for retrieval, references were expected");
    if (argc - 1 > JOIN_REFS) return opt_usage(e, "more than %d files of references", JOIN_REFS);
    if (by.n > JOIN_NOTES - 3) return opt_usage(e, "--by: more than %d fields", JOIN_NOTES - 3);
    *f = (struct join_files){ .pred = argv[0], .n_refs = argc - 1, .field = field, .form = from, .n_notes = by.n };
    for (int i = 1; i < argc; i++) f->refs[i - 1] = argv[i];
    for (int i = 0; i < by.n; i++) f->notes[i] = by.at[i];
    f->missing = !strcmp(missing, "zero") ? JOIN_ZERO : !strcmp(missing, "skip") ? JOIN_SKIP : JOIN_ERROR;
    return 0;
}

/* Whether a word of one list is in the other; commas and blanks stand between words. */
static bool share_word(const char *a, const char *b)
{
    for (size_t n; *a; a += n + strspn(a + n, ", ")) {
        n = strcspn(a, ", ");
        for (const char *w = b; *w; w += strcspn(w, ", "), w += strspn(w, ", ")) {
            if (strcspn(w, ", ") == n && !memcmp(w, a, n)) return true;
        }
    }
    return false;
}

/* An option that none of the metrics heeds would be believed to have changed their figures. */
static int check_heeded(const char *metrics, struct err *e)
{
    static const struct {
        const char *metrics, *options[7];
    } heeds[] = {
        { "vqa", { "vqa" } },
        { "bleu, rouge-l, cider, cider-original, meteor", { "tokenize" } },
        { "meteor, spice", { "wordnet" } },
        { "meteor", { "paraphrases", "meteor-modules" } },
        { "sacrebleu", { "bleu-tokenize", "smooth", "smooth-value", "max-order", "lowercase", "effective-order" } },
        { "rouge, rouge-google", { "no-stem" } },
        { "rouge", { "exceptions" } },
        { "retrieval", { "images", "ties" } },
    };
    bool has_value = !strcmp(smooth, "floor") || !strcmp(smooth, "add-k");
    char why[80];

    for (size_t i = 0; i < sizeof heeds / sizeof *heeds; i++) {
        snprintf(why, sizeof why, "is for %s", heeds[i].metrics);
        if (!share_word(metrics, heeds[i].metrics) && opt_refuse(heeds[i].options, why, e)) return -1;
    }
    if (!has_value && opt_refuse((const char *const[]){ "smooth-value", NULL }, "goes with --smooth floor or add-k", e))
        return -1;
    if (!compare && opt_refuse((const char *const[]){ "test", NULL }, "goes with --compare", e)) return -1;
    if (!explain) return 0;
    if (!strcmp(format, "tsv"))
        return opt_usage(e, "--explain: --format tsv has figures alone (expected table or json)");
    return opt_refuse((const char *const[]){ "per-item", "by", "ci", "compare", "test", "time", NULL },
                      "does not go with --explain", e);
}

/* Neither product may overwrite an input, or the other one. */
static int check_outputs(const char *const *paths, int n, struct err *e)
{
    const char *const others[] = { compare, images, paraphrases };

    for (int i = 0; i < 2; i++) {
        const char *product = i ? per_item : output;
        if ((!i || product) && (out_spares(product, paths, n, e) || out_spares(product, others, 3, e))) return -1;
    }
    if (output && per_item && !strcmp(output, per_item) && strcmp(output, "-") && strncmp(output, "/dev/", 5))
        return opt_usage(e, "--per-item: is the same file as --output");
    return 0;
}

static int list_metrics(struct err *e)
{
    struct str names = { 0 };

    metrics_names(&names);
    str_add_char(&names, '\n');
    int rc = out_save(output, str_c(&names), names.n, e);
    str_release(&names);
    return rc;
}

static int score(const char *metrics, int argc, char **argv, struct err *e)
{
    struct score_request q = {
        .metrics = metrics, .compare = compare, .times = timed, .explain = explain, .each = per_item != NULL
    };
    struct score_result r;

    if (!strcmp(metrics, "list")) return list_metrics(e);
    if (!sacrebleu_tokenizer_known(bleu_tokenize))
        return opt_usage(e, "--bleu-tokenize: %s: expected 13a, intl, char, zh or none", err_quote(bleu_tokenize));
    q.opts = (struct score_opts){ .images = images,
                                  .ties = ties,
                                  .prepare = prepare_known(prepare) ? prepare : NULL,
                                  .tokenize = tokenize,
                                  .vqa = vqa,
                                  .bleu_tokenize = bleu_tokenize,
                                  .smooth = smooth,
                                  .smooth_value = smooth_value,
                                  .lowercase = lowercase,
                                  .effective_order = effective_order,
                                  .max_order = (int)max_order,
                                  .no_stem = no_stem,
                                  .exceptions = exceptions,
                                  .wordnet = wordnet,
                                  .paraphrases = paraphrases,
                                  .meteor_modules = meteor_modules,
                                  .threads = (int)threads,
                                  .ref_scale = !strcmp(scale, "ref") };
    if (check_heeded(metrics, e) || read_inputs(argc, argv, &q.opts.files, e) || read_confidence(&q, e)) return -1;
    if (check_outputs((const char *const *)argv, argc, e)) return -1;
    int rc = metrics_compute(&q, &r, e);
    if (!rc && !explain) rc = check_parts(r.metrics, e);
    if (!rc) rc = print_result(&r, e);
    metrics_release(&r);
    return rc;
}

static int run(int argc, char **argv, struct err *e)
{
    struct str metrics = { 0 };

    if (!lists.n) return opt_usage(e, "--metrics: is required");
    if (json && opt_given("format") && strcmp(format, "json"))
        return opt_usage(e, "--json: does not go with --format %s", format);
    if (json) format = "json";
    for (int i = 0; i < lists.n; i++) str_addf(&metrics, "%s%s", i ? "," : "", lists.at[i]);
    int rc = score(str_c(&metrics), argc, argv, e);
    str_release(&metrics);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-score", "compare predictions with references", "-m LIST PRED [REF]...", opts, run, false
    };
    return program_main(&p, argc, argv);
}
