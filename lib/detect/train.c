#include "detect/train.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
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

/* Brighter or darker by up to an eighth: colours keep their names. */
static void brighten(struct image *m, double factor)
{
    for (int64_t i = 0; i < (int64_t)m->width * m->height * 3; i++)
        m->rgb[i] = (uint8_t)fmin(m->rgb[i] * factor + 0.5, 255);
}

static int load_example(struct image *m, struct picture *own, const struct picture *p, struct rng *r, struct err *e)
{
    if (jpeg_load(m, p->path, e)) return -1;
    *own = (struct picture){ .n = p->n, .objects = mem_new(struct annotation, p->n + 1) };
    memcpy(own->objects, p->objects, (size_t)p->n * sizeof *p->objects);
    if (rng_uniform(r) < 0.5) mirror(m, own);
    brighten(m, 0.875 + 0.25 * rng_uniform(r));
    return 0;
}

static float learning_rate(const struct detect_train_opts *o, int64_t step)
{
    if (step < o->warmup) return (float)(o->lr * (double)(step + 1) / (double)o->warmup);
    return (float)(o->lr * 0.5 * (1 + cos(M_PI * (double)(step - o->warmup) / (double)(o->steps - o->warmup + 1))));
}

/* Pictures of a step: drawn from a permutation of each epoch; all have the size of the first. */
static int run_step(struct detector *d, const struct annotations *train, const struct detect_train_opts *o,
                    int64_t step, struct detect_losses *losses, struct err *e)
{
    struct image *pictures = mem_new(struct image, o->batch);
    struct picture *truth = mem_new(struct picture, o->batch);
    struct rng r;
    int n = 0, rc = 0;

    rng_init(&r, o->seed, rng_stream(RNG_DETECT, (uint64_t)step, 0));
    for (int64_t k = 0; k < o->batch && !rc; k++) {
        int64_t at = step * o->batch + k,
                i = rng_permute(o->seed ^ RNG_SHUFFLE, (uint64_t)(at / train->n), train->n, at % train->n);
        rc = load_example(&pictures[n], &truth[n], &train->at[i], &r, e);
        bool fits = !rc && pictures[n].width == pictures[0].width && pictures[n].height == pictures[0].height;
        if (fits) n++;
        else image_release(&pictures[n]), free(truth[n].objects), truth[n].objects = NULL;
    }
    if (!rc) rc = detect_step(d, pictures, truth, n, &r, losses, e);
    for (int i = 0; i < n; i++) {
        image_release(&pictures[i]);
        free(truth[i].objects);
    }
    free(pictures);
    free(truth);
    return rc;
}

static void add_found(struct scored_box **found, int64_t *n, int64_t *cap, const struct detections *x,
                      const struct detect_config *c, int64_t image)
{
    int64_t *order = mem_new(int64_t, x->n), *keep = mem_new(int64_t, x->n);
    float *scores = mem_new(float, x->n);

    for (int k = 1; k < c->classes.n; k++) {
        for (int64_t i = 0; i < x->n; i++) scores[i] = x->probs[i * c->classes.n + k];
        int64_t sorted = order_by_score(order, scores, x->n, 0);
        while (sorted && scores[order[sorted - 1]] < EVAL_SCORE) sorted--;
        int64_t kept = nms(keep, x->refined, order, sorted, EVAL_NMS, x->n, 0);
        mem_reserve(found, cap, *n + kept);
        for (int64_t i = 0; i < kept; i++) {
            struct box b = x->refined[keep[i]];
            (*found)[(*n)++] = (struct scored_box){ image, k, { b.x1, b.y1, b.x2, b.y2 }, scores[keep[i]] };
        }
    }
    free(order);
    free(keep);
    free(scores);
}

int detect_evaluate(struct detector *d, const struct annotations *dev, double *ap50, struct err *e)
{
    struct scored_box *found = NULL, *truth = NULL;
    int64_t n = 0, cap = 0, n_truth = 0, cap_truth = 0;
    int rc = 0;

    for (int64_t i = 0; i < dev->n && !rc; i++) {
        struct image m;
        struct detections x;
        if ((rc = jpeg_load(&m, dev->at[i].path, e))) break;
        rc = detector_run(d, &x, &m, 1, e);
        image_release(&m);
        if (rc) break;
        add_found(&found, &n, &cap, &x, &d->config, i);
        detections_release(&x);
        mem_reserve(&truth, &cap_truth, n_truth + dev->at[i].n);
        for (int k = 0; k < dev->at[i].n; k++) {
            const struct annotation *a = &dev->at[i].objects[k];
            truth[n_truth++] = (struct scored_box){ i, a->class_of, { a->box.x1, a->box.y1, a->box.x2, a->box.y2 }, 1 };
        }
    }
    *ap50 = rc ? -1 : detection_ap(found, n, truth, n_truth, d->config.classes.n, 0.5);
    free(found);
    free(truth);
    return rc;
}

static int log_step(struct out *log, int64_t step, const struct detect_losses *l, double lr, double ap50, struct err *e)
{
    struct str s = { 0 };

    if (!log) return 0;
    str_addf(&s,
             "{\"step\":%" PRId64
             ",\"lr\":%.6g,\"objectness\":%.5f,\"rpn_box\":%.5f,\"class\":%.5f,\"box\":%.5f,\"attribute\":%.5f",
             step, lr, l->objectness, l->rpn_box, l->cls, l->box, l->attribute);
    if (ap50 >= 0) str_addf(&s, ",\"ap50\":%.4f", ap50);
    str_add(&s, "}\n");
    int rc = out_write(log, s.data, s.n, e);
    str_release(&s);
    return rc;
}

int detect_train(struct detector *d, const struct annotations *train, const struct annotations *dev,
                 const struct detect_train_opts *o, double *ap50, struct err *e)
{
    struct tensor sum = tensor_1d(NULL, DT_F32, 1);
    struct out *log = o->log ? out_open(o->log, e) : NULL;
    struct progress progress;
    char note[96];
    int rc = o->log && !log ? -1 : 0;

    *ap50 = -1;
    op_allocate(d->device, &sum.data, 4);
    progress_begin(&progress, "steps", o->steps);
    for (int64_t step = 0; step < o->steps && !rc; step++) {
        struct detect_losses l = { 0 };
        float lr = learning_rate(o, step);
        if ((rc = run_step(d, train, o, step, &l, e))) break;
        double total = l.objectness + l.rpn_box + l.cls + l.box + l.attribute, now = -1;
        if (!isfinite(total)) {
            rc = err_set(e, ERR_INPUT, "step %" PRId64 ": the loss is not finite", step + 1);
            break;
        }
        params_step(&d->params, (struct adamw){ lr, 0.9f, 0.999f, 1e-8f, step + 1, 5, 1 }, (float)o->weight_decay, sum);
        bool is_time = step + 1 == o->steps || (o->eval_every && (step + 1) % o->eval_every == 0);
        if (dev && is_time) rc = detect_evaluate(d, dev, &now, e);
        if (now >= 0) *ap50 = now;
        if (!rc && ((step + 1) % 10 == 0 || is_time)) rc = log_step(log, step + 1, &l, lr, now, e);
        snprintf(note, sizeof note, "loss %.3f  AP50 %.3f", total, *ap50);
        progress_step(&progress, step + 1, note);
    }
    progress_end(&progress);
    if (sum.data) op_release(d->device, sum.data);
    if (log && rc) out_abort(log);
    else if (log) rc = out_commit(log, e);
    return rc;
}
