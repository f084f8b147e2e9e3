"""The byte-level BPE tokenizer and the chat template as `transformers` renders it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from corpus import Dialogue
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, END, START = "<|endoftext|>", "<|im_end|>", "<|im_start|>"
CALL = ("<tool_call>", "</tool_call>")


def renderer(template: Path) -> Callable[[Dialogue], str]:
    """A function that writes a dialogue out as the text the model sees."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    compiled = environment.from_string(template.read_text(encoding="utf-8"))

    def render(dialogue: Dialogue) -> str:
        if dialogue.raw is not None:
            return dialogue.raw + END
        return compiled.render(
            messages=dialogue.messages, tools=dialogue.tools or None, add_generation_prompt=False
        )

    return render


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Spaces, digits and punctuation stand alone, so a copied word has the same tokens anywhere."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(CALL),
        special_tokens=[PAD, END, START],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=16,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in CALL])
    return tokenizer


def tokenizer_config(context: int) -> dict[str, Any]:
    """What `tokenizer_config.json` says."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
        "eos_token": END,
        "pad_token": PAD,
    }
