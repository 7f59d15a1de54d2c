/* config.json of a detector: what is written is read again, and what would not work is refused by name. */
#include "detect/config.h"
#include "tap.h"
#include "toy_detector.h"

static char *text_of(const struct detect_config *c)
{
    struct str s = { 0 };
    struct value *v = detect_config_print(c);

    value_print(v, &s);
    value_free(v);
    return s.data;
}

static void round_trip(struct detect_config c, const char *what)
{
    struct detect_config back;
    struct err e = { 0 };
    char *once = text_of(&c), *again = NULL;
    struct value *v = value_parse(once, (int64_t)strlen(once), &e);

    if (ok(!detect_config_read(&back, v, &e), "%s is read again %s", what, e.text)) {
        again = text_of(&back);
        is_str(again, once, "and is the same");
        detect_config_release(&back);
    }
    struct detector d = { .config = c };
    struct device *device = device_open("ref", 1, &e);
    detector_build(&d, device, DT_F32, false);
    int64_t products = 0;
    for (int i = 0; i < d.params.n; i++) products += d.params.at[i].rank > 1 ? d.params.at[i].n : 0;
    int64_t counted = detect_config_parameters(&d.config);
    ok(counted >= products && counted <= products + products / 4, "its size is known before it is built (%lld, %lld)",
       (long long)counted, (long long)products);
    detector_release(&d);
    device_close(device);
    value_free(v);
    free(once);
    free(again);
}

/* Replaces a piece of a good configuration and expects a refusal that matches. */
static void refused(const char *from, const char *to, const char *message)
{
    struct detect_config c = toy_detector_learnt(), back;
    struct err e = { 0 };
    struct str s = { 0 };
    char *good = text_of(&c), *at = strstr(good, from);

    if (!at) {
        ok(false, "%s is in the configuration", from);
    } else {
        str_add_bytes(&s, good, (size_t)(at - good));
        str_add(&s, to);
        str_add(&s, at + strlen(from));
        struct value *v = value_parse(s.data, (int64_t)s.n, &e);
        bool is_refused = v && detect_config_read(&back, v, &e);
        ok(is_refused && strstr(e.text, message), "%s: %s", to, e.text);
        value_free(v);
    }
    str_release(&s);
    free(good);
    detect_config_release(&c);
}

int main(void)
{
    struct detect_config small, field;

    round_trip(toy_detector_learnt(), "a learnt detector");
    round_trip(toy_detector_caffe(), "a Caffe detector");
    round_trip(toy_detector_grouped(), "a ResNeXt with anchors of its own");
    detect_config_small(&small);
    toy_names(&small, 39, 10);
    round_trip(small, "what --learn trains");
    detect_config_field(&field, 101);
    toy_names(&field, 1601, 401);
    struct err e = { 0 };
    ok(!detect_config_check(&field, &e) && detect_config_parameters(&field) > 60000000, "the field's detector %s",
       e.text);
    detect_config_release(&field);
    refused("\"unimo-detector\"", "\"unimo\"", "\"model_type\" is \"unimo\"");
    refused("\"rgb\"", "\"grb\"", "\"rgb\" or \"bgr\"");
    refused("\"groups\":2", "\"groups\":3", "multiple of 3");
    refused("\"width\":6", "\"width\":7", "stage 2: width 7");
    refused("\"pool_pad\":1", "\"pool_pad\":2", "at most half");
    refused("\"long_side\":64", "\"long_side\":40", "less than");
    refused("\"long_side\":64", "\"long_side\":1e9", "long_side");
    refused("[12.0,24.0]", "[12.0,-24.0]", "\"scales\" has -24");
    refused("[12.0,24.0]", "[]", "0 numbers");
    refused("\"channels\":16", "\"channels\":\"16\"", "stage 2: \"channels\"");
    refused("\"blocks\":2", "\"blocks\":0", "\"blocks\"");
    refused("[\"class0\",\"class1\",\"class2\",\"class3\",\"class4\"]", "[\"class0\"]", "background");
    refused("\"attributes\"", "\"attributs\"", "attributes");
    refused("\"scales\":[12.0", "\"boxes\":[[0,0,8]],\"scales\":[12.0", "\"boxes\" has 3 numbers");
    refused("\"scales\":[12.0", "\"boxes\":[[9,0,8,8]],\"scales\":[12.0", "empty anchor");
    refused("\"width\":6,", "\"width\":6,\"cardinality\":4,", "not a multiple of \"cardinality\" 4");
    refused("\"blocks\":2,\"width\":8,\"channels\":20", "\"blocks\":60,\"width\":2000,\"channels\":8000",
            "more than 536870912 parameters");
    return done();
}
