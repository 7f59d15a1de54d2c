#ifndef SCORE_METEOR_ALIGN_H
#define SCORE_METEOR_ALIGN_H
#include "core/str.h"
#include "score/meteor_words.h"

/* METEOR's alignment of a hypothesis with a reference (Denkowski and Lavie 2014): matches of words and phrases of four
 * kinds, and the beam search that chooses among them. */
enum meteor_module { METEOR_EXACT, METEOR_STEM, METEOR_SYNONYM, METEOR_PARAPHRASE, METEOR_MODULES };
struct meteor_match {
    enum meteor_module module;
    int ref, ref_n; /* words of the reference: first, how many */
    int hyp, hyp_n;
};
struct meteor_text {
    int n;
    const int32_t *words;
};
struct meteor_single { /* a word of the hypothesis that matches one of the reference */
    enum meteor_module module;
    int hyp;
};
struct meteor_kind { /* of words in the reference: what matches all that are equal */
    int32_t word;
    int times;
    int64_t from, to; /* in singles */
};
/* Room for an alignment; zero is empty. One thread at a time. */
struct meteor_aligner {
    const struct meteor_lexicon *lexicon;
    unsigned modules; /* a bit for each */
    int n_chosen;     /* the result, by place in the reference */
    struct meteor_match *chosen;
    struct meteor_single *singles;
    struct meteor_kind *kinds;
    int *kind_of; /* [ref.n] */
    int n_kinds;
    struct meteor_match *phrases, *sorted; /* sorted: by place in the reference */
    int64_t *starts;                       /* [ref.n + 1] into sorted */
    int64_t n_singles, n_phrases;
    int64_t cap_chosen, cap_singles, cap_kinds, cap_kind_of, cap_phrases, cap_sorted, cap_starts;
    struct arena arena;
    struct str key;
};
void meteor_align(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref);
void meteor_aligner_release(struct meteor_aligner *a);
#endif
