"""Models in the shapes of Ollama's API: what is on disk, what is in memory, what one is; pure.

Every key and every alias of one name is listed, as a copy is a model of its own there. What is not
known (parameters, quantization) is "": some clients insist on text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from reconciler.catalog import Entry
from reconciler.state import ArtifactRef, DiskPhase, InstanceView, Routes
from schemas.inference import Sampling

__all__ = ["digest", "progress", "running", "shown", "tags"]

Body = dict[str, object]
FOREVER = "2318-01-01T00:00:00Z"
"""When a model expires that never does: about what Ollama says of one."""
_LONGEST_S = 10 * 366 * 86400.0

_PARAMETERS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "repetition": "repeat_penalty",
    "presence": "presence_penalty",
    "frequency": "frequency_penalty",
}


def tags(entries: Iterable[Entry], routes: Routes, modified: datetime) -> Body:
    """The body of `GET /api/tags`: names of what is on disk. modified: when the document was
    accepted which names them.
    """
    known: dict[str, Entry] = {entry.model.key: entry for entry in entries if _is_here(entry)}
    names = {name: keys[0] for name, keys in routes.names.items() if keys and "*" not in name}
    listed: dict[str, str] = {**{key: key for key in known}, **names}
    return {
        "models": [
            {
                "name": name,
                "model": name,
                "modified_at": _instant(modified),
                "size": _size(known[key]),
                "digest": digest(known[key].model.artifact),
                "details": _details(known[key]),
            }
            for name, key in listed.items()
            if key in known
        ]
    }


def running(entries: Iterable[Entry], now: datetime) -> Body:
    """The body of `GET /api/ps`: what is in memory, and until when if nobody asks for it."""
    return {
        "models": [
            _running(entry, entry.current, now) for entry in entries if entry.current is not None
        ]
    }


def shown(entry: Entry, modified: datetime) -> Body:
    """The body of `POST /api/show`."""
    footprint, serving = entry.disk.footprint, entry.model.serving
    architecture = footprint.architecture if footprint else ""
    info: Body = {"general.architecture": architecture}
    if footprint is not None:
        info[f"{architecture}.context_length"] = footprint.max_context
    parameters = list(_parameters(entry))
    file = [f"FROM {entry.model.artifact.source}"]
    file += [f"SYSTEM {json.dumps(serving.system)}"] if serving.system else []
    file += [f"PARAMETER {name} {value}" for name, value in parameters]
    return {
        "modelfile": "\n".join([*file, ""]),
        "parameters": "\n".join(f"{name:<30} {value}" for name, value in parameters),
        "template": serving.template or "",
        "system": serving.system or "",
        "details": _details(entry),
        "model_info": info,
        "capabilities": _capabilities(entry),
        "modified_at": _instant(modified),
    }


def progress(entry: Entry) -> Body:
    """How a download goes, as a line of a pull."""
    if entry.disk.phase is DiskPhase.COMPLETE:
        return {"status": "verifying sha256 digest"}
    if entry.failure is not None:
        return {"status": f"waiting for another try: {entry.failure.message}"}
    if entry.disk.total is None:
        return {"status": "pulling manifest"}
    name = digest(entry.model.artifact)
    return {
        "status": f"pulling {name.removeprefix('sha256:')[:12]}",
        "digest": name,
        "total": entry.disk.total,
        "completed": entry.disk.have,
    }


def digest(artifact: ArtifactRef) -> str:
    """What names the files of a model: of the source and revision, as files are many here."""
    return f"sha256:{hashlib.sha256(str(artifact).encode()).hexdigest()}"


def _is_here(entry: Entry) -> bool:
    return entry.current is not None or entry.disk.phase is DiskPhase.VERIFIED


def _size(entry: Entry) -> int:
    return entry.disk.total or entry.disk.have


def _details(entry: Entry) -> Body:
    footprint = entry.disk.footprint
    family = footprint.architecture if footprint else ""
    return {
        "parent_model": "",
        "format": footprint.engine if footprint else "",
        "family": family,
        "families": [family] if family else [],
        "parameter_size": "",
        "quantization_level": "",
    }


def _capabilities(entry: Entry) -> list[str]:
    footprint = entry.disk.footprint
    task = footprint.task if footprint and entry.model.task == "auto" else entry.model.task
    if task == "embed":
        return ["embedding"]
    return (
        ["completion", "tools"] if footprint is None or footprint.chat_template else ["completion"]
    )


def _parameters(entry: Entry) -> Iterator[tuple[str, str]]:
    serving = entry.model.serving
    sampling: Sampling = serving.sampling
    for field, name in _PARAMETERS.items():
        value = getattr(sampling, field)
        if value is not None:
            yield name, f"{value:g}" if isinstance(value, float) else str(value)
    if serving.max_tokens is not None:
        yield "num_predict", str(serving.max_tokens)
    yield "num_ctx", str(entry.model.context)
    for text in serving.stop:
        yield "stop", json.dumps(text, ensure_ascii=False)


def _running(entry: Entry, current: InstanceView, now: datetime) -> Body:
    size = current.measured or current.reserved
    return {
        "name": entry.model.key,
        "model": entry.model.key,
        "size": size,
        "size_vram": size,
        "digest": digest(entry.model.artifact),
        "details": _details(entry),
        "expires_at": _expires(entry, now),
        "context_length": current.context,
    }


def _expires(entry: Entry, now: datetime) -> str:
    """A model that the document has loaded stays until the document says otherwise."""
    left_s = entry.model.keep_alive_s - entry.quiet_s
    if not entry.model.demanded or left_s > _LONGEST_S:
        return FOREVER
    return _instant(now + timedelta(seconds=max(0.0, left_s)))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
