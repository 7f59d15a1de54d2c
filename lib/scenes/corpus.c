#include "scenes/corpus.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "image/jpeg.h"
#include "scenes/language.h"
#include "stream/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPTIONS = 5, QUESTIONS = 3 };
enum stream { STREAM_TRUTH, STREAM_PAIRS, STREAM_ENTAILMENT, STREAM_QUESTIONS, STREAM_SWAPS, STREAMS };
static const char *const stream_suffix[STREAMS] = { "", ".pairs", ".entailment", ".questions", ".swaps" };

/* One kind of output: "train" with all its streams, "images" with pictures only, "texts" with sentences only. */
struct split {
    const char *name;
    int64_t n;
    enum composition composition;
    bool has_pictures, has_texts;
};
struct work {
    const struct corpus_opts *o;
    const struct split *split;
    const struct sprites *sprites;
    struct writer *out[STREAMS];
    int64_t made;
    struct progress progress;
};
struct job {
    int64_t number;
    struct record *records[STREAMS][16];
    int n[STREAMS];
};

static struct record *new_record(struct job *j, enum stream s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static struct record *new_record(struct job *j, enum stream s, const char *fmt, ...)
{
    struct record *r = record_new();
    struct str id = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vaddf(&id, fmt, ap);
    va_end(ap);
    value_set(r->fields, "id", value_str(id.data));
    str_release(&id);
    return j->records[s][j->n[s]++] = r;
}

static struct value *truth_object(const struct object *o)
{
    static const char *const sizes[] = { "small", NULL, "large" };
    struct value *v = value_object(), *attributes = value_array();

    if (o->colour >= 0) value_push(attributes, value_str(colours[o->colour].name));
    if (sizes[o->size]) value_push(attributes, value_str(sizes[o->size]));
    value_set(v, "class", value_str(o->noun->name));
    value_set(v, "attributes", attributes);
    value_set(v, "box", value_reals(o->box, 4));
    return v;
}

static void add_truth(struct record *r, const struct scene *s)
{
    struct value *objects = value_array(), *relations = value_array();
    enum relation which[3];

    for (int i = 0; i < s->n; i++) value_push(objects, truth_object(&s->objects[i]));
    for (int a = 0; a < s->n; a++) {
        for (int b = 0; b < s->n; b++) {
            for (int k = a == b ? 0 : scene_relations(s, a, b, which); k-- > 0;) {
                struct value *v = value_object();
                value_set(v, "subject", value_int(a));
                value_set(v, "relation", value_str(relation_phrase(which[k])));
                value_set(v, "object", value_int(b));
                value_push(relations, v);
            }
        }
    }
    value_set(r->fields, "scene", value_str(s->place->name));
    value_set(r->fields, "objects", objects);
    value_set(r->fields, "relations", relations);
}

static void set_text(struct record *r, const char *key, struct str *s)
{
    value_set(r->fields, key, value_strn(s->data, (int64_t)s->n));
    str_clear(s);
}

static bool is_repeated(const struct value *captions, const struct str *s)
{
    for (int64_t i = 0; i < value_count(captions); i++) {
        if (!strcmp(value_text(value_at(captions, i), NULL), s->data)) return true;
    }
    return false;
}

/* Five different captions in different forms, on the truth and as pairs. */
static void add_captions(struct job *j, const char *id, const struct scene *s, struct rng *r)
{
    struct value *captions = value_array();
    struct str text = { 0 };
    int64_t first = rng_below(r, CAPTION_FORMS);

    for (int64_t k = 0; value_count(captions) < CAPTIONS; k++) {
        str_clear(&text);
        language_caption(&text, s, (int)((first + k) % CAPTION_FORMS), r);
        if (is_repeated(captions, &text)) continue;
        struct record *p = new_record(j, STREAM_PAIRS, "%s#%d", id, (int)value_count(captions));
        value_push(captions, value_strn(text.data, (int64_t)text.n));
        set_text(p, "text", &text);
        value_set(p->fields, "image", value_str(id));
    }
    value_set(j->records[STREAM_TRUTH][0]->fields, "captions", captions);
    str_release(&text);
}

/* Three statements, one of each label. Half of the contradictions carry a detail like the neutral ones, so that the
 * text alone tells no more than two labels in three. */
static void add_entailment(struct job *j, const char *id, const struct scene *s, const struct scene *other,
                           struct rng *r)
{
    static const char *const labels[] = { "entailment", "neutral", "contradiction" };
    struct str text = { 0 };

    for (int k = 0; k < 3; k++) {
        bool has_detail = rng_uniform(r) < 0.5;
        if (k == 0) language_statement(&text, s, r, NULL);
        else if (k == 1) language_detail(&text, s, other, false, r);
        else if (has_detail) language_detail(&text, s, other, true, r);
        else language_false_statement(&text, s, other, r);
        struct record *p = new_record(j, STREAM_ENTAILMENT, "%s/%c", id, labels[k][0]);
        set_text(p, "text", &text);
        value_set(p->fields, "image", value_str(id));
        value_set(p->fields, "label", value_str(labels[k]));
    }
    str_release(&text);
}

static bool is_asked(const struct job *j, const struct str *question)
{
    for (int i = 0; i < j->n[STREAM_QUESTIONS]; i++) {
        const struct value *asked = value_get(j->records[STREAM_QUESTIONS][i]->fields, "text");
        if (!strcmp(value_text(asked, NULL), question->data)) return true;
    }
    return false;
}

/* Different questions: one that was asked is drawn again, from `again`, so that nothing else of the scene changes. */
static void add_questions(struct job *j, const char *id, const struct scene *s, struct rng *r, struct rng *again)
{
    struct str question = { 0 }, answer = { 0 };

    for (int k = 0; k < QUESTIONS; k++) {
        language_question(&question, &answer, s, r);
        while (is_asked(j, &question)) {
            str_clear(&question);
            str_clear(&answer);
            language_question(&question, &answer, s, again);
        }
        struct record *p = new_record(j, STREAM_QUESTIONS, "%s?%d", id, k);
        set_text(p, "text", &question);
        value_set(p->fields, "image", value_str(id));
        set_text(p, "label", &answer);
    }
    str_release(&question);
    str_release(&answer);
}

/* Which of two texts of the same words is true? The one that the label names. */
static void add_swaps(struct job *j, const char *id, const struct scene *s, struct rng *r)
{
    struct str good = { 0 }, bad = { 0 };

    for (int relation = 0; relation < 2; relation++) {
        bool is_first = rng_below(r, 2);
        if (!language_swap(&good, &bad, s, relation, r)) continue;
        struct record *p = new_record(j, STREAM_SWAPS, "%s~%c", id, relation ? 'r' : 'a');
        set_text(p, "text", is_first ? &good : &bad);
        set_text(p, "other", is_first ? &bad : &good);
        value_set(p->fields, "image", value_str(id));
        value_set(p->fields, "label", value_str(is_first ? "text" : "other"));
    }
    str_release(&good);
    str_release(&bad);
}

/* Pictures are not synced one by one: the stream that names them is, after all of them. */
static int write_picture(const struct work *w, const char *name, const struct image *m, struct err *e)
{
    char *path = path_join(w->o->dir, name);
    uint8_t *data = NULL;
    size_t n;
    int rc = jpeg_encode(m, w->o->quality, &data, &n, e), fd = -1;

    if (!rc && (fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
        rc = err_errno(e, "cannot create");
    if (!rc) rc = file_write(fd, data, n, e);
    if (fd >= 0 && close(fd) && !rc) rc = err_errno(e, "cannot write");
    if (rc) err_in(e, "%s", path);
    free(data);
    free(path);
    return rc;
}

static void scene_id(char *id, size_t size, const char *split, int64_t number)
{
    snprintf(id, size, "%s-%06" PRId64, split, number);
}

/* Whether a file in the split's folder is a picture that a larger corpus had. */
static bool is_surplus(const struct split *split, const char *file)
{
    char id[64], digits[24] = "";
    size_t from = strlen(split->name) + 1, n = strcspn(file, ".");
    int64_t number;

    if (n <= from || n - from >= sizeof digits) return false;
    memcpy(digits, file + from, n - from);
    if (!str_to_int(digits, split->n, INT64_MAX, &number)) return false;
    scene_id(id, sizeof id, split->name, number);
    return !strncmp(file, id, strlen(id)) && !strcmp(file + strlen(id), ".jpg");
}

/* unimo-regionfeat takes all pictures of a folder, and so those that no stream names any more. */
static int remove_surplus(const struct split *split, const char *folder, struct err *e)
{
    static const char *const suffixes[] = { ".jpg", NULL };
    char **names;
    int64_t n = dir_list(folder, suffixes, &names, e);
    int rc = n < 0 ? -1 : 0;

    for (int64_t i = 0; i < n; i++) {
        char *path = path_join(folder, names[i]);
        if (!rc && is_surplus(split, names[i]) && unlink(path)) rc = err_errno(e, "%s: cannot remove", path);
        free(path);
        free(names[i]);
    }
    if (n >= 0) free(names);
    return rc;
}

static int next_scene(void *arg, void **job, struct err *e)
{
    struct work *w = arg;
    struct job *j;

    if (w->made == w->split->n) return 0;
    *job = j = mem_new(struct job, 1);
    j->number = w->made++;
    return 1;
}

static void make_text(struct job *j, const struct scene *s, struct rng *r)
{
    struct str text = { 0 };
    struct record *p = new_record(j, STREAM_TRUTH, "text-%06" PRId64, j->number);

    language_caption(&text, s, (int)rng_below(r, CAPTION_FORMS), r);
    set_text(p, "text", &text);
    str_release(&text);
}

static int make_scene(void *arg, void *job, int worker, struct err *e)
{
    struct work *w = arg;
    struct job *j = job;
    struct scene s, other;
    struct image m, unused;
    struct rng r, again;
    uint64_t split = hash64(w->split->name, strlen(w->split->name), 0);
    char id[64], name[128];

    scene_id(id, sizeof id, w->split->name, j->number);
    rng_init(&r, w->o->seed, rng_stream(split, (uint64_t)j->number, 0));
    rng_init(&again, w->o->seed, rng_stream(split, (uint64_t)j->number, 1));
    if (scene_make(&s, &m, w->sprites, &r, w->split->composition, e)) return -1;
    int rc = 0;
    if (w->split->has_pictures) {
        snprintf(name, sizeof name, "%s/%s.jpg", w->split->name, id);
        rc = write_picture(w, name, &m, e);
        struct record *t = new_record(j, STREAM_TRUTH, "%s", id);
        value_set(t->fields, "image", value_str(name));
        value_set(t->fields, "width", value_int(m.width));
        value_set(t->fields, "height", value_int(m.height));
        if (w->split->has_texts) add_truth(t, &s);
    }
    image_release(&m);
    if (rc) return -1;
    if (!w->split->has_pictures) make_text(j, &s, &r);
    if (!w->split->has_pictures || !w->split->has_texts) return 0;
    add_captions(j, id, &s, &r);
    if (scene_make(&other, &unused, w->sprites, &r, w->split->composition, e)) return -1;
    image_release(&unused);
    add_entailment(j, id, &s, &other, &r);
    add_questions(j, id, &s, &r, &again);
    add_swaps(j, id, &s, &r);
    return 0;
}

static int put_scene(void *arg, void *job, bool failed, struct err *e)
{
    struct work *w = arg;
    struct job *j = job;
    int rc = 0;

    for (int s = 0; s < STREAMS; s++) {
        for (int i = 0; i < j->n[s]; i++) {
            if (!failed && !rc) rc = writer_put(w->out[s], j->records[s][i], e);
            record_free(j->records[s][i]);
        }
    }
    progress_step(&w->progress, j->number + 1, NULL);
    free(j);
    return rc;
}

static char *stream_path(const char *folder, enum stream s)
{
    struct str path = { 0 };

    str_addf(&path, "%s%s.jsonl.zst", folder, stream_suffix[s]);
    return path.data;
}

/* Streams that are there already speak of pictures that are about to be replaced: should this run be cut short, none
 * is better than a wrong one. */
static int remove_streams(const char *folder, int streams, struct err *e)
{
    int rc = 0;

    for (int s = 0; s < streams && !rc; s++) {
        char *path = stream_path(folder, s);
        if (unlink(path) && errno != ENOENT) rc = err_errno(e, "%s: cannot replace", path);
        free(path);
    }
    return rc;
}

/* The streams are committed only when all of them are complete. */
static int make_split(const struct corpus_opts *o, const struct sprites *sprites, const struct split *split,
                      struct err *e)
{
    struct work w = { .o = o, .split = split, .sprites = sprites };
    int streams = split->has_pictures && split->has_texts ? STREAMS : 1, rc = 0;
    char *folder = path_join(o->dir, split->name);

    if (split->has_pictures) rc = dir_make(folder, e) ? -1 : remove_streams(folder, streams, e);
    for (int s = 0; s < streams && !rc; s++) {
        char *path = stream_path(folder, s);
        w.out[s] = writer_open(path, NULL, e);
        if (!w.out[s]) rc = -1;
        free(path);
    }
    struct pipeline p = { next_scene, make_scene, put_scene, &w, o->threads, 4 * o->threads };
    progress_begin(&w.progress, split->name, split->n);
    if (!rc) rc = pipeline_run(&p, e);
    progress_end(&w.progress);
    for (int s = 0; s < streams; s++) {
        rc = writer_end(w.out[s], rc, e);
    }
    if (!rc && split->has_pictures) rc = remove_surplus(split, folder, e);
    free(folder);
    return rc;
}

int corpus_make(const struct corpus_opts *o, struct err *e)
{
    const struct split splits[] = { { "train", o->train, COMPOSE_SEEN, true, true },
                                    { "dev", o->dev, COMPOSE_SEEN, true, true },
                                    { "test", o->test, COMPOSE_HELD_OUT, true, true },
                                    { "images", o->images, COMPOSE_SEEN, true, false },
                                    { "texts", o->texts, COMPOSE_SEEN, false, true } };
    struct sprites sprites;
    int rc = dir_make(o->dir, e);

    if (rc || sprites_load(&sprites, o->sprites, e)) return -1;
    for (size_t i = 0; i < sizeof splits / sizeof *splits && !rc; i++) {
        if (splits[i].n) rc = make_split(o, &sprites, &splits[i], e);
    }
    sprites_release(&sprites);
    return rc;
}
