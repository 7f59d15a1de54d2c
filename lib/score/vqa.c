#include "score/vqa.h"
#include "core/unicode.h"
#include "score/pytext.h"
#include "score/unicode.h"
#include <string.h>

/* The evaluation code's table (a fact of the metric). Its four keys with a capital are left out: the text is in lower
 * case by then. */
static const char *const contractions[][2] = {
    { "'ow'sat", "'ow's'at" },
    { "'ows'at", "'ow's'at" },
    { "aint", "ain't" },
    { "arent", "aren't" },
    { "cant", "can't" },
    { "couldn'tve", "couldn't've" },
    { "couldnt", "couldn't" },
    { "couldnt've", "couldn't've" },
    { "couldve", "could've" },
    { "didnt", "didn't" },
    { "doesnt", "doesn't" },
    { "dont", "don't" },
    { "hadn'tve", "hadn't've" },
    { "hadnt", "hadn't" },
    { "hadnt've", "hadn't've" },
    { "hasnt", "hasn't" },
    { "havent", "haven't" },
    { "he'dve", "he'd've" },
    { "hed", "he'd" },
    { "hed've", "he'd've" },
    { "hes", "he's" },
    { "howd", "how'd" },
    { "howll", "how'll" },
    { "hows", "how's" },
    { "isnt", "isn't" },
    { "it'dve", "it'd've" },
    { "itd", "it'd" },
    { "itd've", "it'd've" },
    { "itll", "it'll" },
    { "let's", "let's" },
    { "maam", "ma'am" },
    { "mightn'tve", "mightn't've" },
    { "mightnt", "mightn't" },
    { "mightnt've", "mightn't've" },
    { "mightve", "might've" },
    { "mustnt", "mustn't" },
    { "mustve", "must've" },
    { "neednt", "needn't" },
    { "notve", "not've" },
    { "oclock", "o'clock" },
    { "oughtnt", "oughtn't" },
    { "ow's'at", "'ow's'at" },
    { "shant", "shan't" },
    { "she'dve", "she'd've" },
    { "she's", "she's" },
    { "shed've", "she'd've" },
    { "shouldn'tve", "shouldn't've" },
    { "shouldnt", "shouldn't" },
    { "shouldnt've", "shouldn't've" },
    { "shouldve", "should've" },
    { "somebody'd", "somebodyd" },
    { "somebody'dve", "somebody'd've" },
    { "somebodyd've", "somebody'd've" },
    { "somebodyll", "somebody'll" },
    { "somebodys", "somebody's" },
    { "someone'dve", "someone'd've" },
    { "someoned", "someone'd" },
    { "someoned've", "someone'd've" },
    { "someonell", "someone'll" },
    { "someones", "someone's" },
    { "something'dve", "something'd've" },
    { "somethingd", "something'd" },
    { "somethingd've", "something'd've" },
    { "somethingll", "something'll" },
    { "thats", "that's" },
    { "there'dve", "there'd've" },
    { "thered", "there'd" },
    { "thered've", "there'd've" },
    { "therere", "there're" },
    { "theres", "there's" },
    { "they'dve", "they'd've" },
    { "theyd", "they'd" },
    { "theyd've", "they'd've" },
    { "theyll", "they'll" },
    { "theyre", "they're" },
    { "theyve", "they've" },
    { "twas", "'twas" },
    { "wasnt", "wasn't" },
    { "we'dve", "we'd've" },
    { "wed've", "we'd've" },
    { "werent", "weren't" },
    { "weve", "we've" },
    { "whatll", "what'll" },
    { "whatre", "what're" },
    { "whats", "what's" },
    { "whatve", "what've" },
    { "whens", "when's" },
    { "whered", "where'd" },
    { "wheres", "where's" },
    { "whereve", "where've" },
    { "who'dve", "who'd've" },
    { "whod", "who'd" },
    { "whod've", "who'd've" },
    { "wholl", "who'll" },
    { "whos", "who's" },
    { "whove", "who've" },
    { "whyll", "why'll" },
    { "whyre", "why're" },
    { "whys", "why's" },
    { "wont", "won't" },
    { "wouldn'tve", "wouldn't've" },
    { "wouldnt", "wouldn't" },
    { "wouldnt've", "wouldn't've" },
    { "wouldve", "would've" },
    { "y'all'dve", "y'all'd've" },
    { "y'alld've", "y'all'd've" },
    { "y'allll", "y'all'll" },
    { "yall", "y'all" },
    { "yall'd've", "y'all'd've" },
    { "yall'll", "y'all'll" },
    { "you'dve", "you'd've" },
    { "youd", "you'd" },
    { "youd've", "you'd've" },
    { "youll", "you'll" },
    { "youre", "you're" },
    { "youve", "you've" },
};
enum { N_CONTRACTIONS = sizeof contractions / sizeof *contractions };

struct vqa { /* room for texts on their way */
    bool is_2021;
    struct map contractions;
    struct str clean, marks, dots, lower, word;
    struct str equal; /* of each answer: whether it equals the prediction */
};

/* Newlines and tabs become blanks; white space at the ends goes. */
static void clean(struct str *out, const char *text)
{
    str_clear(out);
    py_strip(out, text);
    for (size_t i = 0; i < out->n; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\t') out->data[i] = ' ';
    }
}

/* The character at s, or 0 where there is none. */
static uint32_t code_at(const char *s, const char *end, int *n)
{
    uint32_t c = 0;

    *n = s < end ? utf8_decode(s, (size_t)(end - s), &c) : 0;
    if (!*n && s < end) *n = 1;
    return c;
}

static bool has_digit_comma_digit(const char *s, size_t length)
{
    const char *end = s + length;
    bool after_digit = false;
    int n;

    for (const char *p = s; p < end; p += n) {
        uint32_t c = code_at(p, end, &n);
        int m;
        if (c == ',' && after_digit && unicode_is_decimal(code_at(p + 1, end, &m))) return true;
        after_digit = unicode_is_decimal(c);
    }
    return false;
}

/* Marks become blanks, or nothing; then periods that no digit follows are deleted, the first 32 of them. */
static void strip_marks(struct vqa *v, const char *s, size_t n)
{
    static const char marks[] = ";/[]\"{}()=+\\_-><@`,?!";
    bool all = has_digit_comma_digit(s, n), gone[128] = { 0 };
    int dots = 0, m;

    for (const char *k = marks; *k; k++) gone[(int)*k] = all;
    for (size_t i = 0; i + 1 < n; i++) { /* marks with a blank beside them anywhere */
        if (s[i + 1] == ' ' && s[i] > 0) gone[(int)s[i]] = true;
        if (s[i] == ' ' && s[i + 1] > 0) gone[(int)s[i + 1]] = true;
    }
    str_clear(&v->marks);
    for (size_t i = 0; i < n; i++) {
        bool is_mark = s[i] && strchr(marks, s[i]);
        if (!is_mark) str_add_char(&v->marks, s[i]);
        else if (!gone[(int)s[i]]) str_add_char(&v->marks, ' ');
    }
    const char *p = str_c(&v->marks), *end = p + v->marks.n;
    str_clear(&v->dots);
    for (; p < end; p++) {
        if (*p == '.' && dots < 32 && !unicode_is_decimal(code_at(p + 1, end, &m))) dots++;
        else str_add_char(&v->dots, *p);
    }
}

static const char *number_of(const char *word)
{
    static const char *const numbers[][2] = { { "none", "0" },  { "zero", "0" },  { "one", "1" },  { "two", "2" },
                                              { "three", "3" }, { "four", "4" },  { "five", "5" }, { "six", "6" },
                                              { "seven", "7" }, { "eight", "8" }, { "nine", "9" }, { "ten", "10" } };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!strcmp(word, numbers[i][0])) return numbers[i][1];
    }
    return word;
}

/* Lower case, number words as digits, no articles, contractions with their apostrophes. */
static void fix_words(struct vqa *v, const char *s, size_t n, struct str *out)
{
    const char *p, *at;
    size_t length;

    str_clear(&v->lower);
    unicode_add_lowered(&v->lower, s, n);
    str_clear(out);
    p = str_c(&v->lower);
    while ((at = py_word(&p, &length))) {
        str_clear(&v->word);
        str_add_bytes(&v->word, at, length);
        const char *word = number_of(str_c(&v->word));
        if (!strcmp(word, "a") || !strcmp(word, "an") || !strcmp(word, "the")) continue;
        const int64_t *known = map_find(&v->contractions, word, strlen(word));
        if (out->n) str_add_char(out, ' ');
        str_add(out, known ? contractions[*known][1] : word);
    }
}

static void normalise(struct vqa *v, const char *text, struct str *out)
{
    clean(&v->clean, text);
    strip_marks(v, str_c(&v->clean), v->clean.n);
    fix_words(v, str_c(&v->dots), v->dots.n, out);
}

/* A human answer: in 2017 the marks alone, and white space stays. */
static void normalise_answer(struct vqa *v, const char *text, struct str *out)
{
    if (v->is_2021) {
        normalise(v, text, out);
        return;
    }
    strip_marks(v, text, strlen(text));
    str_clear(out);
    str_add_bytes(out, str_c(&v->dots), v->dots.n);
}

static bool all_equal(struct vqa *v, const struct score_item *item, struct str *first)
{
    if (!v->is_2021) {
        for (int i = 1; i < item->n_refs; i++) {
            if (strcmp(item->refs[i], item->refs[0])) return false;
        }
        return true;
    }
    clean(first, item->refs[0]);
    for (int i = 1; i < item->n_refs; i++) {
        clean(&v->clean, item->refs[i]);
        if (strcmp(str_c(&v->clean), str_c(first))) return false;
    }
    return true;
}

/* Texts as they are compared. answers may be NULL. Fills v->equal. */
static void compare(struct vqa *v, const struct score_item *item, struct str *pred, struct value *answers)
{
    struct str one = { 0 };
    bool same = all_equal(v, item, &one);

    if (same && v->is_2021) {
        clean(pred, item->pred);
    } else {
        normalise(v, item->pred, pred);
    }
    str_clear(&v->equal);
    for (int i = 0; i < item->n_refs; i++) {
        if (!same) {
            normalise_answer(v, item->refs[i], &one);
        } else if (v->is_2021) {
            clean(&one, item->refs[i]);
        } else {
            str_clear(&one);
            str_add(&one, item->refs[i]);
        }
        str_add_char(&v->equal, !strcmp(str_c(pred), str_c(&one)));
        if (answers) value_push(answers, value_str(str_c(&one)));
    }
    str_release(&one);
}

static int count_equal(const struct str *equal)
{
    int n = 0;

    for (size_t i = 0; i < equal->n; i++) n += equal->data[i];
    return n;
}

/* The mean over the answers of min(1, n/3), where n of the others equal the prediction. Added one by one, as the script
 * does: the last digit, which that changes, can decide how a tie is rounded. */
static double score_of(const struct str *equal)
{
    double sum = 0;
    int all = count_equal(equal);

    for (size_t i = 0; i < equal->n; i++) {
        double others = (all - equal->data[i]) / 3.0;
        sum += others < 1 ? others : 1;
    }
    return sum / (double)equal->n;
}

static void vqa_begin(struct vqa *v, bool is_2021)
{
    *v = (struct vqa){ .is_2021 = is_2021 };
    for (int i = 0; i < N_CONTRACTIONS; i++)
        *map_put(&v->contractions, contractions[i][0], strlen(contractions[i][0]), NULL) = i;
}

static void vqa_end(struct vqa *v)
{
    map_release(&v->contractions);
    str_release(&v->clean);
    str_release(&v->marks);
    str_release(&v->dots);
    str_release(&v->lower);
    str_release(&v->word);
    str_release(&v->equal);
}

static bool is_2021(const struct score_data *d)
{
    return d->o->vqa && !strcmp(d->o->vqa, "2021");
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    const struct score_data *d = t->data;
    struct value *answers = value_array();
    struct str pred = { 0 };
    struct vqa v;

    vqa_begin(&v, is_2021(d));
    compare(&v, &d->texts.items[i], &pred, answers);
    value_set(out, "pred", value_str(str_c(&pred)));
    value_set(out, "answers", answers);
    value_set(out, "equal", value_int(count_equal(&v.equal)));
    vqa_end(&v);
    str_release(&pred);
}

int vqa_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct join *j = &d->texts;
    struct str pred = { 0 };
    struct vqa v;

    tally_begin(out, "vqa", j->n, j->id, 1);
    tally_figure(out, "score", 1, 2, 2);
    out->finish = tally_percents;
    out->explain = explain;
    out->data = d;
    vqa_begin(&v, is_2021(d));
    for (int64_t i = 0; i < j->n; i++) {
        const struct score_item *item = &j->items[i];
        if (item->is_missing) continue;
        compare(&v, item, &pred, NULL);
        out->stats[i] = score_of(&v.equal);
    }
    vqa_end(&v);
    str_release(&pred);
    str_addf(&out->signature, "vqa-v2|norm:%s", is_2021(d) ? "2021" : "2017");
    return 1;
}
