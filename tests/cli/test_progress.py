"""Progress: what moves is shown with bytes; a pipe gets a line for each tenth, not each look."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from lmxd.cli.progress import Bars, Lines, movement
from schemas.status import ModelStatus
from tests.cli.statuses import MIB, model


def downloading(done: int, total: int | None = 80) -> ModelStatus:
    found = model(summary="Downloading")
    size = None if total is None else total * MIB
    return replace(found, disk=replace(found.disk, bytes_have=done * MIB, bytes_total=size))


def loading(done: int | None, total: int | None) -> ModelStatus:
    found = model(summary="Loading")
    serving = replace(found.serving, loading_done=done, loading_total=total)
    return replace(found, serving=serving)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (downloading(12), "tiny: downloading, 12 MiB of 80 MiB (15%)"),
        (downloading(12, None), "tiny: downloading, 12 MiB"),
        (downloading(90, 80), "tiny: downloading, 90 MiB of 80 MiB (100%)"),
        (loading(MIB, 4 * MIB), "tiny: loading, 1 MiB of 4 MiB (25%)"),
        (loading(None, None), "tiny: loading"),
        (model(summary="Waiting"), "tiny: waiting"),
    ],
)
def test_a_movement_in_words(status: ModelStatus, words: str) -> None:
    assert str(movement(status)) == words


@pytest.mark.parametrize("summary", ["Ready", "Idle", "Downloaded", "Failed", "Stalled"])
def test_a_model_at_rest_does_not_move(summary: str) -> None:
    assert movement(model(summary=summary)) is None


def test_lines_are_written_for_each_tenth_and_each_verb(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Lines() as lines:
        for mib in (0, 1, 2, 9, 10, 40):
            lines.show([downloading(mib)])
        lines.show([loading(0, 4 * MIB)])
        lines.show([model()])
        lines.show([loading(0, 4 * MIB)])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "tiny: downloading, 0 B of 80 MiB (0%)",
        "tiny: downloading, 9 MiB of 80 MiB (11%)",
        "tiny: downloading, 40 MiB of 80 MiB (50%)",
        "tiny: loading, 0 B of 4 MiB (0%)",
        "tiny: loading, 0 B of 4 MiB (0%)",
    ]


def test_bars_show_bytes_and_go_when_a_model_is_at_rest() -> None:
    out = io.StringIO()
    with Bars(Console(file=out, force_terminal=True, width=100)) as bars:
        bars.show([downloading(40)])
        bars.refresh()
        shown = out.getvalue()
        assert "tiny: downloading" in shown
        assert "40.0/80.0 MiB" in shown
        bars.show([model()])
        out.truncate(0)
        bars.refresh()
        assert "tiny" not in out.getvalue()
