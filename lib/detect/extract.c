/* Three stages at once, in the order of the inputs: threads decode and resize pictures ahead of the network; the
 * network runs on those whose inputs have one size; one thread behind it chooses regions, draws and writes. */
#include "detect/extract.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/str.h"
#include "detect/grid.h"
#include "detect/pictures.h"
#include "image/draw.h"
#include "image/jpeg.h"
#include "stream/inputs.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 8, BATCH_PIXELS = 2 << 20 }; /* of inputs: what large ones share is little, and takes much memory */
#define DECODED_MOST (1LL << 30)            /* bytes: one picture of the largest kind, or hundreds from a camera */

struct run {
    struct detector *d;
    const struct extract_opts *o;
    struct writer *out;
    struct items all;
    struct budget memory; /* of decoded pictures */
    struct follower *behind;
    struct progress progress;
    int64_t done, skipped;
    struct err first_bad;
    int64_t next; /* item to decode */
    int n;        /* views of one input size that wait for the network */
    struct view views[BATCH];
    const struct item *items[BATCH];
};

/* A picture on its way from its file to the network. */
struct job {
    const struct item *item;
    struct view view;
    struct err bad;
};

static int next_job(void *arg, void **job, struct err *e)
{
    struct run *run = arg;

    if (run->next == run->all.n) return 0;
    struct job *j = mem_new(struct job, 1);
    j->item = &run->all.at[run->next++];
    *job = j;
    return 1;
}

static int decode_job(void *arg, void *job, int worker, struct err *e)
{
    struct run *run = arg;
    struct job *j = job;

    const char *path = j->item->path;

    if (!utf8_valid(j->item->id, strlen(j->item->id)) || !utf8_valid(j->item->name, strlen(j->item->name))) {
        err_set(&j->bad, ERR_INPUT, "%s: a name that is not UTF-8 can be no id", path);
        return 0;
    }
    if (!view_load(&j->view, &run->d->config, path, run->o->shrinks, &run->memory, &j->bad)) return 0;
    /* a picture that is not there is one that its record is wrong about, not a failure to read */
    if (j->bad.code == ERR_IO && access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        j->bad.code = ERR_INPUT;
    return 0;
}

static struct value *name_list(const struct names *names, const int *at, int64_t n)
{
    struct value *v = value_array();

    for (int64_t i = 0; i < n; i++) value_push(v, value_str(names->at[at[i]]));
    return v;
}

/* Rows `at` of a matrix as a tensor of the wanted type. */
static void set_rows(struct record *r, const char *name, enum dtype t, const float *rows, int64_t width,
                     const struct selection *s)
{
    float *picked = mem_new(float, s->n *width + 1);
    void *out = mem_alloc((size_t)(s->n * width + 1), (size_t)dtype_size(t));

    for (int64_t i = 0; i < s->n; i++)
        memcpy(picked + i * width, rows + s->at[i] * width, (size_t)width * sizeof(float));
    dtype_from_f32(out, t, picked, s->n * width);
    record_set_tensor(r, name, t, 2, (int64_t[]){ s->n, width }, out);
    free(picked);
    free(out);
}

/* Of the regions' best classes or attributes: their numbers and probabilities. */
static void set_best(struct record *r, const char *ids, const char *scores, const int *best, const float *probs,
                     int64_t width, const struct selection *s)
{
    int64_t *number = mem_new(int64_t, s->n + 1);
    float *p = mem_new(float, s->n + 1);

    for (int64_t i = 0; i < s->n; i++) {
        number[i] = best[i];
        p[i] = probs[s->at[i] * width + best[i]];
    }
    record_set_tensor(r, ids, DT_I64, 1, &s->n, number);
    record_set_tensor(r, scores, DT_F32, 1, &s->n, p);
    free(number);
    free(p);
}

static struct record *regions_record(const struct run *run, const struct item *item, const struct detections *x,
                                     const struct selection *s)
{
    const struct detect_config *c = &run->d->config;
    const struct box *boxes = run->o->select.refined ? x->refined : x->proposals;
    struct record *r = record_new();

    value_set(r->fields, "id", value_str(item->id));
    value_set(r->fields, "image", value_str(item->name));
    value_set(r->fields, "width", value_int(x->width));
    value_set(r->fields, "height", value_int(x->height));
    value_set(r->fields, "classes", name_list(&c->classes, s->class_of, s->n));
    value_set(r->fields, "scores", value_reals(s->confidence, s->n));
    if (x->attribute_probs) value_set(r->fields, "attributes", name_list(&c->attributes, s->attribute_of, s->n));
    set_rows(r, "boxes", DT_F32, (const float *)boxes, 4, s);
    set_rows(r, "features", run->o->dtype, x->features, detector_feature_size(run->d), s);
    set_rows(r, "class_probs", run->o->dtype, x->probs, c->classes.n, s);
    set_best(r, "class_ids", "class_scores", s->class_of, x->probs, c->classes.n, s);
    if (x->attribute_probs)
        set_best(r, "attribute_ids", "attribute_scores", s->attribute_of, x->attribute_probs, c->attributes.n, s);
    return r;
}

static struct record *grid_record(const struct run *run, const struct item *item, const struct grid *g)
{
    const struct detect_config *c = &run->d->config;
    int64_t cells = (int64_t)g->rows * g->columns, width = c->stages[c->n_stages - 1].channels;
    void *features = mem_alloc((size_t)(cells * width), (size_t)dtype_size(run->o->dtype));
    struct record *r = record_new();

    value_set(r->fields, "id", value_str(item->id));
    value_set(r->fields, "image", value_str(item->name));
    value_set(r->fields, "width", value_int(g->width));
    value_set(r->fields, "height", value_int(g->height));
    value_set(r->fields, "grid", value_ints((int32_t[]){ g->rows, g->columns }, 2));
    record_set_tensor(r, "boxes", DT_F32, 2, (int64_t[]){ cells, 4 }, g->boxes);
    dtype_from_f32(features, run->o->dtype, g->features, cells * width);
    record_set_tensor(r, "features", run->o->dtype, 2, (int64_t[]){ cells, width }, features);
    free(features);
    return r;
}

/* The folder to draw in may be that of the pictures: none of them is drawn over, whoever's drawing it would be. */
static int begin_drawing(const struct run *run, struct err *e)
{
    struct map there = { 0 }; /* files that drawings would replace */
    struct file_key key;
    int rc = dir_make(run->o->draw, e);

    for (int64_t i = 0; i < run->all.n && !rc; i++) {
        char *drawn = path_of_id(run->o->draw, run->all.at[i].id, ".jpg");
        if (file_key(&key, drawn)) map_put(&there, &key, sizeof key, NULL);
        free(drawn);
    }
    for (int64_t i = 0; i < run->all.n && !rc && there.n; i++) {
        const char *picture = run->all.at[i].path;
        if (!file_key(&key, picture) || !map_find(&there, &key, sizeof key)) continue;
        rc = err_set(e, ERR_INPUT, "%s: is both input and output", picture);
    }
    map_release(&there);
    return rc;
}

/* The picture is decoded again: keeping all of a batch would take much memory for what is rarely asked for. */
static int draw_regions(struct run *run, const struct item *item, const struct detections *x, const struct selection *s,
                        struct err *e)
{
    const struct detect_config *c = &run->d->config;
    const struct box *boxes = run->o->select.refined ? x->refined : x->proposals;
    struct str label = { 0 };
    struct image m;

    if (jpeg_load(&m, item->path, e)) return -1;
    int size = draw_label_size(&m);
    for (int64_t i = s->n - 1; i >= 0; i--) { /* the surest last, on top */
        struct box b = boxes[s->at[i]];
        if (s->confidence[i] < run->o->select.threshold) continue;
        str_clear(&label);
        if (s->attribute_of[i]) str_addf(&label, "%s ", c->attributes.at[s->attribute_of[i]]);
        str_addf(&label, "%s %.2f", c->classes.at[s->class_of[i]], (double)s->confidence[i]);
        draw_box(&m, b.x1, b.y1, b.x2, b.y2, 2 * size, draw_colour(s->class_of[i]));
        draw_label(&m, (int)b.x1, (int)b.y1 - LABEL_HEIGHT * size, size, label.data, 0xffffff,
                   draw_colour(s->class_of[i]));
    }
    char *path = path_of_id(run->o->draw, item->id, ".jpg");
    int rc = jpeg_save(&m, path, 90, e);
    free(path);
    str_release(&label);
    image_release(&m);
    return rc;
}

/* What the network said about a picture, on its way to the output. */
struct answer {
    const struct item *item;
    struct detections regions;
    struct grid grid;
};

static int put_answer(struct run *run, const struct answer *a, struct err *e)
{
    struct selection s = { 0 };
    bool is_grid = run->o->grid;

    if (!is_grid) select_regions(&s, &a->regions, &run->d->config, &run->o->select);
    struct record *r = is_grid ? grid_record(run, a->item, &a->grid) : regions_record(run, a->item, &a->regions, &s);
    int rc = writer_put(run->out, r, e);
    if (!rc && run->o->draw) rc = draw_regions(run, a->item, &a->regions, &s, e);
    record_free(r);
    selection_release(&s);
    return rc;
}

static int write_answer(void *arg, void *item, bool failed, struct err *e)
{
    struct answer *a = item;
    int rc = failed ? 0 : put_answer(arg, a, e);

    detections_release(&a->regions);
    grid_release(&a->grid);
    free(a);
    return rc;
}

static int look(struct run *run, struct answer **answers, struct err *e)
{
    struct detections x[BATCH] = { 0 };
    struct grid g[BATCH] = { 0 };
    int rc = run->o->grid ? detector_grid(run->d, g, run->views, run->n, run->o->select.max, e)
                          : detector_run(run->d, x, run->views, run->n, false, e);

    for (int i = 0; i < run->n && !rc; i++) {
        answers[i] = mem_new(struct answer, 1);
        *answers[i] = (struct answer){ run->items[i], x[i], g[i] };
    }
    return rc;
}

static int run_batch(struct run *run, struct err *e)
{
    struct answer *answers[BATCH];
    int rc = run->n ? look(run, answers, e) : 0;
    bool has_run = !rc;

    for (int i = 0; i < run->n; i++) {
        if (has_run && follower_give(run->behind, answers[i])) rc = -1;
        view_release(&run->views[i]);
    }
    run->done += run->n;
    progress_step(&run->progress, run->done, NULL);
    run->n = 0;
    return rc;
}

/* --skip-bad: a bad picture costs one place in a count; where the system refuses, nothing is known of the picture. */
static int bad_picture(struct run *run, struct err *e)
{
    if (!run->o->skip_bad || e->code != ERR_INPUT) return -1;
    if (!run->skipped++) run->first_bad = *e;
    err_clear(e);
    return 0;
}

static bool is_full(const struct run *run)
{
    const struct view *v = &run->views[0];

    return run->n == BATCH || (run->n + 1LL) * v->input_width * v->input_height > BATCH_PIXELS;
}

/* In the order of the inputs: the network runs when the batch is full, or the next input is of another size. */
static int done_job(void *arg, void *job, bool failed, struct err *e)
{
    struct run *run = arg;
    struct job *j = job;
    struct view *v = &j->view;
    int rc = 0;

    if (!failed && j->bad.code) {
        *e = j->bad;
        rc = bad_picture(run, e);
    } else if (!failed) {
        bool fits =
            !run->n || (v->input_width == run->views[0].input_width && v->input_height == run->views[0].input_height);
        if (!fits) rc = run_batch(run, e);
        run->items[run->n] = j->item;
        run->views[run->n++] = *v;
        *v = (struct view){ 0 };
        if (!rc && is_full(run)) rc = run_batch(run, e);
    }
    view_release(v);
    free(j);
    return rc;
}

static int run_all(struct run *run, struct err *e)
{
    int threads = run->d->device->threads;
    const struct pipeline p = { next_job, decode_job, done_job, run, threads, threads + 2 };

    if (!(run->behind = follower_start(BATCH, write_answer, run, e))) return -1;
    budget_init(&run->memory, DECODED_MOST);
    int rc = pipeline_run(&p, e);
    if (!rc) rc = run_batch(run, e);
    for (int i = 0; i < run->n; i++) view_release(&run->views[i]);
    rc = follower_end(run->behind, rc != 0, e);
    budget_release(&run->memory);
    return rc;
}

static bool is_of_shard(void *arg, int64_t i, const struct item *x)
{
    const struct extract_opts *o = ((struct run *)arg)->o;

    return i % o->shards == o->shard && (!o->limit || i / o->shards < o->limit);
}

/* What an earlier run has written needs no second look. */
static bool is_new(void *arg, int64_t i, const struct item *x)
{
    return !writer_has(((struct run *)arg)->out, x->id);
}

int extract_regions_to(struct detector *d, const char *const *paths, int n, const struct extract_opts *o,
                       struct writer *out, struct err *e)
{
    struct run run = { .d = d, .o = o, .out = out };
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) rc = items_add(&run.all, paths[i], o->skip_bad, e);
    if (!rc) rc = items_differ(&run.all, e); /* before any is looked at, and over all shards */
    if (!rc && o->draw) rc = begin_drawing(&run, e);
    items_filter(&run.all, is_of_shard, &run);
    if (!rc && o->append) items_filter(&run.all, is_new, &run);
    if (!rc) {
        progress_begin(&run.progress, "images", run.all.n);
        rc = run_all(&run, e);
        progress_end(&run.progress);
        if (!rc && run.skipped && run.skipped == run.all.n && !o->append)
            rc = err_set(e, ERR_INPUT, "%s (and so all images were skipped)", run.first_bad.text);
        else if (run.skipped)
            log_line("%" PRId64 " of %" PRId64 " images skipped (first: %s)", run.skipped, run.all.n,
                     run.first_bad.text);
    }
    items_release(&run.all);
    return rc;
}

static struct writer *open_output(const struct extract_opts *o, struct err *e)
{
    struct value *detector = value_array();
    const struct writer_opts how = { .plain = o->plain, .append = o->append, .others = detector };
    int rc = 0;

    for (int i = 0; detector_files[i] && !o->plain && !rc; i++) {
        char *file = path_join(o->detector, detector_files[i]);
        rc = inputs_add_file(detector, file, e);
        free(file);
    }
    struct writer *out = rc ? NULL : writer_open(o->output, &how, e);
    value_free(detector);
    return out;
}

int extract_regions(struct detector *d, const char *const *paths, int n, const struct extract_opts *o, struct err *e)
{
    struct writer *out = out_spares(o->output, paths, n, e) ? NULL : open_output(o, e);

    return writer_end(out, out ? extract_regions_to(d, paths, n, o, out, e) : -1, e);
}
