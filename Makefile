# unimo: `make help` lists the targets.
VERSION = 0.1.0

# Yours to set: CC CFLAGS LDFLAGS NVCC ARCH PREFIX DESTDIR; SAN=address,undefined or SAN=thread; COV=1; WERROR=1.
CC      = gcc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
NVCC    ?= $(firstword $(wildcard $(shell command -v nvcc) /usr/local/cuda/bin/nvcc))
ARCH    ?= 80 90a

V := $(if $(SAN),san-$(firstword $(subst $(comma), ,$(SAN))),$(if $(COV),cov,release))
comma := ,
B := build/$(V)

PACKAGES := jansson libzstd libturbojpeg libutf8proc link-grammar
missing  := $(strip $(foreach p,$(PACKAGES),$(if $(shell pkg-config --exists $p && echo y),,$p)))
ifneq ($(missing),)
ifeq ($(filter clean help dist format,$(MAKECMDGOALS)),)
$(error missing libraries: $(missing) (scripts/setup installs them))
endif
endif

git_id := $(shell git describe --always --dirty 2>/dev/null)
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings \
          -Wundef -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers $(if $(WERROR),-Werror)
override CPPFLAGS += -Ilib -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES))
override CFLAGS += -std=c17 -pthread -fopenmp -ffp-contract=off -fno-strict-aliasing $(WARN) \
          $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(if $(COV),--coverage)
override LDLIBS += $(shell pkg-config --libs $(PACKAGES)) -ldnnl -lm -ldl

LIB_SRC   := $(shell find lib -name '*.c' | LC_ALL=C sort)
CMD_SRC   := $(wildcard cmd/*.c)
TEST_SRC  := $(shell find tests/unit tests/numeric tests/fault -name '*.c' 2>/dev/null | LC_ALL=C sort)
FUZZ_SRC  := $(wildcard tests/fuzz/*.c)
LIB_OBJ   := $(LIB_SRC:%.c=$B/%.o)
PROGRAMS  := $(CMD_SRC:cmd/%.c=$B/bin/%)
TESTS     := $(TEST_SRC:%.c=$B/%.t)

all: $(PROGRAMS) ## build the programs (and libunimo-cuda.so where nvcc is found)

# Rewritten only when compiler or flags change: a prerequisite of every object.
$B/flags: FORCE
	@mkdir -p $B
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)' | cmp -s - $@ || \
	 echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)' > $@
# The same for the list of objects: a deleted source must not live on in the archive.
$B/objects: FORCE
	@mkdir -p $B
	@echo '$(LIB_OBJ)' | cmp -s - $@ || echo '$(LIB_OBJ)' > $@
$B/version: FORCE
	@mkdir -p $B
	@echo '$(VERSION) $(git_id)' | cmp -s - $@ || echo '$(VERSION) $(git_id)' > $@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
# Fast kernels may contract and vectorise; the reference may not.
$B/lib/compute/cpu/%_fast.o: override CFLAGS += -O3 -ffp-contract=fast
$B/lib/core/opt.o: override CPPFLAGS += -DUNIMO_VERSION='"$(VERSION)"' -DUNIMO_GIT='"$(git_id)"'
$B/lib/core/opt.o: $B/version

$B/libunimo.a: $(LIB_OBJ) $B/objects
	rm -f $@ && $(AR) rc $@ $(LIB_OBJ)

$B/bin/%: $B/cmd/%.o $B/libunimo.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $B/libunimo.a $(LDLIBS)
$B/tests/%.t: $B/tests/%.o $B/libunimo.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $B/libunimo.a $(LDLIBS)
$B/tests/%.o: override CPPFLAGS += -Itests/lib

-include $(shell find $B -name '*.d' 2>/dev/null)

# T=tests/unit/x.c or T=tests/cli/y.t runs one test; by default all.
T ?= $(TEST_SRC) $(wildcard tests/cli/*.t tests/fault/*.t tests/numeric/*.t)
RUN = $(patsubst %.c,$B/%.t,$T)
check: $(PROGRAMS) $(filter $B/%,$(RUN)) ## run the tests (T=tests/unit/x.c for one)
	@for t in $(filter %.t,$T); do [ -x $$t ] || { echo "$$t is not executable"; exit 1; }; done
	UNIMO_BIN=$(CURDIR)/$B/bin prove -j2 -e '' $(RUN)

clean: ## remove build/
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 20

FORCE:
.PHONY: all check clean help FORCE
.SECONDARY:
