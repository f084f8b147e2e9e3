"""Which format a model writes: from what its chat template says, then from its vocabulary.

Engines ask once a load. A template that shows the model calls is the best witness, since it is what
the model was trained on; a vocabulary is asked only when the template says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lmxd.worker.parsing.family import Calls, Family
from lmxd.worker.parsing.hermes import Hermes
from lmxd.worker.parsing.parser import Format
from lmxd.worker.parsing.think import Tags

__all__ = ["detect"]

_TAGS = (
    Tags("<think>", "</think>"),
    Tags("<longcat_think>", "</longcat_think>"),
    Tags("<seed:think>", "</seed:think>"),
    Tags("[THINK]", "[/THINK]"),
    Tags("<|think:start|>", "<|think:end|>"),
    Tags("<|START_THINKING|>", "<|END_THINKING|>"),
    Tags("◁think▷", "◁/think▷"),
)


def detect(template: str | None, vocabulary: Mapping[str, int]) -> Format:
    """The format for a model with this chat template and vocabulary; one that only passes text
    on where neither tells of calls or reasoning.
    """
    text = template or ""
    calls = next((make() for shows, make in _TEMPLATES if shows(text)), None)
    tags = next((each for each in _TAGS if _has(each, text, vocabulary)), None)
    return Family(calls, tags, vocabulary)


def _has(tags: Tags, template: str, vocabulary: Mapping[str, int]) -> bool:
    if tags.open in vocabulary and tags.shut in vocabulary:
        return True
    return tags.open in template and tags.shut in template


def _says(*texts: str) -> Callable[[str], bool]:
    return lambda template: all(each in template for each in texts)


_TEMPLATES: tuple[tuple[Callable[[str], bool], Callable[[], Calls]], ...] = (
    (_says("<tool_call>"), Hermes),
)
