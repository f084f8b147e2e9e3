"""Bodies checked against wire shapes, and single fields found wrong; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import ValidationError

from lmxd.dialects import faults
from schemas.errors import Code, RequestError
from schemas.wire.forms import Wire

Shape = TypeVar("Shape", bound=Wire)

_DEPTH_MAX = 64


def validated(shape: type[Shape], body: Mapping[str, object]) -> Shape:
    """The body as that shape. Raises RequestError (invalid_request) for the first thing wrong."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise faults.invalid(error) from error


def unknown(model: Wire | None, where: str) -> Iterator[str]:
    """The fields, however deep inside, that nobody reads. Not for what has a table."""
    if model is None:
        return
    yield from (
        f"{where}.{name}" for name, value in (model.model_extra or {}).items() if value is not None
    )
    for name, field in type(model).model_fields.items():
        inner = getattr(model, name)
        inside = f"{where}.{field.alias or name}"
        if isinstance(inner, Wire):
            yield from unknown(inner, inside)
        elif isinstance(inner, list):
            for index, each in enumerate(inner):
                if isinstance(each, Wire):
                    yield from unknown(each, f"{inside}[{index}]")


def invalid(param: str, problem: str, *, hint: str | None = None) -> RequestError:
    """The error for a field: `problem` is what follows its name."""
    return RequestError(Code.INVALID_REQUEST, f"{param} {problem}", hint=hint, param=param)


def framed(value: Mapping[str, object], param: str, depth: int = _DEPTH_MAX) -> dict[str, object]:
    """The object as given, once it is sure to fit into a frame to a worker.

    Raises RequestError (invalid_request).
    """
    found = dict(value)
    if not faults.fits(found, depth):
        raise invalid(
            param,
            f"is nested deeper than {depth} levels, or holds an integer of more than 64 bits",
        )
    return found
