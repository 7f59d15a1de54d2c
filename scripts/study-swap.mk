# The study of binding: which negatives teach whose colour is which, and what is left of what? It asks the general study's question about
# rewriting (scripts/study.mk) where it can be answered: more scenes, a model that sees from the start where things are
# (location_initializer_range), deep enough to compare two places, and words learnt from masks before anything is contrasted. For each seed one
# model learns from masks alone, until it can tell a masked "left" from the picture; three go on from it, with the same short true sentences in
# as many steps, and with negatives drawn at random, by wording, or on all levels. What could be chosen was chosen on development scenes. An
# interrupted study goes on where it was.
# Yours to set: BIN, D (the folder), T (threads), SEEDS.
BIN   ?= $(CURDIR)/build/release/bin
D     ?= study-swap
T     ?= 0
SEEDS ?= 1 2 3
VARIANTS := all-levels sentence-level random
export PATH := $(BIN):$(PATH)
.DELETE_ON_ERROR:
.PRECIOUS: %/model.safetensors # an interrupted training resumes
.NOTPARALLEL:
.SECONDARY:

runs := $(foreach s,$(SEEDS),$(addsuffix .$s,$(VARIANTS)))
$D/table.txt: $(runs:%=$D/runs/%/scores.json) scripts/study-table $D/shown
	STUDY_COLUMNS='zero_shot=zero-shot R@1,colours=colours,objects=objects,swaps=swap test' scripts/study-table $(runs:%=$D/runs/%/scores.json) >$@
	@cat $@
shown = $(SEEDS) / $(VARIANTS)
include scripts/kept.mk

# 1. Scenes, features, negatives, tokens: once for all runs. Masks ask captions that say where things are; contrasted are true sentences about
# two things, of the form that the test has.
data := $D/data
$(data)/scenes/test.jsonl.zst:
	unimo-scenes --seed 21 --train 8000 --dev 1 --test 1000 --images 1 --texts 1 -j $T -o $(data)/scenes
$(data)/%.regions.zst: | $(data)/scenes/test.jsonl.zst
	unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@ $(data)/scenes/$*.jsonl.zst
regions := $(data)/train.regions.zst $(data)/test.regions.zst
$(data)/captions.jsonl.zst: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/train.pairs.jsonl.zst | jq -c 'select(.text | test("left of|right of| above | below "))' | unimo-view --pack -o $@
$(data)/pairs.jsonl: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/train.swaps.jsonl.zst | jq -c '{id, image, text: .[.label]}' >$@
$(data)/rewriter/lexicon.json: $(data)/pairs.jsonl
	unimo-rewrite --learn -j $T -o $(@D) $<
rewrite = unimo-rewrite -m $(<D) --seed 1 --positives 0 --negatives 3 -j $T
$(data)/all-levels.jsonl.zst: $(data)/rewriter/lexicon.json
	$(rewrite) --sentence-share 0.34 --kinds attribute-swap=4,object-swap=6,relation=6,attribute,object -o $@ $(data)/pairs.jsonl
$(data)/sentence-level.jsonl.zst: $(data)/rewriter/lexicon.json
	$(rewrite) --sentence-share 1 -o $@ $(data)/pairs.jsonl
# Sentences about other images, far apart in the list of all.
others = [range(1; 4) | $$all[(($$r.id | explode | add) * 7919 + . * 104729) % $$n] | select(.image != $$r.image) | {text, level: "random"}]
$(data)/random.jsonl.zst: $(data)/pairs.jsonl
	jq -c --slurpfile all $< '. as $$r | ($$all | length) as $$n | .negatives = $(others)' $< | unimo-view --pack -o $@
$(data)/vocabulary/vocab.json: | $(data)/scenes/test.jsonl.zst
	unimo-tokenize --learn --vocab-size 1000 -F text -o $(@D) $(data)/scenes/train.pairs.jsonl.zst
# Of each of 100 test images one caption is a query, and the images are the gallery.
$(data)/queries.jsonl.zst: | $(data)/scenes/test.jsonl.zst
	unimo-view --limit 500 $(data)/scenes/test.pairs.jsonl.zst | jq -c 'select(.id | endswith("#0"))' | unimo-view --pack -o $@
$(data)/gallery.regions.zst: $(data)/test.regions.zst
	unimo-view --limit 100 --base64 $< | unimo-view --pack -o $@
# Masks are to ask for words, not for phrases: which colour, given the thing.
$(data)/tokens/%.zst: $(data)/%.jsonl.zst $(data)/vocabulary/vocab.json
	@mkdir -p $(@D)
	unimo-view $< | jq -c 'del(.phrases, .scene_graph)' | unimo-tokenize -m $(data)/vocabulary -j $T -o $@
$(data)/tokens/swaps.zst: $(data)/vocabulary/vocab.json | $(data)/scenes/test.jsonl.zst
	@mkdir -p $(@D)
	unimo-tokenize -m $(<D) -F text,other -j $T -o $@ $(data)/scenes/test.swaps.jsonl.zst
tokens := $(foreach s,captions $(VARIANTS) queries swaps,$(data)/tokens/$s.zst)

# 2. Pre-training: masks alone, then contrastive groups alone.
pretrain = unimo-pretrain --dropout 0 --features $(data)/train.regions.zst --mix 1:0:0 --mrc 0 --mrfr 0 --seq2seq 0 --rows 2400 \
	   --log $D/runs/$*/pretrain.log --save-every 300 --keep 1 --resume -j $T -o $(@D)
masks    = --cmcl 0 --mask-ratio 0.3 --lr 1e-3 --steps 1500
contrast = --mlm 0 --cmcl-positives 0 --cmcl-negatives 2 --cmcl-texts 0 --cmcl-images 0 --lr 5e-4 --steps 1000
seed     = $(subst .,,$(suffix $*))
variant  = $(basename $*)
$D/runs/masked.%/model/model.safetensors: | $(tokens) $(regions)
	@mkdir -p $(@D)
	$(subst runs/$*/,runs/masked.$*/,$(pretrain)) --config scripts/study-swap.json --vocab $(data)/vocabulary --pairs $(data)/tokens/captions.zst $(masks) \
	    --seed $*
define go_on
$(VARIANTS:%=$D/runs/%.$1/model/model.safetensors): $D/runs/%.$1/model/model.safetensors: $D/runs/masked.$1/model/model.safetensors
	@mkdir -p $$(@D)
	$$(subst runs/$$*/,runs/$$*.$1/,$$(pretrain)) --init $$(<D) --pairs $$(data)/tokens/$$*.zst $$(contrast) --seed $1
endef
$(foreach s,$(SEEDS),$(eval $(call go_on,$s)))

# 3. Zero-shot: 100 images and as many captions; and which of two sentences with the colours or the objects exchanged is true.
predict = unimo-predict -t retrieval -m $(<D) --images $(data)/$1.regions.zst -j $T
$D/runs/%/zero-shot.zst: $D/runs/%/model/model.safetensors $(data)/gallery.regions.zst
	$(call predict,gallery) -o $@ $(data)/tokens/queries.zst
$D/runs/%/swaps.zst: $D/runs/%/model/model.safetensors
	$(call predict,test) --choice text --choice other -o $@ $(data)/tokens/swaps.zst
right = ( unimo-view $(data)/scenes/test.swaps.jsonl.zst; unimo-view $D/runs/$*/swaps.zst ) | \
	jq -s '[.[] | select(.id | endswith("~$1"))] | group_by(.id) | map(add) | 100 * (map(select(.pred == .label)) | length) / length'
$D/runs/%/scores.json: $D/runs/%/zero-shot.zst $D/runs/%/swaps.zst
	unimo-score --format json --metrics retrieval --images $(data)/gallery.regions.zst $< | jq -s --argjson colours "$$( $(call right,a))" \
	    --argjson objects "$$( $(call right,r))" '{zero_shot: (map(.r1) | add / 2), $$colours, $$objects, swaps: (($$colours + $$objects) / 2), run: "$*"}' >$@
