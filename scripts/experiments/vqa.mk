# VQA v2 (table 1). The paper's figures are those of the server, on test-dev: $D/test-dev.submission is what it takes. Ours here is the accuracy on a
# tenth of the validation images, which are left out of the training.
# DATA: the files of questions and annotations as published, v2_OpenEnded_mscoco_*.json and v2_mscoco_*.json.
name    := vqa
title   := VQA v2
task    := vqa
has_images := yes
image.uniter := %l
both     = $(import)/vqa $(called) $(wildcard $(DATA)/v2_OpenEnded_mscoco_$1_questions.json) $(wildcard $(DATA)/v2_mscoco_$1_annotations.json)
import.train = { $(call both,train2014) && $(call both,val2014) | jq -c 'select(.image | endswith("7") | not)'; }
import.dev   = $(call both,val2014) | jq -c 'select(.image | endswith("7"))'
import.test-dev = $(import)/vqa $(called) $(DATA)/v2_OpenEnded_mscoco_test-dev2015_questions.json
batch   := 256
report  := dev
score   := -m vqa --field answers
figures := accuracy
pick    := .[0].score
submit   := test-dev
exporter := vqa
paper.base  := 73.79
paper.large := 75.06
paper.base-without-texts := 73.77
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
