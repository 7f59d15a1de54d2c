# SST-2 (table 2): accuracy on the development set, the best of three rates and two batches for each of five seeds.
# DATA: GLUE's folder SST-2, or the folder of all.
name    := sst2
title   := SST-2
task    := sst2
folder   = $(firstword $(wildcard $(DATA)/SST-2) $(DATA))
import.train = $(import)/glue sst2 $(folder)/train.tsv
import.dev   = $(import)/glue sst2 $(folder)/dev.tsv
RATES   ?= 1e-5 2e-5 3e-5
BATCHES ?= 16 32
SEEDS   ?= 1 2 3 4 5
report  := dev
score   := -m accuracy --field label
figures := accuracy
pick    := .[0].score
paper.base  := 95.1
paper.large := 96.8
paper.base-without-images := 94.7
paper.base-pairs-only     := 82.0
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
