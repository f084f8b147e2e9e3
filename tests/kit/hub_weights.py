"""Model folders made of bytes alone: right to every header, wrong to every ear.

For tests of files, where nothing is loaded. `tests.kit.tiny` makes models that generate.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping

CONFIG: dict[str, object] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "torch_dtype": "bfloat16",
}


def safetensors(shapes: Mapping[str, tuple[str, tuple[int, ...]]], seed: int = 0) -> bytes:
    """A safetensors file of random bytes: name -> (dtype, shape)."""
    widths = {"F32": 4, "U32": 4, "F16": 2, "BF16": 2, "U8": 1}
    header: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    at = 0
    for name, (dtype, shape) in shapes.items():
        size = widths[dtype]
        for part in shape:
            size *= part
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + random.Random(seed).randbytes(at)


def model_files(
    kib: int = 512,
    *,
    seed: int = 0,
    shards: int = 1,
    config: Mapping[str, object] | None = None,
) -> dict[str, bytes]:
    """A model of `kib` KiB of BF16 weights in so many files, with what belongs to it."""
    files = {
        "config.json": json.dumps({**CONFIG, **(config or {})}).encode(),
        "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
        "tokenizer.json": b'{"version": "1.0"}',
        "README.md": f"weights of seed {seed}".encode(),
    }
    rows = kib * 1024 // 2 // 64 // shards
    if shards == 1:
        files["model.safetensors"] = safetensors({"w": ("BF16", (rows, 64))}, seed)
        return files
    names = [f"model-{number:05}-of-{shards:05}.safetensors" for number in range(1, shards + 1)]
    for number, name in enumerate(names):
        files[name] = safetensors({f"w{number}": ("BF16", (rows, 64))}, seed * 100 + number)
    index = {"weight_map": {f"w{number}": name for number, name in enumerate(names)}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    return files
