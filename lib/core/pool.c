/* Threads and what they share: loops, ordered pipelines, queues. A job that fails stops those after it, never those
 * before it, so that the error that is told does not depend on which thread was faster. */
#include "core/pool.h"
#include "core/mem.h"
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* Processors granted by a cgroup v2 quota, or a large number. */
static int cgroup_cpus(void)
{
    long long quota, period;
    int n = 1 << 20;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");

    if (!f) return n;
    if (fscanf(f, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0)
        n = (int)((quota + period - 1) / period);
    fclose(f);
    return n;
}

int pool_cpus(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set), granted = cgroup_cpus();

    if (n > granted) n = granted;
    return n < 1 ? 1 : n;
}

static void *pass_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

int pool_startable(int threads)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *started = mem_new(pthread_t, threads);
    int n = 1;

    pthread_mutex_lock(&gate); /* so that none ends before all are there */
    while (n < threads && !pthread_create(&started[n], NULL, pass_gate, &gate)) n++;
    pthread_mutex_unlock(&gate);
    for (int i = 1; i < n; i++) pthread_join(started[i], NULL);
    pthread_mutex_destroy(&gate);
    free(started);
    return n;
}

void pool_unbind(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < omp_get_num_places(); i++) {
        int n = omp_get_place_num_procs(i), *at = mem_new(int, n + 1);
        omp_get_place_proc_ids(i, at);
        for (int k = 0; k < n; k++) {
            if (at[k] < CPU_SETSIZE) CPU_SET(at[k], &set);
        }
        free(at);
    }
    if (CPU_COUNT(&set)) sched_setaffinity(0, sizeof set, &set); /* where that fails, things are as they were */
}

struct loop {
    int64_t n, grain, next;
    int (*body)(int64_t i, int worker, void *arg, struct err *e);
    void *arg;
    pthread_mutex_t lock;
    int64_t failed_at; /* lowest index that failed, or n */
    struct err failure;
};
struct loop_worker {
    struct loop *loop;
    int worker;
    pthread_t thread;
};

static void loop_fail(struct loop *l, int64_t i, const struct err *e)
{
    pthread_mutex_lock(&l->lock);
    if (i < l->failed_at) {
        l->failed_at = i;
        l->failure = *e;
    }
    pthread_mutex_unlock(&l->lock);
}

static void *loop_work(void *arg)
{
    struct loop_worker *w = arg;
    struct loop *l = w->loop;

    for (;;) {
        pthread_mutex_lock(&l->lock);
        int64_t from = l->next, to = from + l->grain < l->n ? from + l->grain : l->n;
        bool over = from >= l->n || from > l->failed_at;
        l->next = to;
        pthread_mutex_unlock(&l->lock);
        if (over) return NULL;
        for (int64_t i = from; i < to; i++) {
            struct err e = { 0 };
            if (!l->body(i, w->worker, l->arg, &e)) continue;
            loop_fail(l, i, &e);
            break;
        }
    }
}

int pool_for(int64_t n, int64_t grain, int threads, int (*body)(int64_t i, int worker, void *arg, struct err *e),
             void *arg, struct err *e)
{
    struct loop l = { .n = n, .grain = grain < 1 ? 1 : grain, .body = body, .arg = arg, .failed_at = n };

    if (threads > (n + l.grain - 1) / l.grain) threads = (int)((n + l.grain - 1) / l.grain);
    if (threads < 1) threads = 1;
    pthread_mutex_init(&l.lock, NULL);
    struct loop_worker *w = mem_new(struct loop_worker, threads);
    int started = 1; /* worker 0 is the caller; threads that cannot be started are done without */
    for (; started < threads; started++) {
        w[started] = (struct loop_worker){ .loop = &l, .worker = started };
        if (pthread_create(&w[started].thread, NULL, loop_work, &w[started])) break;
    }
    w[0] = (struct loop_worker){ .loop = &l };
    loop_work(&w[0]);
    for (int i = 1; i < started; i++) pthread_join(w[i].thread, NULL);
    pthread_mutex_destroy(&l.lock);
    free(w);
    if (l.failed_at == n) return 0;
    *e = l.failure;
    return -1;
}

struct slot {
    void *job;
    bool is_worked, has_failed;
    struct err e;
};
struct line {
    const struct pipeline *p;
    pthread_mutex_t lock;
    pthread_cond_t wanted; /* there may be something for a worker to do */
    pthread_cond_t ended;  /* the next job for done may be there, or none be left */
    struct slot *ring;
    int64_t made, taken, finished; /* jobs made, handed to a worker, passed to done; slot of job j: j % depth */
    bool is_making, is_over, is_stopping;
    struct err make_error;
};
struct line_worker {
    struct line *line;
    int worker;
    pthread_t thread;
};

/* Called and returns with the lock held. */
static void line_make(struct line *l)
{
    struct err e = { 0 };
    void *job = NULL;

    l->is_making = true;
    pthread_mutex_unlock(&l->lock);
    int got = l->p->next(l->p->arg, &job, &e);
    pthread_mutex_lock(&l->lock);
    l->is_making = false;
    if (got > 0) l->ring[l->made++ % l->p->depth] = (struct slot){ .job = job };
    else l->is_over = true;
    if (got < 0) l->make_error = e;
    if (!l->is_over) {
        pthread_cond_signal(&l->wanted);
        return;
    }
    pthread_cond_broadcast(&l->wanted);
    pthread_cond_signal(&l->ended);
}

static void line_do(struct line *l, int worker)
{
    struct slot *s = &l->ring[l->taken++ % l->p->depth];
    struct err e = { 0 };

    bool is_skipped = l->is_stopping;
    pthread_mutex_unlock(&l->lock);
    int rc = is_skipped ? -1 : l->p->work(l->p->arg, s->job, worker, &e);
    pthread_mutex_lock(&l->lock);
    s->e = e;
    s->has_failed = rc != 0;
    s->is_worked = true;
    if (s == &l->ring[l->finished % l->p->depth]) pthread_cond_signal(&l->ended);
}

/* Whether to make a job now: when none waits, or, where that costs no waiting, not one for each thread, so that none
 * has to sleep until another has made one. */
static bool line_wants(const struct line *l)
{
    int64_t waiting = l->made - l->taken;
    bool may_make = !l->is_making && !l->is_over && !l->is_stopping && l->made - l->finished < l->p->depth;

    return may_make && (!waiting || (waiting < l->p->threads && l->p->is_ready && l->p->is_ready(l->p->arg)));
}

static bool line_help(struct line *l)
{
    if (!l->p->help) return false;
    pthread_mutex_unlock(&l->lock);
    bool has_helped = l->p->help(l->p->arg);
    pthread_mutex_lock(&l->lock);
    return has_helped;
}

static void *line_work(void *arg)
{
    struct line_worker *w = arg;
    struct line *l = w->line;

    pthread_mutex_lock(&l->lock);
    for (;;) {
        int64_t finished = l->finished;
        if (line_help(l)) continue;
        if (line_wants(l)) line_make(l);
        else if (l->taken < l->made) line_do(l, w->worker);
        else if (l->is_over || l->is_stopping) break;
        else if (l->finished == finished) pthread_cond_wait(&l->wanted, &l->lock); /* else help may be wanted anew */
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The calling thread's part: jobs in order, with the lock held between calls of done. */
static int line_finish(struct line *l, struct err *e)
{
    int rc = 0;

    for (;;) {
        struct slot *s = &l->ring[l->finished % l->p->depth];
        bool is_last = l->finished == l->made && !l->is_making && (l->is_over || l->is_stopping);
        if (is_last) return rc;
        if (l->finished == l->made || !s->is_worked) {
            pthread_cond_wait(&l->ended, &l->lock);
            continue;
        }
        if (s->has_failed && !rc) {
            *e = s->e;
            rc = -1;
        }
        if (rc) l->is_stopping = true;
        pthread_mutex_unlock(&l->lock);
        struct err done_error = { 0 };
        int done = l->p->done(l->p->arg, s->job, rc != 0, &done_error);
        pthread_mutex_lock(&l->lock);
        if (done && !rc) {
            *e = done_error;
            rc = -1;
            l->is_stopping = true;
        }
        l->finished++;
        pthread_cond_broadcast(&l->wanted);
    }
}

int pipeline_run(const struct pipeline *given, struct err *e)
{
    struct pipeline p = *given;
    int started = 0;

    if (p.threads < 1) p.threads = 1;
    if (p.depth < p.threads + 1) p.depth = 2 * p.threads + 1;
    struct line l = { .p = &p, .ring = mem_new(struct slot, p.depth) };
    struct line_worker *w = mem_new(struct line_worker, p.threads);
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.wanted, NULL);
    pthread_cond_init(&l.ended, NULL);
    for (; started < p.threads; started++) {
        w[started] = (struct line_worker){ .line = &l, .worker = started };
        if (pthread_create(&w[started].thread, NULL, line_work, &w[started])) break;
    }
    int rc = -1;
    if (started) {
        pthread_mutex_lock(&l.lock);
        rc = line_finish(&l, e);
        pthread_mutex_unlock(&l.lock);
        for (int i = 0; i < started; i++) pthread_join(w[i].thread, NULL);
        if (!rc && l.make_error.code) {
            *e = l.make_error;
            rc = -1;
        }
    } else {
        err_set(e, ERR_IO, "cannot start a thread");
    }
    pthread_cond_destroy(&l.wanted);
    pthread_cond_destroy(&l.ended);
    pthread_mutex_destroy(&l.lock);
    free(w);
    free(l.ring);
    return rc;
}

/* Held for a few instructions only. */
static void spares_hold(struct spares *s)
{
    while (atomic_flag_test_and_set_explicit(&s->is_held, memory_order_acquire)) sched_yield();
}

void *spares_take(struct spares *s)
{
    spares_hold(s);
    void *thing = s->n ? s->at[--s->n] : NULL;
    atomic_flag_clear_explicit(&s->is_held, memory_order_release);
    return thing;
}

void spares_give(struct spares *s, void *thing, size_t bytes)
{
    spares_hold(s);
    bool is_kept = bytes <= s->most && s->n < SPARES;
    if (is_kept) s->at[s->n++] = thing;
    atomic_flag_clear_explicit(&s->is_held, memory_order_release);
    if (!is_kept) s->drop(thing);
}

void spares_release(struct spares *s)
{
    for (void *thing; (thing = spares_take(s));) s->drop(thing);
}

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int capacity, n, head;
    bool is_closed;
    void *item[];
};

struct queue *queue_new(int capacity)
{
    struct queue *q = mem_alloc(1, sizeof *q + (size_t)capacity * sizeof q->item[0]);

    q->capacity = capacity;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    return q;
}

int queue_push(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    while (q->n == q->capacity && !q->is_closed) pthread_cond_wait(&q->changed, &q->lock);
    bool is_taken = !q->is_closed;
    if (is_taken) q->item[(q->head + q->n++) % q->capacity] = item;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return is_taken ? 0 : -1;
}

int queue_pop(struct queue *q, void **item)
{
    pthread_mutex_lock(&q->lock);
    while (!q->n && !q->is_closed) pthread_cond_wait(&q->changed, &q->lock);
    bool has_one = q->n > 0;
    if (has_one) {
        *item = q->item[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->n--;
    }
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return has_one ? 0 : -1;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->is_closed = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

void queue_free(struct queue *q)
{
    if (!q) return;
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

struct follower {
    struct queue *items;
    pthread_t thread;
    int (*work)(void *arg, void *item, bool failed, struct err *e);
    void *arg;
    pthread_mutex_t lock;
    bool has_failed;
    struct err failure;
};

static bool follower_failed(struct follower *f)
{
    pthread_mutex_lock(&f->lock);
    bool has_failed = f->has_failed;
    pthread_mutex_unlock(&f->lock);
    return has_failed;
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    void *item;

    while (!queue_pop(f->items, &item)) {
        struct err e = { 0 };
        bool has_failed = follower_failed(f);
        int rc = f->work(f->arg, item, has_failed, &e);
        if (!rc || has_failed) continue;
        pthread_mutex_lock(&f->lock);
        f->has_failed = true;
        f->failure = e;
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

struct follower *follower_start(int depth, int (*work)(void *arg, void *item, bool failed, struct err *e), void *arg,
                                struct err *e)
{
    struct follower *f = mem_new(struct follower, 1);

    *f = (struct follower){ .items = queue_new(depth), .work = work, .arg = arg };
    pthread_mutex_init(&f->lock, NULL);
    if (!pthread_create(&f->thread, NULL, follow, f)) return f;
    err_set(e, ERR_IO, "cannot start a thread");
    pthread_mutex_destroy(&f->lock);
    queue_free(f->items);
    free(f);
    return NULL;
}

int follower_give(struct follower *f, void *item)
{
    queue_push(f->items, item);
    return follower_failed(f) ? -1 : 0;
}

int follower_end(struct follower *f, bool failed, struct err *e)
{
    if (!f) return failed ? -1 : 0;
    if (failed) {
        pthread_mutex_lock(&f->lock);
        bool is_first = !f->has_failed;
        f->has_failed = true;
        if (is_first) f->failure = *e;
        pthread_mutex_unlock(&f->lock);
    }
    queue_close(f->items);
    pthread_join(f->thread, NULL);
    int rc = f->has_failed ? -1 : 0;
    if (rc) *e = f->failure;
    pthread_mutex_destroy(&f->lock);
    queue_free(f->items);
    free(f);
    return rc;
}

void budget_init(struct budget *b, int64_t most)
{
    *b = (struct budget){ .most = most };
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
}

void budget_take(struct budget *b, int64_t n)
{
    pthread_mutex_lock(&b->lock);
    while (b->held && b->held + n > b->most) pthread_cond_wait(&b->changed, &b->lock);
    b->held += n;
    pthread_mutex_unlock(&b->lock);
}

void budget_give(struct budget *b, int64_t n)
{
    pthread_mutex_lock(&b->lock);
    b->held -= n;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void budget_release(struct budget *b)
{
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}
