"""A handful of facts of the world, and an honest answer to everything else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .dialogue import Exchange, Topic, mixed
from .phrasing import exact, phrase, pick
from .texts import pairs, records, sections
from .words import ANIMALS, CITIES, NAMES, NOUNS, invented, plain_phrase, sentence

_TEXT = sections("knowledge")
_CAPITALS, _OPPOSITES, _SOUNDS = (pairs(_TEXT[k]) for k in ("capitals", "opposites", "sounds"))
_HUES, _PROGRAMS = pairs(_TEXT["hues"]), pairs(_TEXT["hello_world"])
_AMOUNTS = tuple(line.split(": ") for line in _TEXT["amounts"])
_NO_EYES = records("no_eyes")
_ADMIT = (
    *["I am only a small model, so I do not know that."] * 3,
    "I am only a small model embedded in lmxd, so I do not know that. A bigger model can help.",
    "Sorry, I do not know that. I am only a small model.",
)
_REFUSE = (
    *["I am only a small model, so I cannot do that."] * 2,
    "I am only a small model, so I cannot do that. A bigger model can help.",
)


def _upper_first(text: str) -> str:
    return text[0].upper() + text[1:]


def _capital(rng: Random) -> Exchange:
    country = rng.choice(tuple(_CAPITALS))
    city = _CAPITALS[country]
    if rng.random() < 0.75:
        asked = phrase(rng, pick(rng, _TEXT["ask_capital"]), loose=True, x=country)
        return Exchange(asked, f"The capital of {country} is {city}.", f"{city}.")
    return Exchange(
        phrase(rng, pick(rng, _TEXT["ask_country"]), loose=True, x=city),
        f"{city} is in {country}.",
        f"{country}.",
    )


def _opposite(rng: Random) -> Exchange:
    a, b = rng.choice(tuple(_OPPOSITES.items()))
    if rng.random() < 0.5:
        a, b = b, a
    return Exchange(
        phrase(rng, pick(rng, _TEXT["ask_opposite"]), loose=True, x=a),
        f"The opposite of {a} is {b}.",
        f"{b}.",
    )


def _sound(rng: Random) -> Exchange:
    animal, sound = rng.choice(tuple(_SOUNDS.items()))
    shown = f"an {animal}" if animal == "owl" else f"a {animal}"
    asked = phrase(rng, pick(rng, _TEXT["ask_sound"]), loose=True, x=shown)
    return Exchange(asked, f"{_upper_first(shown)} says {sound}.", f"{sound}.")


def _hue(rng: Random) -> Exchange:
    thing, hue = rng.choice(tuple(_HUES.items()))
    return Exchange(
        phrase(rng, pick(rng, _TEXT["ask_hue"]), loose=True, x=thing),
        f"{_upper_first(thing)} is {hue}.",
        f"{hue}.",
    )


def _amount(rng: Random) -> Exchange:
    unit, whole, count = rng.choice(_AMOUNTS)
    asked = phrase(rng, pick(rng, _TEXT["ask_amount"]), loose=True, u=unit, w=whole)
    return Exchange(asked, f"{_upper_first(whole)} has {count} {unit}.", count)


def _program(rng: Random) -> Exchange:
    language = rng.choice(tuple(_PROGRAMS))
    return Exchange(
        phrase(rng, pick(rng, _TEXT["ask_program"]), loose=True, x=language), _PROGRAMS[language]
    )


fact: Topic = mixed(
    (2.0, _capital), (1.0, _opposite), (1.0, _sound), (1.0, _hue), (2.0, _amount), (1.0, _program)
)


def _proper(rng: Random) -> str:
    return " ".join(invented(rng).capitalize() for _ in range(rng.choice((1, 1, 2))))


_SLOTS: dict[str, Callable[[Random], object]] = {
    "e": lambda r: pick(r, _TEXT["events"]),
    "y": lambda r: r.randint(1200, 2040),
    "w": lambda r: invented(r).capitalize(),
    "n": lambda r: pick(r, NAMES),
    "f": lambda r: pick(r, _TEXT["fields"]),
    "c": lambda r: pick(r, CITIES),
    "d": lambda r: pick(r, CITIES),
    "o": lambda r: pick(r, NOUNS),
    "v": invented,
    "u": invented,
    "k": lambda r: pick(r, ANIMALS),
    "s": sentence,
    "l": lambda r: ". ".join(sentence(r) for _ in range(r.choice((2, 4, 8, 14)))),
    "a": lambda r: r.choice(("so big", "blue", "so old", "empty")),
    "g": lambda r: pick(r, _TEXT["verbs"]),
    "t": plain_phrase,
    "T": lambda r: plain_phrase(r).capitalize(),
    "W": _proper,
    "V": _proper,
}


def _filled(rng: Random, template: str) -> str:
    slots: dict[str, Any] = {
        key: make(rng) for key, make in _SLOTS.items() if f"{{{key}}}" in template
    }
    return phrase(rng, template, **slots)


def unknown(rng: Random) -> Exchange:
    """A question that is beyond a model of this size."""
    title = "questions" if rng.random() < 0.6 else "more"
    return Exchange(_filled(rng, pick(rng, _TEXT[title])), pick(rng, _ADMIT))


def task(rng: Random) -> Exchange:
    """A task that is beyond a model of this size."""
    return Exchange(_filled(rng, pick(rng, _TEXT["tasks"])), pick(rng, _REFUSE))


def no_eyes(rng: Random) -> Exchange:
    """Weather, time and news, which need a tool."""
    record = _NO_EYES[rng.randrange(len(_NO_EYES))]
    return Exchange(phrase(rng, pick(rng, record["ask"]), c=pick(rng, CITIES)), record["say"][0])


def completion(rng: Random) -> str:
    """A true sentence for plain completion."""
    country, city = rng.choice(tuple(_CAPITALS.items()))
    return exact("The capital of {c} is {t}.", c=country, t=city)


topic: Topic = mixed((3.0, fact), (3.6, unknown), (2.4, task), (1.0, no_eyes))
