#include "compute/cpu/cpu.h"
#include "compute/cpu/element.h"

int cpu_gather_rows(struct device *d, struct tensor y, struct tensor x, struct tensor index, bool add)
{
    int64_t h = y.shape[1];

    for (int64_t i = 0; i < index.n; i++) {
        int64_t from = i32(index)[i];
        for (int64_t c = 0; c < h; c++) {
            double v = from < 0 ? 0 : get(x, from * h + c);
            put(y, i * h + c, add ? get(y, i * h + c) + v : v);
        }
    }
    return 0;
}

int cpu_scatter_add_rows(struct device *d, struct tensor x, struct tensor y, struct tensor index)
{
    int64_t h = y.shape[1];

    for (int64_t i = 0; i < index.n; i++) {
        int64_t to = i32(index)[i];
        for (int64_t c = 0; to >= 0 && c < h; c++) put(x, to * h + c, get(x, to * h + c) + get(y, i * h + c));
    }
    return 0;
}
