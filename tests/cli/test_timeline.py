"""The picture of the coming hours: what is drawn where, on any terminal, in any night."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from lmxd.cli.app import execute
from lmxd.cli.output import drawn
from lmxd.cli.timeline_view import ASCII, BLOCKS, Marks, picture
from lmxd.daemon.timeline import shown
from reconciler.timeline import timeline
from schemas.wire.control import Timeline
from tests.kit import tiny
from tests.kit.daemon import running
from tests.kit.documents import loaded, write
from tests.reconciler.test_windows import EVENING, NIGHT, shop

HOUR = timedelta(hours=1)
BOTH: dict[str, Any] = {
    **NIGHT,
    "prewarm": "2h",
    "set": {"models": {"night": {"state": "loaded"}}},
}
LUNCH: dict[str, Any] = {
    "when": [{"from": "12:00", "to": "14:00"}],
    "set": {"models": {"day": {"state": "on-demand"}}},
}


def answer(hours: float = 30, **parts: Any) -> Timeline:
    picture_ = shop(**parts).settle().picture
    return shown(timeline(picture_, hours, ""))


def drawing(
    found: Timeline, width: int = 80, marks: Marks = BLOCKS, now: datetime | None = None
) -> list[str]:
    return [line.plain.rstrip() for line in picture(found, width, marks, now)]


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.startswith(f"  {name}"))


def test_a_day_and_a_half_at_eighty_columns() -> None:
    found = answer(night=BOTH, lunch=LUNCH)
    assert drawing(found, now=EVENING) == [
        "Fri 2026-11-20 21:59 to Sun 2026-11-22 03:59, Europe/Paris",
        "",
        "             │Sat 21 Nov                                             │Sun 22",
        "         22  00   02   04  06   08   10  12   14   16  18   20   22  00   02",
        "         ▼ now",
        "windows",
        "  lunch                                  ━━━━━━",
        "  night  ━━━━━━━━━━━━━━━━━━━                                     ━━━━━━━━━━━━━━",
        "models",
        "  day    ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇····▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇",
        "  night  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                                ░░░░░▇▇▇▇▇▇▇▇▇▇▇▇▇▇",
        "memory   ▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▃▃▃▃▃▃▃▃▃▃▃▃▃▃    ▃▃▃▃▃▃▃▃▃▃▃▃▃▃▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆",
        "         at most 12.5 GiB of 16 GiB",
        "",
        "▇ loaded   ░ in memory, answers nobody   · on demand   ✗ no room",
    ]


def test_marks_stand_where_their_hours_are() -> None:
    """Thirty hours in sixty columns: two a column for each hour."""
    found = answer(night=BOTH, lunch=LUNCH)
    lines = drawing(found, width=60 + 10)
    label = 9
    models = lines[lines.index("models") + 1 : lines.index("models") + 3]
    drawn_ = {line.split()[0]: line[label:].ljust(60) for line in models}
    hours = lines[3].ljust(label + 60)[label:]
    for tick, begin in (("22", 0), ("00", 4), ("12", 28), ("22", 48)):
        assert hours[begin : begin + 2] == tick, lines[3]
    assert set(drawn_["night"][0:17]) == {"▇"}
    assert set(drawn_["night"][18:44]) == {" "}
    assert set(drawn_["night"][45:48]) == {"░"}
    assert set(drawn_["day"][29:32]) == {"·"}
    assert set(drawn_["day"][33:60]) == {"▇"}
    windows = {line.split()[0]: line[label:].ljust(60) for line in lines[5:7]}
    assert set(windows["lunch"][29:32]) == {"━"}
    memory = next(line for line in lines if line.startswith("memory"))[label:]
    assert (memory[10], memory[20]) == ("▆", "▃")


def test_who_has_no_room_is_marked_and_explained() -> None:
    found = answer(memory=10, night={**BOTH, "prewarm": "none"})
    lines = drawing(found)
    assert "✗" in row(lines[lines.index("models") :], "day")
    assert any(line.startswith("✗ day, from Fri 22:00 on: needs 6.2 GiB") for line in lines)
    assert "Fri 22:00-Sat 06:00 wants 12.5 GiB of 10 GiB; day loses" in lines


def test_names_that_answer_nobody_are_named_once_with_their_hours() -> None:
    lines = drawing(answer(hours=60, memory=9))
    assert (
        "auto answers nobody while a model loads, from Fri 22:00, Sat 22:00, Sun 22:00 on" in lines
    )
    assert "auto answers nobody for about 10 s, from Sat 06:00, Sun 06:00, Mon 06:00 on" in lines


def test_a_terminal_without_blocks_gets_letters_and_signs() -> None:
    lines = drawing(answer(memory=10, night=BOTH, lunch=LUNCH), marks=ASCII)
    assert "\n".join(lines).isascii()
    assert "#" in row(lines[lines.index("models") :], "night")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_of_the_picture_is_wider_than_the_terminal(width: int) -> None:
    found = answer(hours=168, night=BOTH, lunch=LUNCH)
    lines = drawing(found, width=width, now=EVENING)
    rows = lines[2 : next(i for i, x in enumerate(lines) if "at most" in x)]
    assert max(map(cell_len, rows)) <= max(width, 9 + 12)


@pytest.mark.parametrize(
    ("day", "hours", "ticks"),
    [(28, "22 23 00 01 03 04 05 06 07 08 09", 11), (27, "22 23 00 01 02 03 04 05 06 07 08 09", 12)],
)
def test_an_hour_that_clocks_jump_over_has_no_tick(day: int, hours: str, ticks: int) -> None:
    at = datetime(2026, 3, day, 21, tzinfo=UTC)
    found = answer(hours=ticks, at=at)
    lines = drawing(found, width=120)
    assert lines[3].split() == hours.split()
    begin, end = (lines[3].index(tick) for tick in ("22", "06"))
    night = row(lines[lines.index("models") :], "night")
    assert night[begin:end] == "▇" * (end - begin)
    assert set(night[end + 1 :]) <= {" "}


def test_an_hour_that_comes_twice_is_twice_as_long() -> None:
    found = answer(hours=8, at=datetime(2026, 10, 24, 21, tzinfo=UTC))
    hours = drawing(found, width=120)[3]
    assert hours.split() == ["23", "00", "01", "02", "03", "04", "05"]
    length = hours.index("01") - hours.index("00")
    assert hours.index("03") - hours.index("02") in range(2 * length - 1, 2 * length + 2)


def test_what_is_not_known_is_not_drawn() -> None:
    here = shop()
    here.probed = False
    found = shown(timeline(here.step().picture, 24, ""))
    lines = drawing(found)
    assert found.budget is None
    assert not any(line.startswith("memory") for line in lines)


def test_a_pipe_that_takes_letters_only_gets_no_blocks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, bool]] = []
    monkeypatch.setenv("COLUMNS", "57")
    drawn(lambda width, blocks: said.append((width, blocks)) or [])
    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    drawn(lambda width, blocks: said.append((width, blocks)) or [])
    assert said == [(57, True), (57, False)]
    assert capsys.readouterr().out == ""


FILE = """\
version: 1
timezone: Europe/Paris
models:
  one: {source: "hf:org/one", state: loaded}
  two: {source: "hf:org/two", state: downloaded}
schedules:
  always:
    when: [{from: "00:00", to: "24:00"}]
    set: {models: {one: {state: downloaded}, two: {state: loaded}}}
hosts:
  "studio-*": {set: {models: {one: {revision: abc}}}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LMXD_HOST_NAME", raising=False)
    path = tmp_path / "d.yaml"
    path.write_text(FILE)
    return str(path)


def test_a_file_is_drawn_without_a_daemon(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["timeline", file, "--hours", "6"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("Europe/Paris")
    assert row(out[out.index("models") :], "two").split()[1] == "▇" * 70
    assert not any(line.startswith("  one") for line in out)


def test_the_same_for_programs(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["timeline", file, "--hours", "6", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [span["loaded"] for span in found["spans"]] == [{"two": 0}]
    assert (found["zone"], found["spans"][0]["windows"]) == ("Europe/Paris", ["always"])


def test_a_bad_file_is_told_and_nothing_drawn(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_text("version: 2\n")
    assert execute(["timeline", file]) == 1
    said = capsys.readouterr()
    assert (said.out, "is not valid: 1 problem" in said.err) == ("", True)


def test_a_plan_of_a_file_is_that_of_the_machine_that_is_named(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(["plan", file]) == 0
    assert "hf:org/one@abc" not in capsys.readouterr().out
    assert execute(["plan", file, "--host-name", "studio-7"]) == 0
    assert "hf:org/one@abc" in capsys.readouterr().out
    monkeypatch.setenv("LMXD_HOST_NAME", "studio-7")
    assert execute(["plan", file]) == 0
    assert "hf:org/one@abc" in capsys.readouterr().out


async def test_a_daemon_is_asked_for_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    always = {"when": [{"from": "00:00", "to": "24:00"}], "set": {"aliases": {"auto": "one"}}}
    models = {"one": loaded(tiny.cached(tmp_path / "models", says="abc"))}
    document = tmp_path / "desired-state.yaml"
    write(document, models, {}, timezone="UTC", schedules={"always": always})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        found = await asyncio.to_thread(
            execute, ["timeline", "--hours", "5", "-o", "json", "--url", daemon.url]
        )
        shown_ = json.loads(capsys.readouterr().out)
        assert (found, shown_["zone"]) == (0, "UTC")
        assert [list(span["loaded"]) for span in shown_["spans"]] == [["one"]]
        assert shown_["spans"][0]["windows"] == ["always"]
        drawn_ = await asyncio.to_thread(execute, ["timeline", "--url", daemon.url])
        out = capsys.readouterr().out.splitlines()
        assert (drawn_, any(line.startswith("memory") for line in out)) == (0, True)
