#include "score/sacrebleu.h"
#include "core/log.h"
#include "core/unicode.h"
#include "score/bleu.h"
#include "score/explain.h"
#include "score/texts.h"
#include "score/unicode.h"
#include <math.h>
#include <string.h>

enum smooth { EXP, FLOOR, ADD_K, NONE };
static const char *const smooths[] = { "exp", "floor", "add-k", "none" };

struct bleu_opts {
    const char *tokenizer;
    enum smooth smooth;
    double value;
    bool lowercase, effective;
    int order;
};

static struct bleu_opts read_opts(const struct score_opts *o)
{
    struct bleu_opts b = { o->bleu_tokenize ? o->bleu_tokenize : "13a", EXP, 0, o->lowercase, o->effective_order,
                           o->max_order ? o->max_order : NGRAM_MAX };

    for (int i = 0; i < 4; i++) {
        if (o->smooth && !strcmp(o->smooth, smooths[i])) b.smooth = (enum smooth)i;
    }
    b.value = o->smooth_value > 0 ? o->smooth_value : b.smooth == FLOOR ? 0.1 : 1;
    return b;
}

/* Precisions in percent, brevity penalty and score from the sums of bleu.h's statistics. */
static double compute(const struct bleu_opts *b, const double *sum, bool effective, double precision[NGRAM_MAX],
                      double *penalty)
{
    double length = sum[BLEU_LENGTH], ref = sum[BLEU_REF_LENGTH], logs = 0, halving = 1, any = 0;
    int order = b->order, done = 0;

    *penalty = length >= ref ? 1 : length > 0 ? exp(1 - ref / length) : 0;
    for (int k = 0; k < b->order; k++) {
        precision[k] = 0;
        any += sum[BLEU_CORRECT + k];
    }
    if (any <= 0) return 0;
    for (int k = 0; k < b->order; k++, done++) {
        double more = b->smooth == ADD_K && k ? b->value : 0, correct = sum[BLEU_CORRECT + k] + more,
               total = sum[BLEU_GUESS + k] + more;
        if (total <= 0) break;
        if (effective) order = k + 1;
        if (correct > 0) precision[k] = 100 * correct / total;
        else if (b->smooth == EXP) precision[k] = 100 / ((halving *= 2) * total);
        else if (b->smooth == FLOOR) precision[k] = 100 * b->value / total;
    }
    for (int k = 0; k < order; k++) logs += precision[k] > 0 ? log(precision[k]) : -9999999999;
    return *penalty * exp(logs / order);
}

/* Figures: score, precisions, BP, ratio, lengths. */
static void finish_with(const struct tally *t, const double *sum, bool effective, double *out)
{
    const struct bleu_opts *b = t->more;
    double precision[NGRAM_MAX], penalty;
    int at = 0;

    out[at++] = compute(b, sum, effective, precision, &penalty);
    for (int k = 0; k < b->order; k++) out[at++] = precision[k];
    out[at++] = penalty;
    out[at++] = sum[BLEU_REF_LENGTH] > 0 ? sum[BLEU_LENGTH] / sum[BLEU_REF_LENGTH] : 0;
    out[at++] = sum[BLEU_LENGTH];
    out[at++] = sum[BLEU_REF_LENGTH];
}

static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    finish_with(t, sum, ((const struct bleu_opts *)t->more)->effective, out);
}

static void each(const struct tally *t, int64_t i, double *out)
{
    finish_with(t, t->stats + i * t->width, true, out);
}

/* ---- texts ---- */

struct making { /* a thread's */
    const struct bleu_opts *b;
    struct str lower;
};

static void open_making(void *room, const void *arg)
{
    ((struct making *)room)->b = arg;
}

static void close_making(void *room)
{
    str_release(&((struct making *)room)->lower);
}

/* Where white space at the end begins. */
static const char *trimmed_end(const char *text)
{
    for (const char *end = text + strlen(text), *p; end > text; end = p) {
        uint32_t c;
        for (p = end - 1; p > text && end - p < 4 && ((unsigned char)*p & 0xC0) == 0x80;) p--;
        if (utf8_decode(p, (size_t)(end - p), &c) != end - p || !unicode_is_space(c)) return end;
    }
    return text;
}

static void tokenize(void *room, const char *const *texts, struct str *out)
{
    struct making *x = room;
    const char *text = *texts;
    size_t n = (size_t)(trimmed_end(text) - text);

    str_clear(&x->lower);
    if (x->b->lowercase) unicode_add_lowered(&x->lower, text, n);
    else str_add_bytes(&x->lower, text, n);
    sacrebleu_tokenize(x->b->tokenizer, str_c(&x->lower), out);
}

static void make_words(const struct score_item *items, int64_t n, const struct bleu_opts *b, int threads,
                       struct captions *c)
{
    static const struct texts_maker tokenizer = { sizeof(struct making), open_making, tokenize, close_making };
    struct texts tokenized;

    texts_make(&tokenized, items, n, threads, &tokenizer, b);
    captions_make(c, tokenized.items, n, CAPTIONS_WORDS, 0, 1);
    texts_release(&tokenized);
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    struct captions c;

    make_words(&d->texts.items[i], 1, t->more, 1, &c);
    captions_explain(&c, 0, out);
    captions_release(&c);
}

/* ---- how it is named ---- */

static void add_signature(const struct tally *t, const struct join *j, bool is_short, struct str *out)
{
    const struct bleu_opts *b = t->more;
    int refs = j->n ? j->items[0].n_refs : 0;

    for (int64_t i = 0; i < j->n; i++) {
        if (j->items[i].n_refs != refs) refs = 0;
    }
    str_add(out, is_short ? "#:" : "nrefs:");
    if (refs) str_addf(out, "%d", refs);
    else str_add(out, "var");
    if (!is_short) str_add_char(out, TALLY_RESAMPLED);
    str_addf(out, is_short ? "|c:%s|e:%s|tok:%s|s:%s" : "|case:%s|eff:%s|tok:%s|smooth:%s",
             b->lowercase ? "lc" : "mixed", b->effective ? "yes" : "no", b->tokenizer, smooths[b->smooth]);
    if (b->smooth == FLOOR || b->smooth == ADD_K) str_addf(out, "[%.2f]", b->value);
    str_add(out, is_short ? "|v:2.6.0" : "|version:2.6.0");
}

/* The line that sacreBLEU's command prints. */
static void note_line(struct tally *t, const char *signature)
{
    const struct bleu_opts *b = t->more;
    double x[TALLY_FIGURES];
    struct str s = { 0 };

    tally_finish(t, x);
    str_addf(&s, "BLEU|%s = %.2f ", signature, x[0]);
    for (int k = 0; k < b->order; k++) str_addf(&s, "%s%.1f", k ? "/" : "", x[1 + k]);
    const double *rest = x + 1 + b->order;
    str_addf(&s, " (BP = %.3f ratio = %.3f hyp_len = %.0f ref_len = %.0f)", rest[0], rest[1], rest[2], rest[3]);
    tally_note(t, "line", value_str(str_c(&s)));
    str_release(&s);
}

static void warn_of_tokens(const struct join *j, const struct bleu_opts *b)
{
    int64_t spaced = 0;

    for (int64_t i = 0; i < j->n; i++) spaced += str_ends(j->items[i].pred, " .");
    if (spaced >= 100 && !strcmp(b->tokenizer, "13a"))
        log_line("warning: %lld predictions end in \" .\": sacreBLEU expects text that is not tokenized",
                 (long long)spaced);
}

int sacrebleu_count(const struct score_data *d, struct tally *out, struct err *e)
{
    static const char *const precisions[NGRAM_MAX] = { "precision1", "precision2", "precision3", "precision4" };
    struct bleu_opts *b = mem_new(struct bleu_opts, 1);
    struct captions c;
    struct str plain = { 0 }, brief = { 0 };

    *b = read_opts(d->o);
    tally_begin(out, "sacrebleu", d->texts.n, d->texts.id, BLEU_WIDTH);
    out->more = b;
    tally_figure(out, "score", 1, 2, 2);
    for (int k = 0; k < b->order; k++) tally_figure(out, precisions[k], 1, 1, 1);
    tally_figure(out, "bp", 1, 3, 3);
    tally_figure(out, "ratio", 1, 3, 3);
    tally_figure(out, "hyp_len", 1, 0, 0);
    tally_figure(out, "ref_len", 1, 0, 0);
    out->each = each;
    out->explain = explain;
    out->data = d;
    warn_of_tokens(&d->texts, b);
    make_words(d->texts.items, d->texts.n, b, d->o->threads, &c);
    bleu_statistics(&c, out->stats, d->o->threads);
    captions_release(&c);
    out->finish = finish;
    add_signature(out, &d->texts, false, &out->signature);
    for (size_t i = 0; i < out->signature.n; i++) {
        if (out->signature.data[i] != TALLY_RESAMPLED) str_add_char(&plain, out->signature.data[i]);
    }
    add_signature(out, &d->texts, true, &brief);
    note_line(out, str_c(&plain));
    tally_note(out, "signature_short", value_str(str_c(&brief)));
    str_release(&plain);
    str_release(&brief);
    return 1;
}
