/* Random access by many threads through a cache that is far too small; inputs that are no streams of ours. */
#include "core/file.h"
#include "core/mem.h"
#include "core/pool.h"
#include "stream/store.h"
#include "stream/writer.h"
#include "tap.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORDS = 600, FLOATS = 3000 }; /* 12 kB each: many blocks */
static char dir[] = "/tmp/unimo-store.XXXXXX";

static void make(const char *path)
{
    struct err e = { 0 };
    struct writer *w = writer_open(path, NULL, &e);
    float *x = mem_new(float, FLOATS);

    for (int i = 0; i < RECORDS; i++) {
        struct record *r = record_new();
        char id[32];
        snprintf(id, sizeof id, i % 50 ? "r%d" : "r\"%d", i); /* some need escapes */
        value_set(r->fields, "id", value_str(id));
        for (int k = 0; k < FLOATS; k++) x[k] = (float)(i * 10000 + k);
        record_set_tensor(r, "odd", DT_U8, 1, (const int64_t[]){ 3 }, "abc");
        record_set_tensor(r, "x", DT_F32, 1, (const int64_t[]){ FLOATS }, x);
        if (writer_put(w, r, &e)) printf("# %s\n", e.text);
        record_free(r);
    }
    if (writer_close(w, &e)) printf("# %s\n", e.text);
    free(x);
}

static int read_one(int64_t i, int worker, void *arg, struct err *e)
{
    struct store *s = arg;
    int64_t want = i * 7919 % RECORDS;
    struct record *r;
    char id[32];

    snprintf(id, sizeof id, want % 50 ? "r%d" : "r\"%d", (int)want);
    if (i % 2 ? store_get(s, want, &r, e) : store_get_id(s, id, &r, e)) return -1;
    const struct record_tensor *x = record_tensor(r, "x");
    bool good =
        x && !strcmp(record_id(r), id) && ((const float *)x->data)[FLOATS - 1] == (float)(want * 10000 + FLOATS - 1);
    record_free(r);
    return good ? 0 : err_set(e, ERR_INPUT, "record %d is another one", (int)want);
}

static void by_threads(void)
{
    const char *path = "stream";
    struct err e = { 0 };

    make(path);
    struct store *s = store_open(&path, 1, 1 << 20, &e);
    is_int(s ? store_count(s) : -1, RECORDS, "the index counts the records");
    is_int(pool_for(4 * RECORDS, 3, 8, read_one, s, &e), 0,
           "eight threads read what they ask for, by number and by id");
    if (e.code) printf("# %s\n", e.text);
    is_str(store_id(s, 3), "r3", "the name of a record");
    is_str(store_id(s, 50), "r\"50", "and of one that is escaped");
    ok(store_id(s, 3) == store_id(s, 3), "is kept");
    is_int(store_find(s, "r50"), -1, "a name that nobody has");
    store_close(s);
}

static void *feed_fifo(void *arg)
{
    struct err e = { 0 };
    int fd = open("fifo", O_WRONLY);

    for (int i = 0; i < 500; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "{\"id\":\"p%d\",\"number\":%d}\n", i, i);
        file_write(fd, line, (size_t)n, &e);
    }
    close(fd);
    return NULL;
}

static void foreign(void)
{
    const char *const paths[] = { "lines", "fifo", "str[e]a*" };
    struct err e = { 0 };
    struct record *r;
    pthread_t t;

    FILE *f = fopen("lines", "w");
    fprintf(f, "{\"number\":1,\"id\":\"one\"}\n{\"id\":\"two\"}\n");
    fclose(f);
    ok(!mkfifo("fifo", 0600) && !pthread_create(&t, NULL, feed_fifo, NULL), "a pipe");
    struct store *s = store_open(paths, 3, 0, &e);
    pthread_join(t, NULL);
    is_int(s ? store_count(s) : -1, 2 + 500 + RECORDS, "lines, a pipe and what a pattern matches are opened together");
    if (!s) return;
    is_int(store_find(s, "p499"), 501, "and counted in order");
    ok(!store_get_id(s, "one", &r, &e) && value_integer(value_get(r->fields, "number")) == 1,
       "a line is found by its id");
    record_free(r);
    store_close(s);
    f = fopen("lines", "w");
    fprintf(f, "{\"id\":\"one\"}\n{\"number\":2}\n");
    fclose(f);
    ok(!store_open(paths, 1, 0, &e), "a record without an id is refused");
    is_str(e.text, "lines: record 2 of a stream has no \"id\" (a string was expected)", "with a message");
}

/* Every record of a file that unpacks to 640 MB, in the shuffled order, through a cache of 16. */
static void bounded(void)
{
    enum { BIG = 400, VALUES = 400000 };
    const char *path = "stream";
    struct err e = { 0 };
    struct rusage before, after;
    struct writer *w = writer_open(path, NULL, &e);
    float *x = mem_new(float, VALUES);
    int64_t found = 0;

    for (int i = 0; i < BIG; i++) {
        struct record *r = record_new();
        char id[32];
        snprintf(id, sizeof id, "b%d", i);
        value_set(r->fields, "id", value_str(id));
        x[7] = (float)i;
        record_set_tensor(r, "x", DT_F32, 1, (const int64_t[]){ VALUES }, x);
        if (writer_put(w, r, &e)) printf("# %s\n", e.text);
        record_free(r);
    }
    if (writer_close(w, &e)) printf("# %s\n", e.text);
    free(x);
    getrusage(RUSAGE_SELF, &before);
    struct store *s = store_open(&path, 1, 16 << 20, &e);
    for (int64_t i = 0; s && i < BIG; i++) {
        struct record *r;
        int64_t at = store_shuffled(s, 1, 0, i);
        if (store_get(s, at, &r, &e)) break;
        found += ((const float *)record_tensor(r, "x")->data)[7] == (float)at;
        record_free(r);
    }
    getrusage(RUSAGE_SELF, &after);
    is_int(found, BIG, "640 MB of features are read");
#ifndef __SANITIZE_ADDRESS__
    ok(after.ru_maxrss - before.ru_maxrss < 64 << 10, "in %ld MiB", (after.ru_maxrss - before.ru_maxrss) >> 10);
#endif
    store_close(s);
}

int main(void)
{
    if (!mkdtemp(dir) || chdir(dir)) return 1;
    bounded();
    by_threads();
    foreign();
    unlink("stream");
    unlink("lines");
    unlink("fifo");
    rmdir(dir);
    return done();
}
