/* A text walked member by member is the same as parsed at once, and is refused where that is. */
#include "stream/value.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool is_so)
{
    if (!is_so) abort();
}

/* Puts together again what is visited: arrays begin with number 0 and no value. */
static int gather(void *object, const char *key, int64_t number, const struct value *v, struct err *e)
{
    struct value *array = value_get(object, key);

    if (!number) value_set(object, key, v ? value_copy(v) : value_array());
    else must(v && value_count(array) == number - 1);
    if (number) value_push(array, value_copy(v));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str parsed = { 0 }, walked = { 0 };
    struct err e = { 0 }, why = { 0 };
    struct value *v = value_parse((const char *)data, (int64_t)n, &e), *gathered = value_object();
    int rc = value_walk((const char *)data, (int64_t)n, gather, gathered, &why);

    must(!rc == value_is_object(v));
    if (!rc) {
        value_print(v, &parsed);
        value_print(gathered, &walked);
        must(parsed.n == walked.n && !memcmp(parsed.data, walked.data, parsed.n));
    }
    str_release(&parsed);
    str_release(&walked);
    value_free(gathered);
    value_free(v);
    return 0;
}
