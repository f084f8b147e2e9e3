"""The verbs that change the document, against a real daemon: the file, the world, and the words."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cli.test_with_daemon import Shell
from tests.kit.daemon import condition, running, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: 1          # the format
models:
  tiny:             # comes with lmxd
    source: builtin:tiny-chat
    state: downloaded
  other: {source: "builtin:tiny-chat", state: on-demand}   # sleeps

aliases:
  auto: tiny        # what clients ask for
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon_shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    folder = tmp_path_factory.mktemp("changes")
    document = folder / "desired-state.yaml"
    document.write_text(DOCUMENT)
    async with running(document, folder) as daemon:
        await daemon.ready()
        yield Shell(daemon)


@pytest_asyncio.fixture(loop_scope="module")
async def lmxd(daemon_shell: Shell) -> Shell:
    """The document as it was at first, whatever the test before has left."""
    done = await daemon_shell("rollback", "1", "--force")
    assert done.code == 0, done.err
    assert daemon_shell.daemon.document.read_text() == DOCUMENT
    return daemon_shell


async def test_set_changes_one_line(lmxd: Shell) -> None:
    said = await lmxd("set", "aliases.auto=other", "--note", "for the night")
    assert said.code == 0, said.err
    text = lmxd.daemon.document.read_text()
    assert text == DOCUMENT.replace("auto: tiny", "auto: other")
    assert "+  auto: other" in said.out
    newest = json.loads((await lmxd("history", "--limit", "1", "-o", "json")).out)
    assert newest["generations"][0]["note"] == "for the night"


async def test_set_waits_until_the_model_answers(lmxd: Shell) -> None:
    said = await lmxd("set", "models.tiny.state=loaded", "--wait", "60s")
    assert said.code == 0, said.err
    status = await lmxd.daemon.status()
    assert condition(status, "Ready", "tiny")["status"] == "True"


async def test_a_dry_run_shows_the_lines_and_changes_none(lmxd: Shell) -> None:
    before = await lmxd.daemon.status()
    said = await lmxd("set", "models.tiny.priority=90", "--dry-run")
    assert said.code == 0
    assert "+    priority: 90" in said.out
    assert "nothing was changed" in said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT
    assert (await lmxd.daemon.status())["generation"] == before["generation"]


async def test_a_lease_lies_over_the_file_until_it_is_ended(lmxd: Shell) -> None:
    said = await lmxd("set", "models.other.state=loaded", "--for", "2h", "--wait", "60s")
    assert said.code == 0, said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT
    assert summary(await lmxd.daemon.status(), "other") == "Ready"
    (lease,) = json.loads((await lmxd("leases", "-o", "json")).out)["leases"]
    assert lease["id"] in (await lmxd("leases")).out
    longer = await lmxd("leases", "--extend", lease["id"], "--for", "5h")
    assert longer.code == 0
    (found,) = json.loads((await lmxd("leases", "-o", "json")).out)["leases"]
    assert found["expires_at"] > lease["expires_at"]
    ended = await lmxd("leases", "--end", lease["id"])
    assert ended.code == 0
    await lmxd.daemon.until(lambda s: summary(s, "other") == "Idle", "the lease is over")
    assert (await lmxd("leases", "--end", lease["id"])).code == 1


async def test_a_value_that_is_wrong_is_refused_once_in_words(lmxd: Shell) -> None:
    said = await lmxd("set", "models.tiny.stat=loaded")
    assert said.code == 1
    assert said.err.count("unknown key") == 1
    assert 'did you mean "state"?' in said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT


async def test_patches_of_both_kinds(lmxd: Shell) -> None:
    merged = await lmxd("patch", "{aliases: {big: other, auto: null}}")
    assert merged.code == 0, merged.err
    found = json.loads((await lmxd("get", "aliases", "-o", "json")).out)
    assert found == {"big": "other"}
    operations = '[{"op": "test", "path": "/aliases/big", "value": "tiny"}]'
    refused = await lmxd("patch", operations)
    assert refused.code == 1
    moved = await lmxd("patch", '[{"op": "move", "from": "/aliases/big", "path": "/aliases/huge"}]')
    assert moved.code == 0, moved.err
    assert json.loads((await lmxd("get", "aliases", "-o", "json")).out) == {"huge": "other"}


async def test_diff_says_by_its_code_whether_there_is_a_difference(
    lmxd: Shell, tmp_path: Path
) -> None:
    same = tmp_path / "same.yaml"
    same.write_text(DOCUMENT)
    assert (await lmxd("diff", "-f", str(same))).code == 0
    other = tmp_path / "other.yaml"
    other.write_text(DOCUMENT.replace("auto: tiny", "auto: other"))
    found = await lmxd("diff", "-f", str(other))
    assert found.code == 1
    assert "+  auto: other" in found.out
    assert (await lmxd("diff", "--patch", "{models: {tiny: {state: gone}}}")).code == 2
    assert (await lmxd("diff", "-f", "/nowhere.yaml")).code == 2


async def test_a_saved_plan_is_carried_out_while_it_holds(lmxd: Shell, tmp_path: Path) -> None:
    plan = tmp_path / "switch.json"
    made = await lmxd(
        "plan", "--patch", "{aliases: {auto: other}}", "--out", str(plan), "--detailed-exitcode"
    )
    assert made.code == 2, made.err
    assert lmxd.daemon.document.read_text() == DOCUMENT
    done = await lmxd("apply", "--plan", str(plan))
    assert done.code == 0, done.err
    assert "auto: other" in lmxd.daemon.document.read_text()


async def test_the_saved_plan_of_a_whole_text_brings_that_text(lmxd: Shell, tmp_path: Path) -> None:
    file, plan = tmp_path / "new.yaml", tmp_path / "new.json"
    file.write_text(
        text := DOCUMENT.replace("# sleeps", "# rests").replace("auto: tiny", "auto: other")
    )
    made = await lmxd("plan", "-f", str(file), "--out", str(plan))
    assert made.code == 0, made.err
    done = await lmxd("apply", "--plan", str(plan))
    assert done.code == 0, done.err
    assert lmxd.daemon.document.read_text() == text
    refused = await lmxd("apply", "--plan", str(plan))
    assert (refused.code, "does not hold any more" in refused.err) == (1, True)


async def test_a_saved_plan_goes_stale(lmxd: Shell, tmp_path: Path) -> None:
    plan = tmp_path / "load.json"
    made = await lmxd("plan", "--patch", "{models: {other: {state: loaded}}}", "--out", str(plan))
    assert made.code == 0, made.err
    assert (await lmxd("set", "models.tiny.state=loaded", "--wait", "60s")).code == 0
    refused = await lmxd("apply", "--plan", str(plan))
    assert refused.code == 1
    assert "plan" in refused.err
    assert "state: on-demand" in lmxd.daemon.document.read_text()


async def test_apply_makes_a_text_the_file(lmxd: Shell, tmp_path: Path) -> None:
    text = DOCUMENT.replace("# sleeps", "# sleeps well").replace("auto: tiny", "auto: other")
    file = tmp_path / "new.yaml"
    file.write_text(text)
    rehearsed = await lmxd("apply", "-f", str(file), "--dry-run")
    assert rehearsed.code == 0
    assert lmxd.daemon.document.read_text() == DOCUMENT
    done = await lmxd("apply", "-f", str(file))
    assert done.code == 0, done.err
    assert lmxd.daemon.document.read_text() == text
    again = await lmxd("apply", "-f", str(file))
    assert again.code == 0
    assert "nothing to change" in again.err


async def test_diff_of_a_file_shows_what_apply_would_make_of_the_file(
    lmxd: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("# another\nversion: 1\n\nmodels:\n  tiny: {source: builtin:tiny-chat}\n")
    rehearsed = await lmxd("apply", "-f", str(file), "--dry-run")
    for said in (await lmxd("diff", "-f", str(file)), await lmxd("plan", "-f", str(file))):
        lines = said.out.split("plan for")[0]
        assert lines, said.err
        assert rehearsed.out.startswith(lines)
    assert "-version: 1          # the format" in (await lmxd("diff", "-f", str(file))).out


async def test_edit_applies_what_the_editor_saves_and_opens_again_when_refused(
    lmxd: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        f"if [ -e {tmp_path}/again ]; then sed -i 's/state: lodaed/state: loaded/' \"$1\"\n"
        f"else touch {tmp_path}/again; sed -i 's/state: downloaded/state: lodaed/' \"$1\"; fi\n"
    )
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))
    said = await lmxd("edit")
    assert said.code == 0, said.err
    assert "lodaed" in said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT.replace("downloaded", "loaded")
    monkeypatch.setenv("EDITOR", "true")
    unchanged = await lmxd("edit")
    assert (unchanged.code, unchanged.err) == (0, "nothing was changed\n")
    monkeypatch.setenv("EDITOR", "sed -i s/loaded/loded/")
    refused = await lmxd("edit")
    assert (refused.code, "not applied" in refused.err) == (1, True)
    left = Path(refused.err.split("kept in ")[1].split("\n")[0])
    assert "state: loded" in left.read_text()
    left.unlink()
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    failed = await lmxd("edit")
    assert failed.code == 1
    kept = Path(failed.err.split("kept in ")[1].split("\n")[0])
    assert kept.read_text() == lmxd.daemon.document.read_text()
    kept.unlink()


async def test_history_and_the_way_back(lmxd: Shell) -> None:
    assert (await lmxd("set", "aliases.auto=other")).code == 0
    newest = json.loads((await lmxd("history", "-o", "json")).out)["generations"]
    numbers = [each["generation"] for each in newest]
    assert numbers == sorted(numbers, reverse=True)
    assert newest[0]["changes"] == [
        {"op": "replace", "path": "/aliases/auto", "before": "tiny", "after": "other"}
    ]
    one = await lmxd("history", str(numbers[0]))
    assert "+  auto: other" in one.out
    assert (await lmxd("history", "1", "--text")).out == DOCUMENT
    back = await lmxd("rollback", "1")
    assert back.code == 0, back.err
    assert lmxd.daemon.document.read_text() == DOCUMENT
    assert (await lmxd.daemon.status())["generation"] == numbers[0] + 1
    assert (await lmxd("rollback", "999")).code == 1


async def test_suspend_and_resume_are_edits_of_one_line(lmxd: Shell) -> None:
    assert (await lmxd("suspend", "tiny")).code == 0
    assert "suspend: true" in lmxd.daemon.document.read_text()
    status = await lmxd.daemon.until(
        lambda s: summary(s, "tiny") == "Suspended", "tiny is suspended"
    )
    assert condition(status, "Converged")["status"] == "True"
    assert (await lmxd("resume", "tiny")).code == 0
    assert "suspend: false" in lmxd.daemon.document.read_text()
    assert len(lmxd.daemon.document.read_text().splitlines()) == len(DOCUMENT.splitlines()) + 1
    assert (await lmxd("suspend")).code == 0
    await lmxd.daemon.until(
        lambda s: condition(s, "Suspended")["status"] == "True", "all is suspended"
    )
    assert (await lmxd("resume")).code == 0
    await lmxd.daemon.until(
        lambda s: condition(s, "Suspended")["status"] == "False", "nothing is suspended"
    )


async def test_retry_says_whether_there_was_anything_to_retry(lmxd: Shell) -> None:
    said = await lmxd("retry", "tiny")
    nothing = "tiny: nothing has failed, and nothing was changed past lmxd\n"
    assert (said.code, said.err) == (0, nothing)
    assert (await lmxd("retry", "nobody")).code == 1


async def test_another_manager_is_told_whose_the_field_is(lmxd: Shell) -> None:
    assert (await lmxd("set", "models.tiny.priority=10", "--manager", "night-bot")).code == 0
    refused = await lmxd("set", "models.tiny.priority=20", "--manager", "day-bot")
    assert refused.code == 1
    assert "night-bot" in refused.err
    assert "/models/tiny/priority" in refused.err
    forced = await lmxd("set", "models.tiny.priority=20", "--manager", "day-bot", "--force")
    assert forced.code == 0, forced.err
