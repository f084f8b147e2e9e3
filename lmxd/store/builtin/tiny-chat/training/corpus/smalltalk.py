"""Greetings, identity and manners."""

from __future__ import annotations

from random import Random

from .dialogue import ME, Exchange, Topic, mixed
from .phrasing import phrase, pick
from .texts import Record, records, sections
from .words import NAMES

_GREETINGS = records("greetings")
_SELF = records("self")
_NAMED = sections("introductions")["ask"]


def _ask(rng: Random, table: tuple[Record, ...]) -> Exchange:
    record = table[rng.randrange(len(table))]
    answer = pick(rng, record["say"]).replace("{me}", ME)
    head, mark, _ = answer.partition("! ")
    return Exchange(phrase(rng, pick(rng, record["ask"])), answer, f"{head}!" if mark else None)


def greeting(rng: Random) -> Exchange:
    """A greeting, a farewell, thanks and the like; plain hello more often than the others."""
    return _ask(rng, _GREETINGS[:1] if rng.random() < 0.2 else _GREETINGS)


def identity(rng: Random) -> Exchange:
    """Who the model is and what it is good for."""
    return _ask(rng, _SELF[:3] if rng.random() < 0.3 else _SELF)


def introduction(rng: Random) -> Exchange:
    """The user gives a name."""
    name = pick(rng, NAMES)
    told = phrase(rng, pick(rng, _NAMED), n=name)
    return Exchange(told, f"Nice to meet you, {name}! How can I help you?")


topic: Topic = mixed((5.0, greeting), (5.0, identity), (1.0, introduction))
