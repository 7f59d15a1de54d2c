/* Learning against the definition: count all pairs anew before each merge. */
#include "core/file.h"
#include "core/mem.h"
#include "tap.h"
#include "text/bpe.h"
#include "text/bpe_learn.h"
#include "text/byte_symbols.h"
#include <unistd.h>

enum { WORDS = 60, LETTERS = 10 };
static char word[WORDS][LETTERS][40]; /* tokens of each word */
static int length[WORDS], count[WORDS];

/* A hundred syllables' worth of words, so that no token is made by two different merges. */
static void make_words(struct bpe_learner *l)
{
    uint64_t x = 42;

    for (int w = 0; w < WORDS; w++) {
        char text[LETTERS + 1] = { 0 };
        x = x * 6364136223846793005u + 1442695040888963407u;
        length[w] = 2 + (int)(x >> 60) % (LETTERS - 2);
        for (int i = 0; i < length[w]; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            text[i] = "etaoinshrdlu"[(x >> 58) % 12];
            word[w][i][0] = text[i];
            word[w][i][1] = 0;
        }
        count[w] = 1 + w % 5;
        for (int k = 0; k < count[w]; k++) bpe_learner_add(l, text, strlen(text));
    }
}

/* The most frequent pair; ties by the order in which its tokens came to be. known[] lists all tokens in that order. */
static int best_pair(char known[][40], int n_known, int *left, int *right)
{
    int best = 0;

    for (int a = 0; a < n_known; a++) {
        for (int b = 0; b < n_known; b++) {
            int sum = 0;
            for (int w = 0; w < WORDS; w++) {
                for (int i = 0; i + 1 < length[w]; i++) {
                    if (!strcmp(word[w][i], known[a]) && !strcmp(word[w][i + 1], known[b])) sum += count[w];
                }
            }
            if (sum <= best) continue;
            best = sum;
            *left = a;
            *right = b;
        }
    }
    return best;
}

static void merge(const char *left, const char *right)
{
    for (int w = 0; w < WORDS; w++) {
        for (int i = 0; i + 1 < length[w]; i++) {
            if (strcmp(word[w][i], left) || strcmp(word[w][i + 1], right)) continue;
            memcpy(word[w][i] + strlen(left), right, strlen(right) + 1);
            for (int k = i + 1; k + 1 < length[w]; k++) memcpy(word[w][k], word[w][k + 1], 40);
            length[w]--;
        }
    }
}

/* What is seen now and then outlives any number of pieces that are seen once. */
static void bounded(void)
{
    char dir[] = "/tmp/unimo-learn.XXXXXX", text[64];
    struct bpe_learner *l = bpe_learner_new(100);
    struct err e = { 0 };
    int64_t got;

    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, " frequent x%dy", i);
        bpe_learner_add(l, text, strlen(text));
    }
    ok(bpe_learner_forgotten(l) > 19000 && bpe_learner_forgotten(l) < 20000, "rare pieces are forgotten: %lld",
       (long long)bpe_learner_forgotten(l));
    if (!mkdtemp(dir)) return;
    char *path = path_join(dir, "vocab");
    is_int(bpe_learn(l, path, BPE_SIZE_MIN + 9, 20000, &got, &e), 0, "frequent ones are learnt");
    struct bpe *b = bpe_load(path, &e);
    ok(b && bpe_id(b, "\u0120frequent") > 0, "to their last merge %s", e.text);
    bpe_free(b);
    bpe_learner_free(l);
    free(path);
    dir_remove(dir, &e);
}

int main(void)
{
    static char known[12 + 60][40] = { "a", "d", "e", "h", "i", "l", "n", "o", "r", "s", "t", "u" };
    char dir[] = "/tmp/unimo-learn.XXXXXX";
    struct bpe_learner *l = bpe_learner_new(BPE_LEARN_PIECES);
    struct str want = { 0 };
    struct err e = { 0 };
    int left = 0, right = 0, n = 12;
    int64_t got;

    make_words(l);
    str_add(&want, "#version: 0.2\n");
    for (; n < 12 + 60; n++) {
        if (best_pair(known, n, &left, &right) < 2) break;
        str_addf(&want, "%s %s\n", known[left], known[right]);
        snprintf(known[n], 40, "%s%s", known[left], known[right]);
        merge(known[left], known[right]);
    }
    ok(n > 40, "(there are enough merges to compare: %d)", n - 12);
    if (!mkdtemp(dir)) return 1;
    char *path = path_join(dir, "vocab"), *merges = path_join(path, "merges.txt");
    is_int(bpe_learn(l, path, BPE_SIZE_MIN + n - 12, 2, &got, &e), 0, "learns");
    is_int(got, BPE_SIZE_MIN + n - 12, "a vocabulary of the size wanted");
    size_t bytes;
    char *text = file_load(merges, 1 << 20, &bytes, &e);
    is_str(text, want.data, "the merges are those of the definition");
    struct bpe *b = bpe_load(path, &e);
    ok(b && bpe_size(b) == got && bpe_id(b, "<s>") == 0 && bpe_id(b, "<pad>") == 1 && bpe_id(b, "</s>") == 2 &&
           bpe_id(b, "<unk>") == 3 && bpe_id(b, "!") == 4 && bpe_id(b, "<mask>") == got - 1,
       "ids are where they belong %s", e.text);
    bpe_free(b);
    bpe_learner_free(l);
    l = bpe_learner_new(BPE_LEARN_PIECES);
    is_int(bpe_learn(l, path, 5000, 2, &got, &e), 0, "of nothing, too, a vocabulary is made");
    is_int(got, BPE_SIZE_MIN, "of bytes only, in place of the old one");
    bpe_learner_free(l);
    free(text);
    free(merges);
    free(path);
    str_release(&want);
    dir_remove(dir, &e);
    bounded();
    return done();
}
