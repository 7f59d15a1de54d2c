/* Finding the texts of a record's line and adding tokens and units to it. The line stays as it is but for what is
 * added: a member that was there already is replaced where it stands, another one goes to the end of its object. */
#include "text/fields.h"
#include "core/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct key key_new(const char *name, size_t n, const char *behind)
{
    struct str s = { 0 };

    str_add_bytes(&s, name, n);
    str_add(&s, behind);
    return (struct key){ s.data, s.n };
}

static bool is_named(const struct field *f, const char *name)
{
    return f->name.n == strlen(name) && !memcmp(f->name.text, name, strlen(name));
}

/* The names of what belongs to a field: "tokens" for "text", "question_tokens" for "question". */
static struct field field_new(const char *name, size_t n)
{
    struct field f = { .name = key_new(name, n, "") };
    bool is_text = is_named(&f, "text");

    f.tokens = key_new(name, is_text ? 0 : n, is_text ? "tokens" : "_tokens");
    f.units = key_new(name, is_text ? 0 : n, is_text ? "units" : "_units");
    return f;
}

static void field_release(struct field *f)
{
    free(f->name.text);
    free(f->tokens.text);
    free(f->units.text);
}

static int find_name(const struct fields *f, const char *name)
{
    for (int i = 0; i < f->n; i++) {
        if (!strcmp(f->at[i].name.text, name)) return i;
    }
    return -1;
}

/* A key that JSON writes as it is. */
static bool is_key(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == '"' || name[i] == '\\') return false;
    }
    return n && utf8_valid(name, n);
}

int fields_parse(struct fields *f, const char *names, struct err *e)
{
    *f = (struct fields){ 0 };
    for (const char *p = names;; p++) {
        size_t n = strcspn(p, ",");
        if (!is_key(p, n) || f->n == FIELDS_MAX) {
            fields_release(f);
            return err_set(e, ERR_USAGE, "%s: 1 to %d names with commas between them were expected", err_quote(names),
                           FIELDS_MAX);
        }
        struct field field = field_new(p, n);
        if (find_name(f, field.name.text) < 0) f->at[f->n++] = field;
        else field_release(&field); /* twice is once */
        p += n;
        if (!*p) return 0;
    }
}

void fields_release(struct fields *f)
{
    for (int i = 0; i < f->n; i++) field_release(&f->at[i]);
    *f = (struct fields){ 0 };
}

/* ---- from texts to something ---- */

/* What is done with each text, and then with the texts (so many, the last ones) that belong to one place. */
struct visitor {
    int (*text)(struct visitor *v, const char *text, size_t n, const struct outline_node *phrases, struct err *e);
    void (*place)(struct visitor *v, const struct outline_node *owner, const struct field *field, int64_t texts,
                  bool is_list);
    const struct outline *o;
    struct str *room;
};

static const struct field text_field = { { (char[]){ "text" }, 4 },
                                         { (char[]){ "tokens" }, 6 },
                                         { (char[]){ "units" }, 5 } };
static const struct key phrases_key = { (char[]){ "phrases" }, 7 };

static const struct outline_node *member(const struct visitor *v, const struct outline_node *owner,
                                         const struct key *key)
{
    return outline_member(v->o, owner, key->text, key->n);
}

static int visit_text(struct visitor *v, const struct outline_node *string, const struct outline_node *phrases,
                      struct err *e)
{
    size_t n;
    const char *text = outline_text(v->o, string, v->room, &n);

    return v->text(v, text, n, phrases, e);
}

static int visit_string(struct visitor *v, const struct outline_node *owner, const struct field *field,
                        const struct outline_node *string, struct err *e)
{
    bool has_phrases = is_named(field, "text");

    if (visit_text(v, string, has_phrases ? member(v, owner, &phrases_key) : NULL, e)) return -1;
    v->place(v, owner, field, 1, false);
    return 0;
}

/* The next entry of a list: *at moves on; NULL for a number, which has no node. */
static const struct outline_node *next_entry(const struct visitor *v, const struct outline_node *list, uint32_t i,
                                             const struct outline_node **at)
{
    const struct outline_node *entry = *at;

    if (entry >= v->o->at + list->next || entry->place != i) return NULL;
    *at = v->o->at + entry->next;
    return entry;
}

static int visit_strings(struct visitor *v, const struct outline_node *owner, const struct field *field,
                         const struct outline_node *list, struct err *e)
{
    const struct outline_node *at = list + 1;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct outline_node *entry = next_entry(v, list, i, &at);
        bool is_string = entry && entry->kind == OUTLINE_STRING;
        int rc = is_string ? visit_text(v, entry, NULL, e) : err_set(e, ERR_INPUT, "not a string, as the first one is");
        if (rc) return err_in(e, "\"%s\": entry %" PRIu32, field->name.text, i);
    }
    v->place(v, owner, field, list->n, true);
    return 0;
}

static int visit_objects(struct visitor *v, const struct field *field, const struct outline_node *list, struct err *e)
{
    const struct outline_node *at = list + 1;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct outline_node *entry = next_entry(v, list, i, &at);
        bool is_object = entry && entry->kind == OUTLINE_OBJECT;
        const struct outline_node *text = is_object ? member(v, entry, &text_field.name) : NULL;
        int rc = 0;
        if (!is_object) rc = err_set(e, ERR_INPUT, "neither a string nor an object with \"text\"");
        else if (!text || text->kind != OUTLINE_STRING)
            rc = err_set(e, ERR_INPUT, "no \"text\" (a string was expected)");
        if (rc || visit_string(v, entry, &text_field, text, e))
            return err_in(e, "\"%s\": entry %" PRIu32, field->name.text, i);
    }
    return 0;
}

static int walk(struct visitor *v, const struct fields *f, struct err *e)
{
    const struct outline_node *record = v->o->at;
    int found = 0;

    for (int i = 0; i < f->n; i++) {
        const struct field *field = &f->at[i];
        const struct outline_node *x = member(v, record, &field->name);
        int rc = 0;
        if (!x || x->kind == OUTLINE_NULL) continue;
        const struct outline_node *first = x + 1;
        if (x->kind == OUTLINE_STRING) rc = visit_string(v, record, field, x, e);
        else if (x->kind != OUTLINE_ARRAY)
            rc = err_set(e, ERR_INPUT, "\"%s\" is not a string or an array of texts", field->name.text);
        else if ((first = next_entry(v, x, 0, &first)) && first->kind == OUTLINE_STRING)
            rc = visit_strings(v, record, field, x, e);
        else rc = visit_objects(v, field, x, e);
        if (rc) return -1;
        found++;
    }
    if (found) return 0;
    return err_set(e, ERR_INPUT, "no \"%s\"%s (a text was expected)", f->at[0].name.text,
                   f->n > 1 ? " or other field" : "");
}

struct reading {
    struct visitor visitor;
    int (*visit)(void *arg, const char *text, int64_t n, struct err *e);
    void *arg;
};

static int read_text(struct visitor *v, const char *text, size_t n, const struct outline_node *phrases, struct err *e)
{
    const struct reading *r = (const struct reading *)v;

    return r->visit(r->arg, text, (int64_t)n, e);
}

static void leave(struct visitor *v, const struct outline_node *owner, const struct field *field, int64_t texts,
                  bool is_list)
{
}

int fields_each(const struct fields *f, const struct outline *record,
                int (*visit)(void *arg, const char *text, int64_t n, struct err *e), void *arg, struct err *e)
{
    struct str room = { 0 };
    struct reading r = { { read_text, leave, record, &room }, visit, arg };
    int rc = walk(&r.visitor, f, e);

    str_release(&room);
    return rc;
}

/* ---- to tokens ---- */

/* A text's part of the ids and units. */
struct encoded_text {
    int64_t first, n;
};
/* A member that is added to the line, in place of its bytes [at, end), of which there are none when it is new. */
struct addition {
    uint32_t at, end;
    int64_t order;
    const struct key *key; /* of a new one, else NULL */
    int64_t first, n;      /* texts */
    bool is_list, is_units;
};

struct encode {
    struct visitor visitor;
    const struct bpe *b;
    struct encoded *x;
    int64_t max_length;
    int64_t text, pair; /* which of the texts they are, or -1 */
};

static int encode_text(struct visitor *v, const char *text, size_t n, const struct outline_node *phrases, struct err *e)
{
    const struct encode *encode = (const struct encode *)v;
    struct encoded *x = encode->x;
    int64_t first = x->all.n;
    int rc = 0;

    bpe_append(encode->b, &x->all, text, n);
    struct encoding own = { .n = x->all.n - first, .ids = x->all.ids + first, .units = x->all.units + first };
    if (phrases) {
        struct value *spans = value_parse(v->o->line + phrases->at, phrases->end - phrases->at, e);
        rc = spans ? units_join(&own, encode->b, text, (int64_t)n, spans, e) : -1;
        value_free(spans);
    }
    if (rc) return rc;
    if (encode->max_length && own.n > encode->max_length) own.n = encode->max_length;
    mem_reserve(&x->texts, &x->texts_cap, x->n_texts + 1);
    x->texts[x->n_texts++] = (struct encoded_text){ first, own.n };
    x->all.n = first + own.n;
    return 0;
}

static void add(struct encode *encode, const struct outline_node *owner, const struct key *key, struct addition a)
{
    struct encoded *x = encode->x;
    const struct outline_node *old = member(&encode->visitor, owner, key);

    a.order = x->n_additions;
    a.key = old ? NULL : key;
    a.at = old ? old->at : owner->end - 1;
    a.end = old ? old->end : owner->end - 1;
    mem_reserve(&x->additions, &x->additions_cap, x->n_additions + 1);
    x->additions[x->n_additions++] = a;
}

static void place(struct visitor *v, const struct outline_node *owner, const struct field *field, int64_t texts,
                  bool is_list)
{
    struct encode *encode = (struct encode *)v;
    struct addition a = { .first = encode->x->n_texts - texts, .n = texts, .is_list = is_list };

    if (owner == v->o->at && !is_list && is_named(field, "text")) encode->text = a.first;
    if (owner == v->o->at && !is_list && is_named(field, "text_pair")) encode->pair = a.first;
    add(encode, owner, &field->tokens, a);
    a.is_units = true;
    add(encode, owner, &field->units, a);
}

/* The longer of the two loses its last token, the second one when they are equal, until both together fit. */
static void cut_pair(struct encoded_text *text, struct encoded_text *pair, int64_t max_length)
{
    int64_t over = text->n + pair->n - max_length;

    for (; over > 0 && text->n != pair->n; over--) (text->n > pair->n ? text : pair)->n--;
    if (over > 0) {
        text->n -= over / 2;
        pair->n -= over - over / 2;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct addition *x = a, *y = b;

    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void print_texts(const struct encoded *x, const struct addition *a, struct str *out)
{
    if (a->key) {
        str_add_bytes(out, ",\"", 2);
        str_add_bytes(out, a->key->text, a->key->n);
        str_add_bytes(out, "\":", 2);
    }
    if (a->is_list) str_add_char(out, '[');
    for (int64_t i = a->first; i < a->first + a->n; i++) {
        if (i > a->first) str_add_char(out, ',');
        if (a->is_units) value_print_bytes(x->all.units + x->texts[i].first, x->texts[i].n, out);
        else value_print_ints(x->all.ids + x->texts[i].first, x->texts[i].n, out);
    }
    if (a->is_list) str_add_char(out, ']');
}

/* Most are made in the order of their places. */
static void sort_additions(struct encoded *x)
{
    for (int64_t i = 1; i < x->n_additions; i++) {
        if (by_place(&x->additions[i - 1], &x->additions[i]) < 0) continue;
        qsort(x->additions, (size_t)x->n_additions, sizeof *x->additions, by_place);
        return;
    }
}

static void print_line(const struct outline *o, struct encoded *x, struct str *out)
{
    size_t at = 0;

    sort_additions(x);
    for (int64_t i = 0; i < x->n_additions; i++) {
        const struct addition *a = &x->additions[i];
        if (a->at < at) continue; /* within a list that gave way: a field named as another one's result */
        str_add_bytes(out, o->line + at, a->at - at);
        print_texts(x, a, out);
        at = a->end;
    }
    str_add_bytes(out, o->line + at, o->length - at);
}

int fields_encode(const struct fields *f, const struct outline *record, const struct bpe *b, struct encoded *x,
                  int64_t max_length, struct str *out, struct err *e)
{
    struct encode encode = { { encode_text, place, record, &x->room }, b, x, max_length, -1, -1 };

    encoding_trim(&x->all);
    x->all.n = x->n_texts = x->n_additions = 0;
    if (walk(&encode.visitor, f, e)) return -1;
    if (max_length && encode.text >= 0 && encode.pair >= 0)
        cut_pair(&x->texts[encode.text], &x->texts[encode.pair], max_length);
    print_line(record, x, out);
    return 0;
}

void encoded_release(struct encoded *x)
{
    encoding_release(&x->all);
    free(x->texts);
    free(x->additions);
    str_release(&x->room);
    *x = (struct encoded){ 0 };
}
