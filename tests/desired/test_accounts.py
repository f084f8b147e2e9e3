"""Document, owners of fields and leases together: a real file, real edits, restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmxd.desired.accounts import Accounts
from lmxd.desired.leases import Leases
from lmxd.desired.managers import Managers
from reconciler.state import Accepted
from schemas.edit import Edit, MergePatch
from schemas.errors import Code, RequestError
from tests.kit.desk import NOW, Desk, patch

TEXT = """\
version: 1
models:
  one: {source: 'builtin:tiny-chat', state: on-demand}
  two: {source: 'builtin:tiny-chat', protect: true}
"""


class Office(Desk):
    """A desk with everybody who keeps account of changes."""

    def hire(self) -> None:
        """The accounts of a daemon that starts now."""
        self.managers = Managers(self.state)
        self.leases = Leases(
            self.state, now=lambda: NOW, emit=self.events.append, changed=self._poke
        )
        self.followers[:] = [Accounts(self.managers, self.leases, self.events.append)]

    @property
    def accepted(self) -> Accepted:
        """What holds."""
        accepted = self.file.view().accepted
        assert accepted is not None
        return accepted

    @property
    def reasons(self) -> list[str]:
        """Everything that was told."""
        return [event.reason for event in self.events]


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.path.write_text(TEXT)
    office.hire()
    await office.started()
    return office


async def test_a_patch_is_owned_and_kept_from_others_over_a_restart(office: Office) -> None:
    await office.file.commit(patch(state="loaded"))
    office.hire()
    await office.restarted()
    owner = office.managers.owned("one")["/state"]
    assert (owner.by, owner.generation, owner.since) == ("bot", 2, NOW)
    other = MergePatch({"models": {"one": {"state": "downloaded"}}})
    with pytest.raises(RequestError) as caught:
        await office.commit(other, "other")
    assert caught.value.code is Code.FIELD_CONFLICT
    assert office.generation == 2
    looked = Edit(other, "other", (office.file.etag,))
    await office.file.commit(looked)
    assert office.managers.owned("one")["/state"].by == "other"


async def test_a_protected_model_is_changed_by_its_file_or_by_force(office: Office) -> None:
    with pytest.raises(RequestError) as caught:
        await office.file.commit(patch("two", state="loaded"))
    assert caught.value.details["conflicts"][0]["protected"] is True
    await office.save(office.text.replace("protect: true", "protect: true, state: loaded"))
    assert office.accepted.document.models["two"].state == "loaded"
    forced = Edit(MergePatch({"models": {"two": {"state": "absent"}}}), "bot", force=True)
    await office.file.commit(forced)
    assert office.accepted.document.models["two"].state == "absent"


async def test_a_save_from_before_the_patch_is_reported_and_free_again(office: Office) -> None:
    stale = office.text
    await office.file.commit(patch(state="loaded"))
    await office.save(stale)
    assert office.reasons == ["BotPatchReverted"]
    assert office.events[0].data["path"] == "/models/one/state"
    assert office.managers.owned("one") == {}


async def test_a_rollback_is_no_edit_of_the_file_and_takes_the_field(office: Office) -> None:
    await office.file.commit(patch(state="loaded"))
    await office.file.rollback(1, "admin")
    assert office.reasons == []
    assert office.managers.owned("one")["/state"].by == "admin"


async def test_a_lease_outlives_a_patch_and_ends_with_a_save(office: Office) -> None:
    lent = MergePatch({"models": {"one": {"state": "loaded"}}})
    made = await office.leases.add(lent.patch, 60, "bot", office.accepted)
    await office.file.commit(patch(state="downloaded"))
    assert office.leases.all() == (made,)
    await office.save(office.text.replace("state: downloaded", "state: on-demand"))
    assert office.leases.all() == ()
    assert "LeaseEnded" in office.reasons


async def test_a_patch_that_takes_what_a_lease_leans_on_voids_it(office: Office) -> None:
    await office.leases.add({"aliases": {"auto": "one"}}, 60, "bot", office.accepted)
    await office.commit(MergePatch({"models": {"one": None}}))
    assert office.leases.all() == ()
    assert office.reasons == ["LeaseMade", "LeaseVoid"]


async def test_a_save_while_the_daemon_was_down_counts_as_an_edit(office: Office) -> None:
    await office.file.commit(patch(state="loaded"))
    await office.leases.add({"models": {"one": {"state": "absent"}}}, 60, "bot", office.accepted)
    await office.file.close()
    office.path.write_text(office.text.replace("state: loaded", "state: on-demand"))
    office.events.clear()
    office.hire()
    await office.started()
    assert office.leases.all() == ()
    assert set(office.reasons) == {"LeaseEnded", "BotPatchReverted"}


async def test_a_daemon_that_died_before_it_told_them_tells_them_at_its_next_start(
    office: Office,
) -> None:
    await office.file.commit(patch(system="x"))
    lent = await office.leases.add({"suspend": True}, 60, "bot", office.accepted)
    office.followers.clear()  # from here on nobody hears of anything
    await office.restarted()
    await office.save(office.text + "suspend: false\n")
    await office.file.commit(patch(state="loaded"))
    await office.save(office.text.replace("system: x", "system: y"))
    assert office.generation == 5
    office.events.clear()
    office.hire()
    assert office.leases.all() == (lent,)
    await office.died()
    assert office.leases.all() == ()
    assert office.reasons == ["LeaseEnded"]
    assert set(office.managers.owned("one")) == {"/state"}
    assert office.managers.owned("one")["/state"].generation == 4
    office.hire()
    await office.restarted()
    assert office.reasons == ["LeaseEnded"]
    assert set(office.managers.owned("one")) == {"/state"}


async def test_a_rollback_that_nobody_was_told_of_belongs_to_who_asked_for_it(
    office: Office,
) -> None:
    """Or he could not change his own fields afterwards."""
    await office.file.commit(patch(state="loaded"))
    await office.file.commit(patch(state="absent"))
    office.followers.clear()
    await office.restarted()
    await office.file.rollback(2, "bot")
    office.hire()
    await office.died()
    assert (office.kept[0].author, office.kept[0].number) == ("rollback", 4)
    assert office.managers.owned("one")["/state"].by == "bot"
    assert office.managers.owned("one")["/state"].generation == 4
    await office.file.commit(patch(state="absent"))


async def test_a_lease_made_after_an_edit_is_not_ended_by_it_when_others_catch_up(
    office: Office,
) -> None:
    await office.file.commit(patch(state="loaded"))
    await office.save(office.text.replace("state: loaded", "state: on-demand"))
    patch_ = {"models": {"one": {"state": "absent"}}}
    made = await office.leases.add(patch_, 60, "bot", office.accepted)
    body = office.state.read("managers") or {}
    office.state.write("managers", {**body, "generation": 1})
    office.hire()
    await office.restarted()
    assert office.managers.told == office.generation == 3
    assert office.leases.all() == (made,)
