"""Random surface variants of a prompt: politeness, case, punctuation, slips of the finger."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from .texts import sections

_SLOT = re.compile(r"\{(\w+)\}")
_TEXT = sections("phrasing")
_OPENERS, _CLOSERS = _TEXT["openers"], _TEXT["closers"]
_PLAIN_MOOD = 0.99


def pick(rng: Random, items: tuple[str, ...] | list[str]) -> str:
    """One of the items."""
    return items[int(rng.random() * len(items))]


def phrase(rng: Random, template: str, *, loose: bool = False, **slots: Any) -> str:
    """Fill `{slots}` and vary the words around them; the values too where `loose`."""
    parts = _SLOT.split(_dress(rng, template))
    mood = rng.random()
    for i in range(0, len(parts), 2):
        parts[i] = _mood(parts[i], mood)
        if rng.random() < 0.04:
            parts[i] = _slip(rng, parts[i])
    for i in range(1, len(parts), 2):
        value = str(slots[parts[i]])
        parts[i] = _mood(value, mood) if loose else value
    lead = rng.choice((" ", "\n", "  ")) if rng.random() < 0.02 else ""
    return lead + "".join(parts)


def exact(template: str, **slots: object) -> str:
    """Fill `{slots}` and change nothing else."""
    parts = _SLOT.split(template)
    parts[1::2] = [str(slots[name]) for name in parts[1::2]]
    return "".join(parts)


def _dress(rng: Random, template: str) -> str:
    text = template
    if rng.random() < 0.12:
        text = f"{pick(rng, _OPENERS)} {_lower_first(text)}"
        if rng.random() < 0.6:
            text = text[:1].upper() + text[1:]
    if text.endswith("}"):
        return text
    if rng.random() < 0.06:
        body, mark = (text[:-1], text[-1]) if text[-1] in "?.!" else (text, "")
        closer = pick(rng, _CLOSERS)
        text = body + ("" if closer.startswith(",") else " ") + closer + mark
    return _punctuate(rng, text)


def _punctuate(rng: Random, text: str) -> str:
    chance = rng.random()
    if chance < 0.16:
        return text.rstrip("?.!") or text
    if chance < 0.20 and text[-1] in "?.!":
        return text + text[-1]
    if 0.20 <= chance < 0.22:
        return text + rng.choice((" ", "\n", " ?", "..."))
    return text


def _mood(part: str, mood: float) -> str:
    if mood < 0.20:
        return part.lower()
    if mood < 0.235:
        return part.upper()
    if mood < 0.26:
        return part.title()
    return part


def _slip(rng: Random, part: str) -> str:
    if len(part) < 8:
        return part
    i = rng.randrange(1, len(part) - 2)
    if not (part[i].isalpha() and part[i + 1].isalpha()):
        return part
    kind = rng.randrange(3)
    if kind == 0:
        return part[:i] + part[i + 1 :]
    if kind == 1:
        return part[:i] + part[i + 1] + part[i] + part[i + 2 :]
    return part[:i] + part[i] + part[i:]


def _lower_first(text: str) -> str:
    return text if text.startswith(("I ", "I'", "{")) else text[:1].lower() + text[1:]
