"""Models and downloads in the shapes of LM Studio's REST API, version 1; pure.

A model has one instance at most, and goes by its key: the id of an instance is that key. A
download job is the artifact it is about, so its id outlives restarts and asks for no memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from reconciler.catalog import Entry
from reconciler.state import ArtifactRef, DiskPhase, InstanceView
from schemas.errors import Code, RequestError

__all__ = ["download", "job_id", "listing", "loaded", "of_job", "source"]

_QUANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Body = dict[str, object]


def listing(entries: Iterable[Entry]) -> Body:
    """The body of `GET /api/v1/models`: what is on disk or answers."""
    return {"models": [_model(entry) for entry in entries if _is_here(entry)]}


def _is_here(entry: Entry) -> bool:
    return entry.current is not None or entry.disk.phase is DiskPhase.VERIFIED


def _model(entry: Entry) -> Body:
    kind, footprint, current = _kind(entry), entry.disk.footprint, entry.current
    publisher, name = _named(entry.model.artifact)
    body: Body = {
        "type": kind,
        "publisher": publisher,
        "key": entry.model.key,
        "display_name": name,
        "architecture": footprint.architecture if footprint else None,
        "quantization": None,
        "size_bytes": entry.disk.total or entry.disk.have,
        "params_string": None,
        "loaded_instances": [_instance(entry, current)] if current is not None else [],
        "max_context_length": footprint.max_context if footprint else entry.model.context,
        "format": footprint.engine if footprint else None,
    }
    if kind == "llm":
        body["capabilities"] = {"vision": False, "trained_for_tool_use": False}
        body["description"] = None
    return body


def _kind(entry: Entry) -> str:
    footprint = entry.disk.footprint
    task = footprint.task if footprint and entry.model.task == "auto" else entry.model.task
    return "embedding" if task == "embed" else "llm"


def _named(artifact: ArtifactRef) -> tuple[str, str]:
    """Publisher and name: the organisation of a hub's repository, else the kind of source."""
    scheme, _, rest = artifact.source.partition(":")
    owner, _, name = rest.rstrip("/").rpartition("/")
    return (owner if scheme == "hf" and owner else scheme), name


def _instance(entry: Entry, current: InstanceView) -> Body:
    return {"id": entry.model.key, "config": _config(entry, current)}


def _config(entry: Entry, current: InstanceView) -> Body:
    return {"context_length": current.context, "parallel": entry.model.parallel}


def loaded(entry: Entry, current: InstanceView, *, echo: bool) -> Body:
    """The body of a load that has ended; `echo` asks for what it was loaded with."""
    body: Body = {
        "type": _kind(entry),
        "instance_id": entry.model.key,
        "load_time_seconds": round(current.load_s or 0.0, 3),
        "status": "loaded",
    }
    return body | ({"load_config": _config(entry, current)} if echo else {})


def source(model: str, quantization: str | None) -> str:
    """What is to be downloaded, as `reconciler.naming` reads it. Raises RequestError."""
    if quantization is None:
        return model
    if not _QUANT.fullmatch(quantization):
        message = f"quantization: {quantization[:40]!r} is none, like Q4_K_M"
        raise RequestError(Code.INVALID_REQUEST, message, param="quantization")
    link = re.fullmatch(r"https?://[^/\s]+/([^/?#\s]+/[^/?#\s]+)/?", model)
    return f"hf:{link[1] if link else model.removeprefix('hf:')}:{quantization}"


def job_id(artifact: ArtifactRef) -> str:
    """The id of the job that brings an artifact to disk."""
    return f"job_{hashlib.sha256(str(artifact).encode()).hexdigest()[:10]}"


def of_job(entries: Iterable[Entry], job: str) -> Entry:
    """The model that a job is about; raises RequestError (not_found)."""
    for entry in entries:
        if job_id(entry.model.artifact) == job:
            return entry
    raise RequestError(
        Code.NOT_FOUND,
        f"there is no download job {job[:64]!r}",
        hint="a job is gone when no model of the document asks for its files any more",
        param="job_id",
    )


def download(entry: Entry) -> Body:
    """How the download of a model's files goes."""
    body: Body = {
        "job_id": job_id(entry.model.artifact),
        "status": _progress(entry),
        "downloaded_bytes": entry.disk.have,
    }
    if entry.disk.total is not None:
        body["total_size_bytes"] = entry.disk.total
    return body


def _progress(entry: Entry) -> str:
    """Completed is what may be loaded. What waits for another try, or for `resume`, is paused."""
    if entry.disk.phase is DiskPhase.VERIFIED:
        return "completed"
    failure = entry.failure
    if failure is not None:
        return "failed" if failure.retry_at is None else "paused"
    return "paused" if entry.model.suspended else "downloading"
