"""Tiny encoders with random weights on disk, and what they compute written a second time in numpy.

    folder = make(tmp_path / "bert")                  # vectors, in sentence-transformers' layout
    folder = make(tmp_path / "judge", rerank=True)    # scores of pairs
    Reference(folder).vectors([[2, 7, 3]])            # float64, one text at a time, no padding

A word is a letter; [CLS] and [SEP] stand around texts.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.kit.tiny import write_safetensors

Array = np.ndarray[Any, np.dtype[np.float64]]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCAB = len(SPECIAL) + len(LETTERS)
HIDDEN, INNER, HEADS, LAYERS = 32, 48, 4, 2


def make(
    folder: Path,
    *,
    family: str = "bert",
    pooling: str = "mean_tokens",
    context: int = 64,
    limit: int | None = None,
    rerank: bool = False,
    seed: int = 0,
) -> Path:
    """Writes a model. context: positions of its table; limit: max_seq_length of its authors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertForSequenceClassification" if rerank else "BertModel"],
        "model_type": family,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": context,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": VOCAB,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    write_safetensors(folder / "model.safetensors", _weights(family, context, rerank, seed))
    if not rerank:
        _layout(folder, pooling, limit)
    return folder


def tokens(text: str, other: str | None = None) -> list[int]:
    """What the tokenizer makes of letters between spaces."""

    def words(words: str) -> list[int]:
        return [len(SPECIAL) + LETTERS.index(word) for word in words.split()]

    return [2, *words(text), 3, *([] if other is None else [*words(other), 3])]


class Reference:
    """The same model in numpy, in float64."""

    def __init__(self, folder: Path) -> None:
        self._weights = read_safetensors(folder / "model.safetensors")
        self._config = json.loads((folder / "config.json").read_bytes())
        self._first = 0 if self._config["model_type"] == "bert" else 1
        self._prefix = next(
            name.removesuffix("embeddings.word_embeddings.weight")
            for name in self._weights
            if name.endswith("embeddings.word_embeddings.weight")
        )

    def hidden(self, ids: Sequence[int], kinds: Sequence[int] = ()) -> Array:
        """What stands at each token at the end."""
        table = "embeddings."
        places = [self._first + place for place in range(len(ids))]
        x = self._at(f"{table}word_embeddings.weight")[list(ids)]
        x = x + self._at(f"{table}position_embeddings.weight")[places]
        x = x + self._at(f"{table}token_type_embeddings.weight")[list(kinds) or [0] * len(ids)]
        x = self._norm(f"{table}LayerNorm", x)
        for number in range(self._config["num_hidden_layers"]):
            x = self._layer(f"encoder.layer.{number}.", x)
        return x

    def vectors(self, texts: Sequence[Sequence[int]], pooling: str = "mean_tokens") -> Array:
        """Vectors of length 1."""
        rows = []
        for ids in texts:
            hidden = self.hidden(ids)
            pools = {
                "mean_tokens": hidden.mean(axis=0),
                "cls_token": hidden[0],
                "max_tokens": hidden.max(axis=0),
                "lasttoken": hidden[-1],
            }
            rows.append(pools[pooling] / np.linalg.norm(pools[pooling]))
        return np.array(rows)

    def score(self, query: str, document: str) -> float:
        """How well the document fits."""
        first = len(tokens(query))
        ids = tokens(query, document)
        hidden = self.hidden(ids, [0] * first + [1] * (len(ids) - first))
        if self._first:
            summary = np.tanh(self._linear("classifier.dense", hidden[0], prefix=""))
            logit = self._linear("classifier.out_proj", summary, prefix="")
        else:
            summary = np.tanh(self._linear("pooler.dense", hidden[0]))
            logit = self._linear("classifier", summary, prefix="")
        return float(1 / (1 + np.exp(-logit[0])))

    def _at(self, name: str) -> Array:
        return self._weights[self._prefix + name]

    def _linear(self, name: str, x: Array, prefix: str | None = None) -> Array:
        name = (self._prefix if prefix is None else prefix) + name
        found: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return found

    def _norm(self, name: str, x: Array) -> Array:
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self._config["layer_norm_eps"])
        found: Array = x * self._at(f"{name}.weight") + self._at(f"{name}.bias")
        return found

    def _layer(self, name: str, x: Array) -> Array:
        heads = self._config["num_attention_heads"]
        parts = [
            self._linear(f"{name}attention.self.{part}", x).reshape(len(x), heads, -1)
            for part in ("query", "key", "value")
        ]
        query, key, value = (part.transpose(1, 0, 2) for part in parts)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        y = self._linear(f"{name}attention.output.dense", seen.transpose(1, 0, 2).reshape(x.shape))
        x = self._norm(f"{name}attention.output.LayerNorm", x + y)
        y = self._linear(f"{name}intermediate.dense", x)
        y = y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
        return self._norm(f"{name}output.LayerNorm", x + self._linear(f"{name}output.dense", y))


def _layout(folder: Path, pooling: str, limit: int | None) -> None:
    kinds = ("Transformer", "Pooling", "Normalize")
    paths = ("", "1_Pooling", "2_Normalize")
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.{kind}"}
        for index, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = {
        f"pooling_mode_{name}": name == pooling
        for name in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    }
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": HIDDEN, **modes})
    )
    if limit is not None:
        said = json.dumps({"max_seq_length": limit})
        (folder / "sentence_bert_config.json").write_text(said)


def _weights(family: str, context: int, rerank: bool, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    prefix = ("bert." if family == "bert" else "roberta.") if rerank else ""
    found: dict[str, Any] = {}

    def matrix(name: str, rows: int, columns: int, bias: bool = True) -> None:
        scale = np.float32(1 / math.sqrt(columns) if bias else 1)
        found[f"{name}.weight"] = rng.standard_normal((rows, columns), dtype=np.float32) * scale
        if bias:
            found[f"{name}.bias"] = rng.standard_normal(rows, dtype=np.float32) * np.float32(0.1)

    def norm(name: str) -> None:
        found[f"{name}.weight"] = 1 + rng.standard_normal(HIDDEN, dtype=np.float32) / 10
        found[f"{name}.bias"] = rng.standard_normal(HIDDEN, dtype=np.float32) / 10

    matrix(f"{prefix}embeddings.word_embeddings", VOCAB, HIDDEN, bias=False)
    matrix(f"{prefix}embeddings.position_embeddings", context, HIDDEN, bias=False)
    matrix(f"{prefix}embeddings.token_type_embeddings", 2, HIDDEN, bias=False)
    norm(f"{prefix}embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"{prefix}encoder.layer.{number}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            matrix(f"{layer}attention.{part}", HIDDEN, HIDDEN)
        norm(f"{layer}attention.output.LayerNorm")
        matrix(f"{layer}intermediate.dense", INNER, HIDDEN)
        matrix(f"{layer}output.dense", HIDDEN, INNER)
        norm(f"{layer}output.LayerNorm")
    if family == "bert":
        matrix(f"{prefix}pooler.dense", HIDDEN, HIDDEN)
    if rerank and family == "bert":
        matrix("classifier", 1, HIDDEN)
    elif rerank:
        matrix("classifier.dense", HIDDEN, HIDDEN)
        matrix("classifier.out_proj", 1, HIDDEN)
    return found


def read_safetensors(path: Path) -> dict[str, Array]:
    """The tensors of a file that are float32, in float64."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, said in header.items():
        if said["dtype"] != "F32":  # the numbers 0, 1, 2 … that old checkpoints keep
            continue
        start, end = (8 + length + offset for offset in said["data_offsets"])
        numbers = np.frombuffer(data[start:end], "<f4").astype(np.float64)
        found[name] = numbers.reshape(said["shape"])
    return found


def _tokenizer() -> dict[str, Any]:
    vocab = {word: index for index, word in enumerate((*SPECIAL, *LETTERS))}

    def special(token: str, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": token, "type_id": kind}}

    def text(name: str, kind: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": kind}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 8,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": None,
        "added_tokens": [
            {
                "id": vocab[token],
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in SPECIAL
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, text("B", 1), special("[SEP]", 1)],
            "special_tokens": {
                token: {"id": token, "ids": [vocab[token]], "tokens": [token]}
                for token in ("[CLS]", "[SEP]")
            },
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    }
