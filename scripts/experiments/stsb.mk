# STS-B (table 2): Pearson on the development set, the best of three rates and two batches for each of five seeds.
# MODEL: one that was fine-tuned on MNLI, as the paper had it.
# DATA: GLUE's folder STS-B, or the folder of all.
name    := stsb
title   := STS-B
task    := stsb
folder   = $(firstword $(wildcard $(DATA)/STS-B) $(DATA))
import.train = $(import)/glue stsb $(folder)/train.tsv
import.dev   = $(import)/glue stsb $(folder)/dev.tsv
RATES   ?= 1e-5 2e-5 3e-5
BATCHES ?= 16 32
SEEDS   ?= 1 2 3 4 5
report  := dev
score   := -m pearson --field label
figures := Pearson
pick    := .[0].score
paper.base  := 91.0
paper.large := 92.6
paper.base-without-images := 90.6
paper.base-pairs-only     := 88.8
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
