#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cpu_allocate(struct device *d, void **data, int64_t bytes)
{
    *data = NULL;
    if (!posix_memalign(data, 64, (size_t)(bytes + 63) & ~(size_t)63)) return 0;
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
