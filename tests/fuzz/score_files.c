/* Any bytes as predictions and references of any metric: the scorer gives figures or one error, and knows no yesterday.
 * The first bytes choose the metric, the form and what else is asked for; the rest is cut at the first byte 0 into both
 * files, of which the second also serves as METEOR's table and as the list of images. */
#include "core/mem.h"
#include "score/metrics.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *write_file(char *path, const char *name, const void *data, size_t n)
{
    snprintf(path, 64, "/tmp/unimo-fuzz-%ld-%s", (long)getpid(), name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) abort();
    return path;
}

static void score(const struct score_request *q, struct str *out)
{
    struct score_result r;
    struct err e = { 0 };

    if (metrics_compute(q, &r, &e)) {
        if (!e.code || strchr(e.text, '\n')) abort();
        str_add(out, e.text);
    } else {
        value_print(r.metrics, out);
    }
    metrics_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const metrics[] = { "accuracy,matthews,f1",
                                           "pearson,spearman",
                                           "vqa",
                                           "bleu,rouge-l,cider",
                                           "meteor",
                                           "spice",
                                           "sacrebleu",
                                           "rouge,rouge-google",
                                           "squad2",
                                           "coqa",
                                           "ap-coco",
                                           "ap-voc",
                                           "retrieval" },
                             *const forms[] = { "records", "document", "text", "tsv" },
                             *const names[] = { "x", "x.json", "x.txt", "x.tsv" },
                             *const prepare[] = { NULL, "cnndm", "gigaword", "qg", "qg-eval", "coqa" };
    char pred[64], ref[64];
    struct str a = { 0 }, b = { 0 };

    if (size < 3) return 0;
    const uint8_t *from = data + 3, *cut = memchr(from, 0, size - 3), *end = data + size;
    int form = data[1] % 4;
    if (!cut) cut = end;
    struct score_request q = { .metrics = metrics[data[0] % 13], .each = true };
    q.opts.files = (struct join_files){ .form = forms[form], .n_refs = 1, .missing = data[1] / 4 % 3 };
    char name[16];
    snprintf(name, sizeof name, "p%s", names[form]);
    q.opts.files.pred = write_file(pred, name, from, (size_t)(cut - from));
    snprintf(name, sizeof name, "r%s", names[form]);
    q.opts.files.refs[0] = write_file(ref, name, cut + (cut < end), cut < end ? (size_t)(end - cut - 1) : 0);
    q.opts.prepare = prepare[data[2] % 6];
    q.opts.threads = 1;
    q.opts.wordnet = data[2] & 8 ? "none" : NULL;
    if (data[2] & 16) q.opts.paraphrases = q.opts.images = ref;
    if (data[2] & 32) q.ci = q.test = (struct trials){ 10, 1, (data[2] & 64) != 0 };
    if (data[2] & 64) q.compare = pred;
    if (data[2] & 128) q.explain = "1";
    score(&q, &a);
    score(&q, &b);
    if (a.n != b.n || memcmp(str_c(&a), str_c(&b), a.n)) abort();
    str_release(&a);
    str_release(&b);
    unlink(pred);
    unlink(ref);
    return 0;
}
