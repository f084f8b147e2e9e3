"""mlx-lm's batch generator with our sampler at its seam.

mlx-lm samples row by row as soon as two rows differ, and slices and evaluates log-probabilities
that nobody asked for. These subclasses keep its batching, caches and prefill, and replace only
the step from logits to tokens, and the places that name the classes they replace. The `samplers`
of its rows carry our `Row` objects, its `logprobs` the `Place` where they are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.generate import BatchGenerator, GenerationBatch, PromptProcessingBatch

from lmxd.worker.mlx.masks import BatchMasks
from lmxd.worker.mlx.penalties import Penalties
from lmxd.worker.mlx.sampling import Row, Sampler
from lmxd.worker.pulse import Pulse

__all__ = ["Generator", "Response", "prefill_step"]

Response = GenerationBatch.Response

# Tokens of a prefill chunk, over all prompts in it, when nothing decodes; bounds activations.
_PREFILL = 2048


def prefill_step(decoding: int, prompts: list[int]) -> int:
    """Tokens of each prompt to process in the next chunk.

    decoding: sequences that wait for the chunk. prompts: whole lengths of the prompts in it.
    A chunk is the gap in running streams, so it is a share of the longest prompt (a gap of at
    most 0.15 of that prompt's own prefill), but not so small that prefill itself gets slow.
    """
    if not prompts:
        return _PREFILL
    if not decoding:
        return max(64, _PREFILL // len(prompts))
    return max(16, min(max(max(prompts) // 11, 128), 512) // len(prompts))


class _Decoding(GenerationBatch):
    """The sequences that generate."""

    _current_tokens: mx.array | None  # type: ignore[assignment]  # None only until the first step
    _next_tokens: mx.array
    samplers: list[Row]  # type: ignore[assignment]  # ours are data; only our `_step` reads them

    def __init__(self, sampler: Sampler, pulse: Pulse, *arguments: Any, **named: Any) -> None:
        self._sampler = sampler
        self._masks = BatchMasks()
        self._penalties = Penalties()
        self._pulse = pulse
        super().__init__(*arguments, **named)  # takes the first step

    def _step(self) -> tuple[list[int], list[Any]]:
        self._pulse.enter("decode")
        inputs = self._current_tokens = self._next_tokens
        places = self._next_logprobs
        logits = self.model(inputs[:, None], cache=self.prompt_cache)[:, -1, :]
        wanted = self._penalties.apply(logits, self.samplers, inputs, self.tokens)
        if self._masks.needed(self.samplers):
            # The masks depend on the tokens of the step before: they are made while the device
            # computes the logits, and `tolist` below finds its tokens already there.
            mx.async_eval(wanted)  # type: ignore[no-untyped-call]
            before = cast("list[int]", inputs.tolist())
            wanted = self._masks.apply(wanted, self.samplers, before)
        # Computed while the host handles the tokens of the step before.
        self._next_tokens = self._sampler.choose(wanted, self.samplers)
        told, self._next_logprobs = self._sampler.tell(logits, self._next_tokens)
        also = told.arrays if told is not None else []
        mx.async_eval(self._next_tokens, *also)  # type: ignore[no-untyped-call]
        tokens = cast("list[int]", inputs.tolist())
        for known, token in zip(self.tokens, tokens, strict=True):
            known.append(token)
        return tokens, places


class _Prompts(PromptProcessingBatch):
    """The sequences whose prompts are processed."""

    def __init__(self, sampler: Sampler, pulse: Pulse, *arguments: Any, **named: Any) -> None:
        self._sampler = sampler
        self._pulse = pulse
        super().__init__(*arguments, **named)

    def _copy(self) -> _Prompts:
        batch: _Prompts = super()._copy()  # type: ignore[no-untyped-call]
        batch._sampler, batch._pulse = self._sampler, self._pulse
        return batch

    def prompt(self, tokens: list[list[int]]) -> None:
        if tokens:
            self._pulse.enter("prefill")
            super().prompt(tokens)

    def generate(self, tokens: list[list[int]]) -> _Decoding:
        self.prompt([ids[:-1] for ids in tokens] if any(len(ids) > 1 for ids in tokens) else [])
        batch = _Decoding(
            self._sampler,
            self._pulse,
            model=self.model,
            uids=self.uids,
            inputs=mx.array([ids[-1] for ids in tokens]),
            prompt_cache=self.prompt_cache,
            tokens=self.tokens,
            samplers=self.samplers,
            fallback_sampler=self.fallback_sampler,
            logits_processors=self.logits_processors,
            stop_sequences=self.stop_sequences,
            max_tokens=self.max_tokens,
        )
        self.prompt_cache = []  # it is the new batch's; `filter` would empty that very list
        self.filter([])
        return batch


class Generator(BatchGenerator):
    """A batch generator whose rows are sampled together.

    parallel: most sequences at once. end_tokens: each ends a sequence. kept: further tokens that
    no sampler may always take away. pulse: told of each phase.
    """

    def __init__(
        self,
        model: Module,
        *,
        parallel: int,
        end_tokens: set[int],
        kept: Iterable[int] = (),
        pulse: Pulse,
    ) -> None:
        self._sampler = Sampler({*end_tokens, *kept})
        self._pulse = pulse
        super().__init__(
            model,
            stop_tokens=[[token] for token in sorted(end_tokens)],
            completion_batch_size=parallel,
            prefill_batch_size=min(8, parallel),
        )
        self._generation_batch = _Decoding(
            self._sampler,
            pulse,
            model=model,
            uids=[],
            inputs=mx.array([], dtype=mx.uint32),
            prompt_cache=[],
            tokens=[],
            samplers=[],
            fallback_sampler=self.sampler,
            logits_processors=[],
            stop_sequences=[],
            max_tokens=[],
        )
        self._prompt_batch = self._prompts([])

    def add(self, tokens: list[int], limit: int, row: Row, cache: list[Any] | None = None) -> int:
        """Queues a sequence that generates at most `limit` tokens; gives its uid.

        cache: of all tokens but the last; it belongs to the batch from now on.
        """
        known = [] if cache is None else tokens[:-1]
        uids = self.insert(
            [tokens[len(known) :]],
            [limit],
            caches=[cast("Any", cache)],
            all_tokens=[known],
            samplers=[cast("Any", row)],
        )
        return int(uids[0])

    def take_step(self) -> list[Response]:
        """One decode step and one prefill chunk; the new tokens."""
        _, responses = self.next()  # type: ignore[no-untyped-call]
        return cast("list[Response]", responses)

    def drop(self, uids: list[int]) -> None:
        """Takes sequences out of the batch; one that is not there is no error."""
        self.remove(uids)  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Gives back what the generator set on the device."""
        self.close()  # type: ignore[no-untyped-call]

    def _make_batch(self, n: int) -> _Prompts:
        taken = [self._unprocessed_sequences.popleft() for _ in range(n)]
        self._currently_processing.extend(
            [segments, 0, sum(map(len, segments))] for _, segments, *_ in taken
        )
        return self._prompts(taken)

    def _prompts(self, sequences: list[Any]) -> _Prompts:
        uids, _, limits, caches, tokens, rows, processors, stops = (
            map(list, zip(*sequences, strict=True)) if sequences else ([] for _ in range(8))
        )
        return _Prompts(
            self._sampler,
            self._pulse,
            model=self.model,
            uids=uids,
            caches=caches,
            tokens=tokens,
            prefill_step_size=_PREFILL,
            samplers=rows,
            fallback_sampler=self.sampler,
            logits_processors=processors,
            stop_sequences=stops,
            max_tokens=limits,
        )
