#include "model/batch.h"
#include "compute/ops.h"
#include "core/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void batch_init(struct batch *b, const struct model_config *c)
{
    *b = (struct batch){ .config = c };
    batch_clear(b);
}

void batch_clear(struct batch *b)
{
    b->n_text = b->n_regions = b->n_images = b->n_rows = b->n_sequences = b->longest = 0;
    b->n_masked = b->n_probs = b->n_cls = b->n_img = b->n_scores = b->n_groups = b->n_examples = b->n_targets = 0;
    for (int i = 0; i < BATCH_LM_KINDS; i++) b->lm[i].n = 0;
    mem_reserve(&b->image, &b->cap_image, 1);
    mem_reserve(&b->start, &b->cap_start, 1);
    mem_reserve(&b->group, &b->cap_group, 1);
    b->image[0] = b->start[0] = b->group[0] = 0;
}

void batch_release(struct batch *b)
{
    void *const owned[] = {
        b->id,          b->position,    b->feature,       b->location,       b->image,     b->source,
        b->start,       b->prefix,      b->masked_row,    b->masked_feature, b->probs_row, b->probs,
        b->cls_row,     b->img_row,     b->score_cls,     b->score_img,      b->positive,  b->group,
        b->example_cls, b->example_img, b->example_label, b->example_target, b->role,      b->turn
    };

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    for (int i = 0; i < BATCH_LM_KINDS; i++) {
        free(b->lm[i].row);
        free(b->lm[i].label);
    }
    *b = (struct batch){ 0 };
}

/* ---- joining ---- */

static void append_int(int32_t **at, int64_t *cap, int64_t n, const int32_t *from, int64_t n_from, int64_t shift)
{
    mem_reserve(at, cap, n + n_from);
    for (int64_t i = 0; i < n_from; i++) (*at)[n + i] = from[i] < 0 ? from[i] : (int32_t)(from[i] + shift);
}

static void append_float(float **at, int64_t *cap, int64_t n, const float *from, int64_t n_from)
{
    mem_reserve(at, cap, n + n_from);
    if (n_from) memcpy(*at + n, from, (size_t)n_from * sizeof **at);
}

static void append_rows(struct batch *b, const struct batch *x)
{
    append_int(&b->id, &b->cap_id, b->n_text, x->id, x->n_text, 0);
    append_int(&b->position, &b->cap_position, b->n_text, x->position, x->n_text, 0);
    if (b->config->has_dialog) {
        append_int(&b->role, &b->cap_role, b->n_text, x->role, x->n_text, 0);
        append_int(&b->turn, &b->cap_turn, b->n_text, x->turn, x->n_text, 0);
    }
    mem_reserve(&b->source, &b->cap_row, b->n_rows + x->n_rows);
    for (int64_t i = 0; i < x->n_rows; i++) { /* regions count downwards from -1 */
        int64_t k = x->source[i];
        b->source[b->n_rows + i] = (int32_t)(k < 0 ? k - b->n_regions : k + b->n_text);
    }
    append_int(&b->start, &b->cap_start, b->n_sequences + 1, x->start + 1, x->n_sequences, b->n_rows);
    append_int(&b->prefix, &b->cap_prefix, b->n_sequences, x->prefix, x->n_sequences, 0);
    if (x->longest > b->longest) b->longest = x->longest;
}

static void append_images(struct batch *b, const struct batch *x)
{
    int64_t F = b->config->features;

    append_float(&b->feature, &b->cap_feature, b->n_regions * F, x->feature, x->n_regions * F);
    append_float(&b->location, &b->cap_location, b->n_regions * BATCH_LOCATION, x->location,
                 x->n_regions * BATCH_LOCATION);
    mem_reserve(&b->image, &b->cap_image, b->n_images + x->n_images + 1);
    for (int64_t i = 1; i <= x->n_images; i++) b->image[b->n_images + i] = b->n_regions + x->image[i];
}

static void append_targets(struct batch *b, const struct batch *x)
{
    int64_t F = b->config->features, K = b->config->classes;

    for (int i = 0; i < BATCH_LM_KINDS; i++) {
        struct batch_lm *lm = &b->lm[i];
        append_int(&lm->row, &lm->cap, lm->n, x->lm[i].row, x->lm[i].n, b->n_rows);
        append_int(&lm->label, &lm->cap_label, lm->n, x->lm[i].label, x->lm[i].n, 0);
        lm->n += x->lm[i].n;
    }
    append_int(&b->masked_row, &b->cap_masked, b->n_masked, x->masked_row, x->n_masked, b->n_rows);
    append_float(&b->masked_feature, &b->cap_target, b->n_masked * F, x->masked_feature, x->n_masked * F);
    append_int(&b->probs_row, &b->cap_probs_row, b->n_probs, x->probs_row, x->n_probs, b->n_rows);
    append_float(&b->probs, &b->cap_probs, b->n_probs * K, x->probs, x->n_probs * K);
}

static void append_scores(struct batch *b, const struct batch *x)
{
    append_int(&b->cls_row, &b->cap_cls, b->n_cls, x->cls_row, x->n_cls, b->n_rows);
    append_int(&b->img_row, &b->cap_img, b->n_img, x->img_row, x->n_img, b->n_rows);
    append_int(&b->score_cls, &b->cap_score_cls, b->n_scores, x->score_cls, x->n_scores, b->n_cls);
    append_int(&b->score_img, &b->cap_score_img, b->n_scores, x->score_img, x->n_scores, b->n_img);
    append_int(&b->positive, &b->cap_positive, b->n_scores, x->positive, x->n_scores, 0);
    append_int(&b->group, &b->cap_group, b->n_groups + 1, x->group + 1, x->n_groups, b->n_scores);
    append_int(&b->example_cls, &b->cap_example_cls, b->n_examples, x->example_cls, x->n_examples, b->n_cls);
    append_int(&b->example_img, &b->cap_example_img, b->n_examples, x->example_img, x->n_examples, b->n_img);
    append_int(&b->example_label, &b->cap_example_label, b->n_examples, x->example_label, x->n_examples, 0);
    append_float(&b->example_target, &b->cap_example_target, b->n_targets * b->config->n_labels, x->example_target,
                 x->n_targets * b->config->n_labels);
}

void batch_append(struct batch *b, const struct batch *from)
{
    append_rows(b, from);
    append_images(b, from);
    append_targets(b, from);
    append_scores(b, from);
    b->n_text += from->n_text;
    b->n_regions += from->n_regions;
    b->n_images += from->n_images;
    b->n_rows += from->n_rows;
    b->n_sequences += from->n_sequences;
    b->n_masked += from->n_masked;
    b->n_probs += from->n_probs;
    b->n_cls += from->n_cls;
    b->n_img += from->n_img;
    b->n_scores += from->n_scores;
    b->n_groups += from->n_groups;
    b->n_examples += from->n_examples;
    b->n_targets += from->n_targets;
}

/* ---- images ---- */

static float *new_region(struct batch *b, int64_t n)
{
    int64_t F = b->config->features;

    mem_reserve(&b->feature, &b->cap_feature, (b->n_regions + n) * F);
    mem_reserve(&b->location, &b->cap_location, (b->n_regions + n) * BATCH_LOCATION);
    return b->feature + b->n_regions * F;
}

static float clamp_unit(double x)
{
    return x > 1 ? 1 : x > 0 ? (float)x : 0; /* also for NaN */
}

static void locate(float out[BATCH_LOCATION], const float box[4], double width, double height)
{
    double w = width > 0 ? width : 1, h = height > 0 ? height : 1;

    for (int i = 0; i < 4; i++) out[i] = clamp_unit((double)box[i] / (i % 2 ? h : w));
    out[4] = clamp_unit(((double)box[2] - box[0]) * ((double)box[3] - box[1]) / (w * h));
}

static int64_t used_regions(const struct batch *b, const struct batch_image *image)
{
    return image->n < b->config->max_regions ? image->n : b->config->max_regions;
}

int64_t batch_add_image(struct batch *b, const struct batch_image *image, const uint8_t *masked)
{
    int64_t F = b->config->features, n = used_regions(b, image), n_mean = 0;
    float *mean = new_region(b, n + 1), *row = mean + F;
    float *location = b->location + b->n_regions * BATCH_LOCATION;

    memset(mean, 0, (size_t)F * sizeof *mean);
    memcpy(location, (const float[]){ 0, 0, 1, 1, 1 }, BATCH_LOCATION * sizeof *location);
    for (int64_t i = 0; i < n; i++, row += F) {
        locate(location + (i + 1) * BATCH_LOCATION, image->boxes + i * 4, image->width, image->height);
        if (masked && masked[i]) {
            memset(row, 0, (size_t)F * sizeof *row);
            continue;
        }
        memcpy(row, image->features + i * F, (size_t)F * sizeof *row);
        for (int64_t k = 0; k < F; k++) mean[k] += row[k];
        n_mean++;
    }
    for (int64_t k = 0; k < F && n_mean; k++) mean[k] /= (float)n_mean;
    b->n_regions += n + 1;
    mem_reserve(&b->image, &b->cap_image, b->n_images + 2);
    b->image[b->n_images + 1] = b->n_regions;
    return b->n_images++;
}

int64_t batch_image_rows(const struct batch *b, int64_t image)
{
    assert(image >= 0 && image < b->n_images);
    return b->image[image + 1] - b->image[image];
}

/* ---- sequences ---- */

static void add_label(struct batch_lm *lm, int64_t row, int32_t label)
{
    mem_reserve(&lm->row, &lm->cap, lm->n + 1);
    mem_reserve(&lm->label, &lm->cap_label, lm->n + 1);
    lm->row[lm->n] = (int32_t)row;
    lm->label[lm->n++] = label;
}

static void add_text_rows(struct batch *b, const struct batch_rows *text)
{
    mem_reserve(&b->id, &b->cap_id, b->n_text + text->n);
    mem_reserve(&b->position, &b->cap_position, b->n_text + text->n);
    if (b->config->has_dialog) {
        mem_reserve(&b->role, &b->cap_role, b->n_text + text->n);
        mem_reserve(&b->turn, &b->cap_turn, b->n_text + text->n);
    }
    for (int64_t i = 0; i < text->n; i++) {
        assert(text->id[i] >= 0 && text->id[i] < b->config->vocab);
        assert(text->position[i] >= 0 && text->position[i] < b->config->positions);
        if (text->label && text->label[i] >= 0) add_label(&b->lm[text->lm], b->n_rows, text->label[i]);
        b->id[b->n_text] = text->id[i];
        if (b->config->has_dialog) {
            b->role[b->n_text] = text->role ? text->role[i] : -1;
            b->turn[b->n_text] = text->turn ? text->turn[i] : -1;
        }
        b->position[b->n_text] = text->position[i];
        b->source[b->n_rows++] = (int32_t)b->n_text++;
    }
}

int64_t batch_add_sequence(struct batch *b, int64_t image, const struct batch_rows *text)
{
    int64_t n_image = image < 0 ? 0 : batch_image_rows(b, image), n_text = text ? text->n : 0, n = n_image + n_text;

    assert(n > 0 && n <= SEQUENCE_ROWS_MAX);
    mem_reserve(&b->source, &b->cap_row, b->n_rows + n);
    mem_reserve(&b->start, &b->cap_start, b->n_sequences + 2);
    mem_reserve(&b->prefix, &b->cap_prefix, b->n_sequences + 1);
    for (int64_t i = 0; i < n_image; i++) b->source[b->n_rows++] = (int32_t)(-1 - (b->image[image] + i));
    if (n_text) add_text_rows(b, text);
    b->start[b->n_sequences + 1] = (int32_t)b->n_rows;
    b->prefix[b->n_sequences] = (int32_t)(n_image + (text ? text->prefix : 0));
    if (n > b->longest) b->longest = n;
    return b->n_sequences++;
}

int64_t batch_sequence_rows(const struct batch *b, int64_t sequence)
{
    assert(sequence >= 0 && sequence < b->n_sequences);
    return b->start[sequence + 1] - b->start[sequence];
}

/* Rows that grow by whole texts; freed by rows_release(). */
static void put(struct batch_rows *r, int32_t id, int32_t position, int32_t label)
{
    r->id[r->n] = id;
    r->position[r->n] = position;
    r->label[r->n++] = label;
}

static struct batch_rows rows_new(int64_t n)
{
    struct batch_rows r = { .id = mem_new(int32_t, n), .position = mem_new(int32_t, n), .label = mem_new(int32_t, n) };
    return r;
}

static void rows_release(struct batch_rows *r)
{
    free(r->id);
    free(r->position);
    free(r->label);
    free(r->role);
    free(r->turn);
}

static int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

int64_t batch_add_mlm(struct batch *b, int64_t image, const struct batch_text *text, const int32_t *labels)
{
    const struct model_config *c = b->config;

    if (!text) return batch_add_sequence(b, image, NULL);
    int64_t n = at_most(text->n, c->max_text - 2);
    struct batch_rows r = rows_new(n + 2);
    put(&r, c->cls_id, CONFIG_FIRST_POSITION, -1);
    for (int64_t i = 0; i < n; i++)
        put(&r, text->tokens[i], (int32_t)(CONFIG_FIRST_POSITION + r.n), labels ? labels[i] : -1);
    put(&r, c->sep_id, (int32_t)(CONFIG_FIRST_POSITION + r.n), -1);
    r.prefix = r.n;
    r.lm = BATCH_MLM;
    int64_t s = batch_add_sequence(b, image, &r);
    rows_release(&r);
    return s;
}

int64_t batch_add_pair(struct batch *b, int64_t image, const struct batch_text *text)
{
    return batch_add_mlm(b, image, text, NULL);
}

int64_t batch_add_text_pair(struct batch *b, int64_t image, const struct batch_text *first,
                            const struct batch_text *second)
{
    const struct model_config *c = b->config;
    int64_t n = first->n, m = second->n;

    while (n + m > c->max_text - 3) {
        if (n > m) n--;
        else m--;
    }
    struct batch_rows r = rows_new(n + m + 3);
    put(&r, c->cls_id, CONFIG_FIRST_POSITION, -1);
    for (int64_t i = 0; i < n; i++) put(&r, first->tokens[i], (int32_t)(CONFIG_FIRST_POSITION + r.n), -1);
    put(&r, c->sep_id, (int32_t)(CONFIG_FIRST_POSITION + r.n), -1);
    for (int64_t i = 0; i < m; i++) put(&r, second->tokens[i], (int32_t)(CONFIG_FIRST_POSITION + r.n), -1);
    put(&r, c->sep_id, (int32_t)(CONFIG_FIRST_POSITION + r.n), -1);
    r.prefix = r.n;
    int64_t s = batch_add_sequence(b, image, &r);
    rows_release(&r);
    return s;
}

int32_t batch_end_symbol(const struct model_config *c)
{
    return c->ends_with_mask ? c->mask_id : c->sep_id;
}

struct speaker {
    int role, turn;
};

static void say(struct batch_rows *r, const struct model_config *c, int32_t id, int64_t position, struct speaker who)
{
    r->role[r->n] = who.role;
    r->turn[r->n] = who.turn;
    put(r, id, (int32_t)at_most(position, c->positions - 1), -1);
}

static void put_parts(struct batch_rows *r, const struct model_config *c, const struct batch_part *parts, int n)
{
    int64_t next = CONFIG_FIRST_POSITION;

    for (int i = 0; i < n; i++) {
        const struct batch_part *p = &parts[i];
        struct speaker who = { p->role, p->turn };
        if (p->starts) say(r, c, c->cls_id, CONFIG_FIRST_POSITION, who);
        if (!p->goes_on) next = CONFIG_FIRST_POSITION + (r->n > 0);
        for (int64_t k = 0; k < p->text.n; k++) say(r, c, p->text.tokens[k], next++, who);
        if (p->ends) say(r, c, c->sep_id, next++, who);
    }
    r->prefix = r->n;
}

static void put_target(struct batch_rows *r, const struct model_config *c, const struct batch_text *target, int64_t max)
{
    int64_t n = at_most(target->n, max - 1);
    bool has_end = target->n + 2 <= max;
    int32_t end = batch_end_symbol(c);

    for (int64_t i = -1; i < n; i++) {
        say(r, c, i < 0 ? c->cls_id : target->tokens[i], CONFIG_FIRST_POSITION + 1 + i, (struct speaker){ 0 });
        r->label[r->n - 1] = i + 1 < n ? target->tokens[i + 1] : has_end ? end : -1;
    }
    if (has_end) say(r, c, end, CONFIG_FIRST_POSITION + 1 + n, (struct speaker){ 0 });
}

int64_t batch_add_parts(struct batch *b, int64_t image, const struct batch_part *parts, int n,
                        const struct batch_text *target, int64_t max_target)
{
    int64_t rows = target ? at_most(target->n + 2, max_target) + 1 : 0;

    for (int i = 0; i < n; i++) rows += parts[i].text.n + 2;
    struct batch_rows r = rows_new(rows + 1);
    r.role = mem_new(int32_t, rows + 1);
    r.turn = mem_new(int32_t, rows + 1);
    r.lm = BATCH_SEQ2SEQ;
    put_parts(&r, b->config, parts, n);
    if (target) put_target(&r, b->config, target, max_target);
    int64_t s = batch_add_sequence(b, image, r.n ? &r : NULL);
    rows_release(&r);
    return s;
}

int64_t batch_add_generation(struct batch *b, int64_t image, const struct batch_text *source,
                             const struct batch_text *target)
{
    struct batch_part part = { .starts = true, .ends = true };

    if (source) part.text = *source;
    part.text.n = at_most(part.text.n, b->config->max_text - 2);
    return batch_add_parts(b, image, &part, source ? 1 : 0, target, b->config->max_text);
}

void batch_add_region_targets(struct batch *b, int64_t sequence, const struct batch_image *image, const uint8_t *masked)
{
    int64_t F = b->config->features, K = b->config->classes, n = used_regions(b, image);

    assert(batch_sequence_rows(b, sequence) > n);
    for (int64_t i = 0; i < n; i++) {
        int32_t row = (int32_t)(b->start[sequence] + 1 + i);
        if (!masked[i]) continue;
        mem_reserve(&b->masked_row, &b->cap_masked, b->n_masked + 1);
        mem_reserve(&b->masked_feature, &b->cap_target, (b->n_masked + 1) * F);
        memcpy(b->masked_feature + b->n_masked * F, image->features + i * F, (size_t)F * sizeof(float));
        b->masked_row[b->n_masked++] = row;
        if (!image->class_probs) continue;
        mem_reserve(&b->probs_row, &b->cap_probs_row, b->n_probs + 1);
        mem_reserve(&b->probs, &b->cap_probs, (b->n_probs + 1) * K);
        memcpy(b->probs + b->n_probs * K, image->class_probs + i * K, (size_t)K * sizeof(float));
        b->probs_row[b->n_probs++] = row;
    }
}

/* ---- pooled rows, scores, examples ---- */

int32_t batch_pool_image(struct batch *b, int64_t sequence)
{
    int32_t row = b->start[sequence];

    assert(b->source[row] < 0);
    mem_reserve(&b->img_row, &b->cap_img, b->n_img + 1);
    b->img_row[b->n_img] = row;
    return (int32_t)b->n_img++;
}

int32_t batch_pool_text(struct batch *b, int64_t sequence)
{
    int32_t row = b->start[sequence], end = b->start[sequence + 1];

    while (row < end && b->source[row] < 0) row++;
    assert(row < end);
    mem_reserve(&b->cls_row, &b->cap_cls, b->n_cls + 1);
    b->cls_row[b->n_cls] = row;
    return (int32_t)b->n_cls++;
}

void batch_add_score(struct batch *b, int32_t text, int32_t image, bool positive)
{
    assert(text >= 0 && text < b->n_cls && image >= 0 && image < b->n_img);
    mem_reserve(&b->score_cls, &b->cap_score_cls, b->n_scores + 1);
    mem_reserve(&b->score_img, &b->cap_score_img, b->n_scores + 1);
    mem_reserve(&b->positive, &b->cap_positive, b->n_scores + 1);
    b->score_cls[b->n_scores] = text;
    b->score_img[b->n_scores] = image;
    b->positive[b->n_scores++] = positive;
}

void batch_end_group(struct batch *b)
{
    mem_reserve(&b->group, &b->cap_group, b->n_groups + 2);
    b->group[++b->n_groups] = (int32_t)b->n_scores;
}

void batch_add_example(struct batch *b, int32_t text, int32_t image, int32_t label)
{
    mem_reserve(&b->example_cls, &b->cap_example_cls, b->n_examples + 1);
    mem_reserve(&b->example_img, &b->cap_example_img, b->n_examples + 1);
    mem_reserve(&b->example_label, &b->cap_example_label, b->n_examples + 1);
    b->example_cls[b->n_examples] = text;
    b->example_img[b->n_examples] = image;
    b->example_label[b->n_examples++] = label;
}

void batch_add_target(struct batch *b, const float *target)
{
    int64_t n = b->config->n_labels;

    assert(b->n_targets + 1 == b->n_examples);
    mem_reserve(&b->example_target, &b->cap_example_target, (b->n_targets + 1) * n);
    memcpy(b->example_target + b->n_targets++ * n, target, (size_t)n * sizeof *target);
}

/* ---- the contrastive example ---- */

struct scored { /* pooled rows of a pair */
    int32_t text, image;
};

static struct scored pool_joint(struct batch *b, int64_t image, const struct batch_text *text)
{
    int64_t s = batch_add_pair(b, image, text);

    return (struct scored){ batch_pool_text(b, s), batch_pool_image(b, s) };
}

/* Positives that are encoded alone: retrieved texts against the image, retrieved images against the text. */
static void pool_retrieved(struct batch *b, const struct batch_cmcl *x, int64_t image, struct scored *out)
{
    if (x->n_texts) {
        int32_t alone = batch_pool_image(b, batch_add_pair(b, image, NULL));
        for (int64_t i = 0; i < x->n_texts; i++)
            *out++ = (struct scored){ batch_pool_text(b, batch_add_pair(b, -1, &x->texts[i])), alone };
    }
    if (x->n_images) {
        int32_t alone = batch_pool_text(b, batch_add_pair(b, -1, &x->text));
        for (int64_t i = 0; i < x->n_images; i++) {
            int64_t other = batch_add_image(b, &x->images[i], NULL);
            *out++ = (struct scored){ alone, batch_pool_image(b, batch_add_pair(b, other, NULL)) };
        }
    }
}

static void add_scores(struct batch *b, const struct scored *at, int64_t n, bool positive)
{
    for (int64_t i = 0; i < n; i++) batch_add_score(b, at[i].text, at[i].image, positive);
}

void batch_add_cmcl(struct batch *b, const struct batch_cmcl *x)
{
    int64_t image = batch_add_image(b, &x->image, NULL), joint = 1 + x->n_positives,
            all = joint + x->n_texts + x->n_images;
    struct scored *positive = mem_new(struct scored, all), *negative = mem_new(struct scored, x->n_negatives + 1);

    positive[0] = pool_joint(b, image, &x->text);
    for (int64_t i = 0; i < x->n_positives; i++) positive[i + 1] = pool_joint(b, image, &x->positives[i]);
    for (int64_t i = 0; i < x->n_negatives; i++) negative[i] = pool_joint(b, image, &x->negatives[i]);
    pool_retrieved(b, x, image, positive + joint);
    int64_t together = x->each ? 1 : all;
    for (int64_t i = 0; i < all; i += together) {
        add_scores(b, positive + i, together, true);
        add_scores(b, negative, x->n_negatives, false);
        batch_end_group(b);
    }
    free(positive);
    free(negative);
}
