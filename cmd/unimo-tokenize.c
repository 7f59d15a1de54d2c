/* unimo-tokenize - texts to tokens and back, and vocabularies from texts */
#include "core/log.h"
#include "core/opt.h"
#include "core/pool.h"
#include "text/bpe_learn.h"
#include "text/tokenizer.h"

static const char *model, *output, *shard, *fields = "text,text_pair,target,turns,tags,positives,negatives";
static bool learn, decode, lines, plain, skip_bad;
static int64_t vocab_size = 8000, min_count = 2, max_length, threads, limit;

static const struct opt opts[] = {
    { OPT_STRING, "model", 'm', &model, 0, 0, "DIR", "the vocabulary: vocab.json and merges.txt, or tokenizer.json" },
    { OPT_STRING, "output", 'o', &output, 0, 0, "PATH", "write to the file PATH; with --learn: the directory to make" },
    { OPT_STRING, "fields", 'F', &fields, 0, 0, "NAMES", "fields with texts, separated by commas" },
    { OPT_INT, "max-length", 0, &max_length, 0, 1e9, "N",
      "keep N tokens of each text, or of each pair together (0: all)" },
    { OPT_FLAG, "lines", 0, &lines, 0, 0, NULL, "input is plain text, one record a line; with --decode output is" },
    { OPT_FLAG, "decode", 0, &decode, 0, 0, NULL, "turn tokens back into text" },
    { OPT_FLAG, "learn", 0, &learn, 0, 0, NULL, "make a vocabulary from the texts" },
    { OPT_INT, "vocab-size", 0, &vocab_size, BPE_SIZE_MIN, 1e7, "N", "with --learn: tokens in all" },
    { OPT_INT, "min-count", 0, &min_count, 1, 1e15, "N", "with --learn: merge pairs that occur at least N times" },
    OPT_ROW_THREADS(&threads),
    OPT_ROW_SKIP(&skip_bad),
    OPT_ROW_SHARD(&shard),
    OPT_ROW_LIMIT(&limit),
    OPT_ROW_PLAIN(&plain),
    { 0 },
};

static int check_options(struct err *e)
{
    if (!learn && !model) return opt_usage(e, "--model: is required (or --learn)");
    if (learn && model) return opt_usage(e, "--learn and --model exclude each other");
    if (learn && decode) return opt_usage(e, "--learn and --decode exclude each other");
    if (learn && !output) return opt_usage(e, "--output: is required with --learn");
    if (learn && max_length) return opt_usage(e, "--max-length: does not go with --learn");
    if (decode && max_length) return opt_usage(e, "--max-length: does not go with --decode");
    if (lines && !decode && opt_given("fields")) return opt_usage(e, "--fields: plain text (--lines) has none");
    if (learn && plain) return opt_usage(e, "--plain: does not go with --learn");
    if (decode && lines && plain) return opt_usage(e, "--plain: does not go with --decode --lines");
    if (!learn && opt_given("vocab-size")) return opt_usage(e, "--vocab-size: goes with --learn");
    if (!learn && opt_given("min-count")) return opt_usage(e, "--min-count: goes with --learn");
    return 0;
}

static int add_text(void *arg, const char *text, int64_t n, struct err *e)
{
    bpe_learner_add(arg, text, (size_t)n);
    return 0;
}

static int count_records(struct bpe_learner *l, const struct fields *f, struct reader *in, struct err *e)
{
    struct outline outline = { 0 };
    struct str room = { 0 };
    struct raw raw;
    int got, rc = 0;

    while (!rc && (got = reader_next_raw(in, &raw, e)) > 0) {
        struct err bad = { 0 };
        rc = raw_outline(&raw, OUTLINE_SPACED, &outline, &room, &bad) || fields_each(f, &outline, add_text, l, &bad);
        if (rc && (rc = reader_bad_raw(in, &raw, &bad))) *e = bad;
        record_free(raw.record);
    }
    outline_release(&outline);
    str_release(&room);
    if (rc || got < 0) return -1;
    if (reader_skipped(in) >= reader_count(in)) return err_set(e, ERR_INPUT, "no records to learn from");
    return 0;
}

static int count_lines(struct bpe_learner *l, struct lines *in, struct err *e)
{
    struct str line = { 0 };
    int64_t number;
    int got;

    while ((got = lines_next(in, &line, &number, e)) > 0) {
        bpe_learner_add(l, str_c(&line), line.n);
        str_clear(&line);
    }
    str_release(&line);
    return got;
}

static int run_learn(const struct fields *f, struct reader *in, struct lines *text, struct err *e)
{
    struct bpe_learner *l = bpe_learner_new(BPE_LEARN_PIECES);
    int64_t got;
    int rc = lines ? count_lines(l, text, e) : count_records(l, f, in, e);

    if (!rc && bpe_learner_forgotten(l))
        log_line("%s: %lld rare pieces were forgotten: more than %d different ones", output,
                 (long long)bpe_learner_forgotten(l), BPE_LEARN_PIECES);
    if (!rc) rc = bpe_learn(l, output, vocab_size, min_count, &got, e);
    if (!rc && got < vocab_size)
        log_line("%s: %lld tokens: no other pair occurs %lld times", output, (long long)got, (long long)min_count);
    bpe_learner_free(l);
    return rc;
}

static int run_decode_lines(const struct tokenizer *t, struct reader *in, struct err *e)
{
    struct out *o = out_open(output, e);
    int rc = o ? tokenizer_decode_lines(t, in, o, e) : -1;

    if (!rc) return out_commit(o, e);
    out_abort(o);
    return -1;
}

static int run_tokenizer(const struct tokenizer *t, struct reader *in, struct lines *text, struct err *e)
{
    if (decode && lines) return run_decode_lines(t, in, e);
    /* Ids pack nearly as well at the fastest level, in half the time. */
    struct writer_opts how = { .plain = plain, .level = 1, .from = in, .threads = t->threads };
    struct writer *w = writer_open(output, &how, e);
    int rc = !w       ? -1
             : decode ? tokenizer_decode(t, in, w, e)
             : lines  ? tokenizer_encode_lines(t, text, w, e)
                      : tokenizer_encode(t, in, w, e);

    return writer_end(w, rc, e);
}

static int run(int argc, char **argv, struct err *e)
{
    const char *const *paths = (const char *const *)argv;
    struct reader_opts r = { .skip_bad = skip_bad, .limit = limit };
    struct tokenizer t = { .max_length = max_length, .threads = threads ? (int)threads : pool_cpus() };
    struct bpe *b = NULL;
    struct reader *in = NULL;
    struct lines *text = NULL;
    int rc = -1;

    if (check_options(e) || opt_shard(shard, &r.shard, &r.shards, e)) return -1;
    if (fields_parse(&t.fields, fields, e)) return err_in(e, "--fields");
    if (learn && outdir_check(output, bpe_learn_files, e)) goto out;
    if (model && !(t.bpe = b = bpe_load(model, e))) goto out;
    if (lines && !decode) {
        if (out_spares(output, paths, argc, e)) goto out;
        text = lines_open(paths, argc, &r);
    } else if (!(in = reader_open(paths, argc, &r, e))) {
        goto out;
    }
    rc = learn ? run_learn(&t.fields, in, text, e) : run_tokenizer(&t, in, text, e);
out:
    reader_close(in);
    lines_close(text);
    bpe_free(b);
    fields_release(&t.fields);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program p = {
        "unimo-tokenize", "texts to tokens and back, and vocabularies from texts", "[FILE]...", opts, run, false
    };
    return program_main(&p, argc, argv);
}
