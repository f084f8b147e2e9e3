"""Models as tables: what there is, and what is in memory."""

from __future__ import annotations

import json
import sys

from lmxd.cli import client
from lmxd.cli.options import Form
from lmxd.cli.output import columns, rows, structured
from schemas.quantities import format_bytes
from schemas.wire.admin import AdminModel, AdminModels

__all__ = ["show"]

IN_MEMORY = ("MODEL", "STATUS", "MEMORY", "CONTEXT", "RUNNING", "WAITING", "NAMES")
IN_DOCUMENT = ("MODEL", "STATE", "STATUS", "SIZE", "SOURCE")


def show(url: str, output: Form, *, in_memory: bool) -> int:
    """Print all of them, or those that take memory; returns the exit code."""
    with client.Client(url) as daemon:
        content = daemon.get("/admin/models")
    if output is not Form.TABLE:
        found = json.loads(content)["models"]
        models = [each for each in found if each["memory_bytes"] or not in_memory]
        sys.stdout.write(structured({"models": models}, output))
        return 0
    listed = client.decoded(content, AdminModels).models
    if in_memory:
        rows(columns(IN_MEMORY, [_loaded(each) for each in listed if each.memory_bytes]))
    else:
        rows(columns(IN_DOCUMENT, map(_wanted, listed)))
    return 0


def _loaded(model: AdminModel) -> tuple[str, ...]:
    names = ", ".join(name for name in model.names if name != model.id)
    context = "-" if model.context is None else str(model.context)
    counts = (str(model.in_flight), str(model.queued))
    return (model.id, model.status, format_bytes(model.memory_bytes), context, *counts, names)


def _wanted(model: AdminModel) -> tuple[str, ...]:
    size = "-" if model.size_bytes is None else format_bytes(model.size_bytes)
    return (model.id, model.state, model.status, size, model.source)
