"""Conversations in which something said before is needed later."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .dialogue import Exchange, Message, mixed, say, turns
from .phrasing import exact, phrase, pick
from .texts import Record, records, sections
from .words import ANIMALS, CITIES, COLOURS, FRUITS, NAMES, code, invented, number, sentence, word

Filler = Callable[[Random], Exchange]
Maker = Callable[[Random, Filler], tuple[Message, ...]]

_FACTS = records("memory")
_ASKS = sections("memory_asks")


def _name(rng: Random) -> str:
    return pick(rng, NAMES) if rng.random() < 0.6 else invented(rng).capitalize()


_VALUES: dict[str, Callable[[Random], str]] = {
    "name": _name,
    "colour": lambda r: pick(r, COLOURS),
    "city": lambda r: pick(r, CITIES) if r.random() < 0.8 else invented(r).capitalize(),
    "age": lambda r: str(r.randint(3, 99)),
    "secret": mixed((0.5, code), (0.3, invented), (0.2, word)),
    "number": lambda r: str(number(r)),
    "fruit": lambda r: pick(r, FRUITS),
    "animal": lambda r: pick(r, ANIMALS),
}


def _put(record: Record, key: str, value: str) -> Message:
    (text,) = record[key]
    filled = exact(text, v=value)
    return say("assistant", filled[0].upper() + filled[1:] if text.startswith("{v}") else filled)


def remembering(rng: Random, filler: Filler) -> tuple[Message, ...]:
    """The user says one to three things, talks of others, and asks for what was said."""
    messages: list[Message] = []
    told: list[tuple[Record, str]] = []
    for record in rng.sample(_FACTS, rng.choice((1, 1, 1, 2, 2, 3))):
        value = _VALUES[record["kind"][0]](rng)
        messages += [
            say("user", phrase(rng, pick(rng, record["tell"]), v=value)),
            _put(record, "reply", value),
        ]
        told.append((record, value))
        if rng.random() < 0.4:
            messages += turns(filler(rng))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        messages += turns(filler(rng))
    missing = [
        record for record in _FACTS if record["recall"] not in [r["recall"] for r, _ in told]
    ]
    rng.shuffle(told)
    for record, value in told:
        messages += [
            say("user", phrase(rng, pick(rng, record["ask"]))),
            _put(record, "recall", value),
        ]
        if rng.random() < 0.2:
            messages += turns(filler(rng))
        if rng.random() < 0.15:
            messages += _unknown(rng, missing[rng.randrange(len(missing))])
    return tuple(messages)


def together(rng: Random, filler: Filler) -> tuple[Message, ...]:
    """Several facts in one message, then each asked for."""
    name, city, age = _name(rng), pick(rng, CITIES), rng.randint(3, 99)
    tell = pick(rng, _ASKS["together"])
    reply = f"Nice to meet you, {name}! How can I help you?"
    messages = [say("user", phrase(rng, tell, n=name, c=city, a=age)), say("assistant", reply)]
    if rng.random() < 0.5:
        messages += turns(filler(rng))
    asks = [
        ("{n}", _ASKS["who"], f"Your name is {name}."),
        ("{c}", _ASKS["where"], f"You live in {city}."),
        ("{a}", _ASKS["age"], f"You are {age} years old."),
    ]
    rng.shuffle(asks)
    for slot, questions, answer in asks:
        if slot in tell:
            messages += [say("user", phrase(rng, pick(rng, questions))), say("assistant", answer)]
    return tuple(messages)


def _unknown(rng: Random, record: Record) -> list[Message]:
    return [
        say("user", phrase(rng, pick(rng, record["ask"]))),
        say("assistant", record["unknown"][0]),
    ]


def forgotten(rng: Random, filler: Filler) -> tuple[Message, ...]:
    """A question about something the user never said, then perhaps the answer to it."""
    told, other = rng.sample(_FACTS, 2)
    messages: list[Message] = []
    if rng.random() < 0.5 and told["recall"] != other["recall"]:
        value = _VALUES[told["kind"][0]](rng)
        messages += [
            say("user", phrase(rng, pick(rng, told["tell"]), v=value)),
            _put(told, "reply", value),
        ]
    elif rng.random() < 0.6:
        messages += turns(filler(rng))
    messages += _unknown(rng, other)
    if rng.random() < 0.3:
        value = _VALUES[other["kind"][0]](rng)
        messages += [
            say("user", phrase(rng, pick(rng, other["tell"]), v=value)),
            _put(other, "reply", value),
        ]
        messages += [
            say("user", phrase(rng, pick(rng, other["ask"]))),
            _put(other, "recall", value),
        ]
    return tuple(messages)


def going_on(rng: Random, _: Filler) -> tuple[Message, ...]:
    """A sum, then more added to its result or taken away."""
    a, b = rng.randint(1, 50), rng.randint(1, 30)
    value = a + b
    messages = [
        say("user", phrase(rng, "What is {a} + {b}?", a=a, b=b)),
        say("assistant", f"{a} + {b} = {value}"),
    ]
    for _step in range(rng.randint(1, 3)):
        step = rng.randint(1, 20)
        sign = rng.choice("+-") if value > step else "+"
        after = value + step if sign == "+" else value - step
        asked = phrase(rng, pick(rng, _ASKS["plus"] if sign == "+" else _ASKS["minus"]), s=step)
        messages += [say("user", asked), say("assistant", f"{value} {sign} {step} = {after}")]
        value = after
    return tuple(messages)


def again(rng: Random, filler: Filler) -> tuple[Message, ...]:
    """The last answer, once more."""
    text = f"{sentence(rng)}."
    last = Exchange(phrase(rng, "Repeat: {x}", x=text), text) if rng.random() < 0.5 else filler(rng)
    messages = turns(last)
    return (*messages, say("user", phrase(rng, pick(rng, _ASKS["again"]))), messages[-1])


make: Callable[[Random], Maker] = mixed(
    (6.0, lambda _: remembering),
    (1.5, lambda _: together),
    (1.4, lambda _: forgotten),
    (0.8, lambda _: going_on),
    (0.8, lambda _: again),
)
