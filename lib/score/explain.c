#include "score/explain.h"
#include "score/prepare.h"
#include <string.h>

static struct value *words_of(const struct captions *c, const struct sentence *s)
{
    struct value *v = value_array();

    for (int64_t i = 0; i < s->n_words; i++) value_push(v, value_str(captions_word(c, s->words[i])));
    return v;
}

static bool has_run(const struct sentence *s, const int32_t *run, int n)
{
    for (int64_t i = 0; i + n <= s->n_words; i++) {
        if (!memcmp(s->words + i, run, (size_t)n * sizeof *run)) return true;
    }
    return false;
}

static void push_run(struct value *list, const struct captions *c, const int32_t *run, int n)
{
    struct str s = { 0 };

    for (int i = 0; i < n; i++) str_addf(&s, "%s%s", i ? " " : "", captions_word(c, run[i]));
    value_push(list, value_str(str_c(&s)));
    str_release(&s);
}

void captions_explain(const struct captions *c, int64_t i, struct value *out)
{
    const struct sentence *pred = &c->preds[i];
    struct value *refs_words = value_array(), *matches = value_array();
    int64_t n;
    const struct sentence *refs = captions_refs(c, i, &n);

    for (int64_t r = 0; r < n; r++) value_push(refs_words, words_of(c, &refs[r]));
    for (int k = NGRAM_MAX; k > 0; k--) {
        for (int64_t at = 0; at + k <= pred->n_words; at++) {
            bool found = false;
            for (int64_t r = 0; r < n && !found; r++) found = has_run(&refs[r], pred->words + at, k);
            if (found) push_run(matches, c, pred->words + at, k);
        }
    }
    value_set(out, "pred", words_of(c, pred));
    value_set(out, "refs", refs_words);
    value_set(out, "matches", matches);
}

void captions_signature(const struct score_data *d, struct str *out)
{
    const char *prepare = d->o->prepare;
    bool is_split = (d->o->tokenize && !strcmp(d->o->tokenize, "split")) || (prepare && prepare_splits(prepare));

    str_addf(out, "coco-caption|tok:%s", is_split ? "split" : "ptb-3.4.1");
    if (prepare) str_addf(out, "|prepare:%s", prepare);
}
