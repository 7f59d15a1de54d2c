#include "model/vocabulary.h"
#include "core/file.h"
#include "core/str.h"
#include "stream/limits.h"
#include "text/bpe.h"
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
    struct str merges = { 0 };
    struct value *v;
    int rc = bpe_read(dir, &v, &merges, e);

    if (!rc && read_ids(c, v, e)) rc = err_in(e, "%s", dir);
    value_free(v);
    str_release(&merges);
    return rc;
}

static int write_file(const char *dir, const char *name, const char *text, size_t n, struct err *e)
{
    char *path = path_join(dir, name);
    struct out *o = out_open(path, e);
    int rc = o ? out_write(o, text, n, e) : -1;

    if (o && rc) out_abort(o);
    else if (o) rc = out_commit(o, e);
    free(path);
    return rc;
}

static int copy_file(const char *from, const char *to, const char *name, struct err *e)
{
    char *path = path_join(from, name);
    size_t n;
    char *text = file_load(path, LIMIT_JSON_FILE, &n, e);
    int rc = text ? write_file(to, name, text, n, e) : -1;

    free(text);
    free(path);
    return rc;
}

static int write_forms(const char *from, const char *to, struct err *e)
{
    struct str merges = { 0 }, vocab = { 0 };
    struct value *v;

    str_add(&merges, "#version: 0.2\n");
    size_t header = merges.n;
    int rc = bpe_read(from, &v, &merges, e);
    if (!rc) {
        bool has_own = str_starts(str_c(&merges) + header, "#version");
        size_t at = has_own ? header : 0;
        value_print(v, &vocab);
        str_add_char(&vocab, '\n');
        rc = write_file(to, "vocab.json", vocab.data, vocab.n, e) ||
                     write_file(to, "merges.txt", str_c(&merges) + at, merges.n - at, e)
                 ? -1
                 : 0;
    }
    value_free(v);
    str_release(&vocab);
    str_release(&merges);
    return rc;
}

int vocabulary_copy(const char *from, const char *to, struct err *e)
{
    if (!bpe_is_pair(from)) return write_forms(from, to, e);
    return copy_file(from, to, "vocab.json", e) || copy_file(from, to, "merges.txt", e) ? -1 : 0;
}
