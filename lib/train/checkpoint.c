#include "train/checkpoint.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/opt.h"
#include "model/vocabulary.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "step-"

/* Options that may differ between a run and its continuation: they cannot change the result. Of files with examples
 * the contents count, which have digests; pre-training only looks at the held-out ones. */
static const char *const free_options[] = { "output",    "resume",          "log",       "log-every", "save-every",
                                            "keep",      "device",          "threads",   "dry-run",   "steps",
                                            "loaders",   "accumulate",      "recompute", "pairs",     "images",
                                            "texts",     "features",        "train",     "dev-pairs", "dev-images",
                                            "dev-texts", "shard-optimizer", "profile",   NULL };

static bool is_free(const char *name)
{
    for (int i = 0; free_options[i]; i++) {
        if (!strcmp(free_options[i], name)) return true;
    }
    return false;
}

void checkpoint_init(struct checkpoint *c, int64_t streams)
{
    *c = (struct checkpoint){ .streams = streams, .best = -1 };
    c->drawn = mem_alloc((size_t)streams, sizeof *c->drawn);
}

void checkpoint_release(struct checkpoint *c)
{
    free(c->drawn);
    c->drawn = NULL;
}

static struct value *options_value(void)
{
    struct str s = { 0 };
    struct err e = { 0 };

    opt_json(&s);
    struct value *v = value_parse(s.data, (int64_t)s.n, &e);
    str_release(&s);
    return v;
}

static void set_digest(struct value *v, const struct store *s)
{
    char hex[24];

    snprintf(hex, sizeof hex, "%016" PRIx64, s ? store_digest(s) : 0);
    value_set(v, "digest", value_str(hex));
}

static int check_digest(const struct value *v, const struct store *s, const char *what, struct err *e)
{
    struct value *now = value_object();
    const char *saved, *here;

    set_digest(now, s);
    int rc = value_get_string(v, "digest", &saved, e) || value_get_string(now, "digest", &here, e) ? -1 : 0;
    if (!rc && strcmp(saved, here))
        rc =
            err_set(e, ERR_INPUT, "%s: other contents, or in another order, than those of the run to be resumed", what);
    value_free(now);
    return rc;
}

static struct value *state_value(const struct checkpoint *c, const struct task *t)
{
    struct value *v = value_object(), *collections = value_array();

    value_set(v, "program", value_str(opt_program()));
    value_set(v, "version", value_str(opt_version()));
    value_set(v, "step", value_int(c->step));
    value_set(v, "finished", value_bool(c->is_finished));
    value_set(v, "best", value_real(c->best));
    value_set(v, "best_step", value_int(c->best_step));
    for (int i = 0; i < t->n_collections; i++) {
        struct value *x = value_object(), *drawn = value_array();
        for (int64_t k = 0; k < c->streams; k++) value_push(drawn, value_int(c->drawn[k][i]));
        value_set(x, "name", value_str(t->at[i].name));
        value_set(x, "records", value_int(t->at[i].n));
        set_digest(x, t->at[i].store);
        value_set(x, "drawn", drawn);
        value_push(collections, x);
    }
    value_set(v, "collections", collections);
    set_digest(v, t->referred);
    value_set(v, "options", options_value());
    return v;
}

static int save_json(const char *dir, const char *name, const struct value *v, struct err *e)
{
    char *path = path_join(dir, name);
    int rc = value_save(v, path, e);

    free(path);
    return rc;
}

/* The numbers of the checkpoints there are, ascending; -1 when that cannot be told. */
static int64_t list_steps(const char *folder, int64_t **steps, struct err *e)
{
    DIR *d = opendir(folder);
    int64_t n = 0, cap = 0, step;

    *steps = NULL;
    if (!d && (errno == ENOENT || errno == ENOTDIR)) return 0;
    if (!d) return err_errno(e, "%s: cannot list", folder);
    for (struct dirent *x; errno = 0, (x = readdir(d));) {
        if (!str_starts(x->d_name, PREFIX) || !str_to_int(x->d_name + strlen(PREFIX), 0, INT64_MAX, &step)) continue;
        mem_reserve(steps, &cap, n + 1);
        int64_t at = n++;
        while (at && (*steps)[at - 1] > step) (*steps)[at] = (*steps)[at - 1], at--;
        (*steps)[at] = step;
    }
    int rc = errno ? err_errno(e, "%s: cannot list", folder) : 0;
    closedir(d);
    return rc ? -1 : n;
}

static char *step_path(const char *folder, int64_t step)
{
    char name[64];

    snprintf(name, sizeof name, PREFIX "%09" PRId64, step);
    return path_join(folder, name);
}

/* The training is worth more than the room: somebody may have an old file open on a file system that does not let it
 * go. */
static void remove_or_say(const char *path)
{
    struct err e = { 0 };

    if (dir_remove(path, &e)) log_line("%s; training goes on", e.text);
}

/* What a killed run left half-written. */
static void remove_unfinished(const char *folder)
{
    DIR *d = opendir(folder);

    for (struct dirent *x; d && (x = readdir(d));) {
        if (!str_starts(x->d_name, "." PREFIX)) continue;
        char *path = path_join(folder, x->d_name);
        remove_or_say(path);
        free(path);
    }
    if (d) closedir(d);
}

static void remove_old(const char *folder, int64_t keep)
{
    struct err e = { 0 };
    int64_t *steps, n = list_steps(folder, &steps, &e);

    if (n < 0) log_line("%s; training goes on", e.text);
    for (int64_t i = 0; i + keep < n; i++) {
        char *path = step_path(folder, steps[i]);
        remove_or_say(path);
        free(path);
    }
    free(steps);
}

/* ---- one run at a time ---- */

enum { LOCK_TRIES = 50 }; /* each a fifth of a second: a run that was killed may still be going */

static char *lock_path(const char *output)
{
    return path_join(output, "checkpoints/.lock");
}

/* Whether fd is what the path leads to: the run before may have removed it on its way out. */
static bool is_same_file(int fd, const char *path)
{
    struct stat a, b;

    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Where a file system has no locks there are none. */
static int lock(const char *path, struct err *e)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) return err_errno(e, "%s: cannot create", path);
        bool is_taken = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
        if (!is_taken && is_same_file(fd, path)) return fd;
        close(fd);
        if (is_taken) usleep(200000);
    }
    return err_set(e, ERR_INPUT, "another training is writing there");
}

/* A model that a killed run was publishing: see temporary_name() in core/out.c. */
static void remove_unpublished(const char *output)
{
    static const char *const patterns[] = { ".config.json.??????", ".model.safetensors.??????", ".vocab.json.??????",
                                            ".merges.txt.??????" };
    DIR *d = opendir(output);

    for (struct dirent *x; d && (x = readdir(d));) {
        for (int i = 0; i < 4; i++) {
            if (!fnmatch(patterns[i], x->d_name, FNM_PERIOD)) unlinkat(dirfd(d), x->d_name, 0);
        }
    }
    if (d) closedir(d);
}

int checkpoint_begin(const char *output, struct err *e)
{
    char *folder = path_join(output, "checkpoints"), *path = lock_path(output);
    int fd = dir_make(folder, e) ? -1 : lock(path, e);

    if (fd >= 0) remove_unpublished(output);
    else if (e->code == ERR_INPUT) err_in(e, "%s", output);
    free(folder);
    free(path);
    return fd;
}

/* A link would be followed; another name of the same file, as cp -l gives it, is replaced. */
static int spares_file(const char *output, const char *model, const char *name, struct err *e)
{
    char *to = path_join(output, name), *from = path_join(model, name);
    struct stat st;
    bool is_link = !lstat(to, &st) && S_ISLNK(st.st_mode);
    int rc = is_link ? out_spares(to, (const char *const[]){ from }, 1, e) : 0;

    free(to);
    free(from);
    return rc;
}

int checkpoint_spares(const char *output, const char *model, struct err *e)
{
    if (!model) return 0;
    return out_spares(output, &model, 1, e) || spares_file(output, model, "config.json", e) ||
                   spares_file(output, model, "model.safetensors", e)
               ? -1
               : 0;
}

void checkpoint_end(const char *output, int fd)
{
    char *path = lock_path(output);

    if (fd >= 0) unlink(path);
    if (fd >= 0) close(fd);
    free(path);
}

/* ---- writing ---- */

static int write_files(const struct checkpoint *c, const struct model *m, const struct task *t, const char *dir,
                       const char *vocabulary, struct err *e)
{
    char *moments = path_join(dir, "optimizer.safetensors");
    struct value *state = state_value(c, t);
    int rc = vocabulary_copy(vocabulary, dir, e);

    if (!rc) rc = model_save(m, dir, e);
    if (!rc) rc = params_save_moments(&m->params, c->fetch, c->comm, moments, e);
    if (!rc) rc = save_json(dir, "trainer.json", state, e);
    value_free(state);
    free(moments);
    return rc;
}

int checkpoint_save(const struct checkpoint *c, const struct model *m, const struct task *t, const char *output,
                    const char *vocabulary, int64_t keep, struct err *e)
{
    char *folder = path_join(output, "checkpoints"), *path = step_path(folder, c->step);
    int rc = dir_make(folder, e);
    if (!rc) remove_unfinished(folder); /* before: its room may be needed */
    struct outdir *o = rc ? NULL : outdir_open(path, NULL, e);

    if (!o) rc = -1;
    else if (write_files(c, m, t, outdir_path(o), vocabulary, e)) outdir_abort(o), rc = -1;
    else rc = outdir_commit(o, e);
    if (!rc) remove_old(folder, keep);
    free(folder);
    free(path);
    return rc;
}

int checkpoint_newest(const char *output, int64_t *step, struct err *e)
{
    char *folder = path_join(output, "checkpoints");
    int64_t *steps, n = list_steps(folder, &steps, e);

    *step = n > 0 ? steps[n - 1] : -1;
    free(steps);
    free(folder);
    return n < 0 ? -1 : 0;
}

static int check_options(const struct value *saved, struct err *e)
{
    struct value *now = options_value(), *here;
    int rc = 0;

    for (int64_t i = 0; i < value_count(now) && !rc; i++) {
        const char *name = value_key(now, i, &here);
        struct value *there = value_get(saved, name);
        struct str a = { 0 }, b = { 0 };
        if (is_free(name)) continue;
        value_print(here, &a);
        if (there) value_print(there, &b);
        if (strcmp(str_c(&a), str_c(&b)))
            rc = err_set(e, ERR_USAGE, "--%s: is %s, but the run to be resumed had %s", name, str_c(&a),
                         there ? str_c(&b) : "no such option");
        str_release(&a);
        str_release(&b);
    }
    value_free(now);
    return rc;
}

/* How far each stream was; dealt out evenly when there were more or fewer of them. */
static int read_drawn(struct checkpoint *c, int collection, const struct value *drawn, struct err *e)
{
    int64_t n = value_count(drawn), total = 0;

    if (n < 1) return err_set(e, ERR_INPUT, "\"drawn\": is empty");
    for (int64_t k = 0; k < n; k++) {
        int64_t x = value_integer(value_at(drawn, k));
        if (!value_is_int(value_at(drawn, k)) || x < 0 || x > INT64_MAX / 2 - total)
            return err_set(e, ERR_INPUT, "\"drawn\": element %" PRId64 " is no count", k);
        if (n == c->streams) c->drawn[k][collection] = x;
        total += x;
    }
    for (int64_t k = 0; n != c->streams && k < c->streams; k++)
        c->drawn[k][collection] = (total + c->streams - 1) / c->streams;
    return 0;
}

static int read_collections(struct checkpoint *c, const struct task *t, const struct value *array, struct err *e)
{
    if (value_count(array) != t->n_collections)
        return err_set(e, ERR_INPUT, "\"collections\": expected %d", t->n_collections);
    for (int i = 0; i < t->n_collections; i++) {
        const struct value *x = value_at(array, i);
        struct value *drawn;
        int64_t n;
        if (value_get_int(x, "records", 0, INT64_MAX, &n, e) || value_get_array(x, "drawn", &drawn, e) ||
            read_drawn(c, i, drawn, e))
            return -1;
        if (n != t->at[i].n)
            return err_set(e, ERR_INPUT,
                           "collection %s has %" PRId64 " records, but the run to be resumed had %" PRId64,
                           t->at[i].name, t->at[i].n, n);
        if (check_digest(x, t->at[i].store, t->at[i].name, e)) return -1;
    }
    return 0;
}

static int read_state(struct checkpoint *c, const struct task *t, const struct value *v, struct err *e)
{
    struct value *options, *collections;

    if (value_get_object(v, "options", &options, e) || check_options(options, e)) return -1;
    if (value_get_int(v, "step", 0, INT64_MAX, &c->step, e) || value_get_bool(v, "finished", &c->is_finished, e) ||
        value_get_real(v, "best", -DBL_MAX, DBL_MAX, &c->best, e) ||
        value_get_int(v, "best_step", 0, INT64_MAX, &c->best_step, e) ||
        value_get_array(v, "collections", &collections, e) || check_digest(v, t->referred, "regions", e))
        return -1;
    return read_collections(c, t, collections, e);
}

static int load_weights(struct model *m, const char *path, struct err *e)
{
    struct safetensors s;

    if (safetensors_open(&s, path, e)) return -1;
    int rc = params_load(&m->params, &s, NULL, NULL, true, NULL, e);
    safetensors_close(&s);
    return rc ? err_in(e, "%s", path) : 0;
}

int checkpoint_load(struct checkpoint *c, struct model *m, const struct task *t, const char *output, int64_t step,
                    struct err *e)
{
    char *folder = path_join(output, "checkpoints"), *dir = step_path(folder, step);
    char *state = path_join(dir, "trainer.json"), *weights = path_join(dir, "model.safetensors"),
         *moments = path_join(dir, "optimizer.safetensors");
    struct value *v = value_load(state, e);
    int rc = v ? 0 : -1;

    if (v && read_state(c, t, v, e)) rc = e->code == ERR_USAGE ? -1 : err_in(e, "%s", state);
    if (!rc) rc = load_weights(m, weights, e);
    if (!rc) rc = params_load_moments(&m->params, moments, e);
    value_free(v);
    free(folder);
    free(dir);
    free(state);
    free(weights);
    free(moments);
    return rc;
}

int checkpoint_publish(struct model *m, const char *output, const char *vocabulary, struct err *e)
{
    bool is_averaged = m->params.average.data != NULL;

    if (dir_make(output, e) || vocabulary_copy(vocabulary, output, e)) return -1;
    if (is_averaged) params_swap_average(&m->params);
    int rc = model_save(m, output, e);
    if (is_averaged) params_swap_average(&m->params);
    return rc;
}
