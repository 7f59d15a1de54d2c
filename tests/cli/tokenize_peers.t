#!/bin/bash
# Ids and merges against tiktoken and Hugging Face's tokenizers, on 60,000 texts, where python3 has both, or the Python that PYTHON names.
. "$(dirname "$0")/../lib/lib.sh"
python=${PYTHON:-python3}
"$python" "$top/tests/cli/tokenize_peers.py" check 2>/dev/null || t_skip_all "no Python with tiktoken and tokenizers"
mkdir gpt2
zstd -qdc "$top/testdata/gpt2/vocab.json.zst" >gpt2/vocab.json
zstd -qdc "$top/testdata/gpt2/merges.txt.zst" >gpt2/merges.txt
t_run "$python" "$top/tests/cli/tokenize_peers.py" encode gpt2
t_exit 0 "ids are those of both"
t_run "$python" "$top/tests/cli/tokenize_peers.py" learn
t_exit 0 "merges are those of BpeTrainer"
t_done
