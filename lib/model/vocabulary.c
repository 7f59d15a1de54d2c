#include "model/vocabulary.h"
#include "core/str.h"
#include <stdlib.h>

static int read_ids(struct model_config *c, const struct value *v, struct err *e)
{
    const struct {
        const char *token;
        int *id;
    } special[] = { { "<s>", &c->cls_id },
                    { "<pad>", &c->pad_id },
                    { "</s>", &c->sep_id },
                    { "<unk>", &c->unk_id },
                    { "<mask>", &c->mask_id } };
    int64_t id, n = value_count(v);

    if (!value_is_object(v) || n < 6 || n > 1 << 24)
        return err_set(e, ERR_INPUT, "expected an object of 6 or more tokens");
    c->vocab = (int)n;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (value_get_int(v, special[i].token, 0, n - 1, &id, e)) return -1;
        *special[i].id = (int)id;
    }
    return 0;
}

int vocabulary_read(struct model_config *c, const char *dir, struct err *e)
{
    char *path = path_join(dir, "vocab.json");
    struct value *v = value_load(path, e);
    int rc = v ? 0 : -1;

    if (v && read_ids(c, v, e)) rc = err_in(e, "%s", path);
    value_free(v);
    free(path);
    return rc;
}
