/* Words, runs and counts; BLEU and CIDEr-D where they can be worked out by hand. */
#include "score/bleu.h"
#include "score/cider.h"
#include "tap.h"

static int32_t count_of(const struct captions *c, const struct sentence *s, int k, int place)
{
    return place < s->n_ngrams[k] ? s->ngrams[k][place].count : 0;
}

static void counts(void)
{
    const char *const refs[] = { "The dog sees the dog.", "" };
    const struct score_item item = { "A dog, the dog!", refs, 2 };
    struct captions c;

    captions_make(&c, &item, 1, CAPTIONS_PTB, NGRAM_MAX, 1);
    is_int(c.preds[0].n_words, 4, "words without punctuation");
    is_int(c.preds[0].n_ngrams[0], 3, "three different ones");
    is_int(count_of(&c, &c.preds[0], 0, 1), 2, "the second of them twice");
    is_int(c.preds[0].n_ngrams[3], 1, "one run of four");
    is_int(c.refs[0].n_ngrams[1], 3, "the dog, dog sees, sees the");
    is_int(count_of(&c, &c.refs[0], 1, 0), 2, "the dog: twice");
    is_int(c.refs[1].n_words, 0, "an empty text");
    is_int(c.refs[1].n_ngrams[0] + c.refs[1].n_ngrams[3], 0, "has no runs");
    is_int(c.preds[0].ngrams[0][1].id, c.refs[0].ngrams[0][1].id, "the same run has the same number everywhere");
    is_int(c.vocabulary.n, 4, "a dog the sees");
    captions_release(&c);
}

static void scores(void)
{
    const char *const first[] = { "a red cat sits on the mat" }, *const second[] = { "two dogs run",
                                                                                     "two dogs are running" };
    const struct score_item items[] = { { "a red cat sits on the mat", first, 1 }, { "two dogs run", second, 2 } },
                            nothing = { "", first, 1 };
    struct captions c;
    double b[NGRAM_MAX], each[2];

    captions_make(&c, items, 2, CAPTIONS_PTB, NGRAM_MAX, 1);
    bleu(&c, b);
    for (int k = 0; k < NGRAM_MAX; k++) near(b[k], 1, 1e-8, "equal texts have BLEU 1");
    captions_release(&c);
    cider_d(items, 2, each);
    near(each[0], 10, 1e-12, "and, alone with its words, CIDEr-D 10");
    /* Against the second reference: orders 1 to 4 clip to 2/sqrt(3*4), 1/sqrt(2*3), 0, 0; lengths differ by one bigram.
     * The first gives 3/4 as it has no runs of four. */
    double other = (2 / sqrt(12) + 1 / sqrt(6)) * exp(-1.0 / 72) / 4;
    near(each[1], 10 * (0.75 + other) / 2, 1e-12, "two references count half each");
    near(cider_d(items, 1, NULL), 0, 0, "one item alone has CIDEr-D 0: every word is in every reference");
    near(cider_d(items, 0, NULL), 0, 0, "no items");
    captions_make(&c, &nothing, 1, CAPTIONS_PTB, NGRAM_MAX, 1);
    bleu(&c, b);
    near(b[0], 0, 1e-9, "an empty prediction has BLEU 0");
    captions_release(&c);
}

int main(void)
{
    counts();
    scores();
    return done();
}
