"""Tools: families from `text/tools.txt`, families made up, and tools drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from .dialogue import ToolSchema
from .phrasing import pick
from .texts import Record, records, sections
from .words import ADJECTIVES, NOUNS, VALUES, invented

_TEXT = sections("tool_words")
_KINDS = (
    ("word", "string"),
    ("word", "string"),
    ("phrase", "string"),
    ("topic", "string"),
    ("name", "string"),
    ("number", "integer"),
    ("decimal", "number"),
    ("code", "string"),
    ("path", "string"),
    ("sentence", "string"),
)
_EXTRA_KINDS = (("word", "string"), ("small", "integer"), ("name", "string"))


@dataclass(frozen=True)
class Param:
    """One parameter; `names` are alternatives, `kind` is a key of `words.VALUES`."""

    names: tuple[str, ...]
    kind: str
    type: str = "string"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Tools that do one thing; `{0}` in `asks` is an argument, `told` introduces a result."""

    names: tuple[str, ...]
    about: tuple[str, ...]
    params: tuple[Param, ...]
    asks: tuple[str, ...]
    told: str = "The result is {r}."
    results: tuple[str, ...] = ("{word}", "{number}", "ok", "done", "{phrase}", "{code}")
    optional: Param | None = None
    optional_tail: str = ""


def _param(line: str) -> Param:
    names, kind, type_ = (part.strip() for part in f"{line} : string".split(" : ")[:3])
    return Param(tuple(names.split()), kind, type_)


def _family(record: Record) -> Family:
    optional, tail = None, ""
    if "optional" in record:
        names, choices, tail = (part.strip() for part in record["optional"][0].split(" : "))
        optional = Param(tuple(names.split()), "", "string", tuple(choices.split()))
    return Family(
        tuple(record["names"][0].split()),
        record["about"],
        tuple(_param(line) for line in record.get("param", ())),
        record["ask"],
        record["told"][0],
        record["results"],
        optional,
        f" {tail}" if tail else "",
    )


FAMILIES = tuple(_family(record) for record in records("tools"))


class Tool:
    """One concrete tool drawn from a family."""

    def __init__(self, rng: Random, family: Family, taken: set[str]) -> None:
        self.family = family
        self.name = self._named(rng, taken)
        names = [pick(rng, p.names) for p in family.params]
        if rng.random() < 0.08:
            names = [invented(rng) for _ in names]
        if len(set(names)) < len(names):
            names = [p.names[0] for p in family.params]
        self.params = list(zip(names, family.params, strict=True))
        wanted = family.optional is not None and rng.random() < 0.4
        self.optional = (
            (pick(rng, family.optional.names), family.optional)
            if family.optional and wanted
            else None
        )
        self.schema = self._schema(rng)

    def _named(self, rng: Random, taken: set[str]) -> str:
        name = pick(rng, self.family.names)
        if name in taken or rng.random() < 0.12:
            word = invented(rng)
            return rng.choice(
                (f"{name}_{word}", word, f"{word}_{name}", f"{name}{rng.randint(2, 9)}")
            )
        return name

    def _schema(self, rng: Random) -> ToolSchema:
        shown = self.params + ([self.optional] if self.optional else [])
        properties: dict[str, Any] = {}
        for name, param in shown:
            properties[name] = {
                "type": param.type,
                **({"enum": list(param.choices)} if param.choices else {}),
            }
        parameters: dict[str, Any] = {"type": "object", "properties": properties}
        if rng.random() < 0.85 or self.optional:
            parameters["required"] = [name for name, _ in self.params]
        function: dict[str, Any] = {"name": self.name, "parameters": parameters}
        if rng.random() < 0.88:
            function["description"] = pick(rng, self.family.about)
        if not shown and rng.random() < 0.3:
            del function["parameters"]
        return {"type": "function", "function": function}


def made_up(rng: Random) -> Family:
    """A family nobody has seen before."""
    verb = pick(rng, _TEXT["verbs"])
    noun = pick(rng, NOUNS) if rng.random() < 0.75 else invented(rng)
    general = pick(rng, _TEXT["made.general"]).format(n=noun)
    filled = {
        "v": verb,
        "V": verb.capitalize(),
        "n": noun,
        "N": noun.capitalize(),
        "a": pick(rng, NOUNS) if rng.random() < 0.5 else general,
        "x": pick(rng, _TEXT["made.extra"]),
        "j": pick(rng, ADJECTIVES),
        "w": invented(rng),
    }
    params: tuple[Param, ...] = (Param((filled["a"],), *rng.choice(_KINDS)),)
    chance = rng.random()
    if chance < 0.10:
        params = ()
    elif chance < 0.35:
        params += (Param((filled["x"],), *rng.choice(_EXTRA_KINDS)),)
    asks = _TEXT[f"made.{('none', 'one', 'two')[len(params)]}"]
    return Family(
        names=(pick(rng, _TEXT["made.names"]).format(**filled),),
        about=tuple(text.format(**filled) for text in _TEXT["made.about"]),
        params=params,
        asks=tuple(text.format(**filled) for text in asks),
    )


def _clashes(one: Family, other: Family) -> bool:
    same_start = one.about[0].split()[:3] == other.about[0].split()[:3]
    return (
        same_start
        or bool(set(one.names) & set(other.names))
        or bool(set(one.asks) & set(other.asks))
    )


def toolbox(rng: Random, count: int, avoid: Family | None = None) -> list[Tool]:
    """Some tools that do different things, and none that does what `avoid` does."""
    chosen: list[Family] = []
    while len(chosen) < count:
        family = made_up(rng) if rng.random() < 0.5 else FAMILIES[rng.randrange(len(FAMILIES))]
        if not any(_clashes(family, f) for f in (*chosen, *((avoid,) if avoid else ()))):
            chosen.append(family)
    taken: set[str] = set()
    tools = []
    for family in chosen:
        tools.append(Tool(rng, family, taken))
        taken.add(tools[-1].name)
    return tools


def value_of(rng: Random, param: Param) -> str | int | float:
    """An argument for the parameter."""
    value = VALUES[param.kind](rng)
    return value.rstrip(".?!") or "yes" if isinstance(value, str) else value
