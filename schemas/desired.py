"""The desired-state document, version 1: what somebody wants this machine to serve.

`DesiredState` is built by `lmxd.desired` from the file (through `schemas.parse`) and read by the
reconciler. It is strict and frozen; references between its parts have been checked. What needs
the disk, the clock or the ledger (does it fit, is the window open) is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from schemas.alias import Alias, AliasName
from schemas.base import Fault, Invalid, Items, Strict, option
from schemas.model import Key, Model, ModelFields, laid_over
from schemas.parse import nearest
from schemas.quantities import Bandwidth, DayWindow, Duration, Memory, Size
from schemas.schedule import Overlay, Schedule, Timezone

__all__ = [
    "ApiKey",
    "DesiredState",
    "HostEntry",
    "HostOverlay",
    "Limits",
    "Policy",
    "Reconcile",
    "Webhook",
]


def _pointer(text: str) -> str:
    if not re.fullmatch(r"(/([^~/]|~[01])*)+", text):
        raise Invalid(f'"{text[:60]}" is not a JSON pointer', 'write it like "/models/day-coder"')
    return text


Pointer = Annotated[
    str, AfterValidator(_pointer), WithJsonSchema({"type": "string", "pattern": "^/"})
]
Count = Annotated[int, Field(ge=1, le=100_000)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Limits(Strict):
    """What lmxd may take of the machine and of its clients' patience."""

    memory: Memory = option(
        "90%",
        "Memory for models: a share of what the machine and the device recommend, or a size.",
    )
    loaded: Count | None = option(None, "Most instances at once. Default: as many as fit.")
    disk: Size | None = option(
        None, "What lmxd's own files may take; over it downloads wait, nothing is deleted."
    )
    free_disk: Size = option("1GiB", "What downloads leave free on their volume.")
    downloads: Annotated[int, Field(ge=1, le=64)] = option(2, "Downloads at once.")
    bandwidth: Bandwidth | None = option(None, "Most that downloads take together a second.")
    download_window: DayWindow | None = option(
        None, "Bulk downloads only in these hours; live demand is exempt."
    )
    queue: Count = option(256, "Requests that may wait, in the whole daemon.")
    wait: Duration = option("120s", "Longest wait for a model or a place.")
    request: Duration = option("30m", "Longest generation.")
    body: Size = option("32MiB", "Largest request body.")


class Reconcile(Strict):
    """How the reconciler goes about it."""

    drift: Literal["enforce", "adopt", "warn"] = option(
        "enforce", "What was changed past lmxd: put right, taken over, or only reported."
    )
    prune_disk: bool = option(
        False, "Delete the files of models whose key was removed, if lmxd put them there."
    )
    retention: Duration = option("7d", "How long files of removed models stay before a prune.")
    guard: Literal["hold", "off"] = option(
        "hold", "An edit in which most models vanish is held until it is confirmed."
    )


class Policy(Strict):
    """What the document itself may ask for."""

    sources: Items[Glob] = option(
        ("hf:*", "file:*", "oci:*", "builtin:*"), "Sources allowed, with * as a wildcard."
    )
    licenses: Literal["any", "acknowledged"] = option(
        "any", "acknowledged: only models whose licence is named in the document."
    )
    max_download: Size | None = option(None, "Largest download. Default: no limit.")
    approval: Literal["none", "required"] = option(
        "none", "required: changes made over HTTP wait for a person."
    )
    protect: Items[Pointer] = option((), "Paths that only the file, or force, may change.")


class ApiKey(Strict):
    """One client that may call, made by `lmxd keys create`."""

    hash: Annotated[str, StringConstraints(pattern="^sha256:[0-9a-f]{64}$")] = Field(
        description="Digest of the key, as `lmxd keys create` prints it."
    )
    scopes: Items[Literal["inference", "read", "write", "admin"]] = option(
        ("inference",), "What it may do."
    )
    models: Items[Glob] = option(("*",), "Names it may use, with * as a wildcard.")
    rpm: Count | None = option(None, "Requests a minute. Default: no limit.")


class Webhook(Strict):
    """Where events are posted."""

    url: Annotated[str, StringConstraints(pattern="^https?://[^ ]+$")] = Field(
        description="Address that takes the events."
    )
    events: Items[Glob] = option(("*",), "Names of events, with * as a wildcard.")


class HostOverlay(Overlay):
    """What holds on the machines whose name matches."""

    models: dict[Key, ModelFields] = option(  # type: ignore[assignment]
        {}, "Existing models, and what changes of them."
    )
    limits: Limits = option({}, "Limits that differ on these machines.")


class HostEntry(Strict):
    """One entry of `hosts`."""

    set: HostOverlay = Field(description="What changes on these machines.")


class DesiredState(Strict):
    """What this machine should be serving."""

    version: Literal[1] = Field(description="Version of this format.")
    timezone: Timezone | None = option(
        None, "IANA name of the zone of all times; required as soon as a schedule exists."
    )
    suspend: bool = option(False, "Observe, act on nothing.")
    limits: Limits = option({}, "What lmxd may take.")
    defaults: ModelFields = option({}, "Fields that all models share, unless they say otherwise.")
    models: dict[Key, Model] = option(
        {}, "Models by key. Their order is meaning: it breaks ties of priority."
    )
    aliases: dict[AliasName, Alias] = option({}, "Names that clients use, and what they lead to.")
    schedules: dict[Key, Schedule] = option({}, "Windows of time and what holds in them.")
    reconcile: Reconcile = option({}, "How the reconciler goes about it.")
    policy: Policy = option({}, "What may be asked for.")
    keys: dict[Key, ApiKey] = option({}, "Clients that may call. Default: anyone on this machine.")
    webhooks: dict[Key, Webhook] = option({}, "Where events are posted.")
    hosts: dict[Glob, HostEntry] = option(
        {}, "Overlays by --host-name, with * as a wildcard, so that machines can share one file."
    )

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> DesiredState:
        faults = [*_cross_faults(self)]
        if faults:
            raise Invalid.of(faults)
        return self

    def resolved(self, key: str) -> Model:
        """The model of that key with `defaults` applied; KeyError when there is none."""
        return laid_over(self.defaults, self.models[key])


def _cross_faults(document: DesiredState) -> Iterator[Fault]:
    """What no part of the document can see alone."""
    if document.schedules and document.timezone is None:
        fix = "add for example `timezone: Europe/Paris`"
        yield Fault("schedules need a timezone for the document", fix)
    yield from _unknown_targets(document, document.aliases, ("aliases",))
    for name, schedule in document.schedules.items():
        yield from _overlay_faults(document, schedule.set, ("schedules", name, "set"))
    for name, host in document.hosts.items():
        yield from _overlay_faults(document, host.set, ("hosts", name, "set"))
    for key, model in document.models.items():
        yield from _model_faults(document, key, model)
    if document.defaults.draft and document.defaults.draft.model not in document.models:
        at = ("defaults", "draft", "model")
        yield _missing(document, document.defaults.draft.model, at)


def _model_faults(document: DesiredState, key: str, model: Model) -> Iterator[Fault]:
    if model.draft and model.draft.model == key:
        yield Fault("a model cannot draft for itself", at=("models", key, "draft", "model"))
    elif model.draft and model.draft.model not in document.models:
        yield _missing(document, model.draft.model, ("models", key, "draft", "model"))
    resolved = laid_over(document.defaults, model)
    if resolved.engine == "mlx" and model.engine_options.model_fields_set:
        fix = "remove them, or write `engine: gguf`"
        yield Fault("engine mlx has no options", fix, ("models", key, "engine_options"))


def _overlay_faults(
    document: DesiredState, overlay: Overlay, at: tuple[str, ...]
) -> Iterator[Fault]:
    for key in overlay.models:
        if key not in document.models:
            yield _missing(document, key, (*at, "models", key))
    yield from _unknown_targets(document, overlay.aliases, (*at, "aliases"))


def _unknown_targets(
    document: DesiredState, aliases: dict[str, Alias], at: tuple[str, ...]
) -> Iterator[Fault]:
    for name, alias in aliases.items():
        for place, key in _placed(alias):
            if key not in document.models:
                yield _missing(document, key, (*at, name, *place))


def _placed(alias: Alias) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """Each target of an alias with its place below it."""
    if isinstance(alias, str):
        return [((), alias)]
    if isinstance(alias, tuple):
        return [((index,), key) for index, key in enumerate(alias)]
    roles = ("light", "heavy", "code", "reasoning")
    named = [((role,), key) for role in roles if (key := getattr(alias, role))]
    return [*named, *((("fallback", index), key) for index, key in enumerate(alias.fallback))]


def _missing(document: DesiredState, key: str, at: tuple[str | int, ...]) -> Fault:
    """A name that leads to no model: the one that was meant, or what there is."""
    if key in document.aliases:
        hint = f'"{key}" is an alias; name the models it leads to'
    elif close := nearest(key, [*document.models]):
        hint = f'did you mean "{close}"?'
    else:
        hint = f"models here: {', '.join([*document.models][:8]) or 'none'}"
    return Fault(f'there is no model "{key}"', hint, at)
