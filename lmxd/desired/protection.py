"""Which fields of the document only its file, or force, may change. Pure; asked by `managers`.

A model with `protect: true` is protected whole, wherever its fields are written; so is whatever
`policy.protect` points at or into. A protection protects itself: what anybody may take off is none.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.base import Strict
from schemas.desired import DesiredState
from schemas.leaves import Path, Paths, parts

__all__ = ["Protection"]


class Protection:
    """What is protected as long as this document holds."""

    def __init__(self, document: DesiredState) -> None:
        paths = [parts(each) for each in document.policy.protect]
        self._paths = Paths([*paths, ("policy", "protect")] if paths else [])
        shared = document.defaults.protect
        self._models: Mapping[str, Strict] = {
            key: model
            for key, model in document.models.items()
            if (model.protect if "protect" in model.model_fields_set else shared)
        }

    def covers(self, path: Path) -> bool:
        """Is this path, or something of it, protected."""
        if self._paths.touch(path):
            return True
        match path:
            case ("models", key, *_) | ("schedules" | "hosts", _, "set", "models", key, *_):
                return key in self._models
            case ("models",):
                return bool(self._models)
            case ("defaults", *inner):
                return any(_inherits(model, inner) for model in self._models.values())
            case _:
                return False


def _inherits(model: Strict, path: list[str]) -> bool:
    """Does the model leave it to `defaults` what is at this path."""
    here: object = model
    for name in path:
        if not isinstance(here, Strict):
            return False
        if name not in here.model_fields_set:
            return True
        here = getattr(here, name)
    return False
