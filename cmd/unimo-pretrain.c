/* unimo-pretrain - train a model on texts, images and pairs together */
#include "compute/profile.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/opt.h"
#include "model/vocabulary.h"
#include "tasks/pretraining.h"
#include "train/checkpoint.h"
#include "train/trainer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct opt_list pairs, images, texts, features, dev_pairs, dev_images, dev_texts;
static const char *output, *config = "small", *init, *vocabulary, *mix = "1:1:1", *masking = "one",
                           *generation = "fragments", *score = "product", *contrast = "each";
static const char *schedule = "linear", *device, *precision = "auto", *log_path;
static bool resume, dry_run, recompute, shard_optimizer, learn_temperature, profile;
static int64_t steps = 10000, warmup = -1, rows = 4096, accumulate = 1, save_every = 1000, keep = 2, log_every = 10,
               threads, loaders, eval_every, seed = 1;
static int64_t cmcl_positives = 2, cmcl_negatives = 20, cmcl_texts = 5, cmcl_images = 5;
static double lr = 5e-5, beta1 = 0.9, beta2 = 0.98, epsilon = 1e-6, weight_decay = 0.01, clip = 1, dropout = 0.1,
              average;
static double mlm = 1, seq2seq = 1, mrc = 1, mrfr = 1, cmcl = 1, seq2seq_share = 0.5, cmcl_share = 1, mask_ratio = 0.15,
              region_ratio = 0.15, overlap = 0.3, tau = 1;

static const struct opt opts[] = {
    { OPT_STRING, "output", 'o', &output, 0, 0, "DIR", "directory of the model and of its checkpoints" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "data" },
    { OPT_LIST, "pairs", 0, &pairs, 0, 0, "FILE", "texts with images: a tokenized stream" },
    { OPT_LIST, "features", 0, &features, 0, 0, "FILE", "regions of the pairs' images" },
    { OPT_LIST, "images", 0, &images, 0, 0, "FILE", "images without texts: a stream of regions" },
    { OPT_LIST, "texts", 0, &texts, 0, 0, "FILE", "texts without images: a tokenized stream" },
    { OPT_LIST, "dev-pairs", 0, &dev_pairs, 0, 0, "FILE", "held-out pairs: their losses are measured" },
    { OPT_LIST, "dev-images", 0, &dev_images, 0, 0, "FILE", "held-out images" },
    { OPT_LIST, "dev-texts", 0, &dev_texts, 0, 0, "FILE", "held-out texts" },
    { OPT_STRING, "mix", 0, &mix, 0, 0, "P:I:T", "shares of pairs, images and texts in the examples" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "model" },
    { OPT_STRING, "config", 0, &config, 0, 0, "NAME", "base, large, small or tiny, or a config.json" },
    { OPT_STRING, "init", 0, &init, 0, 0, "DIR", "begin with the parameters of this model, ours or a RoBERTa" },
    { OPT_STRING, "vocab", 0, &vocabulary, 0, 0, "DIR", "vocabulary of unimo-tokenize (default: that of --init)" },
    { OPT_DOUBLE, "dropout", 0, &dropout, 0, 0.9, "P", "dropout of hidden states and attention" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "objectives" },
    { OPT_DOUBLE, "mlm", 0, &mlm, 0, 1000, "W", "weight of masked language modelling; 0: off" },
    { OPT_DOUBLE, "seq2seq", 0, &seq2seq, 0, 1000, "W", "weight of generation" },
    { OPT_DOUBLE, "mrc", 0, &mrc, 0, 1000, "W", "weight of masked region classification" },
    { OPT_DOUBLE, "mrfr", 0, &mrfr, 0, 1000, "W", "weight of masked region feature regression" },
    { OPT_DOUBLE, "cmcl", 0, &cmcl, 0, 1000, "W", "weight of cross-modal contrastive learning" },
    { OPT_DOUBLE, "seq2seq-share", 0, &seq2seq_share, 0, 1, "P",
      "share of texts that are generated instead of masked" },
    { OPT_DOUBLE, "mask-ratio", 0, &mask_ratio, 0, 1, "P", "share of tokens that are masked" },
    { OPT_CHOICE, "generation", 0, &generation, 0, 0, "fragments|pieces", "how texts are cut for generation" },
    { OPT_DOUBLE, "region-ratio", 0, &region_ratio, 0, 1, "P", "share of regions that are masked" },
    { OPT_DOUBLE, "overlap", 0, &overlap, 0, 1, "IOU", "regions that overlap a masked one more are masked too" },
    { OPT_CHOICE, "masking", 0, &masking, 0, 0, "one|both", "text or regions of a pair in a pass, or both" },
    { OPT_DOUBLE, "cmcl-share", 0, &cmcl_share, 0, 1, "P", "share of pairs that get a contrastive group" },
    { OPT_INT, "cmcl-positives", 0, &cmcl_positives, 0, 1000, "N", "rewritten positives in a group" },
    { OPT_INT, "cmcl-negatives", 0, &cmcl_negatives, 1, 1000, "N", "rewritten negatives in a group" },
    { OPT_INT, "cmcl-texts", 0, &cmcl_texts, 0, 1000, "N", "retrieved texts in a group" },
    { OPT_INT, "cmcl-images", 0, &cmcl_images, 0, 1000, "N", "retrieved images in a group" },
    { OPT_CHOICE, "contrast", 0, &contrast, 0, 0, "each|sum",
      "positives one by one against the negatives, or their sum" },
    { OPT_CHOICE, "score", 0, &score, 0, 0, "product|cosine", "score of a pair" },
    { OPT_DOUBLE, "temperature", 0, &tau, 0.001, 1000, "T", "scores are divided by it" },
    { OPT_FLAG, "learn-temperature", 0, &learn_temperature, 0, 0, NULL,
      "which is only where it begins, and is learnt" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "optimization" },
    { OPT_INT, "steps", 0, &steps, 1, 1e12, "N", "optimizer steps" },
    { OPT_INT, "warmup", 0, &warmup, -1, 1e12, "N", "steps of warm-up (-1: 6 % of all)" },
    { OPT_CHOICE, "schedule", 0, &schedule, 0, 0, "linear|cosine|constant", "decay of the learning rate" },
    { OPT_DOUBLE, "lr", 0, &lr, 0, 10, "R", "largest learning rate" },
    { OPT_DOUBLE, "beta1", 0, &beta1, 0, 0.999999, "B", "of AdamW" },
    { OPT_DOUBLE, "beta2", 0, &beta2, 0, 0.999999, "B", "of AdamW" },
    { OPT_DOUBLE, "epsilon", 0, &epsilon, 1e-12, 1, "E", "of AdamW" },
    { OPT_DOUBLE, "weight-decay", 0, &weight_decay, 0, 1, "R", "weight decay" },
    { OPT_DOUBLE, "clip", 0, &clip, 0, 1e9, "N", "largest norm of the gradient; 0: any" },
    { OPT_INT, "rows", 0, &rows, 1, 1 << 24, "N", "rows (tokens and regions) of a packed batch" },
    { OPT_INT, "accumulate", 0, &accumulate, 1, 1024, "N", "batches of a step" },
    OPT_ROW_SEED(&seed),
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "running" },
    { OPT_FLAG, "resume", 0, &resume, 0, 0, NULL, "go on from the newest checkpoint in the output directory" },
    { OPT_DOUBLE, "average", 0, &average, 0, 0.999999, "D",
      "decay of a moving average of the parameters, which becomes the model" },
    { OPT_FLAG, "recompute", 0, &recompute, 0, 0, NULL, "keep fewer activations and compute them again: less memory" },
    { OPT_FLAG, "shard-optimizer", 0, &shard_optimizer, 0, 0, NULL, "divide the optimizer's state among the ranks" },
    { OPT_INT, "save-every", 0, &save_every, 0, 1e12, "N", "steps between checkpoints; 0: only at the end" },
    { OPT_INT, "keep", 0, &keep, 1, 1e6, "N", "checkpoints that are kept" },
    { OPT_STRING, "log", 0, &log_path, 0, 0, "FILE", "losses and speed as JSON Lines" },
    { OPT_INT, "eval-every", 0, &eval_every, 0, 1e12, "N",
      "steps between measurements on held-out data (0: at the end)" },
    { OPT_INT, "log-every", 0, &log_every, 1, 1e12, "N", "steps between lines of the log" },
    { OPT_FLAG, "dry-run", 0, &dry_run, 0, 0, NULL, "only print sizes, rows, times and epochs" },
    OPT_ROW_THREADS(&threads),
    { OPT_INT, "loaders", 0, &loaders, 0, 256, "N", "threads that read and mask examples (0: one, more beside a GPU)" },
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PROFILE(&profile),
    OPT_ROW_PRECISION(&precision),
    { 0 },
};

static int base_config(struct model_config *c, struct err *e)
{
    if (init && !opt_given("config")) {
        char *path = path_join(init, "config.json");
        int rc = model_config_named(c, "base", e) ? -1 : model_config_load(c, path, e);
        free(path);
        return rc;
    }
    if (!strchr(config, '/') && !str_ends(config, ".json"))
        return model_config_named(c, config, e) ? err_in(e, "--config") : 0;
    return model_config_named(c, "base", e) ? -1 : model_config_load(c, config, e);
}

static int parse_mix(double share[PRETRAINING_COLLECTIONS], struct err *e)
{
    char *copy = mem_strdup(mix), *part = copy;
    bool good = true;

    for (int i = 0; i < PRETRAINING_COLLECTIONS && good; i++) {
        char *end = strchr(part, ':');
        good = i < PRETRAINING_COLLECTIONS - 1 ? end != NULL : end == NULL;
        if (end) *end = 0;
        good = good && str_to_double(part, 0, 1e6, &share[i]);
        if (end) part = end + 1;
    }
    free(copy);
    return good ? 0 : opt_usage(e, "--mix: %s (expected three numbers like 2:1:1)", err_quote(mix));
}

/* Opens the data and completes the configuration by what is in it. */
static struct pretraining *open_data(struct task *t, struct model_config *c, struct err *e)
{
    struct pretraining_opts po = {
        .files = { { pairs.n, pairs.at }, { images.n, images.at }, { texts.n, texts.at } },
        .dev = { { dev_pairs.n, dev_pairs.at }, { dev_images.n, dev_images.at }, { dev_texts.n, dev_texts.at } },
        .rows = rows,
        .features = { features.n, features.at },
        .weight = { [LOSS_MLM] = (float)mlm,
                    [LOSS_SEQ2SEQ] = (float)seq2seq,
                    [LOSS_MRC] = (float)mrc,
                    [LOSS_MRFR] = (float)mrfr,
                    [LOSS_CMCL] = (float)cmcl },
        .seq2seq_share = seq2seq_share,
        .mask_both = !strcmp(masking, "both"),
        .cmcl_share = cmcl_share,
        .mlm = mlm_defaults,
        .seq2seq = seq2seq_defaults,
        .visual = { region_ratio, overlap },
        .cmcl = { (int)cmcl_positives, (int)cmcl_negatives, (int)cmcl_texts, (int)cmcl_images,
                  !strcmp(contrast, "each") },
    };

    po.mlm.ratio = mask_ratio;
    po.seq2seq.two_granularities = !strcmp(generation, "pieces");
    if (parse_mix(po.share, e)) return NULL;
    return pretraining_open(t, &po, c, e);
}

static int make_config(struct model_config *c, struct err *e)
{
    if (base_config(c, e) || vocabulary_read(c, vocabulary, e)) return -1;
    model_config_forget_task(c);
    c->has_region_heads = mrc > 0 || mrfr > 0;
    c->has_match_head = true;
    c->cosine = !strcmp(score, "cosine");
    c->tau = (float)tau;
    c->learns_tau = learn_temperature;
    c->dropout = c->attention_dropout = (float)dropout;
    return 0;
}

static int train(struct model *m, const struct task *t, struct comm *comm, struct err *e)
{
    struct train_opts to = {
        .comm = comm,
        .output = output,
        .vocabulary = vocabulary,
        .resume = resume,
        .schedule = { schedule_named(schedule), warmup < 0 ? steps * 6 / 100 : warmup, steps },
        .lr = lr,
        .beta1 = beta1,
        .beta2 = beta2,
        .eps = epsilon,
        .weight_decay = weight_decay,
        .clip = clip,
        .rows = rows,
        .accumulate = accumulate,
        .seed = (uint64_t)seed,
        .save_every = save_every,
        .keep = keep,
        .log_every = log_every,
        .loaders = loaders,
        .eval_every = eval_every ? eval_every : steps,
        .average = average,
        .recompute = recompute,
        .share_optimizer = shard_optimizer,
        .log = log_path,
    };

    return dry_run ? train_plan(m, t, &to, e) : train_run(m, t, &to, e);
}

static int begin(struct model *m, struct err *e)
{
    struct params_report report = { 0 };

    params_init(&m->params, (uint64_t)seed);
    if (!init) return 0;
    int rc = model_load_init(m, init, &report, e);
    if (!rc && comm_speaks())
        fprintf(stderr, "%s%d matched, %d missing, %d unexpected\n", str_c(&report.text), report.matched,
                report.missing, report.unexpected);
    str_release(&report.text);
    return rc;
}

/* The model to begin with stays as it is, and no log takes the place of data. */
static int check_outputs(struct err *e)
{
    const struct opt_list *data[] = { &pairs, &features, &images, &texts, &dev_pairs, &dev_images, &dev_texts };

    if (output && checkpoint_spares(output, init, e)) return -1;
    for (int i = 0; i < 7 && log_path; i++) {
        if (out_spares(log_path, data[i]->at, data[i]->n, e)) return -1;
    }
    return 0;
}

/* Whether an objective that has a weight can be learnt from one of the collections. */
static bool has_objective(void)
{
    bool reads = mlm > 0 || seq2seq > 0, sees = mrc > 0 || mrfr > 0;

    return (pairs.n && (reads || sees || cmcl > 0)) || (images.n && sees) || (texts.n && reads);
}

static int check_usage(int argc, char **argv, struct err *e)
{
    static const char *const measuring[] = { "eval-every", NULL };

    if (argc)
        return opt_usage(e, "%s: no operand was expected (data goes with --pairs, --images, --texts)",
                         err_quote(argv[0]));
    if (!output && !dry_run) return opt_usage(e, "--output: is required");
    if (!vocabulary) vocabulary = init;
    if (!vocabulary) return opt_usage(e, "--vocab: is required without --init");
    if (!pairs.n && !images.n && !texts.n)
        return opt_usage(e, "--pairs, --images or --texts: at least one is required");
    if (!dev_pairs.n && !dev_images.n && !dev_texts.n && opt_refuse(measuring, "goes with --dev-*", e)) return -1;
    if (!has_objective())
        return opt_usage(e,
                         "--mlm, --seq2seq, --mrc, --mrfr, --cmcl: all that these collections teach have the weight 0");
    return check_outputs(e);
}

static int learn(struct comm *comm, struct err *e)
{
    struct model_config c = { 0 };
    struct model m;
    struct task t;
    struct device *d;

    if (!(d = device_open(device, (int)threads, e))) return -1;
    if (profile) profile_begin(d);
    struct pretraining *p = make_config(&c, e) ? NULL : open_data(&t, &c, e);
    int rc = p ? pretraining_complete(p, &c, e) : -1;
    if (!rc) rc = model_open(&m, &c, d, model_precision(precision, d), true, e);
    if (!rc) {
        rc = begin(&m, e);
        if (!rc) rc = train(&m, &t, comm, e);
        model_release(&m);
    }
    pretraining_close(p);
    model_config_release(&c);
    comm_print_profile(comm, d, e);
    device_close(d);
    return rc;
}

static int run(int argc, char **argv, struct err *e)
{
    struct comm *comm;

    if (check_usage(argc, argv, e) || comm_open(&comm, e)) return -1;
    int rc = learn(comm, e);
    comm_close(comm, e);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-pretrain",
                                      "train a model on texts, images and pairs together",
                                      "--vocab DIR -o DIR",
                                      opts,
                                      run,
                                      true,
                                      true,
                                      comm_settle };
    return program_main(&p, argc, argv);
}
