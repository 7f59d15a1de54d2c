#include "nn/linear.h"

static int add(struct params *p, const char *name, const char *suffix, enum param_init init, float std, int rank,
               const int64_t *shape)
{
    struct str full = { 0 };

    str_addf(&full, "%s.%s", name, suffix);
    int i = params_add(p, str_c(&full), init, std, rank, shape);
    str_release(&full);
    return i;
}

struct linear linear_add(struct params *p, const char *name, int64_t outputs, int64_t inputs, float std)
{
    struct linear l;

    l.w = add(p, name, "weight", INIT_TRUNC_NORMAL, std, 2, (const int64_t[]){ outputs, inputs });
    l.b = add(p, name, "bias", INIT_ZERO, 0, 1, &outputs);
    return l;
}

struct norm norm_add(struct params *p, const char *name, int64_t n)
{
    struct norm l;

    l.g = add(p, name, "weight", INIT_ONE, 0, 1, &n);
    l.b = add(p, name, "bias", INIT_ZERO, 0, 1, &n);
    return l;
}

void linear_forward(const struct params *p, struct linear l, struct tensor y, struct tensor x, int flags)
{
    op_linear_forward(p->device, y, x, params_weight(p, l.w), params_f32(p, l.b), flags | LINEAR_PARAM);
}

void linear_backward(const struct params *p, struct linear l, struct tensor dx, struct tensor dy, struct tensor x,
                     int flags)
{
    op_linear_backward_weight(p->device, params_grad(p, l.w), params_grad(p, l.b), dy, x);
    if (dx.data) op_linear_backward_input(p->device, dx, dy, params_weight(p, l.w), flags | LINEAR_PARAM);
}

void norm_forward(const struct params *p, struct norm l, struct tensor y, struct tensor stats, struct tensor x,
                  float eps)
{
    op_layer_norm_forward(p->device, y, stats, x, params_f32(p, l.g), params_f32(p, l.b), eps);
}

void norm_backward(const struct params *p, struct norm l, struct tensor dx, struct tensor dy, struct tensor x,
                   struct tensor stats)
{
    op_layer_norm_backward(p->device, dx, params_grad(p, l.g), params_grad(p, l.b), dy, x, stats, params_f32(p, l.g));
}
