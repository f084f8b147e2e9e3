"""The daemon as the command line sees it: HTTP in, values or sentences out.

Everything that can go wrong on the way becomes an `LmxdError` that says what to do: nobody there,
somebody else there, no permission, or the daemon's own error with its hint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from lmxd.cli.speech import Call
from schemas.errors import Code, LmxdError, RequestError
from schemas.status import DaemonStatus, ModelStatus
from schemas.wire.control import Timeline

__all__ = ["Chunk", "Client", "Unreachable", "decoded"]

T = TypeVar("T")

API = "/lmxd/v1"
STATUS = f"{API}/status"
DESIRED = f"{API}/desired"
EVENTS = f"{API}/events"
PLAN = f"{API}/plan"
TIMELINE = f"{API}/timeline"
GENERATIONS = f"{API}/generations"
LEASES = f"{API}/leases"
YAML = "application/yaml"
_GOOD = (200, 201, 202, 204)
_DETAILS = ("problems", "conflicts", "changed_paths", "overlaps", "generation", "current_etag")
_CONNECT_S = 5.0
_ANSWER_S = 60.0


class Unreachable(LmxdError):
    """Nobody answers there. A class of its own because waiting verbs try again."""


class Chunk(msgspec.Struct, frozen=True):
    """What one message of a streamed answer adds."""

    text: str
    finish: str | None = None


class Client:
    """One daemon at `url`. Not for use by several threads at once; use it as a context manager."""

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        key = (os.environ if environ is None else environ).get("LMXD_API_KEY")
        self.url = url.rstrip("/")
        host = _host(url)
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S),
            # Reading the certificates takes longer than most answers; plain HTTP needs none.
            verify=urlsplit(url).scheme == "https",
            # A proxy that is meant for the web knows nothing of this machine's loopback.
            trust_env=not _is_loopback(host),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def status(self) -> DaemonStatus:
        """Conditions of the daemon and of every model."""
        return decoded(self.get(STATUS), DaemonStatus)

    def model(self, key: str) -> ModelStatus:
        """The status of one model; RequestError with the nearest key when there is none."""
        return decoded(self.get(self.path_of(key)), ModelStatus)

    def path_of(self, key: str) -> str:
        """Where the status of one model is."""
        return f"{API}/models/{quote(key, safe='')}"

    def key_of(self, name: str) -> str:
        """The key of the model that answers to a name, or would come nearest to it."""
        found = self.values(f"/v1/models/{quote(name, safe='')}")
        more = found.get("lmxd") if isinstance(found, dict) else None
        return str(more["key"]) if isinstance(more, dict) and "key" in more else name

    def get(self, path: str, accept: str = "application/json") -> bytes:
        """The body of a GET; raises LmxdError for anything but an answer of lmxd."""
        with self._speaking():
            answer = self._http.get(path, headers={"Accept": accept})
            self._check(answer)
            return answer.content

    def document(self) -> tuple[bytes, str]:
        """The document in effect as its author wrote it, and its ETag as a header takes it."""
        with self._speaking():
            answer = self._http.get(DESIRED, headers={"Accept": YAML})
            self._check(answer)
            return answer.content, answer.headers.get("etag", "")

    def send(self, call: Call) -> bytes:
        """The body of the answer to a call that changes something; raises LmxdError.

        A call that waits for its effect may take as long as it said, and is not sent again.
        """
        patience = httpx2.Timeout(_ANSWER_S + (call.terms.wait_s or 0.0), connect=_CONNECT_S)
        with self._speaking():
            answer = self._http.request(
                call.method,
                call.target,
                content=call.body,
                headers=dict(call.headers),
                timeout=patience,
            )
            self._check(answer)
            return answer.content

    def values(self, path: str) -> object:
        """The body of a GET as JSON values."""
        found: object = json.loads(self.get(path))
        return found

    def timeline(self, hours: int) -> Timeline:
        """What the clock brings in the coming hours."""
        return decoded(self.get(f"{TIMELINE}?hours={hours}"), Timeline)

    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The bytes of an answer to a GET as they come, until the daemon ends it."""
        with self._speaking(), self._http.stream("GET", path, headers=dict(headers)) as answer:
            if answer.status_code != 200:
                answer.read()
            self._check(answer)
            yield from answer.iter_bytes()

    def chat(self, body: Mapping[str, object]) -> Iterator[Chunk]:
        """Ask `/v1/chat/completions` and yield what comes, until the end of the answer.

        Silence is not a failure: lmxd sends a comment while a model loads.
        """
        with (
            self._speaking(),
            self._http.stream(
                "POST", "/v1/chat/completions", json={**body, "stream": True}
            ) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
            self._check(answer)
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    yield from _chunks(json.loads(line[6:]))
        raise LmxdError(Code.INTERNAL, "the answer ended before it was complete")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Failures of the connection as sentences."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Unreachable(
                Code.NOT_FOUND, f"no lmxd at {self.url}", hint="start it with `lmxd serve`"
            ) from error
        except httpx2.TimeoutException as error:
            raise LmxdError(
                Code.DEADLINE_EXCEEDED, f"{self.url} did not answer within {_ANSWER_S:g} s"
            ) from error
        except httpx2.TransportError as error:
            raise Unreachable(
                Code.INTERNAL, f"the connection to {self.url} broke: {error}"
            ) from error

    def _check(self, answer: httpx2.Response) -> None:
        if answer.status_code in _GOOD:
            return
        try:
            error = _refusal(answer.json())
        except ValueError:
            error = None
        if error is None:
            raise LmxdError(
                Code.NOT_FOUND,
                f"what answers at {self.url} is not lmxd (status {answer.status_code})",
                hint="name another address with --url or LMXD_URL",
            )
        raise error


def _host(url: str) -> str:
    """The host of a URL that can be asked; raises LmxdError."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if host is None:
        raise LmxdError(
            Code.INVALID_REQUEST,
            f"{url!r} is not a URL of lmxd",
            hint="write it like http://127.0.0.1:1234",
        )
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def decoded(content: bytes, kind: type[T]) -> T:
    """An answer as `kind`; raises LmxdError when the daemon is of another version."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise LmxdError(
            Code.INTERNAL,
            f"the answer is not what this version of lmxd understands: {error}",
            hint="use the command line of the version that serves",
        ) from error


def _refusal(body: object) -> LmxdError | None:
    """A problem document, or OpenAI's shape, as an error; None when it is neither."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"] | {"detail": body["error"].get("message")}
    if not isinstance(body, dict) or not isinstance(body.get("detail"), str):
        return None
    code, hint = body.get("code"), body.get("hint")
    known = Code(code) if code in list(Code) else Code.INTERNAL
    details = {name: value for name, value in body.items() if name in _DETAILS}
    hint = hint if isinstance(hint, str) else None
    return RequestError(known, body["detail"], hint=hint, details=details)


def _chunks(body: object) -> Iterator[Chunk]:
    """The choices of one streamed message; an error message is raised."""
    if error := _refusal(body):
        raise error
    choices = body.get("choices") if isinstance(body, dict) else None
    for choice in choices or ():
        delta = choice.get("delta") or {}
        yield Chunk(delta.get("content") or "", choice.get("finish_reason"))
