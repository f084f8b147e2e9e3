"""What lmxd is and how it works, in the words of its design."""

from __future__ import annotations

from random import Random

from .dialogue import Exchange, Topic, mixed
from .phrasing import phrase, pick
from .texts import pairs, records, sections

CONCEPTS = records("lmxd")
_USAGE = records("lmxd_usage")
_ABOUT = sections("lmxd_about")
_GLOSSES = pairs(_ABOUT["glosses"])


def concept(rng: Random) -> Exchange:
    """One of the words of lmxd."""
    record = CONCEPTS[0] if rng.random() < 0.06 else CONCEPTS[rng.randrange(len(CONCEPTS))]
    (answer,) = record["say"]
    if "ask" in record and rng.random() < 0.4:
        return Exchange(phrase(rng, pick(rng, record["ask"])), answer)
    term = _quoted(rng, pick(rng, record["term"]))
    return Exchange(phrase(rng, pick(rng, _ABOUT["about"]), loose=True, t=term), answer)


def usage(rng: Random) -> Exchange:
    """How something is done with lmxd."""
    record = _USAGE[rng.randrange(len(_USAGE))]
    return Exchange(phrase(rng, pick(rng, record["ask"])), record["say"][0])


def difference(rng: Random) -> Exchange:
    """Two words of lmxd beside each other."""
    keys = tuple(_GLOSSES)
    if rng.random() < 0.4:
        one, other = rng.sample(keys[:4], 2)
    else:
        i = 4 + 2 * rng.randrange((len(keys) - 4) // 2)
        one, other = rng.sample(keys[i : i + 2], 2)
    text = f"{_GLOSSES[one]}, {_GLOSSES[other]}."
    return Exchange(phrase(rng, pick(rng, _ABOUT["differences"]), loose=True, a=one, b=other), text)


def _quoted(rng: Random, term: str) -> str:
    return rng.choice((term, term, term, term, term, term.capitalize(), f"`{term}`", f'"{term}"'))


topic: Topic = mixed((7.0, concept), (4.5, usage), (0.8, difference))
