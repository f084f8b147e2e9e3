"""Which of the models behind a name takes a request now, or why none does. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.state import Live, ModelKey, Routes, Target
from schemas.errors import Code, RequestError

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The model a request goes to. `live`: how near it is by what the pool knows this instant."""

    target: Target
    live: Live


def choose(
    routes: Routes,
    keys: tuple[ModelKey, ...],
    resident: Callable[[ModelKey], bool],
    *,
    patient: bool = False,
) -> Choice:
    """The model for a name that stands for `keys`:

    1 the first that is ready; 2 the first that is coming; 3 the first that a request may load;
    4 none: RequestError with the first one's reason.

    resident: whether an instance answers for the key; it is newer than the published table. A
    model without one is at best coming, whatever the table says.
    patient: for a request that waits already and stays in line while its model may come back.
    """
    seen = [_seen(routes.targets[key], resident(key)) for key in keys if key in routes.targets]
    for wanted in (Live.READY, Live.COMING, Live.ON_DEMAND):  # 1, 2, 3
        for choice in seen:
            if choice.live is wanted:
                return choice
    if patient:
        for choice in seen:
            if choice.target.retry:
                return choice
    raise _refusal(routes, keys, resident)  # 4


def _seen(target: Target, resident: bool) -> Choice:
    if target.live is Live.REFUSED:
        return Choice(target, Live.REFUSED)
    if resident:
        return Choice(target, Live.READY)
    if not target.retry:
        return Choice(target, Live.REFUSED)
    return Choice(target, Live.COMING if target.live is Live.READY else target.live)


def _refusal(
    routes: Routes, keys: tuple[ModelKey, ...], resident: Callable[[ModelKey], bool]
) -> RequestError:
    target = next((routes.targets[key] for key in keys if key in routes.targets), None)
    if target is None:
        names = ", ".join(keys) or "no model"
        return RequestError(
            Code.MODEL_NOT_FOUND,
            f"the name stands for {names}, which the document does not have",
            param="model",
            retry=False,
        )
    serving = sorted(key for key in routes.targets if resident(key))
    hint = None
    details: dict[str, object] = {}
    if target.code is Code.MODEL_NOT_LOADED:
        hint = f"these models answer now: {', '.join(serving) or 'none'}"
        details = {"serving": serving}
    return RequestError(
        target.code,
        target.message or f"{target.key} does not answer",
        hint=hint,
        param="model" if target.code is Code.MODEL_NOT_LOADED else None,
        retry=target.retry,
        available_at=_iso(target.available_at) if target.available_at else None,
        details=details,
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
