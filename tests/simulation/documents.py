"""Random documents and edits of them, as plain data, and the parsed documents they stand for.

Values come from small menus, so that two documents have much in common: most parts are parsed
once a process. Called by `scene` and `history`; draws only from the generator it is given.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from schemas.desired import DesiredState, Limits
from schemas.model import Model
from schemas.schedule import Schedule
from tests.simulation.moods import ANYTHING, STATES, Mood

KEYS = ("a", "b", "c", "d", "e")
SOURCES = ("org/one", "org/two", "org/three", "org/four")
NAMES = ("auto", "gpt-4*")
SECONDS = {"0s": 0.0, "10s": 10.0, "1m": 60.0, "5m": 300.0, "forever": float("inf")}
HOURS = (
    ("22:00", "06:00"),
    ("22:00", "02:30"),
    ("02:30", "10:00"),
    ("02:15", "02:45"),
    ("00:00", "24:00"),
    ("23:30", "00:30"),
    ("12:00", "12:30"),
)
ZONES = ("Europe/Paris", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kolkata")
KEPT = ("0s", "1m", "5m", "forever")
DRIFT = ("enforce", "enforce", "adopt", "warn")
FIELDS = ("state", "source", "priority", "suspend", "drain", "group", "pinned")
Data = dict[str, Any]


def document(rng: random.Random, zone: str | None, mood: Mood = ANYTHING) -> Data:
    """A document of a few models and names; with a zone, it may have windows."""
    keys = rng.sample(KEYS, rng.randint(1, len(KEYS)))
    data: Data = {
        "models": {key: entry(rng, mood) for key in keys},
        "aliases": {name: targets(rng, keys) for name in NAMES if rng.random() < 0.6},
        "limits": limits(rng, mood),
        "reconcile": upkeep(rng),
        "suspend": rng.random() < 0.03,
    }
    if zone is not None:
        data["timezone"] = zone
        data["schedules"] = {
            name: window(rng, keys, priority)
            for name, priority in (("night", 20), ("noon", 10))
            if rng.random() < 0.7
        }
    return data


def upkeep(rng: random.Random) -> Data:
    """What becomes of what was changed outside, and of what was removed."""
    return {
        "drift": rng.choice(DRIFT),
        "prune_disk": rng.random() < 0.5,
        "retention": rng.choice(("0s", "10m", "1d")),
    }


def limits(rng: random.Random, mood: Mood) -> Data:
    """What may be taken of the machine."""
    found: Data = {
        "memory": rng.choice(mood.memory),
        "downloads": rng.choice((1, 2, 3)),
    }
    if rng.random() < 0.15:
        found["loaded"] = rng.choice((1, 2, 3))
    return found


def entry(rng: random.Random, mood: Mood) -> Data:
    """One model."""
    found: Data = {
        "source": f"hf:{rng.choice(SOURCES)}",
        "state": rng.choice(mood.states),
        "priority": rng.choice((10, 50, 50, 50, 90)),
        "keep_alive": rng.choice(("5m", "forever") if mood.patient else KEPT),
        "drain": rng.choice(("10s", "5m")),
    }
    for field, value, chance in (
        ("context", rng.choice((2048, 4096)), 0.3),
        ("pinned", True, 0.05),
        ("suspend", True, 0.05),
        ("kv_memory", "1GiB", 0.1),
        ("revision", "main", 0.1),
        ("engine", "gguf", 0.02),
        ("group", rng.choice(("x", "y")), 0.15),
        ("canary", {"prompt": "2+2=", "expect": "4"}, 0.1),
    ):
        if rng.random() < chance:
            found[field] = value
    return found


def targets(rng: random.Random, keys: list[str]) -> list[str]:
    """What a name leads to."""
    return rng.sample(keys, rng.randint(1, min(3, len(keys))))


def window(rng: random.Random, keys: list[str], priority: int) -> Data:
    """A window that changes one or two models, and now and then a name."""
    begin, end = rng.choice(HOURS)
    when: Data = {"from": begin, "to": end}
    if rng.random() < 0.3:
        when["days"] = [rng.choice(("mon-fri", "sat", "sun", "fri-mon"))]
    changes: Data = {}
    for key in rng.sample(keys, min(len(keys), rng.randint(1, 2))):
        changes[key] = {"state": rng.choice(("loaded", "on-demand", "downloaded"))}
        if rng.random() < 0.3:
            changes[key]["priority"] = rng.choice((20, 70))
    aliases = {"auto": targets(rng, keys)} if rng.random() < 0.3 else {}
    found: Data = {
        "when": [when],
        "priority": priority,
        "prewarm": rng.choice(("none", "none", "auto", "30m")),
        "close": rng.choice(("drain", "drain", "hard", "lazy")),
    }
    if rng.random() < 0.2:
        found["timezone"] = rng.choice(ZONES)
    return {**found, "set": {"models": changes, "aliases": aliases}}


def edited(rng: random.Random, before: Data, zone: str | None, mood: Mood = ANYTHING) -> Data:
    """An edit as people and bots make them: most touch one thing."""
    models: Data = before["models"]
    pick = rng.random()
    if pick < 0.15:
        return document(rng, zone, mood)
    if pick < mood.switches:
        return _switched(rng, before)
    if pick < 0.25:
        return {**before, "aliases": {"auto": targets(rng, list(models))}}
    if pick < 0.3:
        return {**before, "suspend": not before["suspend"]}
    if pick < 0.33:
        return {**before, "reconcile": upkeep(rng)}
    if pick < 0.4 and len(models) > 1:
        return _without(before, rng.choice(list(models)))
    if pick < 0.47 and len(models) < len(KEYS):
        new = rng.choice([key for key in KEYS if key not in models])
        return {**before, "models": {**models, new: entry(rng, mood)}}
    key = rng.choice(list(models))
    if pick < 0.55:
        changes: Data = {"context": rng.choice((512, 1024, 2048, 4096))}
    else:
        field = rng.choice((*FIELDS, "state", "state"))
        changes = {f: v for f, v in entry(rng, mood).items() if f == field}
        if field == "suspend":
            changes = {"suspend": not models[key].get("suspend", False)}
    return {**before, "models": {**models, key: {**models[key], **changes}}}


def _switched(rng: random.Random, before: Data) -> Data:
    """Another model is to be loaded, a name moves to it, and the one before is not wanted."""
    old = before["aliases"].get("auto", [*before["models"]])[0]
    new = rng.choice([*before["models"]])
    models = dict(before["models"])
    models[old] = {**models[old], "state": rng.choice(("downloaded", "on-demand"))}
    models[new] = {**models[new], "state": "loaded"}
    return {**before, "models": models, "aliases": {**before["aliases"], "auto": [new]}}


def _without(before: Data, key: str) -> Data:
    """A model is removed, and what named it with it."""
    models = {k: v for k, v in before["models"].items() if k != key}
    aliases = {
        name: left
        for name, keys in before["aliases"].items()
        if (left := [k for k in keys if k != key])
    }
    found = {**before, "models": models, "aliases": aliases}
    if "schedules" in before:
        found["schedules"] = {
            name: each for name, each in before["schedules"].items() if not _names(each, key)
        }
    return found


def _names(schedule: Data, key: str) -> bool:
    overlay = schedule["set"]
    return key in overlay["models"] or any(key in keys for keys in overlay["aliases"].values())


def quiet(data: Data) -> Data:
    """The document without what makes its end depend on the past: suspensions, missing engines."""
    models = {
        key: {f: v for f, v in each.items() if f not in ("suspend", "engine")}
        for key, each in data["models"].items()
    }
    reconcile = {**data["reconcile"], "drift": "enforce"}
    return {**data, "models": models, "suspend": False, "reconcile": reconcile}


def lease(rng: random.Random, data: Data) -> Data:
    """A patch as bots lay over the document for a while."""
    keys = list(data["models"])
    pick = rng.random()
    if pick < 0.2:
        return {"aliases": {rng.choice(NAMES): targets(rng, keys)}}
    if pick < 0.3:
        return {"suspend": rng.random() < 0.5}
    field, value = rng.choice(
        (
            ("state", rng.choice(STATES)),
            ("state", rng.choice(STATES)),
            ("priority", rng.choice((5, 95))),
            ("pinned", True),
            ("suspend", True),
        )
    )
    return {"models": {rng.choice(keys): {field: value}}}


def parse(data: Mapping[str, Any]) -> DesiredState:
    """The document, with the parts it shares with earlier ones parsed once."""
    parts: Data = dict(data)
    parts["models"] = {key: _model(_frozen(each)) for key, each in data["models"].items()}
    parts["limits"] = _limits(_frozen(data["limits"]))
    if "schedules" in data:
        parts["schedules"] = {
            name: _schedule(_frozen(each)) for name, each in data["schedules"].items()
        }
    return DesiredState.model_validate({"version": 1, **parts})


@lru_cache(maxsize=4096)
def _model(items: Any) -> Model:
    return Model.model_validate(_thawed(items))


@lru_cache(maxsize=256)
def _limits(items: Any) -> Limits:
    return Limits.model_validate(_thawed(items))


@lru_cache(maxsize=4096)
def _schedule(items: Any) -> Schedule:
    return Schedule.model_validate(_thawed(items))


def _frozen(value: Any) -> Any:
    """The value as something that can be a key."""
    if isinstance(value, dict):
        return "map", tuple((name, _frozen(each)) for name, each in value.items())
    if isinstance(value, list):
        return "list", tuple(_frozen(each) for each in value)
    return "", value


def _thawed(value: Any) -> Any:
    kind, inner = value
    if kind == "map":
        return {name: _thawed(each) for name, each in inner}
    if kind == "list":
        return [_thawed(each) for each in inner]
    return inner
