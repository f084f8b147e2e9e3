"""Tables: whole cells on one line in a pipe, colours on a terminal only, and words for trouble."""

from __future__ import annotations

import re
import sys

import pytest
from msgspec.structs import replace

from lmxd.cli import status_view
from lmxd.cli.output import columns, rows
from schemas.status import FailureStatus
from tests.cli.statuses import MIB, condition, daemon, model


def test_a_row_in_a_pipe_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 100
    rows("heading " + long, columns(("A", "B"), [("a", long), ("[bold]b", "x")]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ("heading " + long).rstrip()
    assert lines[1].split() == ["A", "B"]
    assert lines[2] == f"a        {long.rstrip()}"
    assert lines[3] == "[bold]b  x"


def test_the_last_words_of_a_worker_stay_in_their_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows(columns(("A", "B"), [("a", "it last wrote:\n  one\n  two")]))
    assert capsys.readouterr().out.splitlines()[1:] == ["a  it last wrote: | one | two"]


def test_no_colour_where_none_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal gets colours; NO_COLOR takes them away."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows(columns(("A",), [("Ready",)]))
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    rows(columns(("A",), [("Ready",)]))
    assert "\x1b[32m" not in capsys.readouterr().out


def test_a_narrow_terminal_lists_every_cell_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit as a table is listed: no word is cut, least of all the reason."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    cells = ("coder", "NotAdmitted", "hf:mlx-community/Qwen2.5-Coder-32B-Instruct-4bit")
    words = [f"word{number}" for number in range(100, 140)]
    for width in (40, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        rows(columns(("MODEL", "SUMMARY", "SOURCE", "MESSAGE"), [(*cells, " ".join(words))]))
        shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
        assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
        assert [word for word in ("coder", "NotAdmitted", *words) if word not in shown] == []


def test_the_heading_tells_what_is_wrong_with_the_daemon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = daemon(
        conditions=(
            condition("ConfigValid", "False", "line 3 is wrong"),
            condition("MemoryPressure", "True", "memory is short"),
            condition("DiskPressure", "False", "plenty"),
            condition("Converged", "False", "still busy"),
        )
    )
    status_view.print_all(found)
    assert capsys.readouterr().out.splitlines() == [
        "lmxd 0.1.0: Healthy, generation 3, epoch 5, memory 256 MiB of 4 GiB",
        "ConfigValid=False: line 3 is wrong",
        "MemoryPressure=True: memory is short",
        "",
        "no models are wanted",
    ]


def test_a_message_says_why_and_when_next() -> None:
    failure = FailureStatus("HubUnreachable", "no answer", 2, "2026-01-01T00:00:10+00:00")
    failed = model(summary="Failed", failure=failure)
    assert status_view.message_of(failed) == "no answer; next try at 2026-01-01T00:00:10+00:00"
    stuck = replace(failed, failure=FailureStatus("Gated", "no permission", 1, None))
    assert status_view.message_of(stuck) == "no permission"


def test_a_model_that_is_as_it_should_be_needs_no_words() -> None:
    assert status_view.message_of(model()) == ""
    unsupported = (condition("Ready"), condition("Supported", "False", "without effect: /warm"))
    assert status_view.message_of(model(conditions=unsupported)) == "without effect: /warm"


def test_a_download_shows_its_bytes() -> None:
    loading = model(summary="Downloading")
    assert status_view.message_of(loading) == "10 MiB of 80 MiB (12%)"


def test_memory_that_is_only_wanted_stands_in_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = model("held")
    wanted = model("wanted", "Waiting", memory=replace(held.memory, reserved=0))
    unknown = model("unknown", "Waiting", memory=replace(wanted.memory, needed=None))
    status_view.print_all(daemon(held, wanted, unknown))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=4)[4].split("  ")[0] for line in lines[-3:]] == [
        "256 MiB",
        f"({300 * MIB // MIB} MiB)",
        "-",
    ]
