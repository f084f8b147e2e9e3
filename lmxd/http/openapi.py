"""The OpenAPI 3.1 document of all routes, and the page that shows it.

Made of the route table with its descriptions, of the structs that are answered, and of the schemas
that others bring: the document's and those of client APIs. The page is one file of the wheel that
fetches nothing but this document.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import msgspec
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import anthropic_schema, embeddings_schema, ollama_schema, openai_schema
from lmxd.http.description import TEXT, Description, Named, Shape, json
from lmxd.http.errors import PROBLEM, problem_body, shape_of
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.routing import Handler, Route

PATH, PAGE_PATH = "/lmxd/v1/openapi.json", "/docs"

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"<(\w+):\w+>")
_CONTENT_POLICY = "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_PROBLEM: Mapping[str, object] = {
    "type": "object",
    "description": "An RFC 9457 problem document. Some codes have members of their own: problems, "
    "conflicts, current_etag, changed_paths, overlaps, pointer, plan_id.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What failed, on which thing."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "hint": {"type": "string", "description": "What to do."},
        "param": {"type": "string"},
    },
    "additionalProperties": True,
}


def document(routes: Iterable[Route], schemas: Mapping[str, Mapping[str, object]]) -> Any:
    """The OpenAPI document of these routes; `schemas` are components by name, made elsewhere."""
    routes = [route for route in routes if route.about is not None]
    structs = sorted({each for route in routes for each in _structs(route)}, key=_name)
    shapes, components = msgspec.json.schema_components(
        structs, schema_hook=_any_value, ref_template=f"{_REF}{{name}}"
    )
    known = dict(zip(structs, shapes, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lmxd",
            "version": version("lmxd"),
            "description": "A local LLM server that one YAML file describes.",
        },
        "paths": paths,
        "components": {"schemas": {**components, **schemas, "Problem": dict(_PROBLEM)}},
    }


def routes(table: Callable[[], Iterable[Route]]) -> tuple[Route, ...]:
    """The routes of document and page; `table` gives all routes there are, these included."""
    about = Description("This document.", answer=json(_OPEN), tag="documentation")
    page = Description(
        "This document as a page; works offline.",
        answer={"text/html": TEXT},
        tag="documentation",
    )
    return (
        Route("GET", PATH, _document_handler(table), about),
        Route("GET", PAGE_PATH, _page, page),
    )


_OPEN: Mapping[str, object] = {"type": "object", "additionalProperties": True}


def _document_handler(table: Callable[[], Iterable[Route]]) -> Handler:
    made: dict[str, object] = {}

    async def show(request: Request) -> HTTPResponse:
        if not made:
            desired = _hoisted("DesiredState", await deps_of(request).control.schema())
            schemas = {
                **desired,
                **openai_schema.schemas(_REF),
                **anthropic_schema.schemas(_REF),
                **embeddings_schema.schemas(_REF),
                **ollama_schema.schemas(_REF),
            }
            made.update(await asyncio.to_thread(document, table(), schemas))
        return json_answer(made)

    return show


async def _page(_: Request) -> HTTPResponse:
    text = await asyncio.to_thread((files("lmxd.http") / "pages/docs.html").read_bytes)
    headers = {"Content-Security-Policy": _CONTENT_POLICY}
    return HTTPResponse(text, headers=headers, content_type="text/html; charset=utf-8")


def _operation(route: Route, path: str, known: Mapping[type, object]) -> dict[str, object]:
    about = route.about
    assert about is not None  # noqa: S101 - routes without one are left out
    problem = shape_of(path) is problem_body
    error = PROBLEM if problem else "application/json"
    shape = {"$ref": f"{_REF}Problem"} if problem else _OPEN
    answers: dict[str, object] = {"200": _content("It is so.", about.answer, known)}
    if about.waits:
        answers["202"] = _content("Accepted; not everything has arrived yet.", about.answer, known)
    answers["default"] = {"description": "Why not.", "content": {error: {"schema": shape}}}
    operation: dict[str, object] = {
        "tags": [about.tag],
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{path}").strip("_"),
        "summary": about.summary or summary(route.handler),
        "parameters": [*_path_parameters(path), *_parameters(about)],
        "responses": answers,
    }
    if about.body:
        operation["requestBody"] = {
            "required": not about.optional,
            "content": _by_type(about.body, known),
        }
    return operation


def _content(
    text: str, answer: Mapping[str, Shape], known: Mapping[type, object]
) -> dict[str, object]:
    return {"description": text, "content": _by_type(answer, known)}


def _by_type(shapes: Mapping[str, Shape], known: Mapping[type, object]) -> dict[str, object]:
    return {kind: {"schema": _schema(shape, known)} for kind, shape in shapes.items()}


def _schema(shape: Shape, known: Mapping[type, object]) -> object:
    if isinstance(shape, Named):
        return {"$ref": f"{_REF}{shape.name}"}
    return known[shape] if isinstance(shape, type) else dict(shape)


def _path_parameters(path: str) -> Iterator[dict[str, object]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": dict(TEXT)}


def _parameters(about: Description) -> Iterator[dict[str, object]]:
    for each in about.params:
        yield {
            "name": each.name,
            "in": each.where,
            "description": each.text,
            "schema": dict(each.schema),
        }


def summary(handler: Handler) -> str:
    """The first sentence of the docstring, without the route that it begins with."""
    text = " ".join((handler.__doc__ or "").split("\n\n")[0].split())
    said = re.sub(r"^`[^`]*`(?: and `[^`]*`)?: ", "", text)
    return (said[:1].upper() + said[1:]).replace("`", "")


def _structs(route: Route) -> Iterator[type]:
    if route.about is not None:
        for shapes in (route.about.answer, route.about.body):
            yield from (shape for shape in shapes.values() if isinstance(shape, type))


def _any_value(kind: type) -> dict[str, object]:
    """The schema of a value that may be any JSON; msgspec asks for it, and takes none for {}."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON value."}


def _name(struct: type) -> str:
    return struct.__qualname__


def _hoisted(name: str, schema: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """A schema with definitions as components: `name`, and `name.Part` for each of them."""
    text = msgspec.json.encode(schema).replace(b'"#/$defs/', f'"{_REF}{name}.'.encode())
    whole: dict[str, Any] = msgspec.json.decode(text)
    parts = whole.pop("$defs", {})
    whole.pop("$schema", None)
    return {name: whole, **{f"{name}.{part}": value for part, value in parts.items()}}
