/* config.json of a model, ours or RoBERTa's. What is read passes its own check, and is printed and read again to the
 * same. */
#include "core/str.h"
#include "memory_file.h"
#include "model/config.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char *text_of(const struct model_config *c)
{
    struct str s = { 0 };
    struct value *v = model_config_value(c);

    value_print(v, &s);
    value_free(v);
    return s.data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = { 0 };
    struct model_config c = { 0 }, back = { 0 };

    if (model_config_load(&c, memory_file(data, n), &e)) {
        if (!e.text[0]) abort();
        return 0;
    }
    if (model_config_check(&c, &e)) abort();
    char *once = text_of(&c);
    if (model_config_load(&back, memory_file((const uint8_t *)once, strlen(once)), &e)) abort();
    char *again = text_of(&back);
    if (strcmp(once, again)) abort();
    free(once);
    free(again);
    model_config_release(&c);
    model_config_release(&back);
    return 0;
}
