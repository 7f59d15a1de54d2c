# COCO captions (table 1), Karpathy's test split: BLEU-4 and CIDEr-D; adversarial training, as the paper had it. Where the regions have names
# ("classes", tokenized by unimo-tokenize -F classes), the likely ones are seen before the caption.
# DATA: dataset_coco.json.
name    := coco
title   := COCO captions
task    := captioning
has_images := yes
image.uniter := %l
import.train = $(import)/karpathy $(called) $(DATA)/dataset_coco.json train
import.dev   = $(import)/karpathy $(called) $(DATA)/dataset_coco.json val
import.test  = $(import)/karpathy $(called) --by-image $(DATA)/dataset_coco.json test
train_options := --adversarial
batch.base  := 64
batch.large := 32
report  := test
ask     := jsonl
score   := -m bleu,cider --field refs
figures := BLEU-4 CIDEr
pick    := .[0].bleu4, .[1].score
paper.base  := 38.8 124.4
paper.large := 39.6 127.7
paper.base-without-texts := 38.3 123.2
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
