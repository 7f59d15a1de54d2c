#include "score/answers.h"
#include "core/unicode.h"
#include "score/pytext.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A text's normalised words: lower case, no ASCII punctuation, no articles. */
struct words {
    struct str text; /* joined by single spaces */
    int64_t n, cap;
    struct {
        const char *at;
        size_t n;
    } * word;
};
struct room {
    struct str lower, plain, spaced;
    struct words pred, gold;
    bool *used;
    int64_t cap_used;
};

static bool is_article(const char *s, size_t n)
{
    return (n == 1 && *s == 'a') || (n == 2 && !memcmp(s, "an", 2)) || (n == 3 && !memcmp(s, "the", 3));
}

/* Whole words a, an, the become a blank; a word is a run of letters, digits and other numbers. */
static void drop_articles(struct str *out, const char *s, size_t n)
{
    for (size_t i = 0, length; i < n;) {
        size_t from = i;
        enum unicode_class c = unicode_next(s + i, n - i, &length);
        i += length;
        if (c != UNICODE_LETTER && c != UNICODE_NUMBER) {
            str_add_bytes(out, s + from, i - from);
            continue;
        }
        for (; i < n; i += length) {
            c = unicode_next(s + i, n - i, &length);
            if (c != UNICODE_LETTER && c != UNICODE_NUMBER) break;
        }
        if (is_article(s + from, i - from)) str_add_char(out, ' ');
        else str_add_bytes(out, s + from, i - from);
    }
}

static void normalise(struct room *r, const char *text, struct words *out)
{
    str_clear(&r->lower);
    str_clear(&r->plain);
    str_clear(&r->spaced);
    str_clear(&out->text);
    unicode_add_lowered(&r->lower, text, strlen(text));
    for (size_t i = 0; i < r->lower.n; i++) {
        char c = r->lower.data[i];
        bool is_mark =
            (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
        if (!is_mark) str_add_char(&r->plain, c);
    }
    drop_articles(&r->spaced, str_c(&r->plain), r->plain.n);
    py_squeeze(&out->text, str_c(&r->spaced));
    out->n = 0;
    for (const char *p = str_c(&out->text); *p; p += *p == ' ') {
        mem_reserve(&out->word, &out->cap, out->n + 1);
        out->word[out->n].at = p;
        out->word[out->n++].n = strcspn(p, " ");
        p += strcspn(p, " ");
    }
}

/* How many words both have, each as often as in the one that has it less often. */
static int64_t overlap(struct room *r)
{
    int64_t same = 0;

    mem_reserve(&r->used, &r->cap_used, r->gold.n + 1);
    memset(r->used, 0, (size_t)r->gold.n);
    for (int64_t i = 0; i < r->pred.n; i++) {
        for (int64_t k = 0; k < r->gold.n; k++) {
            if (r->used[k] || r->pred.word[i].n != r->gold.word[k].n ||
                memcmp(r->pred.word[i].at, r->gold.word[k].at, r->pred.word[i].n))
                continue;
            r->used[k] = true;
            same++;
            break;
        }
    }
    return same;
}

struct match {
    double em, f1;
};

/* r->pred is normalised already. empty_is_right: SQuAD 2.0 and CoQA count two empty answers as overlapping. */
static struct match compare(struct room *r, const char *gold, bool empty_is_right)
{
    struct match m;

    normalise(r, gold, &r->gold);
    m.em = !strcmp(str_c(&r->pred.text), str_c(&r->gold.text));
    if (empty_is_right && (!r->pred.n || !r->gold.n)) {
        m.f1 = r->pred.n == r->gold.n;
        return m;
    }
    int64_t same = overlap(r);
    double p = same ? (double)same / (double)r->pred.n : 0, q = same ? (double)same / (double)r->gold.n : 0;
    m.f1 = same ? 2 * p * q / (p + q) : 0;
    return m;
}

static void room_release(struct room *r)
{
    str_release(&r->lower);
    str_release(&r->plain);
    str_release(&r->spaced);
    str_release(&r->pred.text);
    str_release(&r->gold.text);
    free(r->pred.word);
    free(r->gold.word);
    free(r->used);
}

static struct match best_of(struct match a, struct match b)
{
    return (struct match){ fmax(a.em, b.em), fmax(a.f1, b.f1) };
}

static struct match squad_item(struct room *r, const struct score_item *item)
{
    struct match best = { 0, 0 };

    for (int i = 0; i < item->n_refs; i++) best = best_of(best, compare(r, item->refs[i], false));
    return best;
}

/* References that are empty once normalised count only when there is no other: then nothing is the answer. */
static struct match squad2_item(struct room *r, const struct score_item *item)
{
    struct match best = { 0, 0 };
    bool any = false;

    for (int i = 0; i < item->n_refs; i++) {
        struct match m = compare(r, item->refs[i], true);
        if (!r->gold.text.n) continue;
        best = best_of(best, m);
        any = true;
    }
    return any ? best : compare(r, "", true);
}

static struct match coqa_item(struct room *r, const struct score_item *item)
{
    struct match sum = { 0, 0 };
    int n = item->n_refs;

    if (n == 1) return compare(r, item->refs[0], true);
    for (int out = 0; out < n; out++) {
        struct match best = { 0, 0 };
        for (int i = 0; i < n; i++) {
            if (i != out) best = best_of(best, compare(r, item->refs[i], true));
        }
        sum.em += best.em / n;
        sum.f1 += best.f1 / n;
    }
    return sum;
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    const struct score_item *item = &d->texts.items[i];
    struct value *refs = value_array();
    struct room r = { 0 };

    normalise(&r, item->pred, &r.pred);
    value_set(out, "pred", value_str(str_c(&r.pred.text)));
    for (int k = 0; k < item->n_refs; k++) {
        normalise(&r, item->refs[k], &r.gold);
        value_push(refs, value_str(str_c(&r.gold.text)));
    }
    value_set(out, "refs", refs);
    room_release(&r);
}

enum { EM, F1, HAS, HAS_EM, HAS_F1, WIDTH };

static void begin(const struct score_data *d, const char *name, const char *signature, struct tally *out)
{
    tally_begin(out, name, d->texts.n, d->texts.id, WIDTH);
    str_add(&out->signature, signature);
    out->explain = explain;
    out->data = d;
}

static void fill(const struct score_data *d, struct tally *out,
                 struct match (*score)(struct room *, const struct score_item *))
{
    struct room r = { 0 };

    for (int64_t i = 0; i < out->n; i++) {
        const struct score_item *item = &d->texts.items[i];
        double *row = out->stats + i * WIDTH;
        row[HAS] = item->n_refs > 0;
        if (item->is_missing) continue;
        normalise(&r, item->pred, &r.pred);
        struct match m = score(&r, item);
        row[EM] = m.em;
        row[F1] = m.f1;
        row[HAS_EM] = row[HAS] * m.em;
        row[HAS_F1] = row[HAS] * m.f1;
    }
    room_release(&r);
}

int squad_count(const struct score_data *d, struct tally *out, struct err *e)
{
    begin(d, "squad", "squad-1.1", out);
    tally_figure(out, "exact_match", 1, 2, 4);
    tally_figure(out, "f1", 1, 2, 4);
    out->finish = tally_percents;
    fill(d, out, squad_item);
    return 1;
}

static void finish_squad2(const struct tally *t, const double *sum, double n, double *out)
{
    double has = sum[HAS], not = n - has;

    out[0] = 100 * sum[EM] / n;
    out[1] = 100 * sum[F1] / n;
    out[2] = has > 0 ? 100 * sum[HAS_EM] / has : NAN;
    out[3] = has > 0 ? 100 * sum[HAS_F1] / has : NAN;
    out[4] = not > 0 ? 100 * (sum[EM] - sum[HAS_EM]) / not : NAN;
    out[5] = not > 0 ? 100 * (sum[F1] - sum[HAS_F1]) / not : NAN;
}

int squad2_count(const struct score_data *d, struct tally *out, struct err *e)
{
    static const char *const names[] = {
        "exact_match", "f1", "has_answer_exact_match", "has_answer_f1", "no_answer_exact_match", "no_answer_f1"
    };

    begin(d, "squad2", "squad-2.0", out);
    for (int k = 0; k < 6; k++) tally_figure(out, names[k], 1, 2, 4);
    out->finish = finish_squad2;
    fill(d, out, squad2_item);
    return 1;
}

/* ---- CoQA ---- */

/* Its script divides first. */
static void finish_coqa(const struct tally *t, const double *sum, double n, double *out)
{
    tally_means(t, sum, n, out);
    for (int k = 0; k < t->n_figures; k++) out[k] *= 100;
}

static struct value *domain(double em, double f1, double n)
{
    struct value *v = value_object();

    value_set(v, "n", value_int((int64_t)n));
    value_set(v, "exact_match", value_real(n > 0 ? em / n * 100 : 0));
    value_set(v, "f1", value_real(n > 0 ? f1 / n * 100 : 0));
    return v;
}

/* Percent by the script's names of its sources, and by those that were seen in training and those that were not. */
static struct value *domains(const struct score_data *d, const struct tally *t, int note)
{
    static const struct {
        const char *source, *name;
        bool is_in;
    } known[] = { { "mctest", "children_stories", true }, { "gutenberg", "literature", true },
                  { "race", "mid-high_school", true },    { "cnn", "news", true },
                  { "wikipedia", "wikipedia", true },     { "reddit", "reddit", false },
                  { "science", "science", false } };
    enum { N = sizeof known / sizeof *known };
    struct value *all = value_object();
    double sums[N][3] = { 0 }, in[2][3] = { 0 };

    for (int64_t i = 0; i < t->n; i++) {
        int32_t word = d->texts.notes[note].of[i];
        for (int k = 0; k < N && word >= 0; k++) {
            if (strcmp(d->texts.notes[note].words.at[word].key, known[k].source)) continue;
            const double add[3] = { t->stats[i * WIDTH + EM], t->stats[i * WIDTH + F1], 1 };
            for (int c = 0; c < 3; c++) {
                sums[k][c] += add[c];
                in[known[k].is_in][c] += add[c];
            }
        }
    }
    for (int k = 0; k < N; k++) value_set(all, known[k].name, domain(sums[k][0], sums[k][1], sums[k][2]));
    value_set(all, "in_domain", domain(in[1][0], in[1][1], in[1][2]));
    value_set(all, "out_domain", domain(in[0][0], in[0][1], in[0][2]));
    return all;
}

int coqa_count(const struct score_data *d, struct tally *out, struct err *e)
{
    int note = join_note(&d->texts, "source");

    begin(d, "coqa", "coqa-1.0|leave-one-out", out);
    tally_figure(out, "exact_match", 1, 1, 1);
    tally_figure(out, "f1", 1, 1, 1);
    out->finish = finish_coqa;
    fill(d, out, coqa_item);
    if (note >= 0) tally_note(out, "domains", domains(d, out, note));
    return 1;
}
