#include "text/vocab_forms.h"
#include "core/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokenizer.json ---- */

static bool is_off(const struct value *object, const char *key)
{
    const struct value *v = value_get(object, key);
    int64_t n;
    const char *text = value_text(v, &n);

    return !v || value_is_null(v) || (text && !n);
}

/* Parts that would give other ids than byte-level BPE does. */
static int check_model(const struct value *t, const struct value *model, struct err *e)
{
    static const char *const must_be_off[] = { "dropout", "continuing_subword_prefix", "end_of_word_suffix" };
    const char *type = "BPE", *split = "";
    const struct value *before = value_get(t, "pre_tokenizer");

    if (value_opt_string(model, "type", &type, e)) return err_in(e, "\"model\"");
    if (strcmp(type, "BPE")) return err_set(e, ERR_INPUT, "\"model\" is %s (BPE was expected)", err_quote(type));
    for (size_t i = 0; i < sizeof must_be_off / sizeof *must_be_off; i++) {
        if (!is_off(model, must_be_off[i]))
            return err_set(e, ERR_INPUT, "\"model\": \"%s\" is set (byte-level BPE has none)", must_be_off[i]);
    }
    if (value_is_true(value_get(model, "ignore_merges")))
        return err_set(e, ERR_INPUT, "\"model\": \"ignore_merges\" is true (false was expected)");
    if (!is_off(t, "normalizer")) return err_set(e, ERR_INPUT, "\"normalizer\" is set (null was expected)");
    if (value_opt_string(before, "type", &split, e)) return err_in(e, "\"pre_tokenizer\"");
    if (strcmp(split, "ByteLevel"))
        return err_set(e, ERR_INPUT, "\"pre_tokenizer\" is %s (ByteLevel was expected)", err_quote(split));
    const struct value *regex = value_get(before, "use_regex");
    if (value_is_true(value_get(before, "add_prefix_space")) || (regex && !value_is_true(regex)))
        return err_set(e, ERR_INPUT, "\"pre_tokenizer\" adds a space or does not split (GPT-2's was expected)");
    return 0;
}

/* "a b", or ["a","b"] as newer versions write it. */
static int add_merge(const struct value *v, struct str *merges, struct err *e)
{
    const char *line = value_text(v, NULL), *left = value_text(value_at(v, 0), NULL),
               *right = value_text(value_at(v, 1), NULL);

    bool is_pair = value_count(v) == 2 && left && right && !strpbrk(left, " \n") && !strpbrk(right, " \n");
    if (!is_pair && (!line || !*line || strchr(line, '\n'))) return err_set(e, ERR_INPUT, "not two tokens");
    if (is_pair) str_addf(merges, "%s %s\n", left, right);
    else str_addf(merges, "%s\n", line);
    return 0;
}

static int add_added(const struct value *list, struct value *vocab, struct err *e)
{
    for (int64_t i = 0; i < value_count(list); i++) {
        const struct value *o = value_at(list, i);
        const char *content;
        int64_t id;
        bool is_special = true;
        if (!value_is_object(o)) return err_set(e, ERR_INPUT, "\"added_tokens\": entry %" PRId64 " is no object", i);
        if (value_get_string(o, "content", &content, e) || value_get_int(o, "id", 0, INT32_MAX, &id, e) ||
            value_opt_bool(o, "special", &is_special, e))
            return err_in(e, "\"added_tokens\": entry %" PRId64, i);
        if (!is_special) /* found in texts, before all merging */
            return err_set(e, ERR_INPUT,
                           "\"added_tokens\": entry %" PRId64 ", %s, is not special (only such were expected)", i,
                           err_quote(content));
        value_set(vocab, content, value_int(id));
    }
    return 0;
}

static int read_tokenizer(const struct value *t, struct value **vocab, struct str *merges, struct err *e)
{
    struct value *model, *tokens, *list;

    if (!value_is_object(t)) return err_set(e, ERR_INPUT, "not an object");
    if (value_get_object(t, "model", &model, e)) return -1;
    if (check_model(t, model, e)) return -1;
    if (value_get_object(model, "vocab", &tokens, e) || value_get_array(model, "merges", &list, e))
        return err_in(e, "\"model\"");
    str_add(merges, "#version\n"); /* so that a first merge of "#" is not taken for it */
    for (int64_t i = 0; i < value_count(list); i++) {
        if (add_merge(value_at(list, i), merges, e)) return err_in(e, "\"merges\": entry %" PRId64, i);
    }
    *vocab = value_copy(tokens);
    return add_added(value_get(t, "added_tokens"), *vocab, e);
}

int vocab_from_tokenizer(const char *text, int64_t n, struct value **vocab, struct str *merges, struct err *e)
{
    struct value *t = value_parse(text, n, e);
    int rc = -1;

    *vocab = NULL;
    if (t) rc = read_tokenizer(t, vocab, merges, e);
    value_free(t);
    if (!rc) return 0;
    value_free(*vocab);
    *vocab = NULL;
    return -1;
}

static struct value *flags(const char *type)
{
    struct value *v = value_object();

    value_set(v, "type", value_str(type));
    value_set(v, "add_prefix_space", value_bool(false));
    value_set(v, "trim_offsets", value_bool(true));
    value_set(v, "use_regex", value_bool(true));
    return v;
}

static struct value *null_value(void)
{
    struct err ignored = { 0 };

    return value_parse("null", 4, &ignored);
}

static struct value *added_token(const char *content, int64_t id)
{
    static const char *const off[] = { "single_word", "lstrip", "rstrip", "normalized" };
    struct value *v = value_object();

    value_set(v, "id", value_int(id));
    value_set(v, "content", value_str(content));
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) value_set(v, off[i], value_bool(false));
    value_set(v, "special", value_bool(true));
    return v;
}

void vocab_print_tokenizer(const struct value *vocab, const struct value *merges, const char *const *special, int n,
                           struct str *out)
{
    static const char *const none[] = { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" };
    struct value *t = value_object(), *model = value_object(), *added = value_array();

    for (int i = 0; i < n; i++) value_push(added, added_token(special[i], value_integer(value_get(vocab, special[i]))));
    value_set(model, "type", value_str("BPE"));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) value_set(model, none[i], null_value());
    value_set(model, "fuse_unk", value_bool(false));
    value_set(model, "byte_fallback", value_bool(false));
    value_set(model, "ignore_merges", value_bool(false));
    value_set(model, "vocab", value_copy(vocab));
    value_set(model, "merges", value_copy(merges));
    value_set(t, "version", value_str("1.0"));
    value_set(t, "truncation", null_value());
    value_set(t, "padding", null_value());
    value_set(t, "added_tokens", added);
    value_set(t, "normalizer", null_value());
    value_set(t, "pre_tokenizer", flags("ByteLevel"));
    value_set(t, "post_processor", null_value());
    value_set(t, "decoder", flags("ByteLevel"));
    value_set(t, "model", model);
    value_print(t, out);
    value_free(t);
}

/* ---- dict.txt and unimo_en.vocab.txt ---- */

/* UNIMO's names of special tokens, and RoBERTa's. A dict.txt goes without the first four, which have ids 0 to 3. */
static const char *const special_names[][2] = {
    { "[CLS]", "<s>" }, { "[PAD]", "<pad>" }, { "[SEP]", "</s>" }, { "[UNK]", "<unk>" }, { "[MASK]", "<mask>" }
};
enum { N_SPECIAL = sizeof special_names / sizeof *special_names, N_FIRST = N_SPECIAL - 1 };

struct dict {
    bool has_counts;    /* dict.txt */
    const char **by_id; /* [n_gpt2] tokens of GPT-2's vocabulary, NULL once a line has taken it */
    int64_t n_gpt2;
    struct value *vocab;
    int64_t next; /* id */
};

static int add_name(struct dict *d, const char *name, struct err *e)
{
    if (value_get(d->vocab, name)) return err_set(e, ERR_INPUT, "%s a second time", err_quote(name));
    value_set(d->vocab, name, value_int(d->next++));
    return 0;
}

/* A NAME of digits is an id of GPT-2's. */
static int add_token(struct dict *d, const char *name, struct err *e)
{
    int64_t id;

    if (name[strspn(name, "0123456789")]) {
        for (int i = 0; i < N_SPECIAL && !d->has_counts; i++) {
            if (!strcmp(name, special_names[i][0])) name = special_names[i][1];
        }
        return add_name(d, name, e);
    }
    if (!str_to_int(name, 0, d->n_gpt2 - 1, &id))
        return err_set(e, ERR_INPUT, "id %s (at most %" PRId64 " in the vocabulary beside it)", err_quote(name),
                       d->n_gpt2 - 1);
    if (!d->by_id[id]) return err_set(e, ERR_INPUT, "id %s a second time", err_quote(name));
    if (add_name(d, d->by_id[id], e)) return -1;
    d->by_id[id] = NULL;
    return 0;
}

/* "NAME COUNT" or "NAME". */
static int add_line(struct dict *d, const char *line, size_t n, struct err *e)
{
    const char *space = d->has_counts ? memrchr(line, ' ', n) : line + n;
    int64_t count;
    int rc;

    if (memchr(line, 0, n) || !utf8_valid(line, n)) return err_set(e, ERR_INPUT, "not UTF-8 text");
    char *name = mem_strndup(line, space ? (size_t)(space - line) : 0);
    char *number = d->has_counts && space ? mem_strndup(space + 1, (size_t)(line + n - space - 1)) : mem_strdup("0");
    if (!*name || !str_to_int(number, 0, INT64_MAX, &count))
        rc = err_set(e, ERR_INPUT, d->has_counts ? "not a token, a space and a count" : "is empty");
    else rc = add_token(d, name, e);
    free(name);
    free(number);
    return rc;
}

static int read_lines(struct dict *d, const char *text, size_t n, struct err *e)
{
    int64_t number = 0;

    for (size_t i = 0, length; i < n; i += length + 1) {
        const char *end = memchr(text + i, '\n', n - i);
        length = end ? (size_t)(end - text) - i : n - i;
        size_t shown = length && text[i + length - 1] == '\r' ? length - 1 : length;
        number++;
        if (add_line(d, text + i, shown, e)) return err_in(e, "line %" PRId64, number);
    }
    return 0;
}

/* Ids of GPT-2's vocabulary, which need not be checked further here: those out of range are not found. */
static void invert(struct dict *d, const struct value *gpt2)
{
    d->n_gpt2 = value_count(gpt2);
    d->by_id = mem_new(const char *, d->n_gpt2 + 1);
    for (struct value_iter it = { 0 }; value_next(gpt2, &it);) {
        int64_t id = value_is_int(it.value) ? value_integer(it.value) : -1;
        if (id >= 0 && id < d->n_gpt2) d->by_id[id] = it.key;
    }
}

static bool begins_list(const char *text, size_t n)
{
    const char *first = special_names[0][0];

    return n >= strlen(first) && !memcmp(text, first, strlen(first));
}

const char *vocab_dict_name(const char *text, size_t n)
{
    return begins_list(text, n) ? "unimo_en.vocab.txt" : "dict.txt";
}

struct value *vocab_from_dict(const struct value *gpt2, const char *text, size_t n, struct err *e)
{
    struct dict d = { .has_counts = !begins_list(text, n), .vocab = value_object() };
    int rc = 0;

    invert(&d, gpt2);
    for (int i = 0; i < N_FIRST && d.has_counts; i++) add_name(&d, special_names[i][1], e);
    rc = read_lines(&d, text, n, e);
    if (!rc && !value_get(d.vocab, "<mask>")) rc = add_name(&d, "<mask>", e);
    free(d.by_id);
    if (!rc) return d.vocab;
    value_free(d.vocab);
    return NULL;
}
