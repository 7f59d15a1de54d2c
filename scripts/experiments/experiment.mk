# What the experiments share. Each row of the paper's tables is a makefile that says what is its own and includes this one. Given the public
# data and a pre-trained model,
#     make -f scripts/experiments/cnndm.mk DATA=cnn-dailymail MODEL=base
# imports, tokenizes, fine-tunes, predicts, scores, and ends with the paper's figures beside ours; an interrupted one goes on where it was.
#     make -f scripts/experiments/cnndm.mk DATA=cnn-dailymail MODEL=base --dry-run
# imports and tokenizes, and prints what the training takes: steps, rows (tokens and regions), memory, and time on this machine.
# Yours to set, beside DATA (the folder of the public files) and MODEL (a directory; scripts/import-model makes one of UNIMO's own release):
#   REGIONS            streams of region features; or PICTURES (folders of JPEGs) and DETECTOR; or FEATURES, published ones, and FROM, their form
#   IMAGE              what images are called there, as the importers' --image says it; default: as the release of that form calls them
#   D                  the folder to work in: another one for other data, models or OPTIONS
#   ROW                which of the paper's rows to compare with: base, large, or another that the makefile has; default: by the model's size
#   RATES BATCHES SEEDS  a training for each combination; for each seed that counts which does best on held-out examples
#   LAUNCH RANKS       what starts a training of several ranks (mpirun -n 4), and how many (4)
#   ROWS               of a batch that fits a device; a larger batch is accumulated
#   OPTIONS            more options for unimo-finetune
#   BIN T              where the programs are; threads
here := $(dir $(lastword $(MAKEFILE_LIST)))
BIN  ?= $(abspath $(here)../../build/release/bin)
D    ?= $(name)
T    ?= 0
ROWS ?= 16384
RANKS ?= 1
SEEDS ?= 1
RATES ?= default
size    := $(if $(MODEL),$(shell jq -r 'if .hidden_size >= 1024 then "large" else "base" end' $(MODEL)/config.json))
ROW     ?= $(size)
BATCHES ?= $(or $(batch.$(size)),$(batch))
import  := $(here)../import
export PATH := $(abspath $(BIN)):$(PATH)
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SECONDARY:

this := $(firstword $(MAKEFILE_LIST))
ifneq ($(findstring n,$(filter-out --%,$(firstword $(MAKEFLAGS)))),)
table:
	+@env -u MAKEFLAGS -u MFLAGS $(MAKE) --no-print-directory -f $(this) $(MAKEOVERRIDES) plan
else
table: $D/table.txt
	@cat $<
endif
$(foreach x,DATA MODEL,$(if $($x),,$(error $x is not set: see the heads of $(this) and $(here)experiment.mk)))

# A folder is for one choice of data, model and options.
kept := inputs options
kept_inputs  = $(strip $(foreach x,DATA MODEL REGIONS PICTURES DETECTOR FEATURES FROM IMAGE,$(if $(filter command environment,$(origin $x)),$x=$($x))))
kept_options = OPTIONS=$(strip $(OPTIONS))
shown = $(RATES) / $(BATCHES) / $(SEEDS) / $(ROW)
include $(here)../kept.mk

# Records, tokens, regions.
sets := $(sort train dev $(report) $(submit))
$(sets:%=$D/%.jsonl): $D/%.jsonl: | $D/inputs
	@mkdir -p $D
	$(import.$*) >$@
$(sets:%=$D/%.zst): $D/%.zst: $D/%.jsonl
	unimo-tokenize -m $(MODEL) -j $T -o $@ $<
REGIONS ?= $(if $(has_images),$D/regions.zst)
DETECTOR ?= $(abspath $(BIN)/../share/unimo/detector)
FROM     ?= bua
# The bottom-up-attention release calls images by their numbers; UNITER's has forms of its own for each data set.
image.bua := %d
IMAGE    ?= $(if $(FEATURES),$(image.$(FROM)))
called    = $(if $(IMAGE),--image '$(IMAGE)')
$D/regions.zst: | $D/inputs
	@mkdir -p $D
	unimo-regionfeat $(if $(PICTURES),-m $(DETECTOR) -j $T -o $@ $(PICTURES),--from $(FROM) -o $@ $(FEATURES))
image_options := $(REGIONS:%=--images %)

# Trainings, one for each combination: lrRATE_batchEXAMPLES_seedN. A model is there from its first measurement on; `trained` says that no steps
# are left.
runs = $(foreach r,$(RATES),$(foreach b,$(BATCHES),$D/runs/lr$r_batch$b_seed$1))
rate  = $(filter-out default,$(patsubst lr%,%,$(word 1,$(subst _, ,$*))))
batch_of = $(patsubst batch%,%,$(word 2,$(subst _, ,$*)))
seed  = $(patsubst seed%,%,$(word 3,$(subst _, ,$*)))
learn = unimo-finetune -t $(task) -m $(MODEL) --train $D/train.zst --dev $D/dev.zst $(image_options) -j $T $(train_options) $(OPTIONS)
as_run = $(if $(rate),--lr $(rate)) --seed $(seed)
$D/runs/%/trained: $D/train.zst $D/dev.zst $(REGIONS) | $D/options
	@mkdir -p $(@D)
	rows=$$($(here)rows $(batch_of) $(RANKS) $(ROWS) $(learn) $(as_run)) && \
	{ $(LAUNCH) $(learn) $(as_run) $$rows --log $(@D)/log --save-every 500 --keep 1 --resume -o $(@D) || { status=$$?; [ $$status != 75 ] || touch $D/stopped; exit $$status; }; } && touch $@
plan: $(patsubst $D/runs/%,plan-%,$(firstword $(call runs,$(firstword $(SEEDS)))))
plan-%: $D/train.zst $D/dev.zst $(REGIONS)
	@$(learn) $(as_run) $$($(here)rows $(batch_of) $(RANKS) $(ROWS) $(learn) $(as_run)) --dry-run
	@echo "trainings like this	$(words $(foreach s,$(SEEDS),$(call runs,$s)))"

# Of each seed the training that does best on held-out examples; what it predicts; its scores.
define seed_rules
$D/best.seed$1: $(patsubst %,%/trained,$(call runs,$1)) $D/shown
	for r in $$(patsubst %/trained,%,$$(filter %/trained,$$^)); do jq -r --arg run $$$$r '"\(.best) \($$$$run)"' $$$$r/checkpoints/*/trainer.json; done | sort -g | tail -n 1 | cut -d' ' -f2 >$$@.new
	cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@
endef
$(foreach s,$(SEEDS),$(eval $(call seed_rules,$s)))
set_of = $(basename $*)
asked  = $D/$(set_of).$(or $(ask),zst)
.SECONDEXPANSION:
$D/predictions/%.zst: $D/best.$$(subst .,,$$(suffix $$*)) $$(asked) $$(gallery)
	@mkdir -p $(@D)
	rm -f $@
	unimo-predict -m $$(cat $<) -j $T $(or $(gallery:%=--images %),$(image_options)) --append -o $@ $(asked)
$D/scores/%.json: $D/predictions/%.zst $D/$$(set_of).jsonl $$(gallery)
	@mkdir -p $(@D)
	unimo-score --format json $(score) $(if $(gallery),--images $(gallery) $<,$< $D/$(set_of).jsonl) >$@
all_scores = $(foreach x,$(report),$(SEEDS:%=$D/scores/$x.seed%.json))
$D/table.txt: $(all_scores) $(foreach x,$(submit),$D/$x.submission) $D/shown
	$(here)compare "$(title), $(or $(ROW),$(size))" "$(figures)" "$(or $(paper.$(ROW)),$(error the paper has no row $(ROW) here))" '$(pick)' $(SEEDS) -- $(report:%=$D/scores/%) >$@
# What a server takes, of the first seed.
$D/%.submission: $D/predictions/%.seed$(firstword $(SEEDS)).zst
	$(here)../export/$(exporter) $< >$@
.PHONY: table plan
