"""What this version does not do yet: fields that are accepted and have no effect.

The tables below are the one place that says so. `unsupported` finds which of them a document sets
to something else than their neutral value; the reconciler shows the names in the condition
`Supported`. A field leaves its table in the change that gives it an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from schemas.desired import DesiredState
from schemas.model import Model

__all__ = ["DOCUMENT", "MODEL", "Gap", "is_inline", "of_model", "of_whole", "unsupported"]

T = TypeVar("T")


class Gap(NamedTuple, Generic[T]):
    """What has no effect, in words for the reference page, and does this value ask for it."""

    what: str
    asks: Callable[[T], bool]


MODEL: Mapping[str, Gap[Model]] = {
    "source": Gap(
        "oci:, https: and the quantizations of GGUF repositories",
        lambda model: model.source.scheme in {"oci", "https"} or bool(model.source.quant),
    ),
    "engine": Gap("gguf", lambda model: model.engine == "gguf"),
    "task": Gap("vision", lambda model: model.task == "vision"),
    "kv_cache": Gap("fewer than 16 bits", lambda model: model.kv_cache.bits != 16),
    "prefix_cache": Gap(
        "all of it", lambda model: model.prefix_cache.memory + model.prefix_cache.disk > 0
    ),
    "warm": Gap("all of it", lambda model: bool(model.warm)),
    "draft": Gap("all of it", lambda model: model.draft is not None),
    "adapters": Gap("all of it", lambda model: bool(model.adapters)),
    "engine_options": Gap("all of it", lambda model: bool(model.engine_options.model_fields_set)),
    "template": Gap(
        "names of presets",
        lambda model: model.template != "default" and not is_inline(model.template),
    ),
    "tokenizer": Gap("all of it", lambda model: model.tokenizer is not None),
    "canary": Gap(
        "with task embed or rerank",
        lambda model: model.canary is not None and model.task in {"embed", "rerank"},
    ),
    "predict": Gap("true", lambda model: model.predict),
    "preset": Gap("all of it", lambda model: model.preset is not None),
    "build": Gap("all of it", lambda model: bool(model.build.model_fields_set)),
}
"""By field of a model with its defaults applied."""

DOCUMENT: Mapping[str, Gap[DesiredState]] = {
    "/limits/bandwidth": Gap("all of it", lambda document: document.limits.bandwidth is not None),
    "/limits/download_window": Gap(
        "all of it", lambda document: document.limits.download_window is not None
    ),
    "/policy/sources": Gap(
        "all of it", lambda document: "sources" in document.policy.model_fields_set
    ),
    "/policy/licenses": Gap("acknowledged", lambda document: document.policy.licenses != "any"),
    "/policy/max_download": Gap(
        "all of it", lambda document: document.policy.max_download is not None
    ),
    "/policy/approval": Gap("required", lambda document: document.policy.approval != "none"),
    "/keys": Gap("all of it", lambda document: bool(document.keys)),
    "/webhooks": Gap("all of it", lambda document: bool(document.webhooks)),
}
"""By JSON pointer."""


def unsupported(document: DesiredState) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Names of fields that are set and have no effect in this version.

    The first part holds JSON pointers into the document, the second for each model (every key is
    there) pointers relative to it, `defaults` included.
    """
    models = {key: of_model(document.resolved(key)) for key in document.models}
    return of_whole(document), models


def of_whole(document: DesiredState) -> tuple[str, ...]:
    """The first part of `unsupported`."""
    return tuple(name for name, gap in DOCUMENT.items() if gap.asks(document))


def of_model(model: Model) -> tuple[str, ...]:
    """One model's place in the second part of `unsupported`, for a model with its defaults. What
    is not set is neutral, so that is not asked: there may be thousands of models.
    """
    set_ = model.model_fields_set
    return tuple(f"/{name}" for name in MODEL if name in set_ and MODEL[name].asks(model))


def is_inline(template: str) -> bool:
    """Is this Jinja itself, and not the name of a preset."""
    return "{{" in template or "{%" in template
