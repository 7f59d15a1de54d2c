#include "tasks/one.h"
#include "core/file.h"
#include "core/str.h"
#include "detect/extract.h"
#include "text/fields.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct writer_opts quick = { .level = 1 };

/* The regions of the picture, as unimo-regionfeat finds them. */
static int look(struct one *x, const struct one_opts *o, struct device *dv, enum dtype compute, struct err *e)
{
    struct extract_opts how = { .select = { o->min_boxes, o->max_boxes, 0.2f, 0.3f, false },
                                .dtype = DT_F32,
                                .shards = 1 };
    char *own = o->detector ? NULL : file_shared("detector"), *full = realpath(o->image, NULL);
    struct detector d;
    int rc =
        full ? detector_load(&d, own ? own : o->detector, dv, compute, e) : err_errno(e, "%s: cannot open", o->image);

    if (!rc) {
        const char *path = full; /* whole, as it is kept in a record of no folder */
        struct writer *w = writer_open_nameless(&x->images, &quick, e);
        rc = w ? writer_end(w, extract_regions_to(&d, &path, 1, &how, w, e), e) : -1;
        detector_release(&d);
    }
    free(own);
    free(full);
    return rc;
}

static struct record *make_record(const struct one_opts *o)
{
    struct record *r = record_new();

    value_set(r->fields, "id", value_str("1"));
    if (o->image) {
        const char *base = path_base(o->image), *dot = strrchr(base, '.');
        value_set(r->fields, "image", value_strn(base, dot && dot != base ? dot - base : (int64_t)strlen(base)));
    }
    if (o->text) value_set(r->fields, "text", value_str(o->text));
    if (o->text_pair) value_set(r->fields, "text_pair", value_str(o->text_pair));
    if (o->turns.n) {
        struct value *turns = value_array();
        for (int i = 0; i < o->turns.n; i++) value_push(turns, value_str(o->turns.at[i]));
        value_set(r->fields, "turns", turns);
    }
    return r;
}

static int check_texts(const struct one_opts *o, struct err *e)
{
    const char *const names[] = { "text", "text-pair" }, *const at[] = { o->text, o->text_pair };

    for (int i = 0; i < 2; i++) {
        if (at[i] && !utf8_valid(at[i], strlen(at[i]))) return err_set(e, ERR_USAGE, "--%s: is not UTF-8", names[i]);
    }
    for (int i = 0; i < o->turns.n; i++) {
        if (!utf8_valid(o->turns.at[i], strlen(o->turns.at[i]))) return err_set(e, ERR_USAGE, "--turn: is not UTF-8");
    }
    return 0;
}

/* The record with tokens, as unimo-tokenize makes them. */
static int add_tokens(const struct bpe *b, struct record *r, struct str *line, struct err *e)
{
    struct raw raw = { .record = r };
    struct outline outline = { 0 };
    struct str room = { 0 };
    struct encoded x = { 0 };
    struct fields f;
    int rc = fields_parse(&f, "text,text_pair,turns", e) || raw_outline(&raw, OUTLINE_SAME, &outline, &room, e) ||
             fields_encode(&f, &outline, b, &x, 0, line, e);

    fields_release(&f);
    encoded_release(&x);
    str_release(&room);
    outline_release(&outline);
    return rc ? -1 : 0;
}

static int ask(struct one *x, const struct one_opts *o, struct err *e)
{
    struct bpe *b = bpe_load(o->vocabulary, e);
    struct record *r = make_record(o);
    struct printed line = { 0 };
    int rc = b ? add_tokens(b, r, &line.text, e) : -1;
    struct writer *w = rc ? NULL : writer_open_nameless(&x->input, &quick, e);

    printed_end(&line, record_id(r), strlen(record_id(r)));
    rc = w ? writer_end(w, writer_put_printed(w, &line, 0, line.n, e), e) : -1;
    printed_release(&line);
    record_free(r);
    bpe_free(b);
    return rc;
}

int one_open(struct one *x, const struct one_opts *o, struct device *dv, enum dtype compute, struct err *e)
{
    *x = (struct one){ .images.fd = -1, .input.fd = -1 };
    int rc = check_texts(o, e);
    if (!rc && o->image) rc = look(x, o, dv, compute, e);
    if (!rc && (o->text || o->turns.n)) rc = ask(x, o, e);
    else if (!rc) memcpy(x->input.path, x->images.path, sizeof x->input.path); /* the image is the record */
    if (rc) one_close(x);
    return rc;
}

void one_close(struct one *x)
{
    nameless_close(&x->images);
    nameless_close(&x->input);
}
