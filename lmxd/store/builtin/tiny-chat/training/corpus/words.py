"""Word lists and generators of names, values and sentences that the topics share."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from random import Random

from .dialogue import mixed
from .phrasing import exact, pick
from .texts import sections

_TEXT = sections("words")


def _split(title: str) -> tuple[str, ...]:
    return _TEXT[title]


NAMES, CITIES, LANGUAGES = _split("names"), _split("cities"), _split("languages")
FRUITS, COLOURS, ANIMALS = _split("fruits"), _split("colours"), _split("animals")
NOUNS, ADJECTIVES, COMMON = _split("nouns"), _split("adjectives"), _split("common")
_VERBS, _UNICODE, _VEGETABLES = _split("verbs"), _split("unicode"), _split("vegetables")
_POOLS = (NOUNS, ADJECTIVES, NAMES, FRUITS, ANIMALS, COLOURS, _VEGETABLES, CITIES, COMMON, COMMON)
_ONSETS, _VOWELS = _split("onsets"), _split("vowels")
_CODAS = ("", "", "", "", *_split("codas"))
_ENDINGS, _STARTS = _split("endings"), _split("starts")
_JOINTS = ("\u200d", "\ufe0f", "\ufe0f\u200d")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FREQUENT = "eeeeeetttttaaaaooooiiiinnnnsssshhhrrrddllluuccmmwwffggyyppbbvvkkjxqz"
_BLOCKS = (
    (0xC0, 0x17F),
    (0x391, 0x3C9),
    (0x410, 0x44F),
    (0x3041, 0x30FA),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0x1F300, 0x1F64F),
    (0x1F680, 0x1FAFF),
    (0x2190, 0x27BF),
    (0xA1, 0x17FF),
    (0xA1, 0xD7FF),
    (0xE000, 0xFFFD),
    (0x10000, 0x1F2FF),
)


def invented(rng: Random) -> str:
    """A made-up word of syllables."""
    count = 1 + (rng.random() < 0.75) + (rng.random() < 0.25)
    syllables = (pick(rng, _ONSETS) + pick(rng, _VOWELS) + pick(rng, _CODAS) for _ in range(count))
    return "".join(syllables)


def _grown(rng: Random) -> str:
    stem = pick(rng, NOUNS + ADJECTIVES + COMMON) if rng.random() < 0.4 else invented(rng)
    if rng.random() < 0.4:
        stem = pick(rng, _STARTS) + stem
    return stem + pick(rng, _ENDINGS) if rng.random() < 0.75 else stem


def _scrambled(rng: Random) -> str:
    return "".join(rng.choice(_FREQUENT) for _ in range(rng.randint(2, 9)))


def scripted(rng: Random) -> str:
    """A few characters of a random script, emoji among them, a joined emoji now and then."""
    low, high = _BLOCKS[rng.randrange(len(_BLOCKS))]
    start = rng.randint(low, high)
    window = [c for c in map(chr, range(start, min(start + 60, high + 1))) if _visible(c)]
    letters = [rng.choice(window) for _ in range(rng.randint(1, 6))] if window else ["é"]
    joint = rng.choice(_JOINTS) if rng.random() < 0.1 else ""
    return joint.join(letters[:3] if joint else letters)


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMNPS"


def code(rng: Random) -> str:
    """An identifier of letters and digits such as `AB-1042` or `x7k2`."""
    kind = rng.randrange(5)
    letters = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, 4)))
    number = str(rng.randrange(10 ** rng.randint(1, 5)))
    forms = (
        f"{letters.upper()}-{number}",
        letters + number,
        f"#{number}",
        f"{letters}-{invented(rng)}",
        "".join(rng.choice(_LETTERS + "0123456789") for _ in range(rng.randint(3, 8))),
    )
    return forms[kind]


def _cased(rng: Random, text: str) -> str:
    chance = rng.random()
    return text if chance < 0.65 else text.capitalize() if chance < 0.92 else text.upper()


word: Callable[[Random], str] = mixed(
    (0.20, lambda r: _cased(r, invented(r))),
    (0.12, lambda r: _cased(r, _grown(r))),
    (0.07, lambda r: _cased(r, _scrambled(r))),
    (0.08, code),
    (0.05, lambda r: pick(r, _UNICODE)),
    (0.04, scripted),
    (0.03, lambda r: pick(r, NOUNS).upper()),
    (0.41, lambda r: pick(r, _POOLS[r.randrange(len(_POOLS))])),
)


def strange(rng: Random) -> str:
    """A word in another script or with marks."""
    return scripted(rng) if rng.random() < 0.5 else pick(rng, _UNICODE)


def phrase_of(rng: Random, low: int = 2, high: int = 6) -> str:
    """A few random words."""
    return " ".join(word(rng) for _ in range(rng.randint(low, high)))


def plain_phrase(rng: Random, low: int = 1, high: int = 5) -> str:
    """A few ordinary English words, with a strange one now and then."""
    pool = COMMON + NOUNS + ADJECTIVES
    words = (
        pick(rng, pool) if rng.random() < 0.8 else word(rng) for _ in range(rng.randint(low, high))
    )
    return " ".join(words)


def sentence(rng: Random) -> str:
    """A short grammatical sentence, without the full stop."""
    if rng.random() < 0.15:
        return plain_phrase(rng, 3, 8).capitalize()
    form = pick(rng, _TEXT["sentences"])
    return exact(
        form,
        noun=pick(rng, NOUNS),
        other=pick(rng, NOUNS),
        adjective=pick(rng, ADJECTIVES),
        animal=pick(rng, ANIMALS),
        verb=pick(rng, _VERBS),
        name=pick(rng, NAMES),
        city=pick(rng, CITIES),
        number=rng.randint(2, 300),
        word=invented(rng),
        Word=_cased(rng, _grown(rng)).capitalize(),
        code=code(rng),
        ride=pick(rng, ("train", "boat", "car", "bus", "bicycle")),
    )


def number(rng: Random) -> int:
    """A number of one to four digits, small ones more often."""
    return rng.randrange(10 ** rng.choice((1, 1, 2, 2, 2, 3, 4)))


def date(rng: Random) -> str:
    """A date in ISO form or as a day's name."""
    if rng.random() < 0.5:
        return f"{rng.randint(1990, 2040)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return pick(
        rng, ("today", "tomorrow", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Sunday")
    )


def path(rng: Random) -> str:
    """A file path."""
    stem = rng.choice(
        (pick(rng, NOUNS), invented(rng), "notes", "main", "README", "config", "index")
    )
    home = f"/home/{pick(rng, NAMES).lower()}/"
    folder = rng.choice(("", "", "/data/", "src/", "docs/", f"{invented(rng)}/", home, "./"))
    return folder + stem + rng.choice((".txt", ".py", ".md", ".json", ".yaml", ".csv", ""))


def email(rng: Random) -> str:
    """A mail address under a reserved domain."""
    who = pick(rng, NAMES).lower() if rng.random() < 0.6 else invented(rng)
    return f"{who}@{rng.choice(('example.com', 'example.org', f'{invented(rng)}.example'))}"


def url(rng: Random) -> str:
    """A web address under a reserved domain."""
    host = rng.choice(("example.com", "example.org", f"{invented(rng)}.example"))
    return f"https://{host}/{pick(rng, NOUNS)}"


def expression(rng: Random) -> str:
    """Two numbers with a sign between them."""
    return f"{number(rng)}{rng.choice((' + ', ' - ', ' * ', '*', '+', '-', ' / '))}{number(rng)}"


def command(rng: Random) -> str:
    """A shell command."""
    return rng.choice(
        (
            "ls",
            "pwd",
            "date",
            "whoami",
            "make test",
            f"ls {path(rng)}",
            f"echo {word(rng)}",
            f"git {pick(rng, ('status', 'log', 'diff'))}",
            f"{invented(rng)} --{invented(rng)}",
        )
    )


def _zone(rng: Random) -> str:
    zones = (
        "UTC",
        "Europe/Paris",
        "Asia/Tokyo",
        "America/New_York",
        "Australia/Brisbane",
        "CET",
        "EST",
    )
    return pick(rng, zones) if rng.random() < 0.5 else pick(rng, CITIES)


_ROOMS = ("kitchen", "bedroom", "bathroom", "hall", "garage", "living room", "office", "garden")

VALUES: dict[str, Callable[[Random], str | int | float]] = {
    "city": lambda r: pick(r, CITIES) if r.random() < 0.6 else _cased(r, invented(r)).capitalize(),
    "name": lambda r: pick(r, NAMES) if r.random() < 0.7 else invented(r).capitalize(),
    "word": word,
    "phrase": lambda r: phrase_of(r, 1, 4),
    "topic": lambda r: plain_phrase(r) if r.random() < 0.7 else phrase_of(r, 1, 3),
    "sentence": sentence,
    "number": number,
    "small": lambda r: r.randint(1, 60),
    "decimal": lambda r: round(r.random() * 100, 1),
    "code": code,
    "date": date,
    "path": path,
    "email": email,
    "url": url,
    "language": lambda r: pick(r, LANGUAGES),
    "symbol": lambda r: "".join(r.choice(_LETTERS.upper()) for _ in range(r.randint(2, 4))),
    "room": lambda r: pick(r, _ROOMS) if r.random() < 0.8 else invented(r),
    "zone": _zone,
    "onoff": lambda r: r.choice(("on", "off")),
    "expression": expression,
    "command": command,
}
