#include "core/mem.h"
#include "features/form.h"
#include <stdlib.h>

int form_best(const struct record *r, const char *ids, const char *scores, const char *probs, const int64_t **out_ids,
              const float **out_scores, void **owned, int64_t n, struct err *e)
{
    const struct record_tensor *t, *s;
    float *p;
    int64_t count, k;

    *owned = NULL;
    if (record_tensor(r, ids)) {
        if (record_tensor_shaped(r, ids, DT_I64, 1, &n, &t, e) || record_tensor_shaped(r, scores, DT_F32, 1, &n, &s, e))
            return -1;
        *out_ids = t->data;
        *out_scores = s->data;
        return 0;
    }
    if (!record_tensor(r, probs)) return err_set(e, ERR_INPUT, "no tensor \"%s\", nor \"%s\"", ids, probs);
    if (record_tensor_f32(r, probs, 2, (int64_t[]){ n, -1 }, &p, &count, e)) return -1;
    k = n ? count / n : 0;
    if (n && k < 2) {
        free(p);
        return err_set(e, ERR_INPUT, "\"%s\" has %lld classes (2 at least)", probs, (long long)k);
    }
    int64_t *best = mem_alloc((size_t)n + 1, sizeof(int64_t) + sizeof(float));
    float *score = (float *)(best + n);
    for (int64_t i = 0; i < n; i++) {
        best[i] = 1;
        for (int64_t c = 2; c < k; c++) {
            if (p[i * k + c] > p[i * k + best[i]]) best[i] = c;
        }
        score[i] = p[i * k + best[i]];
    }
    free(p);
    *out_ids = best;
    *out_scores = score;
    *owned = best;
    return 0;
}

int form_from_one(int64_t *out, const int64_t *ids, int64_t n, struct err *e)
{
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= INT32_MAX)
            return err_set(e, ERR_INPUT, "a class of number %lld", (long long)ids[i]);
        out[i] = ids[i] + 1;
    }
    return 0;
}

void form_from_zero(int64_t *out, const int64_t *ids, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = ids[i] > INT64_MIN ? ids[i] - 1 : ids[i];
}
