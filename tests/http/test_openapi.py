"""The OpenAPI document is valid, names every route, and says what is really answered."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from lmxd.desired.generate import json_schema
from lmxd.http.app import ROUTES
from tests.http.test_control_verbs import hold
from tests.kit.http_stage import FakeControl, Stage, stage

API = "/lmxd/v1/openapi.json"


async def api(on: Stage) -> Any:
    return (await on.get(API)).json()


def whole(schema: dict[str, object], found: Any) -> dict[str, object]:
    """A schema of the document, as one that stands alone."""
    return {**schema, "components": found["components"]}


@pytest.fixture(autouse=True)
def real_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    async def schema(_: FakeControl) -> dict[str, object]:
        return json_schema()

    monkeypatch.setattr(FakeControl, "schema", schema)


async def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    async with stage() as on:
        found = await api(on)
    validate(found)
    assert found["openapi"] == "3.1.0"


async def test_every_route_is_in_it_with_a_sentence_and_parameters() -> None:
    async with stage() as on:
        found = await api(on)
    said = {
        (method.upper(), path): it
        for path, item in found["paths"].items()
        for method, it in item.items()
    }
    there = {(route.method, re.sub(r"<(\w+):\w+>", r"{\1}", route.path)) for route in ROUTES}
    assert set(said) == there
    for (_, path), it in said.items():
        assert re.fullmatch(r"[A-Z][^`]{10,}\.", it["summary"]), it["summary"]
        inside = {each["name"] for each in it["parameters"] if each["in"] == "path"}
        assert inside == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize(
    ("method", "path", "template", "body"),
    [
        ("GET", "status", "status", None),
        ("GET", "leases", "leases", None),
        ("GET", "generations", "generations", None),
        ("GET", "generations/7", "generations/{generation}", None),
        ("GET", "timeline", "timeline", None),
        ("GET", "models/day-coder", "models/{key}", None),
        ("PATCH", "desired", "desired", {"suspend": True}),
        ("PATCH", "leases/l-1", "leases/{lease}", {"ttl": "2h"}),
        ("DELETE", "leases/l-1", "leases/{lease}", None),
        ("POST", "plan", "plan", {"patch": {}}),
        ("POST", "models/day-coder/retry", "models/{key}/retry", None),
    ],
)
async def test_what_is_answered_is_what_the_document_says(
    method: str, path: str, template: str, body: object
) -> None:
    async with stage() as on:
        hold(on)
        found = await api(on)
        answer = await on.send(method, path, body, prefer="wait=1")
    assert answer.status_code == 200
    operation = found["paths"][f"/lmxd/v1/{template}"][method.lower()]
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), whole(shape, found))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([], whole(shape, found))


async def test_an_error_is_what_the_document_says() -> None:
    async with stage() as on:
        found = await api(on)
        answer = await on.send("PATCH", "desired?nope", {})
    problem = found["components"]["schemas"]["Problem"]
    jsonschema.validate(answer.json(), whole(problem, found))
    assert set(answer.json()) <= {*problem["properties"]}


async def test_the_page_fetches_nothing_from_elsewhere() -> None:
    async with stage() as on:
        answer = await on.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "//" not in re.sub(r"/\*\*.*?\*/", "", answer.text)
    assert f'fetch("{API}")' in answer.text
