#!/bin/bash
# scripts/import-model: UNIMO's own release and RoBERTa's, in every form, become our models; what does not fit is refused.
. "$(dirname "$0")/../lib/lib.sh"
t_python numpy -c 'import numpy'
mkdir bin && ln -s "$(command -v "$python")" bin/python3 && PATH=$PWD/bin:$PATH
import=$top/scripts/import-model
made() { "$python" -B "$top/tests/cli/model_checkpoints.py" "$@"; }

unimo-scenes --seed 5 --train 12 --dev 2 --test 2 --images 0 --texts 0 -o scenes 2>log || t_skip_all "no scenes"
unimo-regionfeat -o regions.zst scenes/train.jsonl.zst 2>log
unimo-tokenize --learn --vocab-size 400 -F text -o vocab scenes/train.pairs.jsonl.zst 2>log
for x in pairs entailment; do unimo-tokenize -m vocab -o $x.zst scenes/train.$x.jsonl.zst; done
unimo-pretrain --config tiny --vocab vocab --pairs pairs.zst --features regions.zst --cmcl 0 --steps 1 -o ours 2>log
unimo-finetune -t entailment -m ours --train entailment.zst --images regions.zst --steps 2 -o entails 2>log
unimo-finetune -t classify -m ours --train entailment.zst --steps 2 -o classifies 2>log
unimo-finetune -t retrieval -m ours --train pairs.zst --images regions.zst --steps 1 -o retrieves 2>log
t_ok "models of ours" [ -e entails/config.json -a -e classifies/config.json -a -e retrieves/config.json ]

# ---- UNIMO's release ----
made paddle ours released
t_run "$import" --vocab vocab --heads 2 released imported
t_exit 0 "a folder of PaddlePaddle's variables"
t_ok "what the release has no arrays for is said to be missing" sh -c '[ "$(grep -c ^missing "$1")" = 4 ] && ! grep ^missing "$1" | grep -qv "  *mr"' sh "$out"
t_ok "what has no place here is told, the optimizer's moments are not" \
    sh -c '[ "$(grep ^unexpected "$1")" = "unexpected  next_sent_fc.w_0" ]' sh "$out"
t_ok "the parameters are the same to the bit" made same ours imported
t_ok "the sizes, too" sh -c 'k="{hidden_size,num_hidden_layers,num_attention_heads,intermediate_size,vocab_size,max_position_embeddings,mask_token_id,image_feature_size,max_text,match_head}"; [ "$(jq -c "$k" ours/config.json)" = "$(jq -c "$k" imported/config.json)" ]'
t_run unimo-finetune -t retrieval -m imported --train pairs.zst --images regions.zst --steps 1 -o again
t_exit 0 "it is fine-tuned"
t_same again/model.safetensors retrieves/model.safetensors "to the same model as ours"
t_run unimo-pretrain --init imported --pairs pairs.zst --features regions.zst --cmcl 0 --steps 1 -o further
t_exit 0 "and pre-trained further"
asked() { unimo-predict -m "$1" "${@:3}" "$2" | unimo-view - >"$1.answers"; }
made paddle entails released-entails
t_run "$import" --vocab vocab --heads 2 --labels contradiction,entailment,neutral released-entails imported-entails
asked entails entailment.zst --images regions.zst
asked imported-entails entailment.zst --images regions.zst
t_same imported-entails.answers entails.answers "a fine-tuned classifier of two layers answers as ours"
t_ok "and does answer" [ -s entails.answers ]
made paddle classifies released-classifies
t_run "$import" --vocab vocab --heads 2 released-classifies imported-classifies
asked classifies entailment.zst
asked imported-classifies entailment.zst
t_ok "one of one layer, its labels by number" sh -c '[ -s imported-classifies.answers ] && sed "s/contradiction/0/g; s/entailment/1/g; s/neutral/2/g" classifies.answers | cmp - imported-classifies.answers'

# ---- the vocabulary ----
mkdir gpt2 && jq -c 'del(.["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) | to_entries | sort_by(.value) | to_entries | map({key: .value.key, value: .key}) | from_entries' vocab/vocab.json >gpt2/encoder.json
cp vocab/merges.txt gpt2/vocab.bpe
{ printf '[CLS]\n[PAD]\n[SEP]\n[UNK]\n'; seq 0 394; echo '[MASK]'; } >gpt2/unimo_en.vocab.txt
t_run "$import" --vocab gpt2 --heads 2 released-entails with-list
t_ok "GPT-2's files with UNIMO's list are copied" cmp gpt2/unimo_en.vocab.txt with-list/unimo_en.vocab.txt
t_run unimo-finetune -t retrieval -m with-list --train pairs.zst --images regions.zst --steps 1 -o list-again
t_same list-again/vocab.json vocab/vocab.json "and mean the same ids"
mkdir mixed && cp gpt2/encoder.json mixed/vocab.json && cp gpt2/vocab.bpe mixed/merges.txt && cp gpt2/unimo_en.vocab.txt mixed
t_run "$import" --vocab mixed --heads 2 released-entails with-mixed
t_run unimo-finetune -t retrieval -m with-mixed --train pairs.zst --images regions.zst --steps 1 -o mixed-again
t_same mixed-again/vocab.json vocab/vocab.json "under Hugging Face's names, too"

# ---- RoBERTa ----
for x in roberta.npz fairseq.npz roberta.bin fairseq.pt; do
    made "${x%.*}" ours "$x" || continue
    t_run "$import" --vocab vocab --heads 2 "$x" "from-$x"
    t_exit 0 "$x is imported"
    t_ok "$x: its part is the same to the bit" made same ours "from-$x"
    t_ok "$x: images are missing, nothing of the text" sh -c 'grep -q "^missing     unimo.image_embeddings.feature.weight" "$1" && ! grep "^missing" "$1" | grep -qE "encoder|lm_head"' sh "$out"
done
t_run unimo-finetune -t classify -m from-roberta.npz --train entailment.zst --steps 1 -o roberta-classifies
t_exit 0 "and is fine-tuned"

# ---- what is refused ----
refused() { # WHAT REGEX ARGUMENTS...
    local what=$1 regex=$2
    shift 2
    t_run "$import" "$@"
    t_fails "$what"
    t_err "$regex"
}
broken() { rm -rf broken && cp -r released broken; }
broken && rm broken/encoder_layer_1_ffn_fc_0.w_0
refused "an array that is missing" '^import-model: broken: [0-9]+ arrays are missing \(first: unimo.encoder.layer.1.intermediate.dense.weight\)$' --vocab vocab broken x
grep -q '^missing     unimo.encoder.layer.1.intermediate.dense.weight$' "$out"
t_report $? "is in the table"
broken && cp broken/pos_embedding broken/word_embedding
refused "another shape" 'mask_lm_out_fc.b_0: has the shape \[400\], and \[66\] was expected for lm_head.bias$' --vocab vocab broken x
broken && truncate -s -4 broken/image_emb.w_0
refused "values cut short" '^import-model: broken: image_emb.w_0: 65532 bytes of values for the shape \[256, 64\]$' --vocab vocab broken x
broken && truncate -s 18 broken/image_emb.w_0
refused "a head cut short" '^import-model: broken: image_emb.w_0: cut short$' --vocab vocab broken x
broken && "$python" -c 'import struct; open("broken/image_loc.b_0", "r+b").write(struct.pack("<IQ", 0, 1 << 60))'
refused "levels without end" '^import-model: broken: image_loc.b_0: not a variable' --vocab vocab broken x
broken && "$python" -c 'f = open("broken/image_loc.b_0", "r+b"); f.seek(-4, 2); f.write(b"\0\0\xc0\x7f")'
refused "a value that is not a number" '^import-model: broken: image_loc.b_0: has values that are not finite$' --vocab vocab broken x
refused "a folder of something else" '^import-model: vocab: no array for unimo.embeddings.word_embeddings.weight' vocab x
refused "no vocabulary" '^import-model: released: released: no vocabulary \(--vocab: ' released x
mkdir less && jq -c 'del(.["<unk>"])' vocab/vocab.json >less/vocab.json && cp vocab/merges.txt less
refused "another vocabulary" '^import-model: released: less: the vocabulary has 399 tokens \(the model has 400\)$' --vocab less released x
{ seq 0 393 | sed 's/$/ 1/'; } >dict.txt && mkdir short && cp gpt2/encoder.json gpt2/vocab.bpe short && mv dict.txt short
refused "another dictionary" 'the vocabulary has 399 tokens' --vocab short released x
refused "heads that do not divide" '64 columns do not divide into 7 heads' --vocab vocab --heads 7 released x
refused "too few labels" '2 labels, and the checkpoint.s classifier has 3' --vocab vocab --labels a,b released-entails x
refused "a name that is taken" '^import-model: imported: is there already$' --vocab vocab released imported
refused "another kind of file" 'its name ends in none of .bin' scenes/train.jsonl.zst x
refused "a file that is not there" '^import-model: absent.npz: No such file' absent.npz x
t_ok "nothing is left of what failed" sh -c '[ ! -e x ] && [ -z "$(find . -maxdepth 1 -name ".x*")" ]'
t_run "$import" -h
t_ok "-h" grep -q '^usage: scripts/import-model' "$out"
t_done
