"""The table of names as OpenAI's list of models; pure.

Every key that is not absent and every alias is listed, also those that cannot answer now: the
member `lmxd` says so, and a client that only wants the others asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.state import Live, ModelKey, Routes, Target

_NEAREST = (Live.READY, Live.COMING, Live.ON_DEMAND, Live.REFUSED)


def listing(routes: Routes, created: int, *, only_ready: bool) -> dict[str, object]:
    """The body of `GET /v1/models`; `created` in seconds since 1970."""
    return {"object": "list", "data": entries(routes, created, only_ready=only_ready)}


def entries(routes: Routes, created: int, *, only_ready: bool) -> list[dict[str, object]]:
    """All model objects."""
    return [
        entry(name, best(routes, keys), created)
        for name, keys in _names(routes)
        if not only_ready or _is_ready(best(routes, keys))
    ]


def _is_ready(target: Target | None) -> bool:
    return target is not None and target.live is Live.READY


def _names(routes: Routes) -> Iterator[tuple[str, tuple[ModelKey, ...]]]:
    """Aliases hide a key of the same name, as they do in look-ups."""
    for key in routes.targets:
        if key not in routes.names:
            yield key, (key,)
    yield from routes.names.items()


def best(routes: Routes, keys: tuple[ModelKey, ...]) -> Target | None:
    """The target that is nearest to answering; of equals the first."""
    targets = [routes.targets[key] for key in keys if key in routes.targets]
    return min(targets, key=lambda target: _NEAREST.index(target.live), default=None)


def entry(name: str, target: Target | None, created: int) -> dict[str, object]:
    """One model object. `lmxd.reason` says why a model is not ready; `max_model_len`, as vLLM calls
    it, is the most tokens of prompt and answer of one that is.
    """
    more: dict[str, object] = {
        "state": str(target.live if target else Live.REFUSED),
        "ready": _is_ready(target),
    }
    if target is not None:
        more["key"] = target.key
        if target.live is not Live.READY and target.message:
            more["reason"] = target.message
    found = {"id": name, "object": "model", "created": created, "owned_by": "lmxd", "lmxd": more}
    if target is not None and target.context is not None:
        found["max_model_len"] = target.context
    return found
