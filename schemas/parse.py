"""Plain JSON values -> a document model, or every problem in words a person can act on.

`parse` is called by `lmxd.desired` with what the YAML held. It knows JSON pointers only; lines
and columns are added by whoever has the text.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.base import Fault, Invalid
from schemas.errors import DocumentError, Problem

__all__ = ["KeyProblem", "escape", "nearest", "parse", "pointer"]

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]

_KINDS = {
    "model_type": "a map",
    "dict_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
}


class KeyProblem(Problem):
    """A problem with the key at its pointer, not with the value below it."""

    __slots__ = ()


def parse(model: type[M], data: object, texts: Mapping[str, str] | None = None) -> M:
    """Validate plain JSON values; raises DocumentError with every problem found.

    `texts` gives, by JSON pointer, how an unquoted scalar was written, so that the fix can show
    it quoted (YAML has already made 1.1 out of 1.10).
    """
    nulls = {at: KeyProblem(at, *_NULL) for at in _nulls(data)}
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        found = [
            problem
            for details in error.errors(include_url=False)
            for problem in _problems(model, data, details, texts or {})
        ]
        problems = [*nulls.values(), *(each for each in found if each.pointer not in nulls)]
        raise DocumentError("InvalidDocument", tuple(dict.fromkeys(problems))) from None
    if nulls:
        raise DocumentError("InvalidDocument", tuple(nulls.values()))
    return document


def pointer(path: Sequence[str | int]) -> str:
    """A path of keys and indexes as a JSON pointer; "" is the whole document."""
    return "".join(f"/{escape(str(part))}" for part in path)


def escape(part: str) -> str:
    """One part of a JSON pointer, escaped."""
    return part.replace("~", "~0").replace("/", "~1")


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The valid name that somebody most likely meant."""
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return close[0] if close else None


_NULL = (
    "has no value, and null has no meaning here",
    "write a value, {} for an empty map, [] for an empty list, or remove the key",
)


def _nulls(data: object, at: Path = ()) -> Iterator[str]:
    """Pointers of all nulls below the whole document, which has reasons of its own to be empty."""
    if data is None and at:
        yield pointer(at)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _nulls(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _nulls(value, (*at, index))


def _problems(
    model: type[BaseModel], data: object, details: ErrorDetails, texts: Mapping[str, str]
) -> Iterator[Problem]:
    """One error of pydantic as one problem, or as several when our own check found several."""
    kind, loc = details["type"], details["loc"]
    path = _path(data, loc)
    about = KeyProblem if kind == "extra_forbidden" or "[key]" in loc[-1:] else Problem
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Invalid):
        for fault in cause.faults:
            yield about(pointer((*path, *fault.at)), fault.message, fault.hint)
        return
    if kind == "too_short" and details["input"]:
        return  # it only looks too short because items of it are wrong, which is reported
    if kind == "extra_forbidden":
        fault = _unknown_key(str(loc[-1]), _fields_at(model, loc[:-1]))
        path = (*path, loc[-1]) if not path or path[-1] != loc[-1] else path
    elif kind == "missing":
        fault = Fault(
            f"{loc[-1]} is missing", _missing_hint(_fields_at(model, loc[:-1]), str(loc[-1]))
        )
    else:
        fault = _wrong_value(kind, details, texts.get(pointer(path)))
    yield about(pointer(path), fault.message, fault.hint)


def _path(data: object, loc: Path) -> Path:
    """The part of pydantic's location that exists in the data: no union tags, no `[key]`."""
    path: list[str | int] = []
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]  # type: ignore[index]
            path.append(part)
    return tuple(path)


def _unknown_key(name: str, fields: Mapping[str, object]) -> Fault:
    names = list(fields)
    close = nearest(name, names)
    fix = f'did you mean "{close}"?' if close else f"keys here: {', '.join(names)}"
    return Fault(f'unknown key "{_short(name)}"', fix)


def _missing_hint(fields: Mapping[str, object], name: str) -> str | None:
    return {
        "version": "add `version: 1`",
        "source": "add for example `source: hf:org/repo`",
    }.get(name, f"add `{name}:`" if name in fields else None)


def _wrong_value(kind: str, details: ErrorDetails, text: str | None) -> Fault:
    """Types, ranges and choices."""
    value, context = details["input"], details.get("ctx", {})
    shown = _shown(value, text)
    if kind == "literal_error":
        return _wrong_choice(value, shown, str(context["expected"]))
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return Fault(f"{shown} is out of range", f"write {words.format(context[name])}")
    if kind in {"string_too_short", "too_short"}:
        return Fault("must not be empty", "remove the key or write a value")
    if kind in _KINDS:
        return Fault(f"{shown} is not {_KINDS[kind]}", _kind_hint(kind, value, text))
    message = details["msg"]
    return Fault(f"{shown}: {message[:1].lower()}{message[1:]}")


def _wrong_choice(value: object, shown: str, expected: str) -> Fault:
    """`expected` is pydantic's list of a Literal's members: "'a', 'b' or 'c'"."""
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    close = nearest(value, choices) if isinstance(value, str) else None
    only = f"is not {choices[0]}" if len(choices) == 1 else f"is not one of {', '.join(choices)}"
    if len(choices) == 1:
        return Fault(f"{shown} {only}", f"write {choices[0]}")
    return Fault(f"{shown} {only}", f'did you mean "{close}"?' if close else None)


def _kind_hint(kind: str, value: object, text: str | None) -> str | None:
    if kind == "string_type" and isinstance(value, (int, float)):
        quoted = text if text is not None else json.dumps(value)
        return f'quote it: "{quoted}"'
    if kind == "bool_type" and isinstance(value, str):
        yes = value.lower() in {"yes", "y", "on", "true", "1"}
        return f"write {'true' if yes else 'false'}, not quoted"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return f"write {value} without quotes" if value.replace(".", "", 1).isdigit() else None
    if kind == "tuple_type" and not isinstance(value, dict):
        return f"write [{json.dumps(value)[:60]}]"
    return "write its fields as `name: value`" if kind == "model_type" else None


def _shown(value: object, text: str | None) -> str:
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return _short(text if text is not None else json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(model: type[BaseModel], loc: Path) -> Mapping[str, object]:
    """The fields, by name in the document, of the model that sits at this location."""
    here: object = model
    for part in loc:
        fields = _fields(here)
        if str(part) in fields:
            here = fields[str(part)]
        elif (inside := _inside(here)) is not None and not str(part).startswith("<"):
            here = inside
    return _fields(here)


def _fields(annotation: object) -> Mapping[str, object]:
    found = next((each for each in _parts(annotation) if _is_model(each)), None)
    if found is None:
        return {}
    return {info.alias or name: info.annotation for name, info in found.model_fields.items()}


def _inside(annotation: object) -> object:
    """What a map holds as values, or a list as items."""
    for each in _parts(annotation):
        if get_origin(each) is dict:
            return get_args(each)[1]
        if get_origin(each) is tuple:
            return get_args(each)[0]
    return None


def _parts(annotation: object) -> Iterator[Any]:
    """An annotation without its wrappings: members of unions, insides of Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _parts(member)
    else:
        yield annotation


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
