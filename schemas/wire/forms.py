"""What the bodies of client APIs have in common: strictness, and fields of two forms.

Strict: a number in quotes is not a number. Only fields that lmxd reads are declared; all others
are kept aside in `model_extra`, where a dialect judges them by its table.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Discriminator

__all__ = ["FORMS", "LIST", "STRING", "Wire", "either"]

STRING = "<string>"
LIST = "<list>"
FORMS = frozenset({STRING, LIST})
"""Tags of the two forms of a union; they show up in the location of an error."""


class Wire(BaseModel):
    """Base: strict, unknown fields kept aside."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


def either(things: str) -> Discriminator:
    """Tells a string from a list of `things`, tagged `STRING` and `LIST`."""
    return Discriminator(
        _form,
        custom_error_type="string_or_list",
        custom_error_message=f"Input should be a string or a list of {things}",
    )


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return STRING
    return LIST if isinstance(value, list) else None
