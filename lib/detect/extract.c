/* Pictures are decoded by threads ahead of the network; records are written in the order of the inputs. */
#include "detect/extract.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "detect/annotations.h"
#include "detect/grid.h"
#include "image/draw.h"
#include "image/jpeg.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 8 };

/* One picture to look at. */
struct item {
    char *id, *path, *name; /* name: for the field "image" */
};
struct items {
    int64_t n, cap;
    struct item *at;
};

static void add_item(struct items *all, const char *id, size_t id_n, const char *path, const char *name)
{
    mem_reserve(&all->at, &all->cap, all->n + 1);
    all->at[all->n++] = (struct item){ mem_strndup(id, id_n), mem_strdup(path), mem_strdup(name) };
}

static void add_file(struct items *all, const char *path)
{
    const char *base = path_base(path), *dot = strrchr(base, '.');

    add_item(all, base, dot && dot != base ? (size_t)(dot - base) : strlen(base), path, path);
}

static int add_folder(struct items *all, const char *path, struct err *e)
{
    static const char *const endings[] = { ".jpg", ".jpeg", NULL };
    char **names;
    int64_t n = dir_list(path, endings, &names, e);

    if (n < 0) return -1;
    for (int64_t i = 0; i < n; i++) {
        char *file = path_join(path, names[i]);
        add_file(all, file);
        free(file);
        free(names[i]);
    }
    free(names);
    return n ? 0 : err_set(e, ERR_INPUT, "%s: has no JPEGs (names ending in .jpg or .jpeg)", path);
}

static int add_stream(struct items *all, const char *path, bool skip_bad, struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true, .skip_bad = skip_bad }, e);
    struct record *r;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        const char *image, *id;
        int rc = record_string(r, "image", &image, e) || record_string(r, "id", &id, e) ? -1 : 0;
        if (!rc) {
            char *file = picture_path(path, image);
            add_item(all, id, strlen(id), file, image);
            free(file);
        } else {
            rc = reader_bad(in, r, e);
        }
        record_free(r);
        if (rc) got = -1;
        if (rc) break;
    }
    reader_close(in);
    return got;
}

static int add_path(struct items *all, const char *path, bool skip_bad, struct err *e)
{
    struct stat st;

    if (!strcmp(path, "-")) return add_stream(all, path, skip_bad, e);
    if (stat(path, &st)) return err_errno(e, "%s: cannot open", path);
    if (S_ISDIR(st.st_mode)) return add_folder(all, path, e);
    if (str_ends(path, ".jsonl") || str_ends(path, ".zst") || str_ends(path, ".json"))
        return add_stream(all, path, skip_bad, e);
    add_file(all, path);
    return 0;
}

static void items_release(struct items *all)
{
    for (int64_t i = 0; i < all->n; i++) {
        free(all->at[i].id);
        free(all->at[i].path);
        free(all->at[i].name);
    }
    free(all->at);
}

/* Up to BATCH decoded pictures of one input size. */
struct batch {
    int n;
    struct image pictures[BATCH];
    const struct item *items[BATCH];
};

struct run {
    struct detector *d;
    const struct extract_opts *o;
    struct writer *out;
    struct items all;
    struct progress progress;
    int64_t done, skipped;
    struct err first_bad;
    int64_t next; /* item to decode */
    struct batch batch;
};

/* A picture on its way from its file to the network. */
struct job {
    const struct item *item;
    struct image picture;
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
    struct job *j = job;

    jpeg_load(&j->picture, j->item->path, &j->bad);
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

static struct record *make_record(const struct run *run, const struct item *item, const struct detections *x,
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

static int put_grid(struct run *run, const struct item *item, const struct grid *g, struct err *e)
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
    int rc = writer_put(run->out, r, e);
    free(features);
    record_free(r);
    return rc;
}

static int draw_picture(const struct run *run, const struct item *item, struct image *m, const struct detections *x,
                        const struct selection *s, struct err *e)
{
    const struct detect_config *c = &run->d->config;
    const struct box *boxes = run->o->select.refined ? x->refined : x->proposals;
    struct str path = { 0 }, label = { 0 };

    for (int64_t i = s->n - 1; i >= 0; i--) { /* the surest last, on top */
        struct box b = boxes[s->at[i]];
        if (s->confidence[i] < run->o->select.threshold) continue;
        str_clear(&label);
        if (s->attribute_of[i]) str_addf(&label, "%s ", c->attributes.at[s->attribute_of[i]]);
        str_addf(&label, "%s %.2f", c->classes.at[s->class_of[i]], (double)s->confidence[i]);
        draw_box(m, b.x1, b.y1, b.x2, b.y2, 2, draw_colour(s->class_of[i]));
        draw_label(m, (int)b.x1, (int)b.y1 - 11, label.data, 0xffffff, draw_colour(s->class_of[i]));
    }
    str_addf(&path, "%s/%s.jpg", run->o->draw, item->id);
    for (char *p = path.data + strlen(run->o->draw) + 1; *p; p++) {
        if (*p == '/') *p = '_'; /* an id is no path */
    }
    int rc = jpeg_save(m, path.data, 90, e);
    str_release(&path);
    str_release(&label);
    return rc;
}

static int put_regions(struct run *run, struct batch *b, int i, const struct detections *x, struct err *e)
{
    struct selection s;

    select_regions(&s, x, &run->d->config, &run->o->select);
    struct record *r = make_record(run, b->items[i], x, &s);
    int rc = writer_put(run->out, r, e);
    if (!rc && run->o->draw) rc = draw_picture(run, b->items[i], &b->pictures[i], x, &s, e);
    record_free(r);
    selection_release(&s);
    return rc;
}

static int run_batch(struct run *run, struct batch *b, struct err *e)
{
    struct detections x[BATCH];
    struct grid grids[BATCH];
    bool is_grid = run->o->grid;
    int rc = !b->n     ? 0
             : is_grid ? detector_grid(run->d, grids, b->pictures, b->n, run->o->select.max, e)
                       : detector_run(run->d, x, b->pictures, b->n, e);
    bool has_run = !rc;

    for (int i = 0; i < b->n; i++) {
        if (!rc) rc = is_grid ? put_grid(run, b->items[i], &grids[i], e) : put_regions(run, b, i, &x[i], e);
        if (has_run && is_grid) grid_release(&grids[i]);
        if (has_run && !is_grid) detections_release(&x[i]);
        image_release(&b->pictures[i]);
    }
    run->done += b->n;
    progress_step(&run->progress, run->done, NULL);
    b->n = 0;
    return rc;
}

/* --skip-bad: a bad picture costs one place in a count. */
static int bad_picture(struct run *run, struct err *e)
{
    if (!run->o->skip_bad) return -1;
    if (!run->skipped++) run->first_bad = *e;
    err_clear(e);
    return 0;
}

/* In the order of the inputs: the network runs when the batch is full, or the next picture is of another size. */
static int done_job(void *arg, void *job, bool failed, struct err *e)
{
    struct run *run = arg;
    struct job *j = job;
    struct batch *b = &run->batch;
    int rc = 0;

    if (!failed && j->bad.code) {
        *e = j->bad;
        rc = bad_picture(run, e);
    } else if (!failed) {
        bool fits = !b->n || (j->picture.width == b->pictures[0].width && j->picture.height == b->pictures[0].height);
        if (!fits) rc = run_batch(run, b, e);
        b->items[b->n] = j->item;
        b->pictures[b->n++] = j->picture;
        j->picture = (struct image){ 0 };
        if (b->n == BATCH && !rc) rc = run_batch(run, b, e);
    }
    image_release(&j->picture);
    free(j);
    return rc;
}

static int run_all(struct run *run, struct err *e)
{
    int threads = run->d->device->threads;
    const struct pipeline p = { next_job, decode_job, done_job, run, threads, threads + 2 };
    int rc = pipeline_run(&p, e);

    if (!rc) rc = run_batch(run, &run->batch, e);
    for (int i = 0; i < run->batch.n; i++) image_release(&run->batch.pictures[i]);
    return rc;
}

/* Keeps this shard's pictures, and the first `limit` of them. */
static void take_shard(struct items *all, const struct extract_opts *o)
{
    struct items kept = { 0 };

    for (int64_t i = 0; i < all->n; i++) {
        bool is_ours = i % o->shards == o->shard && (!o->limit || kept.n < o->limit);
        if (is_ours) add_item(&kept, all->at[i].id, strlen(all->at[i].id), all->at[i].path, all->at[i].name);
    }
    items_release(all);
    *all = kept;
}

/* What an earlier run has written needs no second look. */
static void drop_done(struct run *run)
{
    struct items all = run->all;

    run->all = (struct items){ 0 };
    for (int64_t i = 0; i < all.n; i++) {
        const struct item *x = &all.at[i];
        if (!writer_has(run->out, x->id)) add_item(&run->all, x->id, strlen(x->id), x->path, x->name);
    }
    items_release(&all);
}

int extract_regions_to(struct detector *d, const char *const *paths, int n, const struct extract_opts *o,
                       struct writer *out, struct err *e)
{
    struct run run = { .d = d, .o = o, .out = out };
    int rc = 0;

    for (int i = 0; i < n && !rc; i++) rc = add_path(&run.all, paths[i], o->skip_bad, e);
    if (!rc) take_shard(&run.all, o);
    if (!rc && o->draw) rc = dir_make(o->draw, e);
    if (!rc && o->append) drop_done(&run);
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

int extract_regions(struct detector *d, const char *const *paths, int n, const struct extract_opts *o, struct err *e)
{
    const struct writer_opts w = { .plain = o->plain, .append = o->append };
    struct writer *out = writer_open(o->output, &w, e);

    if (!out) return -1;
    if (!extract_regions_to(d, paths, n, o, out, e)) return writer_close(out, e);
    writer_abort(out);
    return -1;
}
