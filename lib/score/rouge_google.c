#include "score/rouge_google.h"
#include "core/unicode.h"
#include "score/porter.h"
#include "score/rouge_text.h"
#include <string.h>

struct words { /* a thread's */
    bool stems;
    struct str lower, word;
};

static void open_words(void *room, const void *arg)
{
    ((struct words *)room)->stems = *(const bool *)arg;
}

static void close_words(void *room)
{
    struct words *w = room;

    str_release(&w->lower);
    str_release(&w->word);
}

static void add_word(struct words *w, struct str *out)
{
    if (!w->word.n) return;
    size_t n = w->stems && w->word.n > 3 ? porter_nltk(w->word.data, w->word.n) : w->word.n;
    str_add_bytes(out, w->word.data, n);
    str_add_char(out, ' ');
    str_clear(&w->word);
}

/* Lower case by Unicode, then runs of a-z and 0-9. Empty lines are no sentences. */
static void normalise(void *room, const char *const *texts, struct str *out)
{
    struct words *w = room;

    for (const char *text = *texts; *text;) {
        size_t n = strcspn(text, "\n");
        str_clear(&w->lower);
        unicode_add_lowered(&w->lower, text, n);
        for (size_t i = 0; i < w->lower.n; i++) {
            char c = w->lower.data[i];
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) str_add_char(&w->word, c);
            else add_word(w, out);
        }
        add_word(w, out);
        if (n) str_add_char(out, '\n');
        text += n + (text[n] == '\n');
    }
}

static const struct texts_maker maker = { sizeof(struct words), open_words, normalise, close_words };

enum { KINDS = 4, WIDTH = 3 * KINDS }; /* F, precision, recall */

/* The first of the references with the highest F. */
static void put_best(double *at, double hits, double n_pred, double n_ref)
{
    double p = hits / (n_pred > 1 ? n_pred : 1), r = hits / (n_ref > 1 ? n_ref : 1),
           f = p + r > 0 ? 2 * p * r / (p + r) : 0;

    if (f <= at[0]) return;
    at[0] = f;
    at[1] = p;
    at[2] = r;
}

static void score_item(const struct rouge_texts *t, struct rouge_room *room, int64_t item, double *row)
{
    struct rouge_text pred = rouge_pred(t, item);
    double n_pred = (double)pred.words->n_words;

    for (int64_t r = t->words.ref_start[item]; r < t->words.ref_start[item + 1]; r++) {
        struct rouge_text ref = rouge_ref(t, r);
        double n_ref = (double)ref.words->n_words;
        put_best(row, (double)rouge_shared(pred.words, ref.words, 1), n_pred, n_ref);
        put_best(row + 3, (double)rouge_shared(pred.words, ref.words, 2), n_pred - 1, n_ref - 1);
        put_best(row + 6, (double)rouge_lcs(room, ref.words, pred.words), n_pred, n_ref);
        put_best(row + 9, (double)rouge_union_lcs(room, &ref, &pred), n_pred, n_ref);
    }
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    bool stems = !d->o->no_stem;

    rouge_explain(&d->texts.items[i], &maker, &stems, out);
}

int rouge_google_count(const struct score_data *d, struct tally *out, struct err *e)
{
    static const char *const names[WIDTH] = { "rouge1",    "rouge1_precision",    "rouge1_recall",
                                              "rouge2",    "rouge2_precision",    "rouge2_recall",
                                              "rougeL",    "rougeL_precision",    "rougeL_recall",
                                              "rougeLsum", "rougeLsum_precision", "rougeLsum_recall" };
    bool stems = !d->o->no_stem;
    struct rouge_texts texts;
    struct rouge_room room = { 0 };

    tally_begin(out, "rouge-google", d->texts.n, d->texts.id, WIDTH);
    for (int k = 0; k < WIDTH; k++) tally_figure(out, names[k], 100, 2, 4);
    str_addf(&out->signature, "rouge_score|stem:%s|mean", stems ? "nltk" : "none");
    if (d->o->prepare) str_addf(&out->signature, "|prepare:%s", d->o->prepare);
    out->group = 3;
    out->finish = tally_means;
    out->explain = explain;
    out->data = d;
    rouge_texts_make(&texts, d->texts.items, d->texts.n, d->o->threads, &maker, &stems);
    for (int64_t i = 0; i < d->texts.n; i++) {
        if (!d->texts.items[i].is_missing) score_item(&texts, &room, i, out->stats + i * WIDTH);
    }
    rouge_texts_release(&texts);
    rouge_room_release(&room);
    return 1;
}
