"""Every architecture loads and serves through the whole stack, several at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.kit import tiny
from tests.kit.daemon import running
from tests.kit.documents import loaded, say, write


async def test_six_architectures_are_served_together(model, document: Path, tmp_path: Path) -> None:
    """Six models in six workers answer at once, and greedily always the same."""
    models = {
        arch: loaded(model(arch=arch, seed=seed)) for seed, arch in enumerate(tiny.ARCHITECTURES)
    }
    write(document, models)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        once = await asyncio.gather(*(say(daemon, arch) for arch in models))
        again = await asyncio.gather(*(say(daemon, arch) for arch in models))
        assert once == again
        assert len(set(once)) == len(models)
