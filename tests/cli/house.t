#!/bin/bash
# The rules of the tree: floors, headers that stand alone, functions that are never right, one man page per program.
. "$(dirname "$0")/../lib/lib.sh"

ln -s "$top/lib" "$top/cmd" .
t_run awk -F: '
BEGIN {
    split("core 1 stream 2 text 3 image 3 compute 3 score 3 rewrite 4 scenes 4 features 4 nn 4 detect 5 model 5 tasks 6 train 6", w, " ")
    for (i = 1; i in w; i += 2) floor[w[i]] = w[i + 1]
}
FNR == 1 { n = split(FILENAME, part, "/"); for (i = 1; i < n; i++) if (part[i] == "lib") from = part[i + 1] }
match($0, /^#include "[a-z]+\//) {
    to = substr($0, 11, RLENGTH - 11)
    if (to != from && (!(to in floor) || floor[to] >= floor[from])) print FILENAME ":" FNR ": " from " must not include " to
}' $(find lib/ -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh')
t_ok "a module includes only modules on lower floors" [ ! -s "$out" ]
sed 's/^/# /' "$out" | head -5

flags="-std=c17 -fsyntax-only -Wall -Wno-psabi -Werror -D_GNU_SOURCE -Ilib"
: >bad
for h in $(find lib/ -name '*.h'); do
    echo "#include \"${h#lib/}\"" | gcc $flags -x c - 2>>bad || echo "$h" >>bad
done
t_ok "each header compiles alone" [ ! -s bad ]
sed 's/^/# /' bad | head -5

banned='\b(strcpy|strcat|sprintf|gets|atoi|atol|atof|strtok|system|popen|rand|alloca|setlocale)[[:space:]]*\('
grep -rnE "$banned" "$top/lib" "$top/cmd" "$top/tests" --include='*.[ch]' --include='*.cu' >bad || true
t_ok "functions that are never right are not used" [ ! -s bad ]
sed 's/^/# /' bad | head -5
grep -rnE 'ffast-math|Ofast|use_fast_math' "$top/lib" "$top/Makefile" >bad || true
t_ok "nor fast-math" [ ! -s bad ]

home() { # HEADER PLACE...: the header is included only there
    grep -rlE "#include <$1" "$top/lib" "$top/cmd" | sed "s|^$top/||" >found || true
    shift
    t_ok "$1 is the only place of its library" sh -c '! grep -vE "$1" found' sh "$1"
}
home zstd.h '^lib/stream/'
home turbojpeg.h '^lib/image/jpeg.c$'
home libstemmer.h '^lib/score/meteor_words.c$'
home zlib.h '^lib/score/meteor_words.c$'
home getopt.h '^lib/core/opt.c$'
home 'dnnl' '^lib/compute/cpu/'
home cuda '^lib/(compute/cuda|train/nccl)/'
home cublas '^lib/compute/cuda/'
home 'link-grammar' '^lib/rewrite/'
home zip.h '^lib/features/npz.c$'
home utf8proc.h '^lib/core/unicode.c$'

shopt -s nullglob
for c in "$top"/cmd/unimo-*.c; do
    p=$(basename "$c" .c)
    t_ok "$p has a man page" [ -f "$top/man/$p.1" ]
done
if command -v mandoc >/dev/null; then
    for m in "$top"/man/*.[157]; do
        t_run mandoc -T lint -W warning "$m"
        t_exit 0 "${m##*/} is clean"
    done
fi
# A macro that quotes does so to the end of its line: what else stands there is quoted, too.
grep -nE '^\.(.* )?(Dq|Sq|Ql|Qq) (.* )?(,|Dq|Sq|Ql|Qq|No|Ta) .' "$top"/man/* >bad || true
t_ok "no page has a quotation within a quotation" [ ! -s bad ]
sed 's/^/# /' bad | head -5
# .Dl fills lines and takes quotation marks as its own: what is copied from the page is another command.
for m in "$top"/man/*; do awk '/^\.Sh/ { on = $2 == "EXAMPLES" } on && /^\.Dl/ { print FILENAME ":" FNR ": " $0 }' "$m"; done >bad
t_ok "examples can be copied from their page" [ ! -s bad ]
sed 's/^/# /' bad | head -5
find lib/ cmd/ -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | xargs wc -l | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }' >bad
t_ok "no file has more than 800 lines" [ ! -s bad ]
sed 's/^/# /' bad
t_done
