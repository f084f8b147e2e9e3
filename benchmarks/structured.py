"""What a format costs: the first time, and each step, alone and beside others.

    python -m benchmarks.structured [--rounds 5] [--words 32000]

The engine in this process, a random f32 llama of about 20 M parameters with a vocabulary of that
many words. Rounds are interleaved; ratios are medians of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from schemas.inference import Grammar, Request, Sampling, Text
from tests.kit import mlx_engine, tiny, tiny_tokenizer
from tests.kit.worker_client import chat

TOKENS = 128
SCHEMA = {
    "type": "array",
    "minItems": 500,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 40},
            "size": {"type": "integer"},
            "kind": {"enum": ["file", "folder", "link"]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        },
        "required": ["name", "size", "kind"],
        "additionalProperties": False,
    },
}
BOUND = Grammar("schema", json.dumps(SCHEMA))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--words", type=int, default=32_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = mlx_engine.open_model(_model(Path(name), options.words))
    _first_use(model, options.rounds)
    for batch in (1, 8):
        _steps(model, batch, options.rounds)


def _model(folder: Path, words: int) -> Path:
    draw = random.Random(0)
    letters = b"abcdefghijklmnopqrstuvwxyz"
    made = {bytes(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(2 * words)}
    pieces = [draw.choice((b"", b" ")) + each for each in sorted(made)]
    draw.shuffle(pieces)
    (folder / "words").mkdir()
    size, _ = tiny_tokenizer.write(
        folder / "words", kind="bytes", chat=True, pieces=list(dict.fromkeys(pieces))[:words]
    )
    made_in = tiny.make(folder / "model", hidden=256, layers=4, vocab=size)
    for file in (folder / "words").iterdir():
        file.rename(made_in / file.name)
    return made_in


def _first_use(model: object, rounds: int) -> None:
    """The tokenizer's part is paid once a model, on a thread beside everything else."""
    first, another, known = [], [], []
    for n in range(rounds):
        engine = mlx_engine.engine(model)
        renamed = {**SCHEMA, "minItems": n + 2}
        first.append(_prepared(engine, BOUND))
        another.append(_prepared(engine, Grammar("schema", json.dumps(renamed))))
        known.append(_prepared(engine, BOUND))
    plain = [_prepared(engine, None) for _ in range(rounds)]
    for what, seconds in (
        ("first schema of a model, vocabulary not yet read", first),
        ("another schema", another),
        ("a schema that was used before", known),
        ("no format", plain),
    ):
        print(f"preparing a request, {what}: {statistics.median(seconds) * 1e3:.1f} ms")


def _prepared(engine: object, form: Grammar | None) -> float:
    began = time.perf_counter()
    engine.prepare(_request("p", 0, form), 0.0)
    return time.perf_counter() - began


def _steps(model: object, batch: int, rounds: int) -> None:
    engine = mlx_engine.engine(model, parallel=batch)
    kinds = {"free": [None], "bound": [BOUND], "half bound": [None, BOUND]}
    if batch == 1:
        kinds.pop("half bound")
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    firsts: dict[str, list[float]] = {kind: [] for kind in kinds}
    for n in range(rounds + 1):
        order = list(kinds) if n % 2 else list(reversed(kinds))
        for kind in order:
            rate, first = _run(engine, batch, kinds[kind], n)
            if n:  # the first round warms up
                rates[kind].append(rate)
                firsts[kind].append(first)
    for kind in kinds:
        ratio = statistics.median(a / b for a, b in zip(rates[kind], rates["free"], strict=True))
        print(
            f"batch {batch}, {kind:10}: {statistics.median(rates[kind]):6.0f} tok/s"
            f" ({ratio:.2f} of free), first text {statistics.median(firsts[kind]) * 1e3:.0f} ms"
        )


def _run(engine: object, batch: int, forms: list[Grammar | None], n: int) -> tuple[float, float]:
    began, first, tokens = time.perf_counter(), 0.0, 0
    requests = [_request(f"r{i}", 100 * n + i, forms[i % len(forms)]) for i in range(batch)]
    mlx_engine.submit(engine, *requests)
    while engine.busy:
        events = engine.step()
        if not first and any(isinstance(event, Text) for event in events):
            first = time.perf_counter() - began
        tokens += sum(getattr(event, "completion", 0) for event in events)
    return tokens / (time.perf_counter() - began), first


def _request(name: str, seed: int, form: Grammar | None) -> Request:
    sampling = Sampling(temperature=1.0, seed=seed)
    return chat(name, "list the files", max_tokens=TOKENS, sampling=sampling, format=form)


if __name__ == "__main__":
    main()
