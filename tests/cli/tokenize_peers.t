#!/bin/bash
# Ids and merges against tiktoken and Hugging Face's tokenizers, where they are installed, on 60,000 texts.
. "$(dirname "$0")/../lib/lib.sh"
for python in python3 /usr/bin/python3 ''; do
    [ -n "$python" ] || t_skip_all "no Python with tiktoken and tokenizers"
    "$python" "$top/tests/cli/tokenize_peers.py" check 2>/dev/null && break
done
mkdir gpt2
zstd -qdc "$top/testdata/gpt2/vocab.json.zst" >gpt2/vocab.json
zstd -qdc "$top/testdata/gpt2/merges.txt.zst" >gpt2/merges.txt
t_run "$python" "$top/tests/cli/tokenize_peers.py" encode gpt2
t_exit 0 "ids are those of both"
t_run "$python" "$top/tests/cli/tokenize_peers.py" learn
t_exit 0 "merges are those of BpeTrainer"
t_done
