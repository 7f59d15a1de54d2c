/* unimo-finetune - adapt a pre-trained model to a task */
#include "compute/profile.h"
#include "core/file.h"
#include "core/opt.h"
#include "core/str.h"
#include "model/adversarial.h"
#include "model/rates.h"
#include "tasks/downstream.h"
#include "tasks/writing.h"
#include "train/checkpoint.h"
#include "train/trainer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *hard_file, *task_name, *model, *output, *schedule, *device, *precision = "auto", *log_path;
static struct opt_list train_files, dev_files, image_files;
static bool resume, dry_run, recompute, profile;
static int64_t steps, rows = 4096, accumulate = 1, save_every = 1000, keep = 1, log_every = 10, eval_every = -1,
                      eval_limit, threads, loaders, seed = 1;
static int64_t negatives = 10, beam = -1, min_length = -1, max_length = -1, max_source = -1, max_target = -1,
               min_answers = 9, candidates, freeze, patience;
static double epochs = -1, lr = -1, warmup = -1, beta2 = -1, weight_decay = -1, clip = 1, dropout = 0.1,
              length_penalty = -1, smoothing = -1, margin = -1, tag_score = -1;
static bool adversarial;
static int64_t adv_steps = -1;
static double adv_lr = -1, adv_norm = -1, adv_kl = 1;
static double gamma_scale = -1, layer_decay = 1, head_lr = 1, hard = 0.5;

static const struct opt opts[] = {
    { OPT_STRING, "task", 't', &task_name, 0, 0, "NAME", "the task, one of unimo-tasks(7)" },
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the model to begin with" },
    { OPT_STRING, "output", 'o', &output, 0, 0, "DIR", "directory of the new model and of its checkpoints" },
    { OPT_LIST, "train", 0, &train_files, 0, 0, "FILE", "training examples: a tokenized stream" },
    { OPT_LIST, "dev", 0, &dev_files, 0, 0, "FILE", "held-out examples: the model that does best on them is kept" },
    { OPT_LIST, "images", 0, &image_files, 0, 0, "FILE", "region features of the examples' images" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "optimization (-1: what the paper used for the task)" },
    { OPT_DOUBLE, "epochs", 0, &epochs, -1, 1e6, "N", "passes over the training examples" },
    { OPT_INT, "steps", 0, &steps, 0, 1e12, "N", "optimizer steps instead of epochs" },
    { OPT_DOUBLE, "lr", 0, &lr, -1, 10, "R", "largest learning rate" },
    { OPT_DOUBLE, "warmup", 0, &warmup, -1, 1, "P", "share of the steps for warm-up" },
    { OPT_CHOICE, "schedule", 0, &schedule, 0, 0, "linear|cosine|constant|steps",
      "decay of the learning rate (default: the task's)" },
    { OPT_DOUBLE, "beta2", 0, &beta2, -1, 0.999999, "B", "of AdamW" },
    { OPT_DOUBLE, "weight-decay", 0, &weight_decay, -1, 1, "R", "weight decay" },
    { OPT_DOUBLE, "layer-decay", 0, &layer_decay, 0, 1, "R", "learning rate of a layer as a share of the next one's" },
    { OPT_DOUBLE, "head-lr", 0, &head_lr, 0, 1000, "R", "learning rate of the heads as a multiple of the others'" },
    { OPT_INT, "freeze", 0, &freeze, 0, 256, "N",
      "leave the embeddings and the first N layers as they are; 0: nothing" },
    { OPT_DOUBLE, "clip", 0, &clip, 0, 1e9, "N", "largest norm of the gradient; 0: any" },
    { OPT_DOUBLE, "dropout", 0, &dropout, 0, 0.9, "P", "dropout of hidden states and attention" },
    { OPT_INT, "rows", 0, &rows, 1, 1 << 24, "N", "rows (tokens and regions) of a packed batch" },
    { OPT_INT, "accumulate", 0, &accumulate, 1, 1024, "N", "batches of a step" },
    OPT_ROW_SEED(&seed),
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "tasks" },
    { OPT_INT, "negatives", 0, &negatives, 1, 1000, "N", "retrieval: other images, and other texts, of an example" },
    { OPT_DOUBLE, "margin", 0, &margin, -1, 10, "M", "retrieval: margin of the circle loss (-1: 0.2)" },
    { OPT_DOUBLE, "gamma", 0, &gamma_scale, -1, 1000, "G", "retrieval: scale of the circle loss (-1: 1)" },
    { OPT_STRING, "hard", 0, &hard_file, 0, 0, "FILE", "retrieval: what unimo-predict --n-best found for the texts" },
    { OPT_DOUBLE, "hard-share", 0, &hard, 0, 1, "P", "retrieval: share of the negatives that come from --hard" },
    { OPT_INT, "candidates", 0, &candidates, 0, 1e9, "N",
      "retrieval: held-out pairs are scored in two stages; 0: all" },
    { OPT_INT, "min-answers", 0, &min_answers, 1, 1e9, "N", "vqa: an answer becomes a label when right so often" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "tasks that write (-1: what the paper used for the task)" },
    { OPT_DOUBLE, "smoothing", 0, &smoothing, -1, 1, "P", "label smoothing" },
    { OPT_INT, "max-source", 0, &max_source, -1, 65533, "N", "tokens of the source, specials included" },
    { OPT_INT, "max-target", 0, &max_target, -1, 65533, "N", "tokens of the target, specials included" },
    { OPT_DOUBLE, "tag-score", 0, &tag_score, -1, 1, "P", "captioning: names of regions from this score on are tags" },
    { OPT_INT, "beam", 0, &beam, -1, 64, "N", "width of the beam on held-out examples" },
    { OPT_INT, "min-length", 0, &min_length, -1, 1000, "N", "tokens at least" },
    { OPT_INT, "max-length", 0, &max_length, -1, 1000, "N", "tokens at most" },
    { OPT_DOUBLE, "length-penalty", 0, &length_penalty, -1, 10, "A", "exponent of the length penalty" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "adversarial training (-1: what the paper used for the task)" },
    { OPT_FLAG, "adversarial", 0, &adversarial, 0, 0, NULL,
      "also learn from texts and images moved against the model" },
    { OPT_INT, "adv-steps", 0, &adv_steps, -1, ADVERSARY_STEPS_MAX, "N", "steps of the moves" },
    { OPT_DOUBLE, "adv-lr", 0, &adv_lr, -1, 100, "R", "length of a step" },
    { OPT_DOUBLE, "adv-norm", 0, &adv_norm, -1, 100, "R", "largest length of a move; 0: any" },
    { OPT_DOUBLE, "adv-kl", 0, &adv_kl, 0, 100, "W", "weight of the difference between clean and moved answers" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "running" },
    { OPT_FLAG, "resume", 0, &resume, 0, 0, NULL, "go on from the newest checkpoint in the output directory" },
    { OPT_INT, "eval-every", 0, &eval_every, -1, 1e12, "N",
      "steps between measurements on --dev; -1: ten times in all; 0: never" },
    { OPT_INT, "patience", 0, &patience, 0, 1e6, "N", "stop after N measurements without a better one; 0: never" },
    { OPT_INT, "eval-limit", 0, &eval_limit, 0, 1e12, "N", "use so many held-out examples; 0: all" },
    { OPT_FLAG, "recompute", 0, &recompute, 0, 0, NULL, "keep fewer activations and compute them again: less memory" },
    { OPT_INT, "save-every", 0, &save_every, 0, 1e12, "N", "steps between checkpoints; 0: only at the end" },
    { OPT_INT, "keep", 0, &keep, 1, 1e6, "N", "checkpoints that are kept" },
    { OPT_STRING, "log", 0, &log_path, 0, 0, "FILE", "losses, measurements and speed as JSON Lines" },
    { OPT_INT, "log-every", 0, &log_every, 1, 1e12, "N", "steps between lines of the log" },
    { OPT_FLAG, "dry-run", 0, &dry_run, 0, 0, NULL, "only print sizes, rows, times and epochs" },
    OPT_ROW_THREADS(&threads),
    { OPT_INT, "loaders", 0, &loaders, 0, 256, "N", "threads that read and mask examples (0: one, more beside a GPU)" },
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PROFILE(&profile),
    OPT_ROW_PRECISION(&precision),
    { 0 },
};

static double choose(double given, double otherwise)
{
    return given < 0 ? otherwise : given;
}

/* The pre-trained model's configuration with the heads of the task. */
static int make_config(struct model_config *c, struct downstream *d, struct err *e)
{
    char *path = path_join(model, "config.json");
    int rc = model_config_named(c, "base", e) || model_config_load(c, path, e) ? -1 : 0;

    free(path);
    if (rc || downstream_check_vocabulary(d, c, e)) return -1;
    c->dropout = c->attention_dropout = (float)dropout;
    c->has_region_heads = false;
    model_config_forget_task(c);
    if (downstream_configure(d, c, e)) return -1;
    snprintf(c->task, sizeof c->task, "%s", d->kind->name);
    return model_config_check(c, e);
}

/* VILLA's settings for tasks that the paper trained without. */
static struct adversary make_adversary(const struct downstream_defaults *paper)
{
    bool has = paper->adv_steps > 0;

    return (struct adversary){ .steps = adv_steps > 0 ? (int)adv_steps
                                        : has         ? paper->adv_steps
                                                      : 3,
                               .lr = (float)choose(adv_lr, has ? paper->adv_lr : 0.05),
                               .max_norm = (float)choose(adv_norm, has ? paper->adv_max_norm : 0.4),
                               .init = 0.4f,
                               .kl = (float)adv_kl };
}

static int train(struct model *m, struct downstream *d, struct comm *comm, struct err *e)
{
    const struct downstream_defaults *paper = downstream_defaults(d->kind, &m->config);
    struct adversary adversary = make_adversary(paper);
    struct task t;
    struct train_opts o = {
        .comm = comm,
        .output = output,
        .vocabulary = model,
        .resume = resume,
        .lr = choose(lr, paper->lr),
        .beta1 = 0.9,
        .beta2 = choose(beta2, paper->beta2),
        .eps = 1e-6,
        .weight_decay = choose(weight_decay, paper->weight_decay),
        .clip = clip,
        .rows = rows,
        .accumulate = accumulate,
        .seed = (uint64_t)seed,
        .save_every = save_every,
        .keep = keep,
        .log_every = log_every,
        .loaders = loaders,
        .recompute = recompute,
        .patience = patience,
        .log = log_path,
    };

    model_set_rates(m, &(struct rates){ .decay = layer_decay, .head = head_lr, .freeze = (int)freeze });
    downstream_task(d, &t, &m->config);
    if (eval_every && downstream_check_dev(d, e)) return -1;
    bool has_classes = t.step.weight[LOSS_LABEL] != 0 && !m->config.label_soft && !m->config.label_regression;
    if (adversarial && !has_classes && t.step.weight[LOSS_SEQ2SEQ] == 0)
        return opt_usage(e, "--adversarial: is for tasks that write or choose one label, which %s does not",
                         d->kind->name);
    if (adversarial) t.step.adversary = &adversary;
    if (smoothing >= 0) t.step.smoothing = (float)smoothing;
    if (margin >= 0) t.step.margin = (float)margin;
    if (gamma_scale >= 0) t.step.gamma = (float)gamma_scale;
    o.schedule.shape = schedule_named(schedule ? schedule : paper->schedule);
    o.schedule.total = steps;
    if (!steps && train_steps(m, &t, &o, choose(epochs, paper->epochs), &o.schedule.total, e)) return -1;
    o.schedule.warmup = (int64_t)(choose(warmup, paper->warmup) * (double)o.schedule.total);
    o.eval_every = eval_every >= 0 ? eval_every : (o.schedule.total + 9) / 10;
    return dry_run ? train_plan(m, &t, &o, e) : train_run(m, &t, &o, e);
}

static int begin(struct model *m, struct err *e)
{
    struct params_report report = { 0 };

    params_init(&m->params, (uint64_t)seed);
    int rc = model_load_init(m, model, &report, e);
    str_release(&report.text);
    return rc;
}

static int adapt(struct downstream *d, struct device *dv, struct comm *comm, struct err *e)
{
    struct model_config c = { 0 };
    struct model m;
    int rc = make_config(&c, d, e);

    if (!rc) rc = model_open(&m, &c, dv, model_precision(precision, dv), true, e);
    if (!rc) {
        rc = begin(&m, e);
        if (!rc) rc = train(&m, d, comm, e);
        model_release(&m);
    }
    model_config_release(&c);
    return rc;
}

static int check_usage(int argc, char **argv, struct err *e)
{
    static const char *const moving[] = { "adv-steps", "adv-lr", "adv-norm", "adv-kl", NULL };
    static const char *const measuring[] = { "patience", "eval-limit", NULL };

    if (argc)
        return opt_usage(e, "%s: no operand was expected (data goes with --train, --dev, --images)",
                         err_quote(argv[0]));
    if (!task_name) return opt_usage(e, "--task: is required");
    if (!model) return opt_usage(e, "--model: is required");
    if (!output && !dry_run) return opt_usage(e, "--output: is required");
    if (!train_files.n) return opt_usage(e, "--train: is required");
    if (!adversarial && opt_refuse(moving, "goes with --adversarial", e)) return -1;
    if (!dev_files.n && opt_refuse(measuring, "goes with --dev", e)) return -1;
    if (max_source >= 0 && max_source < WRITING_LEAST_SOURCE)
        return opt_usage(e, "--max-source: expected %d or more", WRITING_LEAST_SOURCE);
    if (max_target >= 0 && max_target < WRITING_LEAST_TARGET)
        return opt_usage(e, "--max-target: expected %d or more", WRITING_LEAST_TARGET);
    if (beam == 0 || max_length == 0) return opt_usage(e, "--%s: expected 1 or more", beam ? "max-length" : "beam");
    if (min_length > max_length && max_length > 0) return opt_usage(e, "--min-length: is larger than --max-length");
    if (adv_steps == 0) return opt_usage(e, "--adv-steps: expected 1 or more");
    return 0;
}

/* What was asked for and would not be done. */
static int check_task(const struct downstream_kind *kind, struct err *e)
{
    static const char *const ranking[] = { "margin", "gamma", "hard", "hard-share", "candidates", NULL };
    static const char *const comparing[] = { "negatives", NULL };
    static const char *const answering[] = { "min-answers", NULL }, *const captioning[] = { "tag-score", NULL };
    static const char *const writing[] = { "smoothing",  "max-source", "max-target",     "beam",
                                           "min-length", "max-length", "length-penalty", NULL };
    bool ranks = kind == retrieval_tasks;
    char why[128];

    snprintf(why, sizeof why, "means nothing to %s", kind->name);
    return (!ranks && opt_refuse(ranking, why, e)) ||
                   (!ranks && kind != embedding_tasks && opt_refuse(comparing, why, e)) ||
                   (kind->labels != LABEL_ANSWERS && opt_refuse(answering, why, e)) ||
                   (!kind->is_caption && opt_refuse(captioning, why, e)) ||
                   (!kind->writes_text && opt_refuse(writing, why, e))
               ? -1
               : 0;
}

/* The model to begin with stays as it is, and no log takes the place of data. */
static int check_outputs(struct err *e)
{
    if (output && checkpoint_spares(output, model, e)) return -1;
    if (!log_path) return 0;
    return out_spares(log_path, train_files.at, train_files.n, e) ||
                   out_spares(log_path, dev_files.at, dev_files.n, e) ||
                   out_spares(log_path, image_files.at, image_files.n, e) || out_spares(log_path, &hard_file, 1, e)
               ? -1
               : 0;
}

static int learn(struct comm *comm, struct err *e)
{
    const struct downstream_kind *kind = downstream_find(task_name, e);
    struct downstream_opts o = {
        .train = { train_files.n, train_files.at },
        .dev = { dev_files.n, dev_files.at },
        .images = { image_files.n, image_files.at },
        .vocabulary = model,
        .negatives = negatives,
        .hard = hard,
        .hard_file = hard_file,
        .candidates = candidates,
        .min_answers = min_answers,
        .eval_limit = eval_limit,
        .rows = rows,
        .beam = beam,
        .n_best = 1,
        .min_length = min_length,
        .max_length = max_length,
        .max_source = max_source,
        .max_target = max_target,
        .length_penalty = length_penalty,
        .tag_score = tag_score,
        .block_trigrams = -1,
    };
    struct downstream d;
    struct device *dv;

    if (!kind || check_task(kind, e) || downstream_open(&d, kind, &o, e)) return -1;
    int rc = (dv = device_open(device, (int)threads, e)) ? 0 : -1;
    if (!rc && profile) profile_begin(dv);
    if (!rc) rc = adapt(&d, dv, comm, e);
    downstream_release(&d);
    comm_print_profile(comm, dv, e);
    device_close(dv);
    return rc;
}

static int run(int argc, char **argv, struct err *e)
{
    struct comm *comm;

    if (check_usage(argc, argv, e) || check_outputs(e) || comm_open(&comm, e)) return -1;
    int rc = learn(comm, e);
    comm_close(comm, e);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-finetune",
                                      "adapt a pre-trained model to a task",
                                      "-t NAME -m DIR --train FILE -o DIR",
                                      opts,
                                      run,
                                      true,
                                      true,
                                      comm_settle };
    return program_main(&p, argc, argv);
}
