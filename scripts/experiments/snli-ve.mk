# SNLI-VE (table 1): accuracy on the development and the test set; adversarial training, as the paper had it.
# DATA: snli_ve_train.jsonl, snli_ve_dev.jsonl and snli_ve_test.jsonl.
name    := snli-ve
title   := SNLI-VE
task    := entailment
has_images := yes
image.uniter := flickr30k_%012d
pairs    = $(import)/snli-ve $(called) $(DATA)/snli_ve_$1.jsonl
import.train = $(call pairs,train)
import.dev   = $(call pairs,dev)
import.test  = $(call pairs,test)
train_options := --adversarial
batch.base  := 192
batch.large := 64
report  := dev test
score   := -m accuracy --field label
figures := accuracy
pick    := .[0].score
paper.base  := 80.00 79.10
paper.large := 81.11 80.63
paper.base-without-texts := 79.52
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
