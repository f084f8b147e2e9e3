"""What this version does not do yet: fields that are accepted and have no effect.

The tables below are the one place that says so. `unsupported` finds which of them a document sets
to something else than their neutral value; the reconciler shows the names in the condition
`Supported`. A field leaves its table in the change that gives it an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.alias import Route
from schemas.desired import DesiredState
from schemas.model import Model
from schemas.parse import pointer

__all__ = ["unsupported"]

MODEL: Mapping[str, Callable[[Model], bool]] = {
    "source": lambda model: model.source.scheme in {"oci", "https"} or bool(model.source.quant),
    "group": lambda model: model.group is not None,
    "engine": lambda model: model.engine == "gguf",
    "task": lambda model: model.task not in {"auto", "chat"},
    "kv_cache": lambda model: model.kv_cache.bits != 16,
    "prefix_cache": lambda model: model.prefix_cache.memory + model.prefix_cache.disk > 0,
    "warm": lambda model: bool(model.warm),
    "draft": lambda model: model.draft is not None,
    "adapters": lambda model: bool(model.adapters),
    "engine_options": lambda model: bool(model.engine_options.model_fields_set),
    "template": lambda model: model.template != "default" and not is_inline(model.template),
    "tokenizer": lambda model: model.tokenizer is not None,
    "canary": lambda model: model.canary is not None,
    "predict": lambda model: model.predict,
    "protect": lambda model: model.protect,
    "preset": lambda model: model.preset is not None,
    "build": lambda model: bool(model.build.model_fields_set),
}
"""Field of a model -> does this (resolved) model ask for what is not there yet."""

DOCUMENT: Mapping[str, Callable[[DesiredState], bool]] = {
    "/limits/loaded": lambda document: document.limits.loaded is not None,
    "/limits/bandwidth": lambda document: document.limits.bandwidth is not None,
    "/limits/download_window": lambda document: document.limits.download_window is not None,
    "/schedules": lambda document: bool(document.schedules),
    "/reconcile/drift": lambda document: document.reconcile.drift != "enforce",
    "/reconcile/prune_disk": lambda document: document.reconcile.prune_disk,
    "/reconcile/retention": lambda document: "retention" in document.reconcile.model_fields_set,
    "/reconcile/guard": lambda document: "guard" in document.reconcile.model_fields_set,
    "/policy": lambda document: bool(document.policy.model_fields_set),
    "/keys": lambda document: bool(document.keys),
    "/webhooks": lambda document: bool(document.webhooks),
    "/hosts": lambda document: bool(document.hosts),
}
"""JSON pointer -> does this document ask for what is not there yet."""


def unsupported(document: DesiredState) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Names of fields that are set and have no effect in this version.

    The first part holds JSON pointers into the document, the second for each model (every key is
    there) pointers relative to it, `defaults` included.
    """
    routes = [
        pointer(("aliases", name))
        for name, alias in document.aliases.items()
        if isinstance(alias, Route)
    ]
    top = tuple(name for name, asks in DOCUMENT.items() if asks(document))
    models = {
        key: tuple(f"/{name}" for name, asks in MODEL.items() if asks(document.resolved(key)))
        for key in document.models
    }
    return (*top, *routes), models


def is_inline(template: str) -> bool:
    """Is this Jinja itself, and not the name of a preset."""
    return "{{" in template or "{%" in template
