/* Ten thousand broken JPEGs, from four kinds and with every part mutated: each is a picture or one clear line, soon,
 * and without the memory that a lying header asks for. */
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rng.h"
#include "image/jpeg.h"
#include "tap.h"
#include <sys/resource.h>

enum { FILES = 4, ROUNDS = 10000 };

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

int main(void)
{
    static const char *const names[FILES] = { "baseline", "progressive", "cmyk", "gray" };
    struct rng r;
    struct image m;
    struct rusage usage;
    int decoded = 0, refused = 0, mute = 0;
    double slowest = 0;

    rng_init(&r, 20, 1);
    for (int f = 0; f < FILES; f++) {
        char path[64];
        struct err e = { 0 };
        size_t n;
        snprintf(path, sizeof path, "testdata/jpeg/%s.jpg", names[f]);
        uint8_t *data = (uint8_t *)file_load(path, 1 << 24, &n, &e);
        if (!ok(data && !jpeg_decode(&m, data, n, &e), "%s is a picture %s", path, e.text)) continue;
        image_release(&m);
        for (int k = 0; k < ROUNDS / FILES; k++) {
            uint8_t *broken = mem_new(uint8_t, n);
            size_t left = mutate(broken, data, n, &r);
            uint8_t *exact = mem_new(uint8_t, left); /* so that a sanitizer sees one byte too far */
            memcpy(exact, broken, left);
            struct err why = { 0 };
            double start = clock_seconds();
            bool is_picture = !jpeg_decode(&m, exact, left, &why);
            double took = clock_seconds() - start;
            slowest = took > slowest ? took : slowest;
            decoded += is_picture;
            refused += !is_picture;
            mute += !is_picture && (bad_line(&why) || m.rgb);
            image_release(&m);
            free(broken);
            free(exact);
        }
        free(data);
    }
    is_int(decoded + refused, ROUNDS, "all were looked at");
    ok(decoded > 100 && refused > 5000, "some are still pictures, most are not (%d, %d)", decoded, refused);
    is_int(mute, 0, "what is refused is refused in one line, and leaves nothing");
    ok(slowest < 5, "none takes long (the slowest %.2f s)", slowest);
    getrusage(RUSAGE_SELF, &usage);
    ok(usage.ru_maxrss < 1 << 20, "nor much memory (at most %ld MiB)", usage.ru_maxrss >> 10);

    /* widths and heights at the format's limits */
    struct err e = { 0 };
    struct image wide;
    uint8_t *made;
    size_t made_n;
    ok(!image_init(&wide, 65500, 1, &e) && !jpeg_encode(&wide, 90, &made, &made_n, &e) &&
           !jpeg_decode(&m, made, made_n, &e),
       "65,500 pixels wide %s", e.text);
    is_int(m.width, 65500, "is read");
    image_release(&m);
    image_release(&wide);
    free(made);
    return done();
}
