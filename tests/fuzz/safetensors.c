/* The header of a safetensors file. What opens has tensors whose every byte is in the file, is found by name, and is
 * saved to the same tensors. */
#include "stream/safetensors.h"
#include "core/err.h"
#include "memory_file.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint8_t sink;

static void save(const struct safetensors *s)
{
    static char path[64];
    struct err e = { 0 };
    struct safetensors again;

    if (!path[0]) snprintf(path, sizeof path, "/tmp/unimo-fuzz.%d", (int)getpid());
    if (safetensors_save(path, s->at, s->n, NULL, 0, &e) || safetensors_open(&again, path, &e) || again.n != s->n)
        abort();
    for (int i = 0; i < s->n; i++) {
        const struct safetensor *a = &s->at[i], *b = safetensors_find(&again, a->name);
        if (!b || b->dtype != a->dtype || b->rank != a->rank || b->bytes != a->bytes ||
            memcmp(b->shape, a->shape, sizeof a->shape[0] * (size_t)a->rank) ||
            (a->bytes && memcmp(b->data, a->data, (size_t)a->bytes)))
            abort();
    }
    safetensors_close(&again);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = { 0 };
    struct safetensors s;

    if (safetensors_open(&s, memory_file(data, n), &e)) {
        if (!e.text[0]) abort();
        return 0;
    }
    for (int i = 0; i < s.n; i++) {
        uint8_t sum = 0;
        for (int64_t k = 0; k < s.at[i].bytes; k++) sum ^= ((const uint8_t *)s.at[i].data)[k];
        sink = sum;
        if (safetensors_find(&s, s.at[i].name) != &s.at[i]) abort();
    }
    safetensors_metadata(&s, "format");
    save(&s);
    safetensors_close(&s);
    return 0;
}
