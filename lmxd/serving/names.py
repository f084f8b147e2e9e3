"""Which models a name stands for, in the order they should be tried. Pure."""

from __future__ import annotations

import difflib

from reconciler.state import ModelKey, Routes
from schemas.errors import Code, RequestError

__all__ = ["exactly", "lookup"]

_LATEST = ":latest"
_NAMED_AT_MOST = 20


def lookup(routes: Routes, name: str) -> tuple[ModelKey, ...]:
    """The keys behind `name`. The first rule that knows it:

    1 an alias of just that name; 2 a model's key; 3 either of them with or without `:latest`;
    4 the repo id of a model's source; 5 the longest alias with a trailing `*` that fits.
    Raises RequestError model_not_found, with the names there are.
    """
    found = exactly(routes, name)  # 1 to 4
    if found:
        return found
    globs = [alias for alias in routes.names if _fits(alias, name)]
    if globs:  # 5
        return routes.names[max(globs, key=len)]
    raise _unknown(routes, name)


def exactly(routes: Routes, name: str) -> tuple[ModelKey, ...]:
    """The same for whoever means one model and no other: without the last rule, and with no keys
    for a name that leads nowhere.
    """
    other = name.removesuffix(_LATEST) if name.endswith(_LATEST) else name + _LATEST
    for candidate in (name, other):  # 1, 2 and then 3
        if not candidate.endswith("*") and candidate in routes.names:
            return routes.names[candidate]
        if candidate in routes.targets:
            return (ModelKey(candidate),)
    return (routes.sources[name],) if name in routes.sources else ()


def _fits(alias: str, name: str) -> bool:
    return alias.endswith("*") and name.startswith(alias[:-1])


def _unknown(routes: Routes, name: str) -> RequestError:
    known = sorted({*routes.names, *routes.targets})
    near = difflib.get_close_matches(name, known, n=1)
    shown = ", ".join(known[:_NAMED_AT_MOST])
    if len(known) > _NAMED_AT_MOST:
        shown += f" and {len(known) - _NAMED_AT_MOST} more"
    hint = f"did you mean {near[0]}?" if near else None
    return RequestError(
        Code.MODEL_NOT_FOUND,
        f"there is no model {name[:100]!r}; there is: {shown or 'none'}",
        hint=hint,
        param="model",
        retry=False,
        details={"models": known[:_NAMED_AT_MOST]},
    )
