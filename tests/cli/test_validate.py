"""`lmxd validate` and `lmxd plan FILE` work without a daemon and say what is wrong where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmxd.cli.app import execute
from lmxd.desired.read import read

GOOD = """\
version: 1
timezone: Europe/Paris
models:
  big: {source: "hf:org/big", state: loaded, tokenizer: "hf:org/other"}
  small: {source: "file:/models/small", state: on-demand}
aliases: {auto: [big, small]}
schedules:
  night:
    when: [{days: [mon], from: "22:00", to: "06:00"}]
    set: {models: {big: {state: downloaded}}}
"""
BAD = """\
version: 1
models:
  a:
    source: hf:org/a
    stat: loaded
limits: {memory: 4}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LMXD_DOCUMENT", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_valid_document_is_summed_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "desired-state.yaml").write_text(GOOD)
    assert execute(["validate"]) == 0
    said = capsys.readouterr()
    assert said.out == (
        "desired-state.yaml is valid: 2 models (1 loaded, 1 on-demand), 1 alias, 1 schedule\n"
    )
    assert (
        "warning: /models/big/tokenizer is accepted and has no effect in this version" in said.err
    )


def test_problems_show_their_line_and_a_fix(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.yaml").write_text(BAD)
    assert execute(["validate", "bad.yaml"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        'bad.yaml:5:5: error: /models/a/stat: unknown key "stat"\n'
        "    5 |     stat: loaded\n"
        "      |     ^\n"
        '  hint: did you mean "state"?\n'
        "bad.yaml:6:18: error: /limits/memory: 4 is not a percentage or a size\n"
        "    6 | limits: {memory: 4}\n"
        "      |                  ^\n"
        '  hint: write a percentage like "90%" or a size like "400GiB"\n'
        "bad.yaml is not valid: 2 problems\n"
    )


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_problems_for_programs(here: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    (here / "bad.yaml").write_text(BAD)
    assert execute(["validate", "bad.yaml", "-o", form]) == 1
    out = capsys.readouterr().out
    if form == "json":
        found = json.loads(out)
        assert found["valid"] is False
        assert [(p["line"], p["pointer"]) for p in found["problems"]] == [
            (5, "/models/a/stat"),
            (6, "/limits/memory"),
        ]
    assert "did you mean" in out


def test_a_valid_document_for_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "good.yaml").write_text(GOOD)
    assert execute(["validate", "good.yaml", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["valid"], found["withoutEffect"]) == (True, ["/models/big/tokenizer"])


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "is empty"), (b"\xff\xfe", "UTF-8"), (b"a: [", "error")],
)
def test_files_that_are_no_document(
    here: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    if content is not None:
        (here / "bad.yaml").write_bytes(content)
    assert execute(["validate", "bad.yaml"]) == 1
    assert words in capsys.readouterr().err


def test_without_any_document_the_next_step_is_shown(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["validate"]) == 1
    assert "`lmxd init` writes one" in capsys.readouterr().err


def test_a_preview_plans_downloads_and_names(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "good.yaml").write_text(GOOD)
    assert execute(["plan", "good.yaml"]) == 0
    said = capsys.readouterr()
    assert "big  download hf:org/big" in said.out
    assert "auto → big, small" in said.out
    assert "no daemon was asked" in said.err


def test_what_comes_with_lmxd_is_not_downloaded(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a.yaml").write_text(
        "version: 1\nmodels: {t: {source: 'builtin:tiny-chat', state: loaded}}\n"
    )
    assert execute(["plan", "a.yaml"]) == 0
    said = capsys.readouterr().out
    assert "verify builtin:tiny-chat" in said
    assert "download" not in said


@pytest.mark.parametrize(
    ("text", "code"), [("version: 1\n", 0), (GOOD, 2), (BAD, 1)], ids=["none", "some", "bad"]
)
def test_detailed_exit_codes(here: Path, text: str, code: int) -> None:
    (here / "some.yaml").write_text(text)
    assert execute(["plan", "some.yaml", "--detailed-exitcode"]) == code


def test_a_preview_for_programs_is_json_or_yaml(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "good.yaml").write_text(GOOD)
    assert execute(["plan", "good.yaml", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["actions"]
    assert execute(["plan", "good.yaml", "-o", "yaml"]) == 0
    assert "kind: download" in capsys.readouterr().out


def test_the_example_of_this_test_is_a_document() -> None:
    assert read(GOOD.encode()).document.schedules
