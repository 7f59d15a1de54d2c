# Sourced by every shell test: a fresh directory, a scrubbed environment, and verbs that print TAP.
#   t_run CMD...   runs CMD; its output is in $out, its messages in $err, its status in $rc
#   t_peak CMD...  prints the peak of CMD's memory
#   t_python WHAT ARGUMENTS...  $python is from here on one that succeeds with the arguments; skips all, without WHAT, where none does
#   t_exit N WHAT  | t_ok COMMAND...   | t_err REGEX  | t_same A B  | t_fails WHAT (exit 1 or 2, exactly one line) | t_skip_all WHY | t_done
set -u
unset CDPATH
export LC_ALL=C TZ=UTC
top=$(cd "$(dirname "$0")/../.." && pwd)
PATH=${UNIMO_BIN:-$top/build/release/bin}:$PATH
t_dir=$(mktemp -d "${TMPDIR:-/tmp}/unimo-test.XXXXXX")
mkdir "$t_dir/tmp"
export HOME=$t_dir TMPDIR=$t_dir/tmp
cd "$t_dir" || exit 1
out=$t_dir/.out err=$t_dir/.err rc=0 t_n=0 t_bad=0 t_last=

t_report() { # PASS(0/1) WHAT
    t_n=$((t_n + 1))
    if [ "$1" = 0 ]; then echo "ok $t_n - $2"; else
        echo "not ok $t_n - $2"
        t_bad=$((t_bad + 1))
        echo "#   after: $t_last (exit $rc)"
        sed 's/^/#   stderr: /' "$err" 2>/dev/null | head -5
    fi
}
t_run() { t_last="$*"; rc=0; "$@" >"$out" 2>"$err" </dev/null || rc=$?; }
t_exit() { [ "$rc" = "$1" ]; t_report $? "${2:-exit status $1}"; }
t_ok() { local what=$1; shift; "$@" >/dev/null 2>"$t_dir/.t_ok"; local s=$?; t_report $s "$what"; [ $s = 0 ] || sed 's/^/#   /' "$t_dir/.t_ok" | head -5; }
t_err() { grep -Eq -- "$1" "$err"; t_report $? "message matches: $1"; }
t_out() { grep -Eq -- "$1" "$out"; t_report $? "output matches: $1"; }
t_same() { cmp -s "$1" "$2"; t_report $? "${3:-$1 equals $2}"; }
t_fails() { { [ "$rc" = 1 ] || [ "$rc" = 2 ]; } && [ "$(wc -l <"$err")" = 1 ]; t_report $? "$1: exit 1 or 2 with one line"; }
t_peak() { # CMD...: its largest resident size in KiB, as the kernel counts it; needs python3
    python3 -c 'import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)' "$@"
}
t_python() {
    local what=$1
    shift
    for python in python3 /usr/bin/python3; do "$python" "$@" >/dev/null 2>&1 && return; done
    t_skip_all "no python3 with $what"
}
t_skip_all() { echo "1..0 # SKIP $1"; rm -rf "$t_dir"; exit 0; }
t_done() {
    echo "1..$t_n"
    cd / || exit 1
    if [ "$t_bad" = 0 ]; then rm -rf "$t_dir"; exit 0; fi
    echo "# kept: $t_dir"
    echo "# again: make check T=tests/${0##*tests/}"
    exit 1
}
