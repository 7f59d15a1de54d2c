/* MILVLG's bottom-up-attention.pytorch: np.savez_compressed(x, bbox, num_bbox, image_h, image_w, info); info, which not
 * all versions have, is a pickled dictionary with objects_id, objects_conf, attrs_id and attrs_conf. Older versions
 * write x as [d, n]. */
#include "core/mem.h"
#include "features/form.h"
#include "features/npz.h"
#include "features/pickle.h"
#include <stdlib.h>
#include <string.h>

static int check_float(const struct npy *a, const char *name, struct err *e)
{
    if (dtype_is_float(a->dtype)) return 0;
    return err_set(e, ERR_INPUT, "array \"%s\" is not of a float type", name);
}

static int read_boxes(struct record *r, const struct npy *bbox, struct err *e)
{
    if (check_float(bbox, "bbox", e)) return -1;
    float *boxes = mem_try((size_t)bbox->n + 1, sizeof *boxes);
    if (!boxes) return err_set(e, ERR_IO, "not enough memory for the boxes");
    dtype_to_f32(boxes, bbox->data, bbox->dtype, bbox->n);
    record_set_tensor(r, "boxes", DT_F32, 2, bbox->shape, boxes);
    free(boxes);
    return 0;
}

static int read_features(struct record *r, const struct npy *x, int64_t regions, struct err *e)
{
    int64_t size = dtype_size(x->dtype), d = x->shape[1];

    if (check_float(x, "x", e)) return -1;
    if (x->shape[0] == regions) {
        record_set_tensor(r, "features", x->dtype, 2, x->shape, x->data);
        return 0;
    }
    if (d != regions)
        return err_set(e, ERR_INPUT, "\"x\" is %lld x %lld, but there are %lld boxes", (long long)x->shape[0],
                       (long long)d, (long long)regions);
    d = x->shape[0];
    char *rows = mem_try((size_t)x->n + 1, (size_t)size);
    if (!rows) return err_set(e, ERR_IO, "not enough memory for the features");
    for (int64_t i = 0; i < regions; i++) {
        for (int64_t k = 0; k < d; k++)
            memcpy(rows + (i * d + k) * size, (const char *)x->data + (k * regions + i) * size, (size_t)size);
    }
    record_set_tensor(r, "features", x->dtype, 2, (int64_t[]){ regions, d }, rows);
    free(rows);
    return 0;
}

/* One array of info: whole numbers of any kind, or probabilities. */
static int read_best(struct record *r, struct arena *arena, const struct item *info, const char *key,
                     const char *tensor, bool is_id, int64_t regions, struct err *e)
{
    const struct item *i = item_get(info, key), *object;
    struct npy a;

    if (!i) return 0;
    if (item_array(arena, i, &a, &object, e) || object || a.rank != 1 || a.n != regions)
        return err_set(e, ERR_INPUT, "\"%s\" of info is not an array of %lld", key, (long long)regions);
    if (!is_id) {
        if (check_float(&a, key, e)) return -1;
        float *scores = arena_new(arena, float, a.n + 1);
        dtype_to_f32(scores, a.data, a.dtype, a.n);
        record_set_tensor(r, tensor, DT_F32, 1, a.shape, scores);
        return 0;
    }
    int64_t *ids = arena_new(arena, int64_t, a.n + 1);
    for (int64_t k = 0; k < a.n; k++) {
        const struct npy one = { .dtype = a.dtype, .n = 1, .data = (const char *)a.data + k * dtype_size(a.dtype) };
        if (npy_integer(&one, 0, INT32_MAX - 1, &ids[k], e)) return err_in(e, "%s", key);
    }
    if (form_from_one(ids, ids, a.n, e)) return err_in(e, "%s", key);
    record_set_tensor(r, tensor, DT_I64, 1, a.shape, ids);
    return 0;
}

static int read_info(struct record *r, const struct npy *a, int64_t regions, struct err *e)
{
    struct arena arena = { 0 };
    struct npy whole;
    const struct item *info = NULL;

    if (a->dtype != DT_NONE) return err_set(e, ERR_INPUT, "\"info\" is not an object");
    struct item *top = pickle_parse(&arena, a->data, a->bytes, e);
    int rc = top ? item_array(&arena, top, &whole, &info, e) : -1;
    if (!rc && (!info || info->kind != ITEM_DICT)) rc = err_set(e, ERR_INPUT, "\"info\" is not a dictionary");
    if (!rc) rc = read_best(r, &arena, info, "objects_id", "class_ids", true, regions, e);
    if (!rc) rc = read_best(r, &arena, info, "objects_conf", "class_scores", false, regions, e);
    if (!rc) rc = read_best(r, &arena, info, "attrs_id", "attribute_ids", true, regions, e);
    if (!rc) rc = read_best(r, &arena, info, "attrs_conf", "attribute_scores", false, regions, e);
    arena_release(&arena);
    return rc ? err_in(e, "info") : 0;
}

static int read_size(struct record *r, const struct npz *z, const char *array, const char *field, struct err *e)
{
    const struct npy *a;
    int64_t size;

    if (npz_array(z, array, -1, &a, e)) return -1;
    if (npy_integer(a, 1, 1000000, &size, e)) return err_in(e, "%s", array);
    value_set(r->fields, field, value_int(size));
    return 0;
}

int milvlg_read(struct record *r, const struct npz *z, struct err *e)
{
    const struct npy *x, *bbox, *count = npz_find(z, "num_bbox"), *info = npz_find(z, "info");
    int64_t regions;

    if (npz_array(z, "x", 2, &x, e) || npz_array(z, "bbox", 2, &bbox, e) || read_size(r, z, "image_w", "width", e) ||
        read_size(r, z, "image_h", "height", e))
        return -1;
    if (bbox->shape[1] != 4 || bbox->shape[0] > FORM_REGIONS_MAX)
        return err_set(e, ERR_INPUT, "\"bbox\" is %lld x %lld", (long long)bbox->shape[0], (long long)bbox->shape[1]);
    if (count && (npy_integer(count, 0, FORM_REGIONS_MAX, &regions, e) || regions != bbox->shape[0]))
        return err_set(e, ERR_INPUT, "\"num_bbox\" is not the number of boxes");
    if (read_boxes(r, bbox, e) || read_features(r, x, bbox->shape[0], e)) return -1;
    return info ? read_info(r, info, bbox->shape[0], e) : 0;
}

/* The best classes and attributes, where the record knows them. */
static int add_info(struct npz_entry *out, int *n_out, const struct record *r, int64_t n, struct err *e)
{
    static const char *const kinds[2][5] = {
        { "objects_id", "objects_conf", "class_ids", "class_scores", "class_probs" },
        { "attrs_id", "attrs_conf", "attribute_ids", "attribute_scores", "attribute_probs" },
    };
    struct pickle_entry at[4];
    void *owned[4] = { 0 };
    int found = 0, rc = 0;

    for (int k = 0; k < 2 && !rc; k++) {
        const char *const *name = kinds[k];
        const int64_t *ids;
        const float *scores;
        if (!record_tensor(r, name[2]) && !record_tensor(r, name[4])) continue;
        if ((rc = form_best(r, name[2], name[3], name[4], &ids, &scores, &owned[2 * k], n, e))) break;
        int64_t *from_zero = owned[2 * k + 1] = mem_new(int64_t, n + 1);
        form_from_zero(from_zero, ids, n);
        at[found++] = (struct pickle_entry){ name[0], DT_I64, n, from_zero };
        at[found++] = (struct pickle_entry){ name[1], DT_F32, n, scores };
    }
    if (!rc && found) {
        struct str pickle = { 0 };
        out[*n_out].name = "info";
        pickle_print(&pickle, at, found);
        npy_print(&out[(*n_out)++].npy, DT_NONE, 0, NULL, pickle.data, (int64_t)pickle.n);
        str_release(&pickle);
    }
    for (int i = 0; i < 4; i++) free(owned[i]);
    return rc;
}

static void add_integer(struct npz_entry *out, const char *name, int64_t v)
{
    uint8_t bytes[8];

    store_u64(bytes, (uint64_t)v);
    out->name = name;
    npy_print(&out->npy, DT_I64, 0, NULL, bytes, 8);
}

int milvlg_write(struct str *out, const struct record *r, struct err *e)
{
    const struct record_tensor *boxes, *x;
    struct npz_entry at[6] = { 0 };
    int64_t width, height;
    int n = 5;

    if (record_tensor_shaped(r, "boxes", DT_F32, 2, (int64_t[]){ -1, 4 }, &boxes, e) ||
        record_tensor_shaped(r, "features", DT_NONE, 2, (int64_t[]){ boxes->shape[0], -1 }, &x, e) ||
        value_get_int(r->fields, "width", 1, 1000000, &width, e) ||
        value_get_int(r->fields, "height", 1, 1000000, &height, e))
        return -1;
    at[0].name = "x";
    if (npy_type_name(x->dtype)) {
        npy_print(&at[0].npy, x->dtype, 2, x->shape, x->data, x->bytes);
    } else { /* NumPy has no BF16 */
        float *rows;
        int64_t values;
        if (record_tensor_f32(r, "features", 2, x->shape, &rows, &values, e)) return -1;
        npy_print(&at[0].npy, DT_F32, 2, x->shape, rows, values * 4);
        free(rows);
    }
    at[1].name = "bbox";
    npy_print(&at[1].npy, DT_F32, 2, boxes->shape, boxes->data, boxes->bytes);
    add_integer(&at[2], "num_bbox", boxes->shape[0]);
    add_integer(&at[3], "image_h", height);
    add_integer(&at[4], "image_w", width);
    int rc = add_info(at, &n, r, boxes->shape[0], e);
    if (!rc) rc = npz_print(out, at, n, e);
    for (int i = 0; i < 6; i++) str_release(&at[i].npy);
    return rc;
}
