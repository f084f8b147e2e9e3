"""Names that clients use for models: one target, an ordered list, or a route by task.

Used in `aliases` and in the overlays of schedules. A target is always a key of `models`, never
another alias, so there are no cycles; an alias may have the name of a model and is then found
first.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema

from schemas.base import Invalid, Items, Strict, option
from schemas.model import Key

__all__ = ["Alias", "AliasName", "Route", "alias_targets"]

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:/@-]*\*?|\*"
_LONGEST = 256


def _name(text: str) -> str:
    if len(text) > _LONGEST:
        raise Invalid(
            f'"{text[:60]}..." has {len(text)} characters, an alias has at most {_LONGEST}',
            "shorten it",
        )
    if not re.fullmatch(NAME_PATTERN, text):
        raise Invalid(
            f'"{text[:60]}" is not an alias: letters, digits, . _ : / @ - and one * at the end',
            'write it like "gpt-4o-mini" or "claude-*"',
        )
    return text


AliasName = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": f"^({NAME_PATTERN})$"}),
]


class Route(Strict):
    """Chooses by what a request asks for; the fallbacks stand in for a model that is not live."""

    route: Literal["task"] = Field(description="Choose by task; the only kind there is.")
    light: Key = Field(description="For short and simple requests.")
    heavy: Key = Field(description="For everything else.")
    code: Key | None = option(None, "For code. Default: heavy.")
    reasoning: Key | None = option(None, "For long reasoning. Default: heavy.")
    fallback: Items[Key] = option((), "Tried in order when the choice is not live.")
    delegate: bool = option(
        False, "Give the light model a tool that hands the request on to the heavy one."
    )


def _kind(value: Any) -> str:
    if isinstance(value, (dict, Route)):
        return "<route>"
    return "<list>" if isinstance(value, (list, tuple)) else "<name>"


Targets = Annotated[tuple[Key, ...], Field(strict=False, min_length=1)]
Alias = Annotated[
    Annotated[Key, Tag("<name>")]
    | Annotated[Targets, Tag("<list>")]
    | Annotated[Route, Tag("<route>")],
    Discriminator(_kind),
]


def alias_targets(alias: Alias) -> tuple[str, ...]:
    """All keys an alias can lead to, in the order they are tried."""
    if isinstance(alias, str):
        return (alias,)
    if isinstance(alias, tuple):
        return alias
    named = (alias.light, alias.heavy, alias.code, alias.reasoning, *alias.fallback)
    return tuple(dict.fromkeys(key for key in named if key))
