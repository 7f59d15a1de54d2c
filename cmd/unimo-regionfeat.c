/* unimo-regionfeat - turn JPEGs into region features, or train a detector */
#include "compute/profile.h"
#include "core/file.h"
#include "core/opt.h"
#include "core/pool.h"
#include "core/signals.h"
#include "detect/extract.h"
#include "detect/train.h"
#include "features/convert.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *model, *output, *device, *precision = "auto", *feature_dtype = "f16", *boxes = "proposal", *draw,
                                            *dev, *log_path, *shard, *from = "stream", *to = "stream",
                                            *box_order = "auto", *box_unit = "auto", *size_order = "auto", *images;
static bool learn, plain, skip_bad, profile, check, append, grid, resume, shrink;
static int64_t min_boxes = 10, max_boxes = 100, threads, seed = 1, steps = 2500, batch = 8, eval_every = 500,
               save_every = 500, limit, short_side = 192, long_side = 256;
static double threshold = 0.2, suppression = 0.3, lr = 1e-3, weight_decay = 1e-4, brightness = 0.125, contrast,
              saturation, zoom;

static const struct opt opts[] = {
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the detector (default: the small one that comes with unimo)" },
    OPT_ROW_OUTPUT(&output),
    { OPT_INT, "min-boxes", 0, &min_boxes, 0, 10000, "N", "keep at least so many regions" },
    { OPT_INT, "max-boxes", 0, &max_boxes, 1, 10000, "N", "and at most so many" },
    { OPT_DOUBLE, "threshold", 0, &threshold, 0, 1, "P", "keep regions of at least this confidence" },
    { OPT_DOUBLE, "nms", 0, &suppression, 0, 1, "IOU", "suppress boxes of a class that overlap more" },
    { OPT_CHOICE, "boxes", 0, &boxes, 0, 0, "proposal|refined", "which boxes to write" },
    { OPT_CHOICE, "feature-dtype", 0, &feature_dtype, 0, 0, "f32|f16|bf16",
      "type of features and class probabilities" },
    { OPT_STRING, "draw", 0, &draw, 0, 0, "DIR", "also write pictures with boxes and names" },
    { OPT_FLAG, "grid", 0, &grid, 0, 0, NULL, "write the backbone's map as regions, at most --max-boxes cells" },
    { OPT_FLAG, "shrink", 0, &shrink, 0, 0, NULL,
      "decode large pictures at 1/2, 1/4 or 1/8: faster, not quite the same" },
    { OPT_FLAG, "append", 0, &append, 0, 0, NULL, "go on with what an interrupted run left, or add to FILE" },
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    OPT_ROW_THREADS(&threads),
    OPT_ROW_DEVICE(&device),
    OPT_ROW_PROFILE(&profile),
    OPT_ROW_PRECISION(&precision),
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "files of the field" },
    { OPT_CHOICE, "from", 0, &from, 0, 0, FORM_NAMES, "read region features from such files instead of pictures" },
    { OPT_CHOICE, "to", 0, &to, 0, 0, FORM_NAMES, "write such files (of stream and --from)" },
    { OPT_FLAG, "check", 0, &check, 0, 0, NULL, "write nothing but what the files hold: ranges, means, NaNs" },
    { OPT_CHOICE, "box-order", 0, &box_order, 0, 0, BOX_NAMES, "of --from" },
    { OPT_CHOICE, "box-unit", 0, &box_unit, 0, 0, UNIT_NAMES, "of --from" },
    { OPT_CHOICE, "size-order", 0, &size_order, 0, 0, SIZE_NAMES, "of --from: width or height first" },
    { OPT_GROUP, NULL, 0, NULL, 0, 0, NULL, "training" },
    { OPT_FLAG, "learn", 0, &learn, 0, 0, NULL,
      "train a detector from the stream of annotated images FILE into -o DIR; with --model, from it on" },
    { OPT_STRING, "dev", 0, &dev, 0, 0, "FILE", "annotated images to measure AP50 on" },
    { OPT_INT, "steps", 0, &steps, 1, 1e9, "N", "training steps" },
    { OPT_INT, "batch", 0, &batch, 1, 1024, "N", "images a step" },
    { OPT_INT, "short-side", 0, &short_side, SIDE_LEAST, SIDE_MOST, "N",
      "pixels of the input's shorter side (with --model: its own)" },
    { OPT_INT, "long-side", 0, &long_side, SIDE_LEAST, SIDE_MOST, "N",
      "at most so many of the longer one (with --model: its own); of one side, the other follows" },
    { OPT_DOUBLE, "lr", 0, &lr, 0, 10, "R", "largest learning rate; with --model, by default a tenth" },
    { OPT_DOUBLE, "weight-decay", 0, &weight_decay, 0, 1, "R", "weight decay" },
    { OPT_INT, "eval-every", 0, &eval_every, 0, 1e9, "N", "steps between measurements on dev; 0: only at the end" },
    { OPT_STRING, "images", 0, &images, 0, 0, "DIR", "the folder of the pictures (default: that of the file)" },
    { OPT_DOUBLE, "brightness", 0, &brightness, 0, 0.9, "R", "vary the brightness of pictures by up to this part" },
    { OPT_DOUBLE, "contrast", 0, &contrast, 0, 0.9, "R", "the contrast" },
    { OPT_DOUBLE, "saturation", 0, &saturation, 0, 0.9, "R", "the distance of colours from gray" },
    { OPT_DOUBLE, "zoom", 0, &zoom, 0, 0.9, "R", "and the size" },
    { OPT_INT, "save-every", 0, &save_every, 0, 1e9, "N", "steps between checkpoints; 0: only when a signal asks" },
    { OPT_FLAG, "resume", 0, &resume, 0, 0, NULL, "go on from the checkpoint of the output" },
    { OPT_STRING, "log", 0, &log_path, 0, 0, "FILE", "losses as JSON Lines" },
    OPT_ROW_SEED(&seed),
    { 0 },
};

static enum dtype compute_type(const struct device *d)
{
    bool half = !strcmp(precision, "bf16") || (!strcmp(precision, "auto") && device_has_bf16(d));

    return half ? DT_BF16 : DT_F32;
}

static int save(const struct detector *d, struct err *e)
{
    struct outdir *o = outdir_open(output, detector_files, e);

    if (!o) return -1;
    if (!detector_save(d, outdir_path(o), e)) return outdir_commit(o, e);
    outdir_abort(o);
    return -1;
}

/* The network that is trained, but for its names: the small one, or that of --model. */
static int choose_network(struct detect_config *c, struct detector *base, struct device *dv, struct err *e)
{
    if (!model) detect_config_small(c);
    else if (detector_load(base, model, dv, DT_F32, e)) return -1;
    else if (detector_adapt_config(c, &base->config, e)) return err_in(e, "%s", model);
    bool has_short = opt_given("short-side"), has_long = opt_given("long-side");
    double shape = (double)c->long_side / c->short_side;
    if (has_short) c->short_side = (int)short_side;
    else if (has_long) c->short_side = (int)fmax(SIDE_LEAST, round((double)long_side / shape));
    if (has_long) c->long_side = (int)long_side;
    else if (has_short) c->long_side = (int)fmin(SIDE_MOST, round((double)short_side * shape));
    if (!model) detect_config_anchors(c);
    return 0;
}

static int load_examples(struct annotations *examples, struct annotations *held_out, const char *path,
                         struct detect_config *c, struct err *e)
{
    names_add(&c->classes, "background");
    names_add(&c->attributes, "none");
    if (annotations_load(examples, path, images, c, true, e)) return -1;
    if (dev && annotations_load(held_out, dev, images, c, false, e)) return -1;
    return detect_config_check(c, e);
}

/* The checkpoint is in OUTPUT.training until the detector is in OUTPUT. */
static int train(const char *path, struct device *dv, struct err *e)
{
    struct detector d = { 0 }, base = { 0 };
    struct annotations examples = { 0 }, held_out = { 0 };
    struct detect_precision p;
    struct str state = { 0 };
    struct err ignored = { 0 };

    if (!output) return opt_usage(e, "--output: is required with --learn");
    str_addf(&state, "%s.training", output);
    const struct detect_train_opts o = { .steps = steps,
                                         .batch = batch,
                                         .warmup = 200 < steps / 4 ? 200 : steps / 4,
                                         .lr = model && !opt_given("lr") ? lr / 10 : lr,
                                         .weight_decay = weight_decay,
                                         .seed = (uint64_t)seed,
                                         .brightness = brightness,
                                         .contrast = contrast,
                                         .saturation = saturation,
                                         .zoom = zoom,
                                         .eval_every = eval_every,
                                         .save_every = save_every,
                                         .state = state.data,
                                         .resume = resume,
                                         .log = log_path };
    signals_trainer();
    int rc = outdir_check(output, detector_files, e);
    if (!rc) rc = out_spares(output, &model, 1, e);
    if (!rc && log_path) rc = out_spares(log_path, (const char *const[]){ path, dev }, 2, e);
    if (!rc) rc = choose_network(&d.config, &base, dv, e);
    if (!rc) rc = load_examples(&examples, &held_out, path, &d.config, e);
    if (!rc) {
        detector_build(&d, dv, compute_type(dv), true);
        params_init(&d.params, (uint64_t)seed);
        if (model) detector_adapt(&d, &base);
        detector_release(&base);
        rc = detect_train(&d, &examples, dev ? &held_out : NULL, &o, &p, e);
        if (!rc) rc = save(&d, e);
        if (!rc && !access(state.data, F_OK)) dir_remove(state.data, &ignored);
        if (!rc && dev) printf("AP50 %.4f, AP %.4f on %lld images\n", p.ap50, p.ap, (long long)held_out.n);
    }
    annotations_release(&examples);
    annotations_release(&held_out);
    detector_release(&base);
    detector_release(&d);
    str_release(&state);
    return rc;
}

static int extract(const char *const *paths, int n, struct device *dv, struct err *e)
{
    struct detector d;
    char *shared = model ? NULL : file_shared("detector");
    struct extract_opts o = { .select = { (int)min_boxes, (int)max_boxes, (float)threshold, (float)suppression,
                                          !strcmp(boxes, "refined") },
                              .dtype = !strcmp(feature_dtype, "f32")   ? DT_F32
                                       : !strcmp(feature_dtype, "f16") ? DT_F16
                                                                       : DT_BF16,
                              .draw = draw,
                              .output = output,
                              .detector = model ? model : shared,
                              .plain = plain,
                              .skip_bad = skip_bad,
                              .append = append,
                              .grid = grid,
                              .shrinks = shrink,
                              .limit = limit };
    int rc = opt_shard(shard, &o.shard, &o.shards, e);

    if (!rc && append && (!output || !strcmp(output, "-") || plain))
        rc = opt_usage(e, "--append: needs a file (--output), and not --plain");
    if (!rc && !grid && min_boxes > max_boxes) rc = opt_usage(e, "--min-boxes: is larger than --max-boxes");
    if (!rc) rc = detector_load(&d, model ? model : shared, dv, compute_type(dv), e);
    if (!rc) {
        rc = extract_regions(&d, paths, n, &o, e);
        detector_release(&d);
    }
    free(shared);
    return rc;
}

/* Region features that exist already: no detector looks at pictures; one that is named lends its names. */
static int convert(const char *const *paths, int n, struct err *e)
{
    struct detect_config names = { 0 };
    struct convert_opts o = { .from = form_find(from),
                              .to = form_find(to),
                              .output = output,
                              .check = check,
                              .plain = plain,
                              .skip_bad = skip_bad,
                              .threads = threads ? (int)threads : pool_cpus(),
                              .limit = limit };
    int rc = opt_shard(shard, &o.shard, &o.shards, e);

    o.geometry.sizes = (enum size_order)geometry_choice(size_order, SIZE_NAMES);
    o.geometry.order = (enum box_order)geometry_choice(box_order, BOX_NAMES);
    o.geometry.unit = (enum box_unit)geometry_choice(box_unit, UNIT_NAMES);
    if (!rc && o.to && !o.to->is_lines && !output && !check)
        rc = opt_usage(e, "--output: is required with --to %s", o.to->name);
    if (!rc && model) {
        char *config = path_join(model, "config.json");
        rc = detect_config_load(&names, config, e);
        o.classes = (const char *const *)names.classes.at;
        o.n_classes = names.classes.n;
        o.attributes = (const char *const *)names.attributes.at;
        o.n_attributes = names.attributes.n;
        free(config);
    }
    if (!rc) rc = convert_features(paths, n, &o, e);
    detect_config_release(&names);
    return rc;
}

/* Options that would not be heeded are errors. */
static int check_usage(bool converts, struct err *e)
{
    static const char *const looking[] = { "min-boxes", "max-boxes", "threshold", "nms",    "boxes", "feature-dtype",
                                           "draw",      "grid",      "shrink",    "append", NULL };
    static const char *const choosing[] = { "min-boxes", "threshold", "nms", "boxes", "draw", NULL };
    static const char *const computing[] = { "device", "precision", "profile", NULL };
    static const char *const writing[] = { "output", "to", "plain", "skip-bad", NULL };
    static const char *const packing[] = { "plain", NULL }, *const measuring[] = { "eval-every", NULL };
    static const char *const reading[] = { "box-order", "box-unit", "size-order", NULL };
    static const char *const filtering[] = { "skip-bad", "shard", "limit", "plain", NULL };
    static const char *const training[] = { "dev",      "steps",        "batch",      "short-side", "long-side",
                                            "lr",       "weight-decay", "eval-every", "images",     "brightness",
                                            "contrast", "saturation",   "zoom",       "save-every", "resume",
                                            "log",      "seed",         NULL };
    const struct form *form = form_find(from);

    if (learn && converts) return opt_usage(e, "--learn: does not go with --from, --to or --check");
    if ((learn || converts) &&
        opt_refuse(looking, "goes with pictures, and not with --learn, --from, --to or --check", e))
        return -1;
    if (grid && opt_refuse(choosing, "does not go with --grid", e)) return -1;
    if (converts && opt_refuse(computing, "does not go with --from, --to or --check", e)) return -1;
    if (check && opt_refuse(writing, "does not go with --check", e)) return -1;
    if (form_find(to) && opt_refuse(packing, "does not go with --to", e)) return -1;
    if ((!form || !form->is_lines) && opt_refuse(reading, "goes with --from bua, lxmert or unimo", e)) return -1;
    if (!learn) return opt_refuse(training, "goes with --learn", e);
    if (!dev && opt_refuse(measuring, "goes with --dev", e)) return -1;
    return opt_refuse(filtering, "does not go with --learn", e);
}

static int run(int argc, char **argv, struct err *e)
{
    struct device *d;
    int rc;
    bool converts = check || opt_given("from") || opt_given("to");

    if (check_usage(converts, e)) return -1;
    if (learn && argc != 1) return opt_usage(e, "--learn: one stream of annotated images was expected");
    if (!argc) return opt_usage(e, "JPEGs, folders or streams of images were expected");
    if (converts) return convert((const char *const *)argv, argc, e);
    if (!(d = device_open(device, (int)threads, e))) return -1;
    if (profile) profile_begin(d);
    rc = learn ? train(argv[0], d, e) : extract((const char *const *)argv, argc, d, e);
    profile_print(d);
    device_close(d);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = { "unimo-regionfeat",
                                      "turn JPEGs into region features, or train a detector",
                                      "JPEG|FOLDER|STREAM...",
                                      opts,
                                      run,
                                      false,
                                      true };
    return program_main(&p, argc, argv);
}
