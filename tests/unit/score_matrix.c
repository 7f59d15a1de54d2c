/* Scores of texts and images as unimo-predict writes them: read, and refused where they do not fit. */
#include "core/mem.h"
#include "score/matrix.h"
#include "stream/writer.h"
#include "tap.h"
#include <unistd.h>

static char dir[] = "/tmp/unimo-score-matrix.XXXXXX";
static char images[64], scores[64];

static struct record *named(const char *id, const char *image)
{
    struct record *r = record_new();

    value_set(r->fields, "id", value_str(id));
    if (image) value_set(r->fields, "image", value_str(image));
    return r;
}

static void put(struct writer *w, struct record *r)
{
    struct err e = { 0 };

    if (writer_put(w, r, &e)) ok(false, "%s", e.text);
    record_free(r);
}

static void write_images(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open(images, NULL, &e);

    put(w, named("x", NULL));
    put(w, named("y", NULL));
    put(w, named("z", NULL));
    ok(!writer_close(w, &e), "three images");
}

/* One text for each row of three scores. */
static void write_scores(const char *const *ids, const char *const *right, const float *rows, int n, int width)
{
    struct err e = { 0 };
    struct writer *w = writer_open(scores, &(struct writer_opts){ .repeats = true }, &e);

    for (int i = 0; i < n; i++) {
        struct record *r = named(ids[i], right[i]);
        record_set_tensor(r, "scores", DT_F32, 1, (const int64_t[]){ width }, rows + i * width);
        put(w, r);
    }
    if (writer_close(w, &e)) ok(false, "%s", e.text);
}

static void is_refused(const char *want, const char *what)
{
    struct matrix m;
    struct err e = { 0 };
    char text[256];

    ok(matrix_read(&m, scores, images, &e) == -1 && !m.scores && !m.texts.n, "%s is refused", what);
    snprintf(text, sizeof text, "%s: %s", scores, want);
    is_str(e.text, text, "in these words");
}

int main(void)
{
    static const char *const ids[] = { "a", "b" }, *const same[] = { "a", "a" }, *const right[] = { "z", "x" },
                             *const unknown[] = { "z", "q" };
    static const float rows[] = { 1, 2, 3, 4, 5, 6 }, bad[] = { 1, 2, NAN, 4, 5, 6 };
    struct matrix m;
    struct err e = { 0 };

    if (!mkdtemp(dir)) return 1;
    snprintf(images, sizeof images, "%s/images", dir);
    snprintf(scores, sizeof scores, "%s/scores", dir);
    write_images();
    write_scores(ids, right, rows, 2, 3);
    ok(!matrix_read(&m, scores, images, &e), "two texts and three images are read");
    is_int(m.n_texts, 2, "texts");
    is_int(m.n_images, 3, "images");
    is_int(m.gold[0] * 10 + m.gold[1], 20, "the right image of each");
    ok(!memcmp(m.scores, rows, sizeof rows), "and the scores");
    is_str(m.texts.at[1].key, "b", "by id");
    matrix_release(&m);
    write_scores(ids, right, rows, 2, 2);
    is_refused("record 1: tensor \"scores\" is [2] ([3] was expected)", "a score too few");
    write_scores(ids, unknown, rows, 2, 3);
    is_refused("record 2: image \"q\" is not among the images", "an unknown image");
    write_scores(same, right, rows, 2, 3);
    is_refused("record 2: text \"a\" is there twice", "a text that is there twice");
    write_scores(ids, right, bad, 2, 3);
    is_refused("record 1: tensor \"scores\": NaN at 2", "a score that is no number");
    unlink(images);
    unlink(scores);
    rmdir(dir);
    return done();
}
