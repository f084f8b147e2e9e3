"""Control calls in bytes, and what must come back: the HTTP half of state machines.

Follows one `World`, as nothing happens at once here, and holds every answer against it: status,
code, headers, and what GET shows afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from tests.kit.answers_due import Told
from tests.kit.expected import World
from tests.kit.front_desk import FrontDesk
from tests.kit.plain_values import canon
from tests.kit.saves import save

__all__ = ["Call", "Caller", "encoded"]

STATUS = {
    "invalid_json": 400,
    "invalid_request": 400,
    "not_found": 404,
    "model_not_found": 404,
    "method_not_allowed": 405,
    "field_conflict": 409,
    "aliased_node": 409,
    "file_not_writable": 409,
    "document_invalid": 409,
    "document_held": 409,
    "plan_stale": 409,
    "precondition_failed": 412,
    "unsupported_media_type": 415,
    "validation_failed": 422,
    "precondition_required": 428,
}
"""As the contract has them."""


@dataclass(frozen=True)
class Call:
    """One call as it goes over the wire, below `/lmxd/v1/`."""

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str] | None:
        """Under which its answer is remembered."""
        key = self.headers.get("idempotency-key")
        if key is None or "dry_run=true" in self.path:
            return None
        return self.headers.get("lmxd-manager", ""), key

    @property
    def asked(self) -> tuple[object, ...]:
        """Equal for calls that ask for the same; conditions are no part of it."""
        said = (self.headers.get("content-type"), self.headers.get("lmxd-lease"))
        return self.method, self.path, self.content, said


class Caller:
    """One document, its daemon, and whoever calls it."""

    def __init__(self, folder: Path, first: bytes) -> None:
        self.runner = asyncio.Runner()
        self.desk = FrontDesk(folder)
        self.etags: dict[str, object] = {}
        self.remembered: dict[tuple[str, str], tuple[Call, Any, World]] = {}
        save(self.desk.path, first, "in place")
        self.run(self.desk.start())
        self.world = replace(World(self.desk.clock.at, first).started(clean=False), running=True)
        self.check()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Everything goes through here."""
        return self.runner.run(work)

    def close(self) -> None:
        """The daemon stops."""
        self.run(self.desk.stop())
        self.runner.close()

    def send(self, call: Call) -> httpx2.Response:
        """Make a call; a refusal is a problem document with the status of its code."""
        answer = self.run(self.desk.send(call.method, call.path, call.content, dict(call.headers)))
        assert answer.status_code < 500, (call, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert answer.status_code == problem["status"] == STATUS[problem["code"]], problem
            assert problem["title"]
        return answer

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """A look, which must succeed."""
        answer = self.send(Call("GET", path, headers=headers))
        assert answer.status_code == 200, answer.text
        return answer

    # --- calls that change something ----------------------------------------------------------

    def ask(self, call: Call, turn: Any, *, dry: bool = False) -> None:
        """Make a call and hold it against what it must come to."""
        before = self.stamp()
        known = self.remembered.get(call.key) if call.key else None
        answer = self.send(call)
        if known is not None:
            self._again(call, known, answer)
            assert self.stamp() == before
            return
        text = self.world.file
        self.world, told = turn(self.world)
        self._compare(told, answer, dry=dry)
        if call.key and answer.status_code == 200:
            self.remembered[call.key] = (call, answer.json(), self.world)
        if self.world.file == text:
            assert self.stamp() == before, "a file that should stay as it was has been written"
        self.check()

    def _again(self, call: Call, known: tuple[Call, Any, World], answer: httpx2.Response) -> None:
        first, body, _ = known
        if call.asked == first.asked:
            assert answer.status_code == 200, answer.text
            assert answer.headers["idempotency-replayed"] == "true"
            assert answer.json() == body
        else:
            assert answer.json()["code"] == "validation_failed", answer.text
            assert answer.json()["param"] == "Idempotency-Key"

    def _compare(self, told: Told, answer: httpx2.Response, *, dry: bool) -> None:
        body = answer.json()
        if answer.status_code >= 400:
            assert body["code"] in told.refused, (body, told)
            return
        assert not told.refused, (body, told)
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers
        if told.changed is None:
            return
        number = self.world.generation + (dry and bool(told.paths))
        assert (body["changed"], body["dry_run"]) == (told.changed, dry)
        assert (body["generation"], answer.headers["lmxd-generation"]) == (number, str(number))
        assert answer.headers["etag"] == f'"{body["etag"]}"'
        if told.paths is not None:
            lines = [each["path"] for each in body["changes"]]
            paths = ["/" + "/".join(each) for each in told.paths]
            assert all(any(path.startswith(line) for line in lines) for path in paths), lines
            assert all(
                any(path.startswith(line) for path in paths) or line == "/models" for line in lines
            ), (lines, paths)
        if not dry:
            assert body["etag"] == self.get("desired").headers["etag"].strip('"')

    def stamp(self) -> tuple[object, ...]:
        """What a write of the file would change."""
        try:
            status = self.desk.path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns

    # --- what is shown ------------------------------------------------------------------------

    def check(self) -> None:
        """The document, its tags and the leases, as any client sees them."""
        path, world = self.desk.path, self.world
        assert (path.read_bytes() if path.exists() else None) == world.file
        leases = [(each["manager"], each["patch"]) for each in self.leases()]
        assert leases == [(each.manager, each.patch) for each in world.standing]
        if world.data is None:
            assert self.send(Call("GET", "desired")).status_code == 404
            return
        shown = self.get("desired")
        assert canon(shown.json()) == canon(world.data)
        assert shown.headers["lmxd-generation"] == str(world.generation)
        etag = shown.headers["etag"]
        assert self.etags.setdefault(etag.strip('"'), canon(world.data)) == canon(world.data)
        assert list(self.etags.values()).count(canon(world.data)) == 1, "two tags, one document"

    def leases(self) -> Any:
        """All leases."""
        return self.get("leases").json()["leases"]

    def check_all(self) -> None:
        """Everything that can be looked at."""
        world = self.world
        for path in ("status", "models", "effective", "plan", "schema", "timeline?hours=2"):
            self.get(path)
        shown = self.get("generations?limit=1000").json()["generations"]
        assert [each["author"] for each in shown] == list(world.authors)
        assert [each["generation"] for each in shown] == sorted(world.texts, reverse=True)
        assert self.get(f"generations/{world.generation}").json()["text"].encode() == world.raw
        text = self.get("desired", accept="application/yaml")
        assert text.content == world.raw
        assert text.headers["etag"] == f'"{hashlib.sha256(text.content).hexdigest()}"'
        known = {"if-none-match": text.headers["etag"], "accept": "application/yaml"}
        assert self.send(Call("GET", "desired", headers=known)).status_code == 304

    def text_of(self, number: int) -> bytes | None:
        """The text of a generation that has just come to be."""
        answer = self.send(Call("GET", f"generations/{number}"))
        return answer.json()["text"].encode() if answer.status_code == 200 else None

    def spelling_of(self, number: int) -> bytes | None:
        """The last text of a generation."""
        return self.text_of(number)

    # --- what happens besides -----------------------------------------------------------------

    def save(self, raw: bytes | None, style: str, *, look: bool) -> None:
        """Somebody saves the file."""
        save(self.desk.path, raw, style)
        self.world = self.world.saved(raw)
        if look:
            self.run(self.desk.look())
            self.world = self.world.looked()
        self.check()

    def restart(self) -> None:
        """The daemon stops in good order and starts again."""
        self.run(self.desk.stop())
        self.run(self.desk.start())
        self.world = self.world.started(clean=True)
        self.check()

    def pass_time(self, seconds: int) -> None:
        """The wall clock moves; keys are forgotten after a day."""
        self.desk.pass_time(seconds)
        self.world = self.world.passed(seconds)
        now = self.world.now
        self.remembered = {
            key: kept
            for key, kept in self.remembered.items()
            if (now - kept[2].now).total_seconds() < 86400
        }
        self.check()


def encoded(value: object) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()
