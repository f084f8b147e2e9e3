"""Statuses for tests of what the command line makes of them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from schemas.status import (
    Condition,
    DaemonStatus,
    DiskStatus,
    MachineStatus,
    MemoryStatus,
    ModelStatus,
    ServingStatus,
    TargetStatus,
)

MIB = 1024 * 1024


def condition(
    kind: str, status: str = "True", message: str = "it is", *, epoch: int = 5
) -> Condition:
    """One condition, computed at `epoch`."""
    return Condition(kind, status, "Because", message, 3, epoch, "2026-01-01T00:00:00.000Z")  # type: ignore[arg-type]


def model(key: str = "tiny", summary: str = "Ready", **changes: Any) -> ModelStatus:
    """A loaded model; `changes` replace whole members."""
    ready = "True" if summary == "Ready" else "False"
    usual = ModelStatus(
        key=key,
        summary=summary,  # type: ignore[arg-type]
        generation=3,
        observed_generation=3,
        observed_epoch=5,
        target=TargetStatus("loaded", "document"),
        conditions=(condition("Ready", ready, f"{key} is {summary}"), condition("Supported")),
        disk=DiskStatus("builtin:tiny-chat", None, "abc", 10 * MIB, 80 * MIB, True, "/models/tiny"),
        memory=MemoryStatus(300 * MIB, "estimate", 256 * MIB, None, None, None),
        serving=ServingStatus(None, (), 0, 0, None),
    )
    return replace(usual, **changes)


def daemon(*models: ModelStatus, **changes: Any) -> DaemonStatus:
    """A healthy daemon with these models."""
    usual = DaemonStatus(
        version="0.1.0",
        state_id="one",
        document="/d/desired-state.yaml",
        generation=3,
        epoch=5,
        summary="Healthy",
        conditions=(condition("ConfigValid"), condition("Converged")),
        machine=MachineStatus("cpu: test", 8 << 30, 4 << 30, 256 * MIB, 1 << 40, 0),
        models=models,
    )
    return replace(usual, **changes)
