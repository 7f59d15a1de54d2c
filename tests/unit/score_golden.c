/* Every figure of every metric against the values that the reference programs gave for the same files. */
#include "score/metrics.h"
#include "tap.h"

#define DIR "tests/golden/score/"

/* ---- a run of the scorer, and a place in JSON ---- */

struct run {
    struct score_request q;
    struct score_result r;
    char pred[128], ref[128];
};

static struct run *run_open(const char *metrics, const char *pred, const char *ref)
{
    struct run *run = calloc(1, sizeof *run);

    snprintf(run->pred, sizeof run->pred, DIR "%s", pred);
    snprintf(run->ref, sizeof run->ref, DIR "%s", ref ? ref : "");
    run->q = (struct score_request){ .metrics = metrics, .opts.ref_scale = true, .each = true };
    run->q.opts.files = (struct join_files){ .pred = run->pred, .refs = { run->ref }, .n_refs = ref != NULL };
    return run;
}

static void run_score(struct run *run)
{
    struct err e = { 0 };

    if (metrics_compute(&run->q, &run->r, &e)) ok(false, "%s: %s", run->q.metrics, e.text);
}

static void run_close(struct run *run)
{
    metrics_release(&run->r);
    free(run);
}

/* at(v, "a", "b", NULL) is v["a"]["b"] */
static const struct value *at(const struct value *v, ...)
{
    va_list ap;

    va_start(ap, v);
    for (const char *key; (key = va_arg(ap, const char *));) v = value_get(v, key);
    va_end(ap);
    return v;
}

static const struct value *metric(const struct run *run, int64_t i)
{
    return i < value_count(run->r.metrics) ? value_at(run->r.metrics, i) : NULL;
}

static const struct value *item(const struct run *run, const char *name, const char *id)
{
    for (int64_t i = 0; i < value_count(run->r.each); i++) {
        const struct value *v = value_at(run->r.each, i);
        if (!strcmp(value_text(value_get(v, "metric"), NULL), name) &&
            !strcmp(value_text(value_get(v, "id"), NULL), id))
            return v;
    }
    return NULL;
}

static struct value *expected(const char *name)
{
    char path[128];
    struct err e = { 0 };

    snprintf(path, sizeof path, DIR "%s/expected.json", name);
    struct value *v = value_load(path, &e);
    if (!v) ok(false, "%s", e.text);
    return v;
}

/* ---- comparisons, told in groups ---- */

static int64_t compared, differing;

static void differs(const char *what, const struct value *got, const struct value *want)
{
    struct str s = { 0 };

    if (differing++ >= 5) return;
    str_addf(&s, "# %s: got ", what);
    if (got) value_print(got, &s);
    str_add(&s, ", want ");
    if (want) value_print(want, &s);
    printf("%s\n", str_c(&s));
    str_release(&s);
}

/* Numbers to 1e-9 (relative above 1), texts to the letter; a number that is wanted as text is one to its decimals. */
static void same(const char *what, const struct value *got, const struct value *want)
{
    char text[64];
    bool good = false;

    compared++;
    if (value_is_string(want) && value_is_number(got)) {
        const char *w = value_text(want, NULL), *dot = strchr(w, '.');
        snprintf(text, sizeof text, "%.*f", dot ? (int)strlen(dot + 1) : 0, value_number(got));
        good = !strcmp(text, w);
    } else if (value_is_string(want)) {
        good = value_is_string(got) && !strcmp(value_text(got, NULL), value_text(want, NULL));
    } else if (value_is_number(want)) {
        double x = value_number(got), y = value_number(want);
        good = value_is_number(got) && fabs(x - y) <= 1e-9 * (fabs(y) > 1 ? fabs(y) : 1);
    }
    if (!good) differs(what, got, want);
}

static void scaled(const char *what, const struct value *got, double factor, const struct value *want)
{
    struct value *v = value_real(factor * value_number(got));

    same(what, v, want);
    value_free(v);
}

static void group(const char *name, int64_t least)
{
    ok(!differing && compared >= least, "%s: %lld values", name, (long long)compared);
    compared = differing = 0;
}

/* ---- labels and numbers ---- */

static void glue(void)
{
    struct value *e = expected("glue");

    for (struct value_iter it = { 0 }; value_next(value_get(e, "tasks"), &it);) {
        char pred[64], ref[64];
        bool labels = value_get(it.value, "accuracy") != NULL;
        snprintf(pred, sizeof pred, "glue/%s_pred.jsonl", it.key);
        snprintf(ref, sizeof ref, "glue/%s_ref.jsonl", it.key);
        struct run *r = run_open(labels ? "accuracy,matthews,f1" : "pearson,spearman", pred, ref);
        run_score(r);
        if (labels) {
            const struct value *two = value_get(it.value, "mcc_sklearn");
            same(it.key, at(metric(r, 0), "score", NULL), value_get(it.value, "accuracy"));
            same(it.key, at(metric(r, 1), "score", NULL), two ? two : value_get(it.value, "mcc_sklearn_multiclass"));
            if (two) same(it.key, at(metric(r, 2), "f1", NULL), value_get(it.value, "f1_sklearn"));
            else same(it.key, at(metric(r, 2), "macro_f1", NULL), value_get(it.value, "f1_macro_sklearn"));
        } else {
            same(it.key, at(metric(r, 0), "score", NULL), value_get(it.value, "pearson"));
            same(it.key, at(metric(r, 1), "score", NULL), value_get(it.value, "spearman"));
            same(it.key, at(metric(r, 1), "p_and_sp", NULL), value_get(it.value, "p_and_sp"));
        }
        run_close(r);
    }
    value_free(e);
    group("accuracy, Matthews, F1, Pearson, Spearman", 30);
}

static void vqa_version(const char *version, const struct value *want)
{
    static const char *const fields[][2] = { { "answer_type", "perAnswerType" },
                                             { "question_type", "perQuestionType" } };
    struct run *r = run_open("vqa", "vqa/pred.jsonl", "vqa/ref.jsonl");

    r->q.opts.vqa = version;
    run_score(r);
    same("overall", at(metric(r, 0), "score", NULL), value_get(want, "overall"));
    for (int f = 0; f < 2; f++) {
        for (struct value_iter it = { 0 }; value_next(value_get(want, fields[f][1]), &it);) {
            struct value *rounded = value_real(
                round(100 * value_number(at(metric(r, 0), "by", fields[f][0], it.key, "score", NULL))) / 100);
            same(it.key, rounded, it.value);
            value_free(rounded);
        }
    }
    for (struct value_iter it = { 0 }; value_next(value_get(want, "per_item_percent"), &it);) {
        struct value *rounded = value_real(round(100 * value_number(at(item(r, "vqa", it.key), "score", NULL))) / 100);
        same(it.key, rounded, it.value);
        value_free(rounded);
    }
    run_close(r);
    group(version, 100);
}

static void vqa(void)
{
    struct value *e = expected("vqa");

    for (struct value_iter it = { 0 }; value_next(value_get(e, "versions"), &it);)
        vqa_version(strchr(it.key, '~') ? "2017" : "2021", it.value);
    value_free(e);
}

static void answers(void)
{
    struct value *e = expected("qa");
    const struct value *squad = value_get(e, "squad1"), *summary = at(e, "squad2", "summary", NULL);
    struct run *coqa = run_open("coqa,squad", "qa/pred.jsonl", "qa/ref.jsonl"),
               *two = run_open("squad2", "qa/squad2_pred.jsonl", "qa/squad2_ref.jsonl");
    static const char *const names[][2] = { { "exact_match", "exact" },
                                            { "f1", "f1" },
                                            { "has_answer_exact_match", "HasAns_exact" },
                                            { "has_answer_f1", "HasAns_f1" },
                                            { "no_answer_exact_match", "NoAns_exact" },
                                            { "no_answer_f1", "NoAns_f1" } };

    coqa->q.opts.files.missing = JOIN_ZERO;
    run_score(coqa);
    run_score(two);
    for (struct value_iter it = { 0 }; value_next(at(e, "coqa", "per_item", NULL), &it);) {
        if (value_is_null(value_get(it.value, "f1"))) continue;
        scaled(it.key, at(item(coqa, "coqa", it.key), "f1", NULL), 0.01, value_get(it.value, "f1"));
        scaled(it.key, at(item(coqa, "coqa", it.key), "exact_match", NULL), 0.01, value_get(it.value, "em"));
    }
    for (struct value_iter it = { 0 }; value_next(at(e, "coqa", "by_domain", NULL), &it);) {
        struct value *f1 =
            value_real(round(10 * value_number(at(metric(coqa, 0), "domains", it.key, "f1", NULL))) / 10);
        same(it.key, f1, value_get(it.value, "f1"));
        value_free(f1);
    }
    same("SQuAD 1.1", at(metric(coqa, 1), "exact_match", NULL), value_get(squad, "exact_match"));
    same("SQuAD 1.1", at(metric(coqa, 1), "f1", NULL), value_get(squad, "f1"));
    for (int i = 0; i < 6; i++)
        same(names[i][1], at(metric(two, 0), names[i][0], NULL), value_get(summary, names[i][1]));
    for (struct value_iter it = { 0 }; value_next(at(e, "squad2", "per_item", NULL), &it);)
        scaled(it.key, at(item(two, "squad2", it.key), "f1", NULL), 0.01, value_at(it.value, 1));
    run_close(coqa);
    run_close(two);
    value_free(e);
    group("CoQA and SQuAD", 160);
}

/* ---- captions ---- */

static void captions(void)
{
    static const char *const bleu[][2] = {
        { "Bleu_1", "bleu1" }, { "Bleu_2", "bleu2" }, { "Bleu_3", "bleu3" }, { "Bleu_4", "bleu4" }
    };
    struct value *e = expected("caption");
    const struct value *corpus = value_get(e, "corpus"), *each = value_get(e, "per_item");
    struct run *r = run_open("bleu,rouge-l,cider", "caption/pred.jsonl", "caption/ref.jsonl");

    run_score(r);
    for (int k = 0; k < 4; k++) {
        same(bleu[k][0], at(metric(r, 0), bleu[k][1], NULL), at(corpus, bleu[k][0], "value", NULL));
        same(bleu[k][0], at(metric(r, 0), "printed", bleu[k][1], NULL), at(corpus, bleu[k][0], "printed", NULL));
    }
    same("ROUGE_L", at(metric(r, 1), "score", NULL), at(corpus, "ROUGE_L", "value", NULL));
    same("CIDEr", at(metric(r, 2), "score", NULL), at(corpus, "CIDEr", "value", NULL));
    for (int64_t i = 0; i < value_count(each); i++) {
        const struct value *want = value_at(each, i);
        const char *id = value_text(value_get(want, "id"), NULL);
        for (int k = 0; k < 4; k++) same(id, at(item(r, "bleu", id), bleu[k][1], NULL), value_get(want, bleu[k][0]));
        same(id, at(item(r, "rouge-l", id), "score", NULL), value_get(want, "ROUGE_L"));
        same(id, at(item(r, "cider", id), "score", NULL), value_get(want, "CIDEr"));
    }
    run_close(r);
    value_free(e);
    group("BLEU, ROUGE-L and CIDEr-D of captions", 440);
}

static void meteor(void)
{
    static const char *const modules[][2] = {
        { "exact", "METEOR[exact]" },
        { "exact,stem", "METEOR[exact+stem]" },
        { "exact,stem,synonym", "METEOR[exact+stem+synonym]" },
        { "exact,stem,synonym,paraphrase", "METEOR[exact+stem+synonym+paraphrase(synthetic)]" },
    };
    struct value *e = expected("caption");

    for (int m = 0; m < 4; m++) {
        struct run *r = run_open("meteor", "caption/pred.jsonl", "caption/ref.jsonl");
        r->q.opts.meteor_modules = modules[m][0];
        r->q.opts.paraphrases = DIR "caption/paraphrase-synthetic.txt";
        run_score(r);
        same(modules[m][1], at(metric(r, 0), "score", NULL), at(e, "corpus", modules[m][1], "value", NULL));
        for (int64_t i = 0; i < value_count(value_get(e, "per_item")); i++) {
            const struct value *want = value_at(value_get(e, "per_item"), i);
            const char *id = value_text(value_get(want, "id"), NULL);
            same(id, at(item(r, "meteor", id), "score", NULL), value_get(want, modules[m][1]));
        }
        run_close(r);
        group(modules[m][1], 73);
    }
    value_free(e);
}

static void spice(void)
{
    static const char *const names[] = { "All", "Object", "Attribute", "Relation", "Cardinality", "Color", "Size" },
                             *const ours[] = { "score",       "object", "attribute", "relation",
                                               "cardinality", "color",  "size" };
    struct value *e = expected("spice");

    for (int plain = 0; plain < 2; plain++) {
        struct run *r = run_open("spice", "spice/tuples.jsonl", NULL);
        if (plain) r->q.opts.wordnet = "none";
        run_score(r);
        const struct value *want = value_get(e, plain ? "macro_f_nosyn" : "macro_f");
        for (int k = 0; k < 7; k++) same(names[k], at(metric(r, 0), ours[k], NULL), value_get(want, names[k]));
        for (int64_t i = 0; i < value_count(value_get(e, "per_item")) && !plain; i++) {
            const struct value *one = value_at(value_get(e, "per_item"), i);
            const char *id = value_text(value_get(one, "id"), NULL);
            same(id, at(item(r, "spice", id), "score", NULL), at(one, "scores", "All", "f", NULL));
        }
        run_close(r);
    }
    value_free(e);
    group("SPICE of tuples", 60);
}

/* ---- sacreBLEU ---- */

static const struct {
    const char *name;
    struct score_opts o;
} settings[] = {
    { "default", { .lowercase = false } },
    { "lc", { .lowercase = true } },
    { "intl", { .bleu_tokenize = "intl" } },
    { "intl-lc", { .bleu_tokenize = "intl", .lowercase = true } },
    { "char", { .bleu_tokenize = "char" } },
    { "none", { .bleu_tokenize = "none" } },
    { "zh", { .bleu_tokenize = "zh" } },
    { "smooth-none", { .smooth = "none" } },
    { "smooth-floor", { .smooth = "floor" } },
    { "smooth-floor-0.5", { .smooth = "floor", .smooth_value = 0.5 } },
    { "smooth-add-k", { .smooth = "add-k" } },
    { "smooth-add-k-2", { .smooth = "add-k", .smooth_value = 2 } },
    { "effective-order", { .effective_order = true } },
    { "order2", { .max_order = 2 } },
};

static void bleu_settings(const struct value *e)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct run *r = run_open("sacrebleu", "sacrebleu/pred.jsonl", "sacrebleu/ref.jsonl");
        struct join_files files = r->q.opts.files;
        char key[64];
        snprintf(key, sizeof key, "%s/2refs", settings[i].name);
        const struct value *want = at(e, "corpus", key, NULL);
        r->q.opts = settings[i].o;
        r->q.opts.files = files;
        run_score(r);
        same(key, at(metric(r, 0), "score", NULL), value_get(want, "score"));
        same(key, at(metric(r, 0), "line", NULL), value_get(want, "printed"));
        same(key, at(metric(r, 0), "signature", NULL), value_get(want, "signature"));
        same(key, at(metric(r, 0), "signature_short", NULL), value_get(want, "signature_short"));
        for (int64_t k = 0; k < value_count(value_get(e, "sentence")) && !i; k++) {
            const struct value *s = value_at(value_get(e, "sentence"), k);
            const char *id = value_text(value_get(s, "id"), NULL);
            same(id, at(item(r, "sacrebleu", id), "score", NULL), value_get(s, "sentence_bleu_eff"));
        }
        run_close(r);
    }
    group("sacreBLEU: settings, signatures, sentences", 120);
}

static void sacrebleu(void)
{
    struct value *e = expected("sacrebleu");
    const struct value *tests = value_get(e, "paired_tests_baseline_vs_pred2");

    bleu_settings(e);
    for (int swaps = 0; swaps < 2; swaps++) {
        struct run *r = run_open("sacrebleu", "sacrebleu/pred.jsonl", "sacrebleu/ref.jsonl");
        const struct value *want = value_get(tests, swaps ? "ar" : "bs"),
                           *other = value_at(value_get(want, "results"), 1);
        r->q.compare = DIR "sacrebleu/pred2.jsonl";
        r->q.swaps = swaps;
        r->q.test = (struct trials){ swaps ? 2000 : 1000, 12345, false };
        r->q.ci = (struct trials){ swaps ? 0 : 1000, 12345, false };
        run_score(r);
        const struct value *got = at(metric(r, 0), "compare", NULL);
        same("score", value_get(got, "score"), value_get(other, "score"));
        same("p", at(got, "p", "score", NULL), value_get(other, "p_value"));
        same("signature", at(metric(r, 0), "signature", NULL), value_get(want, "signature"));
        if (!swaps) {
            same("mean", at(metric(r, 0), "ci", "score", "mean", NULL), at(e, "bootstrap", "mean", NULL));
            same("interval", at(metric(r, 0), "ci", "score", "half_width", NULL), at(e, "bootstrap", "ci", NULL));
            same("other mean", at(got, "ci", "score", "mean", NULL), value_get(other, "mean"));
            same("other interval", at(got, "ci", "score", "half_width", NULL), value_get(other, "ci"));
        }
        run_close(r);
    }
    value_free(e);
    group("sacreBLEU: intervals and paired tests", 10);
}

/* ---- ROUGE ---- */

static const char *const rouges[][2] = { { "rouge1", "ROUGE-1" }, { "rouge2", "ROUGE-2" }, { "rougeL", "ROUGE-L" } },
                         *const parts[][2] = { { "", "F" }, { "_recall", "R" }, { "_precision", "P" } };

static void same_averages(const struct run *r, const struct value *want)
{
    static const char *const bounds[][2] = { { "mean", "mid" }, { "low", "low" }, { "high", "high" } };
    char name[32];

    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%s%s", rouges[i / 3][0], parts[i % 3][0]);
        const struct value *w = at(want, rouges[i / 3][1], parts[i % 3][1], NULL);
        for (int b = 0; b < 3; b++)
            same(name, at(metric(r, 0), "ci", name, bounds[b][0], NULL), value_get(w, bounds[b][1]));
    }
}

static void perl(const char *key, const char *exceptions, bool no_stem)
{
    struct value *e = expected("rouge");
    const struct value *want = at(e, "perl", key, NULL);
    struct run *r = run_open("rouge", "rouge/pred.jsonl", "rouge/ref.jsonl");
    char name[32], id[32];

    r->q.ci = (struct trials){ 1000, 12345, false };
    r->q.opts.exceptions = exceptions;
    r->q.opts.no_stem = no_stem;
    run_score(r);
    same_averages(r, value_get(want, "average"));
    for (int64_t k = 0; k < 70; k++) {
        snprintf(id, sizeof id, "o%03d", (int)k + 1);
        for (int i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "%s%s", rouges[i / 3][0], parts[i % 3][0]);
            const struct value *w = value_at(at(want, "per_item", rouges[i / 3][1], NULL), k);
            same(id, value_get(item(r, "rouge", id), name), value_get(w, parts[i % 3][1]));
        }
    }
    run_close(r);
    value_free(e);
    group(key, 650);
}

static void google(void)
{
    struct value *e = expected("rouge");
    char name[32], id[32];

    for (int plain = 0; plain < 2; plain++) {
        const struct value *want = at(e, "google", plain ? "nostem" : "stem", NULL);
        struct run *r = run_open("rouge-google", "rouge/pred.jsonl", "rouge/ref.jsonl");
        r->q.opts.no_stem = plain;
        r->q.ci = (struct trials){ 1000, 1234, true };
        run_score(r);
        for (struct value_iter it = { 0 }; value_next(value_get(want, "bootstrap_seed1234"), &it);) {
            static const char *const bounds[][2] = { { "mean", "mid" }, { "low", "low" }, { "high", "high" } };
            for (int i = 0; i < 9; i++) { /* precision, recall, F */
                snprintf(name, sizeof name, "%s%s", it.key, parts[(int[]){ 2, 1, 0 }[i % 3]][0]);
                same(name, at(metric(r, 0), "ci", name, bounds[i / 3][0], NULL),
                     value_at(value_get(it.value, bounds[i / 3][1]), i % 3));
            }
        }
        for (struct value_iter it = { 0 }; value_next(value_get(want, "mean"), &it);) {
            for (int i = 0; i < 3; i++) {
                snprintf(name, sizeof name, "%s%s", it.key, parts[i][0]);
                same(name, value_get(metric(r, 0), name), value_get(it.value, parts[i][1]));
            }
        }
        for (int64_t k = 0; k < value_count(value_get(want, "per")); k++) {
            snprintf(id, sizeof id, "o%03d", (int)k + 1);
            for (struct value_iter it = { 0 }; value_next(value_at(value_get(want, "per"), k), &it);)
                same(id, value_get(item(r, "rouge-google", id), it.key), value_at(it.value, 2));
        }
        run_close(r);
    }
    value_free(e);
    group("google's rouge_score", 650);
}

static void summaries(const char *task)
{
    static const char *const exceptions[][2] = { { "empty-exceptions", NULL },
                                                 { "wordnet-2.0-exceptions", "/usr/share/wordnet" } };
    struct value *e = expected(task);
    char pred[64], ref[64];

    snprintf(pred, sizeof pred, "%s/pred.jsonl", task);
    snprintf(ref, sizeof ref, "%s/ref.jsonl", task);
    for (int k = 0; k < 2; k++) {
        struct run *r = run_open("rouge", pred, ref);
        r->q.ci = (struct trials){ 1000, 12345, false };
        r->q.opts.prepare = task;
        r->q.opts.exceptions = exceptions[k][1];
        run_score(r);
        same_averages(r, at(e, "rouge", exceptions[k][0], "average", NULL));
        run_close(r);
    }
    value_free(e);
    group(task, 54);
}

static void questions(void)
{
    static const char *const variants[][2] = { { "qg", "eval_on_unilm_tokenized_ref" }, { "qg-eval", "eval" } };
    struct value *e = expected("qg");

    for (int k = 0; k < 2; k++) {
        const struct value *want = at(e, "variants", variants[k][1], NULL), *groups = value_get(want, "per_group");
        struct run *r = run_open("bleu,rouge-l,meteor", "qg/pred.jsonl", "qg/ref.jsonl");
        r->q.opts.prepare = variants[k][0];
        run_score(r);
        same("n", at(metric(r, 0), "n", NULL), value_get(want, "groups"));
        same("BLEU-4", at(metric(r, 0), "bleu4", NULL), at(want, "Bleu_4", "value", NULL));
        same("ROUGE-L", at(metric(r, 1), "score", NULL), at(want, "ROUGE_L", "value", NULL));
        same("METEOR", at(metric(r, 2), "score", NULL), at(want, "METEOR[exact+stem+synonym]", "value", NULL));
        for (int64_t i = 0; i < value_count(groups); i++) {
            const struct value *g = value_at(groups, i);
            const char *id = value_text(value_get(g, "key"), NULL);
            same(id, at(item(r, "bleu", id), "bleu4", NULL), value_get(g, "Bleu_4"));
            same(id, at(item(r, "rouge-l", id), "score", NULL), value_get(g, "ROUGE_L"));
        }
        run_close(r);
    }
    value_free(e);
    group("question generation", 200);
}

/* ---- rankings and boxes ---- */

static void retrieval(void)
{
    struct value *e = expected("retrieval");
    static const char *const files[] = { "flickr_like_40x5", "one_caption_each_30", "tiny_6x5_below_10", "ties_8x2" },
                             *const ways[] = { "img", "cap" };

    for (int f = 0; f < 4; f++) {
        char pred[64], ref[64], key[32], ours[8];
        snprintf(pred, sizeof pred, "retrieval/%s_scores.jsonl", files[f]);
        snprintf(ref, sizeof ref, "retrieval/%s_map.jsonl", files[f]);
        const struct value *want = f < 3
                                       ? at(e, "files", files[f], NULL)
                                       : at(e, "files_with_ties", files[f], "numpy_1.24.2_small_array_behaviour", NULL);
        struct run *r = run_open("retrieval", pred, ref);
        r->q.opts.ties = "id";
        run_score(r);
        for (int w = 0; w < 2; w++) {
            for (int k = 0; k < 3; k++) {
                int rank = (int[]){ 1, 5, 10 }[k];
                snprintf(key, sizeof key, "%s_recall@%d", ways[w], rank);
                snprintf(ours, sizeof ours, "r%d", rank);
                same(key, value_get(metric(r, w), ours), value_get(want, key));
            }
            snprintf(key, sizeof key, "%s_avg_rank", ways[w]);
            same(key, value_get(metric(r, w), "mean_rank"), value_get(want, key));
            snprintf(key, sizeof key, "avg_%s_recall", ways[w]);
            same(key, value_get(metric(r, w), "mean_recall"), value_get(want, key));
        }
        run_close(r);
    }
    value_free(e);
    group("retrieval, ties by the later id", 40);
}

static void detection(void)
{
    struct value *e = expected("detection");
    struct run *coco = run_open("ap-coco", "detection/det.jsonl", "detection/gt.jsonl"),
               *voc = run_open("ap-voc", "detection/voc_det.jsonl", "detection/voc_gt.jsonl");
    const struct value *names = at(e, "coco", "names", NULL), *stats = at(e, "coco", "stats12", NULL);

    run_score(coco);
    run_score(voc);
    for (int64_t i = 0; i < value_count(names); i++) {
        const char *name = value_text(value_at(names, i), NULL);
        same(name, value_get(metric(coco, 0), name), value_at(stats, i));
    }
    same("VOC 2007", value_get(metric(voc, 0), "mAP_07"), at(e, "voc", "mAP_07", NULL));
    same("VOC", value_get(metric(voc, 0), "mAP"), at(e, "voc", "mAP", NULL));
    for (struct value_iter it = { 0 }; value_next(at(e, "voc", "per_class", NULL), &it);)
        same(it.key, at(metric(voc, 0), "by_category", it.key, "AP", NULL), value_get(it.value, "AP_all_points"));
    run_close(coco);
    run_close(voc);
    value_free(e);
    group("COCO and VOC average precision", 18);
}

int main(void)
{
    glue();
    vqa();
    answers();
    captions();
    meteor();
    spice();
    sacrebleu();
    perl("empty-exceptions | -c 95 -m -r 1000 -n 2 -a", NULL, false);
    perl("empty-exceptions | -c 95 -r 1000 -n 2 -a", NULL, true);
    perl("wordnet-2.0-exceptions | -c 95 -m -r 1000 -n 2 -a", "/usr/share/wordnet", false);
    google();
    summaries("cnndm");
    summaries("gigaword");
    questions();
    retrieval();
    detection();
    return done();
}
