/* Mean features: the nearest by them are those of a plain search in double precision. */
#include "core/rng.h"
#include "rewrite/means.h"
#include "tap.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IMAGES = 300, REGIONS = 3, WIDTH = 37 };
static float features[IMAGES][REGIONS][WIDTH];
static double means[IMAGES][WIDTH];
static struct arena a;

static void make(void)
{
    struct rng r;

    rng_init(&r, 5, 0);
    for (int i = 0; i < IMAGES; i++) {
        double length = 0;
        for (int k = 0; k < WIDTH; k++) {
            for (int j = 0; j < REGIONS; j++) {
                features[i][j][k] = (float)rng_uniform(&r);
                means[i][k] += (double)features[i][j][k] / REGIONS;
            }
            length += means[i][k] * means[i][k];
        }
        for (int k = 0; k < WIDTH; k++) means[i][k] /= sqrt(length);
    }
}

static struct record *image_record(int i, int width)
{
    struct record *r = record_new();

    record_set_tensor(r, "features", DT_F32, 2, (const int64_t[]){ REGIONS, width }, features[i]);
    return r;
}

static double cosine(int i, int k)
{
    double sum = 0;

    for (int d = 0; d < WIDTH; d++) sum += means[i][d] * means[k][d];
    return sum;
}

static void test_search(const char *path)
{
    struct err e = { 0 };
    struct means *m = means_open(path, IMAGES, &e);
    int32_t got[IMAGES];
    int bad = 0;

    ok(m != NULL, "opened%s", e.text);
    if (!m) return;
    for (int i = 0; i < IMAGES; i += 7) {
        int n = means_best(m, i, got, 20, &a);
        bool seen[IMAGES] = { false };
        double least = 1;
        for (int k = 0; k < n; k++) {
            bad += got[k] == i || seen[got[k]] || (k && cosine(i, got[k]) > cosine(i, got[k - 1]) + 1e-3);
            seen[got[k]] = true;
            least = fmin(least, cosine(i, got[k]));
        }
        for (int k = 0; k < IMAGES; k++) bad += k != i && !seen[k] && cosine(i, k) > least + 1e-3;
        bad += n != 20;
    }
    is_int(bad, 0, "the nearest, the nearest first, never itself");
    is_int(means_best(m, 3, got, 0, &a), 0, "none of none");
    is_int(means_best(m, 3, got, IMAGES, &a), IMAGES - 1, "all but itself");
    means_close(m);
    ok(!means_open(path, IMAGES + 1, &e), "another number of images is refused: %s", e.text);
}

int main(void)
{
    char dir[] = "/tmp/unimo-means-XXXXXX", path[64];
    struct err e = { 0 };
    const float *mean = NULL;
    int64_t width = 0;

    if (!mkdtemp(dir)) skip_all("no temporary directory");
    snprintf(path, sizeof path, "%s/means", dir);
    make();
    struct means_builder *b = means_builder_new(dir, &e);
    int rc = b ? 0 : -1;
    for (int i = 0; i < IMAGES && !rc; i++) {
        struct record *r = image_record(i, WIDTH);
        rc = means_of(r, &mean, &width, &a, &e) || means_builder_add(b, mean, width, &e);
        record_free(r);
    }
    struct record *r = image_record(0, WIDTH - 1);
    ok(!rc && !means_of(r, &mean, &width, &a, &e) && means_builder_fits(b, width, &e), "another width is refused: %s",
       e.text);
    record_free(r);
    err_clear(&e);
    ok(!means_builder_save(b, path, &e), "saved%s", e.text);
    means_builder_free(b);
    test_search(path);
    unlink(path);
    rmdir(dir);
    arena_release(&a);
    return done();
}
