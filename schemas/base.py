"""What every document model stands on: the strict base class and the error its checks raise.

Models of the desired-state document derive from `Strict`. Validators raise `Invalid`, which may
carry several faults with places of their own; `schemas.parse` turns them into `Problem`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Fault", "Invalid", "Items", "Strict", "option"]

T = TypeVar("T")

Items = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of the document, kept as a tuple. Strict mode alone would refuse YAML's lists."""


class Strict(BaseModel):
    """A frozen map of the document: unknown keys are errors and nothing is coerced."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )


def option(default: Any, description: str, **constraints: Any) -> Any:
    """A field of the document: its default as it would be written there, and what it means.

    The default passes the field's own validator, so "5m" becomes seconds; None means "not set"
    and does not, as the document has no null.
    """
    validate = default is not None
    return Field(default=default, validate_default=validate, description=description, **constraints)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong; `at` is a path of keys and indexes below the value being checked."""

    message: str
    hint: str | None = None
    at: tuple[str | int, ...] = ()


class Invalid(ValueError):
    """A value is wrong: what was found, and the fix as it would be written."""

    def __init__(self, message: str, hint: str | None = None, *more: Fault) -> None:
        super().__init__(message)
        self.faults: tuple[Fault, ...] = (Fault(message, hint), *more)

    @classmethod
    def of(cls, faults: list[Fault]) -> Invalid:
        """One error for several faults; `faults` is not empty."""
        error = cls(faults[0].message, faults[0].hint)
        error.faults = tuple(faults)
        return error
