"""The batched sampler draws from the right distribution, and a row never depends on its batch."""

import math

import mlx.core as mx
import numpy as np
import pytest

from lmxd.worker.mlx.sampling import Row, Sampler, uniform
from schemas.inference import Sampling

VOCABULARY = 40
LOGITS = np.random.default_rng(1).normal(size=VOCABULARY).astype(np.float32) * 2
OPTIONS = [
    Sampling(temperature=0.0),
    Sampling(temperature=0.7, seed=1),
    Sampling(temperature=1.5, min_p=0.05, seed=2),
    Sampling(temperature=1.0, top_p=0.8, seed=3),
    Sampling(temperature=0.9, top_k=5, seed=4),
    Sampling(temperature=0.9, top_k=12, top_p=0.7, min_p=0.02, seed=5),
    Sampling(temperature=1.0, top_k=1, seed=6),
    Sampling(temperature=1.2, xtc_probability=1.0, seed=7),
    Sampling(temperature=1.0, xtc_probability=0.4, xtc_threshold=0.05, seed=8),
    Sampling(temperature=0.8, top_p=0.95, xtc_probability=0.6, xtc_threshold=0.08, seed=9),
    Sampling(temperature=1.0, min_p=0.1, xtc_probability=1.0, xtc_threshold=0.9, seed=10),
]


def row(options: Sampling, position: int = 0) -> Row:
    return Row(options, options.seed, position)


def draw(rows: list[Row], logits: np.ndarray = LOGITS) -> list[int]:
    batch = mx.broadcast_to(mx.array(logits), (len(rows), logits.size))
    return Sampler().choose(batch, rows).tolist()


def reference(options: Sampling, kept_ones: tuple[int, ...] = ()) -> np.ndarray:
    """The distribution, written for one row with plain loops."""
    share = options.xtc_probability or 0.0
    plain = excluded(options, kept_ones, exclude=False)
    return (
        plain
        if not share
        else (share * excluded(options, kept_ones, exclude=True) + (1 - share) * plain)
    )


def excluded(options: Sampling, kept_ones: tuple[int, ...], *, exclude: bool) -> np.ndarray:
    order = np.argsort(-LOGITS)
    p = np.exp(LOGITS - LOGITS.max())
    kept = list(order[: options.top_k or VOCABULARY])
    total, above, nucleus = p[kept].sum(), 0.0, []
    for token in kept:
        if not nucleus or above < (1.0 if options.top_p is None else options.top_p) * total:
            nucleus.append(token)
        above += p[token]
    kept = [token for token in nucleus if p[token] >= (options.min_p or 0) * p.max()]
    if exclude:
        threshold = 0.1 if options.xtc_threshold is None else options.xtc_threshold
        likely = [token for token in kept if p[token] >= threshold * p[kept].sum()]
        least = min(likely, key=lambda token: p[token], default=None)
        kept = [t for t in kept if t not in likely or t == least or t in kept_ones]
    weights = np.zeros(VOCABULARY)
    weights[kept] = np.exp((LOGITS[kept] - LOGITS.max()) / (options.temperature or 1e-3))
    return weights / weights.sum()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_frequencies_are_those_of_the_distribution(options):
    draws = 4000
    tokens = draw([row(options, position) for position in range(draws)])
    wanted = reference(options)
    got = np.bincount(tokens, minlength=VOCABULARY) / draws
    assert not got[wanted == 0].any(), "a token that was filtered out came up"
    # Five standard deviations; the seeds are fixed, so this is the same number every time.
    assert np.all(np.abs(got - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / draws) + 1e-9)


def test_xtc_never_takes_away_what_ends_an_answer():
    end, draws = int(LOGITS.argmax()), 2000
    options = Sampling(temperature=1.0, xtc_probability=1.0, xtc_threshold=0.05, seed=1)
    batch = mx.broadcast_to(mx.array(LOGITS), (draws, VOCABULARY))
    tokens = Sampler(kept=[end]).choose(batch, [row(options, n) for n in range(draws)]).tolist()
    wanted = reference(options, (end,))
    got = np.bincount(tokens, minlength=VOCABULARY) / draws
    assert wanted[end] > 0
    assert np.all(np.abs(got - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / draws) + 1e-9)
    assert end not in draw([row(options, n) for n in range(draws)])


def test_a_row_draws_the_same_alone_and_in_any_batch():
    for position in range(50):
        alone = [draw([row(options, position)])[0] for options in OPTIONS]
        together = draw([row(options, position) for options in OPTIONS])
        backwards = draw([row(options, position) for options in reversed(OPTIONS)])
        assert together == alone
        assert backwards == alone[::-1]


def test_the_batch_may_change_between_steps():
    sampler, rows = Sampler(), [row(options) for options in OPTIONS]
    logits = mx.broadcast_to(mx.array(LOGITS), (len(rows), VOCABULARY))
    first = sampler.choose(logits, rows).tolist()
    kept = rows[2:5]
    second = sampler.choose(logits[2:5], kept).tolist()
    assert first == draw([row(options) for options in OPTIONS])
    assert second == draw([row(options, 1) for options in OPTIONS[2:5]])
    assert [r.position for r in rows] == [1, 1, 2, 2, 2, *[1] * (len(rows) - 5)]


def test_seeds_decide_and_no_seed_is_random():
    hot = Sampling(temperature=1.0)
    runs = [draw([Row(hot, seed, position) for position in range(64)]) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    a, b = Row(hot), Row(hot)
    assert a.seed != b.seed


def test_negative_and_huge_seeds_are_seeds():
    values = [uniform(seed, 0) for seed in (-1, 0, 1, 2**64, 2**64 - 1, 10**30)]
    assert all(0 <= value < 1 for value in values)
    assert uniform(-1, 0) == uniform(2**64 - 1, 0)


def test_uniform_numbers_are_spread_over_seeds_and_positions():
    values = np.array([[uniform(seed, position) for position in range(200)] for seed in range(50)])
    assert abs(values.mean() - 0.5) < 0.02
    assert np.unique(values).size > 9900
    assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.05


def test_tokens_of_no_probability_are_never_chosen():
    masked = np.full(VOCABULARY, -math.inf, dtype=np.float32)
    masked[[0, 7, 39]] = [1.0, 1.2, 0.8]
    rows = [row(options, position) for options in OPTIONS for position in range(100)]
    assert set(draw(rows, masked)) <= {0, 7, 39}


class Broken(Row):
    __slots__ = ()

    def draw(self) -> float:
        raise ArithmeticError("no number today")


def test_a_row_that_raises_is_marked_and_the_others_draw_as_ever():
    rows = [row(options) for options in OPTIONS]
    rows[3] = Broken(OPTIONS[3])
    tokens = draw(rows)
    assert [place for place, r in enumerate(rows) if r.error is not None] == [3]
    assert isinstance(rows[3].error, ArithmeticError)
    expected = draw([row(options) for options in OPTIONS])
    assert tokens[:3] + tokens[4:] == expected[:3] + expected[4:]


def test_half_precision_logits_work():
    batch = mx.array(LOGITS)[None].astype(mx.bfloat16)
    token = Sampler().choose(batch, [row(OPTIONS[3])])
    assert token.dtype == mx.uint32
    assert 0 <= token.item() < VOCABULARY


@pytest.mark.parametrize("more", [{}, {"top_p": 0.9}, {"min_p": 0.1}])
def test_the_smallest_temperatures_take_the_likeliest_token(more):
    """1 / temperature would be infinite in 32 bits, and the weights no numbers."""
    rows = [row(Sampling(temperature=t, seed=1, **more)) for t in (5e-324, 1e-300, 1e-40, 1e-7)]
    warm = row(Sampling(temperature=1e-6, seed=1, **more))
    assert draw([*rows, warm]) == [int(LOGITS.argmax())] * 5
