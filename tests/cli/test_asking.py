"""What people write on the command line becomes the change that they mean."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lmxd.cli import asking, paths
from lmxd.cli.speech import Call, Terms
from schemas.errors import LmxdError

DOCUMENT = {
    "models": {"qwen2.5": {"state": "loaded"}, "tiny": {"state": "downloaded"}},
    "aliases": {"auto": "tiny"},
}


@pytest.mark.parametrize(
    ("written", "patch"),
    [
        ("models.tiny.state=loaded", {"models": {"tiny": {"state": "loaded"}}}),
        ("models.qwen2.5.priority=80", {"models": {"qwen2.5": {"priority": 80}}}),
        (
            "models.new.source=builtin:tiny-chat",
            {"models": {"new": {"source": "builtin:tiny-chat"}}},
        ),
        ("aliases.auto=[tiny, qwen2.5]", {"aliases": {"auto": ["tiny", "qwen2.5"]}}),
        ("aliases.auto-", {"aliases": {"auto": None}}),
        ("/aliases/gpt-4.1=tiny", {"aliases": {"gpt-4.1": "tiny"}}),
        ("/aliases/a~1b=tiny", {"aliases": {"a/b": "tiny"}}),
        ("suspend=true", {"suspend": True}),
        ("models.tiny.system=a=b", {"models": {"tiny": {"system": "a=b"}}}),
        ('models.tiny.revision="0123"', {"models": {"tiny": {"revision": "0123"}}}),
        ("models.tiny.system=", {"models": {"tiny": {"system": None}}}),
    ],
)
def test_an_assignment_is_a_merge_patch(written: str, patch: dict[str, object]) -> None:
    assert asking.assigned(DOCUMENT, [written]) == patch


def test_several_assignments_are_one_patch() -> None:
    written = ["models.tiny.state=loaded", "models.tiny.priority=90", "aliases.big=qwen2.5"]
    assert asking.assigned(DOCUMENT, written) == {
        "models": {"tiny": {"state": "loaded", "priority": 90}},
        "aliases": {"big": "qwen2.5"},
    }


@pytest.mark.parametrize("written", ["models.tiny", "", "=1", "a..b=1", "x={", "models=1"])
def test_what_is_no_assignment_is_refused(written: str) -> None:
    with pytest.raises(LmxdError):
        asking.assigned(DOCUMENT, [written, "models.tiny.state=loaded"])


def test_a_patch_comes_from_the_line_a_file_or_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"aliases": {"auto": "big"}}
    file = tmp_path / "patch.yaml"
    file.write_text("aliases:\n  auto: big  # by night\n")
    assert asking.patch("{aliases: {auto: big}}") == wanted
    assert asking.patch(f"@{file}") == wanted
    monkeypatch.setattr("sys.stdin", io.StringIO('{"aliases": {"auto": "big"}}'))
    assert asking.patch("-") == wanted
    assert asking.patch('[{"op": "remove", "path": "/aliases/auto"}]') == [
        {"op": "remove", "path": "/aliases/auto"}
    ]


@pytest.mark.parametrize("written", ["loaded", "3", "null", "@/nowhere", "{a: [}"])
def test_what_is_no_patch_is_refused(written: str) -> None:
    with pytest.raises(LmxdError):
        asking.patch(written)


def test_terms_travel_as_headers_and_query() -> None:
    terms = Terms(dry_run=True, wait_s=60, lease="2h", manager="me", note="für die Nacht")
    call = Call.of_json("PATCH", "/p", {}, terms)
    assert call.target == "/p?dry_run=true"
    assert call.headers[b"Prefer"] == b"wait=60"
    assert call.headers[b"Lmxd-Lease"] == b"2h"
    assert call.headers[b"Lmxd-Note"].decode() == "für die Nacht"
    assert b"If-Match" not in call.headers


def test_keys_of_a_path_follow_the_document_where_it_leads() -> None:
    assert paths.keys(DOCUMENT, "models.qwen2.5.state") == ("models", "qwen2.5", "state")
    assert paths.keys(DOCUMENT, "models.qwen3.5.state") == ("models", "qwen3.5", "state")
    assert paths.keys(DOCUMENT, "/models/qwen3.5/state") == ("models", "qwen3.5", "state")
