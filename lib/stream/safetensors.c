/* The safetensors format: u64 length of a JSON header, the header, the data. */
#include "stream/safetensors.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "stream/descriptor.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART = 4 << 20 /* bytes that are read and written at a time */, REQUEST = 128 << 10 };

struct mapping {
    uint8_t *data;
    size_t bytes;
    struct value *header;
    pthread_t reader; /* where is_expected */
    bool is_expected;
    atomic_bool is_closing;
};

static int read_tensor(struct safetensor *t, const char *name, const struct value *d, int64_t data_bytes, struct err *e)
{
    struct value *offsets;

    *t = (struct safetensor){ .name = name };
    if (descriptor_read(d, &t->dtype, &t->rank, t->shape, &t->n, e) || value_get_array(d, "data_offsets", &offsets, e))
        return -1;
    t->bytes = t->n * dtype_size(t->dtype);
    const struct value *from = value_at(offsets, 0), *to = value_at(offsets, 1);
    if (value_count(offsets) != 2 || !value_is_int(from) || !value_is_int(to) || value_integer(from) < 0 ||
        value_integer(from) > data_bytes || value_integer(to) - value_integer(from) != t->bytes ||
        value_integer(to) > data_bytes)
        return err_set(e, ERR_INPUT, "data_offsets do not fit its %" PRId64 " bytes and the file", t->bytes);
    t->data = (const void *)(uintptr_t)value_integer(from); /* an offset until the order is checked */
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;

    if (p != q) return p < q ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Sorted by offset, tensors must follow each other without holes or overlaps up to the end of the file. */
static int place(struct safetensors *s, const uint8_t *data, int64_t data_bytes, struct err *e)
{
    int64_t at = 0;

    if (s->n) qsort(s->at, (size_t)s->n, sizeof *s->at, by_offset);
    for (int i = 0; i < s->n; i++) {
        if ((int64_t)(uintptr_t)s->at[i].data != at)
            return err_set(e, ERR_INPUT, "tensor %s leaves a hole or overlaps", err_quote(s->at[i].name));
        s->at[i].data = data + at;
        at += s->at[i].bytes;
    }
    if (at != data_bytes)
        return err_set(e, ERR_INPUT, "%" PRId64 " bytes of data, but its tensors have %" PRId64, data_bytes, at);
    return 0;
}

static int parse_header(struct safetensors *s, struct mapping *m, struct err *e)
{
    if (m->bytes < 8) return err_set(e, ERR_INPUT, "%zu bytes (a safetensors file has at least 8)", m->bytes);
    uint64_t header = load_u64(m->data);
    if (header > LIMIT_SAFETENSORS_HEADER || header > m->bytes - 8)
        return err_set(e, ERR_INPUT, "a header of %" PRIu64 " bytes in a file of %zu", header, m->bytes);
    if (!(m->header = value_parse((const char *)m->data + 8, (int64_t)header, e))) return err_in(e, "header");
    if (!value_is_object(m->header)) return err_set(e, ERR_INPUT, "header is not an object");
    int64_t n = value_count(m->header), data_bytes = (int64_t)(m->bytes - 8 - header);
    s->at = mem_new(struct safetensor, n + 1);
    for (int64_t i = 0; i < n; i++) {
        struct value *d;
        const char *name = value_key(m->header, i, &d);
        if (!strcmp(name, "__metadata__")) continue;
        if (read_tensor(&s->at[s->n], name, d, data_bytes, e)) return err_in(e, "tensor %s", err_quote(name));
        s->n++;
    }
    return place(s, m->data + 8 + header, data_bytes, e);
}

int safetensors_open(struct safetensors *s, const char *path, struct err *e)
{
    struct mapping *m = mem_new(struct mapping, 1);
    struct stat st;
    int rc = -1, fd = file_open(path, e);

    *s = (struct safetensors){ .impl = m };
    if (fd < 0) goto out;
    if (fstat(fd, &st)) {
        err_errno(e, "%s: cannot read", path);
        goto out;
    }
    m->bytes = (size_t)st.st_size;
    if (m->bytes) {
        m->data = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m->data == MAP_FAILED) {
            m->data = NULL;
            err_errno(e, "%s: cannot map", path);
            goto out;
        }
    }
    rc = parse_header(s, m, e);
    if (rc) err_in(e, "%s", path);
out:
    if (fd >= 0) close(fd);
    if (rc) safetensors_close(s);
    return rc;
}

/* However much the system is told to read, it reads ahead no more than a request of the disk. */
static void *read_ahead(void *arg)
{
    struct mapping *m = arg;

    for (size_t at = 0; at < m->bytes && !atomic_load(&m->is_closing); at += REQUEST)
        madvise(m->data + at, m->bytes - at < REQUEST ? m->bytes - at : REQUEST, MADV_WILLNEED);
    return NULL;
}

void safetensors_expect(struct safetensors *s)
{
    struct mapping *m = s->impl;

    if (!m->is_expected) m->is_expected = !pthread_create(&m->reader, NULL, read_ahead, m);
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
    for (int i = 0; i < s->n; i++) {
        if (!strcmp(s->at[i].name, name)) return &s->at[i];
    }
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *s, const char *key)
{
    const struct mapping *m = s->impl;
    const struct value *meta = m && m->header ? value_get(m->header, "__metadata__") : NULL;

    return meta ? value_text(value_get(meta, key), NULL) : NULL;
}

void safetensors_close(struct safetensors *s)
{
    struct mapping *m = s->impl;

    if (m && m->is_expected) {
        atomic_store(&m->is_closing, true);
        pthread_join(m->reader, NULL);
    }
    if (m && m->data) munmap(m->data, m->bytes);
    if (m) value_free(m->header);
    free(m);
    free(s->at);
    *s = (struct safetensors){ 0 };
}

static void add_header(struct str *out, const struct safetensor *at, int n, const char *const *meta, int n_meta)
{
    struct value *header = value_object(), *pairs = value_object();
    int64_t offset = 0;

    for (int i = 0; i < n_meta; i++) value_set(pairs, meta[2 * i], value_str(meta[2 * i + 1]));
    if (n_meta) value_set(header, "__metadata__", pairs);
    else value_free(pairs);
    for (int i = 0; i < n; i++) {
        struct value *d = descriptor_new(at[i].dtype, at[i].rank, at[i].shape), *offsets = value_array();
        value_push(offsets, value_int(offset));
        value_push(offsets, value_int(offset += at[i].bytes));
        value_set(d, "data_offsets", offsets);
        value_set(header, at[i].name, d);
    }
    value_print(header, out);
    value_free(header);
    while ((8 + out->n) % 64) str_add_char(out, ' '); /* so that the data is aligned, where it is mapped, too */
}

int safetensors_save(const char *path, const struct safetensor *at, int n, const char *const *meta, int n_meta,
                     struct err *e)
{
    return safetensors_save_from(NULL, NULL, path, at, n, meta, n_meta, e);
}

static int write_parts(struct out *o, safetensors_read *read, void *ctx, int i, int64_t bytes, char *part,
                       struct err *e)
{
    int rc = 0;

    for (int64_t at = 0; at < bytes && !rc; at += PART) {
        int64_t n = bytes - at < PART ? bytes - at : PART;
        rc = read(ctx, i, at, n, part, e) || out_write(o, part, (size_t)n, e) ? -1 : 0;
    }
    return rc;
}

int safetensors_save_from(safetensors_read *read, void *ctx, const char *path, const struct safetensor *at, int n,
                          const char *const *meta, int n_meta, struct err *e)
{
    struct str header = { 0 };
    uint8_t length[8];
    struct out *o = out_open(path, e);

    if (!o) return -1;
    char *part = read ? mem_new(char, PART) : NULL;
    add_header(&header, at, n, meta, n_meta);
    store_u64(length, header.n);
    int rc = out_write(o, length, 8, e) || out_write(o, header.data, header.n, e) ? -1 : 0;
    for (int i = 0; i < n && !rc; i++) {
        if (read) rc = write_parts(o, read, ctx, i, at[i].bytes, part, e);
        else rc = out_write(o, at[i].data, (size_t)at[i].bytes, e);
    }
    str_release(&header);
    free(part);
    if (!rc) return out_commit(o, e);
    out_abort(o);
    return -1;
}
