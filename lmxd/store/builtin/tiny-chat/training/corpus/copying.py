"""Repeating what the user gives: words, sentences, codes, text in any script, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from .dialogue import Exchange, Topic, mixed
from .phrasing import exact, phrase, pick
from .texts import sections
from .words import (
    CITIES,
    COLOURS,
    NAMES,
    code,
    invented,
    number,
    phrase_of,
    plain_phrase,
    sentence,
    strange,
    word,
)

_TEXT = sections("copying")
_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 10: "ten"}
_STYLES = ("{k} {v}", "{k} is {v}", "{k}: {v}", "{k} = {v}")

_text: Callable[[Random], str] = mixed(
    (0.26, word),
    (0.20, lambda r: sentence(r) + r.choice((".", ".", "", "!", "?"))),
    (0.18, phrase_of),
    (0.06, lambda r: plain_phrase(r, 2, 10)),
    (0.12, lambda r: " ".join(strange(r) for _ in range(r.randint(1, 5)))),
    (0.06, lambda r: f"{sentence(r)}. {sentence(r)}."),
    (0.04, lambda r: " ".join(code(r) for _ in range(r.randint(1, 4)))),
    (0.03, lambda r: " ".join(str(number(r)) for _ in range(r.randint(2, 7)))),
    (0.03, lambda r: " ".join(invented(r) for _ in range(r.randint(4, 14)))),
)


def plain(rng: Random) -> Exchange:
    """Repeat the text after the instruction."""
    text = _text(rng)
    return Exchange(phrase(rng, pick(rng, _TEXT["ask"]), x=text), text)


def quoted(rng: Random) -> Exchange:
    """Repeat what stands in quotes."""
    text = _text(rng).replace('"', "").replace("'", "").replace("`", "") or "yes"
    return Exchange(phrase(rng, pick(rng, _TEXT["quoted"]), x=text), text)


def several(rng: Random) -> Exchange:
    """Repeat one word a number of times."""
    count = rng.choice(tuple(_COUNTS))
    text = word(rng)
    shown = pick(rng, (_COUNTS[count], str(count)))
    return Exchange(
        phrase(rng, pick(rng, _TEXT["times"]), x=text, n=shown), " ".join([text] * count)
    )


def _field(rng: Random) -> tuple[str, str | int]:
    makers: dict[str, Callable[[], str | int]] = {
        "name": lambda: pick(rng, NAMES),
        "age": lambda: rng.randint(1, 99),
        "city": lambda: pick(rng, CITIES),
        "colour": lambda: pick(rng, COLOURS),
        "id": lambda: number(rng),
        "code": lambda: code(rng),
        "title": lambda: word(rng),
        "count": lambda: rng.randint(0, 200),
        "status": lambda: rng.choice(("ok", "open", "done", "ready")),
        invented(rng): lambda: word(rng),
    }
    key = rng.choice(tuple(makers))
    return key, makers[key]()


def as_json(rng: Random) -> Exchange:
    """A JSON object from facts in the message."""
    fields = dict(_field(rng) for _ in range(rng.randint(1, 3)))
    told = [exact(rng.choice(_STYLES), k=key, v=value) for key, value in fields.items()]
    compact = rng.random() < 0.25
    answer = json.dumps(fields, ensure_ascii=False, separators=(",", ":") if compact else None)
    lead = "Use compact JSON. " if compact else ""
    asked = phrase(
        rng, lead + pick(rng, _TEXT["as_json"]), x=rng.choice((", ", " and ")).join(told)
    )
    return Exchange(asked, answer)


def person(rng: Random) -> Exchange:
    """A JSON object from a sentence about somebody."""
    who, age, city = pick(rng, NAMES), rng.randint(1, 99), pick(rng, CITIES)
    told, keys = rng.choice(
        (
            ("{name} is {age} years old", "name age"),
            ("My name is {name} and I am {age}", "name age"),
            ("{name} lives in {city}", "name city"),
            ("{name} from {city} is {age} years old", "name age city"),
            ("{name} is {age} and lives in {city}", "name age city"),
        )
    )
    facts = {"name": who, "age": age, "city": city}
    answer = json.dumps({key: facts[key] for key in keys.split()}, ensure_ascii=False)
    return Exchange(phrase(rng, pick(rng, _TEXT["person"]), x=exact(told, **facts)), answer)


topic: Topic = mixed((8.0, plain), (3.0, quoted), (1.5, several), (1.2, as_json), (0.8, person))
