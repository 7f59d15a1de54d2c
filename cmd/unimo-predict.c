/* unimo-predict - apply a model to examples */
#include "compute/profile.h"
#include "core/opt.h"
#include "tasks/downstream.h"
#include <string.h>

static const char *only, *model, *task_name, *output, *device, *precision = "auto", *shard;
static struct opt_list image_files, choices;
static bool plain, skip_bad, profile;
static const char *block_trigrams;
static int64_t rows, beam = -1, n_best, min_length = -1, max_length = -1, max_source = -1, samples, top_k, seed = 1,
                     candidates, threads, limit;
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
    { OPT_INT, "rows", 0, &rows, 0, 1 << 24, "N",
      "rows (tokens and regions) of a packed batch; 0: as suits the device" },
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    OPT_ROW_THREADS(&threads),
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PROFILE(&profile),
    OPT_ROW_PRECISION(&precision),
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

static int predict(struct downstream *d, struct model *m, const char *const *paths, int n, struct err *e)
{
    struct reader_opts ro = { .skip_bad = skip_bad, .limit = limit };

    if (opt_shard(shard, &ro.shard, &ro.shards, e)) return -1;
    struct reader *in = reader_open(paths, n, &ro, e);
    struct writer *out = in ? writer_open(output, &(struct writer_opts){ .plain = plain, .from = in }, e) : NULL;
    int rc = out ? d->kind->predict(d, m, in, out, e) : -1;

    if (rc && out) writer_abort(out);
    else if (out) rc = writer_close(out, e);
    reader_close(in);
    return rc;
}

static int run(int argc, char **argv, struct err *e)
{
    struct model m;
    struct downstream d;
    struct downstream_opts o = {
        .images = { image_files.n, image_files.at },
        .choices = { choices.n, choices.at },
        .vocabulary = model,
        .only = only,
        .candidates = candidates,
        .beam = beam,
        .n_best = n_best,
        .min_length = min_length,
        .max_length = max_length,
        .max_source = max_source,
        .max_target = -1,
        .length_penalty = length_penalty,
        .block_trigrams = block_trigrams ? !strcmp(block_trigrams, "yes") : -1,
        .samples = samples,
        .sample = { .top_k = (int)top_k, .top_p = top_p, .temperature = temperature },
        .seed = (uint64_t)seed,
    };

    if (!model) return opt_usage(e, "--model: is required");
    if (beam == 0 || max_length == 0) return opt_usage(e, "--%s: expected 1 or more", beam ? "max-length" : "beam");
    if (samples && (only || n_best)) return opt_usage(e, "--samples: does not go with --vocab or --n-best");
    if (min_length > max_length && max_length > 0) return opt_usage(e, "--min-length: is larger than --max-length");
    struct device *dv = device_open(device, (int)threads, e);
    if (dv && profile) profile_begin(dv);
    if (!dv || model_open_dir(&m, model, dv, model_precision(precision, dv), false, e)) {
        device_close(dv);
        return -1;
    }
    const struct downstream_kind *kind = find_kind(&m, e);
    if (kind) o.rows = good_rows(kind, dv);
    int rc = kind ? downstream_open(&d, kind, &o, e) : -1;
    if (!rc) {
        d.config = &m.config;
        rc = predict(&d, &m, (const char *const *)argv, argc, e);
        downstream_release(&d);
    }
    model_release(&m);
    profile_print(dv);
    device_close(dv);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-predict", "apply a model to examples", "[FILE]...", opts, run, false, true
    };
    return program_main(&p, argc, argv);
}
