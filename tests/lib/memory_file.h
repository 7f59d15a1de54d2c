/* A file without a disk, for fuzz targets of loaders that take a path. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The path of a file with these bytes; the next call replaces them. */
static inline const char *memory_file(const uint8_t *data, size_t n)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0)) abort();
    for (size_t at = 0; at < n;) {
        ssize_t put = pwrite(fd, data + at, n - at, (off_t)at);
        if (put <= 0) abort();
        at += (size_t)put;
    }
    return path;
}
#endif
