"""Which format a model writes: from what its chat template says, then from its vocabulary.

Engines ask once a load. A template that shows the model calls is the best witness, since it is what
the model was trained on; a vocabulary is asked only when the template says nothing. The order
matters: some formats' markers stand in the templates of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from lmxd.worker.parsing.deepseek_dsml import DEEPSEEK_DSML
from lmxd.worker.parsing.family import Calls, Family
from lmxd.worker.parsing.gemma import FUNCTION_GEMMA, GEMMA4
from lmxd.worker.parsing.harmony import Harmony
from lmxd.worker.parsing.hermes import Hermes
from lmxd.worker.parsing.keyed import GLM, LONGCAT
from lmxd.worker.parsing.kimi_k3 import KIMI_K3, KIMI_K3_TAGS, KIMI_K3_TOKENS
from lmxd.worker.parsing.listed import LLAMA3, PHI4
from lmxd.worker.parsing.minicpm import MINICPM
from lmxd.worker.parsing.minimax import MINIMAX
from lmxd.worker.parsing.mistral import Mistral
from lmxd.worker.parsing.muse import Muse
from lmxd.worker.parsing.parser import Format
from lmxd.worker.parsing.pythonic import Pythonic
from lmxd.worker.parsing.qwen_coder import QWEN_CODER, SEED
from lmxd.worker.parsing.sectioned import DEEPSEEK_V3, DEEPSEEK_V31, KIMI_K2
from lmxd.worker.parsing.think import Tags

__all__ = ["detect"]

_TAGS = (
    Tags("<think>", "</think>"),
    Tags("<longcat_think>", "</longcat_think>"),
    Tags("<|think:start|>", "<|think:end|>"),
    Tags("<seed:think>", "</seed:think>"),
    Tags("[THINK]", "[/THINK]"),
    Tags("<|START_THINKING|>", "<|END_THINKING|>"),
    Tags("◁think▷", "◁/think▷"),
)
_CHANNEL = ("<|channel>", "<channel|>")
_GEMMA_TAGS = Tags("<|channel>thought", "<channel|>", anywhere=True, tokens=_CHANNEL)

_Shown: TypeAlias = tuple[tuple[tuple[str, ...], Calls | type[Harmony | Muse]], ...]
"""What a template has to hold, and how calls are then written; the first that fits."""

_SURE: _Shown = (
    (("<minimax:tool_call>",), MINIMAX),
    (("<|tool_call>", "<tool_call|>"), GEMMA4),
    (("<start_function_call>",), FUNCTION_GEMMA),
    (("<longcat_tool_call>",), LONGCAT),
    (("<arg_key>",), GLM),
    (("<|tool_list_start|>",), Pythonic()),
    (("<|tool_call_start|>",), Pythonic()),
    (("<tool_call>\\n<function=",), QWEN_CODER),
    (("<tool_call>\n<function=",), QWEN_CODER),
    (("<|tool_calls_section_begin|>",), KIMI_K2),
    (('<function name="', '<param name="'), MINICPM),
    (("[TOOL_CALLS]", "[ARGS]"), Mistral(named=True)),
    (("[TOOL_CALLS]",), Mistral(named=False)),
    (("<atem:function_calls>",), Muse),
    (("<tool_call>", "tool_call.name"), Hermes()),
)
_LIKELY: _Shown = (
    (("<|channel|>", "<|message|>"), Harmony),
    (("<seed:tool_call>",), SEED),
    (DEEPSEEK_DSML.markers, DEEPSEEK_DSML),
    ((DEEPSEEK_V3.section[0], "```json"), DEEPSEEK_V3),
    ((DEEPSEEK_V31.section[0],), DEEPSEEK_V31),
    (("<|python_tag|>",), LLAMA3),
    (("<|start_header_id|>", '"parameters"'), LLAMA3),
    (("<|header_start|>", '"parameters"'), LLAMA3),
    (("<|tool_call|>",), PHI4),
    (("<|tool|>",), PHI4),
    (("functools[",), PHI4),
    (("<tool_call>",), Hermes()),
)
"""Asked after the vocabulary, since these texts stand in templates of other formats too."""


def detect(template: str | None, vocabulary: Mapping[str, int]) -> Format:
    """The format for a model with this chat template and vocabulary; one that only passes text
    on where neither tells of calls or reasoning.
    """
    text = template or ""
    calls = _shown(text, _SURE) or _of_vocabulary(vocabulary) or _shown(text, _LIKELY)
    if isinstance(calls, type):
        return calls(vocabulary)
    return Family(calls, _tags(text, vocabulary), vocabulary)


def _shown(template: str, table: _Shown) -> Calls | type[Harmony | Muse] | None:
    fits = (calls for texts, calls in table if all(each in template for each in texts))
    return next(fits, None)


def _of_vocabulary(vocabulary: Mapping[str, int]) -> Calls | None:
    if all(each in vocabulary for each in KIMI_K3_TOKENS):
        return KIMI_K3
    if all(each in vocabulary for each in Pythonic().markers):
        return Pythonic()
    return DEEPSEEK_DSML if DEEPSEEK_DSML.markers[0] in vocabulary else None


def _tags(template: str, vocabulary: Mapping[str, int]) -> Tags | None:
    """What reasoning stands between: both tags are tokens, or the template has them."""
    for tags in _TAGS:
        if tags.open in vocabulary and tags.shut in vocabulary:
            return tags
        if tags.open in template and tags.shut in template:
            return tags
    if all(each in vocabulary for each in _CHANNEL):
        return _GEMMA_TAGS
    return KIMI_K3_TAGS if all(each in vocabulary for each in KIMI_K3_TOKENS) else None
