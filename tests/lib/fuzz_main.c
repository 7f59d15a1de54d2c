/* Runs a fuzz target over its seeds as a TAP test: tests/fuzz/seeds/NAME/ for build/.../tests/fuzz/NAME.t, each whole,
 * cut at several places and with single bytes changed. `make fuzz` links the same target with libFuzzer instead. */
#include "tap.h"
#include <dirent.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The target gets a buffer of exactly n bytes, so that a sanitizer sees one byte too far. */
static void feed(const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);

    if (!exact) abort();
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static void feed_variants(uint8_t *data, size_t n)
{
    feed(data, n);
    for (size_t k = 1; k <= 16; k++) feed(data, n * k / 17);
    for (size_t k = 0; k < 64 && n; k++) {
        size_t at = (k * 2654435761u) % n;
        uint8_t was = data[at];
        data[at] = (uint8_t)(was ^ (1u << (k % 8)));
        feed(data, n);
        data[at] = was;
    }
}

static uint8_t *load(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(1 << 22);

    *n = f && data ? fread(data, 1, 1 << 22, f) : 0;
    if (f) fclose(f);
    return data;
}

int main(int argc, char **argv)
{
    char dir[512], path[1024], name[128];
    const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    struct dirent *entry;
    int seeds = 0;

    snprintf(name, sizeof name, "%.*s", (int)strcspn(base, "."), base);
    snprintf(dir, sizeof dir, "%s/tests/fuzz/seeds/%s", argc > 1 ? argv[1] : ".", name);
    DIR *d = opendir(dir);
    while (d && (entry = readdir(d))) {
        size_t n;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        uint8_t *data = load(path, &n);
        if (data) feed_variants(data, n);
        free(data);
        ok(data != NULL, "seed %s", entry->d_name);
        seeds++;
    }
    if (d) closedir(d);
    ok(seeds > 0, "%s has seeds", dir);
    return done();
}
