/* Files of region features: the first byte chooses the form. What is read can be written, and reads the same again. */
#include "features/form.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int read_form(struct record **r, const struct form *f, const void *data, size_t n, struct err *e)
{
    struct geometry g = { f->sizes, BOX_XYXY, UNIT_PIXELS };
    uint32_t possible;

    if (!f->is_lines) return form_read_npz(r, f, "a", data, n, e);
    if (line_is_header(f, data, n)) return -1;
    if (line_geometry(&possible, f, data, n, e)) return -1;
    return line_read(r, f, data, n, g, e);
}

static int write_form(struct str *out, const struct form *f, const struct record *r, struct err *e)
{
    return f->is_lines ? line_write(out, f, r, e) : f->write(out, r, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = { "bua", "lxmert", "unimo", "milvlg", "uniter" };
    const struct form *f = n ? form_find(names[data[0] % 5]) : NULL;
    struct record *r = NULL, *again = NULL;
    struct str once = { 0 }, twice = { 0 };
    struct err e = { 0 };

    if (!f) return 0;
    if (read_form(&r, f, data + 1, n - 1, &e)) {
        if (r) abort();
        return 0;
    }
    if (write_form(&once, f, r, &e)) { /* only an id may be one that a line cannot hold */
        if (!f->is_lines || !strstr(e.text, "an id with")) abort();
    } else {
        size_t length = once.n - (f->is_lines ? 1 : 0);
        if (read_form(&again, f, once.data, length, &e) || write_form(&twice, f, again, &e)) abort();
        if (once.n != twice.n || memcmp(once.data, twice.data, once.n)) abort();
    }
    record_free(r);
    record_free(again);
    str_release(&once);
    str_release(&twice);
    return 0;
}
