/* Tasks that write (paper sections 4.1 and 4.2). What is seen: [IMG] regions and the image's tags (captions), or
 * [CLS] source [SEP], perhaps with a second text (question generation: passage [SEP] answer [SEP]) or with what was
 * said before (dialog: document, then turns, each with its speaker). Then [CLS] target from left to right. */
#include "core/hash.h"
#include "core/mem.h"
#include "model/input.h"
#include "tasks/writing.h"
#include <stdlib.h>
#include <string.h>

enum { TURNS = BATCH_TURNS - 1, MAX_TAGS = 100 };

/* ---- what is seen ---- */

struct seen {
    bool has_image;
    struct batch_image image;
    int n, cap;
    struct batch_part *part; /* [n] */
};

/* The first of the turns that are seen: the latest TURNS, or as many as have positions. A question that has not room
 * enough alone keeps its beginning. */
static int64_t first_turn(const struct downstream *d, struct batch_text *turns, int64_t n)
{
    int64_t room = d->config->positions - 4, first = n;

    if (n && turns[n - 1].n >= room) turns[n - 1].n = room - 1;
    while (first > 0 && n - first < TURNS && turns[first - 1].n < room) room -= turns[--first].n + 1;
    return first;
}

/* The document, then the latest turns. The first token and each turn have the role of their speaker, alternating, and
 * count down to 1, the latest turn; the document has role 2. */
static int see_dialog(struct downstream *d, struct arena *a, const struct value *fields, struct seen *s, struct err *e)
{
    struct batch_text *turns;
    int64_t n;

    if (input_strings(a, d->config, fields, "turns", &turns, &n, e)) return -1;
    int64_t first = first_turn(d, turns, n);
    int many = (int)(n - first);
    s->part[0] = (struct batch_part){ .starts = true, .role = many % 2, .turn = many };
    struct batch_part document = { .ends = true, .role = 2 };
    int64_t room = writing_max_source(d) - 2;
    if (input_text(a, d->config, fields, "text", &document.text, e)) return -1;
    if (document.text.n > room) document.text.n = room;
    s->part[1] = document;
    s->n = 2;
    for (int k = 0; k < many; k++)
        s->part[s->n++] = (struct batch_part){
            .text = turns[first + k], .ends = true, .goes_on = k > 0, .role = (many + k) % 2, .turn = many - k
        };
    return 0;
}

/* The first text loses tokens until both fit. */
static int see_source(struct downstream *d, struct arena *a, const struct value *fields, struct seen *s, struct err *e)
{
    struct batch_part first = { .starts = true, .ends = true }, second = { .ends = true, .goes_on = true };
    int64_t room = writing_max_source(d) - 2;

    if (input_text(a, d->config, fields, "text", &first.text, e)) return -1;
    bool is_pair = d->kind->needs_pair || value_get(fields, "text_pair") || value_get(fields, "text_pair_tokens");
    if (is_pair) {
        if (input_text(a, d->config, fields, "text_pair", &second.text, e)) return -1;
        int64_t most = room > 2 ? room - 2 : 0;
        if (second.text.n > most) second.text.n = most;
        room -= second.text.n + 1;
    }
    if (first.text.n > room) first.text.n = room;
    s->part[s->n++] = first;
    if (is_pair) s->part[s->n++] = second;
    return 0;
}

/* Was the detector sure enough of region i? Where it said no "scores", all are. */
static bool is_sure(const struct value *fields, int64_t i, double least)
{
    const struct value *score = value_at(value_get(fields, "scores"), i);

    return !value_is_number(score) || value_number(score) >= least;
}

/* The names of the regions that the detector was sure of, a space between two: one text, as the tokens of a word within
 * a text are others than at its beginning. */
static int join_names(const struct downstream *d, const struct value *fields, struct str *out, struct err *e)
{
    double least = writing_tag_score(d);
    struct value *names;

    if (value_get_array(fields, "classes", &names, e)) return -1;
    for (int64_t i = 0; i < value_count(names); i++) {
        const char *name = value_text(value_at(names, i), NULL);
        if (!name)
            return err_set(e, ERR_INPUT, "\"classes\": element %lld is no string (or has the character 0)",
                           (long long)i);
        if (is_sure(fields, i, least)) str_addf(out, "%s%s", out->n ? " " : "", name);
    }
    return 0;
}

/* An image's tags: "tags", one text, or the names of its regions' "classes", when they were tokenized. */
static int see_tags(struct downstream *d, struct arena *a, const struct value *fields, struct seen *s, struct err *e)
{
    struct batch_text all = { 0 };
    struct str names = { 0 };
    int rc = 0;

    if (value_get(fields, "tags_tokens")) rc = input_text(a, d->config, fields, "tags", &all, e);
    else if (value_get(fields, "classes_tokens")) {
        rc = join_names(d, fields, &names, e);
        if (!rc) all = writing_encode(d, a, str_c(&names), names.n, MAX_TAGS);
    }
    str_release(&names);
    if (all.n > MAX_TAGS) all.n = MAX_TAGS;
    if (!rc && all.n) s->part[s->n++] = (struct batch_part){ .text = all };
    return rc;
}

/* The image is the record itself, or the one it names; so are its tags. */
static int see_image(struct downstream *d, struct arena *a, const struct record *r, struct seen *s, struct err *e)
{
    const char *name;
    struct record *image;

    s->has_image = true;
    if (record_tensor(r, "features"))
        return input_image(a, d->config, r, false, &s->image, e) || see_tags(d, a, r->fields, s, e) ? -1 : 0;
    if (value_get_string(r->fields, "image", &name, e)) return -1;
    if (!d->images)
        return err_set(e, ERR_USAGE, "--images: region features are required for image %s", err_quote(name));
    if (store_get_id(d->images, name, &image, e)) return -1;
    bool has_own_tags = value_get(r->fields, "tags_tokens");
    int rc = input_image(a, d->config, image, false, &s->image, e);
    if (rc) err_in(e, "image %s", err_quote(name));
    else rc = see_tags(d, a, has_own_tags ? r->fields : image->fields, s, e);
    record_free(image);
    return rc;
}

/* Adds a record's sequence; with target NULL only what is seen. */
static int put(struct downstream *d, struct arena *a, struct batch *b, const struct record *r,
               const struct batch_text *target, struct err *e)
{
    struct seen s = { .part = arena_new(a, struct batch_part, TURNS + 3) };
    int rc;

    if (d->kind->is_caption) rc = see_image(d, a, r, &s, e);
    else rc = downstream_maybe_image(d, a, r->fields, &s.image, &s.has_image, e);
    if (!rc && d->kind->is_dialog) rc = see_dialog(d, a, r->fields, &s, e);
    else if (!rc && !d->kind->is_caption) rc = see_source(d, a, r->fields, &s, e);
    if (rc) return -1;
    int64_t image = s.has_image ? batch_add_image(b, &s.image, NULL) : -1;
    batch_add_parts(b, image, s.part, s.n, target, target ? writing_max_target(d) : 0);
    return 0;
}

/* ---- training ---- */

static const char *truth(const struct downstream_kind *k)
{
    return k->is_caption ? "text" : "target";
}

static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct downstream *d = arg;
    struct batch_text target;
    struct record *rec;

    if (store_get(d->train, i, &rec, e)) return -1;
    int rc = input_text(a, d->config, rec->fields, truth(d->kind), &target, e) || put(d, a, b, rec, &target, e);
    if (rc) record_bad(rec, e);
    record_free(rec);
    return rc ? -1 : 0;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    c->ends_with_mask = !d->kind->ends_with_sep;
    c->has_dialog = d->kind->is_dialog;
    c->task_options = writing_settings(d, c);
    return 0;
}

static void prepare(struct downstream *d, struct task *t)
{
    t->step.weight[LOSS_SEQ2SEQ] = 1;
    t->step.smoothing = (float)downstream_defaults(d->kind, d->config)->smoothing;
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;

    return downstream_measure(d, m, report, score, e);
}

/* ---- predicting ---- */

struct writing {
    struct downstream *d;
    struct model *m;
    struct scratch scratch;
    struct batch batch;
    struct decode_opts o;
    struct arena arena; /* ids and inputs of the batch */
    int64_t n, cap, cap_key;
    const char **id;
    uint64_t *key;
    struct writer *out;
};

static struct value *other_texts(const struct written *t, int n)
{
    struct value *all = value_array();

    for (int k = 0; k < n && t[k].text; k++) {
        struct value *v = value_object();
        value_set(v, "pred", value_str(t[k].text));
        value_set(v, "score", value_real((double)t[k].score));
        value_push(all, v);
    }
    return all;
}

static int write_one(struct writing *w, const char *id, const struct written *t, struct err *e)
{
    struct record *r = record_new();

    value_set(r->fields, "id", value_str(id));
    value_set(r->fields, "pred", value_str(t->text));
    value_set(r->fields, "score", value_real((double)t->score));
    if (w->o.n_best > 1) value_set(r->fields, "n_best", other_texts(t, w->o.n_best));
    return writer_give(w->out, r, e);
}

static int flush(struct writing *w, struct err *e)
{
    int64_t n = w->n * w->o.n_best;
    struct written *texts = mem_new(struct written, n + 1);

    w->o.key = w->key;
    int rc = w->n ? writing_decode(w->d, w->m, &w->scratch, &w->batch, &w->o, texts, e) : 0;
    for (int64_t i = 0; i < w->n && !rc; i++) rc = write_one(w, w->id[i], &texts[i * w->o.n_best], e);
    for (int64_t i = 0; i < n; i++) free(texts[i].text);
    free(texts);
    w->n = 0;
    arena_reset(&w->arena);
    return rc;
}

static int take(struct writing *w, const struct record *r, struct err *e)
{
    const char *id = record_id(r);

    if (put(w->d, &w->arena, &w->batch, r, NULL, e)) return -1;
    mem_reserve(&w->id, &w->cap, w->n + 1);
    mem_reserve(&w->key, &w->cap_key, w->n + 1);
    w->id[w->n] = arena_strdup(&w->arena, id);
    w->key[w->n++] = hash64(id, strlen(id), 0);
    return 0;
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    struct writing w = { .d = d, .m = m, .o = writing_opts(d), .out = out };
    struct record *r;
    int got = 1;

    scratch_init(&w.scratch, m->device);
    batch_init(&w.batch, d->config);
    while (got > 0) {
        if ((got = reader_next(in, &r, e)) > 0) {
            if (take(&w, r, e)) got = reader_bad(in, r, e) ? -1 : 1;
            record_free(r);
        }
        if (got < 0 || (got && w.batch.n_rows + w.n * w.o.beam * w.o.max_length < d->o.rows)) continue;
        if (flush(&w, e)) got = -1;
    }
    free(w.id);
    free(w.key);
    arena_release(&w.arena);
    batch_release(&w.batch);
    scratch_release(&w.scratch);
    return got;
}

static int show(struct downstream *d, struct arena *a, struct batch *b, const struct record *r,
                const struct value *said, struct err *e)
{
    int64_t n;
    const char *words = value_text(said, &n);
    struct batch_text text = writing_encode(d, a, words ? words : "", (size_t)n, INT64_MAX);

    return put(d, a, b, r, &text, e);
}

/* ---- the tasks ---- */

#define WRITES                                                                                                         \
    .writes_text = true, .configure = configure, .prepare = prepare, .add = add, .evaluate = evaluate, .truth = truth, \
    .predict = predict, .show = show
#define PAPER .beta2 = 0.98, .weight_decay = 0.01, .warmup = 0.06, .schedule = "linear", .smoothing = 0.1

const struct downstream_kind generation_tasks[] = {
    { .name = "captioning",
      .summary = "a text that says what an image shows (COCO)",
      .metric = { { "cider", "score" } },
      .uses_images = true,
      .predicts_from_images = true,
      .fits_any_model = true,
      .is_caption = true,
      .ends_with_sep = true,
      .defaults = { { .lr = 7e-6,
                      .epochs = 20,
                      .max_target = 50,
                      .min_length = 5,
                      .max_length = 50,
                      .beam = 5,
                      .length_penalty = 0.6,
                      .adv_steps = 4,
                      .adv_lr = 0.03,
                      .adv_max_norm = 0,
                      .tag_score = 0.35,
                      PAPER },
                    { .lr = 7e-6,
                      .epochs = 10,
                      .max_target = 50,
                      .min_length = 5,
                      .max_length = 50,
                      .beam = 5,
                      .length_penalty = 0.6,
                      .adv_steps = 4,
                      .adv_lr = 0.05,
                      .adv_max_norm = 0.4,
                      .tag_score = 0.2,
                      PAPER } },
      WRITES },
    { .name = "cnndm",
      .summary = "the summary of a news article (CNN/DailyMail)",
      .metric = { { "rouge", "rougeL" }, { "bleu", "bleu4" } },
      .defaults = { { .lr = 4e-5,
                      .epochs = 20,
                      .max_source = 512,
                      .max_target = 128,
                      .min_length = 20,
                      .max_length = 128,
                      .beam = 5,
                      .length_penalty = 0.6,
                      .block_trigrams = true,
                      PAPER },
                    { .lr = 2e-5,
                      .epochs = 20,
                      .max_source = 512,
                      .max_target = 128,
                      .min_length = 20,
                      .max_length = 128,
                      .beam = 6,
                      .length_penalty = 1.2,
                      .block_trigrams = true,
                      PAPER } },
      WRITES },
    { .name = "gigaword",
      .summary = "the headline of a sentence (Gigaword)",
      .metric = { { "rouge", "rougeL" }, { "bleu", "bleu4" } },
      .defaults = { { .lr = 3e-5,
                      .epochs = 10,
                      .max_source = 128,
                      .max_target = 32,
                      .min_length = 5,
                      .max_length = 32,
                      .beam = 5,
                      .length_penalty = 0.6,
                      PAPER },
                    { .lr = 3e-5,
                      .epochs = 10,
                      .max_source = 128,
                      .max_target = 32,
                      .min_length = 5,
                      .max_length = 32,
                      .beam = 6,
                      .length_penalty = 1.2,
                      PAPER } },
      WRITES },
    { .name = "squad-qg",
      .needs_pair = true,
      .summary = "a question whose answer is marked in a passage (SQuAD)",
      .metric = { { "bleu", "bleu4" } },
      .defaults = { { .lr = 1.25e-5,
                      .epochs = 20,
                      .max_source = 416,
                      .max_target = 96,
                      .min_length = 5,
                      .max_length = 48,
                      .beam = 5,
                      .length_penalty = 1.0,
                      PAPER },
                    { .lr = 5e-6,
                      .epochs = 20,
                      .max_source = 416,
                      .max_target = 96,
                      .min_length = 5,
                      .max_length = 48,
                      .beam = 6,
                      .length_penalty = 1.2,
                      PAPER } },
      WRITES },
    { .name = "coqa",
      .summary = "the answer to a question in a conversation about a document (CoQA)",
      .metric = { { "coqa", "f1" }, { "f1", "f1" }, { "bleu", "bleu1" } },
      .is_dialog = true,
      .defaults = { { .lr = 1e-5,
                      .epochs = 20,
                      .max_source = 480,
                      .max_target = 32,
                      .max_length = 30,
                      .beam = 3,
                      PAPER },
                    { .lr = 8e-6,
                      .epochs = 20,
                      .max_source = 480,
                      .max_target = 32,
                      .max_length = 30,
                      .beam = 3,
                      PAPER } },
      WRITES },
    { .name = "generate",
      .summary = "any text for any other, perhaps with an image",
      .metric = { { "rouge", "rougeL" }, { "bleu", "bleu4" } },
      .defaults = { { .lr = 3e-5,
                      .epochs = 10,
                      .max_source = 512,
                      .max_target = 128,
                      .min_length = 1,
                      .max_length = 128,
                      .beam = 5,
                      .length_penalty = 0.6,
                      PAPER },
                    { .lr = 2e-5,
                      .epochs = 10,
                      .max_source = 512,
                      .max_target = 128,
                      .min_length = 1,
                      .max_length = 128,
                      .beam = 5,
                      .length_penalty = 0.6,
                      PAPER } },
      WRITES },
    { 0 },
};
