"""The one reader of answers that are not streamed: a generation to a complete `Answer`.

Called by the handlers of every dialect; the counterpart of `streams`. A client that goes away
cancels the handler, and with it the generation.
"""

from __future__ import annotations

from lmxd.dialects.answer import Answer, Collector
from lmxd.http import errors
from lmxd.http.ports import Generation
from lmxd.http.streams import served_header
from schemas.errors import Code, RequestError
from schemas.inference import Failed

__all__ = ["read"]


async def read(generation: Generation, *, choices: int) -> tuple[Answer, dict[str, str]]:
    """The answer, and the header that says what served it. The generation is closed however this
    ends.

    choices: how many must have finished; 0 for what is no generation.

    Raises RequestError: what refused it, or what the first choice that failed died of.
    """
    try:
        collector = Collector(await generation.accepted())
        async for event in generation:
            if isinstance(event, Failed):
                raise errors.of_failed(event)
            collector.take(event)
        answer = collector.answer()
    finally:
        await generation.aclose()
    ended = len(answer.choices) if answer is not None else 0
    if answer is None or ended < choices:
        message = f"the generation ended after {ended} of {choices} choices"
        raise RequestError(Code.INTERNAL, message)
    return answer, served_header(generation.served)
