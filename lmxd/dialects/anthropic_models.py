"""The table of names as Anthropic's list of models; pure.

The same names as `openai_models` lists, in the other shape and page by page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from schemas.errors import Code, RequestError

__all__ = ["LIMIT_MAX", "entry", "page"]

LIMIT_MAX = 1000
"""Most models on a page, and as many as there are on one that nobody gave a limit."""


def entry(found: Mapping[str, object], created: int) -> dict[str, object]:
    """One model object, of OpenAI's; `created` in seconds since 1970."""
    tokens = found.get("max_model_len")
    return {
        "type": "model",
        "id": found["id"],
        "display_name": found["id"],
        "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "max_input_tokens": tokens,
        "max_tokens": tokens,
        "lmxd": found["lmxd"],
    }


def page(entries: Sequence[dict[str, object]], asked: Mapping[str, str]) -> dict[str, object]:
    """The body of `GET /v1/models`: those after `after_id` or before `before_id`, at most `limit`.

    Raises RequestError (invalid_request).
    """
    limit = _limit(asked.get("limit"))
    ids = [str(each["id"]) for each in entries]
    first, last = 0, len(entries)
    if "after_id" in asked:
        first = _place(ids, asked["after_id"], "after_id") + 1
    if "before_id" in asked:
        last = _place(ids, asked["before_id"], "before_id")
        first = max(first, last - limit)
        more = first > 0
    else:
        more = last > first + limit
    shown = entries[first : min(last, first + limit)]
    return {
        "data": shown,
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_MAX
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= LIMIT_MAX:
        return int(text)
    raise RequestError(
        Code.INVALID_REQUEST,
        f"limit must be a whole number from 1 to {LIMIT_MAX}, got {text[:40]!r}",
        param="limit",
    )


def _place(ids: list[str], name: str, param: str) -> int:
    if name in ids:
        return ids.index(name)
    raise RequestError(Code.INVALID_REQUEST, f"{param}: no model {name[:64]!r}", param=param)
