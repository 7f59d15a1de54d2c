#include "detect/state.h"
#include "core/file.h"
#include "core/str.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the result depends on besides the pictures themselves. */
static struct value *options(const struct detector *d, const struct detect_train_opts *o,
                             const struct annotations *train)
{
    struct value *v = value_object();
    char digest[17];

    value_set(v, "steps", value_int(o->steps));
    value_set(v, "batch", value_int(o->batch));
    value_set(v, "lr", value_real(o->lr));
    value_set(v, "weight_decay", value_real(o->weight_decay));
    value_set(v, "seed", value_int((int64_t)o->seed));
    value_set(v, "brightness", value_real(o->brightness));
    value_set(v, "contrast", value_real(o->contrast));
    value_set(v, "saturation", value_real(o->saturation));
    value_set(v, "zoom", value_real(o->zoom));
    value_set(v, "pictures", value_int(train->n));
    snprintf(digest, sizeof digest, "%016" PRIx64, annotations_digest(train));
    value_set(v, "annotations", value_str(digest));
    value_set(v, "compute", value_str(dtype_name(d->params.compute)));
    value_set(v, "config", detect_config_print(&d->config));
    return v;
}

static int save_json(const char *dir, const char *name, const struct value *v, struct err *e)
{
    char *path = path_join(dir, name);
    int rc = value_save(v, path, e);

    free(path);
    return rc;
}

int state_save(const struct detector *d, const struct detect_train_opts *o, const struct annotations *train,
               int64_t step, struct err *e)
{
    struct outdir *out = outdir_open(o->state, NULL, e);
    struct value *v = value_object();
    int rc = out ? 0 : -1;

    value_set(v, "step", value_int(step));
    value_set(v, "options", options(d, o, train));
    if (!rc) {
        char *model = path_join(outdir_path(out), "model.safetensors"),
             *moments = path_join(outdir_path(out), "optimizer.safetensors");
        struct value *config = detect_config_print(&d->config);
        rc = save_json(outdir_path(out), "trainer.json", v, e) ||
                     save_json(outdir_path(out), "config.json", config, e) ||
                     params_save(&d->params, model, false, e) || params_save_moments(&d->params, NULL, NULL, moments, e)
                 ? -1
                 : 0;
        value_free(config);
        free(model);
        free(moments);
    }
    value_free(v);
    if (out && rc) outdir_abort(out);
    else if (out) rc = outdir_commit(out, e);
    return rc;
}

static int check_options(const struct value *saved, const struct value *now, struct err *e)
{
    struct value *then;
    struct value_iter it = { 0 };

    if (value_get_object(saved, "options", &then, e)) return -1;
    while (value_next(now, &it)) {
        struct str a = { 0 }, b = { 0 };
        const struct value *was = value_get(then, it.key);
        if (was) value_print(was, &a);
        value_print(it.value, &b);
        bool is_same = was && a.n == b.n && !memcmp(a.data, b.data, a.n);
        if (!is_same) err_set(e, ERR_INPUT, "the saved run had another \"%s\"", it.key);
        str_release(&a);
        str_release(&b);
        if (!is_same) return -1;
    }
    return 0;
}

static int load_values(struct detector *d, const char *dir, struct err *e)
{
    char *model = path_join(dir, "model.safetensors"), *moments = path_join(dir, "optimizer.safetensors");
    struct safetensors s;
    int rc = safetensors_open(&s, model, e);

    if (!rc) {
        rc = params_load(&d->params, &s, NULL, NULL, true, NULL, e);
        if (rc) err_in(e, "%s", model);
        safetensors_close(&s);
    }
    if (!rc) rc = params_load_moments(&d->params, moments, e);
    free(model);
    free(moments);
    return rc;
}

int state_load(struct detector *d, const struct detect_train_opts *o, const struct annotations *train, int64_t *step,
               struct err *e)
{
    char *path = path_join(o->state, "trainer.json");
    struct value *now = options(d, o, train), *saved = NULL;
    int is_there = file_exists(path, e), rc = is_there < 0 ? -1 : 0;

    *step = 0;
    if (is_there > 0) {
        saved = value_load(path, e);
        rc = saved ? check_options(saved, now, e) : -1;
        if (!rc) rc = value_get_int(saved, "step", 0, o->steps, step, e);
        if (saved && rc) err_in(e, "%s", path);
        if (!rc) rc = load_values(d, o->state, e);
    }
    value_free(saved);
    value_free(now);
    free(path);
    return rc;
}
