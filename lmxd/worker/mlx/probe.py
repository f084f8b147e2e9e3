"""What the device has, as one line of JSON: `python -m lmxd.worker --probe`.

A process of its own because touching the device costs memory and may fail; the daemon asks once a
boot. It does not import mlx_lm: the probe answers in a fraction of a second.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import mlx.core as mx
import msgspec

from schemas.frames import Device

__all__ = ["line", "versions"]


def versions() -> dict[str, str]:
    """The versions of the libraries an MLX worker runs on."""
    return {name: version(name) for name in ("mlx", "mlx-lm")}


def line() -> str:
    """The device as JSON without a line feed; the shape is `schemas.frames.Device`."""
    return msgspec.json.encode(_device()).decode()


def _device() -> Device:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if mx.default_device() != mx.gpu:
        return Device("cpu", platform.machine(), machine, None, versions())
    info = mx.device_info()
    recommended = info.get("max_recommended_working_set_size")
    return Device(
        kind="metal" if mx.metal.is_available() else "cuda",
        name=str(info.get("device_name", "GPU")),
        memory=_whole(info.get("memory_size") or info.get("total_memory")) or machine,
        recommended=_whole(recommended),
        versions=versions(),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
