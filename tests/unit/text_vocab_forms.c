/* The forms of a vocabulary: tokenizer.json written and read, what is refused of it, dict.txt or UNIMO's list beside
 * GPT-2's files.
 */
#include "tap.h"
#include "text/bpe.h"
#include "text/byte_symbols.h"
#include "text/vocab_forms.h"

/* The 256 bytes as 0 to 255, "ab" and "\u0120a" merged, "<end>" last. */
static struct value *make_vocab(void)
{
    struct value *v = value_object();
    uint8_t order[256];

    byte_symbols_in_order(order);
    for (int i = 0; i < 256; i++) {
        struct str s = { 0 };
        byte_symbols_write((const char *)&order[i], 1, &s);
        value_set(v, s.data, value_int(i));
        str_release(&s);
    }
    value_set(v, "ab", value_int(256));
    value_set(v,
              "\xc4\xa0"
              "a",
              value_int(257));
    value_set(v, "<end>", value_int(258));
    return v;
}

static void is_encoded(const struct bpe *b, const char *text, const char *want, const char *what)
{
    struct encoding c = { 0 };
    struct str got = { 0 };

    bpe_encode(b, &c, text, strlen(text));
    for (int64_t i = 0; i < c.n; i++) str_addf(&got, "%d ", c.ids[i]);
    is_str(str_c(&got), want, what);
    encoding_release(&c);
    str_release(&got);
}

static void tokenizer_is(const char *text, const char *want, const char *what)
{
    struct err e = { 0 };
    struct bpe *b = bpe_parse_tokenizer(text, strlen(text), &e);

    is_str(b ? "" : e.text, want, what);
    bpe_free(b);
}

/* The text with one part replaced. */
static void with(const char *text, const char *from, const char *to, const char *want, const char *what)
{
    struct str s = { 0 };
    const char *at = strstr(text, from);

    if (!at) {
        ok(false, "%s: %s is not there", what, from);
        return;
    }
    str_add_bytes(&s, text, (size_t)(at - text));
    str_add(&s, to);
    str_add(&s, at + strlen(from));
    tokenizer_is(s.data, want, what);
    str_release(&s);
}

static void check_tokenizer(void)
{
    static const char *const special[] = { "<end>" };
    static const char merge_list[] = "[\"a b\",\"\xc4\xa0 a\"]";
    struct err e = { 0 };
    struct value *vocab = make_vocab(), *merges = value_parse(merge_list, (int64_t)strlen(merge_list), &e);
    struct str text = { 0 };

    vocab_print_tokenizer(vocab, merges, special, 1, &text);
    struct bpe *b = bpe_parse_tokenizer(text.data, text.n, &e);
    if (ok(b != NULL, "what is written is read %s", e.text)) {
        is_int(bpe_size(b), 259, "all of it");
        ok(bpe_is_special(b, bpe_id(b, "<end>")), "with its special token");
        is_encoded(b, "ab a", "256 257 ", "and its merges");
    }
    bpe_free(b);
    with(text.data, "[\"a b\",", "[[\"a\",\"b\"],", "", "merges as pairs");
    with(text.data, "\"id\":258,\"content\":\"<end>\"", "\"id\":259,\"content\":\"<more>\"", "",
         "a token that is only added");
    with(text.data, "\"id\":258,\"content\":\"<end>\"", "\"id\":258,\"content\":\"<more>\"",
         "tokenizer.json: \"vocab\": token \"<more>\": its id is not a whole number from 0 to 259 that no other token "
         "has",
         "one with another's id");
    with(text.data, "\"id\":258", "\"id\":-1",
         "tokenizer.json: \"added_tokens\": entry 0: \"id\" is -1 (from 0 to 2147483647 was expected)",
         "or a wrong one");
    with(text.data, "\"special\":true", "\"special\":false",
         "tokenizer.json: \"added_tokens\": entry 0, \"<end>\", is not special (only such were expected)",
         "one that is looked for in texts");
    with(text.data, "\"type\":\"BPE\"", "\"type\":\"Unigram\"",
         "tokenizer.json: \"model\" is \"Unigram\" (BPE was expected)", "another model");
    with(text.data, "\"dropout\":null", "\"dropout\":0.1",
         "tokenizer.json: \"model\": \"dropout\" is set (byte-level BPE has none)", "dropout");
    with(text.data, "\"ignore_merges\":false", "\"ignore_merges\":true",
         "tokenizer.json: \"model\": \"ignore_merges\" is true (false was expected)", "whole words first");
    with(text.data, "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}",
         "tokenizer.json: \"normalizer\" is set (null was expected)", "a normaliser");
    with(text.data, "\"pre_tokenizer\":{\"type\":\"ByteLevel\"", "\"pre_tokenizer\":{\"type\":\"Metaspace\"",
         "tokenizer.json: \"pre_tokenizer\" is \"Metaspace\" (ByteLevel was expected)", "another splitting");
    with(text.data, "\"add_prefix_space\":false", "\"add_prefix_space\":true",
         "tokenizer.json: \"pre_tokenizer\" adds a space or does not split (GPT-2's was expected)", "an added space");
    with(text.data, "\"a b\"", "7", "tokenizer.json: \"merges\": entry 0: not two tokens", "a number as merge");
    with(text.data, "\"a b\"", "\"ab\"",
         "tokenizer.json: \"merges\": line 2: not two tokens with one space between them", "one token as merge");
    tokenizer_is("{}", "tokenizer.json: no \"model\" (an object was expected)", "nothing");
    tokenizer_is("[", "tokenizer.json: bad JSON at byte 1: ends where a value was expected", "half a file");
    value_free(vocab);
    value_free(merges);
    str_release(&text);
}

static void dict_is(const struct value *gpt2, const char *text, const char *want, const char *what)
{
    struct err e = { 0 };
    struct value *v = vocab_from_dict(gpt2, text, strlen(text), &e);

    is_str(v ? "" : e.text, want, what);
    value_free(v);
}

static void check_dict(void)
{
    struct value *gpt2 = make_vocab();
    struct str vocab = { 0 }, dict = { 0 };
    struct err e = { 0 };

    str_add(&dict, "257 900\n");
    for (int i = 255; i >= 0; i--) str_addf(&dict, "%d 5\n", i);
    str_add(&dict, "madeupword0000 0\n256 0\n258 0");
    value_print(gpt2, &vocab);
    struct bpe *b = bpe_parse_dict(vocab.data, vocab.n, "a b\n\xc4\xa0 a\n", 9, dict.data, dict.n, &e);
    if (ok(b != NULL, "GPT-2's files in fairseq's order %s", e.text)) {
        is_int(bpe_size(b), 4 + 259 + 1 + 1, "all of them, four tokens before and <mask> behind");
        is_encoded(b, "ab a", "262 4 ", "ids in the order of lines");
        ok(bpe_id(b, "<s>") == 0 && bpe_id(b, "<unk>") == 3 && bpe_id(b, "<mask>") == 264 && bpe_id(b, "<end>") == 263,
           "special tokens by name");
    }
    bpe_free(b);
    dict_is(gpt2, "<mask> 1\n1 1\n", "", "<mask> where a line has it");
    dict_is(gpt2, "1\n", "line 1: not a token, a space and a count", "no count");
    dict_is(gpt2, "1 x\n", "line 1: not a token, a space and a count", "a word as count");
    dict_is(gpt2, "1 1\n\n", "line 2: not a token, a space and a count", "an empty line");
    dict_is(gpt2, "1 1\n259 1\n", "line 2: id \"259\" (at most 258 in the vocabulary beside it)", "an id of nothing");
    dict_is(gpt2, "1 1\n1 1\n", "line 2: id \"1\" a second time", "an id twice");
    dict_is(gpt2, "x 1\nx 1\n", "line 2: \"x\" a second time", "a name twice");
    dict_is(gpt2, "\xff 1\n", "line 1: not UTF-8 text", "other bytes");
    dict_is(gpt2, "[CLS]\n[PAD]\n1\n\n", "line 4: is empty", "an empty line of UNIMO's list");
    dict_is(gpt2, "[CLS]\n<s>\n", "line 2: \"<s>\" a second time", "a special token under both names");
    dict_is(gpt2, "[CLS]\n1\n1\n", "line 3: id \"1\" a second time", "an id twice there");
    str_clear(&dict);
    for (int i = 0; i < 255; i++) str_addf(&dict, "%d 5\n", i);
    b = bpe_parse_dict(vocab.data, vocab.n, "", 0, dict.data, dict.n, &e);
    ok(!b && strstr(e.text, "dict.txt: no token for the byte"), "a dictionary without one of the bytes: %s", e.text);
    bpe_free(b);
    value_free(gpt2);
    str_release(&vocab);
    str_release(&dict);
}

static void check_list(void)
{
    struct value *gpt2 = make_vocab();
    struct str vocab = { 0 }, list = { 0 };
    struct err e = { 0 };

    str_add(&list, "[CLS]\n[PAD]\n[SEP]\n[UNK]\n257\n");
    for (int i = 255; i >= 0; i--) str_addf(&list, "%d\n", i);
    str_add(&list, "256\n258\nmadeupword0000\n[MASK]\n");
    value_print(gpt2, &vocab);
    struct bpe *b = bpe_parse_dict(vocab.data, vocab.n, "a b\n\xc4\xa0 a\n", 9, list.data, list.n, &e);
    if (ok(b != NULL, "GPT-2's files in the order of UNIMO's list %s", e.text)) {
        is_int(bpe_size(b), 4 + 259 + 1 + 1, "all of its lines, and none besides");
        is_encoded(b, "ab a", "261 4 ", "ids are the numbers of the lines");
        ok(bpe_id(b, "<s>") == 0 && bpe_id(b, "<unk>") == 3 && bpe_id(b, "<mask>") == 264 && bpe_id(b, "[CLS]") < 0,
           "special tokens have RoBERTa's names");
    }
    bpe_free(b);
    value_free(gpt2);
    str_release(&vocab);
    str_release(&list);
}

int main(void)
{
    check_tokenizer();
    check_dict();
    check_list();
    return done();
}
