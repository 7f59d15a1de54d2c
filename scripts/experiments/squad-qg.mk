# Questions about SQuAD's passages (table 2), in the split of Du et al. (2017): BLEU-4, METEOR (PARAPHRASES: its table), ROUGE-L.
# DATA: train-v1.1.json and dev-v1.1.json, and the lists of titles doclist-train.txt, doclist-dev.txt and doclist-test.txt.
name    := squad-qg
title   := SQuAD question generation
task    := squad-qg
questions = $(import)/squad-qg --titles $(DATA)/doclist-$1.txt $(DATA)/train-v1.1.json $(DATA)/dev-v1.1.json
import.train = $(call questions,train)
import.dev   = $(call questions,dev)
import.test  = $(call questions,test)
batch   := 32
report  := test
score   := -m bleu,meteor,rouge-l --prepare qg-raw --field target $(PARAPHRASES:%=--paraphrases %)
figures := BLEU-4 METEOR ROUGE-L
pick    := .[0].bleu4, .[1].score, .[2].score
paper.base  := 22.78 25.24 51.34
paper.large := 24.59 26.39 52.47
paper.base-without-images := 21.26 24.02 50.04
paper.base-pairs-only     := 17.09 21.04 46.47
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
