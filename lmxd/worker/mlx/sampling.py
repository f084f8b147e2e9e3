"""The batched sampler: the next token of every row, in one pass and without a synchronisation.

`Sampler.choose` is the one seam between logits and tokens: whatever changes logits for a row
(`penalties`) comes before it, on all rows at once. Rows are sorted into at most three groups
(greedy; temperature, min_p and XTC; top_k and top_p, which need a ranking), each handled in one
vectorised call, however their options differ.

A draw inverts the cumulative distribution at one uniform number per row, made from (seed,
position) on the host. So equal seeds give equal text alone, in any batch, and when a sequence is
admitted again after a fault; the noise costs nothing, where Gumbel noise costs a random number
per vocabulary entry. Filters look at the distribution at temperature 1 in the order top_k, top_p,
min_p, XTC, and temperature comes last, as in mlx-lm and llama.cpp.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

import mlx.core as mx

from lmxd.worker.constrain import Constraint
from lmxd.worker.mlx.logprobs import Told
from schemas.inference import Sampling

__all__ = ["Place", "Row", "Sampler", "uniform"]

Place = tuple[Told, int] | None
"""Where the logprobs of a row's token are told; None: it wants none."""

_MASK = (1 << 64) - 1
# Below it the likeliest token is all there is; 1 / temperature must not overflow a float32.
_COLD = 1e-6
# What most who use XTC choose, and llama.cpp's default.
_XTC_THRESHOLD = 0.1
_BITS = 23  # so that u stays below 1 also after float32 rounding of u * total


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) for the token at `position` of a sequence with this seed."""
    return (_mix(_mix(seed & _MASK) + position) >> (64 - _BITS)) / (1 << _BITS)


def _mix(value: int) -> int:
    """The splitmix64 finaliser: every bit of the result depends on every bit of the value."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Row:
    """How one sequence's tokens are chosen, and whether that failed.

    position: how many tokens the sequence has generated. logprobs: how many of the likeliest
    tokens are told beside the chosen one; None tells nothing. error: set by the sampler when this
    row raised; the row then gets some token, which its owner must not use. constraint: what the
    tokens must match; new each time the sequence joins.
    """

    __slots__ = (
        "bias",
        "constraint",
        "error",
        "frequency",
        "logprobs",
        "min_p",
        "position",
        "presence",
        "repetition",
        "seed",
        "temperature",
        "top_k",
        "top_p",
        "xtc_probability",
        "xtc_threshold",
    )

    def __init__(
        self,
        sampling: Sampling,
        seed: int | None = None,
        position: int = 0,
        logprobs: int | None = None,
    ) -> None:
        self.temperature = 1.0 if sampling.temperature is None else sampling.temperature
        self.top_p = 1.0 if sampling.top_p is None else sampling.top_p
        self.top_k = sampling.top_k or 0
        self.min_p = sampling.min_p or 0.0
        self.xtc_probability = sampling.xtc_probability or 0.0
        self.xtc_threshold = (
            _XTC_THRESHOLD if sampling.xtc_threshold is None else sampling.xtc_threshold
        )
        self.bias = sampling.logit_bias or {}
        self.presence = sampling.presence or 0.0
        self.frequency = sampling.frequency or 0.0
        self.repetition = 1.0 if sampling.repetition is None else sampling.repetition
        self.seed = secrets.randbits(64) if seed is None else seed
        self.position = position
        self.logprobs = logprobs
        self.error: Exception | None = None
        self.constraint: Constraint | None = None

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return self.temperature < _COLD or self.top_k == 1

    @property
    def ranked(self) -> bool:
        """Whether the choice needs the tokens in order of likelihood."""
        return self.top_k > 0 or self.top_p < 1

    @property
    def penalised(self) -> bool:
        """Whether `penalties` has something to do for it."""
        return bool(self.bias or self.presence or self.frequency or self.repetition != 1)

    def draw(self) -> float:
        """The uniform number for the token to choose now."""
        return uniform(self.seed, self.position)

    def excludes(self) -> bool:
        """Whether XTC takes the top choices away from the token to choose now."""
        if not self.xtc_probability:
            return False
        return uniform(_mix(self.seed & _MASK), self.position) < self.xtc_probability


class Sampler:
    """Chooses tokens for a batch; remembers what it prepared until the batch changes.

    kept: tokens that XTC never takes away: without the end token, answers would not end.
    """

    def __init__(self, kept: Collection[int] = ()) -> None:
        self._kept = mx.array(sorted(kept), dtype=mx.uint32)
        self._rows: list[Row] = []
        self._groups: list[_Greedy | _Plain | _Ranked] = []
        self._order: mx.array | None = None
        self._tellers: list[int] = []
        self._telling: mx.array | None = None
        self._width = 0

    def choose(self, logits: mx.array, rows: Sequence[Row]) -> mx.array:
        """Token ids (B,) for logits (B, V), not evaluated; every row's position moves on."""
        if self._rows != rows:  # rows compare by identity
            self._prepare(rows, logits.shape[-1])
        if len(self._groups) == 1:
            tokens = self._groups[0].choose(logits)
        else:
            parts = [group.choose(logits[group.index]) for group in self._groups]
            tokens = mx.concatenate(parts)[self._order]
        for row in self._rows:
            row.position += 1
        return tokens

    def tell(self, logits: mx.array, tokens: mx.array) -> tuple[Told | None, list[Place]]:
        """The logprobs of the `tokens` just chosen, where rows want them, and each row's place
        among them. Rows that want none cost nothing.
        """
        places: list[Place] = [None] * len(self._rows)
        if not self._tellers:
            return None, places
        if self._telling is not None:
            logits, tokens = logits[self._telling], tokens[self._telling]
        told = Told(logits, tokens, self._width)
        for place, row in enumerate(self._tellers):
            places[row] = (told, place)
        return told, places

    def _prepare(self, rows: Sequence[Row], vocabulary: int) -> None:
        self._rows = list(rows)
        greedy = [i for i, row in enumerate(rows) if row.greedy]
        ranked = [i for i, row in enumerate(rows) if row.ranked and not row.greedy]
        plain = [i for i, row in enumerate(rows) if not row.ranked and not row.greedy]
        self._groups = []
        if greedy:
            self._groups.append(_Greedy(greedy))
        if plain:
            self._groups.append(_Plain(plain, self._rows, self._kept))
        if ranked:
            self._groups.append(_Ranked(ranked, self._rows, self._kept, vocabulary))
        placed = [*greedy, *plain, *ranked]
        self._order = mx.array(sorted(range(len(placed)), key=placed.__getitem__))
        self._tellers = [i for i, row in enumerate(rows) if row.logprobs is not None]
        self._telling = mx.array(self._tellers) if len(self._tellers) < len(rows) else None
        self._width = max((rows[i].logprobs or 0 for i in self._tellers), default=0)


class _Greedy:
    """Rows that take the most likely token."""

    def __init__(self, places: list[int]) -> None:
        self.index = mx.array(places)

    def choose(self, logits: mx.array) -> mx.array:
        """See Sampler.choose."""
        return mx.argmax(logits, axis=-1)


class _Plain:
    """Rows with temperature, perhaps min_p and XTC: no ranking is needed."""

    def __init__(self, places: list[int], rows: Sequence[Row], kept: mx.array) -> None:
        self.index = mx.array(places)
        self._rows = [rows[i] for i in places]
        self._heat = _column([1 / row.temperature for row in self._rows])
        self._floor = _min_p(self._rows)
        self._exclusion = _Exclusion.of(self._rows, kept)

    def choose(self, logits: mx.array) -> mx.array:
        """See Sampler.choose."""
        below = _below_best(logits)
        weights = mx.exp(below * self._heat)
        if self._floor is not None:
            weights = mx.where(below >= self._floor, weights, 0)
        if self._exclusion is not None:
            tokens = mx.arange(logits.shape[-1], dtype=mx.uint32)[None]
            weights = mx.where(self._exclusion.top(below, weights > 0, tokens), 0, weights)
        return _invert(weights, self._rows).astype(mx.uint32)


class _Ranked:
    """Rows with top_k or top_p, perhaps the rest too."""

    def __init__(
        self, places: list[int], rows: Sequence[Row], kept: mx.array, vocabulary: int
    ) -> None:
        self.index = mx.array(places)
        self._rows = [rows[i] for i in places]
        limits = [min(row.top_k, vocabulary) or vocabulary for row in self._rows]
        self._width = max(limits)
        self._whole = self._width == vocabulary
        self._limit = _column(limits)
        self._mass = _column([row.top_p for row in self._rows])
        self._heat = _column([1 / row.temperature for row in self._rows])
        self._floor = _min_p(self._rows)
        self._exclusion = _Exclusion.of(self._rows, kept)

    def choose(self, logits: mx.array) -> mx.array:
        """See Sampler.choose."""
        tokens, below = self._ranking(_below_best(logits))
        ranks = mx.arange(self._width)[None]
        weights = mx.where(ranks < self._limit, mx.exp(below), 0)
        sums = mx.cumsum(weights, axis=-1)
        # A token stays while what is above it has less than top_p of the mass; the best always.
        keep = ((sums - weights) < self._mass * sums[:, -1:]) | (ranks == 0)
        keep = keep & (ranks < self._limit)
        if self._floor is not None:
            keep = keep & (below >= self._floor)
        if self._exclusion is not None:
            keep = keep & ~self._exclusion.top(below, keep, tokens.astype(mx.uint32))
        weights = mx.where(keep, mx.exp(below * self._heat), 0)
        chosen = _invert(weights, self._rows)[:, None]
        return mx.take_along_axis(tokens, chosen, axis=-1)[:, 0].astype(mx.uint32)

    def _ranking(self, below: mx.array) -> tuple[mx.array, mx.array]:
        """Token ids and values of the best `width` tokens, best first."""
        if self._whole:
            tokens = mx.argsort(-below, axis=-1)
            return tokens, mx.take_along_axis(below, tokens, axis=-1)
        tokens = mx.argpartition(-below, kth=self._width - 1, axis=-1)[:, : self._width]
        values = mx.take_along_axis(below, tokens, axis=-1)
        order = mx.argsort(-values, axis=-1)
        return (
            mx.take_along_axis(tokens, order, axis=-1),
            mx.take_along_axis(values, order, axis=-1),
        )


class _Exclusion:
    """XTC: of the tokens likelier than a threshold, all but the least likely go."""

    def __init__(self, rows: Sequence[Row], kept: mx.array) -> None:
        self._rows = rows
        self._kept = kept
        self._threshold = _column([row.xtc_threshold for row in rows])

    @staticmethod
    def of(rows: Sequence[Row], kept: mx.array) -> _Exclusion | None:
        """None when no row has it."""
        return _Exclusion(rows, kept) if any(row.xtc_probability for row in rows) else None

    def top(self, below: mx.array, keep: mx.array, tokens: mx.array) -> mx.array:
        """Which go now. keep: what earlier filters left. tokens: the ids at these places."""
        weights = mx.where(keep, mx.exp(below), 0)
        shares = weights / weights.sum(axis=-1, keepdims=True)
        above = mx.where(shares >= self._threshold, shares, mx.inf)
        top = shares > mx.min(above, axis=-1, keepdims=True)
        if self._kept.size:
            top = top & mx.all(tokens[..., None] != self._kept, axis=-1)
        return top & (_column([float(row.excludes()) for row in self._rows]) > 0)


def _below_best(logits: mx.array) -> mx.array:
    logits = logits.astype(mx.float32)
    return logits - mx.max(logits, axis=-1, keepdims=True)


def _column(values: Sequence[float]) -> mx.array:
    return mx.array(list(values), dtype=mx.float32)[:, None]


def _min_p(rows: Sequence[Row]) -> mx.array | None:
    """min_p as a bound on the logit below the best one; None when no row has it."""
    if not any(row.min_p for row in rows):
        return None
    return mx.log(_column([row.min_p for row in rows]))  # log 0 = -inf keeps every token


def _invert(weights: mx.array, rows: Sequence[Row]) -> mx.array:
    """The index at which each row's cumulative weight passes its uniform number.

    Never one without weight, which a grammar may forbid: a parallel device adds in another order
    at every place, so its sums may grow a little where nothing was added. Then it is the best.
    """
    sums = mx.cumsum(weights, axis=-1)
    bounds = _column([_guarded_draw(row) for row in rows]) * sums[:, -1:]
    found = mx.minimum((sums <= bounds).sum(axis=-1, keepdims=True), weights.shape[-1] - 1)
    lost = mx.take_along_axis(weights, found, axis=-1) == 0
    return mx.where(lost, mx.argmax(weights, axis=-1, keepdims=True), found)[:, 0]


def _guarded_draw(row: Row) -> float:
    try:
        return row.draw()
    except Exception as error:  # noqa: BLE001 - one row's failure must not end the others
        row.error = error
        return 0.0
