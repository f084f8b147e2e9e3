"""What the bodies of all client APIs are made of: a strict base, and values of several forms.

Strict: a number in quotes is not a number. Only fields that lmxd reads are declared; all others
are kept aside in `model_extra`, where the dialect judges them by its table.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Discriminator

__all__ = ["FORMS", "LIST", "OBJECT", "STRING", "Wire", "either"]

STRING = "<string>"
LIST = "<list>"
OBJECT = "<object>"
FORMS = frozenset({STRING, LIST, OBJECT})
"""Tags of the forms of a union; they show up in the location of an error."""


class Wire(BaseModel):
    """Base: strict, unknown fields kept aside."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        return LIST
    return OBJECT if isinstance(value, dict | Wire) else None


def either(what: str) -> Discriminator:
    """Chooses between members tagged with `FORMS`; `what` completes "must be ...", as in
    "a string or a list of strings".
    """
    return Discriminator(
        _form,
        custom_error_type="of_no_form",
        custom_error_message=f"Input should be {what}",
    )
