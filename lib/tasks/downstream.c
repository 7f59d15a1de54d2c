#include "tasks/downstream.h"
#include "core/hash.h"
#include "model/input.h"
#include "score/metrics.h"
#include "tasks/neighbours.h"
#include "tasks/writing.h"
#include "text/bpe.h"
#include <string.h>

const struct downstream_kind *const downstream_families[] = { retrieval_tasks, generation_tasks, labels_tasks,
                                                              embedding_tasks, NULL };

const struct downstream_kind *downstream_find(const char *name, struct err *e)
{
    struct str names = { 0 };

    for (int i = 0; downstream_families[i]; i++) {
        for (const struct downstream_kind *k = downstream_families[i]; k->name; k++) {
            if (!strcmp(k->name, name)) {
                str_release(&names);
                return k;
            }
            str_addf(&names, "%s%s", names.n ? ", " : "", k->name);
        }
    }
    err_set(e, ERR_USAGE, "--task: no task %s (expected one of %s)", err_quote(name), names.data);
    str_release(&names);
    return NULL;
}

const struct downstream_defaults *downstream_defaults(const struct downstream_kind *k, const struct model_config *c)
{
    return &k->defaults[c->hidden >= 1024];
}

const struct downstream_metric *downstream_metric(const struct downstream_kind *k)
{
    const struct downstream_metric *m = k->metric;

    while (m[1].metric && !metrics_known(m->metric)) m++;
    return m;
}

static int open_store(struct store **s, const struct file_list *files, struct err *e)
{
    if (!files->n) return 0;
    *s = store_open(files->at, files->n, 0, e);
    if (!*s) return -1;
    return store_count(*s) ? 0 : err_set(e, ERR_INPUT, "%s: no records", files->at[0]);
}

int downstream_open(struct downstream *d, const struct downstream_kind *kind, const struct downstream_opts *o,
                    struct err *e)
{
    *d = (struct downstream){ .kind = kind, .o = *o, .lock = PTHREAD_MUTEX_INITIALIZER };
    int rc = open_store(&d->train, &o->train, e);
    if (!rc) rc = open_store(&d->dev, &o->dev, e);
    if (!rc) rc = open_store(&d->images, &o->images, e);
    bool needs_images = kind->uses_images && (o->train.n || !kind->predicts_from_images);
    if (!rc && needs_images && !d->images)
        rc = err_set(e, ERR_USAGE, "--images: region features are required for %s", kind->name);
    if (!rc && kind->writes_text && !(d->bpe = bpe_load(o->vocabulary, e))) rc = -1;
    if (!rc && o->hard_file && !(d->hard = neighbours_open(o->hard_file, d->train, e))) rc = -1;
    if (rc) downstream_release(d);
    return rc;
}

int downstream_check_vocabulary(const struct downstream *d, const struct model_config *c, struct err *e)
{
    if (!d->bpe || bpe_size(d->bpe) == c->vocab) return 0;
    return err_set(e, ERR_INPUT, "%s: the vocabulary has %d tokens (the model has %d)", d->o.vocabulary,
                   bpe_size(d->bpe), c->vocab);
}

/* Where images are the user's choice, the model remembers what it learnt from. */
int downstream_configure(struct downstream *d, struct model_config *c, struct err *e)
{
    if (d->kind->configure(d, c, e)) return -1;
    if (d->kind->uses_images || !d->images) return 0;
    if (!c->task_options) c->task_options = value_object();
    value_set(c->task_options, "images", value_bool(true));
    return 0;
}

static bool has_learnt_from_images(const struct model_config *c)
{
    return c->task_options && value_is_true(value_get(c->task_options, "images"));
}

int downstream_use(struct downstream *d, const struct model_config *c, struct err *e)
{
    d->config = c;
    if (!d->kind->uses_images && !d->images && has_learnt_from_images(c))
        return err_set(e, ERR_USAGE, "--images: the model has learnt from images");
    if (downstream_check_vocabulary(d, c, e)) return -1;
    if (d->kind->writes_text && writing_check_settings(c, e)) return err_in(e, "%s/config.json", d->o.vocabulary);
    return d->o.only ? writing_read_only(d, e) : 0;
}

static const char *id(void *arg, int collection, int64_t i)
{
    const struct downstream *d = arg;

    return store_id(d->train, i);
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;
    int rc = d->kind->evaluate(d, m, s, report, score, e);

    arena_reset(&d->measuring);
    return rc;
}

void downstream_task(struct downstream *d, struct task *t, const struct model_config *c)
{
    d->config = c;
    *t = (struct task){ .name = d->kind->name,
                        .n_collections = 1,
                        .at = { { "train", store_count(d->train), 1, d->train } },
                        .referred = d->images,
                        .add = d->kind->add,
                        .id = id,
                        .arg = d };
    if (d->dev && d->kind->evaluate) {
        const struct downstream_metric *m = downstream_metric(d->kind);
        t->metric = strcmp(m->figure, "score") ? m->figure : m->metric;
        t->evaluate = evaluate;
    }
    d->kind->prepare(d, t);
}

void downstream_release(struct downstream *d)
{
    store_close(d->train);
    store_close(d->dev);
    store_close(d->images);
    bpe_free(d->bpe);
    encoding_release(&d->encoded);
    answers_release(&d->answers);
    neighbours_close(d->hard);
    arena_release(&d->measuring);
    *d = (struct downstream){ 0 };
}

int downstream_image(const struct downstream *d, struct arena *a, const struct value *fields, struct batch_image *image,
                     struct err *e)
{
    const char *name;

    if (value_get_string(fields, "image", &name, e)) return -1;
    return input_image_id(a, d->config, d->images, name, false, image, e);
}

int downstream_maybe_image(const struct downstream *d, struct arena *a, const struct value *fields,
                           struct batch_image *image, bool *has_image, struct err *e)
{
    *has_image = d->kind->uses_images || (d->images && value_get(fields, "image"));
    return *has_image ? downstream_image(d, a, fields, image, e) : 0;
}

int64_t downstream_dev_count(const struct downstream *d)
{
    int64_t n = store_count(d->dev);

    return d->o.eval_limit && d->o.eval_limit < n ? d->o.eval_limit : n;
}

/* A text and an image that never meet. */
static int check_apart(struct downstream *d, struct arena *a, const struct record *r, struct err *e)
{
    struct batch_text text;
    struct batch_image image;

    return input_text(a, d->config, r->fields, "text", &text, e) || downstream_image(d, a, r->fields, &image, e) ? -1
                                                                                                                 : 0;
}

/* An example that is to be measured. images: those of captions, which are measured by image. */
static int check_example(struct downstream *d, struct batch *b, struct arena *a, const struct record *r,
                         struct map *images, struct err *e)
{
    const char *image;

    if (d->kind->show ? d->kind->show(d, a, b, r, NULL, e) : check_apart(d, a, r, e)) return -1;
    if (d->kind->truth && downstream_check_truth(d, r, e)) return -1;
    if (!d->kind->is_caption) return 0;
    if (value_get_string(r->fields, "image", &image, e)) return -1;
    map_put(images, image, strlen(image), NULL);
    return 0;
}

int downstream_check_dev(struct downstream *d, struct err *e)
{
    struct map images = { 0 };
    struct arena arena = { 0 };
    struct batch b;
    int rc = 0;

    if (!d->dev) return 0;
    batch_init(&b, d->config);
    for (int64_t i = 0; i < downstream_dev_count(d) && !rc; i++) {
        struct record *r;
        if ((rc = store_get(d->dev, i, &r, e))) break;
        rc = check_example(d, &b, &arena, r, &images, e);
        if (rc) record_bad(r, e);
        record_free(r);
        batch_clear(&b);
        arena_reset(&arena);
    }
    if (!rc && images.n == 1)
        rc = err_set(e, ERR_INPUT, "%s: captions of one image are in use (CIDEr compares two or more)", d->o.dev.at[0]);
    map_release(&images);
    batch_release(&b);
    arena_release(&arena);
    return rc;
}
