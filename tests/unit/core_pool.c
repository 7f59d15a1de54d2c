/* Order, errors and bounds of the thread helpers. */
#include "core/mem.h"
#include "core/pool.h"
#include "tap.h"
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

int main(void)
{
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
    return done();
}
