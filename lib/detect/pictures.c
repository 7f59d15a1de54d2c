#include "detect/pictures.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/str.h"
#include "detect/annotations.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_item(struct items *all, const char *id, size_t id_n, const char *path, const char *name)
{
    mem_reserve(&all->at, &all->cap, all->n + 1);
    all->at[all->n++] = (struct item){ mem_strndup(id, id_n), mem_strdup(path), mem_strdup(name) };
}

static void add_file(struct items *all, const char *path)
{
    const char *base = path_base(path), *dot = strrchr(base, '.');

    add_item(all, base, dot && dot != base ? (size_t)(dot - base) : strlen(base), path, path);
}

static int add_folder(struct items *all, const char *path, struct err *e)
{
    static const char *const endings[] = { ".jpg", ".jpeg", NULL };
    char **names;
    int64_t n = dir_list(path, endings, &names, e);

    if (n < 0) return -1;
    for (int64_t i = 0; i < n; i++) {
        char *file = path_join(path, names[i]);
        add_file(all, file);
        free(file);
        free(names[i]);
    }
    free(names);
    return n ? 0 : err_set(e, ERR_INPUT, "%s: has no JPEGs (names ending in .jpg or .jpeg)", path);
}

static int add_stream(struct items *all, const char *path, bool skip_bad, struct err *e)
{
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_tensors = true, .skip_bad = skip_bad }, e);
    struct record *r;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        const char *image, *id;
        int rc = record_string(r, "image", &image, e) || record_string(r, "id", &id, e) ? -1 : 0;
        if (!rc) {
            char *file = picture_path(path, image);
            add_item(all, id, strlen(id), file, image);
            free(file);
        } else {
            rc = reader_bad(in, r, e);
        }
        record_free(r);
        if (rc) got = -1;
        if (rc) break;
    }
    if (in && !got && reader_used_some(in, e)) got = err_in(e, "%s", path);
    reader_close(in);
    return got;
}

int items_add(struct items *all, const char *path, bool skip_bad, struct err *e)
{
    struct stat st;

    if (!strcmp(path, "-")) return add_stream(all, path, skip_bad, e);
    if (stat(path, &st)) return err_errno(e, "%s: cannot open", path);
    if (S_ISDIR(st.st_mode)) return add_folder(all, path, e);
    if (str_ends(path, ".jsonl") || str_ends(path, ".zst") || str_ends(path, ".json"))
        return add_stream(all, path, skip_bad, e);
    add_file(all, path);
    return 0;
}

int items_differ(const struct items *all, struct err *e)
{
    struct slots ids = { 0 };
    int rc = 0;

    for (int64_t i = 0; i < all->n && !rc; i++) {
        const char *id = all->at[i].id;
        uint64_t hash = hash64(id, strlen(id), 0), at = hash;
        for (int64_t k; !rc && (k = slots_next(&ids, hash, &at)) >= 0;) {
            if (strcmp(all->at[k].id, id)) continue;
            rc = err_set(e, ERR_INPUT, "%s: id %s is that of %s, too", all->at[i].path, err_quote(id), all->at[k].path);
        }
        if (!rc) slots_add(&ids, hash);
    }
    slots_release(&ids);
    return rc;
}

static void item_release(struct item *x)
{
    free(x->id);
    free(x->path);
    free(x->name);
}

void items_filter(struct items *all, bool (*keeps)(void *arg, int64_t i, const struct item *x), void *arg)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < all->n; i++) {
        struct item x = all->at[i];
        if (keeps(arg, i, &x)) all->at[kept++] = x;
        else item_release(&x);
    }
    all->n = kept;
}

void items_release(struct items *all)
{
    for (int64_t i = 0; i < all->n; i++) item_release(&all->at[i]);
    free(all->at);
    *all = (struct items){ 0 };
}
