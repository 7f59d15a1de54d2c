#include "tasks/writing.h"
#include "core/unicode.h"
#include "stream/lines.h"
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

static double choose(double given, const struct value *own, const char *key, double paper)
{
    const struct value *v = own ? value_get(own, key) : NULL;

    return given >= 0 ? given : value_is_number(v) ? value_number(v) : paper;
}

static double setting(const struct downstream *d, const struct model_config *c, double given, const char *key,
                      double paper)
{
    return choose(given, c->task_options, key, paper);
}

int writing_check_settings(const struct model_config *c, struct err *e)
{
    static const struct {
        const char *key;
        double least, most;
    } ranges[] = { { "max_source", WRITING_LEAST_SOURCE, 65533 },
                   { "max_target", WRITING_LEAST_TARGET, 65533 },
                   { "beam", 1, 64 },
                   { "min_length", 0, 1000 },
                   { "max_length", 1, 1000 },
                   { "length_penalty", 0, 10 },
                   { "block_trigrams", 0, 1 },
                   { "tag_score", 0, 1 } };

    for (size_t i = 0; c->task_options && i < sizeof ranges / sizeof *ranges; i++) {
        const struct value *v = value_get(c->task_options, ranges[i].key);
        double x = value_is_number(v) ? value_number(v) : -1;
        if (v && !(x >= ranges[i].least && x <= ranges[i].most))
            return err_set(e, ERR_INPUT, "\"task_options\": \"%s\": expected a number from %g to %g", ranges[i].key,
                           ranges[i].least, ranges[i].most);
    }
    return 0;
}

static int64_t max_source(const struct downstream *d, const struct model_config *c)
{
    const struct downstream_defaults *p = downstream_defaults(d->kind, c);
    int64_t n = (int64_t)setting(d, c, (double)d->o.max_source, "max_source", p->max_source ? p->max_source : 512);

    return n < c->max_text ? n : c->max_text;
}

static int64_t max_target(const struct downstream *d, const struct model_config *c)
{
    const struct downstream_defaults *p = downstream_defaults(d->kind, c);
    int64_t n = (int64_t)setting(d, c, (double)d->o.max_target, "max_target", p->max_target ? p->max_target : 128);

    return n < c->max_text ? n : c->max_text;
}

int64_t writing_max_source(const struct downstream *d)
{
    return max_source(d, d->config);
}

int64_t writing_max_target(const struct downstream *d)
{
    return max_target(d, d->config);
}

static double tag_score(const struct downstream *d, const struct model_config *c)
{
    return setting(d, c, d->o.tag_score, "tag_score", downstream_defaults(d->kind, c)->tag_score);
}

double writing_tag_score(const struct downstream *d)
{
    return tag_score(d, d->config);
}

static struct decode_opts opts_for(const struct downstream *d, const struct model_config *c)
{
    const struct downstream_defaults *p = downstream_defaults(d->kind, c);
    struct decode_opts o = decode_defaults;

    o.beam = (int)setting(d, c, (double)d->o.beam, "beam", p->beam ? p->beam : o.beam);
    o.min_length = (int)setting(d, c, (double)d->o.min_length, "min_length", p->min_length);
    o.max_length = (int)setting(d, c, (double)d->o.max_length, "max_length", p->max_length ? p->max_length : 50);
    if (o.min_length > o.max_length) o.min_length = o.max_length;
    o.length_penalty = (float)setting(d, c, d->o.length_penalty, "length_penalty", p->length_penalty);
    bool blocks = setting(d, c, d->o.block_trigrams, "block_trigrams", p->block_trigrams) > 0;
    o.unlike = blocks ? d->bpe : NULL;
    if (d->o.samples) {
        o.is_sampled = true;
        o.beam = o.n_best = (int)d->o.samples;
        o.sample = d->o.sample;
        o.seed = d->o.seed;
    } else if (d->o.n_best > 0) {
        o.n_best = (int)d->o.n_best;
        if (o.beam < o.n_best) o.beam = o.n_best;
    }
    if (d->answers.n) {
        o.only = &d->answers;
        o.max_length = (int)d->answers.longest + 1; /* whole, with its end symbol */
    }
    return o;
}

struct decode_opts writing_opts(const struct downstream *d)
{
    return opts_for(d, d->config);
}

struct value *writing_settings(const struct downstream *d, const struct model_config *c)
{
    struct decode_opts o = opts_for(d, c);
    struct value *v = value_object();

    value_set(v, "max_source", value_int(max_source(d, c)));
    value_set(v, "max_target", value_int(max_target(d, c)));
    value_set(v, "beam", value_int(o.beam));
    value_set(v, "min_length", value_int(o.min_length));
    value_set(v, "max_length", value_int(o.max_length));
    value_set(v, "length_penalty", value_real((double)o.length_penalty));
    value_set(v, "block_trigrams", value_int(o.unlike != NULL));
    if (d->kind->is_caption) value_set(v, "tag_score", value_real(tag_score(d, c)));
    return v;
}

/* ---- a closed set of texts ---- */

int writing_read_only(struct downstream *d, struct err *e)
{
    struct lines *in = lines_open(&d->o.only, 1, NULL);
    struct encoding c = { 0 };
    struct str line = { 0 };
    int64_t number, most = d->config->positions - 4; /* what model_decode() can write, and the end symbol */
    int got = 1;

    while (got > 0 && (got = lines_next(in, &line, &number, e)) > 0) {
        bpe_encode(d->bpe, &c, str_c(&line), line.n);
        if (c.n > most) {
            err_set(e, ERR_INPUT, "a text of %lld tokens (expected at most %lld)", (long long)c.n, (long long)most);
            got = err_in(e, "%s: line %lld", d->o.only, (long long)number);
        } else answers_add(&d->answers, c.ids, c.n);
        str_clear(&line);
    }
    if (!got && !d->answers.n) got = err_set(e, ERR_INPUT, "%s: no texts", d->o.only);
    str_release(&line);
    encoding_release(&c);
    lines_close(in);
    return got;
}

/* ---- texts ---- */

struct batch_text writing_encode(struct downstream *d, struct arena *a, const char *text, size_t n, int64_t limit)
{
    struct encoding *c = &d->encoded;

    pthread_mutex_lock(&d->lock);
    bpe_encode(d->bpe, c, text, n);
    int64_t many = c->n < limit ? c->n : limit;
    int32_t *tokens = arena_new(a, int32_t, many + 1);
    if (many) memcpy(tokens, c->ids, (size_t)many * sizeof *tokens);
    pthread_mutex_unlock(&d->lock);
    return (struct batch_text){ .n = many, .tokens = tokens };
}

/* Valid UTF-8 with one space where there is white space, none at the ends. */
static char *tidy(const struct downstream *d, const struct decode_text *t)
{
    struct str bytes = { 0 }, text = { 0 }, out = { 0 };

    bpe_decode(d->bpe, t->tokens, t->n, &bytes);
    unicode_repair(str_c(&bytes), bytes.n, &text);
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.data[i];
        bool is_space = ch == ' ' || (ch >= '\t' && ch <= '\r');
        if (!is_space) str_add_char(&out, ch);
        else if (out.n && out.data[out.n - 1] != ' ') str_add_char(&out, ' ');
    }
    if (out.n && out.data[out.n - 1] == ' ') out.n--;
    char *copy = mem_strndup(str_c(&out), out.n);
    str_release(&out);
    str_release(&text);
    str_release(&bytes);
    return copy;
}

int writing_decode(struct downstream *d, struct model *m, struct scratch *s, struct batch *b,
                   const struct decode_opts *o, struct written *out, struct err *e)
{
    int64_t n = b->n_sequences * o->n_best;
    struct decode_text *texts = mem_new(struct decode_text, n + 1);
    int rc = model_decode(m, s, b, o, texts, e);

    for (int64_t i = 0; i < n && !rc; i++)
        out[i] = (struct written){ texts[i].tokens ? tidy(d, &texts[i]) : NULL, texts[i].score };
    decode_release(texts, rc ? 0 : n);
    free(texts);
    batch_clear(b);
    return rc;
}
