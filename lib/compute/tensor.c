#include "compute/tensor.h"
#include <assert.h>

struct tensor tensor_4d(void *data, enum dtype t, int64_t a, int64_t b, int64_t c, int64_t d)
{
    struct tensor x = { data, a * b * c * d, { a, b, c, d }, 4, t };

    return x;
}

struct tensor tensor_2d(void *data, enum dtype t, int64_t a, int64_t b)
{
    struct tensor x = tensor_4d(data, t, a, b, 1, 1);

    x.rank = 2;
    return x;
}

struct tensor tensor_1d(void *data, enum dtype t, int64_t a)
{
    struct tensor x = tensor_4d(data, t, a, 1, 1, 1);

    x.rank = 1;
    return x;
}

struct tensor tensor_rows(struct tensor x, int64_t from, int64_t n)
{
    int64_t row = x.shape[0] ? x.n / x.shape[0] : 0;

    assert(from >= 0 && n >= 0 && from + n <= x.shape[0]);
    x.data = (char *)x.data + from * row * dtype_size(x.dtype);
    x.shape[0] = n;
    x.n = n * row;
    return x;
}

struct tensor tensor_view2(struct tensor x, int64_t a, int64_t b)
{
    assert(a * b == x.n);
    return tensor_2d(x.data, x.dtype, a, b);
}

struct tensor tensor_view1(struct tensor x)
{
    return tensor_1d(x.data, x.dtype, x.n);
}

int64_t tensor_bytes(struct tensor x)
{
    return x.n * dtype_size(x.dtype);
}
