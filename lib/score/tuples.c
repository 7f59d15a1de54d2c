#include "score/tuples.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

struct reading {
    struct tuples *t;
    int64_t cap;
    bool *has_pred, *has_ref;
    int64_t cap_pred, cap_ref, cap_has_pred, cap_has_ref, cap_ids;
    bool is_ref, is_both;
};

static void add(struct tuple_list *l, const struct tuple *x)
{
    mem_reserve(&l->at, &l->cap, l->n + 1);
    l->at[l->n++] = *x;
}

static const char *keep(struct reading *r, const struct value *v)
{
    const char *text = value_text(v, NULL);

    return text ? arena_strdup(&r->t->arena, text) : NULL;
}

static int add_tuples(struct reading *r, struct tuple_list *out, const struct value *list, const char *field,
                      struct err *e)
{
    if (!value_is_array(list)) return err_set(e, ERR_INPUT, "\"%s\": expected an array of tuples", field);
    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        struct tuple x = { .n = value_count(v) <= 3 ? (int)value_count(v) : 0 };
        for (int k = 0; k < x.n && value_is_array(v); k++) x.at[k] = keep(r, value_at(v, k));
        if (!x.n || !x.at[x.n - 1] || !x.at[0] || (x.n == 3 && !x.at[1]))
            return err_set(e, ERR_INPUT, "\"%s\": element %lld: expected one to three strings", field, (long long)i);
        add(out, &x);
    }
    return 0;
}

static int add_graph(struct reading *r, struct tuple_list *out, const struct value *graph, struct err *e)
{
    const struct value *objects = value_get(graph, "objects"), *relations = value_get(graph, "relations");
    int64_t n = value_count(objects);

    for (int64_t i = 0; i < n; i++) {
        const struct value *o = value_at(objects, i), *attributes = value_get(o, "attributes");
        struct tuple x = { 1, { keep(r, value_get(o, "name")) } };
        if (!x.at[0]) return err_set(e, ERR_INPUT, "\"scene_graph\": object %lld has no name", (long long)i);
        add(out, &x);
        for (int64_t k = 0; k < value_count(attributes); k++) {
            x = (struct tuple){ 2, { x.at[0], keep(r, value_get(value_at(attributes, k), "name")) } };
            if (!x.at[1]) return err_set(e, ERR_INPUT, "\"scene_graph\": an attribute has no name");
            add(out, &x);
        }
    }
    for (int64_t i = 0; i < value_count(relations); i++) {
        const struct value *v = value_at(relations, i);
        int64_t from, to;
        if (value_get_int(v, "subject", 0, n - 1, &from, e) || value_get_int(v, "object", 0, n - 1, &to, e)) return -1;
        struct tuple x = { 3,
                           { keep(r, value_get(value_at(objects, from), "name")),
                             keep(r, value_get(value_at(objects, to), "name")), keep(r, value_get(v, "relation")) } };
        if (!x.at[2]) return err_set(e, ERR_INPUT, "\"scene_graph\": a relation has no name");
        add(out, &x);
    }
    return 0;
}

static int64_t find(struct reading *r, const char *id)
{
    bool is_new;
    int64_t *at = map_put(&r->t->map, id, strlen(id), &is_new), i;

    if (is_new) *at = r->t->map.n - 1;
    i = *at;
    mem_reserve(&r->t->pred, &r->cap_pred, i + 1);
    mem_reserve(&r->t->ref, &r->cap_ref, i + 1);
    mem_reserve(&r->has_pred, &r->cap_has_pred, i + 1);
    mem_reserve(&r->has_ref, &r->cap_has_ref, i + 1);
    return i;
}

static int add_record(void *arg, const struct record *rec, struct err *e)
{
    struct reading *r = arg;
    const struct value *f = rec->fields;
    const char *id = record_id(rec);

    if (r->is_both) {
        int64_t i = find(r, id);
        if (r->has_pred[i]) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
        r->has_pred[i] = r->has_ref[i] = true;
        return add_tuples(r, &r->t->pred[i], value_get(f, "test_tuples"), "test_tuples", e) ||
                       add_tuples(r, &r->t->ref[i], value_get(f, "ref_tuples"), "ref_tuples", e)
                   ? -1
                   : 0;
    }
    if (r->is_ref && value_get(f, "image") && value_get_string(f, "image", &id, e)) return -1;
    int64_t i = find(r, id);
    if (!r->is_ref && r->has_pred[i]) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
    (r->is_ref ? r->has_ref : r->has_pred)[i] = true;
    struct tuple_list *out = r->is_ref ? &r->t->ref[i] : &r->t->pred[i];
    const struct value *graph = value_get(f, "scene_graph");
    return graph ? add_graph(r, out, graph, e) : add_tuples(r, out, value_get(f, "tuples"), "tuples", e);
}

static int read_file(struct reading *r, const char *path, struct err *e)
{
    return reader_each(path, &(struct reader_opts){ .skip_tensors = true }, add_record, r, e);
}

int tuples_read(struct tuples *t, const char *pred, const char *ref, struct err *e)
{
    struct reading r = { .t = t, .is_both = !ref };

    *t = (struct tuples){ 0 };
    int rc = read_file(&r, pred, e);
    r.is_ref = true;
    if (!rc && ref) rc = read_file(&r, ref, e);
    t->n = t->map.n;
    t->ids = mem_new(const char *, t->n + 1);
    for (int64_t i = 0; i < t->n; i++) {
        t->ids[i] = t->map.at[i].key;
        if (!rc && (!r.has_pred[i] || !r.has_ref[i]))
            rc = err_set(e, ERR_INPUT, "no %s for id %s", r.has_pred[i] ? "references" : "prediction",
                         err_quote(t->ids[i]));
    }
    if (!rc && !t->n) rc = err_set(e, ERR_INPUT, "%s: no tuples", pred);
    free(r.has_pred);
    free(r.has_ref);
    return rc;
}

void tuples_release(struct tuples *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        free(t->pred[i].at);
        free(t->ref[i].at);
    }
    free(t->pred);
    free(t->ref);
    free(t->ids);
    map_release(&t->map);
    arena_release(&t->arena);
    *t = (struct tuples){ 0 };
}
