#!/bin/bash
# The Makefile for those who package: folders with spaces, what is installed and removed again, what is built anew, versions, releases.
. "$(dirname "$0")/../lib/lib.sh"

command -v make >/dev/null || t_skip_all "make is not installed"
build=${UNIMO_BUILD:-$top/build/release}
unset MAKEFLAGS MFLAGS MAKELEVEL T SAN COV ARM64 # of the make that runs the tests
mk() { make -s --no-print-directory NVCC= MPICC= CXX=none "V=${build##*/}" "$@"; }

# A tree whose path has spaces: the sources by links, and what is built.
mkdir "a tree"
cp -rs "$top"/Makefile "$top"/cmd "$top"/lib "$top"/man "$top"/scripts "$top"/testdata "$top"/tests "a tree"
mkdir "a tree/build" && ln -s "$build" "a tree/build/"
printf '#!/bin/sh\n[ -d "$UNIMO_BIN" ] && [ -d "$UNIMO_BUILD" ] && echo "ok 1" && echo 1..1\n' >"a tree/one.t"
chmod +x "a tree/one.t"
(cd "a tree" && eval "$(mk -n check T=./one.t | grep ' prove ')") >out 2>&1
t_ok "make check in a folder with a space" grep -q '^Result: PASS' out
t_run mk -C "a tree" -n demo D=x
t_ok "make demo, too" grep -q "unimo-scenes" "$out"

there="$t_dir/to here/opt/my unimo"
t_run mk -C "a tree" -o all install DESTDIR="$t_dir/to here" PREFIX="/opt/my unimo"
t_exit 0 "make install into a folder with spaces"
[ -e "$build/run" ] || # where an emulator runs them
    t_ok "programs run from there" sh -c '"$1/bin/unimo-scenes" --train 1 --dev 0 --test 0 --images 0 --texts 0 -o made && "$1/bin/unimo-regionfeat" -o /dev/null made/train' sh "$there"
t_ok "with a page for each" sh -c 'for p in "$1"/bin/*; do [ -e "$1/share/man/man1/${p##*/}.1" ] || exit 1; done' sh "$there"
echo another >"$there/bin/another"
mkdir -p "$there/share/empty"
t_run mk -C "a tree" uninstall DESTDIR="$t_dir/to here" PREFIX="/opt/my unimo"
t_exit 0 "make uninstall"
t_ok "leaves no file but another's" [ "$(cd "$there" && find . -type f)" = ./bin/another ]
t_ok "and folders that are not its own" sh -c 'cd "$1" && [ -d share/empty ] && [ -d share/man/man1 ] && [ ! -e share/unimo ] && [ ! -e lib/unimo ]' sh "$there"

t_run mk -C "a tree" uninstall PREFIX="$t_dir/no such prefix"
t_exit 0 "nothing to remove is no error"

# What is compiled by nvcc and mpicc is compiled anew when they or their options change, and by the options that were given.
mkdir -p small/lib/compute/cuda small/lib/train/mpi small/bin
cp "$top/Makefile" small
touch small/lib/compute/cuda/x.cu small/lib/train/mpi/mpi.c small/lib/train/comm.h
printf '#!/bin/sh\necho "$0 $*" >>calls\nwhile [ $# -gt 0 ]; do case $1 in -o | -MF) : >"$2" ;; esac; shift; done\n' >small/bin/standin
chmod +x small/bin/standin
calls() { : >small/calls && make -s -C small NVCC=bin/standin MPICC=bin/standin CXX=none "$@" build/release/lib/unimo/libunimo-{cuda,mpi}.so && wc -l <small/calls; }
t_ok "the plug-ins are built" [ "$(calls ARCH=80 2>&1)" = 3 ]
t_ok "once" [ "$(calls ARCH=80)" = 0 ]
t_ok "for another GPU anew" [ "$(calls ARCH=90a)" = 2 ]
t_ok "with other options anew" [ "$(calls ARCH=90a CFLAGS=-O3 LDFLAGS=-Wl,-z,now)" = 1 ]
t_ok "which they are built with" grep -q -- '-O3 .*-Wl,-z,now' small/calls

# The version names this tree's commit, whoever asks.
if command -v git >/dev/null; then
    version() { make -s -C small build/release/version && cat small/build/release/version; }
    commit() { git -C "$1" -c user.name=x -c user.email=x@x commit -q --allow-empty -m x; }
    git init -q . && commit .
    released=$(version)
    t_ok "a release in another's repository has no commit" grep -qE '^[0-9.]+ $' small/build/release/version
    t_run make -s -C small dist
    t_exit 2 "make dist outside of a repository" && t_err "not a git repository"
    t_ok "leaves no file" sh -c "! ls small/build/unimo-*"
    git init -q small && commit small
    here=$(version)
    t_ok "a repository's own has its" [ "$here" = "$released$(git -C small describe --always)" ]
    printf '#!/bin/sh\nexit 128\n' >small/bin/git && chmod +x small/bin/git
    PATH=$PWD/small/bin:$PATH version >again
    t_ok "also where git refuses to read another user's" [ "$(cat again)" = "$here" ]
fi
t_done
