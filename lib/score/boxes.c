#include "score/boxes.h"
#include "core/mem.h"
#include "core/str.h"
#include "score/forms.h"
#include "stream/reader.h"
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct boxes *b;
    struct map names; /* of COCO's categories: id as a word -> index in categories */
    bool is_truth, knows_images;
    int64_t cap_found, cap_true;
    struct str word;
};

static int word_of(struct str *room, const struct value *v, const char *field, struct err *e)
{
    const char *text = value_text(v, NULL);

    str_clear(room);
    if (text) str_add(room, text);
    else if (value_is_int(v)) value_print(v, room);
    else if (value_is_string(v)) return err_set(e, ERR_INPUT, "\"%s\": holds the character 0", field);
    else return err_set(e, ERR_INPUT, "\"%s\": expected a string or a whole number", field);
    return 0;
}

static int32_t number_of(struct map *m, const struct str *word)
{
    bool is_new;
    int64_t *at = map_put(m, str_c(word), word->n, &is_new);

    if (is_new) *at = m->n - 1;
    return (int32_t)*at;
}

static int read_four(const struct value *v, const char *field, double out[4], struct err *e)
{
    for (int i = 0; i < 4; i++) {
        const struct value *x = value_is_array(v) && value_count(v) == 4 ? value_at(v, i) : NULL;
        if (!value_is_number(x)) return err_set(e, ERR_INPUT, "\"%s\": expected an array of four numbers", field);
        out[i] = value_number(x);
        if (!(out[i] > -1e9 && out[i] < 1e9)) return err_set(e, ERR_INPUT, "\"%s\": out of range", field);
    }
    return 0;
}

/* Flags may be 0 and 1 or false and true. */
static bool is_set(const struct value *v)
{
    return value_is_true(v) || (value_is_number(v) && value_number(v) != 0);
}

static int read_shape(struct box *x, const struct value *o, struct err *e)
{
    static const char *const names[] = { "bbox", "bbox_xywh", "bbox_x1y1x2y2" };
    double four[4];

    for (int i = 0; i < 3; i++) {
        const struct value *v = value_get(o, names[i]);
        if (!v) continue;
        if (read_four(v, names[i], four, e)) return -1;
        bool corners = i == 2;
        *x = (struct box){ .x = four[0],
                           .y = four[1],
                           .w = corners ? four[2] - four[0] + 1 : four[2],
                           .h = corners ? four[3] - four[1] + 1 : four[3] };
        return x->w < 0 || x->h < 0 ? err_set(e, ERR_INPUT, "\"%s\": a negative size", names[i]) : 0;
    }
    return err_set(e, ERR_INPUT, "\"bbox\" is missing");
}

static int add_box(struct reading *r, const struct value *o, const char *image, const char *category, struct err *e)
{
    struct boxes *b = r->b;
    struct box x;

    if (read_shape(&x, o, e) || word_of(&r->word, value_get(o, image), image, e)) return -1;
    if (r->knows_images && !map_find(&b->images, str_c(&r->word), r->word.n))
        return err_set(e, ERR_INPUT, "image %s is not in the annotations", err_quote(str_c(&r->word)));
    x.image = number_of(&b->images, &r->word);
    if (word_of(&r->word, value_get(o, category), category, e)) return -1;
    const int64_t *named = map_find(&r->names, str_c(&r->word), r->word.n);
    x.category = named ? (int32_t)*named : number_of(&b->categories, &r->word);
    x.area = x.w * x.h;
    if (r->is_truth) {
        if (value_opt_real(o, "area", 0, DBL_MAX, &x.area, e)) return -1;
        x.is_crowd = is_set(value_get(o, "iscrowd"));
        x.is_difficult = is_set(value_get(o, "difficult"));
        mem_reserve(&b->truth, &r->cap_true, b->n_true + 1);
        b->truth[b->n_true++] = x;
        return 0;
    }
    if (value_get_real(o, "score", -DBL_MAX, DBL_MAX, &x.score, e)) return -1;
    mem_reserve(&b->found, &r->cap_found, b->n_found + 1);
    b->found[b->n_found++] = x;
    return 0;
}

static int read_list(struct reading *r, const struct value *list, struct err *e)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        if (add_box(r, value_at(list, i), "image_id", "category_id", e)) return err_in(e, "box %" PRId64, i);
    }
    return 0;
}

/* COCO's annotations name all images, also those without boxes, and categories by number. */
static int read_coco(struct reading *r, const struct value *v, struct err *e)
{
    const struct value *images = value_get(v, "images"), *categories = value_get(v, "categories");

    for (int64_t i = 0; i < value_count(images); i++) {
        if (word_of(&r->word, value_get(value_at(images, i), "id"), "id", e)) return -1;
        number_of(&r->b->images, &r->word);
    }
    r->knows_images = value_count(images) > 0;
    for (int64_t i = 0; i < value_count(categories); i++) {
        const struct value *o = value_at(categories, i);
        struct str id = { 0 };
        int rc = word_of(&id, value_get(o, "id"), "id", e) || word_of(&r->word, value_get(o, "name"), "name", e);
        if (!rc) *map_put(&r->names, str_c(&id), id.n, NULL) = number_of(&r->b->categories, &r->word);
        str_release(&id);
        if (rc) return -1;
    }
    return read_list(r, value_get(v, "annotations"), e);
}

static int read_record(void *arg, const struct record *rec, struct err *e)
{
    return add_box(arg, rec->fields, "image", "category", e);
}

static int read_file(struct reading *r, const char *path, struct err *e)
{
    if (strcmp(forms_guess(path), "document"))
        return reader_each(path, &(struct reader_opts){ .skip_tensors = true }, read_record, r, e);
    struct value *v = value_load(path, e);
    int rc = -1;

    if (!v) return -1;
    if (value_is_array(v)) rc = read_list(r, v, e);
    else if (value_is_array(value_get(v, "annotations"))) rc = read_coco(r, v, e);
    else err_set(e, ERR_INPUT, "neither results nor annotations of COCO");
    if (rc) err_in(e, "%s", path);
    value_free(v);
    return rc;
}

static int by_id(const void *a, const void *b, void *arg)
{
    const struct boxes *all = arg;
    const char *x = all->ids[*(const int32_t *)a], *y = all->ids[*(const int32_t *)b];
    int64_t p, q;

    if (str_to_int(x, INT64_MIN, INT64_MAX, &p) && str_to_int(y, INT64_MIN, INT64_MAX, &q)) return (p > q) - (p < q);
    return strcmp(x, y);
}

int boxes_read(struct boxes *b, const char *found, const char *truth, struct err *e)
{
    struct reading r = { .b = b, .is_truth = true };

    *b = (struct boxes){ 0 };
    int rc = read_file(&r, truth, e);
    r.is_truth = false;
    if (!rc) rc = read_file(&r, found, e);
    if (!rc && !b->n_true) rc = err_set(e, ERR_INPUT, "%s: no boxes", truth);
    b->ids = mem_new(const char *, b->images.n + 1);
    b->order = mem_new(int32_t, b->images.n + 1);
    for (int64_t i = 0; i < b->images.n; i++) {
        b->ids[i] = b->images.at[i].key;
        b->order[i] = (int32_t)i;
    }
    if (b->images.n) qsort_r(b->order, (size_t)b->images.n, sizeof *b->order, by_id, b);
    map_release(&r.names);
    str_release(&r.word);
    if (rc) boxes_release(b);
    return rc;
}

void boxes_release(struct boxes *b)
{
    free(b->found);
    free(b->truth);
    free(b->ids);
    free(b->order);
    map_release(&b->images);
    map_release(&b->categories);
    *b = (struct boxes){ 0 };
}
