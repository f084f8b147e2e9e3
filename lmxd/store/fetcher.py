"""One file from a hub to a blob: resumed, paced, hashed while it is written, checked at the end.

Used by `hub_models` under the blob's lock. Bytes that have arrived are written before any
error or cancellation leaves here, so that the next try asks only for the rest, also after the
process was killed. Which files, and whose they are, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from lmxd.store.access import HubAccess
from lmxd.store.digest import Digest
from lmxd.store.partial import PartialFile
from lmxd.store.refusals import is_refusal, refusal, unreachable
from lmxd.store.retries import FetchRules, Tries
from lmxd.store.threads import in_thread
from lmxd.store.trouble import disk_error
from schemas.errors import ActionError

_RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch: where from, what it must be, where to. `what` names it in messages,
    `page` is where a person can look at its repository.
    """

    url: str
    digest: Digest
    size: int
    blob: Path
    what: str
    page: str


class Fetcher:
    """Fetches files with one client; several at once are fine."""

    def __init__(
        self, client: httpx2.AsyncClient, access: Callable[[], HubAccess], rules: FetchRules
    ) -> None:
        self._client = client
        self._access = access
        self._rules = rules

    async def fetch(self, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
        """Bring the blob to its place. The caller holds its lock. Cancellable at each chunk.

        on_bytes: called with the bytes of it that are here. Raises ActionError: ChecksumMismatch
        (the bytes are gone then), DownloadStalled, DiskFull and the refusals of the hub.
        """
        try:
            part = await in_thread(PartialFile, wanted.blob, wanted.digest, wanted.size)
            try:
                while await in_thread(part.hash_more):
                    pass
                await self._complete(part, wanted, on_bytes)
                good = await in_thread(part.finish)
            finally:
                await in_thread(part.close)
        except OSError as error:
            raise disk_error(error, wanted.what) from error
        if not good:
            raise ActionError(
                "ChecksumMismatch",
                f"{wanted.what} came with another {wanted.digest.algorithm} than the hub lists "
                f"({wanted.digest.value[:16]}..., {wanted.size} bytes)",
                hint="its bytes were thrown away; the next try fetches it anew",
            )

    async def _complete(
        self, part: PartialFile, wanted: Wanted, on_bytes: Callable[[int], None]
    ) -> None:
        tries = Tries(self._rules)
        while part.size < wanted.size:
            before = part.size
            try:
                transfer = _Transfer(self._client, self._access(), self._rules, part, wanted)
                await transfer.run(on_bytes)
                if part.size == wanted.size:
                    return
                failure = _early(part.size, wanted)
            except httpx2.ReadTimeout as error:
                failure = _stalled(part.size, wanted, self._rules)
                failure.__cause__ = error
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                failure = unreachable(error, wanted.what, wanted.page)
                failure.__cause__ = error
            except ActionError as error:
                failure = error
            tries.progressed(part.size - before)
            await tries.pause(failure)


def _stalled(have: int, wanted: Wanted, rules: FetchRules) -> ActionError:
    return ActionError(
        "DownloadStalled",
        f"{wanted.what} stands at {have} of {wanted.size} bytes: "
        f"less than {rules.pace_bytes} bytes came in {rules.pace_s:g} s",
        hint="the download goes on from there at the next try",
    )


def _early(have: int, wanted: Wanted) -> ActionError:
    return ActionError("HubUnreachable", f"{wanted.what} ended at {have} of {wanted.size} bytes")


class _Transfer:
    """One request for the rest of a file, and its answer."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        access: HubAccess,
        rules: FetchRules,
        part: PartialFile,
        wanted: Wanted,
    ) -> None:
        self._client = client
        self._access = access
        self._rules = rules
        self._part = part
        self._wanted = wanted
        self._waiting: list[bytes] = []
        self._held = 0

    async def run(self, on_bytes: Callable[[int], None]) -> None:
        """Ask, and write what comes. Whatever ends this, all that came is written."""
        headers = self._access.headers(self._wanted.url)
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
        pace = httpx2.Timeout(
            self._rules.pace_s, connect=self._rules.connect_s, pool=None, write=None
        )
        async with self._client.stream(
            "GET", self._wanted.url, headers=headers, timeout=pace
        ) as response:
            await self._accept(response)
            try:
                await self._receive(response, on_bytes)
            finally:
                await self._write()
        on_bytes(self._part.size)

    async def _accept(self, response: httpx2.Response) -> None:
        """See to it that the answer's first byte is the one after the last we have."""
        if response.status_code == _RANGE_NOT_SATISFIABLE:
            await in_thread(self._part.restart)
            raise self._wrong_size("fewer")
        self._refuse(response)
        start, total = _span(response)
        if start != self._part.size:
            # 200 to a Range, or another range than asked for: only a start from zero is safe.
            await in_thread(self._part.restart)
            if start != 0:
                raise self._wrong_size("other")
        if total is not None and total != self._wanted.size:
            await in_thread(self._part.restart)
            raise self._wrong_size(f"{total}")

    def _refuse(self, response: httpx2.Response) -> None:
        status = response.status_code
        if not is_refusal(status):
            return
        if status in {401, 403, 404} and not self._access.is_hub(str(response.url)):
            # Links to the storage behind the hub are signed and expire: the next try gets another.
            raise ActionError(
                "HubUnreachable",
                f"the storage behind the hub answered {status} for {self._wanted.what}",
            )
        raise refusal(status, response.headers, self._wanted.what, self._wanted.page)

    async def _receive(self, response: httpx2.Response, on_bytes: Callable[[int], None]) -> None:
        loop = asyncio.get_running_loop()
        since, counted = loop.time(), 0
        async for chunk in response.aiter_raw():
            self._waiting.append(chunk)
            self._held += len(chunk)
            counted += len(chunk)
            on_bytes(self._part.size + self._held)
            if self._part.size + self._held > self._wanted.size:
                self._waiting.clear()
                raise self._wrong_size("more")
            if self._held >= self._rules.buffer:
                await self._write()
            if loop.time() - since >= self._rules.pace_s:
                if counted < self._rules.pace_bytes:
                    raise _stalled(self._part.size + self._held, self._wanted, self._rules)
                since, counted = loop.time(), 0

    async def _write(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._held = 0
        if data:
            await in_thread(self._part.append, data)

    def _wrong_size(self, count: str) -> ActionError:
        return ActionError(
            "ChecksumMismatch",
            f"{self._wanted.what} has {count} bytes where it is served, "
            f"and {self._wanted.size} bytes in the hub's listing",
            hint="a proxy or mirror between may be at fault; check HF_ENDPOINT",
        )


def _span(response: httpx2.Response) -> tuple[int, int | None]:
    """The offset of an answer's first byte, and the size of the whole file if it is told."""
    found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
    if response.status_code == httpx2.codes.PARTIAL_CONTENT and found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() else None
