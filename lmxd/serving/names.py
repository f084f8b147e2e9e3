"""Which models a name stands for, in the order they should be tried. Pure."""

from __future__ import annotations

import difflib

from lmxd.serving.tasks import Task
from reconciler.state import ModelKey, Routes
from schemas.alias import Route, alias_targets
from schemas.errors import Code, RequestError

__all__ = ["by_task", "exactly", "lookup"]

_LATEST = ":latest"
_NAMED_AT_MOST = 20


def lookup(routes: Routes, name: str, task: Task | None = None) -> tuple[ModelKey, ...]:
    """The keys behind `name`, for a request of that task. The first rule that knows it:

    1 an alias of just that name; 2 a model's key; 3 either of them with or without `:latest`;
    4 the repo id of a model's source; 5 the longest alias with a trailing `*` that fits.
    Raises RequestError model_not_found, with the names there are.
    """
    alias = _alias(routes, name)
    if alias is not None:
        route = routes.tasks.get(alias) if task is not None else None
        keys = routes.names[alias]
        return keys if route is None or task is None else _of_task(route, task, keys)
    found = exactly(routes, name)
    if found:
        return found
    raise _unknown(routes, name)


def by_task(routes: Routes, name: str) -> Route | None:
    """The route by task that `name` leads to, if it leads to one."""
    alias = _alias(routes, name) if routes.tasks else None
    return routes.tasks.get(alias) if alias is not None else None


def _of_task(route: Route, task: Task, keys: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
    """The task's model, those that stand in for it, and those of `keys` that are not the route's:
    they answer until its own do.
    """
    own = alias_targets(route)
    chosen = {
        "light": route.light,
        "heavy": route.heavy,
        "code": route.code or route.heavy,
        "reasoning": route.reasoning or route.heavy,
    }[task]
    able = (chosen, *route.fallback, *(key for key in keys if key not in own))
    return tuple(ModelKey(key) for key in dict.fromkeys(able))


def _alias(routes: Routes, name: str) -> str | None:
    """The alias that a name leads to: the name itself or, where no key has it, a glob."""
    for candidate in (name, _other(name)):
        if not candidate.endswith("*") and candidate in routes.names:
            return candidate
        if candidate in routes.targets:
            return None
    if name in routes.sources:
        return None
    return max((each for each in routes.names if _fits(each, name)), key=len, default=None)


def exactly(routes: Routes, name: str) -> tuple[ModelKey, ...]:
    """The same for whoever means one model and no other: without the last rule, and with no keys
    for a name that leads nowhere.
    """
    for candidate in (name, _other(name)):  # 1, 2 and then 3
        if not candidate.endswith("*") and candidate in routes.names:
            return routes.names[candidate]
        if candidate in routes.targets:
            return (ModelKey(candidate),)
    return (routes.sources[name],) if name in routes.sources else ()


def _other(name: str) -> str:
    return name.removesuffix(_LATEST) if name.endswith(_LATEST) else name + _LATEST


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
