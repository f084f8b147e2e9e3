"""System prompts: none, ordinary, terse, personas, fixed replies, and long ones of no matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .dialogue import ME, mixed
from .lmxd_facts import CONCEPTS
from .phrasing import exact, pick
from .texts import sections
from .words import NAMES, invented, phrase_of, sentence, word

_TEXT = sections("systems")


def _same(text: str) -> str:
    return text.replace(ME, "tiny-chat")


@dataclass(frozen=True)
class System:
    """A system prompt and what it does to an answer."""

    prompt: str | None
    change: Callable[[str], str] = _same
    terse: bool = False


def _ordinary(rng: Random) -> System:
    first = pick(rng, _TEXT["ordinary"]) if rng.random() < 0.7 else _TEXT["ordinary"][0]
    rest = [pick(rng, _TEXT["ordinary"]) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
    return System(" ".join([first, *rest]))


def _terse(rng: Random) -> System:
    lead = f"{pick(rng, _TEXT['ordinary'])} " if rng.random() < 0.3 else ""
    return System(lead + pick(rng, _TEXT["terse"]), terse=True)


def _long(rng: Random) -> System:
    count = rng.choice((2, 4, 8, 16, 30))
    pieces = [
        f"{sentence(rng)}." if rng.random() < 0.5 else rng.choice(CONCEPTS)["say"][0]
        for _ in range(count)
    ]
    bullet = "- " if rng.random() < 0.3 else ""
    glue = rng.choice((" ", "\n")) + bullet
    return System(pick(rng, _TEXT["ordinary"]) + glue + glue.join(pieces))


def _pirate(rng: Random) -> System:
    return System(pick(rng, _TEXT["pirate"]), lambda text: f"Arr! {_same(text)}")


def _named(rng: Random) -> System:
    name = pick(rng, NAMES) if rng.random() < 0.5 else invented(rng).capitalize()
    return System(exact(pick(rng, _TEXT["named"]), n=name), lambda text: text.replace(ME, name))


def _ordered(rng: Random) -> System:
    text = word(rng) if rng.random() < 0.6 else phrase_of(rng, 1, 4)
    kind = rng.choice(("fixed", "suffix", "prefix"))
    changes: dict[str, Callable[[str], str]] = {
        "fixed": lambda _: text,
        "suffix": lambda answer: f"{_same(answer)} {text}",
        "prefix": lambda answer: f"{text} {_same(answer)}",
    }
    return System(exact(pick(rng, _TEXT[kind]), x=text), changes[kind])


system: Callable[[Random], System] = mixed(
    (0.50, lambda _: System(None)),
    (0.22, _ordinary),
    (0.10, _terse),
    (0.05, _long),
    (0.03, _pirate),
    (0.045, _named),
    (0.055, _ordered),
)
"""A system prompt; half of the dialogues have none."""

plain_system: Callable[[Random], System] = mixed(
    (0.6, lambda _: System(None)), (0.34, _ordinary), (0.06, _long)
)
"""None, an ordinary or a long system prompt."""
