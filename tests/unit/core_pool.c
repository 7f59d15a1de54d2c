/* Order, errors and bounds of the thread helpers. */
#include "core/mem.h"
#include "core/pool.h"
#include "tap.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int square(int64_t i, int worker, void *arg, struct err *e)
{
    ((int64_t *)arg)[i] += i * i;
    return 0;
}

static int fail_from_40(int64_t i, int worker, void *arg, struct err *e)
{
    return i >= 40 ? err_set(e, ERR_INPUT, "item %d", (int)i) : 0;
}

struct feed {
    int64_t made, last, fail_work, fail_next, seen, freed, out_of_order;
};

static int feed_next(void *arg, void **job, struct err *e)
{
    struct feed *f = arg;

    if (f->made == f->fail_next) return err_set(e, ERR_INPUT, "no more");
    if (f->made == f->last) return 0;
    int64_t *j = mem_new(int64_t, 1);
    *j = f->made++;
    *job = j;
    return 1;
}

static int feed_work(void *arg, void *job, int worker, struct err *e)
{
    struct feed *f = arg;
    int64_t j = *(int64_t *)job;

    if (j % 3 == 0) usleep(200);
    return f->fail_work >= 0 && j >= f->fail_work ? err_set(e, ERR_INPUT, "job %d", (int)j) : 0;
}

static int feed_done(void *arg, void *job, bool failed, struct err *e)
{
    struct feed *f = arg;

    f->out_of_order += *(int64_t *)job != f->freed;
    f->seen += !failed;
    f->freed++;
    free(job);
    return 0;
}

static void pipelines(int threads)
{
    struct feed f = { .last = 100, .fail_work = -1, .fail_next = -1 };
    struct pipeline p = { feed_next, feed_work, feed_done, &f, threads, 7 };
    struct err e = { 0 };

    is_int(pipeline_run(&p, &e), 0, "a pipeline ends");
    ok(f.seen == 100 && !f.out_of_order, "with every job in order (%d threads)", threads);
    f = (struct feed){ .last = 100, .fail_work = 33, .fail_next = -1 };
    is_int(pipeline_run(&p, &e), -1, "a failing job ends it");
    is_str(e.text, "job 33", "with the error of the first job that failed");
    ok(f.seen == 33 && f.freed == f.made, "jobs before it are done, all are freed");
    err_clear(&e);
    f = (struct feed){ .last = 100, .fail_work = -1, .fail_next = 20 };
    is_int(pipeline_run(&p, &e), -1, "a failing source ends it");
    ok(f.seen == 20 && !strcmp(e.text, "no more"), "after the jobs it had made");
}

/* Every job leaves something to help with; the last one is not made before half of it is done. */
struct leaving {
    int64_t made, done, left, helped;
    bool is_ready;
};

static int leaving_next(void *arg, void **job, struct err *e)
{
    struct leaving *l = arg;

    if (l->made == 100) return 0;
    for (int ms = 0; l->made == 99 && __atomic_load_n(&l->helped, __ATOMIC_SEQ_CST) < 50 && ms < 10000; ms++)
        usleep(1000);
    l->made++;
    *job = l;
    return 1;
}

static int leaving_work(void *arg, void *job, int worker, struct err *e)
{
    usleep(100);
    return 0;
}

static int leaving_done(void *arg, void *job, bool failed, struct err *e)
{
    struct leaving *l = arg;

    l->done += !failed;
    __atomic_add_fetch(&l->left, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static bool leaving_is_ready(void *arg)
{
    return ((const struct leaving *)arg)->is_ready;
}

static bool leaving_help(void *arg)
{
    struct leaving *l = arg;
    int64_t left = __atomic_load_n(&l->left, __ATOMIC_SEQ_CST);

    while (left && !__atomic_compare_exchange_n(&l->left, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
    __atomic_add_fetch(&l->helped, left > 0, __ATOMIC_SEQ_CST);
    return left > 0;
}

static void helpers(void)
{
    struct leaving l = { 0 };
    struct pipeline p = { leaving_next, leaving_work, leaving_done, &l, 2, 6, leaving_is_ready, leaving_help };
    struct err e = { 0 };

    is_int(pipeline_run(&p, &e), 0, "a pipeline whose jobs leave more to do");
    ok(l.helped >= 50, "a thread does it while the other waits for input (%d)", (int)l.helped);
    for (p.threads = 2; p.threads <= 4; p.threads++) {
        l = (struct leaving){ .is_ready = true };
        ok(!pipeline_run(&p, &e) && l.done == 100, "jobs made ahead, %d threads", p.threads);
    }
}

struct trail {
    int64_t n, sum, failed, fails_at;
    bool out_of_order;
};

static int trail_work(void *arg, void *item, bool failed, struct err *e)
{
    struct trail *t = arg;
    int64_t i = *(int64_t *)item;

    free(item);
    t->out_of_order |= i != t->n;
    t->failed += failed;
    t->sum += failed ? 0 : i;
    return t->n++ == t->fails_at ? err_set(e, ERR_INPUT, "item %d", (int)i) : 0;
}

/* Gives 0, 1, ... 99, as long as they are taken; how many were given. */
static int64_t give_all(struct follower *f)
{
    int64_t n = 0;
    int refused = 0;

    for (; n < 100 && !refused; n++) {
        int64_t *item = mem_new(int64_t, 1);
        *item = n;
        refused = follower_give(f, item);
    }
    return n;
}

static void followers(void)
{
    struct err e = { 0 };
    struct trail t = { .fails_at = -1 };
    struct follower *f = follower_start(3, trail_work, &t, &e);

    is_int(give_all(f), 100, "a follower takes all");
    ok(!follower_end(f, false, &e) && t.n == 100 && t.sum == 4950 && !t.out_of_order, "in order, to the last");
    t = (struct trail){ .fails_at = 7 };
    f = follower_start(3, trail_work, &t, &e);
    int64_t given = give_all(f);
    is_int(follower_end(f, false, &e), -1, "its error");
    is_str(e.text, "item 7", "is told at the end");
    ok(given < 20 && t.n == given && t.failed == given - 8 && t.sum == 28, "what follows is only freed (%d of %d)",
       (int)t.failed, (int)given);
    err_clear(&e);
    t = (struct trail){ .fails_at = -1 };
    f = follower_start(3, trail_work, &t, &e);
    give_all(f);
    err_set(&e, ERR_INPUT, "of the giver");
    ok(follower_end(f, true, &e) == -1 && !strcmp(e.text, "of the giver") && t.n == 100, "the giver's error ends it");
    err_clear(&e);
    ok(!follower_end(NULL, false, &e) && follower_end(NULL, true, &e) == -1, "none that was started");
}

struct spending {
    struct budget budget;
    int64_t spent, over;
};

static int spend(int64_t i, int worker, void *arg, struct err *e)
{
    struct spending *s = arg;
    int64_t n = i == 50 ? 1000 : 1 + i % 40;

    budget_take(&s->budget, n);
    int64_t held = __atomic_add_fetch(&s->spent, n, __ATOMIC_SEQ_CST);
    if (i != 50 && held > 64) __atomic_add_fetch(&s->over, 1, __ATOMIC_SEQ_CST);
    usleep(100);
    __atomic_sub_fetch(&s->spent, n, __ATOMIC_SEQ_CST);
    budget_give(&s->budget, n);
    return 0;
}

enum { NOT_STARTED = 255 };

/* Run again with OpenMP's threads bound: the status is how many processors it has after pool_unbind(). */
static int bound_processors(char *self)
{
    int status;
    pid_t child = fork();

    if (!child) {
        setenv("OMP_PROC_BIND", "true", 1);
        execl(self, self, "bound", (char *)NULL);
        _exit(NOT_STARTED);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        pool_unbind();
        return pool_cpus();
    }
    int64_t sums[1000] = { 0 };
    struct err e = { 0 };
    int wrong = 0;

    is_int(pool_for(1000, 7, 4, square, sums, &e), 0, "pool_for runs");
    for (int64_t i = 0; i < 1000; i++) wrong += sums[i] != i * i;
    is_int(wrong, 0, "each index once");
    is_int(pool_for(1000, 3, 4, fail_from_40, NULL, &e), -1, "a failure is returned");
    is_str(e.text, "item 40", "the one of the lowest index");
    pipelines(1);
    pipelines(4);
    helpers();
    followers();
    struct spending s = { 0 };
    budget_init(&s.budget, 64);
    is_int(pool_for(100, 1, 8, spend, &s, &e), 0, "a budget lets all through, also what is larger than it");
    ok(!s.over && !s.budget.held, "and never more than it at once");
    budget_release(&s.budget);
    int bound = bound_processors(argv[0]);
    if (bound == NOT_STARTED) ok(true, "a bound program # SKIP an emulated one cannot start itself");
    else is_int(bound, pool_cpus(), "a bound program gets its processors back");
    return done();
}
