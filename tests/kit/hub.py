"""A stand-in of the Hugging Face hub on loopback, with faults on order.

Real sockets, two origins (hub and CDN, as the real one redirects LFS files), threads of its own:
usable from sync and async tests and by any process that gets its `url` as HF_ENDPOINT.

    with Hub() as hub:                          # `async with` works as well
        commit = hub.add_repo("org/name", folder_or_mapping)
        hub.cut("model.safetensors", after=100_000)            # connection ends there, once
        gate = hub.hold("model.safetensors", after=200_000)    # the next transfer stands there
        ... start the daemon with HF_ENDPOINT=hub.url ...
        await gate.arrival()                    # the client has been given 200 000 bytes
        gate.open()
        assert hub.calls(Place.FILE, "model.safetensors")[-1].start > 0    # it resumed

Files matching `hub_repos.LFS_PATTERNS` (safetensors, bin, ...) are LFS: named by sha256, served
from the CDN origin. All others come from the hub itself. `add_repo` again with other files
makes another commit and moves the branch; old commits stay. `hub.ranges = False` makes
both origins ignore Range headers.

Faults (each `times` requests, None: for ever; `path` is a glob over file paths, or over repo ids
for Place.INFO and Place.TREE): `answer` (a status such as 401, 403, 404, 429 with Retry-After,
500), `cut` (FIN or RST after N bytes), `hold` (a stall until its gate is opened), `drip` (a
trickle), `corrupt` (one wrong byte), `truncate` (a file that ends early). `clear` ends them all.
Gated and private repositories are arguments of `add_repo`.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.kit.hub_faults import Fault, Faults, Gate, Place
from tests.kit.hub_repos import HubFile, Repo, read_folder
from tests.kit.hub_server import Call, Server

__all__ = ["Call", "Fault", "Gate", "Hub", "HubFile", "Place"]


class Hub:
    """The stand-in; see the module. `page` is the number of entries of one tree page."""

    def __init__(self, *, use_cdn: bool = True, page: int = 1000) -> None:
        self.repos: dict[str, Repo] = {}
        self.faults = Faults()
        self.closing = threading.Event()
        self.page = page
        self.use_cdn = use_cdn
        self.ranges = True
        self._calls: list[Call] = []
        self._changed = threading.Condition(threading.RLock())
        self._hub = Server(self, "hub")
        self._cdn = Server(self, "cdn")
        self.url = self._hub.url
        self.cdn_url = self._cdn.url

    def __enter__(self) -> Hub:
        self._hub.start()
        self._cdn.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.faults.clear()
        self._hub.stop()
        self._cdn.stop()

    async def __aenter__(self) -> Hub:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    # --- what it holds ----------------------------------------------------------------------

    def add_repo(
        self,
        repo_id: str,
        files: Path | Mapping[str, bytes],
        *,
        branch: str = "main",
        gated: bool = False,
        private: bool = False,
        tokens: Collection[str] = (),
    ) -> str:
        """Commit these files to a repository, made when it is new; the commit's sha."""
        repo = self.repos.setdefault(repo_id, Repo(repo_id))
        repo.gated, repo.private, repo.tokens = gated, private, frozenset(tokens)
        content = read_folder(files) if isinstance(files, Path) else files
        return repo.commit(content, branch)

    def files(self, repo_id: str, revision: str = "main") -> dict[str, HubFile]:
        """The files of a revision, with their digests."""
        repo = self.repos[repo_id]
        commit = repo.resolve(revision)
        assert commit is not None, f"{repo_id} has no revision {revision}"
        return repo.commits[commit]

    # --- faults -----------------------------------------------------------------------------

    def answer(
        self,
        status: int,
        at: Place = Place.FILE,
        path: str = "*",
        *,
        code: str | None = None,
        retry_after: str | None = None,
        times: int | None = None,
    ) -> None:
        """Refuse with a status, an X-Error-Code and a Retry-After."""
        headers = {"X-Error-Code": code, "Retry-After": retry_after}
        given = {name: value for name, value in headers.items() if value is not None}
        self.faults.add(Fault(at, path, times, status=status, headers=given))

    def cut(
        self,
        path: str = "*",
        *,
        after: int = 0,
        reset: bool = False,
        at: Place = Place.FILE,
        times: int | None = 1,
    ) -> None:
        """End the connection after so many bytes of an answer's body: FIN, or RST for `reset`."""
        self.faults.add(Fault(at, path, times, after=after, close="rst" if reset else "fin"))

    def hold(
        self,
        path: str = "*",
        *,
        after: int = 0,
        at: Place = Place.FILE,
        times: int | None = 1,
    ) -> Gate:
        """Stop after so many bytes of an answer's body until the returned gate is opened."""
        gate = Gate()
        self.faults.add(Fault(at, path, times, after=after, gate=gate))
        return gate

    def drip(self, path: str = "*", *, after: int = 0, every_s: float = 0.01) -> None:
        """From there on one byte at a time: a link that never quite stalls."""
        self.faults.add(Fault(Place.FILE, path, after=after, drip_s=every_s))

    def corrupt(self, path: str = "*", *, offset: int = 0, times: int | None = None) -> None:
        """One byte of the file is wrong, its size is right."""
        self.faults.add(Fault(Place.FILE, path, times, flip=offset))

    def truncate(self, path: str = "*", *, length: int, times: int | None = None) -> None:
        """The file ends early, and the answer's headers agree with that."""
        self.faults.add(Fault(Place.FILE, path, times, length=length))

    def clear(self) -> None:
        """Every fault ends; held transfers go on."""
        self.faults.clear()

    # --- what was asked ---------------------------------------------------------------------

    def record(self, call: Call) -> None:
        """Take note of a request; called by the server before it answers."""
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    def calls(self, place: Place | None = None, path: str | None = None) -> list[Call]:
        """The requests so far, in order, that match."""
        with self._changed:
            return [
                call
                for call in self._calls
                if (place is None or call.place is place) and (path is None or call.path == path)
            ]

    def wait_for_calls(self, count: int, place: Place, path: str | None = None) -> None:
        """Block until so many matching requests were made; fails the test after 30 seconds."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self.calls(place, path)) >= count, 30)
        assert done, f"{len(self.calls(place, path))} of {count} requests came: {place} {path}"

    def bytes_sent(self, path: str | None = None) -> int:
        """Body bytes of files handed to sockets so far."""
        return sum(call.sent for call in self.calls(Place.FILE, path))

    def forget_calls(self) -> None:
        """Start counting anew."""
        with self._changed:
            self._calls.clear()
