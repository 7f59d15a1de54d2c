/* Scene graphs of captions by hand: objects with attributes and counts, relations, spans, and how the sentence was
 * understood. */
#include "core/str.h"
#include "rewrite/scene_graph.h"
#include "tap.h"

static struct dictionary *dictionary;
static struct parser *parser;
static struct wordnet *wordnet;

/* "man, horse[brown]; man ride horse": a number after * is a count of more than one, * alone several. */
static char *described(const struct scene_graph *g)
{
    struct str s = { 0 };

    for (int i = 0; i < g->n_objects; i++) {
        const struct graph_object *o = &g->objects[i];
        bool any = false;
        str_addf(&s, "%s%s", i ? ", " : "", o->name);
        if (o->count != 1) str_addf(&s, "*");
        if (o->count > 1) str_addf(&s, "%d", o->count);
        for (int w = 0; w < g->words.n; w++) { /* in order of place */
            for (int k = 0; k < g->n_attributes; k++) {
                if (g->attributes[k].object != i || g->attributes[k].from != w) continue;
                str_addf(&s, "%s%s", any ? " " : "[", g->attributes[k].name);
                any = true;
            }
        }
        if (any) str_addf(&s, "]");
    }
    for (int i = 0; i < g->n_relations; i++)
        str_addf(&s, "; %s %s %s", g->objects[g->relations[i].subject].name, g->relations[i].name,
                 g->objects[g->relations[i].object].name);
    return s.data ? s.data : strdup("");
}

static void graph_is(const char *text, const char *want)
{
    struct arena a = { 0 };
    struct scene_graph g;

    scene_graph_make(&g, text, parser, wordnet, &a);
    char *got = described(&g);
    is_str(got, want, text);
    free(got);
    arena_release(&a);
}

static void test_graphs(void)
{
    graph_is("A man riding a brown horse on the beach.", "man, horse[brown], beach; man ride horse; man on beach");
    graph_is("A man in a black suit and a woman in a white dress are cutting a cake.",
             "man, suit[black], woman, dress[white], cake; man in suit; woman in dress; man cut cake; woman cut cake");
    graph_is("A snowboarder is jumping off a snow covered roof.",
             "snowboarder, roof[snow covered]; snowboarder off roof");
    graph_is("A street covered in snow.", "street, snow; street covered in snow");
    graph_is("A girl blowing out candles on a cake.", "girl, candle*, cake; girl blow candle; candle on cake");
    graph_is("A large purple backpack among sand dunes.",
             "backpack[large purple], sand dune*; backpack among sand dune");
    graph_is("Two dogs are playing with a red frisbee.", "dog*2, frisbee[red]; dog with frisbee");
    graph_is("A pink guitar stands to the left of a bus.", "guitar[pink], bus; guitar to the left of bus");
    graph_is("Among sand dunes, a pink guitar is placed to the right of a horse.",
             "sand dune*, guitar[pink], horse; guitar among sand dune; guitar to the right of horse");
    graph_is("A red car and a blue bus on the street.", "car[red], bus[blue], street; car on street; bus on street");
    graph_is("A bathroom with a toilet, a sink and a mirror.",
             "bathroom, toilet, sink, mirror; bathroom with toilet; bathroom with sink; bathroom with mirror");
    graph_is("A group of people standing in front of a bus.", "person*, bus; person in front of bus");
    graph_is("A photo of a small dog near three sheep.", "dog[small], sheep*3; dog near sheep");
    graph_is("The man's hat is black.", "man, hat[black]; man have hat");
    graph_is("Two girls are eating cake at a table.", "girl*2, cake, table; girl eat cake; girl at table");
    graph_is("A cat that is black sleeps on the couch.", "cat[black], couch; cat on couch");
    graph_is("A black and white cat laying on a laptop.", "cat[black white], laptop; cat on laptop");
    graph_is("A yellow fire hydrant on the side of the road.",
             "fire hydrant[yellow], road; fire hydrant on the side of road");
    graph_is("An orange bicycle stands next to an orange sailboat.",
             "bicycle[orange], sailboat[orange]; bicycle next to sailboat");
    graph_is("purple book, pink motorcycle and train among sand dunes",
             "book[purple], motorcycle[pink], train, sand dune*; book among sand dune; motorcycle among sand dune; "
             "train among sand dune");
    graph_is("Several boats are docked in the harbor.", "boat*, harbor; boat in harbor");
    graph_is("A woman sits in a chair reading a book.", "woman, chair, book; woman in chair; woman read book");
    graph_is("A boy jumps off a dock into a lake.", "boy, dock, lake; boy off dock; boy into lake");
    graph_is("A man is chased by a small dog.", "man, dog[small]; dog chase man");
    graph_is("A polar bear with a hot dog.", "polar bear, hot dog; polar bear with hot dog");
    graph_is("A woman holds up a metal tray.", "woman, tray[metal]; woman hold tray");
    graph_is("Two swans swim side by side on a pond.", "swan*2, pond; swan on pond");
    graph_is("A cup of tea and a plate on a round table.",
             "cup, tea, plate, table[round]; cup of tea; cup on table; plate on table");
    graph_is("A toddler brushing his teeth with a brush.",
             "toddler, tooth*, brush; toddler brush tooth; toddler with brush");
    graph_is("A little dog in a valley. There is a tree.", "dog[little], valley, tree; dog in valley");
    /* who does what behind a prepositional phrase */
    graph_is("A man talking on a cell phone while walking down a street.",
             "man, cell phone, street; man on cell phone; man down street");
    graph_is("A man is standing on a ladder cleaning a window.",
             "man, ladder, window; man on ladder; man clean window");
    graph_is("A boy stands on a beach flying a kite.", "boy, beach, kite; boy on beach; boy fly kite");
    graph_is("A man and a woman are sitting on a bench eating sandwiches.",
             "man, woman, bench, sandwich*; man on bench; woman on bench; man eat sandwich; woman eat sandwich");
    graph_is("A man is kneeling on the grass beside a fence repairing a bike.",
             "man, grass, fence, bike; man on grass; grass beside fence; man repair bike");
    graph_is("A bus is driving down a street passing a building.",
             "bus, street, building; bus down street; bus pass building");
    graph_is("There is a train on a bridge crossing a river.",
             "train, bridge, river; train on bridge; bridge cross river");
    graph_is("A man is looking at a truck pulling a trailer.", "man, truck, trailer; man at truck; truck pull trailer");
    graph_is("A bus stops while people cross the street.", "bus, person*, street; person cross street");
    /* names */
    graph_is("My cat Milo is sleeping on the couch.", "cat, couch; cat on couch");
    graph_is("A view of the Eiffel Tower in Paris at night.", "eiffel tower, paris; eiffel tower in paris");
    graph_is("A baby Chihuahua sits on a bed.", "baby chihuahua, bed; baby chihuahua on bed");
    graph_is("", "");
    graph_is(".,!?", "");
    graph_is("-", "");
    graph_is("(", "");
    graph_is("\xe2\x80\x94 \xf0\x9f\x90\x95", "");
    graph_is("the of and", "");
}

static void test_places(void)
{
    struct arena a = { 0 };
    struct scene_graph g;
    struct str s = { 0 };

    scene_graph_make(&g, "\xc3\x89mile sees a big red caf\xc3\xa9 in front of two dogs.", parser, wordnet, &a);
    struct value *v = scene_graph_phrases(&g);
    value_print(v, &s);
    is_str(str_c(&s), "[[13,25],[26,37]]", "phrases are counted in characters");
    value_free(v);
    str_clear(&s);
    scene_graph_make(&g, "A red ball.", parser, wordnet, &a);
    v = scene_graph_value(&g);
    value_print(v, &s);
    is_str(str_c(&s),
           "{\"parse\":\"repaired\",\"objects\":[{\"name\":\"ball\",\"count\":1,\"span\":[6,10],\"attributes\":[{"
           "\"name\":\"red\",\"span\":[2,5]}]}],\"relations\":[]}",
           "a graph as a record has it");
    value_free(v);
    str_release(&s);
    arena_release(&a);
}

static void test_kind(void)
{
    struct arena a = { 0 };
    struct scene_graph g;
    struct str s = { 0 };

    scene_graph_make(&g, "A dog is chased by a cat.", parser, wordnet, &a);
    is_int(g.kind, PARSE_FULL, "a sentence parses");
    scene_graph_make(&g, "A dog near a cat.", parser, wordnet, &a);
    is_int(g.kind, PARSE_REPAIRED, "a phrase is repaired");
    scene_graph_make(&g, "A three dogs is on the big table of are.", parser, wordnet, &a);
    is_int(g.kind, PARSE_PATTERN, "nonsense is read by patterns");
    scene_graph_make(&g, "A small dog near a red chair.", NULL, wordnet, &a);
    char *got = described(&g);
    is_str(got, "dog[small], chair[red]; dog near chair", "patterns alone");
    free(got);
    for (int i = 0; i < 5000; i++) str_addf(&s, "%s dog", i % 7 ? " red" : ",");
    scene_graph_make(&g, str_c(&s), parser, wordnet, &a);
    ok(g.n_objects > 0 && g.kind == PARSE_PATTERN, "a text that goes on and on ends");
    str_release(&s);
    arena_release(&a);
}

static void agree(const char *x, const char *y, bool want)
{
    struct arena a = { 0 };
    struct scene_graph g, h;

    scene_graph_make(&g, x, parser, wordnet, &a);
    scene_graph_make(&h, y, parser, wordnet, &a);
    ok(scene_graph_agrees(&g, &h, wordnet, &a) == want, "%s %s %s", x, want ? "=" : "/", y);
    arena_release(&a);
}

static void test_agreement(void)
{
    agree("A red car near a house.", "Near a house there is a red car.", true);
    agree("A red car near a house.", "A red automobile close to a house.", true);
    agree("A red car near a house.", "A blue car near a house.", false);
    agree("A red car near a house.", "A red car.", false);
    agree("A little dog.", "A small dog.", true);
    agree("A caf\xc3\xa9 near a dog.", "A cafe\xcc\x81 near a dog.", true);
    agree("My cat Milo on a chair.", "My cat Milo is on a chair.", true);
    agree("My cat Milo on a chair.", "My cat Max on a chair.", false);
    agree("Two dogs.", "Three dogs.", false);
    agree("A dog to the left of a cat.", "A dog to the right of a cat.", false);
    agree("A bird wading in the water.", "A bird wading at the water.", false);
    agree("A tray on a table under a lamp.", "A tray on top of a table below a lamp.", true);
    agree("A rabbit in the grass.", "A rabbit in the herb.", false);
    agree("A man is standing between two motorcycles.", "A man is being between two motorcycles.", false);
    agree("A mother and her baby look at a giraffe.", "A mother and his baby look at a giraffe.", false);
    agree("A vase is placed on a table.", "A vase is planted on a table.", false);
    agree("A close up of a sandwich on a plate.", "Near up of a sandwich on a plate.", false);
    agree("A dog that is not on a leash.", "A dog that is on a leash.", false);
    agree("A dog that isn't on a leash.", "A dog that is on a leash.", false);
    agree("A dog that isn't on a leash.", "A dog that is not on a leash.", true);
}

int main(void)
{
    struct err e = { 0 };

    dictionary = dictionary_open(&e);
    if (!dictionary) skip_all("no dictionary of Link Grammar");
    wordnet = wordnet_open(WORDNET_DIR, &e);
    if (!wordnet) skip_all("no WordNet");
    parser = parser_new(dictionary, 10);
    test_graphs();
    test_places();
    test_kind();
    test_agreement();
    parser_free(parser);
    wordnet_close(wordnet);
    dictionary_free(dictionary);
    return done();
}
