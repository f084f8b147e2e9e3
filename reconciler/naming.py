"""A source as people and other servers write it -> its canonical text, and a key for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from schemas.base import Invalid
from schemas.errors import Code, RequestError
from schemas.source import parse_source

__all__ = ["new_key", "source_of"]

KEY_MAX = 128
_LINK = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/?#\s]+/[^/?#\s]+)/?")
_REPO = re.compile(r"[^/:~\s][^/:\s]*/[^/\s]+")


def source_of(text: str) -> str:
    """The canonical text of a source, also where a hub's repository is named by its link or by
    its id alone. Raises RequestError (model_not_found).
    """
    link = _LINK.fullmatch(text)
    repo = link[1] if link else text if _REPO.fullmatch(text) else None
    try:
        return str(parse_source(text if repo is None else f"hf:{repo}"))
    except Invalid as error:
        raise RequestError(
            Code.MODEL_NOT_FOUND,
            f"{text[:120]!r} is neither a name of the document nor a source",
            hint=error.faults[0].hint,
            param="model",
        ) from None


def new_key(source: str, taken: Collection[str]) -> str:
    """A key for a canonical source: its last part, and a number when somebody has that."""
    last = parse_source(source).repo.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("._-")[:KEY_MAX] or "model"
    number, key = 1, plain
    while key in taken:
        number += 1
        end = f"-{number}"
        key = plain[: KEY_MAX - len(end)] + end
    return key
