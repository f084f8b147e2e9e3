"""What leases lay over the document and over its windows. Pure.

`leased` reads leases into a document, each on what lies below it; `laid` puts what they set, and
nothing else, over the document as hosts and windows left it. Called by `resolve` for an instant,
and by the owner of leases to judge them. Whether somebody may make a lease is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from reconciler.state import Accepted, Lease
from schemas.base import Strict
from schemas.desired import DesiredState
from schemas.edit import MISSING, Change
from schemas.errors import DocumentError, Problem
from schemas.leaves import Path, setting
from schemas.parse import parse, pointer
from schemas.patch import merged

FIELDS = ("suspend", "limits", "defaults", "models", "aliases")
"""The parts of a document that a lease may set."""
ABOVE_WINDOWS = 1001
"""The rank of a state that a lease sets, as a priority among windows; theirs end at 1000."""

S = TypeVar("S", bound=Strict)


@dataclass(frozen=True, slots=True)
class Leased:
    """A document with leases read into it, hosts and windows left out.

    `held` are the leases in force, the one that wins last; `states` by model the lease that says
    what its state is; `void` are leases that do not fit what lies below them, and why.
    """

    document: DesiredState
    held: tuple[Lease, ...] = ()
    states: Mapping[str, Lease] = field(default_factory=dict)
    void: tuple[tuple[Lease, DocumentError], ...] = ()

    def sets(self, key: str, field: str) -> bool:
        """Does a lease set or remove this field of a model."""
        return any(field in _fields(lease, key) for lease in self.held)

    def said_later(self, key: str) -> Iterator[tuple[datetime, str | None]]:
        """The instants at which leases that say the state of a model run out, in order, and the
        state that the rest then say; None when no lease says it any more.
        """
        saying = [lease for lease in self.held if "state" in _fields(lease, key)]
        for end in sorted({lease.expires_at for lease in saying}):
            left = [lease for lease in saying if lease.expires_at > end]
            value = _fields(left[-1], key)["state"] if left else None
            yield end, str(value or self.document.defaults.state) if left else None


def leased(accepted: Accepted, leases: Iterable[Lease], at: datetime) -> Leased:
    """The document under those leases that have not expired at an instant."""
    document, data = accepted.document, accepted.data
    held: list[Lease] = []
    void: list[tuple[Lease, DocumentError]] = []
    states: dict[str, Lease] = {}
    for lease in leases:
        if lease.expires_at <= at:
            continue
        known = document.models
        try:
            document, data = _patched(document, data, lease.patch)
        except DocumentError as error:
            void.append((lease, error))
            continue
        held.append(lease)
        states |= dict.fromkeys(_stated(lease, known), lease)
    return Leased(document, tuple(held), states, tuple(void))


def laid(document: DesiredState, found: Leased) -> DesiredState:
    """`document` with everything that the leases set, or remove, as they have it."""
    for lease in found.held:
        document = _record(document, found.document, lease.patch)
    return document


def lending(patch: Mapping[str, object], data: Mapping[str, object]) -> tuple[Change, ...]:
    """What a lease does to a document leaf by leaf; also where it says what that says already."""
    return tuple(Change(path, _at(data, path), _at(patch, path)) for path in setting(patch))


def _at(data: object, path: Path) -> object:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return MISSING if data is None else data


def _patched(
    document: DesiredState, data: Mapping[str, object], patch: Mapping[str, object]
) -> tuple[DesiredState, Mapping[str, object]]:
    """The document and its plain values with a lease read in. Raises DocumentError.

    Only what the patch touches is validated anew, and the references between all parts.
    """
    faults = tuple(_unfit(data, patch))
    if faults:
        raise DocumentError("InvalidLease", faults)
    data = merged(data, patch)
    others = sorted(document.model_fields_set - patch.keys())
    parts = {name: getattr(document, name) for name in others}
    parts |= {name: data[name] for name in patch if name in data}
    for name, below in (("models", document.models), ("aliases", document.aliases)):
        touched, values = patch.get(name), parts.get(name)
        if isinstance(touched, Mapping) and isinstance(values, dict):
            parts[name] = {
                key: value if key in touched else below[key] for key, value in values.items()
            }
    return parse(DesiredState, parts), data


def _unfit(data: Mapping[str, object], patch: Mapping[str, object]) -> Iterator[Problem]:
    """What no lease may do, whatever the document says."""
    if not any(setting(patch)):
        yield Problem("", "the lease sets nothing", 'write for example {"suspend": true}')
    known = [name for name in patch if name in DesiredState.model_fields and name not in FIELDS]
    for name in known:
        fix = f"it may set {', '.join(FIELDS[:-1])} and {FIELDS[-1]}; edit the document for more"
        yield Problem(pointer((name,)), f"a lease cannot change {name}", fix)
    models, below = patch.get("models", {}), data.get("models")
    if models is None:
        yield Problem("/models", "a lease cannot remove models", _REST)
    elif isinstance(models, Mapping) and isinstance(below, Mapping):
        for key in (key for key, fields in models.items() if fields is None and key in below):
            yield Problem(pointer(("models", key)), f'a lease cannot remove "{key}"', _REST)


_REST = 'write {"state": "downloaded"} to have it unloaded for a time'


def _stated(lease: Lease, known: Mapping[str, object]) -> Iterator[str]:
    """Keys of models whose state the lease says, or which it brings."""
    models = lease.patch.get("models")
    for key in models if isinstance(models, Mapping) else ():
        if "state" in _fields(lease, key) or key not in known:
            yield key


def _fields(lease: Lease, key: str) -> Mapping[str, object]:
    """What a lease says of a model."""
    models = lease.patch.get("models")
    fields = models.get(key) if isinstance(models, Mapping) else None
    return fields if isinstance(fields, Mapping) else {}


def _record(below: S, above: Strict, patch: Mapping[str, object]) -> S:
    """`below` with the fields that the patch names as `above` has them, set or not set."""
    update = {
        name: _value(getattr(below, name), getattr(above, name), part)
        for name, part in patch.items()
    }
    found = below.model_copy(update=update)
    # A field that is not set has its default already; only the mark of being set has to go.
    found.model_fields_set.difference_update(patch.keys() - above.model_fields_set)
    return found


def _value(below: object, above: object, part: object) -> object:
    """One value: maps merge by what the patch names of them, anything else is as above."""
    if isinstance(part, Mapping):
        if isinstance(above, Strict) and type(below) is type(above):
            return _record(below, above, part)
        if isinstance(above, dict) and isinstance(below, dict):
            return _map(below, above, part)
    return above


def _map(
    below: dict[str, object], above: dict[str, object], patch: Mapping[str, object]
) -> dict[str, object]:
    found = {key: value for key, value in below.items() if key not in patch or key in above}
    for key, part in patch.items():
        if key in above:
            found[key] = _value(below.get(key), above[key], part)
    return found
