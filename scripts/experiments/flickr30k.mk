# Flickr30k retrieval (table 1), Karpathy's test split: R@1, 5 and 10 of images for texts, then of texts for images, over all 5,000 x 1,000 pairs.
# `... zero-shot` does the same with the pre-trained model as it is.
# DATA: dataset_flickr30k.json.
name    := flickr30k
title   := Flickr30k retrieval
task    := retrieval
has_images := yes
image.uniter := flickr30k_%012d
import.train = $(import)/karpathy $(called) $(DATA)/dataset_flickr30k.json train
import.dev   = $(import)/karpathy $(called) $(DATA)/dataset_flickr30k.json val
import.test  = $(import)/karpathy $(called) $(DATA)/dataset_flickr30k.json test
batch.base  := 64
batch.large := 32
report  := test
gallery  = $D/test.regions.zst
score   := -m retrieval
figures := IR-R@1 IR-R@5 IR-R@10 TR-R@1 TR-R@5 TR-R@10
pick    := .[] | .r1, .r5, .r10
paper.base  := 74.66 93.40 96.08 89.70 98.40 99.10
paper.large := 78.04 94.24 97.12 89.40 98.90 99.80
paper.base-without-texts := 72.04 91.62 95.30 85.80 97.90 99.10
include $(dir $(lastword $(MAKEFILE_LIST)))experiment.mk

# The test's images alone.
$D/test.regions.zst: $D/test.jsonl $(REGIONS)
	jq -r .image $< | sort -u | sed 's/^/-s /' | xargs -x -n 4000 -s 2000000 unimo-view --pack $(REGIONS) -o $@
zero-shot: $D/test.zst $(gallery)
	unimo-predict -t retrieval -m $(MODEL) -j $T --images $(gallery) --append -o $D/zero-shot.zst $<
	unimo-score $(score) --images $(gallery) $D/zero-shot.zst
.PHONY: zero-shot
