#include "tasks/gallery.h"
#include "core/mem.h"
#include "model/input.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int gallery_open(struct gallery *g, const struct downstream *d, struct err *e)
{
    *g = (struct gallery){ .at = mem_new(struct batch_image, store_count(d->images)) };
    for (int64_t i = 0; i < store_count(d->images); i++) {
        const char *id = store_id(d->images, i);
        struct record *r;
        if (store_get(d->images, i, &r, e)) return -1;
        int rc = input_image(&g->arena, d->config, r, false, &g->at[i], e);
        if (rc) record_bad(r, e);
        record_free(r);
        if (rc) return -1;
        *map_put(&g->index, id, strlen(id), NULL) = i;
        g->n = i + 1;
    }
    return 0;
}

/* A held-out example: its text, and its image, which may be there already. */
static int add_example(struct gallery *g, struct downstream *d, const struct record *r, struct batch_text *text,
                       int64_t *gold, struct err *e)
{
    const char *image;
    bool is_new;

    if (input_text(&d->measuring, d->config, r->fields, "text", text, e) ||
        value_get_string(r->fields, "image", &image, e))
        return -1;
    int64_t *at = map_put(&g->index, image, strlen(image), &is_new);
    if (is_new) {
        if (input_image_id(&g->arena, d->config, d->images, image, false, &g->at[g->n], e)) return -1;
        *at = g->n++;
    }
    *gold = *at;
    return 0;
}

int gallery_open_dev(struct gallery *g, struct downstream *d, struct batch_text *texts, int64_t *gold, struct err *e)
{
    int64_t n = downstream_dev_count(d);
    int rc = 0;

    *g = (struct gallery){ .at = mem_new(struct batch_image, n) };
    for (int64_t i = 0; i < n && !rc; i++) {
        struct record *r;
        if (store_get(d->dev, i, &r, e)) return -1;
        rc = add_example(g, d, r, &texts[i], &gold[i], e);
        if (rc) record_bad(r, e);
        record_free(r);
    }
    return rc;
}

void gallery_release(struct gallery *g)
{
    map_release(&g->index);
    arena_release(&g->arena);
    free(g->at);
    free(g->vector);
}

/* ---- one by one ---- */

static void normalise(float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    double scale = 1 / fmax(sqrt(sum), 1e-12);
    for (int64_t i = 0; i < n; i++) x[i] = (float)((double)x[i] * scale);
}

int gallery_embed(struct gallery *g, struct model *m, struct scratch *s, struct batch *b, int64_t rows, struct err *e)
{
    int64_t H = m->config.hidden, first = 0;
    int rc = 0;

    g->vector = mem_new(float, g->n *H + 1);
    batch_clear(b);
    for (int64_t i = 0; i < g->n && !rc; i++) {
        batch_pool_image(b, batch_add_pair(b, batch_add_image(b, &g->at[i], NULL), NULL));
        if (b->n_rows < rows && i + 1 < g->n) continue;
        rc = model_pool(m, s, b, NULL, g->vector + first * H, e);
        first = i + 1;
        batch_clear(b);
    }
    for (int64_t i = 0; i < g->n && m->config.cosine; i++) normalise(g->vector + i * H, H);
    return rc;
}

int gallery_texts(struct model *m, struct scratch *s, struct batch *b, const struct batch_text *texts, int64_t n,
                  int64_t rows, float *out, struct err *e)
{
    int64_t H = m->config.hidden, first = 0;
    float *weight = mem_new(float, H + 1);
    int rc = 0;

    batch_clear(b);
    for (int64_t i = 0; i < n && !rc; i++) {
        batch_pool_text(b, batch_add_pair(b, -1, &texts[i]));
        if (b->n_rows < rows && i + 1 < n) continue;
        rc = model_pool(m, s, b, out + first * H, NULL, e);
        first = i + 1;
        batch_clear(b);
    }
    if (!rc && !m->config.cosine) {
        struct tensor w = params_f32(&m->params, m->match.w);
        op_download(m->device, weight, w.data, tensor_bytes(w));
        rc = device_check(m->device, e);
    }
    for (int64_t i = 0; i < n && !rc; i++) {
        if (m->config.cosine) normalise(out + i * H, H);
        else
            for (int64_t k = 0; k < H; k++) out[i * H + k] *= weight[k];
    }
    free(weight);
    return rc;
}

void gallery_products(const struct gallery *g, const float *texts, int64_t n, int64_t hidden, float *scores)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < g->n; k++) {
            const float *a = texts + i * hidden, *v = g->vector + k * hidden;
            double sum = 0;
            for (int64_t j = 0; j < hidden; j++) sum += (double)a[j] * (double)v[j];
            scores[i * g->n + k] = (float)sum;
        }
    }
}

/* ---- jointly ---- */

static void add_score(struct batch *b, int64_t image, const struct batch_text *text)
{
    int64_t s = batch_add_pair(b, image, text);

    batch_add_score(b, batch_pool_text(b, s), batch_pool_image(b, s), false);
}

/* Images come outermost, so that a batch embeds each of its images once for all the texts. */
int gallery_joint(const struct gallery *g, struct model *m, struct scratch *s, struct batch *b,
                  const struct batch_text *texts, int64_t n, int64_t rows, const uint8_t *wanted, float *out,
                  struct err *e)
{
    int64_t *where = mem_new(int64_t, n * g->n + 1), cap = 0;
    float *scores = NULL;
    int rc = 0;

    batch_clear(b);
    for (int64_t i = 0; i < g->n && !rc; i++) {
        int64_t image = -1;
        for (int64_t k = 0; k < n; k++) {
            if (wanted && !wanted[k * g->n + i]) continue;
            if (image < 0) image = batch_add_image(b, &g->at[i], NULL);
            where[b->n_scores] = k * g->n + i;
            add_score(b, image, &texts[k]);
        }
        if (!b->n_scores || (b->n_rows < rows && i + 1 < g->n)) continue;
        batch_end_group(b);
        mem_reserve(&scores, &cap, b->n_scores);
        rc = model_predict(m, s, b, scores, NULL, e);
        for (int64_t q = 0; q < b->n_scores && !rc; q++) out[where[q]] = scores[q];
        batch_clear(b);
    }
    free(scores);
    free(where);
    return rc;
}

/* ---- in two stages ---- */

struct place {
    float score;
    int64_t at;
};

static int best_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

void gallery_best(const float *scores, int64_t n, int64_t k, int64_t *best)
{
    struct place *p = mem_new(struct place, n + 1);

    for (int64_t i = 0; i < n; i++) p[i] = (struct place){ scores[i], i };
    qsort(p, (size_t)n, sizeof *p, best_first);
    for (int64_t i = 0; i < k && i < n; i++) best[i] = p[i].at;
    free(p);
}

/* Keeps the order, in a row as in a column. Cosines stay apart from 5e-7 on; a difference from GALLERY_BELOW would keep
 * a thousandth. */
static float moved_below(float score)
{
    double s = (double)score;

    return (float)((double)GALLERY_BELOW * (2 - s / (1 + fabs(s))));
}

int gallery_rerank(const struct gallery *g, struct model *m, struct scratch *s, struct batch *b,
                   const struct batch_text *texts, int64_t n, int64_t rows, int64_t candidates, float *scores,
                   struct err *e)
{
    int64_t k = candidates < g->n ? candidates : g->n;
    int64_t *best = mem_new(int64_t, k + 1);
    uint8_t *wanted = mem_new(uint8_t, n * g->n + 1);

    for (int64_t i = 0; i < n; i++) {
        gallery_best(scores + i * g->n, g->n, k, best);
        for (int64_t q = 0; q < k; q++) wanted[i * g->n + best[q]] = 1;
    }
    for (int64_t i = 0; i < n * g->n; i++) scores[i] = moved_below(scores[i]);
    int rc = gallery_joint(g, m, s, b, texts, n, rows, wanted, scores, e);
    free(wanted);
    free(best);
    return rc;
}
