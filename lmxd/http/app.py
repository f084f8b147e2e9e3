"""The HTTP server: one Sanic app in the daemon's own event loop, on one or more addresses.

The daemon creates a `Server`, starts it when everything behind it stands, and stops it first.
Sanic's manager, signals, access log and extensions stay out of it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.config import Config
from sanic.http import Http
from sanic.http.constants import HTTP
from sanic.request import Request
from sanic.response import BaseHTTPResponse, HTTPResponse
from sanic.server.async_server import AsyncioServer

from lmxd.http import (
    admin,
    admin_views,
    anthropic,
    control,
    control_generations,
    control_leases,
    control_planning,
    control_verbs,
    control_writing,
    embeddings,
    events,
    health,
    lmstudio,
    ollama,
    ollama_models,
    ollama_verbs,
    openai,
    openai_completions,
    openapi,
    requests,
    rerank,
    responses,
    routing_decisions,
)
from lmxd.http.errors import Errors, speaks_anthropic
from lmxd.http.guard import Guard
from lmxd.http.incoming import DISCARD_MAX, App, Incoming
from lmxd.http.listen import Address, bind, show
from lmxd.http.ports import Deps
from lmxd.http.routing import Handler, Route, register
from lmxd.http.sockets import PATH, Sockets
from lmxd.telemetry import logs
from schemas.errors import Code, RequestError

_log = logging.getLogger(__name__)

ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *openai.ROUTES,
    *openai_completions.ROUTES,
    *embeddings.ROUTES,
    *rerank.ROUTES,
    *anthropic.ROUTES,
    *ollama.ROUTES,
    *ollama_models.ROUTES,
    *ollama_verbs.ROUTES,
    *responses.ROUTES,
    *control.ROUTES,
    *control_writing.ROUTES,
    *control_planning.ROUTES,
    *control_leases.ROUTES,
    *control_generations.ROUTES,
    *control_verbs.ROUTES,
    *events.ROUTES,
    *requests.ROUTES,
    *routing_decisions.ROUTES,
    *admin.ROUTES,
    *admin_views.ROUTES,
    *lmstudio.ROUTES,
    *openapi.routes(lambda: ROUTES),
)

_HEADER_MAX = 32 * 1024
_CONFIG: dict[str, str | bool | int | float | None] = {
    "ACCESS_LOG": False,
    "AUTO_EXTEND": False,
    "LOG_EXTRA": False,  # the default is written to the environment, which workers inherit
    "MOTD": False,
    "KEEP_ALIVE_TIMEOUT": 75,
    "REQUEST_TIMEOUT": 30,  # until the headers are there
    "RESPONSE_TIMEOUT": 86400,  # deadlines are the gate's; the default kills long generations
    "REQUEST_MAX_SIZE": DISCARD_MAX,
    "REQUEST_MAX_HEADER_SIZE": _HEADER_MAX,
    "WEBSOCKET_MAX_SIZE": 256 * 1024 * 1024,  # far above `limits.body`, which says 413 politely
}


class Server:
    """Serves `deps` over HTTP. Prepare and start it once; a stopped server stays stopped."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._app: App | None = None
        self._servers: list[AsyncioServer] = []
        self._addresses: tuple[Address, ...] = ()
        self._guard = Guard((), (), ())
        self._sockets = Sockets()
        self._running = 0
        self._rest = asyncio.Event()
        self._rest.set()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What is listened on, with the real port where 0 was asked for."""
        return self._addresses

    async def prepare(self, listen: Iterable[Address]) -> None:
        """Take the addresses; clients can connect, and wait for `start`. What takes time is here.

        Raises StartupError when an address cannot be had.
        """
        wanted = tuple(listen)
        sockets = await asyncio.to_thread(bind, wanted)  # names are looked up
        access = self._deps.access
        self._guard = Guard((host for host, _ in wanted), access.hosts, access.origins)
        app = self._app = self._build()
        for sock in sockets:
            server = await app.create_server(
                sock=sock, asyncio_server_kwargs={"start_serving": False}
            )
            if server is not None:
                self._servers.append(server)
        await _run(self._servers[0].startup)  # it belongs to the app: a second one raises
        self._addresses = tuple((sock.getsockname()[0], sock.getsockname()[1]) for sock in sockets)

    async def start(self) -> None:
        """Answer from now on; `prepare` came before."""
        for server in self._servers:
            await _run(server.start_serving)
        urls = " ".join(f"http://{show(*address)}" for address in self._addresses)
        _log.info("http listening", extra={"urls": urls})

    async def stop(self, grace_s: float) -> None:
        """Take no new connection, let running requests end, cut the rest after `grace_s`."""
        for server in self._servers:
            if server.server is not None:
                server.server.close()
        self._sockets.finish()
        self._close_idle()
        await self._at_rest(grace_s)
        self._close_idle()
        for server in self._servers:
            for connection in list(server.connections):
                connection.abort()
        await self._at_rest(self._deps.timing.drain_s)
        await self._deps.calls.close(self._deps.timing.drain_s)
        self._servers.clear()
        if self._app is not None:
            Sanic.unregister_app(self._app)

    async def _at_rest(self, timeout_s: float) -> None:
        if self._rest.is_set():
            return
        try:
            await asyncio.wait_for(self._rest.wait(), timeout_s)
        except TimeoutError:
            _log.warning("http requests cut", extra={"running": self._running})

    def _close_idle(self) -> None:
        for server in self._servers:
            for connection in list(server.connections):
                if connection.websocket is None:  # they end by themselves: `Sockets.finish`
                    connection.close_if_idle()

    def _build(self) -> App:
        Http.HEADER_CEILING = max(Http.HEADER_CEILING, _HEADER_MAX)
        app: App = Sanic(
            f"lmxd-{uuid.uuid4().hex}",  # Sanic keeps a registry of names in the process
            config=Config(_config(), env_prefix=None),
            ctx=self._deps,
            error_handler=Errors(_request_id),
            request_class=Incoming,
            configure_logging=False,
        )
        # Sanic adds an empty alt-svc header unless it knows the one HTTP version it serves.
        app.state.server_info.append(ApplicationServerInfo({"version": HTTP.VERSION_1}))
        register(app, ROUTES, self._counted)
        app.add_websocket_route(self._counted(self._sockets.serve), PATH, name="ws")
        app.register_middleware(self._admit, "request")
        app.register_middleware(self._finish, "response")
        return app

    def _counted(self, handler: Handler) -> Handler:
        async def run(request: Request, *socket: object, **params: str) -> HTTPResponse | None:
            self._running += 1
            self._rest.clear()
            try:
                return await handler(request, *socket, **params)
            finally:
                self._running -= 1
                if not self._running:
                    self._rest.set()

        return run

    def _admit(self, request: Request) -> None:
        logs.bind_request(_request_id(request))
        if request.method == "NONE":  # Sanic's stand-in for what it could not read
            return
        headers = request.headers
        for name in ("host", "origin"):  # whoever stands before or behind us may read the other
            if len(headers.getall(name, ())) > 1:
                raise RequestError(Code.INVALID_REQUEST, f"the header {name} is there twice")
        self._guard.check(
            request.path, headers.getone("host", None), headers.getone("origin", None)
        )

    def _finish(self, request: Request, response: BaseHTTPResponse) -> None:
        headers = request.headers
        response.headers["x-request-id"] = _request_id(request)
        if speaks_anthropic(request):
            response.headers["request-id"] = _request_id(request)
        cors = self._guard.cors(
            headers.getone("origin", None), headers.getone("access-control-request-headers", None)
        )
        if "Vary" in cors and "Vary" in response.headers:
            cors["Vary"] = f"{response.headers['Vary']}, {cors['Vary']}"
        response.headers.update(cors)
        extra = {"method": request.method, "path": request.path, "status": response.status}
        _log.debug("answered", extra=extra)


def _config() -> dict[str, str | bool | int | float | None]:
    """Sanic rewrites its own classes when an app starts, so that hooks nobody uses cost nothing:
    150 µs a request less (measured). It fails to do so twice in one process.
    """
    return {**_CONFIG, "TOUCHUP": not getattr(Http, "__touched__", False)}


async def _run(step: Callable[[], Awaitable[object]]) -> None:
    """Sanic's server has no types here."""
    await step()


def _request_id(request: Request) -> str:
    return request.request_id if isinstance(request, Incoming) else "unknown"
