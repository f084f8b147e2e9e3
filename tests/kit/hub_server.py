"""The HTTP side of the stand-in hub: a hub origin and a CDN origin on loopback, in threads.

Serves what huggingface_hub 2.4 and lmxd's own fetcher ask for, and plays the faults of
`hub_faults`. Used by `tests.kit.hub` only.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.kit.hub_faults import Fault, Faults, Place
from tests.kit.hub_repos import HubFile, Repo

PIECE = 64 * 1024
_API = re.compile(r"^/api/models/(?P<repo>[^/]+(?:/[^/]+)?)$")
_REVISION = re.compile(r"^/api/models/(?P<repo>.+)/revision/(?P<rev>[^/]+)$")
_TREE = re.compile(r"^/api/models/(?P<repo>.+)/tree/(?P<rev>[^/]+)$")
_RESOLVE = re.compile(r"^/(?P<repo>.+?)/resolve/(?P<rev>[^/]+)/(?P<path>.+)$")
_CDN = re.compile(r"^/blobs/(?P<sha>[0-9a-f]{64})/(?P<path>.+)$")


@dataclass(slots=True)
class Call:
    """One request that was made. `start` is the offset it asked for, `sent` body bytes given."""

    method: str
    origin: str
    place: Place | None
    path: str
    headers: dict[str, str]
    status: int = 0
    start: int = 0
    sent: int = 0


class World(Protocol):
    """What the server needs of its hub."""

    repos: dict[str, Repo]
    faults: Faults
    closing: threading.Event
    page: int
    use_cdn: bool
    ranges: bool
    url: str
    cdn_url: str

    def record(self, call: Call) -> None:
        """Take note of a request."""


@dataclass(slots=True)
class _Body:
    content: bytes
    start: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """One origin. Closing it ends every open connection and waits for the threads."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, world: World, origin: str) -> None:
        self.world = world
        self.origin = origin
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name=origin)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        with self._guard:
            for connection in self._open:
                with _quiet():
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def opened(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that went away is what these tests are about; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _quiet:
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, OSError)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with _quiet():
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        return None

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    # --- which endpoint ---------------------------------------------------------------------

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.call = Call(self.command, self.server.origin, None, parts.path, headers)
        self.world = self.server.world
        if found := _CDN.match(parts.path):
            self._cdn(found["sha"], unquote(found["path"]))
        elif found := _REVISION.match(parts.path):
            self._info(found["repo"], unquote(found["rev"]))
        elif found := _TREE.match(parts.path):
            self._tree(found["repo"], unquote(found["rev"]), parse_qs(parts.query))
        elif found := _API.match(parts.path):
            self._info(found["repo"], "main")
        elif found := _RESOLVE.match(parts.path):
            self._resolve(found["repo"], unquote(found["rev"]), unquote(found["path"]))
        else:
            self._refuse(404, "EntryNotFound")

    def _info(self, repo_id: str, revision: str) -> None:
        if found := self._find(Place.INFO, repo_id, revision, repo_id):
            repo, sha = found
            siblings = [{"rfilename": path} for path in repo.commits[sha]]
            body = {"id": repo_id, "sha": sha, "siblings": siblings, "gated": repo.gated}
            self._json(body)

    def _tree(self, repo_id: str, revision: str, query: dict[str, list[str]]) -> None:
        if not (found := self._find(Place.TREE, repo_id, revision, repo_id)):
            return
        repo, sha = found
        files = [file.entry(path) for path, file in repo.commits[sha].items()]
        folders = {path.rsplit("/", 1)[0] for path in repo.commits[sha] if "/" in path}
        entries = [{"type": "directory", "oid": sha, "size": 0, "path": f} for f in folders]
        entries += files
        at = int(query.get("cursor", ["0"])[0])
        headers = {}
        if at + self.world.page < len(entries):
            following = (
                f"{self.world.url}/api/models/{repo_id}/tree/{quote(revision, safe='')}"
                f"?recursive=true&cursor={at + self.world.page}"
            )
            headers["Link"] = f'<{following}>; rel="next"'
        self._json(entries[at : at + self.world.page], headers)

    def _resolve(self, repo_id: str, revision: str, path: str) -> None:
        place = Place.HEAD if self.command == "HEAD" else Place.RESOLVE
        if not (found := self._find(place, repo_id, revision, path, files=True)):
            return
        repo, sha = found
        file = repo.commits[sha].get(path)
        if file is None:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": sha})
            return
        headers = {"X-Repo-Commit": sha, "ETag": f'"{file.etag}"'}
        if file.sha256 and self.world.use_cdn:
            headers |= {
                "X-Linked-ETag": f'"{file.sha256}"',
                "X-Linked-Size": str(len(file.content)),
                "Location": f"{self.world.cdn_url}/blobs/{file.sha256}/{quote(path)}",
            }
            self._head(302, 0, headers)
            return
        self._bytes(file, path, headers)

    def _cdn(self, sha256: str, path: str) -> None:
        for repo in self.world.repos.values():
            for files in repo.commits.values():
                file = files.get(path)
                if file is not None and file.sha256 == sha256:
                    self._bytes(file, path, {"ETag": f'"{sha256}"'})
                    return
        self._refuse(404, None)

    # --- who may, and what goes wrong -------------------------------------------------------

    def _find(
        self, place: Place, repo_id: str, revision: str, path: str, *, files: bool = False
    ) -> tuple[Repo, str] | None:
        """The repository and commit, or None when the answer (a fault, a refusal) was given."""
        self.call.place, self.call.path = place, path
        fault = self.world.faults.take(place, path)
        if fault and self._play_early(fault):
            return None
        repo = self.world.repos.get(repo_id)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo is None or (repo.private and token not in repo.tokens):
            self._refuse(401 if not token else 404, "RepoNotFound")
            return None
        if files and repo.gated and token not in repo.tokens:
            self._refuse(403 if token else 401, "GatedRepo")
            return None
        sha = repo.resolve(revision)
        if sha is None:
            self._refuse(404, "RevisionNotFound")
            return None
        return repo, sha

    def _play_early(self, fault: Fault) -> bool:
        """A fault before any body; True when nothing more is to be answered."""
        if fault.gate:
            fault.gate.reached.set()
            fault.gate.opened.wait()
        if fault.status is not None:
            self._refuse(fault.status, None, dict(fault.headers))
            return True
        if fault.close:
            self._hang_up(reset=fault.close == "rst")
            return True
        return self.world.closing.is_set()

    def _refuse(self, status: int, code: str | None, headers: dict[str, str] | None = None) -> None:
        extra = dict(headers or {})
        if code:
            extra["X-Error-Code"] = code
        self._json({"error": code or f"status {status}"}, extra, status)

    # --- answers ----------------------------------------------------------------------------

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.call.status = status
        self.world.record(self.call)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _json(self, body: object, headers: dict[str, str] | None = None, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self._head(status, len(content), {"Content-Type": "application/json"} | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(content)

    def _bytes(self, file: HubFile, path: str, headers: dict[str, str]) -> None:
        if self.command == "HEAD":
            self._head(200, len(file.content), headers)
            return
        self.call.place, self.call.path = Place.FILE, path
        fault = self.world.faults.take(Place.FILE, path) or Fault(Place.FILE)
        if fault.status is not None:
            self._refuse(fault.status, None, dict(fault.headers))
            return
        content = file.content
        if fault.flip is not None:
            wrong = bytes([content[fault.flip] ^ 0xFF])
            content = content[: fault.flip] + wrong + content[fault.flip + 1 :]
        self._ranged(content[: fault.length], headers, fault)

    def _ranged(self, content: bytes, headers: dict[str, str], fault: Fault) -> None:
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if not wanted or not self.world.ranges:
            self._head(200, len(content), headers)
            self._send(content, fault)
            return
        self.call.start = start = int(wanted[1])
        if start >= len(content):
            self._head(416, 0, {"Content-Range": f"bytes */{len(content)}"})
            return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206, len(content) - start, headers | {"Content-Range": span})
        self._send(content[start:], fault)

    def _send(self, body: bytes, fault: Fault) -> None:
        disturbed = fault.gate or fault.close or fault.drip_s is not None
        stop = min(fault.after, len(body)) if disturbed else len(body)
        self._write(body[:stop])
        if not disturbed:
            return
        if fault.gate:
            fault.gate.reached.set()
            fault.gate.opened.wait()
        if fault.close or self.world.closing.is_set():
            self._hang_up(reset=fault.close == "rst")
            return
        if fault.drip_s is not None:
            for at in range(stop, len(body)):
                if self.world.closing.wait(fault.drip_s):
                    return
                self._write(body[at : at + 1])
            return
        self._write(body[stop:])

    def _write(self, body: bytes) -> None:
        for at in range(0, len(body), PIECE):
            piece = body[at : at + PIECE]
            self.wfile.write(piece)
            self.call.sent += len(piece)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        with _quiet():
            self.connection.shutdown(socket.SHUT_RDWR)
