#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, HUGE_PAGE = 2 << 20 };

/* Large pieces lie in huge pages where the system has any: they are had with a 500th of the faults, and found with
 * fewer misses of the processor's table of pages. */
int cpu_allocate(struct device *d, void **data, int64_t bytes)
{
    size_t size = (size_t)(bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    bool is_large = size >= HUGE_PAGE;

    *data = NULL;
    if (!posix_memalign(data, is_large ? HUGE_PAGE : ALIGN, size)) {
        if (is_large) madvise(*data, size, MADV_HUGEPAGE);
        return 0;
    }
    snprintf(d->why, sizeof d->why, "not enough memory for %lld bytes", (long long)bytes);
    return -1;
}

int cpu_release(struct device *d, void *data)
{
    free(data);
    return 0;
}

int cpu_upload(struct device *d, void *dst, const void *src, int64_t bytes)
{
    if (bytes) memcpy(dst, src, (size_t)bytes);
    return 0;
}

int cpu_download(struct device *d, void *dst, const void *src, int64_t bytes)
{
    if (bytes) memcpy(dst, src, (size_t)bytes);
    return 0;
}

int cpu_sync(struct device *d)
{
    return 0;
}

int cpu_fill(struct device *d, struct tensor y, float value)
{
    if (value == 0 && y.n) memset(y.data, 0, (size_t)tensor_bytes(y));
    else
        for (int64_t i = 0; i < y.n; i++) put(y, i, value);
    return 0;
}

int cpu_convert(struct device *d, struct tensor y, struct tensor x)
{
    for (int64_t i = 0; i < y.n; i++) put(y, i, get(x, i));
    return 0;
}

int cpu_params_changed(struct device *d)
{
    d->param_epoch++;
    return 0;
}
