"""The question a new instance has to answer before it is promoted. Pure.

`reconciler.lane` puts it into a load; the pool asks it as any client would, greedily.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.inference import Message, Request, Sampling, TextPart

PATIENCE_S = 60.0
"""The answer has to be there by then; the memory lane waits for it."""
TOKENS = 64
SHOWN = 120
"""So many characters of question and answer are quoted."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What is asked and what the answer has to contain, with the model's system prompt and template
    as requests get them.
    """

    prompt: str
    expect: str
    system: str | None = None
    template: str | None = None

    def request(self, request_id: str, name: str) -> Request:
        """The question, to be answered greedily and in few tokens."""
        asked = Message("user", (TextPart(self.prompt),))
        system = (Message("system", (TextPart(self.system),)),) if self.system else ()
        return Request(
            request_id,
            name,
            (*system, asked),
            max_tokens=TOKENS,
            sampling=Sampling(temperature=0.0),
            template=self.template,
            deadline_ms=int(PATIENCE_S * 1000),
            identity="canary",
        )

    def fault(self, answer: str) -> str | None:
        """What is wrong with an answer, in words; None when it is right."""
        if self.expect in answer:
            return None
        return f'asked "{_short(self.prompt)}", it has to say "{_short(self.expect)}" and said ' + (
            f'"{_short(answer)}"' if answer else "nothing"
        )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
