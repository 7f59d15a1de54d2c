# CoQA (table 2): F1 of answers in conversations, on the development set; the paper calls it accuracy.
# DATA: coqa-train-v1.0.json and coqa-dev-v1.0.json.
name    := coqa
title   := CoQA
task    := coqa
import.train = $(import)/coqa $(DATA)/coqa-train-v1.0.json
import.dev   = $(import)/coqa $(DATA)/coqa-dev-v1.0.json
batch   := 32
report  := dev
score   := -m coqa --prepare coqa --field refs
figures := F1
pick    := .[0].f1
paper.base  := 80.2
paper.large := 84.9
paper.base-without-images := 78.1
paper.base-pairs-only     := 67.1
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
