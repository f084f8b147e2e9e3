"""Tokenizer files for tiny models: two kinds, a ChatML-like template, no library needed.

`bytes` is a byte-level BPE (as Qwen, Llama 3); `spm` is a BPE with byte fallback (as Llama 2,
Gemma). Text of any language passes through both unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] }}"
    "{% if not loop.last or add_generation_prompt %}{{ '<|im_end|>\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END = SPECIAL.index("<|im_end|>")
_WORDS = ("the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "hello", "world")


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in a byte-level vocabulary."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in letters)
    letters.update({byte: chr(256 + n) for n, byte in enumerate(others)})
    return [letters[byte] for byte in range(256)]


def write(
    folder: Path,
    *,
    kind: str,
    chat: bool,
    pieces: Sequence[bytes],
    control: Sequence[str] = (),
    bos: bool = False,
) -> tuple[int, list[int]]:
    """Writes the tokenizer's files; gives the vocabulary's size and the ids of `pieces`.

    pieces: byte strings that must be tokens of their own, encodable or not. control: further
    control tokens. bos: every text begins with `<|endoftext|>`.
    """
    vocab: dict[str, int] = {}
    for token in SPECIAL:
        vocab[token] = len(vocab)
    merges: list[tuple[str, str]] = []
    if kind == "bytes":
        letters = byte_letters()
        base, space = letters, letters[ord(" ")]
    else:
        letters = [f"<0x{byte:02X}>" for byte in range(256)]
        base, space = letters + [chr(c) for c in range(0x21, 0x7F)] + ["▁"], "▁"
    for token in base:
        vocab.setdefault(token, len(vocab))
    for word in _WORDS:
        left = space
        for letter in word:
            merges.append((left, letter))
            left += letter
            vocab.setdefault(left, len(vocab))
    merges = list(dict.fromkeys(merges))
    ids = [vocab.setdefault(_token(piece, kind, letters), len(vocab)) for piece in pieces]
    for token in control:
        vocab[token] = len(vocab)
    document = _document(kind, vocab, merges, (*SPECIAL, *control))
    if bos:
        document["post_processor"] = _begin(SPECIAL[0], vocab)
    (folder / "tokenizer.json").write_text(json.dumps(document))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": ["<|im_start|>"],
        "clean_up_tokenization_spaces": False,
        **({"chat_template": TEMPLATE} if chat else {}),
        **({"bos_token": SPECIAL[0]} if bos else {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(vocab), ids


def _token(piece: bytes, kind: str, letters: list[str]) -> str:
    if kind == "bytes":
        return "".join(letters[byte] for byte in piece)
    return letters[piece[0]] if len(piece) == 1 else piece.decode().replace(" ", "▁")


def _begin(token: str, vocab: dict[str, int]) -> dict[str, object]:
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": token, "type_id": 0}}, text],
        "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [vocab[token]], "tokens": [token]}},
    }


def _document(
    kind: str, vocab: dict[str, int], merges: list[tuple[str, str]], special: Sequence[str]
) -> dict[str, object]:
    if kind == "bytes":
        level = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        }
        parts: dict[str, object] = {"normalizer": None, "pre_tokenizer": level, "decoder": level}
    else:
        space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        parts = {
            "normalizer": {
                "type": "Sequence",
                "normalizers": [{"type": "Prepend", "prepend": "▁"}, space],
            },
            "pre_tokenizer": None,
            "decoder": {
                "type": "Sequence",
                "decoders": [
                    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                    {"type": "ByteFallback"},
                    {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                ],
            },
        }
    return {
        "version": "1.0",
        "truncation": None,
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
            for token in special
        ],
        **parts,
        "post_processor": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": kind == "spm",
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [list(pair) for pair in merges],
        },
    }
