"""Kimi K3: markup of control tokens, in which an argument says its own type.

Reasoning, answer and calls each stand in a block of their own; the marks of the answer's block and
of the message's end say nothing to a reader.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers
from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts
from lmxd.worker.parsing.think import Tags

__all__ = ["KIMI_K3", "KIMI_K3_TAGS", "KIMI_K3_TOKENS"]

KIMI_K3_TOKENS = ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>")
KIMI_K3_TAGS = Tags(
    "<|open|>think<|sep|>", "<|close|>think<|sep|>", anywhere=True, tokens=KIMI_K3_TOKENS
)
_MARKS = (
    "<|open|>response<|sep|>",
    "<|close|>response<|sep|>",
    "<|close|>message<|sep|>",
    "<|end_of_msg|>",
)


@dataclass(frozen=True, slots=True)
class _KimiK3(Tagged):
    """The calls, and the marks that are passed over."""

    def openers(self, tools: Toolbox) -> Openers:
        """The section of calls, and each mark."""
        return {**Tagged.openers(self, tools), **dict.fromkeys(_MARKS, _pass)}


def _pass(reader: Reader, answer: Answer) -> Script[bool]:
    reader.release()
    answer.mark()
    return True
    yield


KIMI_K3 = _KimiK3(
    "kimi_k3",
    section=("<|open|>tools<|sep|>", "<|close|>tools<|sep|>"),
    call=Tag("<|open|>call", "<|sep|>", "<|close|>call<|sep|>", names="tool"),
    argument=Tag("<|open|>argument", "<|sep|>", "<|close|>argument<|sep|>", names="key"),
    texts=Texts("<|close|>argument<|sep|>", trim="none"),
    markers=KIMI_K3_TOKENS,
    hint="type",
    whole=Tag("<|open|>json", "<|sep|>", "<|close|>json<|sep|>"),
    line="",
)
