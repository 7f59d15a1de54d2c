"""A small model of ours as others would keep it, for import_model.t.

model_checkpoints.py paddle MODEL DIR       a folder of PaddlePaddle's variables, by the names of UNIMO's release
model_checkpoints.py roberta MODEL FILE     its text part by Hugging Face's names: .npz, or .bin by PyTorch itself (exit 77 without it)
model_checkpoints.py fairseq MODEL FILE     the same by fairseq's names, query, key and value in one matrix
model_checkpoints.py same MODEL MODEL       exit 1 unless every array of the second is in the first, to the bit
"""
import json
import os
import re
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)
from checkpoints import varint

PADDLE = {"unimo.embeddings.LayerNorm": "pre_encoder_layer_norm", "unimo.image_embeddings.LayerNorm": "v_pre_encoder_layer_norm",
          "unimo.image_embeddings.feature": "image_emb", "unimo.image_embeddings.location": "image_loc",
          "unimo.text_pooler.dense": "pooled_fc_text", "unimo.image_pooler.dense": "pooled_fc_image", "lm_head.dense": "mask_lm_trans_fc",
          "lm_head.layer_norm": "mask_lm_trans_layer_norm", "match_head": "match_fc"}
PADDLE_LAYER = {"attention.self.query": "multi_head_att_query_fc", "attention.self.key": "multi_head_att_key_fc",
                "attention.self.value": "multi_head_att_value_fc", "attention.output.dense": "multi_head_att_output_fc",
                "attention.output.LayerNorm": "post_att_layer_norm", "intermediate.dense": "ffn_fc_0", "output.dense": "ffn_fc_1",
                "output.LayerNorm": "post_ffn_layer_norm"}
WHOLE = {"unimo.embeddings.word_embeddings.weight": "word_embedding", "unimo.embeddings.position_embeddings.weight": "pos_embedding",
         "unimo.embeddings.role_embeddings.weight": "role_embedding", "unimo.embeddings.turn_embeddings.weight": "turn_embedding",
         "lm_head.bias": "mask_lm_out_fc.b_0"}
FAIRSEQ = {"embeddings.word_embeddings": "embed_tokens", "embeddings.position_embeddings": "embed_positions", "embeddings.LayerNorm": "emb_layer_norm"}
FAIRSEQ_LAYER = {"attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "self_attn_layer_norm", "intermediate.dense": "fc1",
                 "output.dense": "fc2", "output.LayerNorm": "final_layer_norm"}


def read(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, d in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            a, b = d["data_offsets"]
            out[name] = np.frombuffer(data[8 + n + a:8 + n + b], "<f4").reshape(d["shape"])
    return out


def variable(folder, name, values):
    """One of another type, one with its dimensions packed and one with a level of offsets are among them."""
    kind, form = (6, "<f8") if name == "pos_embedding" else (5, "<f4")
    dims = b"".join(varint(d) for d in values.shape)
    about = b"\x08" + varint(kind) + (b"\x12" + varint(len(dims)) + dims if name == "word_embedding" else
                                      b"".join(b"\x10" + varint(d) for d in values.shape))
    levels = [bytes(16)] if name == "image_loc.w_0" else []
    with open(os.path.join(folder, name), "wb") as f:
        f.write(struct.pack("<IQ", 0, len(levels)) + b"".join(struct.pack("<Q", len(x)) + x for x in levels) + struct.pack("<Ii", 0, len(about)) + about)
        f.write(np.ascontiguousarray(values, form).tobytes())


def paddle(model, folder):
    arrays = read(model)
    os.makedirs(folder)
    for name, value in arrays.items():
        base, part = name.rsplit(".", 1)
        layer = re.fullmatch(r"unimo\.encoder\.layer\.(\d+)\.(.*)", base)
        theirs = PADDLE.get(base) if not layer else f"encoder_layer_{layer[1]}_{PADDLE_LAYER[layer[2]]}"
        if name in WHOLE:
            variable(folder, WHOLE[name], value)
        elif base.startswith("classifier"):
            number = ("_0", "_1")[base == "classifier.out_proj"] if "classifier.dense.weight" in arrays else ""
            middle = "" if number else f"{len(value)}_"
            variable(folder, f"cls_out_{middle}{'w' if part == 'weight' else 'b'}{number}", value.T)
        elif theirs and theirs.endswith("norm"):
            variable(folder, theirs + ("_scale" if part == "weight" else "_bias"), value)
        elif theirs:
            variable(folder, theirs + (".w_0" if part == "weight" else ".b_0"), value.T)
    variable(folder, "word_embedding_moment1_0", np.zeros((2, 2)))
    variable(folder, "next_sent_fc.w_0", np.zeros((2, 2)))
    with open(os.path.join(folder, "__model__"), "wb") as f:
        f.write(b"\x0a\x02xx")


def write(file, arrays):
    if file.endswith(".npz"):
        np.savez(file, **arrays)
        return
    try:
        import torch
    except ImportError:
        sys.exit(77)
    torch.save({"args": None, "model": {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}} if file.endswith(".pt") else
               {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}, file)


def text_part(model):
    return {k[len("unimo."):] if k.startswith("unimo.") else k: v for k, v in read(model).items()
            if re.match(r"unimo\.(embeddings|encoder)\.|lm_head\.", k)}


def roberta(model, file):
    arrays = {k if k.startswith("lm_head") else "roberta." + k: v for k, v in text_part(model).items()}
    h = arrays["roberta.embeddings.LayerNorm.bias"].shape[0]
    arrays.update({"roberta.embeddings.token_type_embeddings.weight": np.zeros((1, h), "<f4"), "roberta.pooler.dense.bias": np.zeros(h, "<f4"),
                   "roberta.embeddings.position_ids": np.arange(8), "lm_head.decoder.bias": arrays["lm_head.bias"],
                   "lm_head.decoder.weight": arrays["roberta.embeddings.word_embeddings.weight"]})
    write(file, arrays)


def fairseq(model, file):
    arrays, out = text_part(model), {}
    for name, value in arrays.items():
        base, part = name.rsplit(".", 1)
        layer = re.fullmatch(r"encoder\.layer\.(\d+)\.(.*)", base)
        if layer and layer[2] == "attention.self.query":
            three = [arrays[f"encoder.layer.{layer[1]}.attention.self.{x}.{part}"] for x in ("query", "key", "value")]
            out[f"decoder.sentence_encoder.layers.{layer[1]}.self_attn.in_proj_{part}"] = np.concatenate(three)
        elif layer and layer[2] in FAIRSEQ_LAYER:
            out[f"decoder.sentence_encoder.layers.{layer[1]}.{FAIRSEQ_LAYER[layer[2]]}.{part}"] = value
        elif base in FAIRSEQ:
            out[f"decoder.sentence_encoder.{FAIRSEQ[base]}.{part}"] = value
        elif not layer:
            out["decoder." + name] = value
    out["decoder.lm_head.weight"] = out["decoder.sentence_encoder.embed_tokens.weight"]
    write(file, out)


def same(a, b):
    first, second = read(a), read(b)
    return all(k in first and first[k].shape == v.shape and first[k].tobytes() == v.tobytes() for k, v in second.items()) and len(second) > 0


def main():
    verb, a, b = sys.argv[1:4]
    if verb == "same":
        sys.exit(0 if same(a, b) else 1)
    {"paddle": paddle, "roberta": roberta, "fairseq": fairseq}[verb](a, b)


main()
