/* What is made for shapes is bounded: the set itself, and the fast operations over more shapes than it holds. */
#include "compute/backend.h"
#include "compute/cpu/dnnl_state.h"
#include "compute/cpu/fast.h"
#include "core/rng.h"
#include "numeric.h"
#include "tap.h"

static int gone[16], n_gone;

static void note(void *item)
{
    gone[n_gone++] = *(int *)item;
}

static void oldest_goes(void)
{
    int number[] = { 0, 1, 2, 3, 4 };
    struct lru_key key[5];
    struct lru *s = lru_new(3, note);

    for (int i = 0; i < 5; i++) key[i] = (struct lru_key){ { 7, i } };
    for (int i = 0; i < 3; i++) lru_add(s, &key[i], &number[i]);
    is_int(lru_count(s), 3, "three things fit");
    ok(lru_find(s, &key[0]) == &number[0] && !lru_find(s, &key[3]), "what is there is found");
    lru_add(s, &key[3], &number[3]);
    ok(lru_count(s) == 3 && n_gone == 1 && gone[0] == 1, "the one not asked for the longest goes");
    ok(!lru_find(s, &key[1]) && lru_find(s, &key[0]) && lru_find(s, &key[2]) && lru_find(s, &key[3]), "and no other");
    lru_add(s, &key[4], &number[4]);
    ok(n_gone == 2 && gone[1] == 0, "then the next");
    lru_free(s);
    is_int(n_gone, 5, "at the end all are released");
}

static struct tensor filled(struct tensor shape, struct rng *r)
{
    struct tensor x = guarded(shape);

    fill_normal(x, r);
    return x;
}

/* One product or convolution on the fast device and on the reference; whether they agree. */
static bool product_agrees(struct device *d, struct device *ref, int64_t rows, int64_t in, int64_t out, struct rng *r)
{
    struct tensor x = filled(tensor_2d(NULL, DT_F32, rows, in), r), w = filled(tensor_2d(NULL, DT_F32, out, in), r),
                  none = { 0 };
    struct tensor y = guarded(tensor_2d(NULL, DT_F32, rows, out)), z = guarded(y);

    op_linear_forward(d, y, x, w, none, 0);
    op_linear_forward(ref, z, x, w, none, 0);
    bool good = compare(y, z).row < 1e-4 && guards_hold(y);
    guarded_free(x), guarded_free(w), guarded_free(y), guarded_free(z);
    return good;
}

static bool conv_agrees(struct device *d, struct device *ref, int64_t side, int64_t in, struct tensor w, struct rng *r)
{
    const struct conv c = { 1, 1, 1 };
    struct tensor x = filled(tensor_4d(NULL, DT_F32, 1, side, 5, in), r), none = { 0 };
    struct tensor y = guarded(tensor_4d(NULL, DT_F32, 1, side, 5, w.shape[0])), z = guarded(y);

    op_conv_forward(d, y, x, w, none, c, false, LINEAR_PARAM);
    op_conv_forward(ref, z, x, w, none, c, false, LINEAR_PARAM);
    bool good = compare(y, z).row < 1e-4 && guards_hold(y);
    guarded_free(x), guarded_free(y), guarded_free(z);
    return good;
}

/* Parameters in turn, each wanted once or several times between updates: the room that they share, and memory of their
 * own, never hold another's. */
static int taking_turns(struct device *d, struct device *ref, enum dtype t, struct rng *r)
{
    enum { PARAMS = 3, IN = 40, ROWS = 5 };
    struct tensor x = filled(tensor_2d(NULL, t, ROWS, IN), r), w[PARAMS], none = { 0 };
    int bad = 0;

    for (int i = 0; i < PARAMS; i++) w[i] = filled(tensor_2d(NULL, t, 20 + 30 * i, IN), r);
    for (int round = 0; round < 12; round++) {
        const struct tensor *p = &w[round % PARAMS];
        struct tensor y = guarded(tensor_2d(NULL, DT_F32, ROWS, p->shape[0])), z = guarded(y);
        op_linear_forward(d, y, x, *p, none, LINEAR_PARAM);
        op_linear_forward(ref, z, x, *p, none, LINEAR_PARAM);
        bad += compare(y, z).row > 1e-4 || !guards_hold(y);
        guarded_free(y), guarded_free(z);
        if (round != 4 && round != 8) continue; /* the first epoch wants two of them twice, the others each once */
        for (int i = 0; i < PARAMS; i++) set_element(w[i], 0, 5 + round);
        op_params_changed(d);
    }
    for (int i = 0; i < PARAMS; i++) guarded_free(w[i]);
    guarded_free(x);
    return bad;
}

int main(void)
{
    struct err e = { 0 };
    struct device *d = device_open("cpu", 1, &e), *ref = device_open("ref", 1, &e);
    struct dnnl_state *state = fast_dnnl(d);
    struct rng r;
    int bad = 0;

    oldest_goes();
    rng_init(&r, 1, 1);
    for (int out = 1; out <= PRIMITIVES_MOST + 40; out++) bad += !product_agrees(d, ref, 3, 4, out, &r);
    is_int(lru_count(state->products), PRIMITIVES_MOST, "products of many shapes stay within bounds");
    for (int out = 1; out <= 5; out++) bad += !product_agrees(d, ref, 3, 4, out, &r); /* made again */
    struct tensor w = filled(tensor_4d(NULL, DT_F32, 2, 2, 3, 3), &r);
    for (int side = 1; side <= PRIMITIVES_MOST + 40; side++) bad += !conv_agrees(d, ref, side, 2, w, &r);
    is_int(lru_count(state->convolutions), PRIMITIVES_MOST, "so do convolutions of pictures of many sizes");
    for (int side = 1; side <= 5; side++) bad += !conv_agrees(d, ref, side, 2, w, &r);
    ok(lru_count(state->packed) <= 8, "which share the packed filters (%d layouts)", lru_count(state->packed));
    set_element(w, 0, 9);
    op_params_changed(d);
    bad += !conv_agrees(d, ref, 7, 2, w, &r);
    is_int(bad, 0, "and all are right, also after they were made again or parameters changed");
    guarded_free(w);
    w = filled(tensor_2d(NULL, DT_F32, PACKED_MOST + 20, 1), &r); /* each element a parameter of its own */
    struct tensor x = filled(tensor_2d(NULL, DT_F32, 1, 1), &r), y = guarded(x), none = { 0 };
    bad = 0;
    for (int64_t i = 0; i < w.n; i++) {
        op_linear_forward(d, y, x, tensor_rows(w, i, 1), none, LINEAR_PARAM);
        bad += fabsf(element_of(y, 0) - element_of(x, 0) * element_of(w, i)) > 1e-5f;
    }
    is_int(lru_count(state->packed), PACKED_MOST, "packed parameters are bounded, too");
    is_int(bad, 0, "and right");
    guarded_free(x);
    guarded_free(y);
    guarded_free(w);
    is_int(taking_turns(d, ref, DT_F32, &r) + taking_turns(d, ref, DT_BF16, &r), 0, "in turns, too");
    device_will_train(d);
    is_int(taking_turns(d, ref, DT_F32, &r) + taking_turns(d, ref, DT_BF16, &r), 0, "and in training");
    device_close(d);
    device_close(ref);
    return done();
}
