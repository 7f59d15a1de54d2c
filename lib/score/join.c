#include "score/join.h"
#include "core/hash.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

struct refs { /* of one id */
    int64_t n, cap;
    const char **at;
    const char *only; /* the first; at is used from the second on */
    const char *pred;
};
struct reading {
    struct join *j;
    struct refs *refs; /* [j->ids.n] */
    int64_t cap, predicted;
    char *room; /* where the next text goes */
    size_t left;
    struct str name; /* the id at hand */
    const char *field;
    bool by_image;
};

enum { CHUNK = 1 << 16 };

/* Texts lie one behind the other: an arena would give each a multiple of 64 bytes. */
static const char *keep(struct reading *x, const char *text, size_t n)
{
    if (n + 1 > x->left) {
        x->left = n + 1 > CHUNK ? n + 1 : CHUNK;
        x->room = arena_new(&x->j->arena, char, x->left);
    }
    char *at = x->room;
    memcpy(at, text, n + 1);
    x->room += n + 1;
    x->left -= n + 1;
    return at;
}

static int check_text(const char *text, int64_t n, const char *field, struct err *e)
{
    return strlen(text) == (size_t)n ? 0 : err_set(e, ERR_INPUT, "\"%s\": holds the character 0", field);
}

/* A string, or a whole number as it is written; valid until name changes or the record is gone. */
static int read_word(struct str *name, const struct record *r, const char *field, const char **out, size_t *n_out,
                     struct err *e)
{
    const struct value *v = value_get(r->fields, field);
    int64_t n;

    if (value_is_string(v)) {
        *out = value_text(v, &n);
        *n_out = (size_t)n;
        return check_text(*out, n, field, e);
    }
    if (!value_is_int(v)) return err_set(e, ERR_INPUT, "\"%s\": expected a string or a whole number", field);
    str_clear(name);
    value_print(v, name);
    *out = str_c(name);
    *n_out = name->n;
    return 0;
}

static struct refs *find(struct reading *x, const char *id, size_t n, bool *is_new)
{
    int64_t *at = map_put(&x->j->ids, id, n, is_new);

    if (*is_new) {
        *at = x->j->ids.n - 1;
        mem_reserve(&x->refs, &x->cap, x->j->ids.n);
    }
    return &x->refs[*at];
}

static void add_ref(struct refs *refs, const char *text)
{
    if (!refs->n++) {
        refs->only = text;
        return;
    }
    mem_reserve(&refs->at, &refs->cap, refs->n);
    refs->at[0] = refs->only;
    refs->at[refs->n - 1] = text;
}

static int add_list(struct reading *x, struct refs *refs, const struct value *list, struct err *e)
{
    if (!value_is_array(list) || !value_count(list))
        return err_set(e, ERR_INPUT, "\"refs\": expected an array of one or more strings");
    for (int64_t i = 0; i < value_count(list); i++) {
        int64_t n;
        const char *text = value_text(value_at(list, i), &n);
        if (!text) return err_set(e, ERR_INPUT, "\"refs\": element %lld is no string", (long long)i);
        if (check_text(text, n, "refs", e)) return -1;
        add_ref(refs, keep(x, text, (size_t)n));
    }
    return 0;
}

static int read_ref(struct reading *x, const struct record *r, struct err *e)
{
    const struct value *list = value_get(r->fields, "refs");
    bool groups = x->by_image && !list, is_new;
    const char *id, *text;
    size_t n;

    if (read_word(&x->name, r, groups ? "image" : "id", &id, &n, e)) return -1;
    struct refs *refs = find(x, id, n, &is_new);
    if (!is_new && !groups) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
    if (list) return add_list(x, refs, list, e);
    if (read_word(&x->name, r, groups ? "text" : x->field, &text, &n, e)) return -1;
    add_ref(refs, keep(x, text, n));
    return 0;
}

static int read_pred(struct reading *x, const struct record *r, struct err *e)
{
    const char *id, *text;
    size_t n;

    if (read_word(&x->name, r, "id", &id, &n, e)) return -1;
    const int64_t *at = map_find(&x->j->ids, id, n);
    if (!at) return err_set(e, ERR_INPUT, "id %s has no reference", err_quote(id));
    struct refs *refs = &x->refs[*at];
    if (refs->pred) return err_set(e, ERR_INPUT, "id %s is there twice", err_quote(id));
    if (read_word(&x->name, r, "pred", &text, &n, e)) return -1;
    refs->pred = keep(x, text, n);
    x->predicted++;
    return 0;
}

static int read_all(struct reading *x, const char *path,
                    int (*each)(struct reading *, const struct record *, struct err *), struct err *e)
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
    const struct map *ids = &x->j->ids;

    for (int64_t i = 0; i < ids->n; i++) {
        if (!x->refs[i].pred)
            return err_set(e, ERR_INPUT, "%s: no prediction for id %s (and %lld more)", pred, err_quote(ids->at[i].key),
                           (long long)(ids->n - x->predicted - 1));
    }
    return ids->n ? 0 : err_set(e, ERR_INPUT, "no references");
}

/* The items in the order of the references. */
static void gather(const struct reading *x)
{
    struct join *j = x->j;

    j->n = j->ids.n;
    j->id = arena_new(&j->arena, const char *, j->n + 1);
    j->items = arena_new(&j->arena, struct score_item, j->n + 1);
    const char **only = arena_new(&j->arena, const char *, j->n + 1);
    for (int64_t i = 0; i < j->n; i++) {
        const struct refs *refs = &x->refs[i];
        const char **at = refs->n > 1 ? arena_new(&j->arena, const char *, refs->n) : &only[i];
        if (refs->n > 1) memcpy(at, refs->at, (size_t)refs->n * sizeof *at);
        else only[i] = refs->only;
        j->id[i] = j->ids.at[i].key;
        j->items[i] = (struct score_item){ refs->pred, at, (int)refs->n };
    }
}

int join_read(struct join *j, const char *pred, const char *ref, const char *field, bool by_image, struct err *e)
{
    struct reading x = { .j = j, .field = field, .by_image = by_image };

    *j = (struct join){ 0 };
    int rc = read_all(&x, ref, read_ref, e);
    if (!rc) rc = read_all(&x, pred, read_pred, e);
    if (!rc) rc = check_complete(&x, pred, e);
    if (!rc) gather(&x);
    for (int64_t i = 0; i < j->ids.n; i++) free(x.refs[i].at);
    free(x.refs);
    str_release(&x.name);
    if (rc) join_release(j);
    return rc;
}

void join_release(struct join *j)
{
    map_release(&j->ids);
    arena_release(&j->arena);
    *j = (struct join){ 0 };
}
