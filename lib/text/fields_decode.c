/* From tokens back to texts. */
#include "core/unicode.h"
#include "text/fields.h"
#include <inttypes.h>

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
    int rc = 0, found = 0;

    for (int i = 0; i < f->n && !rc; i++) {
        const struct field *field = &f->at[i];
        const struct value *tokens = value_get(record, field->tokens.text);
        if (tokens && !value_is_null(tokens)) {
            rc = decode_beside(record, field->name.text, tokens, b, e);
            if (rc) err_in(e, "\"%s\"", field->tokens.text);
            found++;
        } else if (value_is_array(value_get(record, field->name.text))) {
            rc = decode_objects(field->name.text, value_get(record, field->name.text), b, &found, e);
        }
    }
    if (rc || found) return rc;
    return err_set(e, ERR_INPUT, "no \"%s\"%s (token ids were expected)", f->at[0].tokens.text,
                   f->n > 1 ? " or other field" : "");
}
