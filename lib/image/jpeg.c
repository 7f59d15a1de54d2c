#include "image/jpeg.h"
#include "core/file.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

static unsigned be16(const uint8_t *p, bool is_little)
{
    return is_little ? (unsigned)(p[0] | p[1] << 8) : (unsigned)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p, bool is_little)
{
    return is_little ? be16(p, true) | (uint32_t)be16(p + 2, true) << 16
                     : (uint32_t)be16(p, false) << 16 | be16(p + 2, false);
}

/* The orientation tag (0x0112) in an EXIF block: a TIFF header and the first directory. 1 when it says nothing usable.
 */
static int tiff_orientation(const uint8_t *p, size_t n)
{
    if (n < 8) return 1;
    bool is_little = p[0] == 'I';
    uint32_t at = be32(p + 4, is_little);
    if (at > n || n - at < 2) return 1;
    unsigned entries = be16(p + at, is_little);
    for (unsigned i = 0; i < entries && n - at >= 2 + 12 * (size_t)(i + 1); i++) {
        const uint8_t *entry = p + at + 2 + 12 * (size_t)i;
        bool is_long = be16(entry + 2, is_little) == 4; /* instead of a short: allowed nowhere, and written by some */
        uint32_t value = is_long ? be32(entry + 8, is_little) : be16(entry + 8, is_little);
        if (be16(entry, is_little) == 0x0112) return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

enum { EXIF = 0xe1, FIRST_SCAN = 0xda };

/* The segment at p[at], before which any number of 0xff may stand; n when none is there. */
static size_t segment_at(const uint8_t *p, size_t n, size_t at)
{
    while (at + 4 < n && p[at] == 0xff && p[at + 1] == 0xff) at++;
    return at + 4 <= n && p[at] == 0xff ? at : n;
}

static size_t segment_behind(const uint8_t *p, size_t n, size_t at)
{
    return segment_at(p, n, at + 2 + be16(p + at + 2, false));
}

/* Walks the segments before the picture to the APP1 that holds EXIF. */
static int exif_orientation(const uint8_t *p, size_t n)
{
    for (size_t at = segment_at(p, n, 2); at < n && p[at + 1] != FIRST_SCAN; at = segment_behind(p, n, at)) {
        size_t length = be16(p + at + 2, false);
        if (length < 2 || length > n - at - 2) break;
        if (p[at + 1] == EXIF && length >= 8 && !memcmp(p + at + 4, "Exif\0", 6))
            return tiff_orientation(p + at + 10, length - 8);
    }
    return 1;
}

/* Whether a Huffman-coded picture of so many pixels can be in n bytes at all: each block of 8 x 8 of the first
 * component takes a bit at least. What says it is larger is a bomb or cut short, and is refused before it costs memory.
 */
static bool is_plausible(const uint8_t *p, size_t n, int64_t pixels)
{
    for (size_t at = segment_at(p, n, 2); at < n && p[at + 1] != FIRST_SCAN; at = segment_behind(p, n, at)) {
        if (p[at + 1] >= 0xc9 && p[at + 1] <= 0xcf && p[at + 1] != 0xcc) return true; /* arithmetic coding */
    }
    return pixels / (16 * 16 * 8) <= (int64_t)n; /* the first component may be halved by subsampling both ways */
}

/* Pixels in all scans: a progressive picture is gone over once for each, and a scan that changes nothing takes a few
 * bytes. The format's own pictures have about ten. */
#define SCANNED_MOST (1LL << 32) /* sixteen times the largest picture: some seconds */
static bool is_long(const uint8_t *p, size_t n, int64_t pixels)
{
    int64_t scans = 0;

    for (const uint8_t *end = p + n - 1; p < end && (p = memchr(p, 0xff, (size_t)(end - p))); p++)
        scans += p[1] == 0xda;
    return scans > 1 && scans * pixels > SCANNED_MOST;
}

static bool is_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* What is in the frame header: the components, and the samples that all have for each pixel. */
struct frame {
    int components;
    double samples;
    bool is_kept; /* all coefficients are, until the last of several scans was read */
};

static struct frame read_frame(const uint8_t *p, size_t n)
{
    struct frame f = { 3, 3, false };
    size_t at = segment_at(p, n, 2), most = 1, sum = 0;

    for (; at < n && p[at + 1] != FIRST_SCAN; at = segment_behind(p, n, at)) {
        if (!is_frame(p[at + 1]) || at + 10 > n || at + 10 + 3 * (size_t)p[at + 9] > n) continue;
        f.components = p[at + 9];
        f.is_kept = p[at + 1] == 0xc2 || p[at + 1] == 0xca; /* progressive */
        for (int i = 0; i < f.components; i++) {
            size_t both = (size_t)(p[at + 11 + 3 * (size_t)i] >> 4) * (p[at + 11 + 3 * (size_t)i] & 15);
            most = both > most ? both : most;
            sum += both;
        }
        f.samples = (double)sum / (double)most;
    }
    if (at + 4 < n && p[at + 4] < f.components) f.is_kept = true; /* of the first scan */
    return f;
}

int64_t jpeg_memory(const uint8_t *data, size_t n, int width, int height, int part)
{
    struct frame f = read_frame(data, n);
    int64_t shown = ((int64_t)width + part - 1) / part * (((int64_t)height + part - 1) / part),
            kept = f.is_kept ? (int64_t)(2 * f.samples * (double)width * height) : 0, cmyk = f.components == 4 ? 4 : 0,
            decoding = (3 + cmyk) * shown + kept, turning = exif_orientation(data, n) > 1 ? 6 * shown : 0;

    return decoding > turning ? decoding : turning;
}

/* Turns a picture as orientation 2..8 asks. */
static int orient(struct image *m, int orientation, struct err *e)
{
    struct image turned;
    bool is_sideways = orientation >= 5;

    if (image_init(&turned, is_sideways ? m->height : m->width, is_sideways ? m->width : m->height, e)) return -1;
    for (int y = 0; y < turned.height; y++) {
        for (int x = 0; x < turned.width; x++) {
            int sx = is_sideways ? y : x, sy = is_sideways ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) sx = m->width - 1 - sx;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) sy = m->height - 1 - sy;
            memcpy(turned.rgb + ((size_t)y * (size_t)turned.width + (size_t)x) * 3,
                   m->rgb + ((size_t)sy * (size_t)m->width + (size_t)sx) * 3, 3);
        }
    }
    image_release(m);
    *m = turned;
    return 0;
}

/* Adobe stores CMYK inverted: each part is what is left of the light. */
static int decode_cmyk(tjhandle h, struct image *m, const uint8_t *data, size_t n, int flags, struct err *e)
{
    size_t pixels = (size_t)m->width * (size_t)m->height;
    uint8_t *cmyk = mem_try(pixels, 4);

    if (!cmyk) return err_set(e, ERR_IO, "not enough memory for a picture of %d x %d", m->width, m->height);
    int rc = tjDecompress2(h, data, (unsigned long)n, cmyk, m->width, 0, m->height, TJPF_CMYK, flags);
    for (size_t i = 0; i < pixels && !rc; i++) {
        for (int c = 0; c < 3; c++)
            m->rgb[3 * i + (size_t)c] = (uint8_t)((cmyk[4 * i + (size_t)c] * cmyk[4 * i + 3] + 127) / 255);
    }
    free(cmyk);
    return rc ? err_set(e, ERR_INPUT, "corrupt JPEG: %s", tjGetErrorStr2(h)) : 0;
}

/* A decoder that has read the headers, and what they say; the sizes are as stored. NULL for what can be no picture. */
static tjhandle open_header(const uint8_t *data, size_t n, int *width, int *height, int *space, struct err *e)
{
    int subsampling, rc = -1;

    *width = *height = *space = 0; /* a file of tables alone, or cut before its frame, is read without setting them */
    if (n < 4 || data[0] != 0xff || data[1] != 0xd8) {
        err_set(e, ERR_INPUT, "not a JPEG");
        return NULL;
    }
    tjhandle h = tjInitDecompress();
    if (!h) err_set(e, ERR_IO, "cannot start the JPEG decoder");
    else if (tjDecompressHeader3(h, data, (unsigned long)n, width, height, &subsampling, space))
        err_set(e, ERR_INPUT, "corrupt JPEG: %s", tjGetErrorStr2(h));
    else if (*width <= 0 || *height <= 0) err_set(e, ERR_INPUT, "corrupt JPEG: it ends before its picture begins");
    else if (!is_plausible(data, n, (int64_t)*width * *height))
        err_set(e, ERR_INPUT, "corrupt JPEG: %d x %d pixels in %zu bytes", *width, *height, n);
    else if (is_long(data, n, (int64_t)*width * *height))
        err_set(e, ERR_INPUT, "%d x %d pixels in too many scans", *width, *height);
    else rc = image_check(*width, *height, e);
    if (!rc) return h;
    if (h) tjDestroy(h);
    return NULL;
}

int jpeg_size(const uint8_t *data, size_t n, int *width, int *height, struct err *e)
{
    int w, h, space;
    tjhandle handle = open_header(data, n, &w, &h, &space, e);

    if (!handle) return -1;
    tjDestroy(handle);
    bool is_sideways = exif_orientation(data, n) >= 5;
    *width = is_sideways ? h : w;
    *height = is_sideways ? w : h;
    return 0;
}

int jpeg_decode_part(struct image *m, const uint8_t *data, size_t n, int part, struct err *e)
{
    const int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
    int width, height, space, rc = -1;
    tjhandle h = open_header(data, n, &width, &height, &space, e);

    *m = (struct image){ 0 };
    if (!h) return -1;
    if (!image_init(m, (width + part - 1) / part, (height + part - 1) / part, e)) {
        if (space == TJCS_CMYK || space == TJCS_YCCK) rc = decode_cmyk(h, m, data, n, flags, e);
        else if (!tjDecompress2(h, data, (unsigned long)n, m->rgb, m->width, 0, m->height, TJPF_RGB, flags)) rc = 0;
        else err_set(e, ERR_INPUT, "corrupt JPEG: %s", tjGetErrorStr2(h));
    }
    tjDestroy(h);
    int orientation = rc ? 1 : exif_orientation(data, n);
    if (orientation > 1) rc = orient(m, orientation, e);
    if (rc) image_release(m);
    return rc;
}

int jpeg_decode(struct image *m, const uint8_t *data, size_t n, struct err *e)
{
    return jpeg_decode_part(m, data, n, 1, e);
}

int jpeg_load(struct image *m, const char *path, struct err *e)
{
    size_t n;
    char *data = file_load(path, JPEG_FILE_MAX, &n, e);
    int rc = data ? jpeg_decode(m, (const uint8_t *)data, n, e) : -1;

    if (data && rc) err_in(e, "%s", path);
    free(data);
    return rc;
}

int jpeg_encode(const struct image *m, int quality, uint8_t **data, size_t *n, struct err *e)
{
    unsigned char *made = NULL;
    unsigned long size = 0;
    int rc = -1;

    *data = NULL;
    *n = 0;
    tjhandle h = tjInitCompress();
    if (!h) return err_set(e, ERR_IO, "cannot start the JPEG encoder");
    if (tjCompress2(h, m->rgb, m->width, 0, m->height, TJPF_RGB, &made, &size, TJSAMP_420, quality,
                    TJFLAG_ACCURATEDCT)) {
        err_set(e, ERR_IO, "cannot encode: %s", tjGetErrorStr2(h));
    } else if (!(*data = mem_try(size, 1))) {
        err_set(e, ERR_IO, "not enough memory for a JPEG of %lu bytes", size);
    } else {
        memcpy(*data, made, size);
        *n = size;
        rc = 0;
    }
    tjFree(made);
    tjDestroy(h);
    return rc;
}

int jpeg_save(const struct image *m, const char *path, int quality, struct err *e)
{
    uint8_t *data;
    size_t n;

    if (jpeg_encode(m, quality, &data, &n, e)) return err_in(e, "%s", path);
    int rc = out_save(path, data, n, e);
    free(data);
    return rc;
}
