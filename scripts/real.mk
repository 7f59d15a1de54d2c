# Data that people labelled, at a scale of an hour: one small model is pre-trained from scratch on scenes and clip-art with their texts, on
# sentences, on descriptions of packages and on landscapes; fine-tuned for six tasks; and compared with bags of words and with chance; three
# seeds. An interrupted run goes on where it was.
# Yours to set: BIN, D (the folder), T (threads), SEEDS.
BIN   ?= $(CURDIR)/build/release/bin
D     ?= real
T     ?= 0
SEEDS ?= 1 2 3
export PATH := $(BIN):$(PATH)
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SECONDARY:

sets  := scenes clip-art
tasks := retrieval captioning vqa entailment
every := $(foreach t,$(tasks),$(sets:%=$t.%)) classify.reviews generate.synopses
$D/table.txt: $(foreach x,$(every),$(SEEDS:%=$D/runs/%/$x.json) $D/others/$x.words.json $D/others/$x.chance.json) scripts/real-table $D/shown
	scripts/real-table $D '$(SEEDS)' $(every) >$@
	@cat $@

shown = $(SEEDS)
include scripts/kept.mk

# 1. Data: for each set and split its pairs, questions and statements, as NAME.SPLIT.jsonl.
data := $D/data
$(data)/test.titles.jsonl:
	scripts/real-data $(data)
$(data)/scenes/test.jsonl.zst:
	unimo-scenes --train 1500 --dev 60 --test 150 --images 200 --texts 1 -j $T -o $(data)/scenes
regionfeat = unimo-regionfeat --min-boxes 4 --max-boxes 10 -j $T -o $@
$(data)/scenes.%.regions.zst: | $(data)/scenes/test.jsonl.zst
	$(regionfeat) $(data)/scenes/$*.jsonl.zst
$(data)/clip-art.%.regions.zst: | $(data)/test.titles.jsonl
	jq -c '{id: .image, image: "clip-art/\(.image).jpg"}' $(data)/$*.titles.jsonl >$(data)/clip-art.$*.list.jsonl
	$(regionfeat) $(data)/clip-art.$*.list.jsonl
$(data)/landscapes.regions.zst: | $(data)/test.titles.jsonl
	$(regionfeat) $(data)/landscapes
train_images := $(foreach s,$(sets),$(data)/$s.train.regions.zst $(data)/$s.dev.regions.zst)
other_images := $(data)/scenes.images.regions.zst $(data)/landscapes.regions.zst
test_images  := $(sets:%=$(data)/%.test.regions.zst)
$(data)/%.pairs.scenes.jsonl: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/$*.pairs.jsonl.zst >$@
# The ten people of a scene are of one mind.
$(data)/%.questions.scenes.jsonl: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/$*.questions.jsonl.zst | jq -c '.answers = [range(10) as $$_ | .label]' >$@
$(data)/%.statements.scenes.jsonl: | $(data)/scenes/test.jsonl.zst
	unimo-view $(data)/scenes/$*.entailment.jsonl.zst >$@
$(data)/%.pairs.clip-art.jsonl: | $(data)/test.titles.jsonl
	cp $(data)/$*.titles.jsonl $@
$(data)/%.questions.clip-art.jsonl: | $(data)/test.titles.jsonl
	cp $(data)/$*.kinds.jsonl $@
$(data)/%.statements.clip-art.jsonl: | $(data)/test.titles.jsonl
	cp $(data)/$*.fits.jsonl $@
$(data)/%.texts.reviews.jsonl: | $(data)/test.titles.jsonl
	cp $(data)/$*.reviews.jsonl $@
$(data)/%.texts.synopses.jsonl: | $(data)/test.titles.jsonl
	cp $(data)/$*.synopses.jsonl $@
texts := $(data)/sentences.jsonl
$(texts): $(data)/train.texts.reviews.jsonl $(data)/train.texts.synopses.jsonl
	cat $(data)/texts.jsonl $^ | jq -c '{id, text: .text[:2000]}' >$@

# 2. Rewriting, a vocabulary, tokens.
pairs := $(sets:%=$(data)/train.pairs.%.jsonl)
$(data)/rewriter/lexicon.json: $(pairs) $(texts) $(other_images)
	unimo-rewrite --learn $(other_images:%=--images %) --texts $(texts) -j $T -o $(@D) $(pairs)
$(data)/train.rewritten.jsonl.zst: $(data)/rewriter/lexicon.json
	unimo-rewrite -m $(<D) --seed 1 -j $T -o $@ $(pairs)
$(data)/vocabulary/vocab.json: $(pairs) $(texts) $(sets:%=$(data)/train.questions.%.jsonl)
	unimo-tokenize --learn --vocab-size 8000 -F text -o $(@D) $^
tokenize = unimo-tokenize -m $(data)/vocabulary -j $T -o $@ $<
$(data)/train.rewritten.zst: $(data)/train.rewritten.jsonl.zst $(data)/vocabulary/vocab.json
	$(tokenize)
$(data)/%.zst: $(data)/%.jsonl $(data)/vocabulary/vocab.json
	$(tokenize)

# 3. Pre-training from scratch, for each seed: first mostly on texts, then mostly on pairs. A model is there from its first measurement on;
# `trained` says that no steps are left.
pretrain = unimo-pretrain --vocab $(data)/vocabulary --dropout 0 --pairs $< --texts $(data)/sentences.zst \
	   $(foreach x,$(train_images) $(other_images),--features $x) $(other_images:%=--images %) \
	   --cmcl-positives 1 --cmcl-negatives 6 --cmcl-texts 1 --cmcl-images 1 --temperature 0.1 --cmcl 6 --mrc 0.3 --mrfr 0.02 \
	   --lr 1e-3 --rows 2400 --seed $* -j $T --log $(@D).log --save-every 200 --keep 1 --resume -o $(@D)
$D/runs/%/first/trained: $(data)/train.rewritten.zst $(data)/sentences.zst $(train_images) $(other_images)
	@mkdir -p $D/runs/$*
	$(pretrain) --config scripts/real.json --mix 4:1:8 --steps 2400 && touch $@
$D/runs/%/model/trained: $(data)/train.rewritten.zst $D/runs/%/first/trained
	$(pretrain) --init $D/runs/$*/first --mix 16:1:1 --steps 1000 && touch $@

# 4. Fine-tuning: one model for a task of both sets.
records-retrieval := pairs
records-captioning := pairs
records-vqa := questions
records-entailment := statements
files = $(foreach s,$(sets),$(data)/$1.$(records-$2).$s.zst)
adapt = unimo-finetune -t $1 -m $D/runs/$*/model --seed $* -j $T --save-every 200 --keep 1 --resume --log $D/runs/$*/$1.log -o $(@D)
finetune = $(call adapt,$1) $(foreach x,$(train_images),--images $x) $(foreach x,$(call files,train,$1),--train $x) \
	   $(foreach x,$(call files,dev,$1),--dev $x)
finetune_texts = $(call adapt,$1) --train $(data)/train.texts.$2.zst --dev $(data)/dev.texts.$2.zst
$D/runs/%/retrieval/trained: $(call files,train,retrieval) $(call files,dev,retrieval) $D/runs/%/model/trained
	$(call finetune,retrieval) --eval-every 0 --dropout 0 --rows 2048 --steps 1000 --lr 1e-3 --gamma 4 --negatives 6 && touch $@
$D/runs/%/captioning/trained: $(call files,train,captioning) $(call files,dev,captioning) $D/runs/%/model/trained
	$(call finetune,captioning) --dropout 0.1 --rows 2048 --steps 600 --lr 1e-3 --min-length 1 --max-length 24 --eval-every 300 --eval-limit 200 && touch $@
$D/runs/%/vqa/trained: $(call files,train,vqa) $(call files,dev,vqa) $D/runs/%/model/trained
	$(call finetune,vqa) --dropout 0.1 --rows 1024 --steps 1200 --lr 5e-4 --eval-every 200 && touch $@
$D/runs/%/entailment/trained: $(call files,train,entailment) $(call files,dev,entailment) $D/runs/%/model/trained
	$(call finetune,entailment) --dropout 0.1 --rows 1024 --steps 1200 --lr 5e-4 --eval-every 200 && touch $@
$D/runs/%/classify/trained: $(data)/train.texts.reviews.zst $(data)/dev.texts.reviews.zst $D/runs/%/model/trained
	$(call finetune_texts,classify,reviews) --dropout 0.2 --rows 1024 --epochs 6 --lr 5e-4 --eval-every 200 && touch $@
$D/runs/%/generate/trained: $(data)/train.texts.synopses.zst $(data)/dev.texts.synopses.zst $D/runs/%/model/trained
	$(call finetune_texts,generate,synopses) --dropout 0 --rows 4096 --steps 2400 --lr 2e-3 --max-source 48 --max-target 20 --min-length 2 --max-length 20 --beam 3 \
	    --eval-every 400 --eval-limit 200 && touch $@

# 5. Predictions: the model's, those of bags of words, and those that need no input.
to_predict = unimo-predict -m $(<D) -j $T -o $@
define set_rules
$D/runs/%/retrieval.$1.zst: $D/runs/%/retrieval/trained $(data)/test.pairs.$1.zst $(data)/$1.test.regions.zst
	$$(to_predict) --images $(data)/$1.test.regions.zst $(data)/test.pairs.$1.zst
$D/runs/%/captioning.$1.zst: $D/runs/%/captioning/trained $(data)/$1.test.regions.zst
	$$(to_predict) $(data)/$1.test.regions.zst
$D/runs/%/vqa.$1.zst: $D/runs/%/vqa/trained $(data)/test.questions.$1.zst $(data)/$1.test.regions.zst
	$$(to_predict) --images $(data)/$1.test.regions.zst $(data)/test.questions.$1.zst
$D/runs/%/entailment.$1.zst: $D/runs/%/entailment/trained $(data)/test.statements.$1.zst $(data)/$1.test.regions.zst
	$$(to_predict) --images $(data)/$1.test.regions.zst $(data)/test.statements.$1.zst
$D/others/retrieval.$1.words.zst: $(data)/test.pairs.$1.jsonl $(data)/$1.test.regions.zst
	@mkdir -p $$(@D)
	scripts/bag-of-words rank $$^ | unimo-view --pack -o $$@
$D/others/captioning.$1.words.zst: $(data)/train.pairs.$1.jsonl $(data)/$1.train.regions.zst $(data)/$1.test.regions.zst
	@mkdir -p $$(@D)
	scripts/bag-of-words copy text $$< $(data)/$1.test.regions.zst $(data)/$1.train.regions.zst $(data)/$1.test.regions.zst >$$@
$D/others/captioning.$1.chance.zst: $(data)/train.pairs.$1.jsonl $(data)/$1.test.regions.zst
	@mkdir -p $$(@D)
	scripts/bag-of-words chance text $$^ >$$@
$D/others/retrieval.$1.chance.json: | $(data)/$1.test.regions.zst
	@mkdir -p $$(@D)
	unimo-view $(data)/$1.test.regions.zst | jq -s '{metric: "retrieval", r1: (100 / length)}' >$$@
endef
$(foreach s,$(sets),$(eval $(call set_rules,$s)))
$D/runs/%/classify.reviews.zst: $D/runs/%/classify/trained $(data)/test.texts.reviews.zst
	$(to_predict) $(data)/test.texts.reviews.zst
$D/runs/%/generate.synopses.zst: $D/runs/%/generate/trained $(data)/test.texts.synopses.zst
	$(to_predict) $(data)/test.texts.synopses.zst
define label_rules
$D/others/$1.$2.words.zst: $(data)/train.$3.$2.jsonl $(data)/test.$3.$2.jsonl $4
	@mkdir -p $$(@D)
	scripts/bag-of-words $5 $$^ >$$@
$D/others/$1.$2.chance.zst: $(data)/train.$3.$2.jsonl $(data)/test.$3.$2.jsonl
	@mkdir -p $$(@D)
	scripts/bag-of-words chance $6 $$^ >$$@
endef
$(foreach s,$(sets),$(eval $(call label_rules,vqa,$s,questions,$(data)/$s.train.regions.zst $(data)/$s.test.regions.zst,classify,label)))
$(foreach s,$(sets),$(eval $(call label_rules,entailment,$s,statements,$(data)/$s.train.regions.zst $(data)/$s.test.regions.zst,classify,label)))
$(eval $(call label_rules,classify,reviews,texts,,classify,label))
$(eval $(call label_rules,generate,synopses,texts,,copy target,target))

# 6. Scores. Drawings have one title each, scenes five captions.
score-retrieval  = retrieval --images $(data)/$1.test.regions.zst $<
score-captioning = cider $< $(data)/test.pairs.$1.jsonl
score-vqa        = accuracy $< $(data)/test.questions.$1.jsonl
score-entailment = accuracy $< $(data)/test.statements.$1.jsonl
score-classify   = accuracy $< $(data)/test.texts.$1.jsonl
score-generate   = rouge --field target $< $(data)/test.texts.$1.jsonl
define score_rules
$D/runs/%/$1.$2.json: $D/runs/%/$1.$2.zst
	unimo-score --format json -m $$(call score-$1,$2) >$$@
$D/others/$1.$2.%.json: $D/others/$1.$2.%.zst
	unimo-score --format json -m $$(call score-$1,$2) >$$@
endef
$(foreach x,$(every),$(eval $(call score_rules,$(basename $x),$(subst .,,$(suffix $x)))))
