#include "score/report.h"

void report_begin(struct report *r, const char *metric, int64_t n, const char *signature)
{
    struct value *v = value_object();

    value_set(v, "metric", value_str(metric));
    value_set(v, "n", value_int(n));
    value_set(v, "signature", value_str(signature));
    value_push(r->metrics, v);
}

static struct value *latest(struct report *r)
{
    return value_at(r->metrics, value_count(r->metrics) - 1);
}

void report_figure(struct report *r, const char *name, double x)
{
    value_set(latest(r), name, value_real(x));
}

void report_count(struct report *r, const char *name, int64_t x)
{
    value_set(latest(r), name, value_int(x));
}

void report_each(struct report *r, const char *id, const char *name, double x)
{
    if (!r->each) return;
    struct value *v = value_object();
    value_set(v, "id", value_str(id));
    value_set(v, name, value_real(x));
    value_push(r->each, v);
}
