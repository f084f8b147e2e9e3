"""Numbers with units, as people write them in the document, and back to text for messages.

Each `parse_*` turns one scalar of the document into a plain number (bytes, seconds, tokens, a
share) or raises `Invalid` with the fix spelled out; a bare number where a unit is needed is
always an error. The annotated types below carry the same grammar into the JSON Schema.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from schemas.base import Invalid

__all__ = [
    "AutoDuration",
    "Bandwidth",
    "DayWindow",
    "Duration",
    "LongDuration",
    "Memory",
    "Prewarm",
    "Share",
    "Size",
    "Tokens",
    "format_bytes",
    "format_duration",
    "parse_bandwidth",
    "parse_day_window",
    "parse_duration",
    "parse_memory",
    "parse_percent",
    "parse_size",
    "parse_time",
    "parse_tokens",
]

SIZE_UNITS: dict[str, int] = {
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)},
}
DURATION_UNITS: dict[str, Fraction] = {
    "d": Fraction(86400),
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
}
TOKEN_UNITS: dict[str, int] = {"": 1, "k": 1024, "M": 1024**2}

# Nine digits before the point bound every quantity far below what a float or an i64 can hold.
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_SIZE = rf"({_NUMBER}) ?(B|[KMGT]i?B)"
_PART = rf"(?:{_NUMBER})(?:ms|[dhms])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_UNTIL = rf"(?:{_TIME}|24:00(?::00)?)"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of something, in (0, 1]; told apart from a size by its type."""

    value: float

    def __str__(self) -> str:
        return f"{self.value * 100:g}%"


def parse_size(value: object) -> int:
    """ "400GiB", "1.5TiB", "10GB" -> bytes (KiB = 1024, kB-style decimal units = 1000)."""
    match = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    if match is None:
        raise Invalid(*_wrong(value, "a size", "GiB", "write a number and B, KiB, MiB, GiB or TiB"))
    return int(Fraction(match[1]) * SIZE_UNITS[match[2]])


def parse_bandwidth(value: object) -> int:
    """ "50MiB/s" -> bytes a second; zero is an error."""
    text = value.removesuffix("/s") if isinstance(value, str) else value
    match = re.fullmatch(_SIZE, text) if isinstance(text, str) and text != value else None
    if match is None:
        raise Invalid(*_wrong(value, "a rate", "MiB/s", 'write a size a second, like "50MiB/s"'))
    rate = int(Fraction(match[1]) * SIZE_UNITS[match[2]])
    if rate == 0:
        raise Invalid("a rate of zero would never end", "remove the key for no limit")
    return rate


def parse_percent(value: object) -> Share:
    """ "90%" -> Share(0.9); above 0 and at most 100."""
    match = re.fullmatch(rf"({_NUMBER}) ?%", value) if isinstance(value, str) else None
    if match is None:
        raise Invalid(*_wrong(value, "a percentage", "%", 'write a number and %, like "90%"'))
    share = Fraction(match[1]) / 100
    if not 0 < share <= 1:
        raise Invalid(f"{value} is out of range", 'write more than "0%" and at most "100%"')
    return Share(float(share))


def parse_memory(value: object) -> Share | int:
    """A percentage as `Share`, or a size in bytes."""
    if isinstance(value, str) and value.endswith("%"):
        return parse_percent(value)
    match = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    if match is None:
        fix = 'write a percentage like "90%" or a size like "400GiB"'
        raise Invalid(_found(value, "a percentage or a size"), fix)
    size = parse_size(value)
    if size == 0:
        raise Invalid("a budget of zero bytes admits no model", 'write a size like "8GiB"')
    return size


def parse_duration(value: object) -> float:
    """ "5m", "1h30m", "500ms", "0s" -> seconds."""
    if not isinstance(value, str) or not re.fullmatch(rf"(?:{_PART})+", value):
        raise Invalid(*_wrong(value, "a duration", "s", 'write it like "90s", "5m" or "1h30m"'))
    parts = re.findall(rf"({_NUMBER})(ms|[dhms])", value)
    order = [list(DURATION_UNITS).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        raise Invalid(
            f'"{value}" repeats or mixes up units', 'write them from large to small: "1h30m"'
        )
    return float(sum(Fraction(number) * DURATION_UNITS[unit] for number, unit in parts))


def parse_long_duration(value: object) -> float:
    """A duration, or "forever" as infinity."""
    return math.inf if value == "forever" else parse_duration(value)


def parse_auto_duration(value: object) -> float | None:
    """A duration above zero, or "auto" as None."""
    if value == "auto":
        return None
    seconds = parse_duration(value)
    if seconds == 0:
        raise Invalid("a limit of zero never succeeds", 'write "auto" or a duration like "10m"')
    return seconds


def parse_prewarm(value: object) -> float | Literal["auto", "none"]:
    """A duration in seconds, "auto" or "none"."""
    if value == "auto":
        return "auto"
    return "none" if value == "none" else parse_duration(value)


def parse_tokens(value: object) -> int:
    """32768, "32k" or "1M" (k = 1024) -> tokens, at least 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        tokens = value
    else:
        match = re.fullmatch(r"([0-9]{1,9})([kM]?)", value) if isinstance(value, str) else None
        if match is None:
            raise Invalid(_found(value, "a number of tokens"), 'write 32768 or "32k"')
        tokens = int(match[1]) * TOKEN_UNITS[match[2]]
    if not 1 <= tokens <= 2**40:
        raise Invalid(f"{value} tokens is out of range", 'write at least 1, like 4096 or "4k"')
    return tokens


def parse_time(value: object, *, end: bool = False) -> str:
    """ "08:00" or "22:30:15" stays text; "24:00" only where an `end` is meant."""
    pattern = _UNTIL if end else _TIME
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    if value in {"24:00", "24:00:00"}:
        raise Invalid("24:00 can only be an end", 'write "00:00"')
    raise Invalid(_found(value, "a time"), 'write it quoted with two digits each, like "08:00"')


def parse_day_window(value: object) -> tuple[str, str]:
    """ "22:00-06:00" -> ("22:00", "06:00"); equal ends are an error."""
    begin, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise Invalid(_found(value, "a span of hours"), 'write it like "22:00-06:00"')
    span = (parse_time(begin), parse_time(end, end=True))
    if span[0] == span[1]:
        raise Invalid(f'"{value}" begins and ends at once', 'write "00:00-24:00" for the whole day')
    return span


@lru_cache(maxsize=4096)
def format_bytes(count: int) -> str:
    """Bytes for people: "39.6 GiB", "512 B"."""
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(amount) < 1023.95 or unit == "TiB":
            break
        amount /= 1024
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}".replace(".0 ", " ")


def format_duration(seconds: float) -> str:
    """Seconds for people and for the document: "1h30m", "250ms", "0s", "forever"."""
    if math.isinf(seconds):
        return "forever"
    left = round(seconds * 1000)
    text = ""
    for unit, size in DURATION_UNITS.items():
        number, left = divmod(left, int(size * 1000))
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def _wrong(value: object, what: str, unit: str, otherwise: str) -> tuple[str, str]:
    """Message and hint for a scalar that is not a quantity; bare numbers get their unit."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value} has no unit: {what} is needed", f'write "{value}{unit}"'
    if isinstance(value, str) and re.fullmatch(_NUMBER, value):
        return f'"{value}" has no unit: {what} is needed', f'write "{value}{unit}"'
    return _found(value, what), otherwise


def _found(value: object, what: str) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} is not {what}"


def _text(pattern: str, description: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(_schema(pattern, description, *examples))


def _schema(pattern: str, description: str, *examples: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": f"^(?:{pattern})$",
        "description": description,
        "examples": list(examples),
    }


_SIZE_TEXT = r"[0-9]{1,9}(\.[0-9]{1,6})? ?(B|[KMGT]i?B)"
_DURATION_TEXT = r"([0-9]{1,9}(\.[0-9]{1,6})?(ms|[dhms]))+"

Size = Annotated[
    int,
    PlainValidator(parse_size),
    _text(_SIZE_TEXT, "A size: B, KiB, MiB, GiB, TiB (1024) or KB, MB, GB, TB (1000).", "4GiB"),
]
Bandwidth = Annotated[
    int,
    PlainValidator(parse_bandwidth),
    _text(_SIZE_TEXT + "/s", "A size a second.", "50MiB/s"),
]
Memory = Annotated[
    Share | int,
    PlainValidator(parse_memory),
    _text(
        _SIZE_TEXT + r"|[0-9]{1,3}(\.[0-9]{1,6})? ?%", "A percentage or a size.", "90%", "400GiB"
    ),
]
Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    _text(_DURATION_TEXT, "A duration: d, h, m, s, ms, from large to small.", "90s", "1h30m"),
]
LongDuration = Annotated[
    float,
    PlainValidator(parse_long_duration),
    _text(_DURATION_TEXT + "|forever", "A duration, or forever.", "5m", "0s", "forever"),
]
AutoDuration = Annotated[
    float | None,
    PlainValidator(parse_auto_duration),
    _text(_DURATION_TEXT + "|auto", "A duration, or auto.", "auto", "10m"),
]
Prewarm = Annotated[
    float | Literal["auto", "none"],
    PlainValidator(parse_prewarm),
    _text(_DURATION_TEXT + "|auto|none", "A duration, auto or none.", "auto", "10m"),
]
Tokens = Annotated[
    int,
    PlainValidator(parse_tokens),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]{1,9}[kM]?$"},
            ],
            "description": "Tokens: a whole number, or with k (1024) or M (1048576).",
            "examples": ["32k", 32768],
        }
    ),
]
DayWindow = Annotated[
    tuple[str, str],
    PlainValidator(parse_day_window),
    _text(f"{_TIME}-{_UNTIL}".replace("?:", ""), "Hours of the day, begin-end.", "22:00-06:00"),
]
