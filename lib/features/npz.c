/* Zip archives by libzip; everything in memory, so that no file's name comes from an archive. */
#include "features/npz.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { MEMBERS_MAX = 64 };

static int failed(zip_error_t *why, const char *what, struct err *e)
{
    err_set(e, ERR_INPUT, "%s (%s)", what, zip_error_strerror(why));
    zip_error_fini(why);
    return -1;
}

static int read_member(struct npz_member *m, zip_t *z, zip_uint64_t i, int64_t *left, struct err *e)
{
    zip_stat_t st;
    char rest;

    if (zip_stat_index(z, i, 0, &st) || !(st.valid & ZIP_STAT_SIZE) || !(st.valid & ZIP_STAT_NAME))
        return err_set(e, ERR_INPUT, "an archive that does not say what it holds");
    m->name = mem_strdup(st.name);
    if (str_ends(m->name, ".npy")) m->name[strlen(m->name) - 4] = 0;
    if (st.size > (zip_uint64_t)*left)
        return err_set(e, ERR_INPUT, "arrays of more than %lld bytes", LIMIT_BLOCK_BYTES);
    *left -= (int64_t)st.size;
    if (!(m->data = mem_try(st.size + 1, 1))) return err_set(e, ERR_IO, "not enough memory for an array");
    zip_file_t *f = zip_fopen_index(z, i, 0);
    /* one byte more than there should be, so that the checksum is looked at */
    bool is_whole = f && zip_fread(f, m->data, st.size) == (zip_int64_t)st.size && zip_fread(f, &rest, 1) == 0;
    if (f) zip_fclose(f);
    if (!is_whole) return err_set(e, ERR_INPUT, "%s: corrupt", err_quote(m->name));
    return npy_parse(&m->array, m->data, (int64_t)st.size, e) ? err_in(e, "%s", err_quote(m->name)) : 0;
}

int npz_open(struct npz *z, const void *data, size_t n, struct err *e)
{
    zip_error_t why;
    int64_t left = LIMIT_BLOCK_BYTES;
    int rc = 0;

    *z = (struct npz){ 0 };
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(data, n, 0, &why);
    zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
    if (!archive) {
        zip_source_free(source);
        return failed(&why, "not a .npz file", e);
    }
    zip_int64_t members = zip_get_num_entries(archive, 0);
    if (members > MEMBERS_MAX) rc = err_set(e, ERR_INPUT, "%lld arrays (at most %d)", (long long)members, MEMBERS_MAX);
    if (!rc) z->at = mem_new(struct npz_member, members + 1);
    while (!rc && z->n < members) {
        rc = read_member(&z->at[z->n], archive, (zip_uint64_t)z->n, &left, e);
        z->n++;
    }
    zip_discard(archive);
    if (rc) npz_close(z);
    return rc;
}

void npz_close(struct npz *z)
{
    for (int i = 0; i < z->n; i++) {
        npy_release(&z->at[i].array);
        free(z->at[i].name);
        free(z->at[i].data);
    }
    free(z->at);
    *z = (struct npz){ 0 };
}

const struct npy *npz_find(const struct npz *z, const char *name)
{
    for (int i = 0; i < z->n; i++) {
        if (!strcmp(z->at[i].name, name)) return &z->at[i].array;
    }
    return NULL;
}

int npz_array(const struct npz *z, const char *name, int rank, const struct npy **out, struct err *e)
{
    const struct npy *a = npz_find(z, name);

    if (!a) return err_set(e, ERR_INPUT, "no array \"%s\"", name);
    if (rank >= 0 && a->rank != rank)
        return err_set(e, ERR_INPUT, "array \"%s\" has %d dimensions (%d were expected)", name, a->rank, rank);
    *out = a;
    return 0;
}

static int add_entry(zip_t *z, const struct npz_entry *x)
{
    struct str name = { 0 };
    zip_source_t *source = zip_source_buffer(z, x->npy.data, x->npy.n, 0);

    str_addf(&name, "%s.npy", x->name);
    zip_int64_t at = source ? zip_file_add(z, name.data, source, ZIP_FL_ENC_UTF_8) : -1;
    if (at < 0) zip_source_free(source);
    str_release(&name);
    /* 1980-01-01, the oldest day that the format knows: bytes do not depend on the clock */
    return at < 0 || zip_file_set_dostime(z, (zip_uint64_t)at, 0, 0x21, 0);
}

int npz_print(struct str *out, const struct npz_entry *at, int n, struct err *e)
{
    zip_error_t why;
    zip_stat_t st;
    int rc = 0;

    zip_error_init(&why);
    zip_source_t *whole = zip_source_buffer_create(NULL, 0, 0, &why);
    if (whole) zip_source_keep(whole); /* past the closing of the archive */
    zip_t *z = whole ? zip_open_from_source(whole, ZIP_TRUNCATE, &why) : NULL;
    for (int i = 0; i < n && z && !rc; i++) rc = add_entry(z, &at[i]);
    if (!z || rc || zip_close(z)) {
        if (z) zip_discard(z);
        zip_source_free(whole);
        zip_error_fini(&why);
        return err_set(e, ERR_IO, "cannot make a .npz file");
    }
    rc = zip_source_stat(whole, &st) || zip_source_open(whole);
    for (zip_uint64_t left = rc ? 0 : st.size; left && !rc;) {
        char part[1 << 14];
        zip_int64_t got = zip_source_read(whole, part, sizeof part);
        if (got > 0) str_add_bytes(out, part, (size_t)got);
        left -= got > 0 ? (zip_uint64_t)got : 0;
        rc = got <= 0;
    }
    if (!rc) zip_source_close(whole);
    zip_source_free(whole);
    zip_error_fini(&why);
    return rc ? err_set(e, ERR_IO, "cannot make a .npz file") : 0;
}
