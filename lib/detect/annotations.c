#include "detect/annotations.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/str.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

char *picture_path(const char *stream, const char *image)
{
    struct str s = { 0 };
    const char *slash = stream ? strrchr(stream, '/') : NULL;

    if (slash && image[0] != '/') str_add_bytes(&s, stream, (size_t)(slash - stream) + 1);
    str_add(&s, image);
    return s.data;
}

int annotation_class(struct names *names, const char *name, bool learns)
{
    int k = names_find(names, name);

    if (k < 0 && learns) {
        names_add(names, name);
        k = names->n - 1;
    }
    return k;
}

static int read_box(struct box *b, const struct value *v, struct err *e)
{
    struct value *box;
    float x[4];

    if (value_get_array(v, "box", &box, e)) return -1;
    for (int i = 0; i < 4; i++) {
        const struct value *part = i < value_count(box) ? value_at(box, i) : NULL;
        if (value_count(box) != 4 || !value_is_number(part))
            return err_set(e, ERR_INPUT, "\"box\" is not four numbers");
        x[i] = (float)value_number(part);
    }
    *b = (struct box){ x[0], x[1], x[2], x[3] };
    if (!(b->x2 > b->x1 && b->y2 > b->y1)) return err_set(e, ERR_INPUT, "an empty box");
    return 0;
}

static bool has_attribute(const struct annotation *a, int attribute)
{
    for (int i = 0; i < a->n_attributes; i++) {
        if (a->attributes[i] == attribute) return true;
    }
    return false;
}

int annotation_attributes(struct annotation *a, const struct value *object, struct detect_config *c, bool learns,
                          struct err *e)
{
    const struct value *list = value_get(object, "attributes");

    for (int64_t i = 0; i < value_count(list) && a->n_attributes < 8; i++) {
        const struct value *v = value_at(list, i);
        const char *attribute = value_text(v, NULL);
        if (!attribute && value_is_string(v)) return err_set(e, ERR_INPUT, "\"attributes\": holds the character 0");
        int k = attribute ? annotation_class(&c->attributes, attribute, learns) : -1;
        if (k > 0 && !has_attribute(a, k)) a->attributes[a->n_attributes++] = k;
    }
    return 0;
}

static int read_object(struct annotation *a, const struct value *v, struct detect_config *c, bool learns, struct err *e)
{
    const char *name;

    if (value_get_string(v, "class", &name, e) || read_box(&a->box, v, e)) return -1;
    a->class_of = annotation_class(&c->classes, name, learns);
    if (a->class_of < 1) return err_set(e, ERR_INPUT, "class %s is unknown to the detector", err_quote(name));
    return annotation_attributes(a, v, c, learns, e);
}

static int read_picture(struct picture *p, const char *stream, const struct record *r, struct detect_config *c,
                        bool learns, struct err *e)
{
    struct value *objects;
    const char *image;

    if (record_string(r, "image", &image, e) || value_get_array(r->fields, "objects", &objects, e)) return -1;
    *p = (struct picture){ .path = picture_path(stream, image), .id = mem_strdup(record_id(r)) };
    p->objects = mem_new(struct annotation, value_count(objects) + 1);
    for (int64_t i = 0; i < value_count(objects); i++, p->n++) {
        if (read_object(&p->objects[i], value_at(objects, i), c, learns, e))
            return err_in(e, "object %lld", (long long)i + 1);
    }
    return 0;
}

int annotations_load(struct annotations *a, const char *path, const char *folder, struct detect_config *c,
                     bool learns_names, struct err *e)
{
    if (str_ends(path, ".json")) return annotations_load_coco(a, path, folder, c, learns_names, e);
    char *inside = folder ? path_join(folder, "") : mem_strdup(path);
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int got = in ? 0 : -1;

    *a = (struct annotations){ 0 };
    while (in && (got = reader_next(in, &r, e)) > 0) {
        mem_reserve(&a->at, &a->cap, a->n + 1);
        int rc = read_picture(&a->at[a->n++], inside, r, c, learns_names, e);
        if (rc) err_in(e, "%s: record %lld", path, (long long)r->number);
        record_free(r);
        if (rc) got = -1;
        if (rc) break;
    }
    if (!got && !a->n) got = err_set(e, ERR_INPUT, "%s: has no records", path);
    reader_close(in);
    free(inside);
    if (got) annotations_release(a);
    return got;
}

uint64_t annotations_digest(const struct annotations *a)
{
    struct digest d;

    digest_init(&d);
    for (int64_t i = 0; i < a->n; i++) {
        const struct picture *p = &a->at[i];
        digest_add(&d, p->id, strlen(p->id) + 1);
        digest_add(&d, &p->n, sizeof p->n);
        if (p->n) digest_add(&d, p->objects, (size_t)p->n * sizeof *p->objects); /* which have no padding */
    }
    return digest_value(&d);
}

void annotations_release(struct annotations *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        free(a->at[i].path);
        free(a->at[i].id);
        free(a->at[i].objects);
    }
    free(a->at);
    *a = (struct annotations){ 0 };
}
