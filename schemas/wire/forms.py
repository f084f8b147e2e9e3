"""What the bodies of client APIs have in common: strictness, and fields of several forms.

Strict: a number in quotes is not a number. Only fields that lmxd reads are declared; all others
are kept aside in `model_extra`, where a dialect judges them by its table.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Discriminator

__all__ = ["FORMS", "LIST", "OBJECT", "STRING", "Wire", "either", "one_form_of"]

STRING = "<string>"
LIST = "<list>"
OBJECT = "<object>"
FORMS = frozenset({STRING, LIST, OBJECT})
"""Tags of the forms of a union; they show up in the location of an error."""


class Wire(BaseModel):
    """Base: strict, unknown fields kept aside."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


def either(things: str) -> Discriminator:
    """Tells a string from a list of `things`, tagged `STRING` and `LIST`."""
    return one_form_of(f"a string or a list of {things}")


def one_form_of(what: str) -> Discriminator:
    """Tells members tagged with `FORMS` apart; `what` names them all, for the error."""
    return Discriminator(
        _form,
        custom_error_type="of_no_form",
        custom_error_message=f"Input should be {what}",
    )


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        return LIST
    return OBJECT if isinstance(value, dict | Wire) else None
