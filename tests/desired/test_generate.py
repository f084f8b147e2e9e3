"""The generated files are fresh, and the JSON Schema agrees with the models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lmxd.desired.generate import files, json_schema, main
from lmxd.desired.read import read
from schemas import support
from schemas.errors import DocumentError
from schemas.support import unsupported

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "desired-state.example.yaml").read_text(encoding="utf-8")
FULL = re.sub(r"^#: ", "", EXAMPLE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", sorted(files()))
def test_generated_files_are_fresh(name: str) -> None:
    """Run `python -m lmxd.desired.generate` when this fails."""
    assert (ROOT / name).read_text(encoding="utf-8") == files()[name]


def test_the_generator_writes_below_the_given_folder(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert {name for name in files() if (tmp_path / name).is_file()} == set(files())


def test_the_example_begins_with_the_line_editors_look_for() -> None:
    first = EXAMPLE.partition("\n")[0]
    assert first == "# yaml-language-server: $schema=./schemas/desired-state.schema.json"
    assert (ROOT / first.partition("$schema=")[2]).is_file()


@pytest.mark.parametrize("text", [EXAMPLE, FULL], ids=["as it stands", "every option"])
def test_the_example_is_valid(text: str, validator: jsonschema.Draft202012Validator) -> None:
    reading = read(text.encode())
    validator.validate(reading.data)
    assert reading.document.models["tiny-chat"].state == "loaded"


def test_the_example_as_it_stands_asks_for_nothing_in_vain() -> None:
    document = read(EXAMPLE.encode()).document
    assert unsupported(document) == ((), {"tiny-chat": ()})
    assert list(document.models) == ["tiny-chat"]
    assert document.aliases == {"auto": ("tiny-chat",), "gpt-4o-mini": "tiny-chat"}


def test_the_example_shows_every_option() -> None:
    schema = json_schema()
    shown = set(_options(read(FULL.encode()).data, schema, schema))
    every = {(name, key) for name, part in _objects(schema) for key in part["properties"]}
    # `defaults` and overlays of hosts repeat the fields of models and of limits.
    model = {key for name, key in shown if name == "Model"}
    missing = {
        each for each in every - shown if not (each[0] == "ModelFields" and each[1] in model)
    }
    assert missing == set()


def _objects(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("", schema), *schema["$defs"].items()]


def _options(
    value: object, part: dict[str, Any], schema: dict[str, Any], name: str = ""
) -> list[tuple[str, str]]:
    """(definition, key) of everything that a document sets."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        part = schema["$defs"][name]
    for each in part.get("oneOf", []):
        if each.get("type") == {str: "string", list: "array"}.get(type(value)):
            return _options(value, each, schema, name)
    if isinstance(value, list):
        return [found for item in value for found in _options(item, part["items"], schema)]
    if not isinstance(value, dict):
        return []
    if "properties" in part:
        found = [(name, key) for key in value]
        return found + [
            inner
            for key, item in value.items()
            for inner in _options(item, part["properties"][key], schema)
        ]
    inside = [*part.get("patternProperties", {}).values(), part.get("additionalProperties")][0]
    return [found for item in value.values() for found in _options(item, inside, schema)]


TINY = {"source": "builtin:tiny-chat"}


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {"version": 2},
        {"version": 1, "limts": {}},
        {"version": 1, "models": None},
        {"version": 1, "models": {"m": {}}},
        {"version": 1, "models": {"a b": TINY}},
        {"version": 1, "models": {"m": {"source": "org/repo"}}},
        {"version": 1, "models": {"m": {**TINY, "context": None}}},
        {"version": 1, "models": {"m": {**TINY, "keep_alive": 5}}},
        {"version": 1, "models": {"m": {**TINY, "keep_alive": "5"}}},
        {"version": 1, "models": {"m": {**TINY, "state": "running"}}},
        {"version": 1, "models": {"m": {**TINY, "revision": 1.1}}},
        {"version": 1, "models": {"m": {**TINY, "parallel": 0}}},
        {"version": 1, "models": {"m": {**TINY, "sampling": {"top_p": 0}}}},
        {"version": 1, "defaults": TINY},
        {"version": 1, "limits": {"memory": 0.9}},
        {"version": 1, "limits": {"memory": "a lot"}},
        {"version": 1, "limits": {"bandwidth": "50MiB"}},
        {"version": 1, "limits": {"download_window": "22-06"}},
        {"version": 1, "aliases": {"a b": []}},
        {"version": 1, "aliases": {"a": []}},
        {"version": 1, "timezone": "Europe/Paris", "schedules": {"n": {"when": [], "set": {}}}},
        {
            "version": 1,
            "timezone": "Europe/Paris",
            "schedules": {"n": {"when": [{"from": "8:00", "to": "24:00"}], "set": {}}},
        },
        {"version": 1, "keys": {"k": {"hash": "secret"}}},
    ],
)
def test_schema_and_models_refuse_the_same(
    data: object, validator: jsonschema.Draft202012Validator
) -> None:
    assert not validator.is_valid(data)
    with pytest.raises(DocumentError):
        read(json.dumps(data).encode())


def test_the_example_marks_what_has_no_effect_yet_and_nothing_else() -> None:
    marked, comment = set(), ""
    for line in EXAMPLE.splitlines():
        text = line.removeprefix("#:").strip()
        if not line.startswith("#:") and text.startswith("#"):
            comment += text
        elif match := re.match(r"([a-z_]+):", text):
            if "[later]" in comment:
                marked.add(match[1])
            comment = ""
        else:
            comment = ""
    gaps = {*support.MODEL, *(pointer.rpartition("/")[2] for pointer in support.DOCUMENT)}
    assert marked == gaps
