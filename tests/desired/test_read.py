"""Bytes of a file: what YAML is read, what is refused, and where the refusal points."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmxd.desired.read import MAX_BYTES, accept, canonical, excerpt, load_file, read
from schemas.errors import DocumentError, Problem
from schemas.patch import changes

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = "  m: {source: 'builtin:tiny-chat'}\n"


def refused(text: str | bytes) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(text.encode() if isinstance(text, str) else text)
    return caught.value


def only(text: str) -> Problem:
    (problem,) = refused(text).problems
    return problem


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment\n", "---\n", "~\n", "null", "\ufeff"]
)
def test_an_empty_file_is_not_an_empty_wish(text: str) -> None:
    assert refused(text).reason == "EmptyFile"


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("version: 1\nmodels: [\n", 3, 1, "while parsing a flow node"),
        ("version: 1\n\tx: 1\n", 2, 1, "cannot start any token"),
        ("version: 1\nx: hf: y\n", 2, 6, "mapping values are not allowed here"),
        ("version: 1\nversion: 1\n", 2, 1, 'key "version" appears twice, first in line 1'),
        ("version: 1\nlimits: {queue: 1, queue: 2}\n", 2, 20, 'key "queue" appears twice'),
        ("version: 1\n<<: {}\n<<: {}\n", 3, 1, 'key "<<" appears twice'),
        ("version: 1\n---\nversion: 1\n", 2, 1, "a second document begins here"),
        ("version: 1\n---\n", 2, 1, "a second document begins here"),
        ("%YAML 1.1\n---\nversion: 1\n", 1, 1, "YAML 1.1 is not read"),
        ("version: !x 1\n", 1, 10, "tag !x has no meaning here"),
        ("version: !!int 1\n", 1, 10, "tag !!int has no meaning here"),
        ("models: !!omap {}\n", 1, 9, "tag !!omap has no meaning here"),
        ("version: *x\n", 1, 10, "alias *x has no anchor"),
        ("x: &a [*a]\n", 1, 8, "stands inside what it refers to"),
        ("? [a]\n: 1\n", 1, 3, "a key has to be text"),
        ("version: 1\n<<: 3\n", 2, 5, "<< takes a map"),
        ("version: \x07", 1, 10, "character #x0007 is not allowed"),
        ("[]]", 1, 3, "the document has ended before this"),
        ("a: " + "[" * 3000, 1, 67, "nested more than 64 levels"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), 65, 65, "nested more than 64"),
    ],
)
def test_bad_yaml_is_refused_at_its_place(text: str, line: int, column: int, words: str) -> None:
    error = refused(text)
    (problem,) = error.problems
    assert error.reason == "InvalidYAML"
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message


def test_bytes_that_are_not_utf8_are_refused_at_their_place() -> None:
    (problem,) = refused("version: 1\nx: ä\n".encode("latin-1")).problems
    assert (problem.line, problem.column, problem.message) == (2, 4, "byte 0xe4 is not UTF-8")


@pytest.mark.parametrize(
    ("first", "line", "words"),
    [
        (
            "[x, x, x, x, x, x, x, x, x, x]",
            "[*{0}, *{0}, *{0}, *{0}, *{0}, *{0}]",
            "expand to more",
        ),
        ("{{k: 1}}", "{{<<: [*{0}, *{0}]}}", "expand to more"),
        ("[x]", "[*{0}]", "nest more than 64 levels"),
        ("{{k: 1}}", "{{<<: *{0}}}", "nest more than 64 levels"),
    ],
)
def test_aliases_cannot_blow_up_the_document(first: str, line: str, words: str) -> None:
    lines = [f"a0: &a0 {first.format()}"]
    lines += [f"a{level}: &a{level} {line.format(f'a{level - 1}')}" for level in range(1, 300)]
    assert words in only("\n".join(lines)).message


def test_a_file_over_one_mebibyte_is_refused() -> None:
    assert refused(b"version: 1\n#" + b"x" * MAX_BYTES).reason == "FileTooLarge"


@pytest.mark.parametrize(
    ("text", "line", "column", "pointer"),
    [
        ("version: 1\nlimits:\n  wait: 5\n", 3, 9, "/limits/wait"),
        ("version: 1\nlimits:\n  wiat: 5s\n", 3, 3, "/limits/wiat"),
        ("version: 1\nlimts: {wait: 5s}\n", 2, 1, "/limts"),
        ('version: 1\nsuspend: "true"\n', 2, 10, "/suspend"),
        ("version: 1\nmodels:\n  m:\n    state: loaded\n", 3, 3, "/models/m"),
        ("version: 1\nmodels:\n", 2, 1, "/models"),
        ("models: {}\n", 1, 1, ""),
        (f"version: 1\nmodels:\n{MODEL}aliases: {{a: [m, x]}}\n", 4, 18, "/aliases/a/1"),
        ("version: 1\naliases: {a: x}\n", 2, 14, "/aliases/a"),
        ("version: 1\nsuspend: yes\n", 2, 10, "/suspend"),
    ],
)
def test_a_mistake_points_at_its_line_and_column(
    text: str, line: int, column: int, pointer: str
) -> None:
    problem = only(text)
    assert (problem.line, problem.column, problem.pointer) == (line, column, pointer)


def test_problems_come_in_the_order_of_the_file() -> None:
    found = refused("versoin: 1\nlimits: {wait: 5}\nmodels: {m: {}}\nx: 1\n").problems
    assert [problem.line for problem in found] == sorted(problem.line or 0 for problem in found)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("field", "fix"),
    [
        ("revision: 1.10", 'quote it: "1.10"'),
        ("revision: 010", 'quote it: "010"'),
        ("revision: 1e3", 'quote it: "1e3"'),
        ("system: true", None),
    ],
)
def test_scalars_that_yaml_would_change_are_refused_as_written(field: str, fix: str | None) -> None:
    problem = only(f"version: 1\nmodels:\n  m:\n    source: 'builtin:tiny-chat'\n    {field}\n")
    assert problem.hint == (fix or 'quote it: "true"')


def test_dates_and_times_stay_text() -> None:
    reading = read(
        b"version: 1\ntimezone: Europe/Paris\nschedules:\n  n:\n"
        b"    when: [{from: 22:30, to: 06:00}]\n    except: [2026-12-25]\n    set: {}\n"
    )
    window = reading.document.schedules["n"]
    assert (window.when[0].from_, window.except_) == ("22:30", ("2026-12-25",))
    assert reading.data["schedules"]["n"]["except"] == ["2026-12-25"]  # type: ignore[index]


def test_keys_are_text_however_they_look() -> None:
    reading = read(
        b"version: 1\nmodels:\n  1.10: {source: 'builtin:tiny-chat'}\n  on: {source: 'hf:a/b'}\n"
    )
    assert list(reading.document.models) == ["1.10", "on"]


def test_anchors_and_merges_are_read_as_copies() -> None:
    reading = read(
        b"version: 1\nmodels:\n"
        b"  a: &a {source: 'builtin:tiny-chat', parallel: 2, context: 1k}\n"
        b"  b: {<<: *a, parallel: 3}\n"
        b"  c: {<<: [{parallel: 5}, *a]}\n"
    )
    models = reading.document.models
    assert [model.parallel for model in models.values()] == [2, 3, 5]
    assert {model.context for model in models.values()} == {1024}


def test_values_are_plain() -> None:
    reading = read(b"version: 1\nmodels:\n" + MODEL.encode() + b"limits: {queue: 0x10}\n")
    kinds = {type(reading.data), type(reading.data["limits"]), type(reading.document.limits.queue)}
    assert kinds == {dict, int}
    assert reading.document.limits.queue == 16


def test_a_byte_order_mark_and_crlf_are_read() -> None:
    reading = read("\ufeffversion: 1\r\nsuspend: true\r\n".encode())
    assert reading.document.suspend is True


def test_an_excerpt_shows_the_line_and_a_caret() -> None:
    text = "version: 1\nlimits:\n  wait: 5\n"
    assert excerpt(text, only(text)) == "    3 |   wait: 5\n      |         ^"


def test_an_excerpt_of_a_long_line_shows_the_part_that_matters() -> None:
    text = "version: 1\nx" + "y" * 500 + ": *z"
    shown, caret = excerpt(text, only(text)).split("\n")
    assert len(shown) < 120
    assert shown[caret.index("^")] == "*"


def test_there_is_no_excerpt_without_a_place() -> None:
    assert excerpt("version: 1", Problem("", "gone")) == ""


def test_a_file_is_loaded_or_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "desired-state.yaml"
    reasons = []
    for prepare in (lambda: None, path.mkdir, path.rmdir, lambda: os.mkfifo(path), path.unlink):
        prepare()
        with pytest.raises(DocumentError) as caught:
            load_file(path, AT)
        reasons.append(caught.value.reason)
    assert reasons == [
        "FileMissing",
        "FileUnreadable",
        "FileMissing",
        "FileUnreadable",
        "FileMissing",
    ]
    path.write_text("version: 1\n")
    assert load_file(path, AT).document.version == 1


def test_canonical_form_keeps_the_order_that_has_meaning() -> None:
    one = {"version": 1, "models": {"a": {"x": 1, "y": 2}, "b": {}}, "aliases": {"p": 1, "q": 2}}
    same = {"aliases": {"q": 2, "p": 1}, "models": {"a": {"y": 2, "x": 1}, "b": {}}, "version": 1}
    other = {**one, "models": {"b": {}, "a": {"x": 1, "y": 2}}}
    assert canonical(one) == canonical(same)
    assert canonical(one) != canonical(other)
    assert canonical({"aliases": {"a": [1, 2]}}) != canonical({"aliases": {"a": [2, 1]}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"version": 1}, {"version": 1, "models": {}}),
        ({"x": 1}, {"x": 1.0}),
        ({"x": 1}, {"x": True}),
        ({"models": {"a": {"x": [2.0]}}}, {"models": {"a": {"x": [2]}}}),
        ({"x": 0.5}, {"x": 0.25}),
    ],
)
def test_canonical_forms_are_equal_where_there_are_no_changes(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert (canonical(one) == canonical(other)) is (changes(one, other) == ())


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        read(raw)
    assert caught.value.problems


FRAGMENTS = ["version: 1", "\n", "  ", "models:", "a", ": ", "[", "]", "{", "}", "&x ", "*x", "'"]
FRAGMENTS += ['"', "- ", "|", "!t ", "# ", "<<"]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_any_mixture_of_yaml_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DocumentError):
        assert read(text.encode()).document.version == 1


def test_windows_that_contradict_each_other_are_refused_with_their_place() -> None:
    raw = (
        b"version: 1\ntimezone: Europe/Paris\nmodels:\n" + MODEL.encode() + b"schedules:\n"
        b"  day:\n    when: [{from: '08:00', to: '20:00'}]\n"
        b"    set: {models: {m: {state: loaded}}}\n"
        b"  late:\n    when: [{from: '19:00', to: '23:00'}]\n"
        b"    set: {models: {m: {state: absent}}}\n"
    )
    assert read(raw).document.schedules
    with pytest.raises(DocumentError) as caught:
        accept(raw, AT)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.line) == ("/schedules/late/set/models/m/state", 11)
    assert "first at Fri 2026-11-20 19:00 Europe/Paris" in problem.message
