/* unimo-predict - apply a model to examples */
#include "compute/profile.h"
#include "core/file.h"
#include "core/opt.h"
#include "core/str.h"
#include "stream/inputs.h"
#include "tasks/downstream.h"
#include "tasks/explain.h"
#include "tasks/one.h"
#include "tasks/writing.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *only, *model, *task_name, *output, *device, *precision = "auto", *shard, *explain_folder, *picture,
                                                               *detector, *text, *text_pair, *among;
static struct opt_list image_files, choices, turns;
static struct value *others; /* what predictions come from beside the records, for provenance */
static bool plain, skip_bad, profile, append;
static const char *block_trigrams;
static int64_t rows, beam = -1, n_best, min_length = -1, max_length = -1, max_source = -1, samples, top_k, seed = 1,
                     candidates, threads, limit, min_boxes = 10, max_boxes = 100;
static double length_penalty = -1, top_p = 1, temperature = 1;

static const struct opt opts[] = {
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the model" },
    { OPT_STRING, "task", 't', &task_name, 0, 0, "NAME",
      "what to do, one of unimo-tasks(7) (default: what the model was fine-tuned for)" },
    OPT_ROW_OUTPUT(&output),
    { OPT_LIST, "images", 0, &image_files, 0, 0, "FILE",
      "region features of the examples' images; for retrieval: of all images" },
    { OPT_LIST, "choice", 0, &choices, 0, 0, "FIELD",
      "retrieval: predict which of these fields fits the record's own image best" },
    { OPT_INT, "n-best", 0, &n_best, 0, 1000000, "N", "so many texts of the beam, or names of images, best first" },
    { OPT_INT, "candidates", 0, &candidates, 0, 1e9, "N",
      "retrieval: only the N best images by the vectors of texts and images alone go through the joint pass; 0: all" },
    { OPT_STRING, "among", 0, &among, 0, 0, "FILE",
      "retrieval: only the images that another run named for the text (--n-best) go through the joint pass" },
    { OPT_STRING, "explain", 0, &explain_folder, 0, 0, "DIR",
      "draw what each word looked at, a JPEG for each record, and say it in the record" },
    { OPT_INT, "rows", 0, &rows, 0, 1 << 24, "N",
      "rows (tokens and regions) of a packed batch; 0: as suits the device" },
    { OPT_FLAG, "append", 0, &append, 0, 0, NULL, "go on with what an interrupted run left, or add to FILE" },
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    OPT_ROW_THREADS(&threads),
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PROFILE(&profile),
    OPT_ROW_PRECISION(&precision),
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "one record, instead of FILE" },
    { OPT_STRING, "image", 0, &picture, 0, 0, "JPEG", "a picture" },
    { OPT_STRING, "text", 0, &text, 0, 0, "TEXT", "its text: what the task's records have" },
    { OPT_STRING, "text-pair", 0, &text_pair, 0, 0, "TEXT", "its second text" },
    { OPT_LIST, "turn", 0, &turns, 0, 0, "TEXT", "coqa: what was said so far, the question last" },
    { OPT_STRING, "detector", 0, &detector, 0, 0, "DIR", "what finds the regions (default: the small one of unimo)" },
    { OPT_INT, "min-boxes", 0, &min_boxes, 0, 10000, "N", "regions at least" },
    { OPT_INT, "max-boxes", 0, &max_boxes, 1, 10000, "N", "regions at most" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "tasks that write (-1: as the model was fine-tuned)" },
    { OPT_INT, "beam", 0, &beam, -1, 64, "N", "width of the beam; 1: greedy" },
    { OPT_INT, "min-length", 0, &min_length, -1, 1000, "N", "tokens at least" },
    { OPT_INT, "max-length", 0, &max_length, -1, 1000, "N", "tokens at most" },
    { OPT_INT, "max-source", 0, &max_source, -1, 65533, "N", "tokens of the source, specials included" },
    { OPT_DOUBLE, "length-penalty", 0, &length_penalty, -1, 10, "A", "exponent of the length penalty" },
    { OPT_CHOICE, "block-trigrams", 0, &block_trigrams, 0, 0, "no|yes", "no three words twice" },
    { OPT_STRING, "vocab", 0, &only, 0, 0, "FILE", "write nothing but one of the texts in FILE, one a line" },
    { OPT_INT, "samples", 0, &samples, 0, 64, "N", "draw N texts instead of searching for the best; 0: search" },
    { OPT_INT, "top-k", 0, &top_k, 0, 1 << 24, "N", "samples: from the N likeliest tokens; 0: all" },
    { OPT_DOUBLE, "top-p", 0, &top_p, 1e-6, 1, "P", "samples: from the likeliest tokens that hold this probability" },
    { OPT_DOUBLE, "temperature", 0, &temperature, 1e-3, 1e3, "T", "samples: above 1 more varied, below 1 less" },
    OPT_ROW_SEED(&seed),
    { 0 },
};

static const struct downstream_kind *find_kind(const struct model *m, struct err *e)
{
    const char *own = m->config.task;

    if (!task_name && !*own) {
        opt_usage(e, "--task: the model was not fine-tuned for one");
        return NULL;
    }
    const struct downstream_kind *kind = downstream_find(task_name ? task_name : own, e);
    if (!kind) return NULL;
    bool is_fit = kind->fits_any_model || !strcmp(kind->name, own) ||
                  (kind == retrieval_tasks && (m->match.w >= 0 || m->config.cosine));
    if (is_fit) return kind;
    opt_usage(e, "--task: the model has no head for %s", kind->name);
    return NULL;
}

/* A processor is fastest while a batch stays in its cache, but writing reads all weights for every token. */
static int64_t good_rows(const struct downstream_kind *kind, const struct device *dv)
{
    bool is_cached = !strcmp(dv->ops->name, "cpu") && !kind->writes_text;

    return rows ? rows : is_cached ? 1024 : 8192;
}

/* What was asked for and would not be done. */
static int check_task(const struct downstream_kind *kind, struct err *e)
{
    static const char *const ranking[] = { "choice", "candidates", "among", NULL };
    static const char *const writing[] = { "beam",           "min-length", "max-length", "max-source", "length-penalty",
                                           "block-trigrams", "vocab",      "samples",    NULL };
    static const char *const listing[] = { "n-best", NULL }, *const talking[] = { "turn", NULL };
    bool ranks = kind == retrieval_tasks;
    char why[128];

    snprintf(why, sizeof why, "means nothing to %s", kind->name);
    return (!ranks && opt_refuse(ranking, why, e)) || (!kind->writes_text && opt_refuse(writing, why, e)) ||
                   (!ranks && !kind->writes_text && opt_refuse(listing, why, e)) ||
                   (!kind->is_dialog && opt_refuse(talking, why, e))
               ? -1
               : 0;
}

static bool is_one(void)
{
    return picture || text || turns.n;
}

static int predict_all(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    return d->kind->predict(d, m, in, out, e) || reader_used_some(in, e) ? -1 : 0;
}

/* Predictions go through a file without a name when they are to be explained. */
static int predict_explained(struct downstream *d, struct model *m, struct reader *in, const struct explain_from *from,
                             struct writer *out, struct err *e)
{
    const struct writer_opts how = { .level = 1, .repeats = true };
    struct nameless predicted;

    if (explain_spares(d, from, explain_folder, e)) return -1;
    struct writer *w = writer_open_nameless(&predicted, &how, e);
    int rc = writer_end(w, w ? predict_all(d, m, in, w, e) : -1, e);
    if (!rc) rc = explain(d, m, from, predicted.path, explain_folder, out, e);
    nameless_close(&predicted);
    return rc;
}

static bool is_plain(void)
{
    return plain || (is_one() && !output);
}

static int add_others(struct value *list, struct err *e)
{
    char *config = path_join(model, "config.json"), *weights = path_join(model, "model.safetensors");
    int rc = inputs_add_file(list, config, e) || inputs_add_file(list, weights, e) ? -1 : 0;

    for (int i = 0; i < image_files.n && !rc; i++) rc = inputs_add_stream(list, image_files.at[i], e);
    if (!rc && among) rc = inputs_add_file(list, among, e);
    if (!rc && only) rc = inputs_add_file(list, only, e);
    free(config);
    free(weights);
    return rc;
}

static bool is_written(const void *writer, const char *id)
{
    return writer_has(writer, id);
}

static int predict(struct downstream *d, struct model *m, const char *const *paths, int n, struct err *e)
{
    struct reader_opts ro = { .skip_bad = skip_bad, .needs_id = true, .limit = limit };
    struct writer_opts wo = { .plain = is_plain(), .append = append, .others = others };

    if (opt_shard(shard, &ro.shard, &ro.shards, e) || out_spares(output, image_files.at, image_files.n, e) ||
        out_spares(output, (const char *const[]){ among, only, picture }, 3, e))
        return -1;
    struct reader *in = reader_open(paths, n, &ro, e);
    wo.from = in;
    struct writer *out = in ? writer_open(output, &wo, e) : NULL;
    if (out && append) reader_leave_out(in, is_written, out);
    struct explain_from from = { paths, n, ro };
    from.how.is_again = true;
    if (skip_bad) from.how.limit = 0; /* which records do not count is found out by predicting */
    int rc = !out ? -1 : explain_folder ? predict_explained(d, m, in, &from, out, e) : predict_all(d, m, in, out, e);

    rc = writer_end(out, rc, e);
    reader_close(in);
    return rc;
}

static int check_usage(int argc, char **argv, struct err *e)
{
    static const char *const sampling[] = { "top-k", "top-p", "temperature", "seed", NULL };
    static const char *const detecting[] = { "detector", "min-boxes", "max-boxes", NULL };
    static const char *const beside_choice[] = { "n-best", "candidates", "among", "explain", NULL };

    if (!model) return opt_usage(e, "--model: is required");
    if (max_source >= 0 && max_source < WRITING_LEAST_SOURCE)
        return opt_usage(e, "--max-source: expected %d or more", WRITING_LEAST_SOURCE);
    if (beam == 0 || max_length == 0) return opt_usage(e, "--%s: expected 1 or more", beam ? "max-length" : "beam");
    if (samples && (only || n_best)) return opt_usage(e, "--samples: does not go with --vocab or --n-best");
    if (min_length > max_length && max_length > 0) return opt_usage(e, "--min-length: is larger than --max-length");
    if (text_pair && !text) return opt_usage(e, "--text-pair: goes with --text");
    if (is_one() && argc) return opt_usage(e, "%s: one record is on the command line already", err_quote(argv[0]));
    if (choices.n && opt_refuse(beside_choice, "does not go with --choice", e)) return -1;
    if (among && candidates) return opt_usage(e, "--among: does not go with --candidates");
    if (picture && image_files.n) return opt_usage(e, "--image: does not go with --images");
    if (!samples && opt_refuse(sampling, "goes with --samples", e)) return -1;
    if (!picture && opt_refuse(detecting, "goes with --image", e)) return -1;
    if (min_boxes > max_boxes) return opt_usage(e, "--min-boxes: is larger than --max-boxes");
    if (append && (!output || !strcmp(output, "-") || plain || explain_folder))
        return opt_usage(e, "--append: needs a file (--output), and neither --plain nor --explain");
    bool is_piped = !argc && !is_one();
    for (int i = 0; i < argc; i++) is_piped = is_piped || !strcmp(argv[i], "-");
    if (explain_folder && is_piped) return opt_usage(e, "--explain: reads its input twice, and so from a FILE");
    return 0;
}

/* The streams to read: FILE..., or those of one record. */
static int run_on(struct downstream_opts *o, struct model *m, const struct downstream_kind *kind,
                  const char *const *paths, int n, struct err *e)
{
    struct downstream d;

    if (explain_folder && !kind->show)
        return opt_usage(e, "--explain: %s looks at texts and images one by one", kind->name);
    if (downstream_open(&d, kind, o, e)) return -1;
    int rc = downstream_use(&d, &m->config, e) ? -1 : predict(&d, m, paths, n, e);
    downstream_release(&d);
    return rc;
}

/* A record of the command line says by its options what it lacks: it is in no file that could be named. */
static int check_one(const struct downstream_kind *kind, struct err *e)
{
    bool has_picture = picture || (kind == retrieval_tasks && image_files.n);

    if (!text && !kind->predicts_from_images) return opt_usage(e, "--text: is required for %s", kind->name);
    if (kind->uses_images && !has_picture && (!kind->predicts_from_images || kind->writes_text))
        return opt_usage(e, "--image: is required for %s", kind->name);
    return 0;
}

static int run_one(struct downstream_opts *o, struct model *m, const struct downstream_kind *kind, struct err *e)
{
    struct one_opts from = { .image = picture,
                             .detector = detector,
                             .min_boxes = (int)min_boxes,
                             .max_boxes = (int)max_boxes,
                             .text = text,
                             .text_pair = text_pair,
                             .turns = { turns.n, turns.at },
                             .vocabulary = model };
    struct one x;

    if (check_one(kind, e)) return -1;
    if (one_open(&x, &from, m->device, m->params.compute, e)) return -1;
    const char *images = x.images.path, *input = x.input.path;
    if (picture) o->images = (struct file_list){ 1, &images };
    if (kind == retrieval_tasks && !o->n_best) o->n_best = 10;
    int rc = run_on(o, m, kind, &input, 1, e);
    one_close(&x);
    return rc;
}

static int predict_with(struct device *dv, const char *const *paths, int n, struct err *e)
{
    struct model m;
    struct downstream_opts o = {
        .images = { image_files.n, image_files.at },
        .choices = { choices.n, choices.at },
        .vocabulary = model,
        .only = only,
        .candidates = candidates,
        .among = among,
        .beam = beam,
        .n_best = n_best,
        .min_length = min_length,
        .max_length = max_length,
        .max_source = max_source,
        .max_target = -1,
        .length_penalty = length_penalty,
        .tag_score = -1,
        .block_trigrams = block_trigrams ? !strcmp(block_trigrams, "yes") : -1,
        .samples = samples,
        .sample = { .top_k = (int)top_k, .top_p = top_p, .temperature = temperature },
        .seed = (uint64_t)seed,
    };

    if (model_open_dir(&m, model, dv, model_precision(precision, dv), false, e)) return -1;
    const struct downstream_kind *kind = find_kind(&m, e);
    if (kind && check_task(kind, e)) kind = NULL;
    if (kind) o.rows = good_rows(kind, dv);
    int rc = !kind ? -1 : is_one() ? run_one(&o, &m, kind, e) : run_on(&o, &m, kind, paths, n, e);
    model_release(&m);
    profile_print(dv);
    return rc;
}

static int run(int argc, char **argv, struct err *e)
{
    if (check_usage(argc, argv, e)) return -1;
    others = value_array();
    /* before the model is read ahead: pieces of it would have to wait until that is done */
    struct device *dv = is_plain() || !add_others(others, e) ? device_open(device, (int)threads, e) : NULL;
    if (dv && profile) profile_begin(dv);
    int rc = dv ? predict_with(dv, (const char *const *)argv, argc, e) : -1;
    device_close(dv);
    value_free(others);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-predict", "apply a model to examples", "-m DIR [FILE]...", opts, run, false, true
    };
    return program_main(&p, argc, argv);
}
