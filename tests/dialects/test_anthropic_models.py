"""The list of models page by page, as Anthropic's clients read it."""

from __future__ import annotations

import pytest

from lmxd.dialects.anthropic_models import entry, page
from schemas.errors import RequestError

ALL = [entry({"id": name, "lmxd": {"state": "ready"}}, 0) for name in "abcde"]


def ids(**asked: str) -> tuple[list[object], object]:
    body = page(ALL, asked)
    data = body["data"]
    assert isinstance(data, list)
    found = [each["id"] for each in data]
    assert (body["first_id"], body["last_id"]) == ((found[0], found[-1]) if found else (None, None))
    return found, body["has_more"]


def test_an_entry() -> None:
    assert ALL[0] == {
        "type": "model",
        "id": "a",
        "display_name": "a",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": None,
        "max_tokens": None,
        "lmxd": {"state": "ready"},
    }


def test_how_many_tokens_a_model_takes() -> None:
    found = entry({"id": "a", "max_model_len": 4096, "lmxd": {}}, 0)
    assert (found["max_input_tokens"], found["max_tokens"]) == (4096, 4096)


def test_pages() -> None:
    assert ids() == (list("abcde"), False)
    assert ids(limit="2") == (["a", "b"], True)
    assert ids(limit="2", after_id="b") == (["c", "d"], True)
    assert ids(limit="2", after_id="d") == (["e"], False)
    assert ids(limit="2", before_id="d") == (["b", "c"], True)
    assert ids(limit="2", before_id="c") == (["a", "b"], False)
    assert ids(after_id="e") == ([], False)
    assert page([], {})["data"] == []


@pytest.mark.parametrize(
    "asked", [{"limit": "0"}, {"limit": "x"}, {"limit": "1001"}, {"after_id": "z"}]
)
def test_what_is_no_page_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        page(ALL, asked)
    assert caught.value.param in asked
