# What bf16 costs: the demo's pre-training in f32 and in bf16, from the same start on the same batches, for several seeds. Prints each run's loss
# over the last tenth of its steps, and how far the precisions and the seeds are apart. An interrupted run goes on where it was.
# Yours to set: BIN, D (the demo's folder: its data are used, or made; another one for other STEPS), T (threads), SEEDS, STEPS.
.DEFAULT_GOAL := precision
SEEDS ?= 1 2 3
STEPS ?= 2200
kept := precision/settings
kept_precision/settings = STEPS=$(STEPS)
include scripts/demo.mk

runs := $(foreach s,$(SEEDS),$(foreach p,f32 bf16,$D/precision/$p.$s))
precision: $(runs:%=%/model.safetensors)
	@for r in $(runs); do tail -n $$(($(STEPS) / 100)) $$r.log | \
	    jq -s --arg run $${r##*/} '{run: $$run} + (map({loss, mlm, seq2seq, mrc, mrfr, cmcl}) | (.[0] | keys_unsorted) as $$k | . as $$all | [$$k[] as $$n | {key: $$n, value: ([$$all[][$$n]] | add / length)}] | from_entries)'; \
	done | jq -rs '(.[0] | keys_unsorted) as $$k | ($$k | @tsv), (.[] | [.[$$k[]] | if type == "number" then . * 10000 | round / 10000 else . end] | @tsv)'
$D/precision/%/model.safetensors: $(tokens) $(regions) | $D/precision/settings
	@mkdir -p $(@D)
	$(subst --seed $(SEED),--seed $(subst .,,$(suffix $*)),$(pretrain)) --precision $(basename $*) --rows 2048 --steps $(STEPS) \
	    --cmcl-positives 1 --cmcl-negatives 6 --cmcl-texts 1 --cmcl-images 1 --temperature 0.1 --cmcl 6 --log $(@D).log -o $(@D)
