# unimo: `make help` lists the targets.
VERSION = 0.1.0

# Yours to set: CC CFLAGS LDFLAGS NVCC ARCH PREFIX DESTDIR; SAN=address,undefined or SAN=thread; COV=1; ARM64=1; WERROR=1;
# RUNNER: what `make check` starts programs and tests by, an emulator of another processor.
CC      = gcc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
NVCC    ?= $(firstword $(wildcard $(shell command -v nvcc) /usr/local/cuda/bin/nvcc))
ARCH    ?= 80 90a

comma := ,
# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j% --jobserver%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

V := $(if $(ARM64),arm64-)$(if $(SAN),san-$(firstword $(subst $(comma), ,$(SAN))),$(if $(COV),cov,release))
B := build/$(V)

PKG_CONFIG = pkg-config
# For aarch64, on any processor: with the libraries that scripts/setup --arm64 unpacks; without what is optional.
ifdef ARM64
ROOT       := $(CURDIR)/build/arm64-root
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(ROOT) PKG_CONFIG_LIBDIR=$(ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig pkg-config
CC         := aarch64-linux-gnu-gcc --sysroot=$(ROOT)
AR         := aarch64-linux-gnu-ar
RUNNER     := env QEMU_LD_PREFIX=$(ROOT) qemu-aarch64-static
CXX        :=
NVCC       :=
MPICC      :=
endif

PACKAGES := libzstd libturbojpeg libutf8proc link-grammar libzip zlib
missing  := $(strip $(foreach p,$(PACKAGES),$(if $(shell $(PKG_CONFIG) --exists $p && echo y),,$p)))
ifneq ($(missing),)
ifeq ($(filter clean help dist format uninstall,$(MAKECMDGOALS)),)
$(error missing libraries: $(missing) (scripts/setup$(if $(ARM64), --arm64) installs them))
endif
endif

# Of this tree's own repository; where git does not answer (the tree is another user's), what it answered whoever built it.
git_id := $(if $(wildcard .git),$(shell git describe --always --dirty 2>/dev/null || cut -d' ' -f2 $B/version 2>/dev/null))
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings \
          -Wundef -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers $(if $(WERROR),-Werror)
PLUGIN_FLAGS := -Ilib -std=c17 $(CFLAGS) $(WARN) -fPIC -shared $(LDFLAGS)
IS_X86 := $(filter x86_64%,$(shell $(CC) -dumpmachine))
override CPPFLAGS += -Ilib -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
override CFLAGS += -std=c17 -pthread -fopenmp -ffp-contract=off -fno-strict-aliasing $(if $(IS_X86),,-fsigned-char) $(WARN) \
          $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(if $(COV),--coverage)
override LDLIBS += $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -ldnnl -lstemmer -lm -ldl

LIB_SRC   := $(shell find lib -name '*.c' ! -path 'lib/train/mpi/*' ! -path 'lib/train/nccl/*' | LC_ALL=C sort)
CMD_SRC   := $(wildcard cmd/*.c)
TEST_SRC  := $(shell find tests/unit tests/numeric tests/fault -name '*.c' 2>/dev/null | LC_ALL=C sort)
FUZZ_SRC  := $(wildcard tests/fuzz/*.c)
# Vector kernels are compiled for each level of the processor and chosen at run time. (Not by function attributes: what is inlined into a
# clone was already broken up for the plainest processor by then.)
ISAS      := $(if $(IS_X86),v1 v3 v4 v4b,v1)
FLAGS_v3  := -march=x86-64-v3
FLAGS_v4  := -march=x86-64-v4 -mprefer-vector-width=512
FLAGS_v4b := $(FLAGS_v4) -mavx512bf16
FAST_SRC  := $(filter %_fast.c,$(LIB_SRC))
LIB_OBJ   := $(patsubst %.c,$B/%.o,$(filter-out %_fast.c,$(LIB_SRC))) $(foreach i,$(ISAS),$(FAST_SRC:%.c=$B/%.$i.o))
PROGRAMS  := $(CMD_SRC:cmd/%.c=$B/bin/%)
TESTS     := $(TEST_SRC:%.c=$B/%.t)

# Data that programs find beside themselves, in the build tree as in an installed one.
SHARED := $(patsubst testdata/%,$B/share/unimo/%,$(filter %.zst %.json %.txt %.safetensors %/NOTICE,$(wildcard testdata/sprites/* testdata/detector/*)))
$B/share/unimo/%: testdata/%
	@mkdir -p $(@D)
	cp $< $@

all: $(PROGRAMS) $(SHARED) ## build the programs (and libunimo-cuda.so where nvcc is found)

# Rewritten only when what they say changes: compilers and flags, prerequisites of what is made with them; the list of objects, as a deleted
# source must not live on in the archive; the version.
said_flags  := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
said_nvcc    = $(NVCC) $(NVFLAGS)
said_mpicc   = $(MPICC) $(PLUGIN_FLAGS)
said_objects = $(LIB_OBJ)
said_version = $(VERSION) $(git_id)
$(addprefix $B/,flags nvcc mpicc objects version): $B/%: FORCE
	@mkdir -p $B
	@echo '$(said_$*)' | cmp -s - $@ || echo '$(said_$*)' > $@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
# Fast kernels may contract and vectorise; the reference may not.
define fast_rule
$B/%_fast.$1.o: %_fast.c $B/flags
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) -DISA=$1 $$(CFLAGS) -O3 -ffp-contract=fast -fno-math-errno -Wno-psabi $$(FLAGS_$1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call fast_rule,$i)))
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

# ---- the CUDA back end: built whenever nvcc is found and there is something to build ----
CUDA_SRC := $(wildcard lib/compute/cuda/*.cu)
PLUGIN   := $(if $(and $(NVCC),$(CUDA_SRC)),$B/lib/unimo/libunimo-cuda.so)
newest   := $(patsubst %a,%,$(lastword $(ARCH)))
NVFLAGS  := -std=c++17 -O3 -lineinfo -Ilib -Xcompiler -fPIC,-fvisibility=hidden,-Wall $(foreach a,$(ARCH),-gencode arch=compute_$a,code=sm_$a) \
            -gencode arch=compute_$(newest),code=compute_$(newest)
$B/%.cu.o: %.cu $B/nvcc
	@mkdir -p $(@D)
	$(NVCC) $(NVFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$B/lib/unimo/libunimo-cuda.so: $(CUDA_SRC:%=$B/%.o)
	@mkdir -p $(@D)
	$(NVCC) -shared -cudart static -Xlinker --exclude-libs=ALL,-z,defs -o $@ $^ -lcublasLt
all: $(PLUGIN)
# The same sources for the host, so that tests run the kernels where there is no GPU (tests/emulated).
EMULATED := $(if $(shell command -v $(CXX)),$B/tests/emulated/libunimo-cuda.so)
EMU_SRC  := $(CUDA_SRC) $(wildcard tests/emulated/*.cc)
# Products and sums are contracted, as nvcc does, where the processor can.
EMU_FMA  := $(if $(shell grep -qw fma /proc/cpuinfo && echo y),-mfma -ffp-contract=fast,-ffp-contract=off)
$B/tests/emulated/%.o: % $B/flags
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -g -fPIC -fvisibility=hidden $(EMU_FMA) -Wall -Wextra -Wno-unused-parameter -Wno-unknown-pragmas \
	 $(if $(WERROR),-Werror) -Itests/emulated -Ilib -MMD -MP -x c++ -c -o $@ $<
$B/tests/emulated/libunimo-cuda.so: $(EMU_SRC:%=$B/tests/emulated/%.o)
	@mkdir -p $(@D)
	$(CXX) -shared -Wl,-z,defs -o $@ $^

# ---- messages between ranks: built whenever mpicc is found, opened when a program was started by mpirun or srun ----
MPICC ?= $(shell command -v mpicc)
MPI   := $(if $(MPICC),$B/lib/unimo/libunimo-mpi.so)
$B/lib/unimo/libunimo-mpi.so: lib/train/mpi/mpi.c lib/train/comm.h $B/mpicc
	@mkdir -p $(@D)
	$(MPICC) $(PLUGIN_FLAGS) -o $@ $<
# ---- and, where NCCL is found too, of gradients between GPUs ----
CUDA_ROOT := $(if $(NVCC),$(abspath $(dir $(NVCC))..))
NCCL      := $(if $(and $(CUDA_ROOT),$(wildcard $(CUDA_ROOT)/include/nccl.h /usr/include/nccl.h)),$B/lib/unimo/libunimo-nccl.so)
$B/lib/unimo/libunimo-nccl.so: lib/train/nccl/nccl.c lib/train/comm.h $B/flags
	@mkdir -p $(@D)
	$(CC) $(PLUGIN_FLAGS) -isystem $(CUDA_ROOT)/include -o $@ $< -L$(CUDA_ROOT)/lib64 -L$(CUDA_ROOT)/lib -lnccl -lcudart
MESSAGES := $(MPI) $(NCCL)
all: $(MESSAGES)
# NCCL between emulated GPUs, by MPI (tests/emulated/nccl).
EMU_NCCL := $(if $(and $(MPICC),$(EMULATED)),$B/tests/emulated/libunimo-nccl.so)
$B/tests/emulated/libunimo-nccl.so: lib/train/nccl/nccl.c lib/train/comm.h $(wildcard tests/emulated/nccl/*) $(EMULATED)
	@mkdir -p $(@D)
	$(MPICC) -Itests/emulated/nccl -Ilib -std=c17 -O2 -g $(WARN) -fPIC -shared -o $@ $(filter %.c,$^) -Wl,-rpath,'$$ORIGIN' -L$(@D) -l:libunimo-cuda.so

# ---- tests ----
# T=tests/unit/x.c (or tests/cli/y.t) runs one; by default all.
T ?= $(TEST_SRC) $(FUZZ_SRC) $(wildcard tests/cli/*.t tests/fault/*.t tests/numeric/*.t)
R := $B$(if $(RUNNER),/run)
RUN = $(patsubst %.c,$R/%.t,$T)
$B/run/%: $B/% $B/runner
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec %s "%s" "$$@"\n' '$(RUNNER)' '$(CURDIR)/$<' >$@ && chmod +x $@
$B/runner: FORCE
	@echo '$(RUNNER)' | cmp -s - $@ || echo '$(RUNNER)' >$@
DEVICE_TESTS := $(patsubst %,$B/tests/%.t,numeric/ops numeric/devices numeric/detect_devices unit/model_decode)
LEVEL_TESTS  := $(patsubst %,$B/tests/%.t,numeric/ops numeric/model_steps)
# Preloaded by a test: not beside a sanitizer, which has its own malloc().
FAILING      := $(if $(SAN)$(RUNNER),,$B/tests/lib/failing.so)
$B/tests/lib/failing.so: tests/lib/failing.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -fPIC -shared -MMD -MP -o $@ $< -ldl
SPEED_TESTS  := $(patsubst %.c,$B/%.t,$(wildcard tests/speed/*.c))
check: $(if $(filter %/calls.t,$T),$(FAILING)) $(if $(filter %/cuda.t,$T),$(DEVICE_TESTS) $B/tests/speed/cuda.t) $(if $(filter %/levels.t,$T),$(LEVEL_TESTS)) $(if $(filter %/benchmarks.t,$T),$(SPEED_TESTS))
check: $(PROGRAMS:$B/%=$R/%) $(PLUGIN) $(EMULATED) $(EMU_NCCL) $(MESSAGES) $(SHARED) $(filter $R/%,$(RUN)) ## run the tests; T=tests/unit/x.c for one
	@for t in $(filter %.t,$T); do [ -x $$t ] || { echo "$$t is not executable"; exit 1; }; done
	GOMP_SPINCOUNT=1000 UNIMO_BIN='$(CURDIR)/$R/bin' UNIMO_BUILD='$(CURDIR)/$B' prove -j2 -e '' $(RUN)
EMULABLE := $(filter tests/unit/% tests/numeric/%,$(TEST_SRC))
emulated  = +$(MAKE) check $1 $(if $(filter file,$(origin T)),T='$2')
check-arm64: ## the unit and numeric tests (or T) built for aarch64, by qemu-user: slow; scripts/setup --arm64 installs what it needs
	$(call emulated,ARM64=1,$(EMULABLE))
check-avx2: ## the numeric tests (or T) on a processor without AVX-512, by qemu-user: slow
	$(call emulated,RUNNER='qemu-x86_64-static -cpu max',$(filter tests/numeric/%,$(EMULABLE)))
check-cuda: $(PROGRAMS) $(SHARED) $(DEVICE_TESTS) $(PLUGIN) ## the numeric tests on a real GPU, and under compute-sanitizer; skips where there is none
	@UNIMO_BIN='$(CURDIR)/$B/bin' UNIMO_BUILD='$(CURDIR)/$B' tests/gpu/check
pack-cuda: $(PROGRAMS) $(SHARED) $(DEVICE_TESTS) $B/tests/speed/cuda.t $(PLUGIN) ## build/release/unimo-gpu.tar.gz: check-cuda and bench-cuda for a machine without the libraries
	tests/gpu/pack $B/unimo-gpu.tar.gz
bench bench-cuda: $(PLUGIN)
check-long: ## the tests with long loops: kill and resume 20 times, more fuzzing
	UNIMO_LONG=1 $(MAKE) check
asan: ## build and test with the address and undefined-behaviour sanitizers
	$(MAKE) SAN=address,undefined check

$B/tests/fuzz/%.t: $B/tests/fuzz/%.o $B/tests/lib/fuzz_main.o $B/libunimo.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
FUZZ_SECONDS ?= 60
fuzz: ## fuzz every parser with clang's libFuzzer for FUZZ_SECONDS each
	$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined build/san-fuzzer-no-link/libunimo.a
	for f in $(FUZZ_SRC); do n=$$(basename $$f .c); \
	 clang -g -O1 -std=c17 -fopenmp -pthread -fsanitize=fuzzer,address,undefined $(CPPFLAGS) -Itests/lib -o build/fuzz-$$n $$f \
	  build/san-fuzzer-no-link/libunimo.a $(LDLIBS) && mkdir -p build/corpus/$$n && \
	 build/fuzz-$$n -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=3000 build/corpus/$$n tests/fuzz/seeds/$$n || exit 1; done

# One after the other: a neighbour would spoil the figures.
BENCHES := $(wildcard tests/bench/*)
BENCH    = UNIMO_BIN='$(CURDIR)/$B/bin' UNIMO_BUILD='$(CURDIR)/$B'
bench: $(PROGRAMS) $(SPEED_TESTS) ## measure speed as ratios to limits and peers in the same run; bench-NAME for tests/bench/NAME alone
	@for b in $(BENCHES); do $(BENCH) $$b || exit 1; done
$(BENCHES:tests/bench/%=bench-%): bench-%: $(PROGRAMS) $(SPEED_TESTS)
	@$(BENCH) tests/bench/$*

# ---- the demo: every step is a rule in scripts/demo.mk that can be copied into a shell ----
demo: all ## from JPEGs to scores on the embedded corpus; writes demo/report.html
	+@$(MAKE) --no-print-directory -f scripts/demo.mk BIN='$(CURDIR)/$B/bin'

precision: all ## what bf16 costs: the demo's pre-training in f32 and in bf16 for three seeds; ten minutes, resumable
	+@$(MAKE) --no-print-directory -f scripts/precision.mk BIN='$(CURDIR)/$B/bin'
study-swap: all ## which negatives teach whose colour is which, what is left of what: twenty minutes, resumable; writes study-swap/table.txt
	+@$(MAKE) --no-print-directory -f scripts/study-swap.mk BIN='$(CURDIR)/$B/bin'
study: all ## what each part of the pre-training is worth: two hours, resumable; writes study/table.txt
	+@$(MAKE) --no-print-directory -f scripts/study.mk BIN='$(CURDIR)/$B/bin'

detector: all ## train the detector that comes with unimo anew: ten minutes or twenty; into build/detector; fails below an AP50 of 0.90
	[ -e build/corpus ] || $B/bin/unimo-scenes --seed 1 --train 4000 --dev 200 --test 200 --images 0 --texts 0 -o build/corpus
	$B/bin/unimo-regionfeat --learn --resume --steps 3000 --precision f32 --seed 1 --eval-every 500 --dev build/corpus/dev.jsonl.zst \
	 --log build/detector.jsonl -o build/detector build/corpus/train.jsonl.zst >build/detector.txt
	@awk '{ print } $$1 == "AP50" && $$2 + 0 >= 0.9 { good = 1 } END { exit !good }' build/detector.txt

real: all ## data that people labelled: a model, bags of words and chance; an hour, resumable; writes real/table.txt
	+@$(MAKE) --no-print-directory -f scripts/real.mk BIN='$(CURDIR)/$B/bin'

# ---- installing ----
FILES := $(foreach p,$(PROGRAMS),$p:bin/$(notdir $p):755) $(foreach m,$(wildcard man/*.[157]),$m:share/man/man$(subst .,,$(suffix $m))/$(notdir $m):644) \
         $(foreach f,$(SHARED),$f:$(f:$B/%=%):644) $(foreach p,$(PLUGIN) $(MESSAGES),$p:lib/unimo/$(notdir $p):644)
install: all ## install into $(DESTDIR)$(PREFIX)
	@set -e; for f in $(FILES); do set -- $$(echo $$f | tr : ' '); install -D -m $$3 $$1 '$(DESTDIR)$(PREFIX)'/$$2; done
# Directories that are not ours stay, as others may have put them there.
uninstall: ## remove what install put there
	@[ ! -d '$(DESTDIR)$(PREFIX)' ] || { cd '$(DESTDIR)$(PREFIX)' && rm -f $(foreach f,$(FILES),$(word 2,$(subst :, ,$f))) lib/unimo/libunimo-*.so; }
	@! cd '$(DESTDIR)$(PREFIX)' 2>/dev/null || rmdir share/unimo/* share/unimo lib/unimo 2>/dev/null || true
dist: ## build/unimo-VERSION.tar.zst of what git tracks
	@[ -e .git ] || { echo "make dist: this is not a git repository" >&2; exit 1; }
	@mkdir -p build && git archive --prefix=unimo-$(VERSION)/ -o build/unimo-$(VERSION).tar HEAD && zstd -q -f --rm build/unimo-$(VERSION).tar

# ---- care ----
C_FILES = $(filter-out %_ranges.h,$(shell git ls-files '*.c' '*.h' '*.cu' '*.cuh')) # tables are as their script makes them
format: ## format the sources with clang-format
	clang-format -i $(C_FILES)
lint: ## clang-tidy, with the checks of .clang-tidy
	printf '%s\n' $(LIB_SRC) $(CMD_SRC) | xargs -P "$$(nproc)" -n 8 sh -c 'clang-tidy --quiet "$$@" -- $(CPPFLAGS) -DISA=v1 -std=c17 -fopenmp' clang-tidy

clean: ## remove build/
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

FORCE:
.PHONY: all check check-arm64 check-avx2 check-cuda pack-cuda check-long asan fuzz bench demo precision study study-swap real detector install uninstall dist format lint clean help FORCE
.SECONDARY:
