/* unimo-predict - apply a model to examples */
#include "core/opt.h"
#include "tasks/downstream.h"
#include <string.h>

static const char *model, *task_name, *output, *device, *precision = "auto", *shard;
static struct opt_list image_files, choices;
static bool plain, skip_bad, block_trigrams;
static int64_t rows = 8192, beam = 5, min_length = 5, max_length = 50, threads, limit;
static double length_penalty = 0.6;

static const struct opt opts[] = {
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the model" },
    { OPT_STRING, "task", 't', &task_name, 0, 0, "NAME",
      "retrieval, captioning, entailment or classification (default: the model's)" },
    OPT_ROW_OUTPUT(&output),
    { OPT_LIST, "images", 0, &image_files, 0, 0, "FILE",
      "region features of the examples' images; for retrieval: of all images" },
    { OPT_LIST, "choice", 0, &choices, 0, 0, "FIELD",
      "retrieval: predict which of these fields fits the record's own image best" },
    { OPT_INT, "beam", 0, &beam, 1, 64, "N", "captioning: width of the beam; 1: greedy" },
    { OPT_INT, "min-length", 0, &min_length, 0, 1000, "N", "captioning: tokens at least" },
    { OPT_INT, "max-length", 0, &max_length, 1, 1000, "N", "captioning: tokens at most" },
    { OPT_DOUBLE, "length-penalty", 0, &length_penalty, 0, 10, "A", "captioning: exponent of the length penalty" },
    { OPT_FLAG, "block-trigrams", 0, &block_trigrams, 0, 0, NULL, "captioning: no trigram of tokens twice" },
    { OPT_INT, "rows", 0, &rows, 1, 1 << 24, "N", "rows (tokens and regions) of a packed batch" },
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    OPT_ROW_THREADS(&threads),
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PRECISION(&precision),
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
    bool is_fit = kind == &captioning_task || !strcmp(kind->name, own) ||
                  (kind == &retrieval_task && (m->match.w >= 0 || m->config.cosine));
    if (is_fit) return kind;
    opt_usage(e, "--task: the model has no head for %s", kind->name);
    return NULL;
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
        .rows = rows,
        .decode = { (int)beam, (int)min_length, (int)max_length, (float)length_penalty, block_trigrams },
    };

    if (!model) return opt_usage(e, "--model: is required");
    if (min_length > max_length) return opt_usage(e, "--min-length: is larger than --max-length");
    struct device *dv = device_open(device, (int)threads, e);
    if (!dv || model_open_dir(&m, model, dv, model_precision(precision, dv), false, e)) {
        device_close(dv);
        return -1;
    }
    const struct downstream_kind *kind = find_kind(&m, e);
    int rc = kind ? downstream_open(&d, kind, &o, e) : -1;
    if (!rc) {
        d.config = &m.config;
        rc = predict(&d, &m, (const char *const *)argv, argc, e);
        downstream_release(&d);
    }
    model_release(&m);
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
