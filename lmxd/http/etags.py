"""Entity tags: conditions of a change, compared strongly, and of a mere look, weakly. Pure.

A tag is kept without its quotes. A weak one keeps its `W/` and so equals nothing: a weak tag says
that two documents mean about the same, and nobody may overwrite on that ground.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from schemas.errors import Code, RequestError

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*"')


def tags(headers: Iterable[str], name: str) -> tuple[str, ...]:
    """The tags of all headers of that name, `*` among them; () for no such header.

    Raises RequestError (invalid_request) for what is no list of tags. A header without any is a
    condition that somebody lost: without one the call would be carried out whatever has changed.
    """
    found: list[str] = []
    given = list(headers)
    for item in (part.strip() for header in given for part in header.split(",")):
        if item == "*":
            found.append(item)
        elif _TAG.fullmatch(item):
            found.append(item if item.startswith("W/") else item[1:-1])
        elif item:
            raise _no_tag(name, f"{item[:80]} is no entity tag")
    if given and not found:
        raise _no_tag(name, "there is no entity tag in it")
    return tuple(found)


def _no_tag(name: str, what: str) -> RequestError:
    return RequestError(
        Code.INVALID_REQUEST,
        f"{name}: {what}",
        hint=f'copy the ETag of an answer with its quotes, like {name}: "9f2c…"',
        param=name,
    )


def is_known(headers: Iterable[str], tag: str) -> bool:
    """Whether `If-None-Match` of a GET names this tag; what is no tag is no reason to refuse."""
    items = [part.strip() for header in headers for part in header.split(",")]
    return "*" in items or quoted(tag) in [item.removeprefix("W/") for item in items]


def quoted(tag: str) -> str:
    """A tag as the header `ETag` holds it."""
    return f'"{tag}"'
