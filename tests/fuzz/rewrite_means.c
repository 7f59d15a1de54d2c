/* The loader of learnt mean features: what it accepts must be searched without a step outside. */
#include "rewrite/means.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { IMAGES = 4, WANT = 3 };
    int fd = memfd_create("means", 0);
    char path[64];
    struct err e = { 0 };

    if (fd < 0 || write(fd, data, n) != (ssize_t)n) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct means *m = means_open(path, IMAGES, &e);
    if (!m && !e.text[0]) abort();
    if (m) {
        struct arena a = { 0 };
        int32_t nearest[WANT];
        if (means_best(m, 1, nearest, WANT, &a) != WANT) abort();
        for (int i = 0; i < WANT; i++) {
            if (nearest[i] < 0 || nearest[i] >= IMAGES || nearest[i] == 1) abort();
        }
        arena_release(&a);
        means_close(m);
    }
    close(fd);
    return 0;
}
