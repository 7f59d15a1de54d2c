/* The rules of the Penn Treebank tokenizer as coco-caption runs it, described in the order of their precedence. */
#include "score/ptb.h"
#include "core/mem.h"
#include "score/lexer.h"
#include "score/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- what the rules are made of ---- */

#define BLANKS " \t\\xA0\u2000-\u200A\u3000"

static const struct lexer_name names[] = {
    { "blank", "[" BLANKS "]" },
    { "space", "[" BLANKS "\n]" },
    { "any", "[^]" },
    { "d", "[\\d\u07C0-\u07C9]" },
    { "an", "[A-Za-z0-9]" },
    /* Signs that belong to a word: soft hyphen, combining marks, vowel signs of Hebrew, Arabic and the scripts of India
       and Thailand. */
    { "l", "([\\l\\xAD\u0237-\u024F\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02FF\u0300-\u036F\u0370-"
           "\u037D\u0384\u0385\u03CF\u03F6\u03FC-\u03FF\u0483-\u0487"
           "\u04CF\u04F6-\u04FF\u0510-\u0525\u055A-\u055F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0615-"
           "\u061A\u063B-\u063F\u064B-\u065E"
           "\u0670\u06D6-\u06EF\u06FA-\u06FF\u070F\u0711\u0730-\u074F\u0750-\u077F\u07A6-\u07B1\u07CA-"
           "\u07F5\u07FA\u0900-\u0903\u093C\u093E-\u094E"
           "\u0951-\u0955\u0962-\u0963\u0981-\u0983\u09BC-\u09C4\u09C7\u09C8\u09CB-\u09CD\u09D7\u09E2\u09E3\u0A01-"
           "\u0A03\u0A3C\u0A3E-\u0A4F"
           "\u0A81-\u0A83\u0ABC-\u0ACF\u0B82\u0BBE-\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCD\u0C01-\u0C03\u0C3E-\u0C56\u0D3E-"
           "\u0D44\u0D46-\u0D48"
           "\u0E30-\u0E3A\u0E47-\u0E4E\u0EB1-\u0EBC\u0EC8-\u0ECD]|&[aeiouAEIOU](acute|grave|uml);)" },
    { "word", "{l}({l}|{d})*([.!?]{l}({l}|{d})*)*" },
    { "q", "(['\\x92\u2019]|&apos;)" },                   /* an apostrophe */
    { "Q", "(['\\x92\u2019`\\x91\u2018\u201B]|&apos;)" }, /* also one that is turned the wrong way */
    { "hyphen", "[-_\u058A\u2010\u2011]" },
    { "comma", "[,;:\u3001]" },
    { "aux", "{q}(m|s|d|re|ve|ll)" },
    { "not", "n{Q}t" },
    /* A tag: <name attribute a="value">, </name>, <!...>, <?...>. */
    { "name", "[A-Za-z][A-Za-z0-9_:.\\-]*" },
    { "tag", "<([!?][A-Za-z\\-][^>\r\n]*|{name}( +({name}|{name} *= *('[^'\n]*'|\"[^\"\n]*\")))* */?|/{name}) *>" },
    { "integer", "{d}+" },
    { "number", "({d}+|{d}*([.:,\\xAD\u066B\u066C]{d}+)+)" },
    { "acronym", "([A-Za-z](.[A-Za-z])+|(canada|sino|korean|eu|japan|non)-u.s|u.s.-(u.k|u.s.s.r))" },
    { "month", "jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec" },
    { "day", "mon|tue|tues|wed|thu|thurs|fri" },
    { "state", "ala|ariz|[A]z|[A]rk|calif|colo|conn|ct|dak|[D]el|fla|ga|[I]ll|ind|kans?|ky|[L][a]|[M]ass|md|mich|minn|["
               "M]iss|mo|mont|neb|nev|okla|[O]re|"
               "[P]a|penn|tenn|[T]ex|va|vt|[W]ash|wisc?|wyo" },
    { "company", "inc|cos?|corp|pp?t[ye]s?|ltd|plc|rt|bancorp|bhd|assn|univ|intl|sys" },
    { "after", "jr|sr|bros|(ed|ph).d|blvd|rd|esq|tel|est|ext|sq|etc|al|seq|bldg" },
    { "title", "mr|mrs|ms|[M]iss|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev|maj|sgt|cpl|pvt|capt|"
               "ste?|ave|pres|lieut|hon|brig|"
               "com?mdr|pfc|spc|supts?|det|mt|ft|adj|adv|asst|assoc|ens|insp|mlle|mme|msgr|sfc" },
    { "within", "vs|alex|wm|jos|cie|a.k.a|cf|treas|ph|invt|elec|natl|m[ft]g|dept" },
    { "final", "({month}|{day}|{state}|{company}|{after})." }, /* may end a sentence */
    { "inner", "([A-Za-z]|{title}|{within}|{acronym})" },      /* is not thought to */
    { "opener", "[A]bout|[A]ccording|[A]dditionally|[A]fter|[A]n|[A]|[A]s|[A]t|[B]ut|[E]arlier|[H]e|[H]er|[H]ere|[H]"
                "owever|[I]f|[I]n|[I]t|[L]ast|[M]any|"
                "[M]ore|[M]r.|[M]s.|[N]ow|[O]nce|[O]ne|[O]ther|[O]ur|[S]he|[S]ince|[S]o|[S]ome|[S]uch|[T]hat|[T]he|[T]"
                "hen|[T]here|[T]hese|[T]hey|[T]his|[W]e|"
                "[W]hen|[W]hile|[W]hat|[Y]et|[Y]ou" },
    { "extension", "bat|bmp|c|class|cgi|cpp|dll|doc|docx|exe|gif|gz|h|htm|html|jar|java|jpeg|jpg|mov|mp3|pdf|php|pl|"
                   "png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip" },
    { "dotted", "{an}[A-Za-z0-9.,\\xAD]*(-([A-Za-z0-9\\xAD]+|{acronym}.))+" }, /* 12-inch */
    { "elided", "([dDoOlL]{Q}[\\l\\d])?[\\l\\d]+" },
    { "hyphened", "{elided}({hyphen}{elided})*" },
    { "capitals", "[A-Z]+(([+&]|&amp;)[A-Z]+)+" },
    { "path", "(/[^ \t\n\f\r\"<>|()]+[^ \t\n\f\r\"<>|.!?(){},\\-])?" },
    { NULL, NULL },
};

/* ---- the rules ---- */

enum action {
    AS_IS,
    SKIP,
    SPLIT2,
    SPLIT3,    /* the last two, three letters are a token of their own */
    SOFT,      /* without soft hyphens */
    AMPERSAND, /* &amp; is & */
    JOIN,      /* blanks become no-break spaces */
    LEFT,
    RIGHT,    /* quotes, opening where they can be either, closing */
    BRACKETS, /* ( and ) are written out */
    PHONE,    /* both */
    INITIAL,  /* an acronym at the end of a sentence */
    SENTENCE, /* its period is also one of its own */
    TABLE,    /* replaced, if the table has it */
    DASH,
    ELLIPSIS,
    LESS,
    MORE
};

static const struct rule {
    enum action action;
    struct lexer_rule pattern;
} rules[] = {
    { AS_IS, { "c\\+\\+", NULL } },
    { AS_IS, { "(c|f)#", NULL } },
    { SPLIT3, { "cannot", NULL } },
    { SPLIT3, { "'twas", NULL } },
    { SPLIT2, { "'tis", NULL } },
    { SPLIT2, { "gonna|gotta|lemme|gimme|wanna", NULL } },
    { JOIN, { "{tag}", NULL } },
    { DASH, { "[\u2013-\u2015\\x96\\x97]|&(MD|mdash|ndash);", NULL } },
    { AMPERSAND, { "&amp;", NULL } },
    { AS_IS, { "&(HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);", NULL } },
    { SOFT, { "{word}", "{aux}" } },
    { SOFT, { "[A-Za-z\\xAD]*[A-MO-Za-mo-z]\\xAD*", "{not}" } },
    { SOFT, { "{word}", NULL } },
    { AS_IS,
      { "{q}n{q}?|[lLdDjJ]{q}|(dunkin|somethin|ol){q}|{q}em|[A-HJ-XZn]{Q}\\l{2,}|{q}[2-9]0s|{q}till?|\\l+[aeiouyAEIOUY]"
        "{Q}[aeiouA-Z]\\l*|{q}cause|"
        "cont'd.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l|o{Q}o",
        NULL } },
    { AS_IS, { "y{q}", "\\l" } },
    { AS_IS, { "https?://[^ \t\n\f\r\"<>|(){}]+[^ \t\n\f\r\"<>|.!?(){},\\-]", NULL } },
    { AS_IS,
      { "www.([^ \t\n\f\r\"<>|.!?(){},]+.)+[a-zA-Z]{2,4}{path}|([^ "
        "\t\n\f\r\"`'<>|.!?(){},-_$]+.)+(com|net|org|edu){path}",
        NULL } },
    { AS_IS,
      { "(&lt;|<)?[a-zA-Z0-9][^ \t\n\f\r\"<>|(){}\\xA0]*@([^ \t\n\f\r\"<>|(){}.\\xA0]+.)*([^ "
        "\t\n\f\r\"<>|(){}.\\xA0]+)(&gt;|>)?",
        NULL } },
    { AS_IS, { "@[a-zA-Z_][a-zA-Z_0-9]*|#{l}+", NULL } },
    { RIGHT, { "{aux}", "[^A-Za-z]" } },
    { RIGHT, { "{not}", "[^A-Za-z]" } },
    { AS_IS, { "{d}{1,2}[-/]{d}{1,2}[-/]{d}{2,4}", NULL } },
    { SOFT, { "[-+]?{number}", NULL } },
    { AS_IS, { "[\u207A\u207B\u208A\u208B]?([\u2070\\xB9\\xB2\\xB3\u2074-\u2079]+|[\u2080-\u2089]+)", NULL } },
    { JOIN, { "({d}{1,4}[- \\xA0])?{d}{1,4}(\\\\?/|\u2044){d}{1,4}", NULL } },
    { TABLE, { "[\\xBC\\xBD\\xBE\u2153-\u215E]", NULL } },
    { AMPERSAND,
      { "-(RRB|LRB|RCB|LCB|RSB|LSB)-|c.d.s|pro-|anti-|s(&|&amp;)p-500|s(&|&amp;)ls|cap{q}n|c{q}est", NULL } },
    { AS_IS, { "{an}+(-[A-Za-z]+){0,2}(\\\\?/{an}+(-[A-Za-z]+){0,2}){1,2}", NULL } },
    { AS_IS, { "[A-Z]*$|#", NULL } },
    { TABLE, { "[\\xA2-\\xA5\\x80\u20A0\u20AC\u060B\u0E3F\u20A4\uFFE0\uFFE1\uFFE5\uFFE6]", NULL } },
    { INITIAL, { "([A-Za-z]|{acronym}).", "{space}+({opener}|{tag}){space}" } },
    { AS_IS, { "(ca|figs?|prop|nos?|art|bldg|pp|op).", "{space}?{d}" } },
    { AS_IS, { "(pt[ey]|co).", "{blank}(ltd|lim)" } },
    { SENTENCE, { "{final}", "{space}({space}|\\u|{tag})" } },
    { AS_IS, { "{final}", "{any}{any}" } },
    { SENTENCE, { "{final}", NULL } },
    { AS_IS, { "{inner}.", NULL } },
    { AS_IS, { "{inner}", "{space}" } },
    { AS_IS, { "{acronym}.", "{space}" } },
    { AS_IS, { "{q}[0-9][0-9]", "{space}" } },
    { AS_IS, { "({l}|{d})+(.({l}|{d})+)*.({extension})", "{space}|[.?!,]" } },
    { SOFT, { "{word}.", "{comma}" } },
    { PHONE,
      { "(\\([0-9]{2,3}\\)[ \\xA0]?|(\\+\\+?)?([0-9]{2,4}[- \\xA0])?[0-9]{2,4}[- \\xA0])[0-9]{3,4}[- \\xA0]?[0-9]{3,5}|"
        "((\\+\\+?)?[0-9]{2,4}.)?[0-9]{2,4}.[0-9]{3,4}.[0-9]{3,5}",
        NULL } },
    { LEFT, { "\"|&quot;", "[A-Za-z0-9$]" } },
    { RIGHT, { "\"|&quot;", NULL } },
    { SKIP, { "\\x7F", NULL } },
    { LESS, { "<|&lt;", NULL } },
    { MORE, { ">|&gt;", NULL } },
    { BRACKETS, { "[<>]?[:;=][-o*']?[)(DPdpO\\\\{@|[\\]]", "[^A-Za-z0-9]" } },
    { BRACKETS, { "[-^x=~<>']_[-^x=~<>']|\\([-^x=~<>'][_.]?[-^x=~<>']\\)|\\([\\^x=~<>']-[\\^x=~<>'`]\\)", NULL } },
    { TABLE, { "\\{|\\}|[[]|[\\]]|\\(|\\)", NULL } },
    { TABLE, { "-+", NULL } },
    { ELLIPSIS, { ".{3,5}|(.[ \\xA0]){2,4}.|\u2026", NULL } },
    { AS_IS, { "@+|#+|_+", NULL } },
    { AS_IS, { "\\*+|(\\\\\\*){1,3}", NULL } },
    { AS_IS, { "{comma}", NULL } },
    { AS_IS, { "[?!]+", NULL } },
    { AS_IS, { "[.\\xA1\\xBF\u037E\u0589\u061F\u06D4\u0700-\u0702\u07FA\u3002]", NULL } },
    { AS_IS, { "=", NULL } },
    { AS_IS, { "/", NULL } },
    { SOFT, { "{dotted}.", "{comma}" } },
    { SOFT, { "{dotted}", NULL } },
    { AS_IS, { "{hyphened}.", "{comma}" } },
    { AS_IS, { "{hyphened}", NULL } },
    { AMPERSAND, { "{capitals}.", "{comma}" } },
    { AMPERSAND, { "{capitals}", NULL } },
    { LEFT, { "'", "[A-Za-z][^ \t\r\n\\xA0]" } },
    { RIGHT, { "{aux}", NULL } },
    { RIGHT, { "{not}", NULL } },
    { RIGHT, { "{q}|''|[`\u2018-\u201F\\x91-\\x94\u2039\u203A\\xAB\\xBB]{1,2}", NULL } },
    { AS_IS, { "<<|>>", NULL } },
    { AS_IS,
      { "[+%&~\\^|\\\\\\xA6-\\xA9\\xAC\\xAE-\\xB4\\xB6-\\xBA\\xD7\\xF7\u0387\u05BE\u05C0\u05C3\u05C6\u05F3\u05F4\u0600-"
        "\u0603\u0606-\u060A\u060C\u0614"
        "\u061B\u061E\u066A\u066D\u0703-\u070D\u07F6-\u07F8\u0964\u0965\u0E4F\u1FBD\u2016\u2017\u2020-\u2023\u2030-"
        "\u2038\u203B\u203E-\u2042\u2044"
        "\u207A-\u207F\u208A-\u208E\u2100-\u214F\u2190-\u21FF\u2200-\u2BFF\u3012\u30FB\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-"
        "\uFF40\uFF5B-\uFF65]",
        NULL } },
    { SKIP, { "[\\x00\u200B\u200E\u200F\uFEFF]|[" BLANKS "]+", NULL } },
    { SKIP, { "&nbsp;", NULL } },
};
enum { N_RULES = sizeof rules / sizeof *rules };

static const struct {
    const char *from, *to;
} replaced[] = { { "(", "-lrb-" },    { ")", "-rrb-" },      { "[", "-lsb-" },    { "]", "-rsb-" },
                 { "{", "-lcb-" },    { "}", "-rcb-" },      { "---", "--" },     { "----", "--" },
                 { "\u00BC", "1/4" }, { "\u00BD", "1/2" },   { "\u00BE", "3/4" }, { "\u2153", "1/3" },
                 { "\u2154", "2/3" }, { "\u00A2", "cents" }, { "\u00A3", "#" },   { "\xC2\x80", "$" },
                 { "\u00A4", "$" },   { "\u20A0", "$" },     { "\u20AC", "$" } };

struct ptb {
    int64_t dropped;
    struct lexer *lexer;
    uint16_t *text, *changed; /* a text; a token */
    int64_t cap, cap_changed;
    struct str tokens, token;
};

struct ptb *ptb_new(void)
{
    struct ptb *p = mem_new(struct ptb, 1);
    struct lexer_rule patterns[N_RULES];

    for (int i = 0; i < N_RULES; i++) patterns[i] = rules[i].pattern;
    p->lexer = lexer_new(patterns, N_RULES, names);
    return p;
}

int64_t ptb_dropped(const struct ptb *p)
{
    return p->dropped;
}

void ptb_free(struct ptb *p)
{
    if (!p) return;
    lexer_free(p->lexer);
    free(p->text);
    free(p->changed);
    str_release(&p->tokens);
    str_release(&p->token);
    free(p);
}

/* ---- writing tokens ---- */

static int quote_at(const uint16_t *t, int64_t n,
                    int *units) /* '\'' apostrophe, '<' opening, '>' closing; capital: double */
{
    static const char entity[] = "&apos;";
    int k = 0;

    *units = 1;
    while (k < 6 && k < n && (t[k] | 32) == (entity[k] | 32)) k++;
    if (k == 6) return *units = 6, '\'';
    switch (t[0]) {
    case '\'':
        return '\'';
    case '`':
    case 0x91:
    case 0x2018:
    case 0x201B:
    case 0x2039:
        return '(';
    case 0x92:
    case 0x2019:
    case 0x203A:
        return ')';
    case 0x93:
    case 0x201C:
    case 0xAB:
        return '[';
    case 0x94:
    case 0x201D:
    case 0xBB:
        return ']';
    default:
        return 0;
    }
}

/* Quotes as `, ', `` and ''. */
static void write_quotes(struct str *out, const uint16_t *t, int64_t n, bool left)
{
    for (int64_t i = 0; i < n;) {
        int units, what = quote_at(t + i, n - i, &units);
        if (t[i] == '"' || (n == 6 && t[1] == 'q')) return str_add(out, left ? "``" : "''");
        if (what == '\'') str_add(out, left ? "`" : "'");
        else if (what == '(') str_add(out, "`");
        else if (what == ')') str_add(out, "'");
        else if (what == '[') str_add(out, "``");
        else if (what == ']') str_add(out, "''");
        else unicode_add_lower(out, t + i, 1);
        i += units;
    }
}

static int64_t add_units(uint16_t *out, int64_t n, const char *ascii)
{
    while (*ascii) out[n++] = (uint16_t)*ascii++;
    return n;
}

static void write_changed(struct ptb *p, const uint16_t *t, int64_t n, enum action action)
{
    static const char amp[] = "&amp;";
    int64_t kept = 0;

    mem_reserve(&p->changed, &p->cap_changed, 5 * n + 1); /* a bracket becomes five */
    for (int64_t i = 0; i < n; i++) {
        int k = 0;
        while (action == AMPERSAND && k < 5 && i + k < n && (t[i + k] | 32) == (amp[k] | 32)) k++;
        if (k == 5) p->changed[kept++] = '&', i += 4;
        else if (action == SOFT && t[i] == 0xAD) continue;
        else if ((action == JOIN || action == PHONE) && t[i] == ' ') p->changed[kept++] = 0xA0;
        else if ((action == BRACKETS || action == PHONE) && (t[i] == '(' || t[i] == ')'))
            kept = add_units(p->changed, kept, t[i] == '(' ? "-lrb-" : "-rrb-");
        else p->changed[kept++] = t[i];
    }
    if (kept) unicode_add_lower(&p->token, p->changed, kept);
    else str_add_char(&p->token, '-'); /* a soft hyphen alone */
}

static void write_token(struct ptb *p, const uint16_t *t, int64_t n, enum action action)
{
    struct str *out = &p->token;

    switch (action) {
    case DASH:
        return str_add(out, "--");
    case ELLIPSIS:
        return str_add(out, "...");
    case LESS:
        return str_add(out, "<");
    case MORE:
        return str_add(out, ">");
    case LEFT:
    case RIGHT:
        return write_quotes(out, t, n, action == LEFT);
    case SOFT:
    case AMPERSAND:
    case JOIN:
    case PHONE:
    case BRACKETS:
        return write_changed(p, t, n, action);
    default:
        unicode_add_lower(out, t, n);
    }
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced && action == TABLE; i++) {
        if (strcmp(str_c(out), replaced[i].from)) continue;
        str_clear(out);
        return str_add(out, replaced[i].to);
    }
}

/* ---- reading texts ---- */

enum { AHEAD_MAX = 256 /* units of the texts that follow which rules get to see */ };

static bool is_line_end(uint16_t c)
{
    if (c > '\r' && c < 0x85) return false;
    return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* The first text as units, its line ends as blanks, and the beginning of what follows, a line end before each text.
 * Returns their number, *own gets that of the first. */
static int64_t load(struct ptb *p, const char *const *texts, int64_t *own)
{
    int64_t n = 0;

    for (int64_t k = 0; texts[k] && (!k || n < *own + AHEAD_MAX); k++) {
        int64_t bytes = (int64_t)(k ? strnlen(texts[k], AHEAD_MAX) : strlen(texts[k])), at = n;
        mem_reserve(&p->text, &p->cap, n + bytes + 1);
        n += unicode_to_utf16(p->text + n, texts[k], bytes);
        for (; at < n; at++) {
            if (is_line_end(p->text[at])) p->text[at] = ' ';
        }
        if (!k) *own = n;
        if (texts[k + 1]) p->text[n++] = '\n';
    }
    return n;
}

/* The length of a word of ASCII letters before a blank that is one token by any rule, else 0: most words, which need no
 * patterns. */
static int64_t plain_word(const uint16_t *t, int64_t n)
{
    static const char *const divided[] = { "cannot", "gonna", "gotta", "lemme", "gimme", "wanna" };
    char word[8] = "";
    int64_t k = 0;

    for (; k < n && k < LEXER_REACH && t[k] < 0x80 && (t[k] | 32) >= 'a' && (t[k] | 32) <= 'z'; k++) {
        if (k < 7) word[k] = (char)(t[k] | 32);
    }
    if (k == n || k == LEXER_REACH || t[k] != ' ') return 0;
    for (size_t i = 0; i < sizeof divided / sizeof *divided && (k == 5 || k == 6); i++) {
        if (!strcmp(word, divided[i])) return 0;
    }
    return k;
}

/* Calls write for each token. */
static void each_token(struct ptb *p, const char *const *texts, void (*put)(struct ptb *p, struct str *out),
                       struct str *out)
{
    int64_t own = 0, all = load(p, texts, &own);

    for (int64_t at = 0; at < own;) {
        int rule = 0;
        const uint16_t *t = p->text + at;
        int64_t plain = plain_word(t, own - at);
        if (plain) {
            str_clear(&p->token);
            for (int64_t i = 0; i < plain; i++) str_add_char(&p->token, (char)(t[i] | 32));
            put(p, out);
            bool is_run =
                at + plain + 1 < own && (t[plain + 1] <= ' ' || t[plain + 1] >= 0x80); /* of blanks, perhaps */
            at += plain + !is_run;
            continue;
        }
        int64_t n = lexer_match(p->lexer, t, all - at, &rule), taken;
        if (n > own - at) n = own - at;
        if (!n) {
            at++;
            p->dropped++;
            continue;
        }
        enum action action = rules[rule].action;
        taken = n;
        if (action == SPLIT2) n = taken -= 2;
        if (action == SPLIT3) n = taken -= 3;
        if (action == INITIAL && n == 2) n = taken = 1;
        else if (action == INITIAL || action == SENTENCE) taken = n - 1;
        at += taken;
        if (action == SKIP) continue;
        str_clear(&p->token);
        write_token(p, t, n, action);
        if (p->token.n) put(p, out);
    }
}

static void put_token(struct ptb *p, struct str *out)
{
    if (out->n) str_add_char(out, ' ');
    str_add_bytes(out, p->token.data, p->token.n);
}

void ptb_tokenize(struct ptb *p, const char *const *texts, struct str *out)
{
    str_clear(&p->tokens);
    each_token(p, texts, put_token, &p->tokens);
    str_add_bytes(out, str_c(&p->tokens), p->tokens.n);
}

static void put_word(struct ptb *p, struct str *out)
{
    static const char *const dropped[] = { "''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";" };
    const char *t = str_c(&p->token), *end = t + p->token.n;
    uint32_t c;

    bool is_plain = true; /* ASCII without blanks: most words */
    for (const char *k = t; k < end && is_plain; k++) is_plain = *k > ' ';
    bool is_word = p->token.n > 3 || ((*t | 32) >= 'a' && (*t | 32) <= 'z');
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped && !is_word; i++) {
        if (!strcmp(t, dropped[i])) return;
    }
    if (is_plain) {
        str_add_bytes(out, t, p->token.n);
        str_add_char(out, ' ');
        return;
    }
    size_t before = out->n;
    for (bool open = false; t < end;) {
        int bytes = utf8_decode(t, (size_t)(end - t), &c);
        bool is_blank = unicode_is_space(c);
        if (!is_blank && !open && out->n > before) str_add_char(out, '\n');
        if (!is_blank) str_add_bytes(out, t, (size_t)bytes);
        open = !is_blank;
        t += bytes;
    }
    if (out->n > before) str_add_char(out, ' ');
}

void ptb_words(struct ptb *p, const char *const *texts, struct str *out)
{
    each_token(p, texts, put_word, out);
}
