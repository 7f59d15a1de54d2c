#include "train/schedule.h"
#include <math.h>
#include <string.h>

double schedule_at(const struct schedule *s, int64_t step)
{
    double left = s->total > 0 ? 1 - (double)step / (double)s->total : 0;

    if (step < s->warmup) return (double)(step + 1) / (double)s->warmup;
    if (s->shape == SCHEDULE_CONSTANT) return 1;
    if (s->shape == SCHEDULE_STEPS) return left > 0.4 ? 1 : left > 0.2 ? 0.1 : 0.01;
    if (left < 0) return 0;
    if (s->shape == SCHEDULE_LINEAR) return left;
    return 0.5 * (1 + cos(M_PI * (double)(step - s->warmup) / (double)(s->total - s->warmup + 1)));
}

enum schedule_shape schedule_named(const char *name)
{
    if (!strcmp(name, "cosine")) return SCHEDULE_COSINE;
    if (!strcmp(name, "steps")) return SCHEDULE_STEPS;
    return !strcmp(name, "constant") ? SCHEDULE_CONSTANT : SCHEDULE_LINEAR;
}
