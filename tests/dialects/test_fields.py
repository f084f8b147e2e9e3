"""Fields a dialect does not read: tables of them, and the header that names the unknown."""

from __future__ import annotations

from lmxd.dialects.fields import Table, header


def test_false_is_not_zero_but_one_is_one_point_nought() -> None:
    table = Table(unserved={"a": (0,), "b": (1,)}, advisory=frozenset())
    assert table.sift({"a": 0.0, "b": 1.0}) == ()


def test_a_header_is_short_and_safe_whatever_the_names() -> None:
    assert header([]) == ""
    assert header(["b", "a", "b"]) == "b, a"
    assert header(["a\r\nSet-Cookie: x", "ü"]) == "a%0D%0ASet-Cookie%3A%20x, %C3%BC"
    many = header(f"field{number}" for number in range(1000))
    assert many.endswith("968 more")
    assert len(many) < 512
    assert len(header(["x" * 100_000])) == 64
