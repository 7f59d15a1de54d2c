# CNN/DailyMail (table 2): ROUGE F1 of summaries.
# DATA: folders cnn/stories and dailymail/stories, or stories, as published; lists of the splits all_train.txt, all_val.txt and all_test.txt.
name    := cnndm
title   := CNN/DailyMail
task    := cnndm
stories  = $(wildcard $(DATA)/stories $(DATA)/*/stories)
import.train = $(import)/cnndm $(stories) $(DATA)/all_train.txt
import.dev   = $(import)/cnndm $(stories) $(DATA)/all_val.txt
import.test  = $(import)/cnndm --join ' <S_SEP> ' $(stories) $(DATA)/all_test.txt
batch   := 32
report  := test
score   := -m rouge --prepare cnndm --field target
figures := ROUGE-1 ROUGE-2 ROUGE-L
pick    := .[0] | .rouge1, .rouge2, .rougeL
paper.base  := 42.42 20.12 39.61
paper.large := 43.51 20.65 40.63
paper.base-without-images := 42.26 20.09 39.41
paper.base-pairs-only     := 41.06 19.01 38.23
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk
