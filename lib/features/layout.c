/* The forms; and of those of one line a picture, which columns stand in which order, and how each is read and written.
 * Numbers are base64 of little-endian values, as numpy's tobytes() has them. */
#include "core/base64.h"
#include "core/mem.h"
#include "features/form.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum column_kind { COL_ID, COL_SIZE1, COL_SIZE2, COL_COUNT, COL_TENSOR, COL_IDS };
struct column {
    enum column_kind kind;
    const char *header; /* its name in the release's code */
    const char *tensor; /* of the record */
    enum dtype dtype;
    int width;         /* of a row; 0: from the bytes; -1: the tensor is a vector */
    const char *probs; /* COL_IDS and their scores: the distributions they can be taken from */
};

static const struct column bua[] = {
    { COL_ID, "image_id" },
    { COL_SIZE1, "image_w" },
    { COL_SIZE2, "image_h" },
    { COL_COUNT, "num_boxes" },
    { COL_TENSOR, "boxes", "boxes", DT_F32, 4 },
    { COL_TENSOR, "features", "features", DT_F32, 0 },
};
static const struct column lxmert[] = {
    { COL_ID, "img_id" },
    { COL_SIZE1, "img_h" },
    { COL_SIZE2, "img_w" },
    { COL_IDS, "objects_id", "class_ids", DT_I64, -1, "class_probs" },
    { COL_TENSOR, "objects_conf", "class_scores", DT_F32, -1, "class_probs" },
    { COL_IDS, "attrs_id", "attribute_ids", DT_I64, -1, "attribute_probs" },
    { COL_TENSOR, "attrs_conf", "attribute_scores", DT_F32, -1, "attribute_probs" },
    { COL_COUNT, "num_boxes" },
    { COL_TENSOR, "boxes", "boxes", DT_F32, 4 },
    { COL_TENSOR, "features", "features", DT_F32, 0 },
};
static const struct column unimo[] = {
    { COL_ID, "name" },
    { COL_SIZE1, "image_w" },
    { COL_SIZE2, "image_h" },
    { COL_COUNT, "number_box" },
    { COL_TENSOR, "boxes", "boxes", DT_F32, 4 },
    { COL_TENSOR, "features", "features", DT_F32, 0 },
    { COL_TENSOR, "class_probs", "class_probs", DT_F32, 0 },
};
enum { COLUMNS_MAX = 16 };

static const struct form forms[] = {
    { "bua", true, SIZE_WH, bua, sizeof bua / sizeof *bua },
    { "lxmert", true, SIZE_HW, lxmert, sizeof lxmert / sizeof *lxmert },
    { "unimo", true, SIZE_WH, unimo, sizeof unimo / sizeof *unimo },
    { .name = "milvlg", .read = milvlg_read, .write = milvlg_write },
    { .name = "uniter", .read = uniter_read, .write = uniter_write },
};

const struct form *form_find(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!strcmp(name, forms[i].name)) return &forms[i];
    }
    return NULL;
}

struct field {
    const char *text;
    int64_t n;
};

static int split(struct field *at, const struct form *f, const char *line, size_t n, struct err *e)
{
    int found = 0;
    const char *end = line + n;

    if (n && end[-1] == '\r') end--; /* Python's csv module ends lines with \r\n */
    for (const char *from = line; from <= end; found++) {
        const char *tab = memchr(from, '\t', (size_t)(end - from)), *to = tab ? tab : end;
        if (found < f->n_columns) at[found] = (struct field){ from, to - from };
        from = to + 1;
    }
    if (found == f->n_columns) return 0;
    return err_set(e, ERR_INPUT, "%d fields (%s lines have %d, separated by tabs)", found, f->name, f->n_columns);
}

bool line_is_header(const struct form *f, const char *line, size_t n)
{
    struct field at[COLUMNS_MAX];
    struct err ignored = { 0 };

    if (split(at, f, line, n, &ignored)) return false;
    for (int i = 0; i < f->n_columns; i++) {
        const char *name = f->columns[i].header;
        if (at[i].n != (int64_t)strlen(name) || memcmp(at[i].text, name, (size_t)at[i].n)) return false;
    }
    return true;
}

static int whole_number(const struct field *x, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    char text[24];

    if (x->n < (int64_t)sizeof text) {
        memcpy(text, x->text, (size_t)x->n);
        text[x->n] = 0;
        if (str_to_int(text, min, max, out)) return 0;
    }
    return err_set(e, ERR_INPUT, "not a number from %" PRId64 " to %" PRId64, min, max);
}

/* A column's bytes in fresh memory. */
static int decode(void **out, int64_t *bytes, const struct field *x, struct err *e)
{
    *bytes = base64_bytes(x->text, (size_t)x->n);
    *out = *bytes < 0 ? NULL : mem_try((size_t)*bytes + 1, 1);
    if (*bytes >= 0 && !*out) return err_set(e, ERR_IO, "not enough memory for %" PRId64 " bytes", *bytes);
    if (*out && base64_decode(*out, x->text, (size_t)x->n)) return 0;
    free(*out);
    *out = NULL;
    return err_set(e, ERR_INPUT, "not base64");
}

static int read_tensor(struct record *r, const struct column *c, const struct field *x, int64_t regions, struct err *e)
{
    int64_t bytes, size = dtype_size(c->dtype);
    void *data;

    if (decode(&data, &bytes, x, e)) return -1;
    int64_t row = c->width ? size * (c->width > 0 ? c->width : 1) : regions ? bytes / regions : 0;
    int rc = bytes == row * regions && row % size == 0 && (row || !regions)
                 ? 0
                 : err_set(e, ERR_INPUT, "%" PRId64 " bytes for %" PRId64 " regions", bytes, regions);
    if (!rc && c->kind == COL_IDS) rc = form_from_one(data, data, regions, e);
    const int64_t shape[2] = { regions, row / size };
    if (!rc) record_set_tensor(r, c->tensor, c->dtype, c->width < 0 ? 1 : 2, shape, data);
    free(data);
    return rc;
}

int form_set_id(struct record *r, const char *id, size_t n, struct err *e)
{
    if (!n || n > LIMIT_ID_BYTES || !utf8_valid(id, n) || memchr(id, 0, n))
        return err_set(e, ERR_INPUT, "an id of %zu bytes (1 to %d bytes of UTF-8)", n, LIMIT_ID_BYTES);
    value_set(r->fields, "id", value_strn(id, (int64_t)n));
    return 0;
}

int form_read_npz(struct record **out, const struct form *f, const char *id, const void *data, size_t n, struct err *e)
{
    struct npz z;

    if (npz_open(&z, data, n, e)) return -1;
    struct record *r = record_new();
    int rc = form_set_id(r, id, strlen(id), e) || f->read(r, &z, e) ? -1 : 0;
    npz_close(&z);
    if (rc) record_free(r);
    *out = rc ? NULL : r;
    return rc;
}

/* The two sizes, the number of regions and the boxes as they stand there. */
struct head {
    int64_t size[2], regions;
    float *boxes;
};

static int read_head(struct head *h, const struct form *f, const struct field *at, struct err *e)
{
    int64_t bytes = 0;

    *h = (struct head){ 0 };
    for (int i = 0; i < f->n_columns; i++) {
        const struct column *c = &f->columns[i];
        int rc = 0;
        if (c->kind == COL_SIZE1 || c->kind == COL_SIZE2)
            rc = whole_number(&at[i], 1, 1000000, &h->size[c->kind == COL_SIZE2], e);
        if (c->kind == COL_COUNT) rc = whole_number(&at[i], 0, FORM_REGIONS_MAX, &h->regions, e);
        if (c->tensor && !strcmp(c->tensor, "boxes")) rc = decode((void **)&h->boxes, &bytes, &at[i], e);
        if (rc) {
            free(h->boxes);
            return err_in(e, "%s", c->header);
        }
    }
    if (bytes == h->regions * 16) return 0;
    free(h->boxes);
    return err_set(e, ERR_INPUT, "%" PRId64 " bytes of boxes for %" PRId64 " regions", bytes, h->regions);
}

int line_geometry(uint32_t *possible, const struct form *f, const char *line, size_t n, struct err *e)
{
    struct field at[COLUMNS_MAX];
    struct head h;

    if (split(at, f, line, n, e) || read_head(&h, f, at, e)) return -1;
    *possible = geometry_possible(h.boxes, h.regions, (double)h.size[0], (double)h.size[1]);
    free(h.boxes);
    return 0;
}

static int read_columns(struct record *r, const struct form *f, const struct field *at, struct geometry g,
                        struct err *e)
{
    struct head h;
    int rc = 0;

    if (read_head(&h, f, at, e)) return -1;
    uint32_t possible = geometry_possible(h.boxes, h.regions, (double)h.size[0], (double)h.size[1]);
    int64_t width = h.size[g.sizes == SIZE_HW], height = h.size[g.sizes != SIZE_HW];
    if (!geometry_allows(possible, g)) rc = geometry_decide(&g, 0, f->sizes, e);
    for (int i = 0; i < f->n_columns && !rc; i++) {
        const struct column *c = &f->columns[i];
        if (c->kind == COL_ID) rc = form_set_id(r, at[i].text, (size_t)at[i].n, e);
        if (c->kind == COL_SIZE1) value_set(r->fields, "width", value_int(width));
        if (c->kind == COL_SIZE2) value_set(r->fields, "height", value_int(height));
        if (c->tensor && !strcmp(c->tensor, "boxes")) {
            geometry_apply(h.boxes, h.regions, g, (double)width, (double)height);
            record_set_tensor(r, "boxes", DT_F32, 2, (int64_t[]){ h.regions, 4 }, h.boxes);
        } else if (c->tensor) {
            rc = read_tensor(r, c, &at[i], h.regions, e);
        }
        if (rc) err_in(e, "%s", c->header);
    }
    free(h.boxes);
    return rc;
}

int line_read(struct record **out, const struct form *f, const char *line, size_t n, struct geometry g, struct err *e)
{
    struct field at[COLUMNS_MAX];

    if (split(at, f, line, n, e)) return -1;
    *out = record_new();
    if (!read_columns(*out, f, at, g, e)) return 0;
    record_free(*out);
    *out = NULL;
    return -1;
}

static int write_floats(struct str *out, const struct record *r, const struct column *c, int64_t regions, struct err *e)
{
    const struct record_tensor *t;
    float *values;
    int64_t n;

    if (record_tensor_shaped(r, c->tensor, DT_NONE, 2, (int64_t[]){ regions, c->width ? c->width : -1 }, &t, e))
        return -1;
    if (t->dtype == DT_F32) {
        base64_add(out, t->data, (size_t)t->bytes);
        return 0;
    }
    if (record_tensor_f32(r, c->tensor, 2, t->shape, &values, &n, e)) return -1;
    base64_add(out, values, (size_t)n * sizeof *values);
    free(values);
    return 0;
}

static int write_best(struct str *out, const struct record *r, const struct column *c, const char *ids_name,
                      const char *scores_name, int64_t regions, struct err *e)
{
    const int64_t *ids;
    const float *scores;
    void *owned;

    if (form_best(r, ids_name, scores_name, c->probs, &ids, &scores, &owned, regions, e)) return -1;
    if (c->kind == COL_IDS) {
        int64_t *from_zero = mem_new(int64_t, regions + 1);
        form_from_zero(from_zero, ids, regions);
        base64_add(out, from_zero, (size_t)regions * sizeof *ids);
        free(from_zero);
    } else {
        base64_add(out, scores, (size_t)regions * sizeof *scores);
    }
    free(owned);
    return 0;
}

static int write_column(struct str *out, const struct form *f, const struct column *c, const struct record *r,
                        int64_t regions, struct err *e)
{
    bool is_first = c->kind == COL_SIZE1;
    int64_t size;

    switch (c->kind) {
    case COL_ID:
        if (strpbrk(record_id(r), "\t\n\r\""))
            return err_set(e, ERR_INPUT, "an id with tabs, line ends or quotes: %s", err_quote(record_id(r)));
        str_add(out, record_id(r));
        return 0;
    case COL_SIZE1:
    case COL_SIZE2:
        if (value_get_int(r->fields, is_first == (f->sizes == SIZE_WH) ? "width" : "height", 1, 1000000, &size, e))
            return -1;
        str_addf(out, "%" PRId64, size);
        return 0;
    case COL_COUNT:
        str_addf(out, "%" PRId64, regions);
        return 0;
    default:
        if (!c->probs) return write_floats(out, r, c, regions, e);
        bool is_class = !strncmp(c->tensor, "class", 5);
        return write_best(out, r, c, is_class ? "class_ids" : "attribute_ids",
                          is_class ? "class_scores" : "attribute_scores", regions, e);
    }
}

int line_write(struct str *out, const struct form *f, const struct record *r, struct err *e)
{
    const struct record_tensor *boxes;
    size_t was = out->n;

    if (record_tensor_shaped(r, "boxes", DT_F32, 2, (int64_t[]){ -1, 4 }, &boxes, e)) return -1;
    for (int i = 0; i < f->n_columns; i++) {
        if (i) str_add_char(out, '\t');
        if (!write_column(out, f, &f->columns[i], r, boxes->shape[0], e)) continue;
        out->n = was;
        return -1;
    }
    str_add_char(out, '\n');
    return 0;
}
