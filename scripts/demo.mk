# The demo: from JPEGs to scores. Every rule is a pipeline of the programs that can be copied into a shell; make runs only what is
# missing, so an interrupted demo goes on where it was. Yours to set: BIN (the programs), D (the folder: another one for another SEED), SEED,
# T (threads).
BIN  ?= $(CURDIR)/build/release/bin
D    ?= demo
SEED ?= 1
T    ?= 0
export PATH := $(BIN):$(PATH)
.DELETE_ON_ERROR:
.NOTPARALLEL: # every step uses all processors

all: $D/report.html
	@cat $D/table.txt
	@echo "see $D/report.html"

kept += settings
kept_settings = SEED=$(SEED)
include scripts/kept.mk

# 1. Pictures with captions, statements with labels; pictures and sentences on their own.
corpus := $D/scenes
$(corpus)/test.jsonl.zst: | $D/settings
	unimo-scenes --seed $(SEED) --train 2000 --dev 60 --test 200 --images 200 --texts 2000 -j $T -o $(corpus)

# 2. JPEG -> region features, with the detector that comes with unimo.
regions := $(foreach s,train dev test images,$D/regions/$s.jsonl.zst)
$D/regions/%.jsonl.zst: | $(corpus)/test.jsonl.zst
	@mkdir -p $(@D)
	unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@ $(corpus)/$*.jsonl.zst
$D/boxes/done: | $(corpus)/test.jsonl.zst
	unimo-regionfeat --min-boxes 1 --max-boxes 10 --limit 12 --draw $D/boxes -o /dev/null $(corpus)/test.jsonl.zst && touch $@

# 3. Rewritten and retrieved examples for contrastive learning.
$D/rewriter/lexicon.json: | $(regions)
	unimo-rewrite --learn --images $D/regions/images.jsonl.zst --texts $(corpus)/texts.jsonl.zst -j $T -o $(@D) $(corpus)/train.pairs.jsonl.zst
$D/rewritten.jsonl.zst: $D/rewriter/lexicon.json
	unimo-rewrite -m $(<D) --seed $(SEED) -j $T -o $@ $(corpus)/train.pairs.jsonl.zst

# 4. A vocabulary, and tokens.
$D/vocabulary/vocab.json: | $(corpus)/test.jsonl.zst
	unimo-tokenize --learn --vocab-size 1000 -F text -o $(@D) \
	    $(corpus)/train.pairs.jsonl.zst $(corpus)/texts.jsonl.zst $(corpus)/train.entailment.jsonl.zst
$D/tokens/train.pairs.jsonl.zst: $D/rewritten.jsonl.zst $D/vocabulary/vocab.json
	@mkdir -p $(@D)
	unimo-tokenize -m $D/vocabulary -j $T -o $@ $<
$D/tokens/%.jsonl.zst: $D/vocabulary/vocab.json | $(corpus)/test.jsonl.zst
	@mkdir -p $(@D)
	unimo-tokenize -m $D/vocabulary -j $T -o $@ $(corpus)/$*.jsonl.zst
tokens := $(foreach s,train.pairs dev.pairs test.pairs texts train.entailment dev.entailment test.entailment,$D/tokens/$s.jsonl.zst)

# 5. Pre-training from scratch, with and without contrastive learning: the same examples, the same number of them. A model is there from its
# first measurement on; `trained` says that no steps are left.
size     := scripts/demo.json
pretrain  = unimo-pretrain --config $(size) --vocab $D/vocabulary --dropout 0 \
	    --pairs $D/tokens/train.pairs.jsonl.zst --features $D/regions/train.jsonl.zst \
	    --images $D/regions/images.jsonl.zst --texts $D/tokens/texts.jsonl.zst --mix 8:1:1 \
	    --lr 1e-3 --mrc 0.3 --mrfr 0.02 --seed $(SEED) -j $T --save-every 200 --keep 1 --resume
$D/model/trained: $(tokens) $(regions)
	$(pretrain) --rows 2048 --steps 2200 --cmcl-positives 1 --cmcl-negatives 6 --cmcl-texts 1 --cmcl-images 1 --temperature 0.1 --cmcl 6 --log $D/pretrain.log -o $(@D) && touch $@
$D/model-without-cmcl/trained: $(tokens) $(regions)
	$(pretrain) --rows 256 --steps 2200 --cmcl 0 --log $D/pretrain-without-cmcl.log -o $(@D) && touch $@

# 6. Fine-tuning.
finetune = unimo-finetune -t $(1) -m $D/model --images $D/regions/train.jsonl.zst --images $D/regions/dev.jsonl.zst --seed $(SEED) -j $T \
	   --save-every 200 --resume --log $D/$(1).log -o $(@D)
$D/retrieval/trained: $D/model/trained
	$(call finetune,retrieval) --train $D/tokens/train.pairs.jsonl.zst --dropout 0 --rows 2048 --steps 1000 --lr 1e-3 --gamma 4 --negatives 6 && touch $@
$D/captioning/trained: $D/model/trained
	$(call finetune,captioning) --train $D/tokens/train.pairs.jsonl.zst --dev $D/tokens/dev.pairs.jsonl.zst --dropout 0 --rows 2048 --epochs 5 --lr 1e-3 --eval-every 200 && touch $@
$D/entailment/trained: $D/model/trained
	$(call finetune,entailment) --train $D/tokens/train.entailment.jsonl.zst --dev $D/tokens/dev.entailment.jsonl.zst --dropout 0.1 --rows 1024 --epochs 16 --lr 5e-4 && touch $@

# 7. Predictions on scenes never seen, of compositions never seen.
test_images := --images $D/regions/test.jsonl.zst -j $T
$D/predictions/zero-shot.jsonl.zst: $D/model/trained
	@mkdir -p $(@D)
	unimo-predict -t retrieval -m $(<D) $(test_images) -o $@ $D/tokens/test.pairs.jsonl.zst
$D/predictions/zero-shot-without-cmcl.jsonl.zst: $D/model-without-cmcl/trained
	@mkdir -p $(@D)
	unimo-predict -t retrieval -m $(<D) $(test_images) -o $@ $D/tokens/test.pairs.jsonl.zst
$D/predictions/retrieval.jsonl.zst: $D/retrieval/trained
	@mkdir -p $(@D)
	unimo-predict -m $(<D) $(test_images) -o $@ $D/tokens/test.pairs.jsonl.zst
$D/predictions/captioning.jsonl.zst: $D/captioning/trained
	@mkdir -p $(@D)
	unimo-predict -m $(<D) -j $T -o $@ $D/regions/test.jsonl.zst
$D/predictions/entailment.jsonl.zst: $D/entailment/trained
	@mkdir -p $(@D)
	unimo-predict -m $(<D) $(test_images) -o $@ $D/tokens/test.entailment.jsonl.zst

# 8. Scores.
$D/scores/captioning.json: $D/predictions/captioning.jsonl.zst
	@mkdir -p $(@D)
	unimo-score --metrics bleu,cider --format json $< $(corpus)/test.pairs.jsonl.zst >$@
$D/scores/entailment.json: $D/predictions/entailment.jsonl.zst
	@mkdir -p $(@D)
	unimo-score --metrics accuracy --format json $< $(corpus)/test.entailment.jsonl.zst >$@
$D/scores/%.json: $D/predictions/%.jsonl.zst
	@mkdir -p $(@D)
	unimo-score --metrics retrieval --images $D/regions/test.jsonl.zst --format json $< >$@
scores := $(foreach s,zero-shot-without-cmcl zero-shot retrieval captioning entailment,$D/scores/$s.json)

# 9. One table, one page.
$D/table.txt: $(scores) scripts/table
	scripts/table $D >$@
$D/report.html: $D/table.txt $D/boxes/done scripts/report
	scripts/report $D >$@
.PHONY: all
