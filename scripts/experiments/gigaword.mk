# Gigaword (table 2): ROUGE F1 of headlines.
# DATA: train.src, train.tgt, dev.src, dev.tgt, test.src and test.tgt, a sentence and its headline a line.
name    := gigaword
title   := Gigaword
task    := gigaword
lines    = $(import)/parallel $(DATA)/$1.src $(DATA)/$1.tgt
import.train = $(call lines,train)
import.dev   = $(call lines,dev)
import.test  = $(call lines,test)
batch   := 128
report  := test
score   := -m rouge --prepare gigaword --field target
figures := ROUGE-1 ROUGE-2 ROUGE-L
pick    := .[0] | .rouge1, .rouge2, .rougeL
paper.base  := 38.80 19.99 36.27
paper.large := 39.71 20.37 36.88
paper.base-without-images := 38.22 19.43 35.71
paper.base-pairs-only     := 38.06 18.91 35.41
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
