/* COCO's annotations of boxes: {"images": [{"id", "file_name"}], "categories": [{"id", "name"}], "annotations":
 * [{"image_id", "category_id", "bbox": [x, y, width, height], "iscrowd"}]}. Crowds and boxes without an area are left
 * out; "attributes", an array of names, may be there. */
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "detect/annotations.h"
#include "stream/limits.h"
#include <stdlib.h>
#include <string.h>

/* Places in annotations (of images) and numbers of classes, by id. */
struct ids {
    struct map images, categories;
};

static int read_category(struct ids *ids, const struct value *v, struct detect_config *c, bool learns, struct err *e)
{
    const char *name;
    int64_t id;

    if (value_get_int(v, "id", 0, INT64_MAX, &id, e) || value_get_string(v, "name", &name, e)) return -1;
    *map_put(&ids->categories, &id, sizeof id, NULL) = annotation_class(&c->classes, name, learns);
    return 0;
}

static int read_image(struct annotations *a, struct ids *ids, const struct value *v, const char *folder, struct err *e)
{
    const char *file;
    int64_t id;
    bool is_new;

    if (value_get_int(v, "id", 0, INT64_MAX, &id, e) || value_get_string(v, "file_name", &file, e)) return -1;
    int64_t *place = map_put(&ids->images, &id, sizeof id, &is_new);
    if (!is_new) return err_set(e, ERR_INPUT, "the id %lld again", (long long)id);
    *place = a->n;
    mem_reserve(&a->at, &a->cap, a->n + 1);
    a->at[a->n++] = (struct picture){ .path = picture_path(folder, file), .id = mem_strdup(file) };
    return 0;
}

static int read_box(struct box *b, const struct value *v, struct err *e)
{
    struct value *box;
    float x[4];

    if (value_get_array(v, "bbox", &box, e)) return -1;
    if (value_count(box) != 4) return err_set(e, ERR_INPUT, "\"bbox\" is not four numbers");
    for (int i = 0; i < 4; i++) {
        if (!value_is_number(value_at(box, i))) return err_set(e, ERR_INPUT, "\"bbox\" is not four numbers");
        x[i] = (float)value_number(value_at(box, i));
    }
    *b = (struct box){ x[0], x[1], x[0] + x[2], x[1] + x[3] };
    return 0;
}

static int read_annotation(struct annotations *a, const struct ids *ids, const struct value *v, struct detect_config *c,
                           bool learns, struct err *e)
{
    int64_t image, category, crowd = 0;
    struct annotation one = { 0 };

    if (value_get_int(v, "image_id", 0, INT64_MAX, &image, e) ||
        value_get_int(v, "category_id", 0, INT64_MAX, &category, e) || read_box(&one.box, v, e) ||
        value_opt_int(v, "iscrowd", 0, 1, &crowd, e))
        return -1;
    const int64_t *place = map_find(&ids->images, &image, sizeof image),
                  *number = map_find(&ids->categories, &category, sizeof category);
    if (!place || !number)
        return err_set(e, ERR_INPUT, "%s of id %lld", place ? "no category" : "no image",
                       (long long)(place ? category : image));
    if (crowd || !(one.box.x2 > one.box.x1 && one.box.y2 > one.box.y1)) return 0;
    if (*number < 1) return err_set(e, ERR_INPUT, "its category is unknown to the detector");
    one.class_of = (int)*number;
    if (annotation_attributes(&one, v, c, learns, e)) return -1;
    struct picture *p = &a->at[*place];
    int64_t cap = p->n;
    mem_reserve(&p->objects, &cap, p->n + 1);
    p->objects[p->n++] = one;
    return 0;
}

/* One file under way. */
struct reading {
    struct annotations *a;
    struct ids ids;
    struct detect_config *c;
    const char *folder;
    bool learns;
    int part;      /* that is looked for */
    bool has_part; /* and was found */
};

static int category_entry(struct reading *r, const struct value *v, struct err *e)
{
    return read_category(&r->ids, v, r->c, r->learns, e);
}

static int image_entry(struct reading *r, const struct value *v, struct err *e)
{
    return read_image(r->a, &r->ids, v, r->folder, e);
}

static int annotation_entry(struct reading *r, const struct value *v, struct err *e)
{
    return read_annotation(r->a, &r->ids, v, r->c, r->learns, e);
}

/* The parts in the order in which they refer to each other. */
static const struct {
    const char *key, *name;
    int (*read)(struct reading *r, const struct value *v, struct err *e);
} parts[] = { { "categories", "category", category_entry },
              { "images", "image", image_entry },
              { "annotations", "annotation", annotation_entry } };

static int visit(void *arg, const char *key, int64_t number, const struct value *v, struct err *e)
{
    struct reading *r = arg;

    if (strcmp(key, parts[r->part].key)) return 0;
    if (!number && v) return err_set(e, ERR_INPUT, "\"%s\" is not an array", key);
    r->has_part = true;
    if (!v || !parts[r->part].read(r, v, e)) return 0;
    return err_in(e, "%s %lld", parts[r->part].name, (long long)number);
}

/* The file has its parts in any order, and is large: it is gone through once for each, an entry at a time. */
static int read_parts(struct reading *r, const char *text, size_t n, struct err *e)
{
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        r->part = (int)k;
        r->has_part = false;
        if (value_walk(text, (int64_t)n, visit, r, e)) return -1;
        if (!r->has_part) return err_set(e, ERR_INPUT, "no \"%s\" (an array was expected)", parts[k].key);
    }
    return r->a->n ? 0 : err_set(e, ERR_INPUT, "no images");
}

int annotations_load_coco(struct annotations *a, const char *path, const char *folder, struct detect_config *c,
                          bool learns, struct err *e)
{
    size_t n;
    char *text = file_load(path, LIMIT_JSON_WALKED, &n, e), *inside = folder ? path_join(folder, "") : mem_strdup(path);
    struct reading r = { .a = a, .c = c, .folder = inside, .learns = learns };
    int rc = -1;

    *a = (struct annotations){ 0 };
    if (text) {
        rc = read_parts(&r, text, n, e);
        if (rc) err_in(e, "%s", path);
    }
    if (rc) annotations_release(a);
    map_release(&r.ids.images);
    map_release(&r.ids.categories);
    free(inside);
    free(text);
    return rc;
}
