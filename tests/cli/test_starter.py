"""`lmxd init` writes a document that is valid on every machine, suggestions included."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmxd.cli.app import execute
from lmxd.cli.starter import GIB, SUGGESTIONS, document
from lmxd.desired.read import load_file, read

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIZES = [1, 4, 8, 16, 24, 48, 96, 512]


@pytest.mark.parametrize("gib", SIZES)
def test_the_document_is_valid_and_serves_the_built_in_model(gib: int) -> None:
    found = read(document(gib * GIB).encode()).document
    assert {key: found.resolved(key).state for key in found.models} == {"tiny": "loaded"}


@pytest.mark.parametrize("gib", SIZES)
def test_suggestions_are_valid_once_their_comment_signs_are_gone(gib: int) -> None:
    """And only models that fit the machine are suggested, at most three, the largest first."""
    text = document(gib * GIB)
    lines = text.split("take the # away to have one.\n")
    bare = (
        lines[0]
        + "\n"
        + "\n".join(
            line.replace("  # ", "  ", 1) if line.startswith("  # ") else line
            for line in "".join(lines[1:]).splitlines()
        )
    )
    models = read(bare.encode()).document.models
    fitting = [each.key for each in SUGGESTIONS if each.memory <= gib * GIB]
    assert list(models) == ["tiny", *reversed(fitting[-3:])]


def test_init_writes_a_file_and_does_not_replace_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.yaml"
    assert execute(["init", str(path)]) == 0
    assert load_file(path, AT).document.models
    path.write_text("mine")
    assert execute(["init", str(path)]) == 1
    assert path.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert execute(["init", str(path), "--force"]) == 0
    assert load_file(path, AT).document.models


def test_init_says_when_a_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["init", str(tmp_path / "nowhere" / "new.yaml")]) == 1
    assert "No such file" in capsys.readouterr().err
