#include "score/forms.h"
#include "core/str.h"
#include "stream/lines.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS_MAX = 1024 }; /* of one item: VQA has 10, CoQA 4 */

const char *forms_guess(const char *path)
{
    static const char *const kinds[][2] = { { ".json", "document" }, { ".txt", "text" }, { ".tsv", "tsv" } };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (str_ends(path, kinds[i][0])) return kinds[i][1];
    }
    return "records";
}

/* ---- JSON documents ---- */

struct document {
    const struct forms_sink *sink;
    bool is_pred;
    struct str id;
};

/* The value as a word in *room; -1 unless it is a string or a number. */
static int word_of(struct str *room, const struct value *v, const char *field, struct err *e)
{
    const char *text = value_text(v, NULL);

    str_clear(room);
    if (text) str_add(room, text);
    else if (value_is_number(v)) value_print(v, room);
    else if (value_is_string(v)) return err_set(e, ERR_INPUT, "\"%s\": holds the character 0", field);
    else return err_set(e, ERR_INPUT, "\"%s\": expected a string or a number", field);
    return 0;
}

static int put_member(const struct document *d, const struct value *o, const char *field, struct err *e)
{
    struct str text = { 0 };
    int rc = word_of(&text, value_get(o, field), field, e);
    const char *at = str_c(&text);

    if (!rc) rc = d->sink->put(d->sink->arg, str_c(&d->id), &at, 1, e);
    str_release(&text);
    return rc;
}

static int put_caption(struct document *d, const struct value *o, struct err *e)
{
    struct str text = { 0 };
    int rc = word_of(&d->id, value_get(o, "image_id"), "image_id", e);

    if (!rc && d->is_pred) return put_member(d, o, "caption", e);
    if (!rc) rc = word_of(&text, value_get(o, "caption"), "caption", e);
    if (!rc) rc = d->sink->add(d->sink->arg, str_c(&d->id), str_c(&text), e);
    str_release(&text);
    return rc;
}

/* The member `field` of each entry of a list, or the list's own strings, as the texts of the id. */
static int put_list(const struct document *d, const struct value *list, const char *field, struct err *e)
{
    const char *texts[TEXTS_MAX];
    int n = 0;

    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_at(list, i);
        const char *text = value_text(value_is_string(v) ? v : value_get(v, field), NULL);
        if (!text) return err_set(e, ERR_INPUT, "id %s: answer %" PRId64 " is no text", err_quote(str_c(&d->id)), i);
        if (n == TEXTS_MAX) return err_set(e, ERR_INPUT, "id %s: too many answers", err_quote(str_c(&d->id)));
        texts[n++] = text;
    }
    return d->sink->put(d->sink->arg, str_c(&d->id), texts, n, e);
}

static void put_note(const struct document *d, const struct value *o, const char *name)
{
    const char *word = value_text(value_get(o, name), NULL);

    if (word && d->sink->note) d->sink->note(d->sink->arg, str_c(&d->id), name, word);
}

/* COCO: {"image_id", "caption"}; VQA: {"question_id", "answers": [{"answer"}]}, and an image's id too; both have lists
 * of predictions and of annotations. CoQA's predictions: {"id", "turn_id", "answer"}. */
static int read_entry(struct document *d, const struct value *o, struct err *e)
{
    struct str turn = { 0 };
    int rc;

    if (value_get(o, "question_id")) {
        if (word_of(&d->id, value_get(o, "question_id"), "question_id", e)) return -1;
        if (d->is_pred) return put_member(d, o, "answer", e);
        put_note(d, o, "question_type");
        put_note(d, o, "answer_type");
        return put_list(d, value_get(o, "answers"), "answer", e);
    }
    if (value_get(o, "image_id")) return put_caption(d, o, e);
    rc = word_of(&d->id, value_get(o, "id"), "id", e);
    if (!rc && value_get(o, "turn_id")) {
        rc = word_of(&turn, value_get(o, "turn_id"), "turn_id", e);
        str_addf(&d->id, "#%s", str_c(&turn));
    }
    str_release(&turn);
    return rc ? rc : put_member(d, o, value_get(o, "turn_id") ? "answer" : "pred", e);
}

static int read_entries(struct document *d, const struct value *list, struct err *e)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        if (read_entry(d, value_at(list, i), e)) return err_in(e, "entry %" PRId64, i);
    }
    return 0;
}

static int read_squad(struct document *d, const struct value *article, struct err *e)
{
    const struct value *paragraphs = value_get(article, "paragraphs");

    for (int64_t p = 0; p < value_count(paragraphs); p++) {
        const struct value *questions = value_get(value_at(paragraphs, p), "qas");
        for (int64_t q = 0; q < value_count(questions); q++) {
            const struct value *o = value_at(questions, q);
            if (word_of(&d->id, value_get(o, "id"), "id", e) || put_list(d, value_get(o, "answers"), "text", e))
                return -1;
        }
    }
    return 0;
}

/* A story's answers by turn: the first speaker's, then the others' of the same turn. */
static int read_coqa(struct document *d, const struct value *story, struct err *e)
{
    const struct value *answers = value_get(story, "answers"), *others = value_get(story, "additional_answers");
    struct str turn = { 0 };
    int rc = 0;

    for (int64_t t = 0; t < value_count(answers) && !rc; t++) {
        const char *texts[TEXTS_MAX];
        int n = 0;
        rc = word_of(&d->id, value_get(story, "id"), "id", e);
        if (!rc) rc = word_of(&turn, value_get(value_at(answers, t), "turn_id"), "turn_id", e);
        str_addf(&d->id, "#%s", str_c(&turn));
        texts[n++] = value_text(value_get(value_at(answers, t), "input_text"), NULL);
        for (struct value_iter it = { 0 }; n < TEXTS_MAX && value_next(others, &it);) {
            if (t < value_count(it.value))
                texts[n++] = value_text(value_get(value_at(it.value, t), "input_text"), NULL);
        }
        for (int i = 0; i < n && !rc; i++) {
            if (!texts[i]) rc = err_set(e, ERR_INPUT, "turn %s: an answer without \"input_text\"", str_c(&turn));
        }
        if (!rc) rc = d->sink->put(d->sink->arg, str_c(&d->id), texts, n, e);
        if (!rc) put_note(d, story, "source");
    }
    str_release(&turn);
    return rc;
}

static int read_data(struct document *d, const struct value *data, struct err *e)
{
    for (int64_t i = 0; i < value_count(data); i++) {
        const struct value *v = value_at(data, i);
        if (value_get(v, "paragraphs") ? read_squad(d, v, e) : read_coqa(d, v, e)) return err_in(e, "data %" PRId64, i);
    }
    return 0;
}

/* SQuAD's predictions: {ID: TEXT, ...} */
static int read_answers(struct document *d, const struct value *o, struct err *e)
{
    for (struct value_iter it = { 0 }; value_next(o, &it);) {
        const char *text = value_text(it.value, NULL);
        if (!text) return err_set(e, ERR_INPUT, "no list of results, no data set, no answers by id");
        if (d->sink->put(d->sink->arg, it.key, &text, 1, e)) return -1;
    }
    return 0;
}

static int read_document(const char *path, bool is_pred, const struct forms_sink *sink, struct err *e)
{
    struct value *v = value_load(path, e);
    struct document d = { sink, is_pred, { 0 } };
    int rc = -1;

    if (!v) return -1;
    if (value_is_array(v)) rc = read_entries(&d, v, e);
    else if (value_is_array(value_get(v, "annotations"))) rc = read_entries(&d, value_get(v, "annotations"), e);
    else if (value_is_array(value_get(v, "data"))) rc = read_data(&d, value_get(v, "data"), e);
    else if (is_pred && value_is_object(v)) rc = read_answers(&d, v, e);
    else err_set(e, ERR_INPUT, "neither results nor a data set of COCO, VQA, SQuAD or CoQA");
    if (rc) err_in(e, "%s", path);
    str_release(&d.id);
    value_free(v);
    return rc;
}

/* ---- lines ---- */

/* Splits at tabs, in place; returns the number of parts, of which at most the first TEXTS_MAX are in parts. */
static int split_tabs(char *line, const char *parts[TEXTS_MAX])
{
    int n = 0;

    for (char *p = line; p; n++) {
        if (n < TEXTS_MAX) parts[n] = p;
        p = strchr(p, '\t');
        if (p) *p++ = 0;
    }
    return n;
}

static int read_line(char *line, int64_t number, bool is_tsv, bool is_pred, const struct forms_sink *sink,
                     struct err *e)
{
    const char *parts[TEXTS_MAX];
    char id[24];

    if (!is_tsv) {
        snprintf(id, sizeof id, "%" PRId64, number);
        parts[0] = line;
        return sink->put(sink->arg, id, parts, 1, e);
    }
    int n = split_tabs(line, parts);
    if (n > TEXTS_MAX) return err_set(e, ERR_INPUT, "%d fields (at most %d)", n, TEXTS_MAX);
    if (n < 2 || (is_pred && n > 2))
        return err_set(e, ERR_INPUT, "%d fields: expected an id and %s", n, is_pred ? "a text" : "one or more texts");
    return sink->put(sink->arg, parts[0], parts + 1, n - 1, e);
}

/* Python's scripts read files with either kind of line end: a carriage return before the newline is none of the text.
 */
static int end_line(struct str *line, int64_t number, struct err *e)
{
    if (line->n && line->data[line->n - 1] == '\r') line->n--;
    str_add_char(line, 0);
    if (strlen(line->data) + 1 != line->n) return err_set(e, ERR_INPUT, "holds the character 0");
    if (!utf8_valid(line->data, line->n - 1)) return err_set(e, ERR_INPUT, "is not UTF-8");
    if (number == 1 && str_starts(line->data, "\xEF\xBB\xBF"))
        return err_set(e, ERR_INPUT, "starts with a byte-order mark (plain UTF-8 was expected)");
    return 0;
}

static int read_lines(const char *path, bool is_tsv, bool is_pred, const struct forms_sink *sink, struct err *e)
{
    struct lines *in = lines_open(&path, 1, NULL);
    struct str line = { 0 };
    int64_t number;
    int got = 1;

    while (got > 0 && (str_clear(&line), got = lines_next(in, &line, &number, e)) > 0) {
        if (end_line(&line, number, e) || read_line(line.data, number, is_tsv, is_pred, sink, e)) got = -1;
        if (got < 0) err_in(e, "%s: line %" PRId64, path, number);
    }
    lines_close(in);
    str_release(&line);
    return got;
}

int forms_read(const char *path, const char *form, bool is_pred, const struct forms_sink *sink, struct err *e)
{
    if (!strcmp(form, "document")) return read_document(path, is_pred, sink, e);
    return read_lines(path, !strcmp(form, "tsv"), is_pred, sink, e);
}
