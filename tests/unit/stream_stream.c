/* Streams: what is written reads back, whatever is cut or flipped is an error, and never a crash. */
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "stream/filter.h"
#include "stream/frame.h"
#include "stream/limits.h"
#include "stream/store.h"
#include "tap.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/unimo-stream.XXXXXX";

static void make(const char *path, int from, int n, int floats)
{
    struct err e = { 0 };
    struct writer *w = writer_open(path, NULL, &e);
    float *x = mem_new(float, floats + 1);

    for (int i = from; i < from + n; i++) {
        struct record *r = record_new();
        char id[32];
        snprintf(id, sizeof id, "r%d", i);
        value_set(r->fields, "id", value_str(id));
        value_set(r->fields, "number", value_int(i));
        for (int k = 0; k < floats; k++) x[k] = (float)(i * 1000 + k);
        uint8_t odd[3] = { (uint8_t)i, 2, 3 };
        if (floats) record_set_tensor(r, "odd", DT_U8, 1, (int64_t[]){ 3 }, odd);
        if (floats) record_set_tensor(r, "x", DT_F32, 2, (int64_t[]){ floats / 2, 2 }, x);
        if (writer_put(w, r, &e)) printf("# %s\n", e.text);
        record_free(r);
    }
    if (writer_close(w, &e)) printf("# %s\n", e.text);
    free(x);
}

/* Reads all; the number of records with right contents, or -1 on an error, whose text is in *e. */
static int count(const char *path, struct err *e)
{
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int n = 0, got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        const struct record_tensor *x = record_tensor(r, "x");
        int64_t i = x ? strtol(record_id(r) + 1, NULL, 10) : 0;
        n += !x || ((const float *)x->data)[1] == (float)(i * 1000 + 1);
        record_free(r);
    }
    reader_close(in);
    return got < 0 ? -1 : n;
}

static void write_bytes(const char *path, const char *data, size_t n)
{
    struct err e = { 0 };
    struct out *o = out_open(path, &e);

    out_write(o, data, n, &e);
    out_commit(o, &e);
}

/* Bits of the index's head and tail that may be flipped without an error. */
static int flips_unnoticed(char *data, size_t n)
{
    size_t head = (size_t)((char *)memmem(data, n, "UNMI", 4) - data) + 8, unnoticed = 0;
    struct err e = { 0 };

    for (size_t at = head; at < n; at = at + 1 == head + 40 ? n - 16 : at + 1) {
        for (int bit = 0; bit < 8; bit++) {
            data[at] = (char)(data[at] ^ 1 << bit);
            write_bytes("flip", data, n);
            err_clear(&e);
            if (count("flip", &e) >= 0) printf("# bit %d of byte %zu of %zu\n", bit, at, n), unnoticed++;
            data[at] = (char)(data[at] ^ 1 << bit);
        }
    }
    return (int)unnoticed;
}

static void damage(void)
{
    struct err e = { 0 };
    size_t n;
    int cut_bad = 0, flip_bad = 0;

    make("small", 0, 5, 4);
    is_int(count("small", &e), 5, "a small stream reads back");
    char *data = file_load("small", 1 << 20, &n, &e), *copy = mem_new(char, n);
    for (size_t cut = 0; cut < n; cut++) {
        write_bytes("cut", data, cut);
        err_clear(&e);
        if (count("cut", &e) >= 0) printf("# cut at %zu of %zu is not noticed\n", cut, n), cut_bad++;
    }
    ok(!cut_bad, "a cut at any of %d bytes is an error", (int)n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(copy, data, n);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        write_bytes("flip", copy, n);
        err_clear(&e);
        /* A flip in the minor version, in the provenance's text or in the kind of skippable frame may be harmless, but
         * records never change. */
        int got = count("flip", &e);
        flip_bad += got >= 0 && got != 5;
    }
    is_int(flip_bad, 0, "a flipped bit never changes a record unnoticed");
    is_int(flips_unnoticed(data, n), 0, "nor one of its index");
    free(data);
    free(copy);
}

static void joined(void)
{
    struct err e = { 0 };
    size_t n, m;

    make("a", 0, 100, 0);
    make("b", 100, 50, 600);
    char *a = file_load("a", 1 << 24, &n, &e), *b = file_load("b", 1 << 24, &m, &e), *ab = mem_new(char, n + m);
    memcpy(ab, a, n);
    memcpy(ab + n, b, m);
    write_bytes("ab", ab, n + m);
    is_int(count("ab", &e), 150, "cat of two streams is a stream");
    write_bytes("cut", ab, n - 20);
    is_int(count("cut", &e), -1, "one cut before its index is not");
    memcpy(ab + n - 100, b, m);
    write_bytes("cutb", ab, n - 100 + m);
    err_clear(&e);
    is_int(count("cutb", &e), -1, "nor when another follows");
    free(a);
    free(b);
    free(ab);
    err_clear(&e);
    struct store *s = store_open((const char *const[]){ "ab" }, 1, 1 << 16, &e);
    ok(s && store_count(s) == 150, "a store finds the records of both");
    int wrong = 0;
    for (int i = 149; s && i >= 0; i -= 7) {
        struct record *r;
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        if (store_get_id(s, id, &r, &e)) printf("# %s\n", e.text), wrong++;
        else
            wrong +=
                value_integer(value_get(r->fields, "number")) != i || (i >= 100) != (record_tensor(r, "x") != NULL);
        if (!wrong) record_free(r);
    }
    is_int(wrong, 0, "by id, in any order");
    struct record *r;
    ok(s && store_get_id(s, "nobody", &r, &e) == -1, "a missing id is an error");
    is_str(e.text, "no record with id \"nobody\" in ab", "that names the file");
    store_close(s);
    err_clear(&e);
    s = store_open((const char *const[]){ "ab", "a" }, 2, 0, &e);
    ok(s && store_count(s) == 250 && !store_get(s, 249, &r, &e), "a file may be there twice for reading by number");
    is_str(record_id(r), "r99", "which goes through the files in order");
    record_free(r);
    is_int(store_index(s, &e), -1, "but not by id");
    is_str(e.text, "ab: records 1 and 151 (of all files) have the same id", "with a message");
    store_close(s);
}

static int twice(void *arg, struct record **r, int n, int worker, struct err *e)
{
    for (int i = 0; i < n; i++) {
        int64_t v = value_integer(value_get(r[i]->fields, "number"));
        if (v == *(int64_t *)arg) return err_set(e, ERR_INPUT, "an unlucky number");
        value_set(r[i]->fields, "number", value_int(v * 2));
    }
    return 0;
}

/* The bytes that a filter makes of "many" with so many threads, or NULL. */
static char *filtered(int threads, int batch, int64_t unlucky, bool skip, size_t *n, struct err *e)
{
    const char *path = "many";
    struct reader *in = reader_open(&path, 1, &(struct reader_opts){ .skip_bad = skip }, e);
    struct writer *out = writer_open("filtered", &(struct writer_opts){ .from = in }, e);
    struct filter f = { .work = twice, .arg = &unlucky, .threads = threads, .batch = batch };
    int rc = filter_run(&f, in, out, e);

    if (rc) writer_abort(out);
    else rc = writer_close(out, e);
    reader_close(in);
    return rc ? NULL : file_load("filtered", 1 << 24, n, e);
}

static void filters(void)
{
    struct err e = { 0 };
    size_t n, m;

    make("many", 0, 3000, 10);
    char *one = filtered(1, 1, -1, false, &n, &e), *four = filtered(4, 16, -1, false, &m, &e);
    ok(one && four && n == m && !memcmp(one, four, n), "the bytes do not depend on threads and batches");
    free(one);
    free(four);
    ok(!filtered(4, 16, 1234, false, &n, &e), "a bad record is an error");
    is_str(e.text, "many: record 1235: an unlucky number", "that names it");
    is_int(count("filtered", &(struct err){ 0 }), 3000, "and leaves the old output alone");
    err_clear(&e);
    if (!freopen("/dev/null", "w", stderr)) return;
    one = filtered(4, 16, 1234, true, &n, &e);
    ok(one && count("filtered", &e) == 2999, "--skip-bad drops only that one");
    free(one);
}

static void foreign(void)
{
    static const struct {
        const char *text, *error;
    } bad[] = { { "", "f: is empty (a stream was expected)" },
                { "\x1f\x8b\x08\x00", "f: gzip data (use zcat FILE |)" },
                { "\xef\xbb\xbf{}\n", "f: starts with a byte-order mark (plain UTF-8 was expected)" },
                { "hello\n", "f: neither zstd data nor JSON Lines" },
                { "{}\n[1]\n", "f: record 2: not a JSON object" },
                { "{\"id\":\"a\",\"id\":\"b\"}\n", NULL },
                { "{\"id\":1e999}\n", NULL },
                { "{\"id\":\"\xff\"}\n", NULL },
                { "{\"tensors\":{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}}\n",
                  "f: record 1: tensor \"x\": without a frame that holds it" } };
    struct err e = { 0 };
    struct str deep = { 0 };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_bytes("f", bad[i].text, strlen(bad[i].text));
        err_clear(&e);
        is_int(count("f", &e), -1, "bad input is refused");
        if (bad[i].error) is_str(e.text, bad[i].error, "and said how");
    }
    for (int i = 0; i < 70; i++) str_add(&deep, "{\"a\":");
    write_bytes("f", deep.data, deep.n);
    err_clear(&e);
    count("f", &e);
    is_str(e.text, "f: record 1: JSON nested more than 64 deep", "deep JSON is refused");
    str_release(&deep);
    write_bytes("f", "{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}", 23);
    err_clear(&e);
    is_int(count("f", &e), 2, "CRLF, empty lines and a last line without newline are fine");
    struct writer *w = writer_open("twice", NULL, &e);
    struct record *r = record_new();
    value_set(r->fields, "id", value_str("a"));
    writer_put(w, r, &e);
    is_int(writer_put(w, r, &e), -1, "a repeated id is refused");
    is_str(e.text, "id \"a\" is that of records 1 and 2 of the output", "with both records");
    writer_abort(w);
    record_free(r);
}

/* A tensor without elements is still a tensor. */
static void empty_tensor(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open("empty", NULL, &e);
    struct record *r = record_new();

    value_set(r->fields, "id", value_str("a"));
    record_set_tensor(r, "x", DT_F32, 2, (int64_t[]){ 0, 4 }, "");
    is_int(writer_put(w, r, &e) | writer_close(w, &e), 0, "a stream of nothing but an empty tensor");
    record_free(r);
    struct reader *in = reader_open(&(const char *){ "empty" }, 1, NULL, &e);
    is_int(reader_next(in, &r, &e), 1, "is read again");
    const struct record_tensor *t = e.text[0] ? NULL : record_tensor(r, "x");
    ok(t && t->shape[0] == 0 && t->shape[1] == 4, "and is there %s", e.text);
    if (!e.text[0]) record_free(r);
    reader_close(in);
}

/* A record that no reader would take is not written. */
static void too_large(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open("large", NULL, &e);
    struct printed p = { 0 };

    str_room(&p.text, LIMIT_BLOCK_TEXT);
    p.text.n = LIMIT_BLOCK_TEXT - 1;
    printed_end(&p, "", 0);
    is_int(writer_put_printed(w, &p, 0, 1, &e), -1, "a record of a quarter of a gibibyte");
    is_str(e.text, "record 1 of the output has 268435456 bytes of text (at most 267386880)", "is refused");
    printed_release(&p);
    writer_abort(w);
    ok(access("large", F_OK), "with the stream");
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static void no_memory(void) /* a sanitizer has memory of its own */
{
}
#else
static void leave(size_t bytes)
{
    _exit(7);
}

/* A block that zstd has no memory to pack ends the program: it is not left out. */
static void no_memory(void)
{
    enum { BYTES = 1 << 23 };
    struct str out = { 0 };
    char *data = mem_new(char, BYTES);
    int status = -1;

    str_room(&out, 2 * BYTES);
    pid_t child = fork();
    if (!child) {
        mem_on_failure(leave);
        setrlimit(RLIMIT_AS, &(struct rlimit){ 0, RLIM_INFINITY });
        frame_compress(&out, data, BYTES, 22);
        _exit(0);
    }
    if (waitpid(child, &status, 0) == child && WIFEXITED(status)) is_int(WEXITSTATUS(status), 7, "no memory to pack");
    else ok(false, "no memory to pack: status %d", status);
    str_release(&out);
    free(data);
}
#endif

struct helper {
    struct writer *w;
    pthread_t thread;
    atomic_bool is_over;
    atomic_int packed;
};

static void *help(void *arg)
{
    struct helper *h = arg;

    while (!h->is_over) {
        if (writer_help(h->w)) h->packed++;
        else usleep(100);
    }
    return NULL;
}

/* Some blocks of text and tensors, packed by as many threads as help; *packed by them. */
static int write_blocks(const char *path, int threads, int helpers, int *packed, struct err *e)
{
    enum { RECORDS = 40, FLOATS = 40000, HELPERS = 3 };
    struct writer *w = writer_open(path, &(struct writer_opts){ .threads = threads }, e);
    float *x = mem_new(float, FLOATS);
    struct helper h[HELPERS] = { 0 };
    int rc = w ? 0 : -1;

    for (int i = 0; i < helpers && w; i++) {
        h[i].w = w;
        if (pthread_create(&h[i].thread, NULL, help, &h[i])) exit(1);
    }
    for (int i = 0; i < RECORDS && !rc; i++) {
        struct record *r = record_new();
        for (int k = 0; k < FLOATS; k++) x[k] = (float)((k * 7 + i) % 1000);
        value_set(r->fields, "n", value_int(i));
        if (i % 3) record_set_tensor(r, "x", DT_F32, 1, (int64_t[]){ FLOATS }, x);
        rc = writer_put(w, r, e);
        record_free(r);
    }
    free(x);
    for (int ms = 0; helpers && !rc && ms < 10000 && !(h[0].packed + h[1].packed + h[2].packed); ms++) usleep(1000);
    if (!rc) rc = writer_flush(w, e);
    *packed = 0;
    for (int i = 0; i < helpers && w; i++) {
        h[i].is_over = true;
        pthread_join(h[i].thread, NULL);
        *packed += h[i].packed;
    }
    if (!rc) return writer_close(w, e);
    writer_abort(w);
    return rc;
}

static void packed_behind(void)
{
    struct err e = { 0 };
    size_t n[3] = { 0 };
    int packed = 0;

    is_int(write_blocks("alone", 1, 0, &packed, &e), 0, "the caller packs blocks");
    is_int(write_blocks("unhelped", 3, 0, &packed, &e), 0, "also those that wait for help that does not come");
    is_int(write_blocks("helped", 3, 3, &packed, &e), 0, "threads pack blocks for the caller");
    ok(packed > 0, "%d of them", packed);
    char *alone = file_load("alone", 1 << 24, &n[0], &e), *unhelped = file_load("unhelped", 1 << 24, &n[1], &e);
    char *helped = file_load("helped", 1 << 24, &n[2], &e);
    ok(alone && unhelped && n[0] == n[1] && !memcmp(alone, unhelped, n[0]), "the same bytes");
    ok(alone && helped && n[0] == n[2] && !memcmp(alone, helped, n[0]), "whoever packs");
    free(alone);
    free(unhelped);
    free(helped);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ n[0] / 2, RLIM_INFINITY });
    is_int(write_blocks("full", 3, 3, &packed, &e), -1, "a write that fails behind the caller is told");
    ok(strstr(e.text, "File too large") && access("full", F_OK), "with its reason, and leaves no file: %s", e.text);
}

int main(void)
{
    struct err e = { 0 };

    if (!mkdtemp(dir) || chdir(dir)) return 1;
    damage();
    joined();
    foreign();
    filters();
    empty_tensor();
    too_large();
    no_memory();
    packed_behind();
    if (chdir("/")) return 1;
    dir_remove(dir, &e);
    return done();
}
