"""The route table: from `Route` records to Sanic routes that also answer HEAD and OPTIONS."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import unquote

from sanic.exceptions import MethodNotAllowed
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.description import Description
from lmxd.http.incoming import App

Handler = Callable[..., Coroutine[object, object, HTTPResponse | None]]
"""Takes the request and the path's parameters; None: it has streamed its answer itself."""


METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


@dataclass(frozen=True, slots=True)
class Route:
    """`path` as Sanic writes it; a `<name:path>` parameter reaches the handler unquoted. `about`
    is for the documentation; None: it has no place there.
    """

    method: str
    path: str
    handler: Handler
    about: Description | None = None


def register(app: App, routes: Iterable[Route], wrap: Callable[[Handler], Handler]) -> None:
    """Add the routes, each handler wrapped, to the app. Call once, before the app starts."""
    for path, group in groupby(sorted(routes, key=_path), key=_path):
        allowed = {"OPTIONS"}
        for route in group:
            methods = {"GET", "HEAD"} if route.method == "GET" else {route.method}
            allowed |= methods
            _add(app, wrap(_unquoted(route.handler)), path, methods)
        _add(app, _options(", ".join(sorted(allowed))), path, {"OPTIONS"})
        _add(app, _refused(sorted(allowed)), path, METHODS - allowed)


def _path(route: Route) -> str:
    return route.path


def _add(app: App, handler: Handler, path: str, methods: Collection[str]) -> None:
    name = re.sub(r"\W+", "_", f"{min(methods)}{path}")
    app.add_route(handler, path, methods=sorted(methods), name=name)


def _unquoted(handler: Handler) -> Handler:
    """Sanic leaves `%2F` encoded, so that a key with a slash can be told apart."""

    async def run(request: Request, **params: str) -> HTTPResponse | None:
        return await handler(request, **{key: unquote(value) for key, value in params.items()})

    return run


def _options(allowed: str) -> Handler:
    async def options(_: Request, **__: str) -> HTTPResponse:
        headers = {"Allow": allowed, "Access-Control-Allow-Methods": allowed}
        return HTTPResponse(status=204, headers=headers)

    return options


def _refused(allowed: list[str]) -> Handler:
    """Sanic does not say what is allowed where a path has parameters."""

    async def refused(request: Request, **__: str) -> HTTPResponse:
        raise MethodNotAllowed(method=request.method, allowed_methods=allowed)

    return refused
