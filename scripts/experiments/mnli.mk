# MNLI (table 2): accuracy on both development sets, matched and mismatched, the best of three rates and two batches for each of five seeds.
# DATA: GLUE's folder MNLI, or the folder of all.
name    := mnli
title   := MNLI
task    := mnli
folder   = $(firstword $(wildcard $(DATA)/MNLI) $(DATA))
import.train = $(import)/glue mnli $(folder)/train.tsv
import.dev   = $(import)/glue mnli $(folder)/dev_matched.tsv
import.dev-mm = $(import)/glue mnli $(folder)/dev_mismatched.tsv
RATES   ?= 1e-5 2e-5 3e-5
BATCHES ?= 16 32
SEEDS   ?= 1 2 3 4 5
report  := dev dev-mm
score   := -m accuracy --field label
figures := accuracy
pick    := .[0].score
paper.base  := 86.8 86.7
paper.large := 89.8 89.5
paper.base-without-images := 87.4 86.8
paper.base-pairs-only     := 59.9 64.9
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
