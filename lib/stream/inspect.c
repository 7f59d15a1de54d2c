#include "stream/inspect.h"
#include "core/base64.h"
#include "core/dtype.h"
#include "core/file.h"
#include "core/mem.h"
#include "stream/descriptor.h"
#include "stream/frame.h"
#include "stream/safetensors.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Element i of a tensor as a double. */
static double element(const void *data, enum dtype t, int64_t i)
{
    switch (t) {
    case DT_F32:
        return ((const float *)data)[i];
    case DT_F64:
        return ((const double *)data)[i];
    case DT_BF16:
        return bf16_to_f32(((const uint16_t *)data)[i]);
    case DT_F16:
        return f16_to_f32(((const uint16_t *)data)[i]);
    case DT_I64:
        return (double)((const int64_t *)data)[i];
    case DT_I32:
        return ((const int32_t *)data)[i];
    case DT_I16:
        return ((const int16_t *)data)[i];
    case DT_I8:
        return ((const int8_t *)data)[i];
    default:
        return ((const uint8_t *)data)[i];
    }
}

int inspect_header(const char *path, struct str *out, struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true }, e);
    struct record *r = NULL;
    int got = in ? reader_next(in, &r, e) : -1;

    if (got >= 0 && !value_count(reader_provenance(in)))
        got = err_set(e, ERR_INPUT, "%s: has no provenance (not written by unimo)", path);
    if (got >= 0) {
        value_print_indented(reader_provenance(in), out);
        str_add_char(out, '\n');
    }
    record_free(r);
    reader_close(in);
    return got < 0 ? -1 : 0;
}

/* A file's bytes: mapped, as an index is a small part of it, or of a pipe all that comes out of it. */
struct whole {
    uint8_t *data;
    size_t n;
    bool is_mapped;
};

static int whole_open(struct whole *w, const char *path, struct err *e)
{
    struct stat st;

    *w = (struct whole){ 0 };
    if (stat(path, &st) || !S_ISREG(st.st_mode) || !st.st_size) { /* a pipe can be opened once only */
        w->data = (uint8_t *)file_load(path, SIZE_MAX, &w->n, e);
        return w->data ? 0 : -1;
    }
    int fd = file_open(path, e);
    if (fd < 0) return -1;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED) return err_errno(e, "%s: cannot map", path);
    *w = (struct whole){ data, (size_t)st.st_size, true };
    return 0;
}

static void whole_close(struct whole *w)
{
    if (w->is_mapped) munmap(w->data, w->n);
    else free(w->data);
}

/* The stream that ends at `end`, which moves to where it starts. */
static int print_stream(const struct whole *w, int64_t *end, struct str *out, struct err *e)
{
    struct frame_index x = { 0 };
    int64_t size = *end >= FRAME_TAIL ? frame_index_size(w->data + *end - FRAME_TAIL) : 0;

    if (size < FRAME_START || size > *end) return err_set(e, ERR_INPUT, "has no index");
    if (frame_index_parse(&x, w->data + *end - size + FRAME_START, (size_t)(size - FRAME_START), e)) return -1;
    int64_t start = *end - (int64_t)x.length;
    int rc = x.length > (uint64_t)*end || !x.length ? err_set(e, ERR_INPUT, "damaged index") : 0;
    if (!rc)
        str_addf(out, "stream %" PRId64 "..%" PRId64 ": %" PRIu64 " records, digest %016" PRIx64 "\n", start, *end,
                 x.records, x.digest);
    for (int64_t i = 0; i < x.n_blocks && !rc; i++)
        str_addf(out, "block %" PRIu64 " %u\n", (uint64_t)start + x.blocks[i].offset, x.blocks[i].records);
    frame_index_release(&x);
    *end = start;
    return rc;
}

int inspect_index(const char *path, struct str *out, struct err *e)
{
    struct whole w;
    int rc = 0;

    if (whole_open(&w, path, e)) return -1;
    for (int64_t end = (int64_t)w.n; !rc && end > 0;) rc = print_stream(&w, &end, out, e);
    whole_close(&w);
    return rc ? err_in(e, "%s", path) : 0;
}

struct field_stats {
    int64_t count;
    double min, max, sum;
    int64_t n, not_finite;
    char about[96]; /* a type, or the first tensor's dtype and shape */
};
struct all_stats {
    struct map names;
    struct field_stats *at;
    int64_t cap;
};

static struct field_stats *stats_of(struct all_stats *all, const char *kind, const char *name)
{
    struct str key = { 0 };
    bool is_new;

    str_addf(&key, "%s %s", kind, name);
    int64_t *i = map_put(&all->names, key.data, key.n, &is_new);
    if (is_new) {
        *i = all->names.n - 1;
        mem_reserve(&all->at, &all->cap, all->names.n);
        all->at[*i] = (struct field_stats){ .min = INFINITY, .max = -INFINITY };
    }
    str_release(&key);
    return &all->at[*i];
}

static void add_number(struct field_stats *f, double x)
{
    if (!isfinite(x)) {
        f->not_finite++;
        return;
    }
    f->n++;
    f->sum += x;
    if (x < f->min) f->min = x;
    if (x > f->max) f->max = x;
}

static void describe(char about[96], enum dtype t, int rank, const int64_t *shape)
{
    int n = snprintf(about, 96, "%s [", dtype_name(t));

    for (int i = 0; i < rank && n < 80; i++)
        n += snprintf(about + n, 96 - (size_t)n, "%s%" PRId64, i ? "," : "", shape[i]);
    snprintf(about + n, 96 - (size_t)n, "]");
}

static void add_tensor(struct all_stats *all, const char *name, enum dtype t, int rank, const int64_t *shape,
                       const void *data, int64_t n)
{
    struct field_stats *f = stats_of(all, "tensor", name);

    f->count++;
    if (!f->about[0]) describe(f->about, t, rank, shape);
    for (int64_t i = 0; i < n; i++) add_number(f, element(data, t, i));
}

static void add_field(struct all_stats *all, const char *name, const struct value *v)
{
    struct field_stats *f = stats_of(all, "field", name);
    const char *kind = value_is_string(v)   ? "string"
                       : value_is_number(v) ? "number"
                       : value_is_array(v)  ? "array"
                       : value_is_object(v) ? "object"
                                            : "other";

    f->count++;
    snprintf(f->about, sizeof f->about, "%s", kind);
    if (value_is_number(v)) add_number(f, value_number(v));
    if (value_is_array(v)) add_number(f, (double)value_count(v)); /* lengths */
}

static void print_stats(const struct all_stats *all, struct str *out)
{
    for (int64_t i = 0; i < all->names.n; i++) {
        const struct field_stats *f = &all->at[i];
        str_addf(out, "%s: in %" PRId64 ", %s", all->names.at[i].key, f->count, f->about);
        if (f->n)
            str_addf(out, ", %s %g to %g, mean %g", strcmp(f->about, "array") ? "values" : "lengths", f->min, f->max,
                     f->sum / (double)f->n);
        if (f->not_finite) str_addf(out, ", %" PRId64 " not finite", f->not_finite);
        str_add_char(out, '\n');
    }
}

/* Of a model's directory. */
static char *parameters_of(const char *path)
{
    return str_ends(path, ".safetensors") ? mem_strdup(path) : path_join(path, "model.safetensors");
}

bool inspect_is_model(const char *path)
{
    char *file = parameters_of(path);
    bool is_one = str_ends(path, ".safetensors") || !access(file, F_OK);

    free(file);
    return is_one;
}

static int open_model(struct safetensors *s, const char *path, struct err *e)
{
    char *file = parameters_of(path);
    int rc = safetensors_open(s, file, e);

    free(file);
    return rc;
}

static int stats_of_model(const char *path, struct all_stats *all, struct str *out, struct err *e)
{
    struct safetensors s;
    int64_t total = 0;

    if (open_model(&s, path, e)) return -1;
    for (int i = 0; i < s.n; i++) {
        const struct safetensor *t = &s.at[i];
        total += t->n;
        add_tensor(all, t->name, t->dtype, t->rank, t->shape, t->data, t->n);
    }
    str_addf(out, "%s: %d tensors, %" PRId64 " elements\n", path, s.n, total);
    safetensors_close(&s);
    return 0;
}

static int stats_of_stream(const char *path, struct all_stats *all, struct str *out, struct err *e)
{
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        for (int64_t i = 0; i < value_count(r->fields); i++) {
            struct value *v;
            const char *name = value_key(r->fields, i, &v);
            add_field(all, name, v);
        }
        for (int i = 0; i < r->n_tensors; i++) {
            const struct record_tensor *t = &r->tensors[i];
            add_tensor(all, t->name, t->dtype, t->rank, t->shape, t->data, t->bytes / dtype_size(t->dtype));
        }
        record_free(r);
    }
    if (!got) str_addf(out, "%s: %" PRId64 " records\n", path, reader_count(in));
    reader_close(in);
    return got;
}

int inspect_stats(const char *path, struct str *out, struct err *e)
{
    struct all_stats all = { 0 };
    int rc = inspect_is_model(path) ? stats_of_model(path, &all, out, e) : stats_of_stream(path, &all, out, e);

    if (!rc) print_stats(&all, out);
    map_release(&all.names);
    free(all.at);
    return rc;
}

static int check_finite(const char *name, enum dtype t, const void *data, int64_t n, struct err *e)
{
    for (int64_t i = 0; dtype_is_float(t) && i < n; i++) {
        if (!isfinite(element(data, t, i)))
            return err_set(e, ERR_INPUT, "tensor \"%s\": element %" PRId64 " is not finite", name, i);
    }
    return 0;
}

static int check_model(const char *path, bool finite, int64_t *records, struct err *e)
{
    struct safetensors s;

    if (open_model(&s, path, e)) return -1;
    int rc = 0;
    *records = s.n;
    for (int i = 0; i < s.n && !rc && finite; i++)
        rc = check_finite(s.at[i].name, s.at[i].dtype, s.at[i].data, s.at[i].n, e);
    safetensors_close(&s);
    return rc ? err_in(e, "%s", path) : 0;
}

int inspect_check(const char *path, bool finite, int64_t *records, struct err *e)
{
    if (inspect_is_model(path)) return check_model(path, finite, records, e);
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        int rc = 0;
        for (int i = 0; i < r->n_tensors && !rc && finite; i++) {
            const struct record_tensor *t = &r->tensors[i];
            rc = check_finite(t->name, t->dtype, t->data, t->bytes / dtype_size(t->dtype), e);
        }
        if (rc) err_in(e, "%s: record %" PRId64, r->file, r->number);
        record_free(r);
        if (rc) got = -1;
        if (rc) break;
    }
    *records = in ? reader_count(in) : 0;
    reader_close(in);
    return got;
}

void inspect_describe_tensors(struct record *r, bool with_values)
{
    struct value *all = value_object();

    if (!r->n_tensors) {
        value_free(all);
        return;
    }
    while (r->n_tensors) {
        const struct record_tensor *t = &r->tensors[0];
        struct value *d = descriptor_new(t->dtype, t->rank, t->shape);
        if (with_values) {
            struct str coded = { 0 };
            base64_add(&coded, t->data, (size_t)t->bytes);
            value_set(d, "base64", value_strn(str_c(&coded), (int64_t)coded.n));
            str_release(&coded);
        }
        value_set(all, t->name, d);
        char *name = mem_strdup(t->name);
        record_drop_tensor(r, name);
        free(name);
    }
    value_set(r->fields, "tensors", all);
}

/* All the digits that it takes to read the same element back. */
static void print_element(const void *data, enum dtype t, int64_t i, struct str *out)
{
    if (dtype_is_float(t)) str_addf(out, "%.*g", t == DT_F64 ? 17 : 9, element(data, t, i));
    else str_addf(out, "%" PRId64, t == DT_I64 ? ((const int64_t *)data)[i] : (int64_t)element(data, t, i));
}

/* Elements [from, to), a line for each row. */
static void print_elements(const void *data, enum dtype t, int64_t from, int64_t to, int64_t row, struct str *out)
{
    for (int64_t i = from; i < to; i++) {
        print_element(data, t, i, out);
        str_add_char(out, (i + 1) % row ? ' ' : '\n');
    }
}

int inspect_print_tensor(const struct record *r, const char *name, struct str *out, struct err *e)
{
    const struct record_tensor *t = record_tensor(r, name);

    if (!t) return err_set(e, ERR_INPUT, "no tensor \"%s\"", name);
    print_elements(t->data, t->dtype, 0, t->bytes / dtype_size(t->dtype), t->rank ? t->shape[t->rank - 1] : 1, out);
    return 0;
}

int inspect_print_parameter(const char *path, const char *name, struct out *out, struct err *e)
{
    const int64_t piece = 1 << 16;
    struct safetensors s;
    struct str text = { 0 };

    if (open_model(&s, path, e)) return -1;
    const struct safetensor *t = safetensors_find(&s, name);
    int rc = t ? 0 : err_set(e, ERR_INPUT, "%s: no tensor %s", path, err_quote(name));
    for (int64_t i = 0; !rc && i < t->n; i += piece) {
        str_clear(&text);
        print_elements(t->data, t->dtype, i, i + piece < t->n ? i + piece : t->n, t->rank ? t->shape[t->rank - 1] : 1,
                       &text);
        rc = out_write(out, str_c(&text), text.n, e);
    }
    str_release(&text);
    safetensors_close(&s);
    return rc;
}
