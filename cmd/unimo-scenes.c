/* unimo-scenes - make a corpus of pictures with captions, boxes, statements and questions */
#include "core/file.h"
#include "core/opt.h"
#include "core/pool.h"
#include "scenes/corpus.h"
#include <stdlib.h>

static const char *output, *sprites;
static int64_t train = 1500, dev = 100, test = 200, images = 500, texts = 2000, seed = 1, threads, quality = 90;

static const struct opt opts[] = {
    { OPT_STRING, "output", 'o', &output, 0, 0, "DIR", "the folder to make the corpus in (required)" },
    { OPT_INT, "train", 0, &train, 0, 1e7, "N", "training scenes" },
    { OPT_INT, "dev", 0, &dev, 0, 1e7, "N", "development scenes" },
    { OPT_INT, "test", 0, &test, 0, 1e7, "N", "test scenes, of held-out compositions" },
    { OPT_INT, "images", 0, &images, 0, 1e7, "N", "images without texts" },
    { OPT_INT, "texts", 0, &texts, 0, 1e7, "N", "texts without images" },
    { OPT_STRING, "sprites", 0, &sprites, 0, 0, "FILE",
      "cut-outs and landscapes (default: those that come with unimo)" },
    { OPT_INT, "quality", 0, &quality, 1, 100, "Q", "of the JPEGs" },
    OPT_ROW_SEED(&seed),
    OPT_ROW_THREADS(&threads),
    { 0 },
};

static int run(int argc, char **argv, struct err *e)
{
    if (argc) return opt_usage(e, "%s: no operand was expected", err_quote(argv[0]));
    if (!output) return opt_usage(e, "--output: is required");
    if (!train && !dev && !test && !images && !texts)
        return opt_usage(e, "--train, --dev, --test, --images, --texts: there is nothing to make when all are 0");
    char *shared = sprites ? NULL : file_shared("sprites/sprites.jsonl.zst");
    struct corpus_opts o = { output, sprites ? sprites : shared,           (uint64_t)seed, train, dev, test, images,
                             texts,  threads ? (int)threads : pool_cpus(), (int)quality };
    int rc = corpus_make(&o, e);
    free(shared);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-scenes", "make a corpus of pictures with captions, boxes, statements and questions", "-o DIR", opts, run,
        false
    };
    return program_main(&p, argc, argv);
}
