# CoLA (table 2): Matthews on the development set, the best of three rates and two batches for each of five seeds.
# DATA: GLUE's folder CoLA, or the folder of all.
name    := cola
title   := CoLA
task    := cola
folder   = $(firstword $(wildcard $(DATA)/CoLA) $(DATA))
import.train = $(import)/glue cola $(folder)/train.tsv
import.dev   = $(import)/glue cola $(folder)/dev.tsv
RATES   ?= 1e-5 2e-5 3e-5
BATCHES ?= 16 32
SEEDS   ?= 1 2 3 4 5
report  := dev
score   := -m matthews --field label
figures := Matthews
pick    := .[0].score
paper.base  := 65.4
paper.large := 68.5
paper.base-without-images := 62.8
paper.base-pairs-only     := 15.0
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
