"""The footprint read from files is what mlx-lm really takes, for each architecture we claim."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lmxd.store.footprint import read_footprint
from lmxd.store.kv_cache import REFERENCE_CONTEXT, layers_of
from tests.kit import tiny

TOKENS = 32  # fewer than any window, so that a sliding layer has kept each of them
MEASURE = f"""
import json, pathlib, sys
import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model

found = {{}}
for folder in sys.argv[1:]:
    model, _ = load_model(pathlib.Path(folder))
    caches = make_prompt_cache(model)
    mx.eval(model(mx.array([[1] * {TOKENS}]), cache=caches))
    layers = []
    for cache in caches:
        keys, values = cache.keys[..., :{TOKENS}, :], cache.values[..., :{TOKENS}, :]
        layers.append([type(cache).__name__, (keys.nbytes + values.nbytes) // {TOKENS}])
    weights = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
    found[folder] = {{"layers": layers, "weights": weights}}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("tiny")
    return {arch: tiny.make(base / arch, arch=arch, layers=4) for arch in tiny.ARCHITECTURES}


@pytest.fixture(scope="module")
def measured(folders: dict[str, Path]) -> dict[str, dict[str, object]]:
    """One process for all: importing mlx-lm takes seconds and lowers the open-file limit."""
    words = [sys.executable, "-c", MEASURE, *map(str, folders.values())]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=100)
    found: dict[str, dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return {arch: found[str(folder)] for arch, folder in folders.items()}


@pytest.mark.parametrize("arch", tiny.ARCHITECTURES)
def test_weights_and_cache_are_what_mlx_takes(
    arch: str, folders: dict[str, Path], measured: dict[str, dict[str, object]]
) -> None:
    config = json.loads((folders[arch] / "config.json").read_text())
    footprint = read_footprint(folders[arch])
    layers = layers_of(config)
    found = measured[arch]
    assert footprint.weights == found["weights"]
    kinds = [kind for kind, _ in found["layers"]]
    assert (kinds.count("KVCache"), kinds.count("RotatingKVCache")) == (layers.full, layers.sliding)
    full = sum(size for kind, size in found["layers"] if kind == "KVCache")
    sliding = sum(size for kind, size in found["layers"] if kind == "RotatingKVCache")
    bounded = sliding * layers.window // REFERENCE_CONTEXT
    assert footprint.kv_per_token == pytest.approx(full + bounded, abs=1)
