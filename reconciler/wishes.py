"""What a verb asks for -> the merge patch that says so, and what has to hold after it. Pure.

`reconciler.objections` says why a wish is not to be granted, and `lmxd.daemon.verbs` carries wishes
out, as edits or as leases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from reconciler.naming import new_key, source_of
from reconciler.picture import Picture
from reconciler.state import InstancePhase, Lease, ModelKey, ModelState
from schemas.desired import DesiredState
from schemas.edit import MISSING
from schemas.errors import Code, RequestError
from schemas.leaves import setting
from schemas.parse import nearest
from schemas.quantities import parse_long_duration
from schemas.verbs import Copy, Create, Delete, Download, Keep, Load, Unload, Verb

__all__ = ["LOADED", "Scene", "Wish", "wished"]

LOADED = frozenset({ModelState.LOADED})
ON_DISK = frozenset({ModelState.DOWNLOADED, ModelState.ON_DEMAND, ModelState.LOADED})
GONE = frozenset({ModelState.ABSENT})
UNLOADED = frozenset(ModelState) - LOADED
_ALIVE = (InstancePhase.LOADING, InstancePhase.READY, InstancePhase.CURRENT)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a verb meets: the world, the models that its name leads to (none: it leads nowhere),
    and what the document said of the state of the first before somebody set it over HTTP
    (`MISSING` for nothing; None: nobody did).
    """

    picture: Picture
    found: tuple[ModelKey, ...]
    before: object = None

    @property
    def document(self) -> DesiredState | None:
        """The accepted document."""
        accepted = self.picture.config.accepted
        return accepted.document if accepted is not None else None

    def data(self, section: str) -> Mapping[str, object]:
        """A map of the document as plain values."""
        accepted = self.picture.config.accepted
        found = accepted.data.get(section) if accepted is not None else None
        return found if isinstance(found, Mapping) else {}

    def state(self, key: ModelKey) -> str | None:
        """What the document alone says of a model; None: it does not have it."""
        document = self.document
        known = document is not None and key in document.models
        return document.resolved(key).state if document is not None and known else None


@dataclass(frozen=True, slots=True)
class Wish:
    """A verb as a change. `key`: the model it is about, "" for an alias alone.

    patch: empty when nothing has to be written. wants: what the model has to be after it; None:
    whatever it is. ends: leases that were made for this model alone and say otherwise. rests: what
    requests asked of it before does not count any more.
    """

    key: str
    patch: Mapping[str, object]
    wants: Collection[ModelState] | None = None
    ends: tuple[Lease, ...] = ()
    rests: bool = False


def wished(verb: Verb, scene: Scene, *, lent: bool, force: bool) -> Wish:
    """The change that a verb is, for good or (`lent`) as a lease. Raises RequestError."""
    match verb:
        case Load():
            return _load(verb, scene, lent=lent)
        case Unload():
            return _unload(verb, scene, lent=lent)
        case Keep():
            return _keep(verb, scene)
        case Download():
            return _download(verb, scene, lent=lent)
        case Copy():
            return _copy(verb, scene, force=force)
        case Create():
            return _create(verb, scene, force=force)
        case Delete():
            return _delete(verb, scene, lent=lent, force=force)


# --- the verbs --------------------------------------------------------------------------------


def _load(verb: Load, scene: Scene, *, lent: bool) -> Wish:
    if not scene.found:
        if verb.known:
            raise _unknown(verb.name, scene)
        fields: dict[str, object] = {"state": "loaded"}
        if verb.context is not None:
            fields["context"] = verb.context
        return _fresh(verb.name, scene, fields, LOADED)
    key = scene.found[0]
    base, document = scene.state(key), scene.document
    entry: dict[str, object] = {}
    if base is None:
        entry = _lent_entry(key, scene)
    if lent or base != "loaded":
        entry["state"] = "loaded"
    if verb.context is not None:
        known = document is not None and base is not None
        says = document.resolved(key).context if document is not None and known else None
        if lent or says != verb.context:
            entry["context"] = verb.context
    ends = () if lent else _opposing(key, scene, LOADED)
    return Wish(key, _entry(key, entry), LOADED, ends)


def _unload(verb: Unload, scene: Scene, *, lent: bool) -> Wish:
    """Back to on demand where a load had raised it from there, else only its files stay."""
    key = _model(verb.name, scene)
    if lent:
        return Wish(key, _entry(key, {"state": "downloaded"}), UNLOADED, rests=True)
    entry: dict[str, object] = {}
    if scene.state(key) == "loaded":
        before, document = scene.before, scene.document
        if before is MISSING and document is not None:
            before = document.defaults.state
        entry["state"] = "on-demand" if before == "on-demand" else "downloaded"
    return Wish(key, _entry(key, entry), UNLOADED, _opposing(key, scene, UNLOADED), rests=True)


def _keep(verb: Keep, scene: Scene) -> Wish:
    """The last word counts: leases that only say how long this model is kept, otherwise, end."""
    key = _model(verb.name, scene)
    model = scene.picture.effective.model(key)
    if model is None or not (model.demanded or model.state is ModelState.ON_DEMAND):
        return Wish(key, {})
    patch = _entry(key, {"keep_alive": verb.keep_alive})
    keeping = tuple(
        lease
        for lease in scene.picture.effective.leases
        if set(setting(lease.patch)) == {("models", key, "keep_alive")}
    )
    if parse_long_duration(verb.keep_alive) == 0:
        return Wish(key, {}, ends=keeping, rests=True)
    others = tuple(lease for lease in keeping if lease.patch != patch)
    if not keeping and parse_long_duration(verb.keep_alive) == model.keep_alive_s:
        return Wish(key, {})
    return Wish(key, patch, ends=others)


def _download(verb: Download, scene: Scene, *, lent: bool) -> Wish:
    if not scene.found:
        return _fresh(verb.name, scene, {"state": verb.state}, ON_DISK)
    key = scene.found[0]
    model = scene.picture.effective.model(key)
    missing = model is None or model.state is ModelState.ABSENT
    written = scene.state(key) == "absent" or (lent and missing)
    entry = {"state": verb.state} if written else {}
    ends = () if lent else _opposing(key, scene, ON_DISK)
    return Wish(key, _entry(key, entry), ON_DISK, ends)


def _copy(verb: Copy, scene: Scene, *, force: bool) -> Wish:
    """An alias of an alias leads to the same models in the same order."""
    key = _model(verb.name, scene)
    document, aliases = scene.document, scene.data("aliases")
    if document is not None and verb.alias in document.models and not force:
        raise _taken(verb.alias, "is a model", "take another name, or add force=true to hide it")
    target = aliases.get(verb.name, key)
    current = aliases.get(verb.alias)
    if current == target:
        return Wish(key, {})
    return Wish(key, {"aliases": {verb.alias: _instead(current, target)}})


def _create(verb: Create, scene: Scene, *, force: bool) -> Wish:
    models = scene.data("models")
    if scene.found:
        below = models.get(scene.found[0]) or _lent_entry(scene.found[0], scene)
        base = {k: v for k, v in below.items() if k != "state"} if isinstance(below, dict) else {}
    else:
        base = {"source": source_of(verb.base)}
    entry = base | dict(verb.fields)
    current = models.get(verb.key)
    if current == entry:
        return Wish(verb.key, {})
    if current is not None and not force:
        raise _taken(verb.key, "is another model", "take another name, or add force=true")
    return Wish(verb.key, {"models": {verb.key: _instead(current, entry)}})


def _delete(verb: Delete, scene: Scene, *, lent: bool, force: bool) -> Wish:
    if verb.name in scene.data("aliases"):
        return Wish("", {"aliases": {verb.name: None}})
    key = _model(verb.name, scene)
    model = scene.picture.effective.model(key)
    alive = any(i.key == key and i.phase in _ALIVE for i in scene.picture.observed.instances)
    if not force and (alive or (model is not None and model.state is ModelState.LOADED)):
        raise RequestError(
            Code.MODEL_LOADED,
            f"{key} is loaded",
            hint="unload it first, or add force=true",
            details={"model": key},
        )
    entry = {"state": "absent"} if lent or scene.state(key) not in (None, "absent") else {}
    ends = () if lent else _opposing(key, scene, GONE)
    return Wish(key, _entry(key, entry), GONE, ends, rests=True)


# --- what they are made of --------------------------------------------------------------------


def _fresh(
    name: str, scene: Scene, fields: Mapping[str, object], wants: Collection[ModelState]
) -> Wish:
    """A model that the document does not have yet."""
    source = source_of(name)
    effective = scene.picture.effective
    taken = {*scene.data("models"), *scene.data("aliases"), *effective.aliases}
    key = new_key(source, taken | {model.key for model in effective.models})
    return Wish(key, _entry(ModelKey(key), {"source": source, **fields}), wants)


def _entry(key: ModelKey, fields: Mapping[str, object]) -> Mapping[str, object]:
    return {"models": {key: dict(fields)}} if fields else {}


def _instead(current: object, value: object) -> object:
    """A value of a merge patch that leaves nothing of the map that is there."""
    if not (isinstance(current, Mapping) and isinstance(value, Mapping)):
        return value
    return {**dict.fromkeys(key for key in current if key not in value), **value}


def _opposing(key: ModelKey, scene: Scene, wants: Collection[ModelState]) -> tuple[Lease, ...]:
    """Leases on this model alone that say a state which is not wanted."""
    return tuple(
        lease
        for lease in scene.picture.effective.leases
        if all(path[:2] == ("models", key) for path in setting(lease.patch))
        and (state := _said(lease, key).get("state")) is not None
        and state not in wants
    )


def _lent_entry(key: ModelKey, scene: Scene) -> dict[str, object]:
    """A model that only leases have, as they have it."""
    found: dict[str, object] = {}
    for lease in scene.picture.effective.leases:
        found |= _said(lease, key)
    return {name: value for name, value in found.items() if value is not None}


def _said(lease: Lease, key: ModelKey) -> Mapping[str, object]:
    models = lease.patch.get("models")
    fields = models.get(key) if isinstance(models, Mapping) else None
    return fields if isinstance(fields, Mapping) else {}


def _model(name: str, scene: Scene) -> ModelKey:
    if not scene.found:
        raise _unknown(name, scene)
    return scene.found[0]


def _unknown(name: str, scene: Scene) -> RequestError:
    known = sorted(_names(scene))
    close = nearest(name, known)
    return RequestError(
        Code.MODEL_NOT_FOUND,
        f"there is no model {name[:100]!r}; there is: {', '.join(known[:20]) or 'none'}",
        hint=f"did you mean {close}?" if close else "`lmxd list` shows the models",
        param="model",
        details={"models": known[:20]},
    )


def _names(scene: Scene) -> Iterator[str]:
    yield from scene.picture.effective.aliases
    yield from (model.key for model in scene.picture.effective.models)


def _taken(name: str, what: str, hint: str) -> RequestError:
    return RequestError(Code.FIELD_CONFLICT, f"{name[:128]} {what} already", hint=hint)
