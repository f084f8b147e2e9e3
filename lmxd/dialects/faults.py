"""What is wrong with a body, said in one sentence that starts with the field. Pure."""

from __future__ import annotations

import re

from pydantic import ValidationError

from schemas.errors import Code, RequestError
from schemas.wire.forms import FORMS

__all__ = ["fits", "invalid"]

_SHOULD = re.compile(r"^(?:Value error, )?(?:\w+ should )?")


def fits(value: object, depth: int) -> bool:
    """Whether a JSON value fits into a frame to a worker: so deep, no integer beyond 64 bits."""
    if isinstance(value, dict):
        return depth > 0 and all(fits(item, depth - 1) for item in value.values())
    if isinstance(value, list):
        return depth > 0 and all(fits(item, depth - 1) for item in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def invalid(error: ValidationError) -> RequestError:
    """The first thing wrong, in a sentence that starts with the field."""
    first = error.errors(include_url=False, include_context=False)[0]
    param = _param(first["loc"])
    kind = first["type"]
    if kind == "missing":
        problem = "is required"
    elif kind in {"too_short", "string_too_short"}:
        problem = "must not be empty"
    elif kind in {"model_type", "dict_type"}:
        problem = f"must be an object, got {_shown(first['input'])}"
    else:
        rule = _SHOULD.sub("", first["msg"])
        problem = f"must {rule[:1].lower()}{rule[1:]}, got {_shown(first['input'])}"
    return RequestError(Code.INVALID_REQUEST, f"{param} {problem}", param=param)


def _param(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step not in FORMS and step != "[key]":  # how pydantic says that a name is wrong
            path += f".{step}" if path else step
    return path[:200]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 64 else f"{text[:61]}..."
