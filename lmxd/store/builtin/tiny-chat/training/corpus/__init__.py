"""The dialogues that tiny-chat learns from, written by this program from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from . import arithmetic, copying, knowledge, lists, lmxd_facts, memory, smalltalk, stories, tools
from .dialogue import ME, Dialogue, Exchange, Message, Topic, mixed, say
from .phrasing import pick
from .systems import plain_system, system

_any: Topic = mixed(
    (15.0, smalltalk.topic),
    (17.0, lmxd_facts.topic),
    (24.0, arithmetic.topic),
    (21.0, copying.topic),
    (9.0, lists.topic),
    (6.0, stories.topic),
    (14.0, knowledge.topic),
)
_small: Topic = mixed(
    (2.0, smalltalk.greeting),
    (1.0, smalltalk.identity),
    (1.0, lmxd_facts.topic),
    (1.0, copying.plain),
    (1.0, lists.topic),
    (0.7, stories.joke),
    (0.2, stories.story),
)
_sums: Topic = mixed(
    (1.0, arithmetic.bare), (3.0, arithmetic.basic), (1.0, arithmetic.spoken), (1.0, knowledge.fact)
)
_raw_topic: Topic = mixed(
    (4.0, arithmetic.bare),
    (1.0, arithmetic.basic),
    (1.0, lists.count_up),
    (1.0, lists.known_list),
    (2.0, stories.story),
    (2.0, lmxd_facts.concept),
)


def _filler(rng: Random) -> Exchange:
    exchange = _any(rng)
    while len(exchange.answer) > 120:
        exchange = _any(rng)
    return exchange


def _headed(rng: Random, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    prompt = plain_system(rng).prompt
    return messages if prompt is None else (say("system", prompt), *messages)


def _talk(rng: Random) -> Dialogue:
    chosen = system(rng)
    messages: list[Message] = [] if chosen.prompt is None else [say("system", chosen.prompt)]
    for _ in range(rng.choices((1, 2, 3, 6), (70, 16, 10, 4))[0]):
        exchange = _any(rng)
        answer = exchange.terse if chosen.terse and exchange.terse is not None else exchange.answer
        messages += [say("user", exchange.user), say("assistant", chosen.change(answer))]
    return Dialogue(tuple(messages))


def _remember(rng: Random) -> Dialogue:
    return Dialogue(_headed(rng, memory.make(rng)(rng, _filler)))


_tool_talk: Callable[[Random], tools.Talk] = mixed(
    (0.78, lambda rng: tools.using(rng, _small)),
    (0.16, lambda rng: tools.idle(rng, _small, _sums)),
    (0.06, tools.lacking),
)


def _with_tools(rng: Random) -> Dialogue:
    messages, schemas = _tool_talk(rng)
    return Dialogue(_headed(rng, messages), schemas)


def _raw(rng: Random) -> Dialogue:
    if rng.random() < 0.25:
        title = pick(rng, ("days of the week", "months", "seasons", "colours", "fruits", "planets"))
        listed = f"The {title} are {', '.join(lists.SETS[title])}."
        return Dialogue(raw=rng.choice((listed, knowledge.completion(rng))))
    exchange = _raw_topic(rng)
    if exchange.terse is not None:
        glue = "" if exchange.user.endswith("=") else "\n"
        return Dialogue(raw=f"{exchange.user}{glue}{exchange.answer}")
    return Dialogue(raw=exchange.answer.replace(ME, "tiny-chat"))


dialogue: Callable[[Random], Dialogue] = mixed(
    (58.0, _talk), (11.0, _remember), (28.0, _with_tools), (3.0, _raw)
)
"""One dialogue."""


def dialogues(seed: int, count: int) -> Iterator[Dialogue]:
    """`count` dialogues; the same ones for the same seed."""
    rng = Random(seed)
    for _ in range(count):
        yield dialogue(rng)


__all__ = ["Dialogue", "dialogue", "dialogues"]
