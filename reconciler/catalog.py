"""What there is to be served, model by model, from the picture of one pass. Pure.

For lists that other servers' clients know, which ask for what status does not say: architecture,
longest context, and how a download goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.backoff import Record
from reconciler.picture import Picture
from reconciler.state import DiskState, EffectiveModel, InstanceView

__all__ = ["Entry", "catalog"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the document: its files, the instance that answers, and what stands between
    it and its next step. quiet_s: for how long nobody has asked for it; 0 while somebody does.
    """

    model: EffectiveModel
    disk: DiskState
    current: InstanceView | None
    failure: Record | None
    quiet_s: float = 0.0


def catalog(picture: Picture) -> tuple[Entry, ...]:
    """All models, in the order of the document."""
    return tuple(_entry(picture, model) for model in picture.effective.models)


def _entry(picture: Picture, model: EffectiveModel) -> Entry:
    demand = picture.observed.demands.get(model.key)
    return Entry(
        model,
        picture.disk(model),
        picture.current(model.key),
        picture.failure(model),
        demand.quiet_s if demand is not None else 0.0,
    )
