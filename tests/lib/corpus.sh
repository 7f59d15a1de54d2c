# Sourced after lib.sh by tests that need data for a model: a small corpus made by the real programs.
#   corpus/{train,dev,test}.pairs.zst    tokenized captions, with other captions as positives and negatives
#   corpus/{train,dev,test}.regions.zst  region features      corpus/texts.zst  tokenized sentences
#   corpus/{train,dev}.entailment.zst    tokenized statements with labels      corpus/vocabulary
#   $model: options of a model small enough for a test
model="--config $t_dir/tiny.json"
corpus() {
    unimo-scenes --seed 3 --train 24 --dev 6 --test 6 --images 8 --texts 40 -o scenes &&
        mkdir corpus &&
        for s in train dev test images; do unimo-regionfeat --max-boxes 12 -o corpus/$s.regions.zst scenes/$s.jsonl.zst || return; done &&
        unimo-tokenize --learn --vocab-size 400 -F text -o corpus/vocabulary scenes/train.pairs.jsonl.zst &&
        for s in train dev test; do
            unimo-view scenes/$s.pairs.jsonl.zst >plain.jsonl &&
                jq -c --slurpfile all plain.jsonl '. as $r | .positives = [$all[] | select(.image == $r.image and .id != $r.id) | {text}][:2]
                    | .negatives = [$all[] | select(.image != $r.image) | {text}][:6]' plain.jsonl >rewritten.jsonl &&
                unimo-tokenize -m corpus/vocabulary -o corpus/$s.pairs.zst rewritten.jsonl || return
        done &&
        unimo-tokenize -m corpus/vocabulary -o corpus/texts.zst scenes/texts.jsonl.zst &&
        for s in train dev; do unimo-tokenize -m corpus/vocabulary -o corpus/$s.entailment.zst scenes/$s.entailment.jsonl.zst || return; done &&
        cat >tiny.json <<'EOF'
{"model_type": "unimo", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
 "vocab_size": 400, "max_position_embeddings": 66, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "unk_token_id": 3,
 "mask_token_id": 399, "image_feature_size": 256, "image_class_size": 39, "max_regions": 12, "max_text": 64, "label_hidden": 0}
EOF
}
