"""Dialogues as padded batches of tokens, of about equal length within a batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from corpus import dialogues
from tokenizers import Tokenizer
from vocabulary import END, START, renderer

_LENGTHS = (48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048)
_SHARD = 20_000

Batch = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


@dataclass
class Corpus:
    """All tokens in one row, which of them are learned, and where each dialogue starts."""

    tokens: npt.NDArray[np.uint16]
    learned: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]

    def batches(self, seed: int, budget: int) -> Iterator[Batch]:
        """One pass over the dialogues in random order, `budget` tokens a batch."""
        random = np.random.default_rng(seed)
        sizes = np.diff(self.starts)
        groups: list[tuple[int, npt.NDArray[np.int64]]] = []
        low = 0
        for length in _LENGTHS:
            members = np.flatnonzero((sizes > low) & (sizes <= length))
            low = length
            random.shuffle(members)
            rows = max(1, budget // length)
            groups += [
                (length, members[i : i + rows])
                for i in range(0, len(members), rows)
                if i + rows <= len(members)
            ]
        for i in random.permutation(len(groups)):
            length, members = groups[i]
            yield self._pad(members, length)

    def _pad(self, members: npt.NDArray[np.int64], length: int) -> Batch:
        tokens = np.zeros((len(members), length + 1), np.int32)
        learned = np.zeros((len(members), length + 1), np.float32)
        for row, member in enumerate(members):
            span = slice(self.starts[member], self.starts[member + 1])
            size = span.stop - span.start
            tokens[row, :size] = self.tokens[span]
            learned[row, :size] = self.learned[span]
        return tokens, learned[:, 1:]


def build(folder: Path, seed: int, count: int) -> Corpus:
    """Write, render and encode `count` dialogues, in as many processes as there are cores."""
    shards = [
        (str(folder), seed * 100_003 + i, min(_SHARD, count - i * _SHARD))
        for i in range(-(-count // _SHARD))
    ]
    workers = min(len(shards), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_shard, shards))
    sizes = np.concatenate([p[2] for p in parts])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    return Corpus(
        np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), starts
    )


def _shard(
    job: tuple[str, int, int],
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    folder, seed, count = job
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    render = renderer(Path(folder) / "chat_template.jinja")
    marks = _Marks(tokenizer)
    tokens: list[npt.NDArray[np.uint16]] = []
    learned: list[npt.NDArray[np.bool_]] = []
    for encoding in tokenizer.encode_batch([render(d) for d in dialogues(seed, count)]):
        ids = encoding.ids[:-1] if encoding.ids[-1] == marks.newline else encoding.ids
        if len(ids) <= _LENGTHS[-1]:
            tokens.append(np.array(ids, np.uint16))
            learned.append(np.array(marks.learned(ids), np.bool_))
    return (
        np.concatenate(tokens),
        np.concatenate(learned),
        np.array([len(t) for t in tokens], np.int32),
    )


class _Marks:
    """Finds the assistant's turns in a row of tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.newline = tokenizer.encode("\n").ids[0]
        self.end = tokenizer.token_to_id(END)
        self.start = tokenizer.token_to_id(START)
        self.assistant = tokenizer.encode(f"{START}assistant\n").ids

    def learned(self, ids: list[int]) -> list[bool]:
        """True for each token of an assistant's turn, its end included; all of a raw text."""
        if ids[0] != self.start:
            return [True] * len(ids)
        flags = [False] * len(ids)
        head, i = len(self.assistant), 0
        while i < len(ids):
            if ids[i] == self.start and ids[i : i + head] == self.assistant:
                i += head
                while i < len(ids):
                    flags[i] = True
                    i += 1
                    if ids[i - 1] == self.end:
                        break
            else:
                i += 1
        return flags
