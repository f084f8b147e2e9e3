"""Whose a field is: conflicts between managers, protection, and what a file edit takes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lmxd.desired.managers import KEEP, Managers, Owner
from lmxd.statefolder import StateFolder
from reconciler.state import Accepted
from schemas.desired import DesiredState
from schemas.edit import ANONYMOUS, MISSING, Change, Edit, MergePatch
from schemas.errors import Code, RequestError
from schemas.patch import applied

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "defaults": {"keep_alive": "5m", "sampling": {"top_p": 0.5}},
    "models": {
        "day": {"source": "hf:org/day", "state": "loaded"},
        "night": {"source": "hf:org/night", "sampling": {"top_p": 0.9}},
    },
    "aliases": {"auto": "day"},
}
STATE = ("models", "day", "state")
TO_ABSENT = Change(STATE, "loaded", "absent")


def accepted(**parts: Any) -> Accepted:
    data = {**DOCUMENT, **parts}
    return Accepted(1, "sha", DesiredState.model_validate(data), data, NOW)


def protected(key: str = "day") -> Accepted:
    models = {**DOCUMENT["models"], key: {**DOCUMENT["models"][key], "protect": True}}
    return accepted(models=models)


def edit(manager: str = "bot", **fields: Any) -> Edit:
    return Edit(MergePatch({}), manager, **fields)


def conflicts(
    managers: Managers, by: Edit, *changes: Change, at: Accepted | None = None
) -> list[dict[str, Any]]:
    """What `check` says is in the way; nothing: it may be done."""
    try:
        managers.check(by, changes, at or accepted())
    except RequestError as error:
        if error.code is not Code.FIELD_CONFLICT:
            raise
        found: list[dict[str, Any]] = error.details["conflicts"]
        return found
    return []


def paths(managers: Managers, by: Edit, *changes: Change, at: Accepted | None = None) -> list[str]:
    return [each["path"] for each in conflicts(managers, by, *changes, at=at)]


def opened(folder: Path) -> Managers:
    with StateFolder(folder, now=lambda: NOW) as state:
        return Managers(state)


@pytest.fixture
def managers(tmp_path: Path) -> Managers:
    return opened(tmp_path)


async def test_a_leaf_of_another_named_manager_is_a_conflict(managers: Managers) -> None:
    await managers.took("night-bot", [TO_ABSENT], 7, NOW)
    again = Change(STATE, "absent", "loaded")
    (found,) = conflicts(managers, edit("day-bot"), again)
    assert found == {
        "path": "/models/day/state",
        "yours": "loaded",
        "current": "absent",
        "manager": "night-bot",
        "since": "2026-03-29T01:30:00Z",
        "protected": False,
    }
    with pytest.raises(RequestError) as caught:
        managers.check(edit(ANONYMOUS), [again], accepted())
    assert caught.value.message == (
        "/models/day/state was set by night-bot at 2026-03-29T01:30:00Z; "
        'it is "absent", you want "loaded"'
    )
    assert "If-Match" in (caught.value.hint or "")


async def test_who_looked_who_forces_and_the_owner_itself_may_change_it(
    managers: Managers,
) -> None:
    await managers.took("night-bot", [TO_ABSENT], 7, NOW)
    again = Change(STATE, "absent", "loaded")
    assert not conflicts(managers, edit("night-bot"), again)
    assert not conflicts(managers, edit("day-bot", if_match=("abc",)), again)
    assert not conflicts(managers, edit("day-bot", force=True), again)
    assert conflicts(managers, edit("day-bot", if_match=("*",)), again)
    assert not conflicts(managers, edit("day-bot"), Change(("suspend",), MISSING, True))


async def test_what_nobody_or_somebody_unnamed_set_is_free(managers: Managers) -> None:
    assert not conflicts(managers, edit("bot"), TO_ABSENT)
    await managers.took(ANONYMOUS, [TO_ABSENT], 2, NOW)
    assert not conflicts(managers, edit("bot"), Change(STATE, "absent", "loaded"))


async def test_a_patch_takes_over_what_it_changes(managers: Managers) -> None:
    await managers.took("one", [TO_ABSENT, Change(("suspend",), MISSING, True)], 2, NOW)
    await managers.took("two", [Change(STATE, "absent", "loaded")], 3, NOW + timedelta(hours=1))
    assert managers.owned("day") == {"/state": Owner("two", NOW + timedelta(hours=1), 3)}
    assert paths(managers, edit("one"), TO_ABSENT) == ["/models/day/state"]
    assert not conflicts(managers, edit("one"), Change(("suspend",), True, False))


async def test_a_whole_model_is_owned_leaf_by_leaf(managers: Managers) -> None:
    new = {"source": "hf:org/new", "sampling": {"top_p": 0.1, "stop": ["a"]}}
    await managers.took("bot", [Change(("models", "new"), MISSING, new)], 2, NOW)
    assert set(managers.owned("new")) == {"/source", "/sampling/top_p", "/sampling/stop"}
    gone = Change(("models", "new"), new, MISSING)
    assert len(paths(managers, edit("other"), gone)) == 3
    await managers.took("bot", [gone], 3, NOW)
    assert managers.owned("new") == {}
    assert not conflicts(managers, edit("other"), Change(("models", "new"), MISSING, new))


async def test_a_value_of_another_shape_takes_the_place_of_what_was_owned(
    managers: Managers,
) -> None:
    route = {"route": "task", "light": "day", "heavy": "day"}
    await managers.took("bot", [Change(("aliases", "auto"), "day", route)], 2, NOW)
    back = Change(("aliases", "auto"), route, "night")
    assert len(paths(managers, edit("other"), back)) == 3
    await managers.took("other", [back], 3, NOW)
    assert not conflicts(managers, edit("other"), Change(("aliases", "auto"), "night", "day"))
    light = Change(("aliases", "auto", "light"), MISSING, "day")
    assert not conflicts(managers, edit("bot"), light)


async def test_owners_survive_a_restart(tmp_path: Path) -> None:
    slashed = Change(("aliases", "org/a~b"), MISSING, "day")
    await opened(tmp_path).took("bot", [TO_ABSENT, slashed], 2, NOW)
    again = opened(tmp_path)
    assert again.owned("day") == {"/state": Owner("bot", NOW, 2)}
    taken = Change(slashed.path, "day", "night")
    assert paths(again, edit("other"), taken) == ["/aliases/org~1a~0b"]
    (event,) = await again.file_edited([Change(STATE, "absent", "loaded")], 3)
    assert event.reason == "BotPatchReverted"


@pytest.mark.parametrize("broken", [{"leaves": {"/a": 7}}, {"leaves": []}])
def test_unreadable_owners_are_begun_anew(tmp_path: Path, broken: dict[str, Any]) -> None:
    with StateFolder(tmp_path, now=lambda: NOW) as state:
        state.write("managers", broken)
    assert opened(tmp_path).owned("day") == {}
    assert len(list(tmp_path.glob("managers.json.bad-*"))) == 1


async def test_owners_that_cannot_be_kept_still_count(tmp_path: Path) -> None:
    managers = opened(tmp_path)
    (tmp_path / "managers.json").mkdir()
    await managers.took("bot", [TO_ABSENT], 2, NOW)
    assert set(managers.owned("day")) == {"/state"}


# --- protection -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by", [edit(), edit(if_match=("abc",)), edit(ANONYMOUS)], ids=["named", "looked", "anonymous"]
)
def test_only_force_changes_a_protected_model(managers: Managers, by: Edit) -> None:
    (found,) = conflicts(managers, by, TO_ABSENT, at=protected())
    assert (found["protected"], found["manager"]) == (True, "file")
    assert found["since"] == "2026-03-29T01:30:00Z"
    assert not conflicts(managers, edit(force=True), TO_ABSENT, at=protected())


def test_the_refusal_of_a_protected_field_says_so(managers: Managers) -> None:
    with pytest.raises(RequestError) as caught:
        managers.check(edit(), [TO_ABSENT, Change(STATE, 1, 2)], protected())
    assert caught.value.message == (
        '/models/day/state is protected; it is "loaded", you want "absent" (and 1 more)'
    )
    assert caught.value.hint == "change it in the file, or use force"
    with pytest.raises(RequestError, match='"loaded", you want it gone'):
        managers.check(edit(), [Change(STATE, "loaded", MISSING)], protected())


@pytest.mark.parametrize(
    ("change", "covered"),
    [
        (Change(("models", "day", "protect"), True, False), True),
        (Change(("models", "day"), DOCUMENT["models"]["day"], MISSING), True),
        (Change(("models",), DOCUMENT["models"], dict(reversed(DOCUMENT["models"].items()))), True),
        (Change(("schedules", "n", "set", "models", "day", "state"), MISSING, "absent"), True),
        (Change(("hosts", "h", "set", "models", "day", "context"), MISSING, "1k"), True),
        (Change(("defaults", "keep_alive"), "5m", "1m"), True),
        (Change(("defaults", "state"), MISSING, "absent"), False),
        (Change(("models", "night", "state"), MISSING, "loaded"), False),
        (Change(("schedules", "n", "set", "models", "night", "state"), MISSING, "absent"), False),
        (Change(("aliases", "auto"), "day", "night"), False),
    ],
)
def test_what_counts_as_a_protected_model(
    managers: Managers, change: Change, covered: bool
) -> None:
    assert bool(conflicts(managers, edit(), change, at=protected("day"))) is covered


def test_defaults_that_a_protected_model_overrides_are_free(managers: Managers) -> None:
    at = protected("night")
    top_p = Change(("defaults", "sampling", "top_p"), 0.5, 0.1)
    assert not conflicts(managers, edit(), top_p, at=at)
    seed = Change(("defaults", "sampling", "seed"), MISSING, 1)
    assert conflicts(managers, edit(), seed, at=at)


def test_protection_by_default_counts_for_models_that_say_nothing(managers: Managers) -> None:
    models = {**DOCUMENT["models"], "night": {"source": "hf:org/night", "protect": False}}
    at = accepted(defaults={"protect": True}, models=models)
    assert conflicts(managers, edit(), TO_ABSENT, at=at)
    free = Change(("models", "night", "state"), MISSING, "loaded")
    assert not conflicts(managers, edit(), free, at=at)


@pytest.mark.parametrize(
    ("pointer", "path", "covered"),
    [
        ("/models", ("models", "day", "state"), True),
        ("/models/day/state", ("models", "day", "state"), True),
        ("/models/day/state", ("models", "day", "system"), False),
        ("/aliases/a~1b", ("aliases", "a/b"), True),
        ("/models/day/warm/0", ("models", "day", "warm"), True),
        ("/limits", ("policy", "protect"), True),
        ("/limits", ("policy", "licenses"), False),
        ("/mod", ("models", "day", "state"), False),
    ],
)
def test_pointers_protect_what_is_at_them_and_below(
    managers: Managers, pointer: str, path: tuple[str, ...], covered: bool
) -> None:
    at = accepted(policy={"protect": [pointer]})
    assert bool(conflicts(managers, edit(), Change(path, 1, 2), at=at)) is covered


def test_what_brings_or_takes_a_protected_leaf_is_refused_there_alone(managers: Managers) -> None:
    at = accepted(policy={"protect": ["/models/new/state"]})
    new = Change(("models", "new"), MISSING, {"source": "hf:org/new", "state": "loaded"})
    assert paths(managers, edit(), new, at=at) == ["/models/new/state"]


# --- what people write ----------------------------------------------------------------------


async def test_a_file_edit_takes_the_field_back(managers: Managers) -> None:
    await managers.took("bot", [TO_ABSENT], 2, NOW)
    assert await managers.file_edited([Change(STATE, "absent", "downloaded")], 3) == ()
    assert managers.owned("day") == {}
    assert not conflicts(managers, edit("other"), Change(STATE, "downloaded", "loaded"))


async def test_a_file_edit_elsewhere_takes_nothing(managers: Managers) -> None:
    await managers.took("bot", [TO_ABSENT], 2, NOW)
    order = Change(("models",), DOCUMENT["models"], dict(reversed(DOCUMENT["models"].items())))
    assert await managers.file_edited([Change(("suspend",), MISSING, True), order], 3) == ()
    assert set(managers.owned("day")) == {"/state"}


async def test_a_stale_save_that_undoes_a_patch_is_reported(managers: Managers) -> None:
    await managers.took("night-bot", [TO_ABSENT], 8, NOW)
    (event,) = await managers.file_edited([Change(STATE, "absent", "loaded")], 9)
    assert (event.kind, event.reason, event.subject) == (
        "Warning", "BotPatchReverted", "model/day",
    )  # fmt: skip
    assert event.data == {
        "manager": "night-bot",
        "path": "/models/day/state",
        "generation": 8,
        "before": "absent",
        "after": "loaded",
    }
    assert event.message == (
        "an edit of the file took back what night-bot had set in generation 8: "
        '/models/day/state was "absent" and is "loaded" again'
    )
    assert await managers.file_edited([Change(STATE, "loaded", "absent")], 10) == ()


async def test_what_was_brought_or_removed_is_reported_once_when_undone(
    managers: Managers,
) -> None:
    new = {"source": "hf:org/new", "state": "loaded"}
    brought = Change(("models", "new"), MISSING, new)
    removed = Change(("aliases", "auto"), "day", MISSING)
    await managers.took("bot", [brought, removed], 2, NOW)
    undone = [Change(("models", "new"), new, MISSING), Change(("aliases", "auto"), MISSING, "day")]
    events = await managers.file_edited(undone, 3)
    assert [(each.subject, each.data["path"]) for each in events] == [
        ("model/new", "/models/new"),
        ("document", "/aliases/auto"),
    ]
    assert "after" not in events[0].data
    assert events[0].message.endswith("and is gone")
    assert events[1].message.endswith('/aliases/auto was not there and is "day" again')


async def test_a_removal_is_forgotten_with_the_history(managers: Managers) -> None:
    await managers.took("bot", [Change(("aliases", "auto"), "day", MISSING)], 2, NOW)
    back = Change(("aliases", "auto"), MISSING, "day")
    await managers.took("bot", [Change(("suspend",), MISSING, True)], 2 + KEEP, NOW)
    assert len(await managers.file_edited([back], 3 + KEEP)) == 1
    await managers.took("bot", [Change(("aliases", "auto"), "day", MISSING)], 2, NOW)
    await managers.took("bot", [Change(("suspend",), True, False)], 3 + KEEP, NOW)
    assert await managers.file_edited([back], 4 + KEEP) == ()


async def test_every_undone_patch_is_reported_whoever_made_it(managers: Managers) -> None:
    """A document with all leaves set by bots, and a save of the first text over it."""
    changes = [
        TO_ABSENT,
        Change(("models", "night", "system"), MISSING, "x"),
        Change(("aliases", "auto"), "day", ["night", "day"]),
    ]
    for number, (name, change) in enumerate(zip(("a", ANONYMOUS, "c"), changes, strict=True), 2):
        await managers.took(name, [change], number, NOW)
    assert applied(DOCUMENT, changes) != DOCUMENT
    back = [Change(each.path, each.after, each.before) for each in changes]
    events = await managers.file_edited(back, 9)
    assert [each.data["manager"] for each in events] == ["a", ANONYMOUS, "c"]


async def test_all_models_may_come_back_after_a_bot_took_them(managers: Managers) -> None:
    """No model is named by a change of the map of all of them."""
    models = DOCUMENT["models"]
    await managers.took("bot", [Change(("models",), models, MISSING)], 2, NOW)
    (event,) = await managers.file_edited([Change(("models",), MISSING, models)], 3)
    assert (event.subject, event.data["path"]) == ("document", "/models")


async def test_a_save_from_before_several_patches_is_reported(managers: Managers) -> None:
    for number, (before, after) in enumerate((("loaded", "absent"), ("absent", "on-demand")), 2):
        await managers.took("bot", [Change(STATE, before, after)], number, NOW)
    (event,) = await managers.file_edited([Change(STATE, "on-demand", "loaded")], 4)
    assert (event.data["generation"], event.data["after"]) == (3, "loaded")
    await managers.took("bot", [Change(STATE, "loaded", "absent")], 5, NOW)
    assert await managers.file_edited([Change(STATE, "absent", "on-demand")], 6) == ()


def test_another_order_is_protected_whatever_else_changes_with_it(managers: Managers) -> None:
    turned = dict(reversed(DOCUMENT["models"].items())) | {"night": {"source": "hf:org/other"}}
    change = Change(("models",), DOCUMENT["models"], turned)
    assert "/models" in paths(managers, edit(), change, at=protected())
    assert "/models" not in paths(managers, edit(), change)
