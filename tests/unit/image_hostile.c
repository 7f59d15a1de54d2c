/* Ten thousand broken JPEGs, of every kind and with every part mutated: each is a picture or one clear line, soon, and
 * without the memory that a lying header asks for. Then the extremes: sizes, scans, EXIF. */
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rng.h"
#include "image/jpeg.h"
#include "tap.h"
#include <sys/resource.h>

enum { ROUNDS = 10000 };

static int bad_line(const struct err *e)
{
    return e->code == ERR_NONE || !e->text[0] || strchr(e->text, '\n') != NULL;
}

/* Flips bits, overwrites, cuts, doubles or moves pieces; sometimes writes sizes into what may be the frame header. */
static size_t mutate(uint8_t *out, const uint8_t *data, size_t n, struct rng *r)
{
    memcpy(out, data, n);
    for (int64_t k = rng_below(r, 4) + 1; k > 0 && n > 2; k--) {
        size_t at = (size_t)rng_below(r, rng_below(r, 2) ? (int64_t)n : (int64_t)(n < 700 ? n : 700)),
               length = (size_t)rng_below(r, 40) + 1;
        if (length > n - at) length = n - at;
        switch (rng_below(r, 6)) {
        case 0:
            out[at] ^= (uint8_t)(1u << rng_below(r, 8));
            break;
        case 1:
            memset(out + at, (int)rng_below(r, 256), length);
            break;
        case 2:
            n = at + 1;
            break;
        case 3:
            memmove(out + at, out + rng_below(r, (int64_t)(n - length + 1)), length);
            break;
        case 4:
            memmove(out + at, out + at + length, n - at - length), n -= length;
            break;
        default:
            for (size_t i = 2; i + 9 < n; i++) {
                if (out[i] != 0xff || out[i + 1] < 0xc0 || out[i + 1] > 0xc2) continue;
                for (size_t b = 5; b < 9; b++) out[i + b] = (uint8_t)rng_below(r, 256);
            }
        }
    }
    return n;
}

struct source {
    const char *name;
    uint8_t *data;
    size_t n;
};
enum { SOURCES = 7 };
static struct source source[SOURCES];

static struct source from_file(const char *name, const char *path)
{
    struct err e = { 0 };
    struct source s = { .name = name };

    s.data = (uint8_t *)file_load(path, 1 << 24, &s.n, &e);
    ok(s.data, "%s %s", path, e.text);
    return s;
}

static struct source blank(int width, int height)
{
    struct source s = { .name = "blank" };
    struct err e = { 0 };
    struct image m;

    ok(!image_init(&m, width, height, &e) && !jpeg_encode(&m, 90, &s.data, &s.n, &e), "%d x %d is made %s", width,
       height, e.text);
    image_release(&m);
    return s;
}

static void make_sources(void)
{
    source[0] = from_file("baseline", "testdata/jpeg/baseline.jpg");
    source[1] = from_file("progressive", "testdata/jpeg/progressive.jpg");
    source[2] = from_file("gray", "testdata/jpeg/gray.jpg");
    source[3] = from_file("YCCK", "testdata/jpeg/cmyk.jpg");
    source[4] = from_file("CMYK", "testdata/jpeg/cmyk.jpg");
    uint8_t *adobe = memmem(source[4].data, source[4].n, "Adobe", 5);
    ok(adobe && adobe[11] == 2, "the Adobe marker says YCCK");
    if (adobe) adobe[11] = 0;
    source[5] = from_file("EXIF", "tests/fuzz/seeds/jpeg/turned.jpg");
    source[6] = blank(1, 1);
}

/* Of one kind: counts by what became of them. */
struct tally {
    int decoded, refused, mute;
    double slowest;
};

static void try(struct tally *t, const uint8_t *data, size_t n, int part)
{
    uint8_t *exact = mem_new(uint8_t, n); /* so that a sanitizer sees one byte too far */
    struct err e = { 0 };
    struct image m;
    int width = 0, height = 0;

    memcpy(exact, data, n);
    double start = clock_seconds();
    bool has_size = !jpeg_size(exact, n, &width, &height, &e), is_picture = !jpeg_decode_part(&m, exact, n, part, &e);
    double took = clock_seconds() - start;
    t->slowest = took > t->slowest ? took : t->slowest;
    t->decoded += is_picture;
    t->refused += !is_picture;
    t->mute += !is_picture && (bad_line(&e) || m.rgb);
    t->mute +=
        is_picture && !(has_size && m.width == (width + part - 1) / part && m.height == (height + part - 1) / part);
    image_release(&m);
    free(exact);
}

static void mutations(void)
{
    struct tally t = { 0 };
    struct rusage usage;
    struct rng r;

    rng_init(&r, 20, 1);
    for (int f = 0; f < SOURCES; f++) {
        struct tally whole = { 0 };
        try(&whole, source[f].data, source[f].n, 1);
        is_int(whole.decoded, 1, source[f].name);
        for (int k = 0; k < ROUNDS / SOURCES; k++) {
            uint8_t *broken = mem_new(uint8_t, source[f].n);
            size_t left = mutate(broken, source[f].data, source[f].n, &r);
            try(&t, broken, left, 1 << rng_below(&r, 4));
            free(broken);
        }
    }
    is_int(t.decoded + t.refused, ROUNDS / SOURCES * SOURCES, "all were looked at");
    ok(t.decoded > 100 && t.refused > ROUNDS / 2, "some are still pictures, most are not (%d, %d)", t.decoded,
       t.refused);
    is_int(t.mute, 0, "what is refused is refused in one line, and leaves nothing");
    ok(t.slowest < 5, "none takes long (the slowest %.2f s)", t.slowest);
    getrusage(RUSAGE_SELF, &usage);
    ok(usage.ru_maxrss < 1 << 20, "nor much memory (at most %ld MiB)", usage.ru_maxrss >> 10);
}

/* Widths and heights at the format's limits. */
static void extremes(void)
{
    static const int sides[][2] = { { 65500, 1 }, { 1, 65500 }, { 65500, 16 } };

    for (int i = 0; i < 3; i++) {
        struct source s = blank(sides[i][0], sides[i][1]);
        struct tally t = { 0 };
        for (int part = 1; part <= 8; part *= 2) try(&t, s.data, s.n, part);
        ok(t.decoded == 4 && !t.mute, "%d x %d is read, also at parts of its size", sides[i][0], sides[i][1]);
        free(s.data);
    }
}

/* A progressive picture of side x side gray pixels whose scans after the first change nothing: some bytes each. */
static struct source many_scans(int side, int scans)
{
    static const uint8_t start[] = { 0xff, 0xd8, 0xff, 0xc2, 0, 11, 8, 0, 0, 0, 0, 1, 1, 0x11, 0,
                                     /* codes of one bit: DC difference 0; AC "2^14 blocks end here" */
                                     0xff, 0xc4, 0, 20, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
                                     0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0 };
    size_t blocks = (size_t)(side / 8) * (size_t)(side / 8), first = (blocks + 7) / 8,
           each = ((blocks + 16383) / 16384 * 15 + 7) / 8, n;
    struct source s = { .name = "scans", .data = mem_new(uint8_t, 200 + first + (each + 10) * (size_t)scans) };
    const uint8_t table[] = { 0xff, 0xdb, 0, 67, 0 };

    memcpy(s.data, start, sizeof start);
    s.data[7] = s.data[9] = (uint8_t)(side >> 8);
    s.data[8] = s.data[10] = (uint8_t)side;
    n = sizeof start;
    memcpy(s.data + n, table, sizeof table);
    memset(s.data + n + sizeof table, 1, 64);
    n += sizeof table + 64;
    for (int k = 0; k <= scans; k++) {
        uint8_t at = (uint8_t)(k ? 1 + (k - 1) % 63 : 0), low = (uint8_t)(k ? 13 - (k - 1) / 63 : 0);
        const uint8_t scan[] = { 0xff, 0xda, 0, 8, 1, 1, 0, at, at, (uint8_t)((k > 63 ? low + 1 : 0) << 4 | low) };
        memcpy(s.data + n, scan, sizeof scan);
        n += sizeof scan + (k ? each : first);
    }
    s.data[n++] = 0xff;
    s.data[n++] = 0xd9;
    s.n = n;
    return s;
}

static void bombs(void)
{
    struct source few = many_scans(2048, 5), many = many_scans(16000, 300), all = many_scans(512, 600);
    struct tally t = { 0 };
    struct err e = { 0 };
    struct image m;

    try(&t, few.data, few.n, 1);
    ok(t.decoded == 1, "a progressive picture made by hand");
    ok(jpeg_decode(&m, many.data, many.n, &e) == -1 && strstr(e.text, "too many scans"),
       "one that would be gone over hundreds of times: %s", e.text);
    err_clear(&e);
    ok(jpeg_decode(&m, all.data, all.n, &e) == -1, "nor are more than 500 scans of a small one read: %s", e.text);
    free(few.data);
    free(many.data);
    free(all.data);
}

/* EXIF that says nonsense is as good as none; the picture is not turned. */
static void broken_exif(void)
{
    struct source s = source[5];
    uint8_t *tiff = memmem(s.data, s.n, "Exif\0", 6);
    static const struct {
        int at;
        uint8_t value;
        const char *what;
    } cases[] = { { 10, 0xff, "a directory outside" },
                  { 14, 0xff, "more entries than there are" },
                  { 25, 99, "an orientation that is none" },
                  { 6, 'x', "another byte order" } };
    int width, height, w, h;
    struct err e = { 0 };

    if (!ok(tiff && !jpeg_size(s.data, s.n, &width, &height, &e), "a turned picture %s", e.text)) return;
    for (int i = 0; i < 4; i++) {
        uint8_t was = tiff[cases[i].at];
        tiff[cases[i].at] = cases[i].value;
        bool is_read = !jpeg_size(s.data, s.n, &w, &h, &e);
        ok(is_read && ((w == height && h == width) || (w == width && h == height)), "%s %s", cases[i].what, e.text);
        struct tally t = { 0 };
        try(&t, s.data, s.n, 1);
        ok(t.decoded == 1 && !t.mute, "is a picture still");
        tiff[cases[i].at] = was;
    }
}

int main(void)
{
    make_sources();
    mutations();
    extremes();
    bombs();
    broken_exif();
    for (int i = 0; i < SOURCES; i++) free(source[i].data);
    return done();
}
