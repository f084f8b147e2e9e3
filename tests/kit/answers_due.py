"""How every call over HTTP is answered, and the world after it: the writing half of `expected`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from schemas.edit import ANONYMOUS, FILE, Edit, JsonPatch, MergePatch, WholeData, WholeText
from tests.kit.edited_text import fault_of, moved
from tests.kit.expected import Impossible, Lent, World, sha256_of
from tests.kit.plain_values import Data, Path, differ, means, merge, operate, touch, valid

__all__ = [
    "DONE",
    "Shelf",
    "Told",
    "confirmed_by",
    "created",
    "edited",
    "ended",
    "extended",
    "lent",
    "rolled_back",
]


@dataclass(frozen=True)
class Told:
    """How a call is answered: `refused` has every code that would be right; empty: it is done."""

    refused: frozenset[str] = frozenset()
    changed: bool | None = None
    paths: frozenset[Path] | None = None


DONE = Told()


class Shelf(Protocol):
    """The texts that the daemon has kept: what an edit of values makes of a text is its own."""

    def text_of(self, number: int) -> bytes | None:
        """The first text of a generation."""

    def spelling_of(self, number: int) -> bytes | None:
        """The last text of a generation."""


def edited(
    world: World,
    edit: Edit,
    shelf: Shelf,
    *,
    matches: Callable[[World], bool] = lambda _: True,
    dry: bool = False,
    author: str = "",
    over_crash: bool = False,
) -> tuple[World, Told]:
    """An edit; `matches`: does its condition name what is in effect."""
    world = world.looked()
    refused = _closed(world, over_crash=over_crash)
    if refused or world.data is None:
        return world, Told(frozenset({refused or "document_invalid"}))
    if not matches(world):
        return world, Told(frozenset({"precondition_failed"}))
    try:
        data = _wanted(edit, world.data)
    except (LookupError, ValueError) as error:
        code = "validation_failed" if isinstance(error, LookupError) else "field_conflict"
        return world, Told(frozenset({code, "validation_failed"}))
    codes = _refusals(world, edit, data)
    if codes:
        return world, Told(frozenset(codes))
    base = world.raw if world.status == "current" else world.file
    assert base is not None
    same = world.says(data)
    raw = edit.body.raw if isinstance(edit.body, WholeText) else None
    paths = frozenset(differ(world.data, data))
    if same and raw in (None, base):
        return world, Told(changed=False, paths=paths)
    if dry:
        return world, Told(changed=True, paths=paths)
    if same and raw is not None:
        return world.respelled(raw), Told(changed=True, paths=paths)
    found = shelf.text_of(world.generation + 1)
    if found is None:
        raise Impossible(f"there is no text of generation {world.generation + 1}")
    _check(base, found, data, raw)
    return world.taken(data, found, edit.manager, author), Told(changed=True, paths=paths)


def rolled_back(
    world: World,
    number: int,
    manager: str,
    tags: tuple[str, ...],
    shelf: Shelf,
    *,
    matches: Callable[[World], bool],
    dry: bool = False,
) -> tuple[World, Told]:
    """The text of an earlier generation as a new one."""
    if number not in world.texts:
        return world, Told(frozenset({"not_found"}))
    edit = Edit(WholeText(world.texts[number]), manager, tags, force=True)
    return edited(world, edit, shelf, matches=matches, dry=dry, author="rollback", over_crash=True)


def created(world: World, edit: Edit, shelf: Shelf) -> tuple[World, Told]:
    """The first document, or one in the place of one that vanished."""
    world = world.looked()
    if world.file is not None:
        return world, Told(frozenset({"precondition_failed"}))
    data = _wanted(edit, {})
    codes = _refusals(world, edit, data) if data is not None and world.data else set()
    if data is None or not valid(data):
        codes = {"validation_failed"}
    if codes:
        return world, Told(frozenset(codes))
    raw = edit.body.raw if isinstance(edit.body, WholeText) else None
    if world.says(data):
        found = raw or shelf.spelling_of(world.generation)
        if found is None or means(found) is None:
            raise Impossible(f"generation {world.generation} has no new spelling")
        return world.respelled(found), Told(changed=True)
    found = shelf.text_of(world.generation + 1)
    if found is None:
        raise Impossible(f"there is no text of generation {world.generation + 1}")
    _check(b"", found, data, raw)
    return world.taken(data, found, edit.manager), Told(changed=True)


def confirmed_by(world: World, sha256: str) -> tuple[World, Told]:
    """The held text is let through."""
    world = world.looked()
    if world.file is not None and sha256_of(world.file).startswith(sha256) and len(sha256) >= 8:
        if world.status in ("held", "blamed"):
            data = means(world.file)
            assert data is not None
            return world.taken(data, world.file, FILE), Told(changed=True)
        if world.status == "current":
            return world, Told(changed=False)
    return world, Told(frozenset({"precondition_failed"}))


def _closed(world: World, *, over_crash: bool) -> str:
    if world.status == "held" or (world.status == "blamed" and not over_crash):
        return "document_held"
    return "document_invalid" if world.status == "invalid" else ""


def _refusals(world: World, edit: Edit, data: Data | None) -> set[str]:
    """Every reason for which this may not be done."""
    codes = set()
    if data is None or not valid(data):
        return {"validation_failed"}
    assert world.data is not None
    looked = any(tag != "*" for tag in edit.if_match)
    for path in differ(world.data, data) if not edit.force else ():
        owner = world.owners.get(path)
        if protects(world, path):
            codes.add("field_conflict")
        other = owner and not owner.gone and owner.by not in (edit.manager, ANONYMOUS)
        if other and not looked:
            codes.add("field_conflict")
    if moved(world.data, data) and not edit.force and protects(world, ("models",)):
        codes.add("field_conflict")
    return codes


def protects(world: World, path: Path) -> bool:
    """May only the file, or force, change what is here."""
    assert world.data is not None
    models = world.data.get("models", {})
    mine = {key for key, model in models.items() if model.get("protect")}
    points = [
        tuple(each.split("/")[1:]) for each in world.data.get("policy", {}).get("protect", [])
    ]
    if points and any(touch(path, each) for each in [*points, ("policy", "protect")]):
        return True
    if path[0] == "models":
        return bool(mine) if len(path) == 1 else path[1] in mine
    return path[0] == "defaults" and any(path[-1] not in models[key] for key in mine)


def lent(world: World, manager: str, patch: Data, seconds: float) -> tuple[World, Told]:
    """A lease is made."""
    lease = Lent(manager, patch, world.now + timedelta(seconds=seconds))
    if world.data is None:
        return world, Told(frozenset({"document_invalid"}))
    over = replace(world, leases=(*world.standing, lease))
    if over.fitting() != over:
        return world, Told(frozenset({"validation_failed"}))
    return over, DONE


def extended(world: World, number: int, seconds: float) -> tuple[World, Told]:
    """The n-th of those that hold gets another end."""
    leases = list(world.standing)
    if number >= len(leases):
        return world, Told(frozenset({"not_found"}))
    leases[number] = replace(leases[number], ends=world.now + timedelta(seconds=seconds))
    return replace(world, leases=tuple(leases)), DONE


def ended(world: World, number: int) -> tuple[World, Told]:
    """The n-th of those that hold ends."""
    leases = list(world.standing)
    if number >= len(leases):
        return world, Told(frozenset({"not_found"}))
    del leases[number]
    return replace(world, leases=tuple(leases)).fitting(), DONE


def _wanted(edit: Edit, data: Data) -> Data | None:
    match edit.body:
        case MergePatch(patch):
            return merge(data, patch)  # type: ignore[no-any-return]
        case JsonPatch(operations):
            return operate(data, operations)  # type: ignore[arg-type, no-any-return]
        case WholeData(whole):
            return whole
        case WholeText(raw):
            return means(raw)


def _check(base: bytes, found: bytes, data: Data, raw: bytes | None) -> None:
    fault = fault_of(base, found, data) if raw is None else ""
    if raw not in (None, found):
        fault = "another text was written than the one that was sent"
    if fault:
        raise Impossible(fault)
