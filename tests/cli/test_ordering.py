"""The verbs of one word against a real daemon: the file, the world, and the words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lmxd.cli.app import execute
from tests.cli.test_with_daemon import Shell
from tests.kit.daemon import running, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: 1          # the format
models:
  tiny:             # comes with lmxd
    source: builtin:tiny-chat
    state: downloaded
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon_shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    folder = tmp_path_factory.mktemp("ordering")
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
    return daemon_shell


async def test_load_waits_and_prints_the_key(lmxd: Shell) -> None:
    said = await lmxd("load", "tiny", "--manager", "me", "--note", "for the night")
    assert (said.code, said.out) == (0, "tiny\n"), said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT.replace("downloaded", "loaded")
    assert summary(await lmxd.daemon.status(), "tiny") == "Ready"
    assert "generation" in said.err
    assert "tiny: loading" in said.err  # it may take long, so it is not silent
    again = await lmxd("load", "builtin:tiny-chat")
    assert (again.code, again.out) == (0, "tiny\n")
    assert "nothing to change" in again.err
    shown = await lmxd("ps")
    assert shown.out.split()[:2] == ["MODEL", "STATUS"]
    assert "tiny   Ready" in shown.out
    refused = await lmxd("rm", "tiny")
    assert (refused.code, refused.out) == (1, "")
    assert "unload it first" in refused.err
    gone = await lmxd("unload", "tiny", "--force")
    assert (gone.code, gone.out) == (0, "tiny\n")
    assert lmxd.daemon.document.read_text() == DOCUMENT
    assert len((await lmxd("ps")).out.splitlines()) == 1


async def test_a_ttl_makes_a_lease(lmxd: Shell) -> None:
    said = await lmxd("load", "tiny", "--ttl", "2h")
    assert (said.code, said.out) == (0, "tiny\n"), said.err
    lease = said.err.split("lease ", 1)[1].split()[0]
    assert lmxd.daemon.document.read_text() == DOCUMENT
    assert lease in (await lmxd("leases")).out
    gone = await lmxd("unload", "tiny")
    assert f"tiny: the document stays as it is; ended {lease}" in gone.err
    assert "no leases" in (await lmxd("leases")).err


async def test_a_dry_run_shows_the_lines_and_the_plan(lmxd: Shell) -> None:
    said = await lmxd("load", "tiny", "--dry-run", "--context", "512")
    assert said.code == 0
    assert "+    state: loaded" in said.out
    assert "+    context: 512" in said.out
    assert "load" in said.out.partition("plan for")[2]
    assert "nothing was changed" in said.err
    assert lmxd.daemon.document.read_text() == DOCUMENT


async def test_pull_cp_list_and_rm(lmxd: Shell) -> None:
    pulled = await lmxd("pull", "builtin:tiny-chat")
    assert (pulled.code, pulled.out) == (0, "tiny\n")
    copied = await lmxd("cp", "tiny", "gpt-4o:mini")
    assert copied.code == 0, copied.err
    assert "gpt-4o:mini" in lmxd.daemon.document.read_text()
    listed = json.loads((await lmxd("list", "-o", "json")).out)["models"]
    assert [(each["id"], each["state"]) for each in listed] == [("tiny", "downloaded")]
    assert "tiny   downloaded  Downloaded" in (await lmxd("list")).out
    assert (await lmxd("rm", "gpt-4o:mini")).code == 0
    assert "gpt-4o:mini" not in lmxd.daemon.document.read_text()
    removed = await lmxd("rm", "tiny", "-o", "json")
    assert json.loads(removed.out)["state"] == "absent"
    text = lmxd.daemon.document.read_text()
    assert text.startswith(DOCUMENT.replace("downloaded", "absent"))


async def test_what_is_refused_says_why(lmxd: Shell) -> None:
    missing = await lmxd("unload", "tini")
    assert (missing.code, missing.out) == (1, "")
    assert "there is no model 'tini'" in missing.err
    wrong = await lmxd("load", "tiny", "--wait", "soon")
    assert wrong.code == 64
    assert lmxd.daemon.document.read_text() == DOCUMENT


@pytest.mark.parametrize("verb", ["load", "unload", "pull", "cp", "rm", "ps", "list"])
async def test_help_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([verb, "--help"]) == 0
    assert f"\n  lmxd {verb}" in capsys.readouterr().out.replace("    lmxd", "  lmxd")


async def test_what_fails_meanwhile_is_told_before_the_wait_is_over(lmxd: Shell) -> None:
    said = await lmxd("pull", "file:/no/such/folder", "--wait", "1s")
    assert said.code == 1
    assert "folder: there is no folder /no/such/folder" in said.err


async def test_a_verb_on_a_name_that_is_not_there_names_the_nearest(lmxd: Shell) -> None:
    said = await lmxd("unload", "tinny")
    assert (said.code, "download it" in said.err) == (1, False)
    assert "did you mean tiny?" in said.err
