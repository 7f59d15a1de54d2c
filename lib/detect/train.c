#include "detect/train.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/signals.h"
#include "detect/state.h"
#include "image/jpeg.h"
#include "score/detection.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RNG_DETECT = 0x6474, RNG_SHUFFLE = 0x7368 };
#define EVAL_NMS 0.4f
#define EVAL_SCORE 0.05f

/* Mirrors a picture and its boxes. */
static void mirror(struct image *m, struct picture *p)
{
    for (int y = 0; y < m->height; y++) {
        uint8_t *row = m->rgb + (size_t)y * (size_t)m->width * 3;
        for (int a = 0, b = m->width - 1; a < b; a++, b--) {
            for (int c = 0; c < 3; c++) {
                uint8_t swap = row[3 * a + c];
                row[3 * a + c] = row[3 * b + c];
                row[3 * b + c] = swap;
            }
        }
    }
    for (int i = 0; i < p->n; i++) {
        float left = p->objects[i].box.x1;
        p->objects[i].box.x1 = (float)m->width - p->objects[i].box.x2;
        p->objects[i].box.x2 = (float)m->width - left;
    }
}

/* Colours keep their names: only light, its spread around the middle and the distance from gray change. */
static void recolour(struct image *m, double brightness, double contrast, double saturation)
{
    bool is_plain = contrast == 1 && saturation == 1;

    for (uint8_t *p = m->rgb, *end = p + (int64_t)m->width * m->height * 3; p < end; p += 3) {
        double gray = is_plain ? 0 : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        for (int c = 0; c < 3; c++) {
            double v = p[c];
            if (!is_plain) v = 128 + (gray + (v - gray) * saturation - 128) * contrast;
            p[c] = (uint8_t)fmin(fmax(v * brightness + 0.5, 0), 255);
        }
    }
}

/* 1 and up to `part` more or less; nothing is drawn for 0. */
static double vary(struct rng *r, double part)
{
    return part > 0 ? 1 - part + 2 * part * rng_uniform(r) : 1;
}

static int load_example(struct image *m, struct picture *own, const struct picture *p,
                        const struct detect_train_opts *o, struct rng *r, struct err *e)
{
    if (jpeg_load(m, p->path, e)) return -1;
    *own = (struct picture){ .n = p->n, .objects = mem_new(struct annotation, p->n + 1) };
    if (p->n) memcpy(own->objects, p->objects, (size_t)p->n * sizeof *p->objects);
    if (rng_uniform(r) < 0.5) mirror(m, own);
    double brightness = vary(r, o->brightness), contrast = vary(r, o->contrast);
    recolour(m, brightness, contrast, vary(r, o->saturation));
    return 0;
}

static float learning_rate(const struct detect_train_opts *o, int64_t step)
{
    if (step < o->warmup) return (float)(o->lr * (double)(step + 1) / (double)o->warmup);
    return (float)(o->lr * 0.5 * (1 + cos(M_PI * (double)(step - o->warmup) / (double)(o->steps - o->warmup + 1))));
}

/* Pictures of a step. */
struct examples {
    int n;
    struct image *pictures;
    struct picture *truth;
};

static void examples_release(struct examples *x)
{
    for (int i = 0; i < x->n; i++) {
        image_release(&x->pictures[i]);
        free(x->truth[i].objects);
    }
    free(x->pictures);
    free(x->truth);
}

/* Moves those of the first one's size, from place `from` on, behind each other; their number. */
static int gather_size(struct examples *x, int from)
{
    int n = 1;

    for (int i = from + 1; i < x->n; i++) {
        if (x->pictures[i].width != x->pictures[from].width || x->pictures[i].height != x->pictures[from].height)
            continue;
        struct image m = x->pictures[i];
        struct picture t = x->truth[i];
        x->pictures[i] = x->pictures[from + n];
        x->truth[i] = x->truth[from + n];
        x->pictures[from + n] = m;
        x->truth[from + n++] = t;
    }
    return n;
}

static void add_losses(struct detect_losses *sum, const struct detect_losses *l)
{
    sum->objectness += l->objectness;
    sum->rpn_box += l->rpn_box;
    sum->cls += l->cls;
    sum->box += l->box;
    sum->attribute += l->attribute;
}

/* Forward and backward of all, size by size: each picture counts as much, however many have its size. The input's size
 * is changed for this step. */
static int run_groups(struct detector *d, struct examples *x, double zoom, struct rng *r, struct detect_losses *losses,
                      struct err *e)
{
    int was[2] = { d->config.short_side, d->config.long_side }, rc = 0;

    d->config.short_side = (int)lround(was[0] * zoom);
    d->config.long_side = (int)lround(was[1] * zoom);
    for (int from = 0, n; from < x->n && !rc; from += n) {
        struct detect_losses l = { 0 };
        n = gather_size(x, from);
        rc = detect_step(d, x->pictures + from, x->truth + from, n, (float)n / (float)x->n, r, &l, e);
        add_losses(losses, &l);
    }
    d->config.short_side = was[0];
    d->config.long_side = was[1];
    return rc;
}

/* One step's gradients: pictures are drawn from a permutation of each epoch. */
static int run_step(struct detector *d, const struct annotations *train, const struct detect_train_opts *o,
                    int64_t step, struct detect_losses *losses, struct err *e)
{
    struct examples x = { 0, mem_new(struct image, o->batch), mem_new(struct picture, o->batch) };
    struct rng r;
    int rc = 0;

    rng_init(&r, o->seed, rng_stream(RNG_DETECT, (uint64_t)step, 0));
    for (int64_t k = 0; k < o->batch && !rc; k++) {
        int64_t at = step * o->batch + k,
                i = rng_permute(o->seed ^ RNG_SHUFFLE, (uint64_t)(at / train->n), train->n, at % train->n);
        rc = load_example(&x.pictures[x.n], &x.truth[x.n], &train->at[i], o, &r, e);
        if (!rc) x.n++;
    }
    double zoom = o->zoom > 0 ? 1 + o->zoom * (double)(rng_below(&r, 5) - 2) / 2 : 1;
    if (!rc) rc = run_groups(d, &x, zoom, &r, losses, e);
    examples_release(&x);
    return rc;
}

static void add_found(struct scored_box **found, int64_t *n, int64_t *cap, const struct detections *x,
                      const struct detect_config *c, int64_t image)
{
    int64_t *order = mem_new(int64_t, x->n), *keep = mem_new(int64_t, x->n);
    struct box *boxes = mem_new(struct box, x->n);
    float *scores = mem_new(float, x->n);

    for (int k = 1; k < c->classes.n; k++) {
        for (int64_t i = 0; i < x->n; i++) {
            scores[i] = x->probs[i * c->classes.n + k];
            boxes[i] = x->class_boxes[i * c->classes.n + k];
        }
        int64_t sorted = order_by_score(order, scores, x->n, 0);
        while (sorted && scores[order[sorted - 1]] < EVAL_SCORE) sorted--;
        int64_t kept = nms(keep, boxes, order, sorted, EVAL_NMS, x->n, 0);
        mem_reserve(found, cap, *n + kept);
        for (int64_t i = 0; i < kept; i++) {
            struct box b = boxes[keep[i]];
            (*found)[(*n)++] = (struct scored_box){ image, k, { b.x1, b.y1, b.x2, b.y2 }, scores[keep[i]] };
        }
    }
    free(order);
    free(keep);
    free(boxes);
    free(scores);
}

/* Of the boxes refined for each class after its suppression (detection_ap). */
static int evaluate(struct detector *d, const struct annotations *dev, struct detect_precision *p, struct err *e)
{
    struct scored_box *found = NULL, *truth = NULL;
    int64_t n = 0, cap = 0, n_truth = 0, cap_truth = 0;
    int rc = 0;

    for (int64_t i = 0; i < dev->n && !rc; i++) {
        struct view v;
        struct detections x;
        if ((rc = view_load(&v, &d->config, dev->at[i].path, false, NULL, e))) break;
        rc = detector_run(d, &x, &v, 1, true, e);
        view_release(&v);
        if (rc) break;
        add_found(&found, &n, &cap, &x, &d->config, i);
        detections_release(&x);
        mem_reserve(&truth, &cap_truth, n_truth + dev->at[i].n);
        for (int k = 0; k < dev->at[i].n; k++) {
            const struct annotation *a = &dev->at[i].objects[k];
            truth[n_truth++] = (struct scored_box){ i, a->class_of, { a->box.x1, a->box.y1, a->box.x2, a->box.y2 }, 1 };
        }
    }
    *p = (struct detect_precision){ -1, -1 };
    for (int k = 0; k < 10 && !rc; k++) {
        double ap = detection_ap(found, n, truth, n_truth, d->config.classes.n, 0.5 + 0.05 * k);
        if (!k) *p = (struct detect_precision){ ap, 0 };
        p->ap += ap / 10;
    }
    free(found);
    free(truth);
    return rc;
}

static int log_step(struct out *log, int64_t step, const struct detect_losses *l, double total, double lr,
                    const struct detect_precision *p, struct err *e)
{
    struct str s = { 0 };

    if (!log) return 0;
    str_addf(&s,
             "{\"step\":%" PRId64 ",\"lr\":%.6g,\"loss\":%.5f,\"objectness\":%.5f,\"rpn_box\":%.5f,\"class\":%.5f,"
             "\"box\":%.5f,\"attribute\":%.5f",
             step, lr, total, l->objectness, l->rpn_box, l->cls, l->box, l->attribute);
    if (p->ap50 >= 0) str_addf(&s, ",\"ap50\":%.4f,\"ap\":%.4f", p->ap50, p->ap);
    str_add(&s, "}\n");
    int rc = out_write(log, s.data, s.n, e);
    str_release(&s);
    return rc;
}

/* The log; of an earlier run's, the lines up to the step from which this one goes on. */
static struct out *open_log(const char *path, int64_t step, struct err *e)
{
    struct err ignored = { 0 };
    size_t n = 0;
    char *old = step ? file_load(path, (size_t)1 << 30, &n, &ignored) : NULL;
    struct out *log = out_open(path, e);
    int rc = log ? 0 : -1;

    for (char *line = old; line && *line && !rc;) {
        char *end = strchr(line, '\n');
        struct value *v = end ? value_parse(line, end - line, &ignored) : NULL;
        if (v && value_integer(value_get(v, "step")) <= step) rc = out_write(log, line, (size_t)(end + 1 - line), e);
        value_free(v);
        line = end ? end + 1 : NULL;
    }
    free(old);
    if (log && rc) out_abort(log);
    return rc ? NULL : log;
}

/* A training under way. */
struct training {
    struct detector *d;
    const struct annotations *train, *dev;
    const struct detect_train_opts *o;
    struct detect_precision *precision; /* the last */
    struct out *log;
    struct tensor sum; /* room for the gradient's norm */
    struct progress progress;
};

static int one_step(struct training *t, int64_t step, struct err *e)
{
    const struct detect_train_opts *o = t->o;
    struct detect_losses l = { 0 };
    struct detect_precision now = { -1, -1 };
    float lr = learning_rate(o, step);
    char note[96];

    if (run_step(t->d, t->train, o, step, &l, e)) return -1;
    double total = l.objectness + l.rpn_box + l.cls + l.box + l.attribute;
    if (!isfinite(total)) return err_set(e, ERR_INPUT, "step %" PRId64 ": the loss is not finite", step + 1);
    params_step(&t->d->params, (struct adamw){ lr, 0.9f, 0.999f, 1e-8f, step + 1, 5, 1 }, (float)o->weight_decay,
                t->sum);
    bool is_time = step + 1 == o->steps || (o->eval_every && (step + 1) % o->eval_every == 0);
    if (t->dev && is_time) {
        if (evaluate(t->d, t->dev, &now, e)) return -1;
        *t->precision = now;
    }
    if (((step + 1) % 10 == 0 || is_time) && log_step(t->log, step + 1, &l, total, lr, &now, e)) return -1;
    snprintf(note, sizeof note, "loss %.3f  AP50 %.3f", total, t->precision->ap50);
    progress_step(&t->progress, step + 1, note);
    return 0;
}

static int run_steps(struct training *t, int64_t step, struct err *e)
{
    const struct detect_train_opts *o = t->o;

    for (; step < o->steps; step++) {
        if (one_step(t, step, e)) return -1;
        bool is_last = step + 1 == o->steps, is_time = o->save_every && (step + 1) % o->save_every == 0;
        if (!is_last && (is_time || signals_stop()) && state_save(t->d, o, t->train, step + 1, e)) return -1;
        if (!is_last && signals_stop())
            return err_set(e, ERR_SAVED,
                           "stopped after step %" PRId64 " of %" PRId64 "; saved, run again with --resume", step + 1,
                           o->steps);
    }
    return 0;
}

int detect_train(struct detector *d, const struct annotations *train, const struct annotations *dev,
                 const struct detect_train_opts *o, struct detect_precision *p, struct err *e)
{
    struct training t = { d, train, dev, o, p, .sum = tensor_1d(NULL, DT_F32, 1) };
    int64_t step = 0;
    int rc = o->resume ? state_load(d, o, train, &step, e) : 0;

    *p = (struct detect_precision){ -1, -1 };
    if (!rc && o->log && !(t.log = open_log(o->log, step, e))) rc = -1;
    if (!rc) {
        op_allocate(d->device, &t.sum.data, 4);
        progress_begin(&t.progress, "steps", o->steps);
        t.progress.before = step;
        rc = run_steps(&t, step, e);
        progress_end(&t.progress);
        if (t.sum.data) op_release(d->device, t.sum.data);
    }
    /* what was logged before a stop is kept as the checkpoint is */
    bool is_kept = !rc || e->code == ERR_SAVED;
    struct err why = { 0 };
    if (t.log && !is_kept) out_abort(t.log);
    else if (t.log && out_commit(t.log, rc ? &why : e)) rc = -1;
    return rc;
}
