/* The order of examples: exact shares, a permutation each epoch, a function of the state only; the schedule; the
 * journal. */
#include "core/file.h"
#include "core/mem.h"
#include "tap.h"
#include "toy.h"
#include "train/feed.h"
#include "train/journal.h"
#include "train/sampler.h"
#include "train/schedule.h"
#include <fcntl.h>
#include <unistd.h>

static void shares_are_exact(void)
{
    const struct task t = { .n_collections = 3, .at = { { "a", 100, 3 }, { "b", 7, 1 }, { "c", 50, 0 } } };
    struct sampler s = { .task = &t, .seed = 5 };
    bool good = true;

    for (int i = 1; i <= 4000; i++) {
        sampler_next(&s);
        good = good && llabs(4 * s.drawn[0] - 3 * i) <= 4 && s.drawn[0] + s.drawn[1] == i;
    }
    ok(good, "after every draw, each collection has its share to within one example");
    is_int(s.drawn[2], 0, "a collection without a share is never drawn");
}

static void epochs_are_permutations(void)
{
    enum { N = 97 };
    const struct task t = { .n_collections = 1, .at = { { "a", N, 1 } } };
    struct sampler s = { .task = &t, .seed = 1 };
    int64_t first[N], same = 0;
    bool all = true;

    for (int epoch = 0; epoch < 2; epoch++) {
        bool seen[N] = { false };
        for (int i = 0; i < N; i++) {
            int64_t x = sampler_next(&s).example;
            all = all && x >= 0 && x < N && !seen[x];
            seen[x] = true;
            if (!epoch) first[i] = x;
            else same += first[i] == x;
        }
    }
    ok(all, "each epoch visits every example once");
    ok(same < N / 4, "in another order (%d of %d in the same place)", (int)same, N);
}

static void state_is_the_counts(void)
{
    const struct task t = { .n_collections = 2, .at = { { "a", 31, 2 }, { "b", 17, 1 } } };
    struct sampler s = { .task = &t, .seed = 9 };
    bool good = true;

    for (int i = 0; i < 50; i++) sampler_next(&s);
    struct sampler again = { .task = &t, .seed = 9 };
    memcpy(again.drawn, s.drawn, sizeof again.drawn);
    for (int i = 0; i < 200; i++) {
        struct sample x = sampler_next(&s), y = sampler_next(&again);
        good = good && x.collection == y.collection && x.example == y.example && x.draw == y.draw;
    }
    ok(good, "a sampler with the same counts goes on the same way");
}

/* An example of some rows, after a while; collection b has nothing to add, c nothing to predict. */
static int add_some(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a,
                    struct err *e)
{
    const struct model_config *c = arg;
    const struct batch_text text = toy_text(a, c, r, 1 + i % 7);

    if (collection == 1) return 0;
    if (i == 90) return err_set(e, ERR_INPUT, "bad");
    for (int64_t k = rng_below(r, 1000); k; k--) rng_u32(r);
    batch_add_mlm(b, -1, &text, collection ? NULL : text.tokens);
    return 0;
}

static void feeds(void)
{
    const struct model_config c = toy_config();
    struct task t = { .n_collections = 3,
                      .at = { { "a", 90, 3 }, { "b", 9, 1 }, { "c", 9, 1 } },
                      .step.weight[LOSS_MLM] = 1,
                      .add = add_some,
                      .arg = (void *)&c };
    struct sampler from = { .task = &t, .seed = 11 };
    struct err e = { 0 };
    struct feed *one = feed_open(&from, &c, 50, 1, &e), *many = feed_open(&from, &c, 50, 5, &e);
    bool good = true, enough = true, follows = true, teaches = true;
    int64_t drawn = 0;
    double waited = 0;

    for (int k = 0; k < 60; k++) {
        const struct feed_item *x = feed_next(one, &waited), *y = feed_next(many, &waited);
        good = good && !x->rc && !y->rc && x->batch.n_rows == y->batch.n_rows &&
               !memcmp(x->batch.id, y->batch.id, (size_t)x->batch.n_text * sizeof(int32_t)) &&
               !memcmp(x->after.drawn, y->after.drawn, sizeof x->after.drawn);
        enough = enough && x->batch.n_rows >= 50;
        follows = follows && x->before.drawn[0] + x->before.drawn[1] + x->before.drawn[2] == drawn;
        drawn = x->after.drawn[0] + x->after.drawn[1] + x->after.drawn[2];
        teaches = teaches && x->batch.lm[BATCH_MLM].n == x->batch.n_rows - 2 * x->batch.n_sequences;
    }
    ok(good, "batches do not depend on the number of threads that read");
    ok(enough, "and have the rows that were asked for");
    ok(follows, "the state around each batch tells what was drawn for it");
    ok(teaches, "examples without a target are left out");
    feed_close(one);
    feed_close(many);

    t.at[0].n = 91;
    many = feed_open(&from, &c, 50, 5, &e);
    const struct feed_item *x = feed_next(many, &waited);
    while (!x->rc) x = feed_next(many, &waited);
    is_str(x->e.text, "bad", "a bad example ends the run, with what the task says of it");
    feed_close(many);

    t.at[0].share = 0;
    many = feed_open(&from, &c, 50, 2, &e);
    x = feed_next(many, &waited);
    is_str(x->rc ? x->e.text : "", "no example has anything to learn from", "examples that add nothing end the run");
    feed_close(many);
}

static void schedules(void)
{
    const struct schedule linear = { SCHEDULE_LINEAR, 10, 100 }, cosine = { SCHEDULE_COSINE, 10, 100 },
                          constant = { SCHEDULE_CONSTANT, 0, 100 }, steps = { SCHEDULE_STEPS, 0, 1000 };

    near(schedule_at(&linear, 0), 0.1, 1e-12, "the warm-up begins above 0");
    near(schedule_at(&linear, 9), 1, 1e-12, "and reaches 1 in its last step");
    near(schedule_at(&linear, 10), 0.9, 1e-12, "linear decay counts from step 0");
    near(schedule_at(&linear, 99), 0.01, 1e-12, "and ends next to 0");
    near(schedule_at(&cosine, 10), 1, 1e-12, "cosine begins at 1");
    ok(schedule_at(&cosine, 99) < 0.01 && schedule_at(&cosine, 50) > 0.5, "and falls to 0, slowly at first");
    near(schedule_at(&constant, 77), 1, 0, "constant stays");
    near(schedule_at(&steps, 599), 1, 0, "steps stay for 60 %");
    near(schedule_at(&steps, 600) + schedule_at(&steps, 799), 0.2, 1e-12, "are a tenth then");
    near(schedule_at(&steps, 800) + schedule_at(&steps, 999), 0.02, 1e-12, "and a hundredth from 80 % on");
    is_int(schedule_named("cosine"), SCHEDULE_COSINE, "by name");
}

static void write_steps(struct journal *j, int from, int to)
{
    for (int i = from; i <= to; i++) {
        struct value *v = value_object();
        value_set(v, "step", value_int(i));
        journal_write(j, v);
        value_free(v);
    }
}

static void journals(void)
{
    char path[] = "/tmp/unimo-journal.XXXXXX";
    struct err e = { 0 };
    size_t n = 0;

    close(mkstemp(path));
    struct journal *j = journal_open(path, 0, &e);
    write_steps(j, 1, 5);
    journal_close(j);
    j = journal_open(path, 3, &e);
    write_steps(j, 4, 4);
    journal_close(j);
    char *text = file_load(path, 1000, &n, &e);
    is_str(text, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":4}\n", "a resumed log has no line twice");
    free(text);
    unlink(path);
    j = journal_open("/dev/full", 0, &e);
    write_steps(j, 1, 3);
    journal_close(j);
    ok(!e.code, "a log that cannot be written is no error");
    ok(!journal_open("/no/such/folder/log", 0, &e) && e.code == ERR_IO, "one that cannot be opened is");
}

int main(void)
{
    shares_are_exact();
    epochs_are_permutations();
    state_is_the_counts();
    feeds();
    schedules();
    journals();
    return done();
}
