"""Windows of time and what holds in them: the shape of `schedules`.

Checks only what one window can say about itself; when windows open and close, and whether two of
them contradict each other, is decided by the reconciler's timetable.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from schemas.alias import Alias, AliasName
from schemas.base import Invalid, Items, Strict, option
from schemas.model import Key, Priority, Sampling, State, Text
from schemas.quantities import Duration, LongDuration, Prewarm, Tokens, parse_time

__all__ = ["DAYS", "ModelOverlay", "Overlay", "Schedule", "Timezone", "When"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"


def _days(text: str) -> str:
    if not re.fullmatch(rf"({_DAY})(-({_DAY}))?", text):
        raise Invalid(f'"{text}" is not a day', 'write "mon", or a span like "mon-fri"')
    return text


def _moment(text: str, *, end: bool) -> str:
    day, space, clock = text.rpartition(" ")
    if space and day not in DAYS:
        raise Invalid(f'"{day}" is not a day', f"write one of {', '.join(DAYS)}")
    parse_time(clock, end=end)
    return text


def _begin(text: str) -> str:
    return _moment(text, end=False)


def _end(text: str) -> str:
    return _moment(text, end=True)


def _zone(name: str) -> str:
    if name == "localtime" or name.startswith(("/", ".")):
        raise Invalid(f'"{name}" is not the name of a time zone', 'write it like "Europe/Paris"')
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f'"{name[:60]}" is not a time zone this machine knows',
            'write an IANA name like "Europe/Paris"; a slim image may lack the tzdata package',
        ) from None
    return name


def _date(text: str) -> str:
    try:
        if len(text) == 10:
            datetime.date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise Invalid(f'"{text[:60]}" is not a date', 'write it like "2026-12-25"')


Timezone = Annotated[
    str,
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "examples": ["Europe/Paris"], "minLength": 1}),
]
_Days = Annotated[
    str,
    AfterValidator(_days),
    WithJsonSchema({"type": "string", "pattern": f"^({_DAY})(-({_DAY}))?$"}),
]
_Begin = Annotated[
    str,
    AfterValidator(_begin),
    WithJsonSchema({"type": "string", "pattern": f"^(({_DAY}) )?{_CLOCK}$"}),
]
_End = Annotated[
    str,
    AfterValidator(_end),
    WithJsonSchema({"type": "string", "pattern": f"^(({_DAY}) )?({_CLOCK}|24:00(:00)?)$"}),
]
_Date = Annotated[
    str,
    AfterValidator(_date),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]


class When(Strict):
    """One rule: hours on certain days, or a span over several days with a day in both ends."""

    days: Items[_Days] = option(
        (), "Days on which it starts; mon-fri is a span. Default: every day."
    )
    from_: _Begin = Field(alias="from", description='Start: "22:00", or "fri 22:00".')
    to: _End = Field(description='End, not included: "06:00", "24:00", or "mon 06:00".')

    @model_validator(mode="after")
    def _agrees(self) -> When:
        weekly = (" " in self.from_, " " in self.to)
        if weekly[0] != weekly[1]:
            days = 'write days: [fri], from: "22:00" and to: "06:00", or a day at both ends'
            raise Invalid("from and to have to name a day both, or neither of them", days)
        if all(weekly) and self.days:
            raise Invalid("days has no meaning beside a from that names its day", "remove days")
        if _normal(self.from_) == _normal(self.to):
            whole = 'write from: "00:00" and to: "24:00" for whole days'
            raise Invalid(f'from and to are equal ("{self.to}")', whole)
        return self


def _normal(moment: str) -> str:
    return moment if moment.count(":") == 2 else f"{moment}:00"


class ModelOverlay(Strict):
    """What a window may change of a model; what it leaves out stays as the document says."""

    state: State | None = option(None, "As in models.")
    priority: Priority | None = option(None, "As in models.")
    pinned: bool | None = option(None, "As in models.")
    keep_alive: LongDuration | None = option(None, "As in models.")
    parallel: int | None = option(None, "As in models.", ge=1, le=1024)
    context: Tokens | None = option(None, "As in models.")
    sampling: Sampling | None = option(None, "As in models; merged field by field.")
    system: Text | None = option(None, "As in models.")


class Overlay(Strict):
    """What holds while a window is open."""

    models: dict[Key, ModelOverlay] = option({}, "Existing models, and what changes of them.")
    aliases: dict[AliasName, Alias] = option({}, "Aliases that lead elsewhere meanwhile.")


class Schedule(Strict):
    """A named window of time, laid over the document while it is open."""

    when: Annotated[tuple[When, ...], Field(strict=False, min_length=1)] = Field(
        description="Rules; the window is open when any of them says so."
    )
    except_: Items[_Date] = option((), "Dates of starts on which it does not open.", alias="except")
    timezone: Timezone | None = option(None, "IANA name. Default: the document's.")
    priority: Priority = option(10, "Between windows that contradict, the higher one wins.")
    prefetch: Duration = option("24h", "Files are on disk this long before it opens.")
    prewarm: Prewarm = option("auto", "Load ahead, in spare memory only: auto, none or a duration.")
    close: Literal["drain", "hard", "lazy"] = option(
        "drain",
        "At the end: drain lets running requests end, hard ends them, "
        "lazy keeps the model until memory is needed.",
    )
    set: Overlay = Field(description="What changes while it is open.")
