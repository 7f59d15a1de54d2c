# The study: what each part of the pre-training is worth, at a scale that two processors manage in some hours. The same model is
# pre-trained from scratch with parts left out, three seeds each, and measured in seven ways; unpaired texts are WordNet's examples and
# Jane Austen, unpaired images are scenes, landscapes and emoji, none of them about the test. An interrupted study goes on where it was.
# Yours to set: BIN, D (the folder), T (threads), SEEDS, VARIANTS.
BIN   ?= $(CURDIR)/build/release/bin
D     ?= study
T     ?= 0
SEEDS ?= 1 2 3
VARIANTS ?= full no-texts no-images no-cmcl no-rewriting sentence-level no-retrieval pairs-only
export PATH := $(BIN):$(PATH)
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SECONDARY:

runs := $(foreach s,$(SEEDS),$(VARIANTS:%=$D/runs/%.$s))
$D/table.txt: $(runs:%=%/scores.json) scripts/study-table $D/shown
	scripts/study-table $(runs:%=%/scores.json) >$@
	@cat $@
shown = $(SEEDS) / $(VARIANTS)
include scripts/kept.mk

# 1. Data, features, rewriting, tokens: once for all runs.
data := $D/data
$(data)/test.reviews.jsonl:
	scripts/study-texts $(data)
$(data)/scenes/test.jsonl.zst:
	unimo-scenes --train 2000 --dev 40 --test 200 --images 300 --texts 1 -j $T -o $(data)/scenes
$(data)/%.regions.zst: | $(data)/scenes/test.jsonl.zst
	unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@ $(data)/scenes/$*.jsonl.zst
$(data)/landscapes.regions.zst: | $(data)/test.reviews.jsonl
	unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@ $(data)/landscapes
$(data)/emoji.regions.zst: | $(data)/test.reviews.jsonl
	unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@ $(data)/emoji
regions := $(foreach s,train dev test images landscapes emoji,$(data)/$s.regions.zst)
unpaired_images := $(foreach s,images landscapes emoji,--images $(data)/$s.regions.zst)
# Every 25th sentence is held out.
$(data)/held-out.jsonl: $(data)/test.reviews.jsonl
	awk 'NR % 25 == 0' $(data)/texts.jsonl >$@
	awk 'NR % 25' $(data)/texts.jsonl >$(data)/sentences.jsonl
# Two captions of each test image are enough queries.
$(data)/test.queries.jsonl: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/test.pairs.jsonl.zst | jq -c 'select(.id | test("#[01]$$"))' >$@
$(data)/rewriter/lexicon.json: $(data)/held-out.jsonl | $(regions)
	unimo-rewrite --learn $(unpaired_images) --texts $(data)/sentences.jsonl \
	    -j $T -o $(@D) $(data)/scenes/train.pairs.jsonl.zst
$(data)/all-levels.jsonl.zst: $(data)/rewriter/lexicon.json
	unimo-rewrite -m $(<D) --seed 1 -j $T -o $@ $(data)/scenes/train.pairs.jsonl.zst
$(data)/sentence-level.jsonl.zst: $(data)/rewriter/lexicon.json
	unimo-rewrite -m $(<D) --seed 1 --sentence-share 1 -j $T -o $@ $(data)/scenes/train.pairs.jsonl.zst
# Without rewriting: captions of other images, drawn at random; no positives.
random_negatives = . as $$r | ($$all | length) as $$n | .negatives = [range(1; 9) | $$all[(($$r.id | explode | add) * 7919 + . * 104729) % $$n] | \
    select(.image != $$r.image) | {text, level: "random"}]
$(data)/random.jsonl: $(data)/all-levels.jsonl.zst
	unimo-view $< | jq -c 'del(.positives)' >$(data)/random.part
	jq -c --slurpfile all $(data)/random.part '$(random_negatives)' $(data)/random.part >$@
	rm $(data)/random.part
$(data)/vocabulary/vocab.json: $(data)/held-out.jsonl | $(data)/scenes/test.jsonl.zst
	unimo-tokenize --learn --vocab-size 4000 -F text -o $(@D) $(data)/scenes/train.pairs.jsonl.zst $(data)/scenes/train.entailment.jsonl.zst \
	    $(data)/sentences.jsonl $(data)/train.reviews.jsonl
tokenize = unimo-tokenize -m $(data)/vocabulary -j $T -o $@
$(data)/tokens/%.zst: $(data)/%.jsonl.zst $(data)/vocabulary/vocab.json
	@mkdir -p $(@D)
	$(tokenize) $<
$(data)/tokens/%.zst: $(data)/vocabulary/vocab.json $(data)/test.queries.jsonl
	@mkdir -p $(@D)
	$(tokenize) $(firstword $(wildcard $(data)/$*.jsonl $(data)/scenes/$*.jsonl.zst))
$(data)/tokens/test.swaps.zst: $(data)/vocabulary/vocab.json
	@mkdir -p $(@D)
	$(tokenize) -F text,other $(data)/scenes/test.swaps.jsonl.zst
$(data)/tokens/random.zst: $(data)/random.jsonl
tokens := $(foreach s,all-levels sentence-level random sentences held-out train.pairs dev.pairs test.queries test.swaps train.entailment dev.entailment \
	    test.entailment train.reviews dev.reviews test.reviews,$(data)/tokens/$s.zst)

# 2. Pre-training. Every variant takes the same steps and draws as many pairs a step as the full one: its batches shrink by what is left out.
full-opts           = --mix 2:1:4
no-texts-opts       = --mix 2:1:0 --cmcl-texts 0
no-images-opts      = --mix 2:0:4 --cmcl-images 0
no-cmcl-opts        = --mix 2:1:4 --cmcl 0
no-rewriting-opts   = --mix 2:1:4 --cmcl-positives 0
sentence-level-opts = --mix 2:1:4
no-retrieval-opts   = --mix 2:1:4 --cmcl-texts 0 --cmcl-images 0
pairs-only-opts     = --mix 1:0:0 --cmcl-texts 0 --cmcl-images 0
no-rewriting-pairs   = random
sentence-level-pairs = sentence-level
variant = $(basename $(notdir $1))
seed    = $(subst .,,$(suffix $1))
steps   = 2200
# Options of a pre-training of a variant, but for those that are given twice.
pretrain = unimo-pretrain --config scripts/study.json --vocab $(data)/vocabulary --dropout 0 \
	   --pairs $(data)/tokens/$(or $($1-pairs),all-levels).zst --features '$(data)/*.regions.zst' --texts $(data)/tokens/sentences.zst \
	   $(unpaired_images) --cmcl-positives 1 --cmcl-negatives 6 --cmcl-texts 1 --cmcl-images 1 --temperature 0.1 --cmcl 6 --mrc 0.3 --mrfr 0.02 \
	   --lr 1e-3 --steps $(steps) $($1-opts) -j $T
# What a dry run says is drawn in a step of so many rows.
drawn = $$($(call pretrain,$1) --rows $2 --dry-run | awk '$$1 == "pairs" { print $$4 }')
# A model is there from its first measurement on; `trained` says that no steps are left.
$D/runs/%/model/trained: $(tokens) $(regions)
	@mkdir -p $D/runs/$*
	rows=$$(awk -v all=$(call drawn,full,2400) -v some=$(call drawn,$(call variant,$*),2400) 'BEGIN { printf "%d", 2400 * all / some }') && \
	$(call pretrain,$(call variant,$*)) --rows $$rows --seed $(call seed,$*) --dev-texts $(data)/tokens/held-out.zst \
	    --log $D/runs/$*/pretrain.log --save-every 200 --keep 1 --resume -o $(@D) && touch $@

# 3. Fine-tuning, predictions, scores.
finetune = unimo-finetune -m $D/runs/$*/model --seed $(call seed,$*) -j $T --save-every 200 --keep 1 --resume -o $(@D)
train_images := --images $(data)/train.regions.zst --images $(data)/dev.regions.zst
test_images  := --images $(data)/test.regions.zst -j $T
$D/runs/%/retrieval/trained: $D/runs/%/model/trained
	$(finetune) -t retrieval $(train_images) --train $(data)/tokens/train.pairs.zst --dropout 0 --rows 2048 --steps 1000 --lr 1e-3 --gamma 4 --negatives 6 && touch $@
$D/runs/%/captioning/trained: $D/runs/%/model/trained
	$(finetune) -t captioning $(train_images) --train $(data)/tokens/train.pairs.zst --dev $(data)/tokens/dev.pairs.zst --dropout 0 --rows 2048 --epochs 5 \
	    --lr 1e-3 --eval-every 200 && touch $@
$D/runs/%/entailment/trained: $D/runs/%/model/trained
	$(finetune) -t entailment $(train_images) --train $(data)/tokens/train.entailment.zst --dev $(data)/tokens/dev.entailment.zst --dropout 0.1 --rows 1024 \
	    --epochs 12 --lr 5e-4 && touch $@
$D/runs/%/reviews/trained: $D/runs/%/model/trained
	$(finetune) -t classify --train $(data)/tokens/train.reviews.zst --dev $(data)/tokens/dev.reviews.zst --dropout 0.1 --rows 1024 --epochs 6 --lr 3e-4 && touch $@
$D/runs/%/zero-shot.zst: $D/runs/%/model/trained
	unimo-predict -t retrieval -m $(<D) $(test_images) -o $@ $(data)/tokens/test.queries.zst
$D/runs/%/swaps.zst: $D/runs/%/model/trained
	unimo-predict -t retrieval -m $(<D) $(test_images) --choice text --choice other -o $@ $(data)/tokens/test.swaps.zst
$D/runs/%/retrieval.zst: $D/runs/%/retrieval/trained
	unimo-predict -m $(<D) $(test_images) -o $@ $(data)/tokens/test.queries.zst
$D/runs/%/captioning.zst: $D/runs/%/captioning/trained
	unimo-predict -m $(<D) -j $T -o $@ $(data)/test.regions.zst
$D/runs/%/entailment.zst: $D/runs/%/entailment/trained
	unimo-predict -m $(<D) $(test_images) -o $@ $(data)/tokens/test.entailment.zst
$D/runs/%/reviews.zst: $D/runs/%/reviews/trained
	unimo-predict -m $(<D) -j $T -o $@ $(data)/tokens/test.reviews.zst
figure = unimo-score --format json $1 | jq -s '$2'
$D/runs/%/scores.json: $(foreach x,zero-shot swaps retrieval captioning entailment reviews,$D/runs/%/$x.zst)
	( $(call figure,--metrics retrieval --images $(data)/test.regions.zst $D/runs/$*/zero-shot.zst,{zero_shot: (map(.r1) | add / 2)}); \
	  $(call figure,--metrics retrieval --images $(data)/test.regions.zst $D/runs/$*/retrieval.zst,{retrieval: (map(.r1) | add / 2)}); \
	  $(call figure,--metrics accuracy $D/runs/$*/swaps.zst $(data)/scenes/test.swaps.jsonl.zst,{swaps: .[0].score}); \
	  $(call figure,--metrics cider $D/runs/$*/captioning.zst $(data)/scenes/test.pairs.jsonl.zst,{cider: .[0].score}); \
	  $(call figure,--metrics accuracy $D/runs/$*/entailment.zst $(data)/scenes/test.entailment.jsonl.zst,{entailment: .[0].score}); \
	  $(call figure,--metrics accuracy $D/runs/$*/reviews.zst $(data)/test.reviews.jsonl,{reviews: .[0].score}); \
	  jq -s '{perplexity: (map(select(.dev_mlm)) | last | .dev_mlm | exp)}' $D/runs/$*/pretrain.log ) | jq -s 'add + {run: "$*"}' >$@
