/* unimo-rewrite - add scene graphs, positives, hard negatives and related texts and images to pairs */
#include "core/log.h"
#include "core/opt.h"
#include "core/pool.h"
#include "rewrite/rewriter.h"
#include "rewrite/wordnet.h"
#include <string.h>
#include <unistd.h>

static bool learn, skip_bad, plain, mean_features;
static const char *output, *model, *image_score = "classes", *same_image = "yes", *wordnet = WORDNET_DIR, *shard,
                                   *kinds;
static struct opt_list translators, images, texts;
static int64_t positives = 3, negatives = 20, related = 100, time_limit = 5, seed = 1, threads, limit;
static double sentence_share = 0.5, translator_time = 300;

static const struct opt opts[] = {
    { OPT_FLAG, "learn", 0, &learn, 0, 0, NULL,
      "learn from pairs instead of rewriting them; -o names the directory to make" },
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the directory that was learnt" },
    OPT_ROW_OUTPUT(&output),
    { OPT_LIST, "images", 0, &images, 0, 0, "FILE", "with --learn: region features, for related images" },
    { OPT_FLAG, "mean-features", 0, &mean_features, 0, 0, NULL, "with --learn: keep mean features of --images too" },
    { OPT_LIST, "texts", 0, &texts, 0, 0, "FILE", "with --learn: texts without images" },
    { OPT_INT, "positives", 0, &positives, 0, 1000, "N", "positives for each pair" },
    { OPT_INT, "negatives", 0, &negatives, 0, 1000, "N", "negatives for each pair" },
    { OPT_DOUBLE, "sentence-share", 0, &sentence_share, 0, 1, "R",
      "share of the negatives that are captions of other images" },
    { OPT_STRING, "kinds", 0, &kinds, 0, 0, "LIST",
      "kinds of edit in the others, with weights: object,attribute-swap=3" },
    { OPT_INT, "related", 0, &related, 0, 1000, "N", "related texts and related images for each record" },
    { OPT_CHOICE, "image-score", 0, &image_score, 0, 0, "classes|features", "what makes images related" },
    { OPT_LIST, "translator", 0, &translators, 0, 0, "CMD", "shell command from lines to other wordings" },
    { OPT_DOUBLE, "translator-time", 0, &translator_time, 0.1, 1e6, "S",
      "seconds that a translator may take for 512 lines" },
    { OPT_CHOICE, "same-image", 0, &same_image, 0, 0, "yes|no", "other captions of an image are positives too" },
    { OPT_STRING, "wordnet", 0, &wordnet, 0, 0, "DIR", "WordNet's files, or \"none\"" },
    { OPT_INT, "time-limit", 0, &time_limit, 1, 3600, "S",
      "seconds for the parse of a sentence; then patterns are used" },
    OPT_ROW_SEED(&seed),
    OPT_ROW_THREADS(&threads),
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    { 0 },
};

static int rewrite(const struct rewriter_opts *o, const char *const *paths, int n, const struct reader_opts *how,
                   struct err *e)
{
    struct rewriter *w = rewriter_open(o, e);
    struct reader *in = w ? reader_open(paths, n, how, e) : NULL;
    struct writer_opts packed = { .plain = plain, .from = in, .threads = o->threads };
    struct writer *out = in ? writer_open(output, &packed, e) : NULL;
    int rc = -1;

    if (out) {
        struct filter f = {
            .work = rewriter_work, .arg = w, .threads = o->threads, .batch = rewriter_batch(w), .progress = "texts"
        };
        rc = writer_end(out, filter_run(&f, in, out, e), e);
    }
    reader_close(in);
    rewriter_close(w);
    return rc;
}

/* Options that would not be heeded are errors. */
static int check_usage(struct err *e)
{
    static const char *const learning[] = { "images", "texts", "mean-features", NULL };
    static const char *const rewriting[] = { "positives",  "negatives",   "sentence-share", "kinds",
                                             "related",    "image-score", "translator",     "translator-time",
                                             "same-image", "seed",        "plain",          NULL };
    static const char *const waiting[] = { "translator-time", NULL };

    if (learn && !output) return opt_usage(e, "--learn: needs -o DIR");
    if (learn && model) return opt_usage(e, "--learn: does not go with -m");
    if (!learn && !model) return opt_usage(e, "-m DIR: is required (--learn makes one)");
    if (learn ? opt_refuse(rewriting, "does not go with --learn", e) : opt_refuse(learning, "goes with --learn", e))
        return -1;
    if (!translators.n && opt_refuse(waiting, "goes with --translator", e)) return -1;
    if (mean_features && !images.n) return opt_usage(e, "--mean-features: needs --images");
    return 0;
}

static int run(int argc, char **argv, struct err *e)
{
    struct rewriter_opts o = { .dir = learn ? output : model,
                               .wordnet = strcmp(wordnet, "none") ? wordnet : NULL,
                               .translators = translators.at,
                               .n_translators = translators.n,
                               .translator_seconds = translator_time,
                               .positives = (int)positives,
                               .negatives = (int)negatives,
                               .related = (int)related,
                               .sentence_share = sentence_share,
                               .same_image = !strcmp(same_image, "yes"),
                               .by_features = !strcmp(image_score, "features"),
                               .time_limit = (int)time_limit,
                               .seed = (uint64_t)seed,
                               .threads = threads ? (int)threads : pool_cpus() };
    struct reader_opts how = { .skip_bad = skip_bad, .limit = limit };

    if (substitute_weights(kinds, o.weight, e)) return err_in(e, "--kinds");
    if (opt_shard(shard, &how.shard, &how.shards, e) || check_usage(e)) return -1;
    if (o.wordnet && !opt_given("wordnet") && access(o.wordnet, R_OK)) {
        log_line("no WordNet in %s: replacements come from the corpus alone", o.wordnet);
        o.wordnet = NULL;
    }
    struct rewriter_inputs in = {
        (const char *const *)argv, images.at, texts.at, argc, images.n, texts.n, mean_features
    };
    if (learn) return rewriter_learn(&o, &in, &how, e);
    return rewrite(&o, (const char *const *)argv, argc, &how, e);
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-rewrite",
        "add scene graphs, positives, hard negatives and related texts and images to pairs",
        "-m DIR [FILE]...",
        opts,
        run,
        false
    };
    return program_main(&p, argc, argv);
}
