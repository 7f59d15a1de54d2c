/* JSON values: whole numbers of every size print and read back; members come in order. */
#include "stream/value.h"
#include "tap.h"

int main(void)
{
    static const char text[] = "{\"z\":[-9223372036854775808,9223372036854775807,0,-1,10,-907],\"a\":null,\"m\":\"x\"}";
    struct str printed = { 0 }, keys = { 0 };
    struct err e = { 0 };

    struct value *v = value_parse(text, (int64_t)strlen(text), &e);
    if (!ok(v != NULL, "parses %s", e.text)) return done();
    value_print(v, &printed);
    is_str(printed.data, text, "prints as it was");
    for (struct value_iter it = { 0 }; value_next(v, &it);) {
        str_add(&keys, it.key);
        if (it.value != value_get(v, it.key)) ok(false, "the value of %s", it.key);
    }
    is_str(keys.data, "zam", "members in order");
    ok(value_is_null(value_get(v, "a")) && !value_is_null(value_get(v, "m")) && !value_is_null(value_get(v, "none")),
       "null is a value, absence is not");
    value_free(v);
    v = value_object();
    struct value_iter it = { 0 };
    ok(!value_next(v, &it), "an empty object has none");
    value_free(v);
    str_release(&printed);
    str_release(&keys);
    return done();
}
