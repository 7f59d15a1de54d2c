/* UNITER's files: norm_bb [n, 6] = x1, y1, x2, y2, width, height as parts of the picture; features F16; conf [n], the
 * confidence that regions were chosen by; soft_labels F16 [n, 1601]. The picture's size is not in them: the record says
 * 1 x 1, and its boxes are parts of the picture, which is what models make of them anyway. norm_bb is kept whole. */
#include "core/mem.h"
#include "features/form.h"
#include "features/npz.h"
#include <stdlib.h>
#include <string.h>

static int take(struct record *r, const struct npz *z, const char *array, const char *tensor, int rank, int64_t regions,
                struct err *e)
{
    const struct npy *a;

    if (npz_array(z, array, rank, &a, e)) return -1;
    if (!dtype_is_float(a->dtype)) return err_set(e, ERR_INPUT, "array \"%s\" is not of a float type", array);
    if (a->shape[0] != regions)
        return err_set(e, ERR_INPUT, "\"%s\" has %lld rows, but there are %lld regions", array, (long long)a->shape[0],
                       (long long)regions);
    record_set_tensor(r, tensor, a->dtype, rank, a->shape, a->data);
    return 0;
}

int uniter_read(struct record *r, const struct npz *z, struct err *e)
{
    const struct npy *bb;

    if (npz_array(z, "norm_bb", 2, &bb, e)) return -1;
    int64_t n = bb->shape[0];
    if (bb->shape[1] != 6 || n > FORM_REGIONS_MAX)
        return err_set(e, ERR_INPUT, "\"norm_bb\" is %lld x %lld", (long long)n, (long long)bb->shape[1]);
    value_set(r->fields, "width", value_int(1));
    value_set(r->fields, "height", value_int(1));
    if (take(r, z, "norm_bb", "norm_boxes", 2, n, e)) return -1;
    float *all = mem_new(float, 6 * n + 1), *boxes = mem_new(float, 4 * n + 1);
    dtype_to_f32(all, bb->data, bb->dtype, 6 * n);
    for (int64_t i = 0; i < n; i++) memcpy(boxes + 4 * i, all + 6 * i, 4 * sizeof *boxes);
    record_set_tensor(r, "boxes", DT_F32, 2, (int64_t[]){ n, 4 }, boxes);
    free(all);
    free(boxes);
    if (take(r, z, "features", "features", 2, n, e)) return -1;
    if (npz_find(z, "conf") && take(r, z, "conf", "confidences", 1, n, e)) return -1;
    return npz_find(z, "soft_labels") ? take(r, z, "soft_labels", "class_probs", 2, n, e) : 0;
}

/* A tensor of any float type as F16, or as it is when `keeps` and NumPy has its type. */
static int put(struct npz_entry *out, const char *array, const struct record *r, const char *tensor, bool keeps,
               struct err *e)
{
    const struct record_tensor *t = record_tensor(r, tensor);
    float *wide;
    int64_t n;

    if (!t) return err_set(e, ERR_INPUT, "no tensor \"%s\"", tensor);
    out->name = array;
    if (npy_type_name(t->dtype) && (keeps || t->dtype == DT_F16)) {
        npy_print(&out->npy, t->dtype, t->rank, t->shape, t->data, t->bytes);
        return 0;
    }
    if (record_tensor_f32(r, tensor, t->rank, t->shape, &wide, &n, e)) return -1;
    uint16_t *half = mem_new(uint16_t, n + 1);
    dtype_from_f32(half, DT_F16, wide, n);
    npy_print(&out->npy, DT_F16, t->rank, t->shape, half, 2 * n);
    free(half);
    free(wide);
    return 0;
}

static int put_boxes(struct npz_entry *out, const struct record *r, struct err *e)
{
    const struct record_tensor *t;
    int64_t width, height;

    if (record_tensor(r, "norm_boxes")) return put(out, "norm_bb", r, "norm_boxes", true, e);
    if (record_tensor_shaped(r, "boxes", DT_F32, 2, (int64_t[]){ -1, 4 }, &t, e) ||
        value_get_int(r->fields, "width", 1, 1000000, &width, e) ||
        value_get_int(r->fields, "height", 1, 1000000, &height, e))
        return -1;
    int64_t n = t->shape[0];
    float *all = mem_new(float, 6 * n + 1);
    for (int64_t i = 0; i < n; i++) {
        const float *b = (const float *)t->data + 4 * i;
        float *to = all + 6 * i;
        for (int k = 0; k < 4; k++) to[k] = b[k] / (float)(k % 2 ? height : width);
        to[4] = to[2] - to[0];
        to[5] = to[3] - to[1];
    }
    out->name = "norm_bb";
    npy_print(&out->npy, DT_F32, 2, (int64_t[]){ n, 6 }, all, 24 * n);
    free(all);
    return 0;
}

/* conf: as it was, else the regions' "scores". */
static int put_confidences(struct npz_entry *out, const struct record *r, int64_t n, struct err *e)
{
    struct value *scores;

    if (record_tensor(r, "confidences")) return put(out, "conf", r, "confidences", true, e);
    if (value_get_array(r->fields, "scores", &scores, e)) return -1;
    if (value_count(scores) != n)
        return err_set(e, ERR_INPUT, "%lld \"scores\" for %lld regions", (long long)value_count(scores), (long long)n);
    float *conf = mem_new(float, n + 1);
    for (int64_t i = 0; i < n; i++) conf[i] = (float)value_number(value_at(scores, i));
    out->name = "conf";
    npy_print(&out->npy, DT_F32, 1, &n, conf, 4 * n);
    free(conf);
    return 0;
}

int uniter_write(struct str *out, const struct record *r, struct err *e)
{
    const struct record_tensor *x;
    struct npz_entry at[4] = { 0 };
    int n = 2, rc;

    if (record_tensor_shaped(r, "features", DT_NONE, 2, (int64_t[]){ -1, -1 }, &x, e)) return -1;
    rc = put_boxes(&at[0], r, e);
    if (!rc) rc = put(&at[1], "features", r, "features", false, e);
    if (!rc && (record_tensor(r, "confidences") || value_get(r->fields, "scores")))
        rc = put_confidences(&at[n++], r, x->shape[0], e);
    if (!rc && record_tensor(r, "class_probs")) rc = put(&at[n++], "soft_labels", r, "class_probs", false, e);
    if (!rc) rc = npz_print(out, at, n, e);
    for (int i = 0; i < 4; i++) str_release(&at[i].npy);
    return rc;
}
