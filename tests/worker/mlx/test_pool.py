"""The KV pool's arithmetic: padding counts, windows do not grow, one sequence always fits."""

from hypothesis import given
from hypothesis import strategies as st

from lmxd.worker.mlx.pool import CacheCost, Layer, Pool

FULL = CacheCost((Layer(100), Layer(100)))
SLIDING = CacheCost((Layer(100), Layer(100, window=64), Layer(0, constant=5000)))


def test_sizes_count_layers_windows_and_constants():
    assert FULL.size(10) == 2000
    assert SLIDING.size(64) == 100 * 64 * 2 + 5000
    assert SLIDING.size(1000) == 100 * 1000 + 100 * 64 + 5000


def test_no_pool_size_means_one_whole_context():
    pool = Pool.of(FULL, 0, 512)
    assert (pool.capacity, pool.context) == (512 * 200, 512)


def test_a_small_pool_shortens_the_context():
    assert Pool.of(FULL, 200 * 100 + 199, 512).context == 100
    assert Pool.of(FULL, 1 << 40, 512).context == 512
    assert Pool.of(FULL, 1, 512).context == 0


def test_rows_are_counted_as_long_as_the_longest():
    pool = Pool.of(FULL, 200 * 100, 512)
    assert pool.fits([50, 50])
    assert pool.fits([50, 1])
    assert not pool.fits([51, 1])
    assert pool.fits([100])
    assert pool.fits([])


@given(st.integers(0, 10**6), st.integers(1, 4096))
def test_the_context_of_a_pool_is_the_longest_that_fits(capacity, most):
    longest = SLIDING.longest(capacity, most)
    assert longest == 0 or SLIDING.size(longest) <= capacity
    assert longest == most or SLIDING.size(longest + 1) > capacity


def test_the_reserve_is_bounded_by_what_is_left_to_generate():
    pool = Pool.of(FULL, 0, 16384)
    assert [pool.reserve(n) for n in (1, 100, 10**6)] == [1, 100, 256]
    assert Pool.of(FULL, 0, 512).reserve(10**6) == 32
