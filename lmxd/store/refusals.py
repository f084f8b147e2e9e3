"""A hub's refusals and broken connections -> ActionErrors with a reason, a sentence and a hint.

The hub tells refusals apart by the header X-Error-Code; a 401 may also stand for a repository
that does not exist. Tokens never come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx2

from schemas.errors import ActionError

_PASSING = {408, 425, 429}


def is_refusal(status: int) -> bool:
    """Whether a status is an error."""
    return status >= 400


def refusal(status: int, headers: Mapping[str, str], what: str, page: str) -> ActionError:
    """The error for an answer of `status` about `what` (a repository or a file of one).

    `page` is where a person can look at the repository.
    """
    code = headers.get("x-error-code", "")
    if code == "GatedRepo":
        return ActionError(
            "GatedRepo",
            f"{what} is gated and the hub answered {status}",
            hint=f"accept its licence at {page} and set HF_TOKEN to a token that may read it",
            terminal=True,
        )
    if status == 404 or code in {"RepoNotFound", "RevisionNotFound", "EntryNotFound"}:
        return _not_found(status, code, what, page)
    if status == 429:
        return ActionError(
            "RateLimited",
            f"the hub answered 429 (too many requests) for {what}",
            hint="set HF_TOKEN: known users may ask more often",
            retry_after_s=_retry_after(headers),
        )
    if status >= 500 or status in _PASSING:
        return ActionError(
            "HubUnreachable",
            f"the hub answered {status} for {what}",
            retry_after_s=_retry_after(headers),
        )
    return ActionError(
        "Unauthorized" if status in {401, 403} else "HubRefused",
        f"the hub answered {status} for {what}",
        hint=f"look at {page}, and set HF_TOKEN to a token that may read it",
        terminal=True,
    )


def unreachable(error: Exception, what: str, page: str) -> ActionError:
    """The error for a request that got no answer, or one that broke off."""
    detail = str(error) or type(error).__name__
    if isinstance(error, httpx2.TimeoutException):
        detail = f"no answer in time ({type(error).__name__})"
    return ActionError(
        "HubUnreachable",
        f"cannot get {what}: {detail[:200]}",
        hint=f"check that {page} can be reached from this machine",
    )


def _not_found(status: int, code: str, what: str, page: str) -> ActionError:
    thing = {"RevisionNotFound": "revision", "EntryNotFound": "file"}.get(code, "repository")
    secret = "; if it is private, set HF_TOKEN" if thing == "repository" else ""
    return ActionError(
        "NotFound",
        f"the hub knows no such {thing}: {what} (it answered {status})",
        hint=f"check the name at {page}{secret}",
        terminal=True,
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the peer asks for; a date counts from the peer's own clock, not from ours."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (ValueError, TypeError):
        return None
