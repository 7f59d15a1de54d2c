/* From a JPEG to the detector's input: decoding whole or at a part of its size, turning, resizing; drawing on it and
 * encoding it again. */
#include "image/jpeg.h"
#include "image/draw.h"
#include "image/resize.h"
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static float input[40 * 32 * 3];
    struct err e = { 0 };
    struct image m, back;
    uint8_t *encoded;
    size_t encoded_n;
    int width, height, part = n ? 1 << data[n - 1] % 4 : 1;

    if (jpeg_decode_part(&m, data, n, part, &e)) {
        if (!e.text[0] || m.rgb) abort();
        return 0;
    }
    if (jpeg_size(data, n, &width, &height, &e)) abort();
    if (m.width != (width + part - 1) / part || m.height != (height + part - 1) / part) abort();
    resize_bilinear(input, 40, 32, &m, 0, 0);
    for (int i = 0; i < 40 * 32 * 3; i++) {
        if (!(input[i] >= 0 && input[i] <= 255)) abort();
    }
    draw_box(&m, -3, 2, (float)m.width, NAN, 2, 0xff0000);
    draw_label(&m, m.width - 2, -9, draw_label_size(&m), "fuzz \xc3\xa9 0.5", 0xffffff, 0);
    bool is_small = (long long)m.width * m.height < 1 << 16;
    if (is_small && jpeg_encode(&m, 90, &encoded, &encoded_n, &e)) abort();
    if (is_small) {
        if (jpeg_decode(&back, encoded, encoded_n, &e) || back.width != m.width || back.height != m.height) abort();
        image_release(&back);
        free(encoded);
    }
    image_release(&m);
    return 0;
}
