"""Numbers with units: what is read, what is refused with which fix, and the way back to text."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Invalid
from schemas.quantities import (
    SIZE_UNITS,
    Share,
    format_bytes,
    format_duration,
    parse_auto_duration,
    parse_bandwidth,
    parse_day_window,
    parse_duration,
    parse_long_duration,
    parse_memory,
    parse_prewarm,
    parse_size,
    parse_time,
    parse_tokens,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("300MiB", 300 * 1024**2),
        ("400GiB", 400 * 1024**3),
        ("1TiB", 1024**4),
        ("10GB", 10**10),
        ("1.5KiB", 1536),
        ("0.1KB", 100),
        ("4 GiB", 4 * 1024**3),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "value",
    [
        4,
        4.5,
        "4",
        "4G",
        "4gib",
        "-4GiB",
        "GiB",
        "4GiB ",
        " 4GiB",
        "1e3GiB",
        "",
        True,
        None,
        ["4GiB"],
    ],
)
def test_what_is_not_a_size_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        parse_size(value)


@pytest.mark.parametrize(
    ("parse", "value", "fix"),
    [
        (parse_size, 4, 'write "4GiB"'),
        (parse_size, "400", 'write "400GiB"'),
        (parse_duration, 5, 'write "5s"'),
        (parse_duration, "soon", 'write it like "90s", "5m" or "1h30m"'),
        (parse_bandwidth, 50, 'write "50MiB/s"'),
        (parse_bandwidth, "50MiB", 'write a size a second, like "50MiB/s"'),
        (parse_memory, 0.9, 'write a percentage like "90%" or a size like "400GiB"'),
        (parse_memory, "120%", 'write more than "0%" and at most "100%"'),
        (parse_time, 480, 'write it quoted with two digits each, like "08:00"'),
        (parse_time, "8:00", 'write it quoted with two digits each, like "08:00"'),
        (parse_time, "24:00", 'write "00:00"'),
        (parse_day_window, "22:00", 'write it like "22:00-06:00"'),
        (parse_day_window, "22:00-22:00", 'write "00:00-24:00" for the whole day'),
        (parse_tokens, 0, 'write at least 1, like 4096 or "4k"'),
        (parse_tokens, "32K", 'write 32768 or "32k"'),
        (parse_tokens, True, 'write 32768 or "32k"'),
        (parse_auto_duration, "0s", 'write "auto" or a duration like "10m"'),
    ],
)
def test_a_refusal_shows_the_fix(parse: object, value: object, fix: str) -> None:
    with pytest.raises(Invalid) as error:
        parse(value)  # type: ignore[operator]
    assert error.value.faults[0].hint == fix


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("500ms", 0.5), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604800)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 m", "m5", "30m1h", "1h1h", "-5m", "forever", ""])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text)


def test_words_stand_beside_durations_where_they_mean_something() -> None:
    assert parse_long_duration("forever") == math.inf
    assert parse_auto_duration("auto") is None
    assert parse_auto_duration("10m") == 600
    assert parse_prewarm("auto") == "auto"
    assert parse_prewarm("none") == "none"
    assert parse_prewarm("10m") == 600


def test_a_share_and_a_size_of_memory_are_told_apart_by_type() -> None:
    assert parse_memory("90%") == Share(0.9)
    assert str(parse_memory("12.5%")) == "12.5%"
    assert parse_memory("8GiB") == 8 * 1024**3


def test_tokens_may_be_plain_or_have_a_letter() -> None:
    assert (parse_tokens(4096), parse_tokens("4096"), parse_tokens("4k")) == (4096, 4096, 4096)
    assert parse_tokens("1M") == 1024**2


def test_midnight_at_the_end_is_24_00() -> None:
    assert parse_time("24:00", end=True) == "24:00"
    assert parse_day_window("00:00-24:00") == ("00:00", "24:00")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1024**2 - 1, "1 MiB"),
        (int(39.6 * 1024**3), "39.6 GiB"),
        (3 * 1024**5, "3072 TiB"),
    ],
)
def test_bytes_are_shown_with_a_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


@given(st.integers(0, 10**9 - 1), st.sampled_from(sorted(SIZE_UNITS)))
def test_every_whole_size_is_read_exactly(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * SIZE_UNITS[unit]


@given(st.integers(0, 10**10))
def test_durations_come_back_from_their_text(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, abs=1e-6
    )


def test_an_endless_duration_is_shown_as_forever() -> None:
    assert parse_long_duration(format_duration(math.inf)) == math.inf


@given(st.integers(0, 2**60))
def test_shown_bytes_are_near_the_truth(count: int) -> None:
    assert parse_size(format_bytes(count)) == pytest.approx(count, rel=0.05)


@pytest.mark.parametrize(
    "parse", [parse_size, parse_duration, parse_memory, parse_tokens, parse_bandwidth]
)
@given(text=st.text(max_size=20))
def test_any_text_is_read_as_a_number_or_refused(
    parse: Callable[[object], object], text: str
) -> None:
    with contextlib.suppress(Invalid):
        assert isinstance(parse(text), (int, float, Share))
