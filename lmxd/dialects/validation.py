"""Bodies checked against wire shapes, and faults as errors that name the field; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from schemas.errors import Code, RequestError
from schemas.wire.forms import FORMS, Wire

Shape = TypeVar("Shape", bound=Wire)

_DEPTH_MAX = 64
_SHOULD = re.compile(r"^(?:Value error, )?(?:(?:Input|String|Dictionary|List) should )?")


def validated(shape: type[Shape], body: Mapping[str, object]) -> Shape:
    """The body as that shape. Raises RequestError (invalid_request) for the first thing wrong, in
    a sentence that starts with the field.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise _first_fault(error) from error


def invalid(param: str, problem: str, *, hint: str | None = None) -> RequestError:
    """The error for a field: `problem` is what follows its name."""
    return RequestError(Code.INVALID_REQUEST, f"{param} {problem}", hint=hint, param=param)


def framed(value: Mapping[str, object], param: str, depth: int = _DEPTH_MAX) -> dict[str, object]:
    """The object as given, once it is sure to fit into a frame to a worker.

    Raises RequestError (invalid_request).
    """
    found = dict(value)
    if not _fits(found, depth):
        raise invalid(
            param,
            f"is nested deeper than {depth} levels, or holds an integer of more than 64 bits",
        )
    return found


def _fits(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_fits(item, depth - 1) for item in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_fits(item, depth - 1) for item in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def _first_fault(error: ValidationError) -> RequestError:
    first = error.errors(include_url=False, include_context=False)[0]
    param = _param(first["loc"])
    kind = first["type"]
    if kind == "missing":
        problem = "is required"
    elif kind in {"too_short", "string_too_short"}:
        problem = "must not be empty"
    elif kind in {"model_type", "dict_type"}:
        problem = f"must be an object, got {shown(first['input'])}"
    else:
        rule = _SHOULD.sub("", first["msg"])
        problem = f"must {rule[:1].lower()}{rule[1:]}, got {shown(first['input'])}"
    return invalid(param, problem)


def _param(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step not in FORMS and step != "[key]":
            path += f".{step}" if path else step
    return path[:200]


def shown(value: object) -> str:
    """A value of the client's, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 64 else f"{text[:61]}..."
