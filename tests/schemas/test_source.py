"""Sources: one canonical spelling each, and the fix for what is not one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Invalid
from schemas.source import Source, parse_source

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:org/repo", Source("hf", "org/repo")),
        ("hf:org/Repo-4bit:Q4_K_M", Source("hf", "org/Repo-4bit", quant="Q4_K_M")),
        ("hf:gpt2", Source("hf", "gpt2")),
        ("file:/models/my model", Source("file", "/models/my model")),
        ("file:~/models/x", Source("file", "~/models/x")),
        ("oci:reg.example:5000/a/b:v1", Source("oci", "reg.example:5000/a/b", tag="v1")),
        (
            f"oci:reg.example/a@sha256:{DIGEST}",
            Source("oci", "reg.example/a", sha256=DIGEST),
        ),
        (
            f"https://host.example/m.gguf#sha256={DIGEST}",
            Source("https", "//host.example/m.gguf", sha256=DIGEST),
        ),
        ("builtin:tiny-chat", Source("builtin", "tiny-chat")),
    ],
)
def test_a_source_is_parsed_and_spelled_the_same_way(text: str, source: Source) -> None:
    assert parse_source(text) == source
    assert str(source) == text


def test_a_slash_at_the_end_of_a_path_means_nothing() -> None:
    assert str(parse_source("file:/models/x/")) == "file:/models/x"


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("org/repo", 'write "hf:org/repo"'),
        ("/models/x", 'write "file:/models/x"'),
        ("~/models/x", 'write "file:~/models/x"'),
        ("ftp:x", "begin it with one of hf:, file:, oci:, https:, builtin:"),
        ("", "begin it with one of hf:, file:, oci:, https:, builtin:"),
        ("hf:a/b/c", 'write "hf:org/repo", or "hf:org/repo:Q4_K_M" for one quantization'),
        ("hf:", 'write "hf:org/repo"'),
        ("hf:../x", 'write "hf:org/repo"'),
        ("file:relative", "write an absolute path"),
        ("file:/", "write an absolute path"),
        ("file://host/x", "write an absolute path"),
        ("https://host.example/m.gguf", 'write "https://host/path#sha256=<64 hex digits>"'),
        ("oci:repo", 'write "oci:registry/path:tag"'),
        ("builtin:", 'write "builtin:tiny-chat"'),
    ],
)
def test_what_is_no_source_is_refused_with_a_fix(text: str, fix: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_source(text)
    assert (error.value.faults[0].hint or "").startswith(fix)


@pytest.mark.parametrize("value", [3, None, ["hf:a/b"], {"hf": "a/b"}])
def test_a_source_is_text(value: object) -> None:
    with pytest.raises(Invalid):
        parse_source(value)


@given(st.one_of(st.text(), st.from_regex(r"(hf|file|oci|https|builtin):[ -~]{0,40}")))
def test_what_is_accepted_is_spelled_canonically(text: str) -> None:
    try:
        source = parse_source(text)
    except Invalid:
        return
    assert parse_source(str(source)) == source
