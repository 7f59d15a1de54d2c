/* The readers of streams: one after another, and by id. The input is a stream, or, after a first byte 'B', parts
 * between NULs that become blocks with right checksums (text, tensors, text, tensors ...), as no fuzzer invents those.
 * Both readers must agree, and what is read must be written and read again. */
#include "core/mem.h"
#include "memory_file.h"
#include "stream/frame.h"
#include "stream/reader.h"
#include "stream/store.h"
#include "stream/writer.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint8_t sink;

static void touch(const struct record *r)
{
    uint8_t sum = 0;

    for (int i = 0; i < r->n_tensors; i++) {
        for (int64_t k = 0; k < r->tensors[i].bytes; k++) sum ^= ((const uint8_t *)r->tensors[i].data)[k];
    }
    sink = sum;
}

/* Records, or -1. */
static int64_t read_all(const char *path, const struct reader_opts *o, uint64_t *digest, struct err *e)
{
    struct reader *in = reader_open(&path, 1, o, e);
    struct record *r;
    struct str line = { 0 };
    int64_t count = 0;
    int got = in ? 0 : -1;

    while (in && (got = reader_next(in, &r, e)) > 0) {
        count++;
        touch(r);
        value_print(r->fields, &line);
        for (int i = 0; i < r->n_tensors; i++) str_add_bytes(&line, r->tensors[i].data, (size_t)r->tensors[i].bytes);
        record_free(r);
    }
    reader_close(in);
    *digest = hash64(str_c(&line), line.n, 0);
    str_release(&line);
    if (got < 0 && !e->text[0]) abort();
    return got < 0 ? -1 : count;
}

static void store_all(const char *path, int64_t count)
{
    struct err e = { 0 };
    struct record *r;
    struct store *s = store_open(&path, 1, 1 << 20, &e);

    if (!s && !e.text[0]) abort();
    if (!s) return; /* ids may repeat or be missing there */
    if (count >= 0 && store_count(s) != count) abort();
    for (int64_t i = 0; i < store_count(s) && i < 64; i++) {
        err_clear(&e);
        if (store_get(s, i, &r, &e)) {
            if (!e.text[0]) abort();
            continue;
        }
        touch(r);
        record_free(r);
    }
    store_close(s);
}

/* Writes what was read, and reads it. */
static void round_trip(const char *path, int64_t count, uint64_t digest)
{
    static char copy[64];
    struct err e = { 0 };
    struct reader *in = reader_open(&path, 1, NULL, &e);
    struct record *r;
    uint64_t again;

    if (!copy[0]) snprintf(copy, sizeof copy, "/tmp/unimo-fuzz.%d", (int)getpid());
    struct writer *out = in ? writer_open(copy, &(struct writer_opts){ .repeats = true, .level = 1 }, &e) : NULL;
    if (!out) abort();
    while (reader_next(in, &r, &e) > 0) {
        if (writer_put(out, r, &e)) abort();
        record_free(r);
    }
    reader_close(in);
    if (writer_close(out, &e) || read_all(copy, NULL, &again, &e) != count || again != digest) abort();
    unlink(copy);
}

static void make_blocks(struct str *out, const uint8_t *data, size_t n)
{
    for (int part = 0; n && part < 8; part++) {
        const uint8_t *end = memchr(data, 0, n);
        size_t length = end ? (size_t)(end - data) : n;
        struct str inner = { 0 };
        if (part % 2) {
            frame_compress(&inner, data, length, 1);
            frame_add(out, FRAME_TENSORS, inner.data, inner.n);
        } else {
            frame_compress(out, data, length, 1);
        }
        str_release(&inner);
        n -= length + (end != NULL);
        data += length + (end != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str made = { 0 };
    struct err e = { 0 }, other = { 0 };
    uint64_t digest, ignored;

    if (n && data[0] == 'B') make_blocks(&made, data + 1, n - 1);
    const char *path = made.n ? memory_file((const uint8_t *)made.data, made.n) : memory_file(data, n);
    int64_t count = read_all(path, NULL, &digest, &e);
    int64_t light = read_all(path, &(struct reader_opts){ .skip_tensors = true }, &ignored, &other);
    if (count >= 0 && light != count) abort();
    store_all(path, count);
    if (count > 0) round_trip(path, count, digest);
    str_release(&made);
    return 0;
}
