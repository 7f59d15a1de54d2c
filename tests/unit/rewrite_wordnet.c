/* WordNet by its files: lookups, kinds of things, relatives; and a data base that is not one. */
#include "rewrite/wordnet.h"
#include "tap.h"

static struct wordnet *w;
static struct arena a;

static bool related(const char *x, const char *y)
{
    struct meaning p, q;

    wordnet_meaning(w, &p, WN_NOUN, x, 0, 0, &a);
    wordnet_meaning(w, &q, WN_NOUN, y, 0, 0, &a);
    return meaning_related(&p, &q);
}

static bool is_in(const char **list, int n, const char *word)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(list[i], word)) return true;
    }
    return false;
}

int main(void)
{
    struct err e = { 0 };
    const char **list;

    ok(!wordnet_open("/nonexistent", &e) && e.text[0], "a directory without WordNet: %s", e.text);
    err_clear(&e);
    w = wordnet_open(WORDNET_DIR, &e);
    if (!w) skip_all("no WordNet");
    ok(wordnet_knows(w, WN_NOUN, "dog") && wordnet_knows(w, WN_NOUN, "ice cream") && wordnet_knows(w, WN_VERB, "ride"),
       "words it knows");
    ok(!wordnet_knows(w, WN_NOUN, "dogx") && !wordnet_knows(w, WN_NOUN, "") &&
           !wordnet_knows(w, WN_NOUN,
                          "do"
                          "gdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdog"),
       "and does not know");
    ok(!wordnet_knows(w, WN_NOUN, "  This") && !wordnet_knows(w, WN_NOUN, "zzzz") && !wordnet_knows(w, WN_NOUN, "~"),
       "nothing before the first or after the last line");
    is_int(wordnet_file(w, "dog"), LEX_ANIMAL, "a dog is an animal");
    is_int(wordnet_file(w, "bench"), LEX_ARTIFACT, "a bench is an artifact");
    is_int(wordnet_file(w, "pizza"), LEX_FOOD, "pizza is food");
    is_int(wordnet_file(w, "woman"), LEX_PERSON, "a woman is a person");
    is_int(wordnet_file(w, "qqq"), -1, "an unknown word is nothing");
    ok(related("dog", "puppy") && related("car", "automobile") && related("dog", "animal") && related("person", "man"),
       "synonyms and what is more general");
    ok(!related("dog", "cat") && !related("car", "bicycle") && !related("dog", "qqq"), "and what is not");
    int n = wordnet_siblings(w, "dog", &list, &a);
    ok(is_in(list, n, "wolf") && is_in(list, n, "fox") && !is_in(list, n, "dog"), "siblings of a dog");
    n = wordnet_antonyms(w, "tiny", &list, &a);
    ok(is_in(list, n, "large") || is_in(list, n, "big"), "opposites by the cluster");
    is_int(wordnet_antonyms(w, "qqq", &list, &a), 0, "none of nothing");
    is_str(wordnet_exception(w, "children", &a), "child", "an irregular plural");
    is_str(wordnet_verb_lemma(w, "riding", &a), "ride", "riding");
    is_str(wordnet_verb_lemma(w, "standing", &a), "stand", "standing");
    is_str(wordnet_verb_lemma(w, "swimming", &a), "swim", "swimming");
    is_str(wordnet_verb_lemma(w, "carries", &a), "carry", "carries");
    arena_release(&a);
    wordnet_close(w);
    return done();
}
