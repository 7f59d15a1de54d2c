#include "score/join.h"
#include "core/hash.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

struct refs { /* of one id */
    int64_t n, cap;
    const char **at;
    const char *pred;
};
struct reading {
    struct join *j;
    struct map ids;
    struct refs *refs;
    int64_t cap, predicted;
    const char *field;
    bool by_image;
};

/* A string, or a whole number as it is written, in the arena. */
static int read_word(struct arena *a, const struct record *r, const char *field, const char **out, struct err *e)
{
    const struct value *v = value_get(r->fields, field);
    struct str s = { 0 };

    if (value_is_string(v)) str_add(&s, value_text(v, NULL));
    else if (value_is_int(v)) value_print(v, &s);
    else return err_set(e, ERR_INPUT, "\"%s\": expected a string or a whole number", field);
    *out = arena_strdup(a, str_c(&s));
    str_release(&s);
    return 0;
}

static struct refs *find(struct reading *x, const char *id, bool *is_new)
{
    int64_t *at = map_put(&x->ids, id, strlen(id), is_new);

    if (*is_new) {
        *at = x->ids.n - 1;
        mem_reserve(&x->refs, &x->cap, x->ids.n);
    }
    return &x->refs[*at];
}

static void add_ref(struct refs *refs, const char *text)
{
    mem_reserve(&refs->at, &refs->cap, refs->n + 1);
    refs->at[refs->n++] = text;
}

static int add_list(struct reading *x, struct refs *refs, const struct value *list, struct err *e)
{
    if (!value_is_array(list) || !value_count(list)) return err_set(e, ERR_INPUT, "\"refs\": expected an array of one or more strings");
    for (int64_t i = 0; i < value_count(list); i++) {
        const char *text = value_text(value_at(list, i), NULL);
        if (!text) return err_set(e, ERR_INPUT, "\"refs\": element %lld is no string", (long long)i);
        add_ref(refs, arena_strdup(&x->j->arena, text));
    }
    return 0;
}

static int read_ref(struct reading *x, const struct record *r, struct err *e)
{
    const struct value *list = value_get(r->fields, "refs");
    bool groups = x->by_image && !list, is_new;
    const char *id, *text;

    if (read_word(&x->j->arena, r, groups ? "image" : "id", &id, e)) return -1;
    struct refs *refs = find(x, id, &is_new);
    if (!is_new && !groups) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
    if (list) return add_list(x, refs, list, e);
    if (read_word(&x->j->arena, r, groups ? "text" : x->field, &text, e)) return -1;
    add_ref(refs, text);
    return 0;
}

static int read_pred(struct reading *x, const struct record *r, struct err *e)
{
    const char *id, *text;

    if (read_word(&x->j->arena, r, "id", &id, e) || read_word(&x->j->arena, r, "pred", &text, e)) return -1;
    const int64_t *at = map_find(&x->ids, id, strlen(id));
    if (!at) return err_set(e, ERR_INPUT, "id %s has no reference", err_quote(id));
    if (x->refs[*at].pred) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
    x->refs[*at].pred = text;
    x->predicted++;
    return 0;
}

static int read_all(struct reading *x, const char *path, int (*each)(struct reading *, const struct record *, struct err *), struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true }, e);
    struct record *r;
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next(in, &r, e)) > 0) {
        if (each(x, r, e)) got = err_in(e, "%s: record %lld", r->file, (long long)r->number);
        record_free(r);
    }
    reader_close(in);
    return got;
}

static int check_complete(const struct reading *x, const char *pred, struct err *e)
{
    for (int64_t i = 0; i < x->ids.n; i++) {
        if (!x->refs[i].pred)
            return err_set(e, ERR_INPUT, "%s: no prediction for id %s (and %lld more)", pred, err_quote(x->ids.at[i].key), (long long)(x->ids.n - x->predicted - 1));
    }
    return x->ids.n ? 0 : err_set(e, ERR_INPUT, "no references");
}

int join_read(struct join *j, const char *pred, const char *ref, const char *field, bool by_image, struct err *e)
{
    struct reading x = { .j = j, .field = field, .by_image = by_image };

    *j = (struct join){ 0 };
    int rc = read_all(&x, ref, read_ref, e);
    if (!rc) rc = read_all(&x, pred, read_pred, e);
    if (!rc) rc = check_complete(&x, pred, e);
    j->n = x.ids.n;
    j->id = arena_new(&j->arena, const char *, j->n + 1);
    j->items = arena_new(&j->arena, struct score_item, j->n + 1);
    for (int64_t i = 0; i < j->n; i++) {
        const char **at = arena_new(&j->arena, const char *, x.refs[i].n + 1);
        for (int64_t k = 0; k < x.refs[i].n; k++) at[k] = x.refs[i].at[k];
        free(x.refs[i].at);
        j->id[i] = arena_strdup(&j->arena, x.ids.at[i].key);
        j->items[i] = (struct score_item){ x.refs[i].pred, at, (int)x.refs[i].n };
    }
    free(x.refs);
    map_release(&x.ids);
    if (rc) join_release(j);
    return rc;
}

void join_release(struct join *j)
{
    arena_release(&j->arena);
    *j = (struct join){ 0 };
}
