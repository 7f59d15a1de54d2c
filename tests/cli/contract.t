#!/bin/bash
# What every program does alike: it is enough to exist to be held to it.
. "$(dirname "$0")/../lib/lib.sh"

shopt -s nullglob
bin=${UNIMO_BIN:-$top/build/release/bin}
for path in "$bin"/unimo-*; do
    p=${path##*/}
    t_run "$p" --help
    t_exit 0 "$p --help succeeds"
    t_ok "and starts with usage" sh -c 'head -1 "$1" | grep -q "^usage: $2 "' sh "$out" "$p"
    t_ok "$p tells of status 75 if it can be resumed" sh -c '[ "$(grep -c "^  .* --resume " "$1")" = "$(grep -c "75 saved" "$1")" ]' sh "$out"
    cp "$out" help
    t_ok "$p: a default that is shown can be given" sh -c '! grep "stop after N records \[0\]" help'
    : >silent
    for o in $(grep '(may be repeated)' help | grep -oE -- '--[a-z0-9-]+ ' | sort -u); do
        awk -v o=" -${o#--}( |$)" '/^\.It Fl/ { if (text) on = 0; if ($0 ~ o) on = 1; text = 0; next }
            on { text = 1; if (/repeated|several times|[Gg]iven once for each/) said = 1 } END { exit !said }' "$top/man/$p.1" || echo "$o" >>silent
    done
    t_ok "$p: the man page says, too, which options may be repeated" [ ! -s silent ]
    sed 's/^/#   not said in the page: /' silent
    : >missing
    grep -oE '^  (-.,|   ) --[a-z0-9-]+' "$out" | grep -oE -- '--[a-z0-9-]+' | grep -vxE -- '--help|--version' | while read -r o; do
        grep -qE "^\.It Fl (. , )?(Fl )?-${o#--}( |$)|Fl -${o#--}( |$)" "$top/man/$p.1" || echo "$o" >>missing
    done
    t_ok "$p: the man page has every option" [ ! -s missing ]
    sed 's/^/#   not in the page: /' missing
    t_run "$p" --version
    t_ok "$p --version is one line" sh -c '[ "$(wc -l <"$1")" = 1 ] && grep -q "^$2 [0-9]" "$1"' sh "$out" "$p"
    t_run "$p" --no-such-option
    t_exit 2 "$p: an unknown option is a usage error"
    t_err "^$p: \"--no-such-option\": unknown option"
    t_fails "$p: unknown option"
    t_run "$p" --hel
    t_exit 2 "$p: an abbreviated option is refused"
    t_run "$p" --help=yes
    t_exit 2 "$p: a value for a flag is refused"
    t_run sh -c '"$1" --help >/dev/full' sh "$path"
    t_exit 1 "$p: a full disk is an error"
    t_fails "$p --help >/dev/full"
    t_run sh -c '"$1" --help >&-' sh "$path"
    t_exit 1 "$p: so is a closed standard output"
    for o in $(sed -nE 's/^  (-.,|   ) (--[a-z0-9-]+) (FILE|DIR|PATH|JPEG) .*/\2/p' help); do
        t_run "$p" "$o" ''
        t_exit 2 "$p $o: a variable that is not set is no file"
        t_err "^$p: $o \"\": a name was expected"
    done
    t_run "$p" "$t_dir/no-such-file"
    t_fails "$p: a missing file"
    t_run "$p" "$t_dir"
    t_fails "$p: a directory without anything usable"
    : >empty
    t_run "$p" empty
    t_fails "$p: an empty file"
done
t_run /bin/true --no-such-option
t_ok "(a program that accepts everything would fail these tests)" [ "$rc" != 2 ]
t_done
