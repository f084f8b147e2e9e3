"""Bodies of embeddings and rerank to neutral requests, and what came of them to answers."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import pytest

from lmxd.dialects import embeddings, rerank
from lmxd.dialects.answer import Answer, Collector
from schemas.errors import Code, RequestError
from schemas.inference import Accepted, Request, Score, Timings, Usage, Vector

NUMBERS = (0.1, -2.5, 3e-8)
DATA = struct.pack("<3f", *NUMBERS)


def whole(*events: Vector | Score) -> Answer:
    collector = Collector(Accepted("r", 0, 7))
    for event in (*events, Usage("r", 0, 7, 0, 0, Timings(0.0, 0.0, 0.0))):
        collector.take(event)
    found = collector.answer()
    assert found is not None
    return found


def plain(body: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("given", "prompts"),
    [
        ("a", ("a",)),
        (["a", ""], ("a", "")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
        (["a", [4]], ("a", (4,))),
    ],
)
def test_all_forms_of_input(given: object, prompts: tuple[object, ...]) -> None:
    asked = embeddings.embeddings({"model": "m", "input": given}, "r")
    assert asked.request == Request("r", "m", kind="embed", prompts=prompts)  # type: ignore[arg-type]
    assert (asked.encoding, asked.ignored) == ("float", ())


def test_fields_that_are_read() -> None:
    body = {"model": "m", "input": "a", "dimensions": 8, "truncate": True, "user": "ann"}
    asked = embeddings.embeddings({**body, "encoding_format": "base64", "mood": 1}, "r")
    assert (asked.request.dimensions, asked.request.truncate) == (8, True)
    assert (asked.request.identity, asked.encoding, asked.ignored) == ("ann", "base64", ("mood",))


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": None}, Code.INVALID_REQUEST, "input"),
        ({"input": []}, Code.INVALID_REQUEST, "input"),
        ({"input": ["a", 1]}, Code.INVALID_REQUEST, "input[1]"),
        ({"input": [-1]}, Code.INVALID_REQUEST, "input[0]"),
        ({"input": [[]]}, Code.INVALID_REQUEST, "input[0]"),
        ({"input": ["a"] * 2049}, Code.INVALID_REQUEST, "input"),
        ({"encoding_format": "int8"}, Code.INVALID_REQUEST, "encoding_format"),
        ({"dimensions": 0}, Code.INVALID_REQUEST, "dimensions"),
        ({"dimensions": "8"}, Code.INVALID_REQUEST, "dimensions"),
        ({"input_type": "query"}, Code.UNSUPPORTED_PARAMETER, "input_type"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], code: Code, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        embeddings.embeddings({"model": "m", "input": "a", **fields}, "r")
    assert (caught.value.code, caught.value.param) == (code, param)


def test_float_and_base64_are_the_same_numbers() -> None:
    found = whole(Vector("r", 1, DATA), Vector("r", 0, DATA[::-1]))
    shown = plain(embeddings.answer("m", "float", found))
    packed = plain(embeddings.answer("m", "base64", found))
    assert shown["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert [each["index"] for each in shown["data"]] == [0, 1]
    assert struct.pack("<3f", *shown["data"][1]["embedding"]) == DATA
    assert base64.b64decode(packed["data"][1]["embedding"]) == DATA


def test_documents_in_both_forms_and_what_is_shown() -> None:
    body = {"model": "m", "query": "q", "documents": ["a", {"text": "b", "id": 1}, "c"]}
    asked = rerank.rerank({**body, "top_n": 2, "return_documents": True}, "r")
    assert asked.request == Request(
        "r", "m", kind="rerank", prompts=("q",), documents=("a", "b", "c")
    )
    scores = [Score("r", index, value) for index, value in enumerate((0.5, 0.9, 0.5))]
    found = rerank.answer(asked, whole(*scores))
    assert found["results"] == [
        {"index": 1, "relevance_score": 0.9, "document": {"text": "b"}},
        {"index": 0, "relevance_score": 0.5, "document": {"text": "a"}},
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a"] * 2049}, "documents"),
        ({"documents": [1]}, "documents[0]"),
        ({"documents": [{"title": "a"}]}, "documents[0].text"),
        ({"top_n": 0}, "top_n"),
        ({"max_tokens_per_doc": 10}, "max_tokens_per_doc"),
    ],
)
def test_what_is_wrong_with_a_rerank_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        rerank.rerank({"model": "m", "query": "q", "documents": ["a"], **fields}, "r")
    assert caught.value.param == param
