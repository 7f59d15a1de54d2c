#include "score/join.h"
#include "core/str.h"
#include "score/forms.h"
#include "stream/reader.h"
#include "stream/value.h"
#include <stdlib.h>
#include <string.h>

struct refs { /* of one id */
    int64_t n, cap;
    const char **at;
    const char *only; /* the first; at is used from the second on */
    const char *pred;
    int file; /* that gave the last of them, from 1 */
    int32_t words[JOIN_NOTES];
};
struct reading {
    struct join *j;
    const struct join_files *f;
    struct refs *refs; /* [j->ids.n] */
    int64_t cap;
    char *room; /* where the next text goes */
    size_t left;
    struct str name, text; /* numbers as words */
    bool may_repeat;       /* an id may come again within the file */
    int file;
    int64_t next; /* behind the item of the last prediction */
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
    memcpy(at, text, n);
    at[n] = 0;
    x->room += n + 1;
    x->left -= n + 1;
    return at;
}

/* A string, or a number as it is written; no NUL behind it; valid until room changes. NULL: neither. */
static const char *word_of(const struct outline *o, const struct outline_node *v, struct str *room, size_t *n)
{
    *n = 0;
    if (v && v->kind == OUTLINE_STRING) return outline_text(o, v, room, n);
    const char *text = v ? o->line + v->at : "";
    if (*text != '-' && (*text < '0' || *text > '9')) return NULL;
    *n = v->end - v->at;
    return text;
}

static int check_word(const char *word, size_t n, const char *field, struct err *e)
{
    if (!word) return err_set(e, ERR_INPUT, "\"%s\": expected a string or a number", field);
    if (memchr(word, 0, n)) return err_set(e, ERR_INPUT, "\"%s\": holds the character 0", field);
    return 0;
}

static const struct outline_node *member(const struct outline *o, const char *field)
{
    return outline_get(o, o->at, field);
}

static int read_word(const struct outline *o, const char *field, struct str *room, const char **out, size_t *n,
                     struct err *e)
{
    *out = word_of(o, member(o, field), room, n);
    return check_word(*out, *n, field, e);
}

static int bad_id(const char *id, size_t n, const char *why, struct err *e)
{
    char *name = mem_strndup(id, n);

    err_set(e, ERR_INPUT, "id %s %s", err_quote(name), why);
    free(name);
    return -1;
}

static struct refs *find(struct reading *x, const char *id, size_t n, bool *is_new)
{
    int64_t *at = map_put(&x->j->ids, id, n, is_new);

    if (*is_new) {
        *at = x->j->ids.n - 1;
        mem_reserve(&x->refs, &x->cap, x->j->ids.n);
        for (int k = 0; k < JOIN_NOTES; k++) x->refs[*at].words[k] = -1;
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

/* ---- references ---- */

/* The item that references belong to; within a file an id comes once, but in another it may come again. */
static int begin_ref(struct reading *x, const char *id, size_t n, struct refs **out, struct err *e)
{
    bool is_new;
    struct refs *refs = find(x, id, n, &is_new);

    if (refs->file == x->file && !x->may_repeat) return bad_id(id, n, "is there twice", e);
    refs->file = x->file;
    *out = refs;
    return 0;
}

static void add_note(struct reading *x, struct refs *refs, int note, const char *word, size_t n)
{
    bool is_new;
    struct map *words = &x->j->notes[note].words;
    int64_t *at = map_put(words, word, n, &is_new);

    if (is_new) *at = words->n - 1;
    refs->words[note] = (int32_t)*at;
}

static int read_notes(struct reading *x, struct refs *refs, const struct outline *o, struct err *e)
{
    for (int k = 0; k < x->j->n_notes; k++) {
        const char *name = x->j->notes[k].name, *word;
        const struct outline_node *v = member(o, name);
        size_t n;
        if (!v || v->kind == OUTLINE_NULL) continue;
        if (read_word(o, name, &x->text, &word, &n, e)) return -1;
        add_note(x, refs, k, word, n);
    }
    return 0;
}

/* An outline has no nodes for numbers in a list, so it is parsed. */
static int add_list(struct reading *x, struct refs *refs, const struct outline *o, const struct outline_node *v,
                    const char *field, struct err *e)
{
    struct value *list = value_parse(o->line + v->at, v->end - v->at, e);
    int rc = list ? 0 : -1;

    for (int64_t i = 0; i < value_count(list) && !rc; i++) {
        const struct value *entry = value_at(list, i);
        int64_t n = 0;
        const char *text = value_text(entry, &n);
        if (!text && value_is_number(entry)) {
            str_clear(&x->text);
            value_print(entry, &x->text);
            text = str_c(&x->text);
            n = (int64_t)x->text.n;
        }
        rc = check_word(text, (size_t)n, field, e);
        if (rc) err_in(e, "element %lld", (long long)i);
        else add_ref(refs, keep(x, text, (size_t)n));
    }
    value_free(list);
    return rc;
}

static int read_ref(void *arg, const struct outline *o, struct err *e)
{
    struct reading *x = arg;
    const char *named = x->f->field ? x->f->field : "label";
    const struct outline_node *list = member(o, "refs"), *label = member(o, named);
    bool groups = !list && !label && member(o, "image") && member(o, "text");
    const char *of = groups ? "image" : "id", *field = list ? "refs" : groups ? "text" : named;
    const struct outline_node *v = member(o, field);
    const char *id, *text;
    struct refs *refs = NULL;
    size_t n;

    if (read_word(o, of, &x->name, &id, &n, e)) return -1;
    x->may_repeat = groups;
    if (begin_ref(x, id, n, &refs, e) || read_notes(x, refs, o, e)) return -1;
    if (list && list->kind != OUTLINE_ARRAY) return err_set(e, ERR_INPUT, "\"refs\": expected an array of strings");
    if (v && v->kind == OUTLINE_ARRAY) return add_list(x, refs, o, v, field, e);
    if (read_word(o, field, &x->text, &text, &n, e)) return -1;
    add_ref(refs, keep(x, text, n));
    return 0;
}

static int put_refs(void *arg, const char *id, const char *const *texts, int n, struct err *e)
{
    struct reading *x = arg;
    struct refs *refs = NULL;

    if (begin_ref(x, id, strlen(id), &refs, e)) return -1;
    for (int i = 0; i < n; i++) add_ref(refs, keep(x, texts[i], strlen(texts[i])));
    return 0;
}

static int add_text(void *arg, const char *id, const char *text, struct err *e)
{
    struct reading *x = arg;

    x->may_repeat = true;
    int rc = put_refs(x, id, &text, 1, e);
    x->may_repeat = false;
    return rc;
}

static int put_note(void *arg, const char *id, const char *name, const char *word)
{
    struct reading *x = arg;
    int note = join_note(x->j, name);
    bool is_new;

    if (note >= 0) add_note(x, find(x, id, strlen(id), &is_new), note, word, strlen(word));
    return 0;
}

/* ---- predictions ---- */

/* The item of an id, or -1: most predictions are in the order of the references. */
static int64_t find_item(const struct reading *x, const char *id, size_t n)
{
    const struct map *ids = &x->j->ids;
    const struct map_entry *next = x->next < ids->n ? &ids->at[x->next] : NULL;

    if (next && next->n == n && !memcmp(next->key, id, n)) return x->next;
    const int64_t *at = map_find(ids, id, n);
    return at ? *at : -1;
}

static int set_pred(struct reading *x, const char *id, size_t n_id, const char *text, size_t n, struct err *e)
{
    int64_t at = find_item(x, id, n_id);

    if (at < 0 && x->f->missing != JOIN_ERROR) {
        x->j->unknown++;
        return 0;
    }
    if (at < 0) return bad_id(id, n_id, "has no reference", e);
    x->next = at + 1;
    struct refs *refs = &x->refs[at];
    if (refs->pred) return bad_id(id, n_id, "is there twice", e);
    refs->pred = keep(x, text, n);
    x->j->empty += !n;
    return 0;
}

static int read_pred(void *arg, const struct outline *o, struct err *e)
{
    struct reading *x = arg;
    const char *id, *text;
    size_t n_id, n;

    if (read_word(o, "id", &x->name, &id, &n_id, e)) return -1;
    if (read_word(o, "pred", &x->text, &text, &n, e)) return -1;
    return set_pred(x, id, n_id, text, n, e);
}

static int put_pred(void *arg, const char *id, const char *const *texts, int n, struct err *e)
{
    return set_pred(arg, id, strlen(id), texts[0], strlen(texts[0]), e);
}

/* ---- files ---- */

static int read_file(struct reading *x, const char *path, bool is_pred, struct err *e)
{
    const char *form = x->f->form && strcmp(x->f->form, "auto") ? x->f->form : forms_guess(path);
    const struct forms_sink sink = { x, is_pred ? put_pred : put_refs, add_text, is_pred ? NULL : put_note };

    x->file++;
    if (!strcmp(form, "records")) return reader_each_outline(path, is_pred ? read_pred : read_ref, x, e);
    x->may_repeat = false;
    return forms_read(path, form, is_pred, &sink, e);
}

/* ---- items ---- */

static int check_complete(struct reading *x, struct err *e)
{
    const struct map *ids = &x->j->ids;
    int64_t first = -1;

    for (int64_t i = 0; i < ids->n; i++) {
        if (x->refs[i].pred) continue;
        if (first < 0) first = i;
        x->j->missing++;
    }
    if (!ids->n) return err_set(e, ERR_INPUT, "no references");
    if (x->j->missing && x->f->missing == JOIN_ERROR)
        return err_set(e, ERR_INPUT, "%s: no prediction for id %s (and %lld more)", x->f->pred,
                       err_quote(ids->at[first].key), (long long)x->j->missing - 1);
    if (x->j->missing == ids->n) return err_set(e, ERR_INPUT, "%s: no prediction has a reference", x->f->pred);
    return 0;
}

static uint64_t digest_of(const char *id, const struct score_item *item)
{
    uint64_t h = hash64(id, strlen(id), 0);

    for (int i = 0; i < item->n_refs; i++) h = hash64(item->refs[i], strlen(item->refs[i]), h);
    return h;
}

/* The items in the order of the references. */
static void gather(const struct reading *x)
{
    struct join *j = x->j;
    int64_t n = j->ids.n;

    j->id = arena_new(&j->arena, const char *, n + 1);
    j->items = arena_new(&j->arena, struct score_item, n + 1);
    for (int k = 0; k < j->n_notes; k++) j->notes[k].of = arena_new(&j->arena, int32_t, n + 1);
    const char **only = arena_new(&j->arena, const char *, n + 1);
    for (int64_t i = 0; i < n; i++) {
        const struct refs *refs = &x->refs[i];
        if (!refs->pred && x->f->missing == JOIN_SKIP) continue;
        const char **at = refs->n > 1 ? arena_new(&j->arena, const char *, refs->n) : &only[i];
        if (refs->n > 1) memcpy(at, refs->at, (size_t)refs->n * sizeof *at);
        else only[i] = refs->only;
        j->id[j->n] = j->ids.at[i].key;
        j->items[j->n] = (struct score_item){ refs->pred ? refs->pred : "", at, (int)refs->n, !refs->pred };
        for (int k = 0; k < j->n_notes; k++) j->notes[k].of[j->n] = refs->words[k];
        j->digest += digest_of(j->id[j->n], &j->items[j->n]);
        j->n++;
    }
}

int join_read(struct join *j, const struct join_files *f, struct err *e)
{
    struct reading x = { .j = j, .f = f };
    int rc = 0;

    *j = (struct join){ .n_notes = f->n_notes };
    for (int k = 0; k < f->n_notes; k++) j->notes[k].name = f->notes[k];
    for (int k = 0; k < f->n_refs && !rc; k++) rc = read_file(&x, f->refs[k], false, e);
    if (!rc) rc = read_file(&x, f->pred, true, e);
    if (!rc) rc = check_complete(&x, e);
    if (!rc) gather(&x);
    for (int64_t i = 0; i < j->ids.n; i++) free(x.refs[i].at);
    free(x.refs);
    str_release(&x.name);
    str_release(&x.text);
    if (rc) join_release(j);
    return rc;
}

int join_note(const struct join *j, const char *name)
{
    for (int k = 0; k < j->n_notes; k++) {
        if (!strcmp(j->notes[k].name, name)) return k;
    }
    return -1;
}

void join_release(struct join *j)
{
    for (int k = 0; k < JOIN_NOTES; k++) map_release(&j->notes[k].words);
    map_release(&j->ids);
    arena_release(&j->arena);
    *j = (struct join){ 0 };
}
