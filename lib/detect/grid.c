#include "detect/grid.h"
#include "core/mem.h"
#include "detect/infer.h"
#include <stdlib.h>

static int joined(int cells, int k)
{
    return (cells + k - 1) / k;
}

/* The mean of map[rows][columns][channels] over the cells of a k x k square that lie in it. */
static void average(float *out, const float *map, int rows, int columns, int channels, int y0, int x0, int k)
{
    int y1 = y0 + k < rows ? y0 + k : rows, x1 = x0 + k < columns ? x0 + k : columns;
    float share = 1 / (float)((y1 - y0) * (x1 - x0));

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            const float *cell = map + ((int64_t)y * columns + x) * channels;
            for (int c = 0; c < channels; c++) out[c] += cell[c] * share;
        }
    }
}

static void fill(struct grid *g, const float *map, int rows, int columns, int channels, int k, const float cell[2])
{
    *g = (struct grid){ joined(rows, k), joined(columns, k), g->width, g->height };
    g->boxes = mem_new(struct box, (int64_t)g->rows * g->columns);
    g->features = mem_new(float, (int64_t)g->rows * g->columns * channels);
    for (int i = 0; i < g->rows * g->columns; i++) {
        int y = i / g->columns * k, x = i % g->columns * k;
        struct box b = { (float)x * cell[0], (float)y * cell[1], (float)(x + k) * cell[0], (float)(y + k) * cell[1] };
        g->boxes[i] = box_clip(b, (float)g->width, (float)g->height, 0);
        average(g->features + (int64_t)i * channels, map, rows, columns, channels, y, x, k);
    }
}

int detector_grid(struct detector *d, struct grid *out, const struct view *views, int n, int most, struct err *e)
{
    int k = 1, stride = detect_stride(&d->config);

    scratch_reset(&d->scratch);
    struct tensor map = infer_features(&d->net, detector_input(d, views, n)), wide;
    int rows = (int)map.shape[1], columns = (int)map.shape[2], channels = (int)map.shape[3];
    wide = scratch_4d(&d->scratch, DT_F32, n, rows, columns, channels);
    op_convert(d->device, wide, map);
    float *host = mem_new(float, wide.n);
    op_download(d->device, host, wide.data, tensor_bytes(wide));
    int rc = device_check(d->device, e);
    while (joined(rows, k) * joined(columns, k) > most) k++;
    for (int i = 0; i < n && !rc; i++) {
        out[i] = (struct grid){ .width = views[i].width, .height = views[i].height };
        fill(&out[i], host + i * (wide.n / n), rows, columns, channels, k,
             (float[]){ (float)stride / views[i].scale[0], (float)stride / views[i].scale[1] });
    }
    free(host);
    return rc;
}

void grid_release(struct grid *g)
{
    free(g->boxes);
    free(g->features);
    *g = (struct grid){ 0 };
}
