#include "text/fields.h"
#include "core/mem.h"
#include "text/unicode.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int fields_parse(struct fields *f, const char *names, struct err *e)
{
    *f = (struct fields){ 0 };
    for (const char *p = names;; p++) {
        size_t n = strcspn(p, ",");
        if (!n || f->n == FIELDS_MAX) {
            fields_release(f);
            return err_set(e, ERR_USAGE, "%s: 1 to %d names with commas between them were expected", err_quote(names),
                           FIELDS_MAX);
        }
        f->name[f->n++] = mem_strndup(p, n);
        p += n;
        if (!*p) return 0;
    }
}

void fields_release(struct fields *f)
{
    for (int i = 0; i < f->n; i++) free(f->name[i]);
    *f = (struct fields){ 0 };
}

/* The name of what belongs to a field: "tokens" for "text", "question_tokens" for "question". */
static const char *beside(struct str *name, const char *field, const char *what)
{
    str_clear(name);
    if (strcmp(field, "text")) str_addf(name, "%s_", field);
    str_add(name, what);
    return name->data;
}

/* ---- from texts to something ---- */

/* What is done with each text. Results, when wanted, are arrays that fields_walk() puts in their places. */
struct visitor {
    int (*visit)(struct visitor *v, const char *text, int64_t n, const struct value *phrases, struct value **tokens,
                 struct value **units, struct err *e);
};

static int visit_string(struct visitor *v, struct value *owner, const char *field, struct err *e)
{
    struct value *tokens = NULL, *units = NULL;
    struct str name = { 0 };
    int64_t n;
    const char *text = value_text(value_get(owner, field), &n);

    if (v->visit(v, text, n, strcmp(field, "text") ? NULL : value_get(owner, "phrases"), &tokens, &units, e)) return -1;
    if (tokens) value_set(owner, beside(&name, field, "tokens"), tokens);
    if (units) value_set(owner, beside(&name, field, "units"), units);
    str_release(&name);
    return 0;
}

static int visit_strings(struct visitor *v, struct value *owner, const char *field, const struct value *list,
                         struct err *e)
{
    struct value *all_tokens = value_array(), *all_units = value_array();
    struct str name = { 0 };
    bool has_results = false;
    int rc = 0;

    for (int64_t i = 0; i < value_count(list) && !rc; i++) {
        struct value *tokens = NULL, *units = NULL;
        int64_t n;
        const char *text = value_text(value_at(list, i), &n);
        rc = text ? v->visit(v, text, n, NULL, &tokens, &units, e)
                  : err_set(e, ERR_INPUT, "not a string, as the first one is");
        if (rc) err_in(e, "\"%s\": entry %" PRId64, field, i);
        has_results = tokens && units;
        if (tokens) value_push(all_tokens, tokens);
        if (units) value_push(all_units, units);
    }
    if (!rc && has_results) {
        value_set(owner, beside(&name, field, "tokens"), value_copy(all_tokens));
        value_set(owner, beside(&name, field, "units"), value_copy(all_units));
    }
    value_free(all_tokens);
    value_free(all_units);
    str_release(&name);
    return rc;
}

static int visit_objects(struct visitor *v, const char *field, const struct value *list, struct err *e)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        struct value *o = value_at(list, i);
        int rc = 0;
        if (!value_is_object(o)) rc = err_set(e, ERR_INPUT, "neither a string nor an object with \"text\"");
        else if (!value_is_string(value_get(o, "text")))
            rc = err_set(e, ERR_INPUT, "no \"text\" (a string was expected)");
        if (rc || visit_string(v, o, "text", e)) return err_in(e, "\"%s\": entry %" PRId64, field, i);
    }
    return 0;
}

static int walk(struct visitor *v, const struct fields *f, struct value *record, struct err *e)
{
    int found = 0;

    for (int i = 0; i < f->n; i++) {
        struct value *field = value_get(record, f->name[i]);
        int rc = 0;
        if (!field || value_is_null(field)) continue;
        if (value_is_string(field)) rc = visit_string(v, record, f->name[i], e);
        else if (!value_is_array(field))
            rc = err_set(e, ERR_INPUT, "\"%s\" is not a string or an array of texts", f->name[i]);
        else if (value_count(field) && value_is_string(value_at(field, 0)))
            rc = visit_strings(v, record, f->name[i], field, e);
        else rc = visit_objects(v, f->name[i], field, e);
        if (rc) return -1;
        found++;
    }
    if (found) return 0;
    return err_set(e, ERR_INPUT, "no \"%s\"%s (a text was expected)", f->name[0], f->n > 1 ? " or other field" : "");
}

struct reading {
    struct visitor visitor;
    int (*visit)(void *arg, const char *text, int64_t n, struct err *e);
    void *arg;
};

static int read_text(struct visitor *v, const char *text, int64_t n, const struct value *phrases, struct value **tokens,
                     struct value **units, struct err *e)
{
    const struct reading *r = (const struct reading *)v;

    return r->visit(r->arg, text, n, e);
}

int fields_each(const struct fields *f, struct value *record,
                int (*visit)(void *arg, const char *text, int64_t n, struct err *e), void *arg, struct err *e)
{
    struct reading r = { { read_text }, visit, arg };

    return walk(&r.visitor, f, record, e);
}

struct encode {
    struct visitor visitor;
    const struct bpe *b;
    struct encoding *scratch;
    int64_t max_length;
};

static int encode_text(struct visitor *v, const char *text, int64_t n, const struct value *phrases,
                       struct value **tokens, struct value **units, struct err *e)
{
    const struct encode *encode = (const struct encode *)v;
    struct encoding *c = encode->scratch;

    bpe_encode(encode->b, c, text, (size_t)n);
    if (units_join(c, encode->b, text, n, phrases, e)) return -1;
    if (encode->max_length && c->n > encode->max_length) c->n = encode->max_length;
    *tokens = value_ints(c->ids, c->n);
    *units = value_bytes(c->units, c->n);
    return 0;
}

static bool has_name(const struct fields *f, const char *name)
{
    for (int i = 0; i < f->n; i++) {
        if (!strcmp(f->name[i], name)) return true;
    }
    return false;
}

/* The longer of the two loses its last token, the second one when they are equal, until both together fit. */
static void cut_pair(struct value *record, int64_t max_length)
{
    struct value *tokens = value_get(record, "tokens"), *pair = value_get(record, "text_pair_tokens");
    int64_t a = value_count(tokens), b = value_count(pair), over = a + b - max_length;

    for (; over > 0 && a != b; over--) *(a > b ? &a : &b) -= 1;
    if (over > 0) {
        a -= over / 2;
        b -= over - over / 2;
    }
    value_cut(tokens, a);
    value_cut(value_get(record, "units"), a);
    value_cut(pair, b);
    value_cut(value_get(record, "text_pair_units"), b);
}

int fields_encode(const struct fields *f, struct value *record, const struct bpe *b, struct encoding *scratch,
                  int64_t max_length, struct err *e)
{
    struct encode encode = { { encode_text }, b, scratch, max_length };

    if (walk(&encode.visitor, f, record, e)) return -1;
    bool is_pair = has_name(f, "text") && has_name(f, "text_pair") && value_is_string(value_get(record, "text")) &&
                   value_is_string(value_get(record, "text_pair"));
    if (max_length && is_pair) cut_pair(record, max_length);
    return 0;
}

/* ---- and back ---- */

int fields_bytes(const struct value *tokens, const struct bpe *b, struct str *out, struct err *e)
{
    for (int64_t i = 0; i < value_count(tokens); i++) {
        const struct value *v = value_at(tokens, i);
        int64_t id = value_is_int(v) ? value_integer(v) : -1;
        if (id < 0 || id >= bpe_size(b))
            return err_set(e, ERR_INPUT, "token %" PRId64 " is not a whole number from 0 to %d", i, bpe_size(b) - 1);
        int32_t small = (int32_t)id;
        bpe_decode(b, &small, 1, out);
    }
    return 0;
}

static struct value *decoded(const struct value *tokens, const struct bpe *b, struct err *e)
{
    struct str bytes = { 0 }, text = { 0 };
    struct value *v = NULL;

    if (!value_is_array(tokens)) {
        err_set(e, ERR_INPUT, "not an array of token ids");
    } else if (!fields_bytes(tokens, b, &bytes, e)) {
        unicode_repair(str_c(&bytes), bytes.n, &text);
        v = value_strn(str_c(&text), (int64_t)text.n);
    }
    str_release(&bytes);
    str_release(&text);
    return v;
}

/* F from F_tokens, which holds ids or, for an array of strings, arrays of ids. */
static int decode_beside(struct value *owner, const char *field, const struct value *tokens, const struct bpe *b,
                         struct err *e)
{
    struct value *text = NULL;

    if (value_count(tokens) && value_is_array(value_at(tokens, 0))) {
        text = value_array();
        for (int64_t i = 0; i < value_count(tokens); i++) {
            struct value *one = decoded(value_at(tokens, i), b, e);
            if (!one) {
                value_free(text);
                return err_in(e, "entry %" PRId64, i);
            }
            value_push(text, one);
        }
    } else if (!(text = decoded(tokens, b, e))) {
        return -1;
    }
    value_set(owner, field, text);
    return 0;
}

static int decode_objects(const char *field, const struct value *list, const struct bpe *b, int *found, struct err *e)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        struct value *o = value_at(list, i), *tokens = value_is_object(o) ? value_get(o, "tokens") : NULL;
        if (!tokens) continue;
        if (decode_beside(o, "text", tokens, b, e)) return err_in(e, "\"%s\": entry %" PRId64 ": \"tokens\"", field, i);
        ++*found;
    }
    return 0;
}

int fields_decode(const struct fields *f, struct value *record, const struct bpe *b, struct err *e)
{
    struct str name = { 0 };
    int rc = 0, found = 0;

    for (int i = 0; i < f->n && !rc; i++) {
        const struct value *tokens = value_get(record, beside(&name, f->name[i], "tokens"));
        if (tokens && !value_is_null(tokens)) {
            rc = decode_beside(record, f->name[i], tokens, b, e);
            if (rc) err_in(e, "\"%s\"", name.data);
            found++;
        } else if (value_is_array(value_get(record, f->name[i]))) {
            rc = decode_objects(f->name[i], value_get(record, f->name[i]), b, &found, e);
        }
    }
    if (!rc && !found)
        rc = err_set(e, ERR_INPUT, "no \"%s\"%s (token ids were expected)", beside(&name, f->name[0], "tokens"),
                     f->n > 1 ? " or other field" : "");
    str_release(&name);
    return rc;
}
