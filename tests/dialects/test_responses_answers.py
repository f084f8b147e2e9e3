"""Neutral events to the Responses API: the whole object, and the sequence of a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmxd.dialects import responses_answers as answers
from lmxd.dialects.answer import Collector
from lmxd.dialects.responses_stream import ResponseStream
from schemas.inference import (
    Accepted,
    Event,
    Finish,
    Text,
    Thinking,
    Timings,
    TokenLogprob,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

ID = "resp_" + "a" * 32
HEADING = answers.Heading(ID, "m", 1_700_000_000, {"store": True, "tools": []})
USAGE = Usage(ID, 0, 10, 4, 8, Timings(0, 0, 0), reasoning=1)
LOGPROB = TokenLogprob("Hi", b"Hi", -0.5, 7)

TALK: list[Event] = [
    Thinking(ID, 0, "h"),
    Thinking(ID, 0, "m"),
    Text(ID, 0, "Hi", (LOGPROB,)),
    Text(ID, 0, "!"),
    ToolStart(ID, 0, 0, "clock"),
    ToolArgs(ID, 0, 0, '{"a"'),
    ToolArgs(ID, 0, 0, ":1}"),
    ToolEnd(ID, 0, 0),
    ToolStart(ID, 0, 1, "clock"),
    ToolArgs(ID, 0, 1, "{}"),
    ToolEnd(ID, 0, 1),
    Finish(ID, 0, "tool_calls"),
]
CUT_CALL: list[Event] = [
    Text(ID, 0, "Hi"),
    ToolStart(ID, 0, 0, "clock"),
    ToolArgs(ID, 0, 0, '{"a'),
    Finish(ID, 0, "length"),
]
CUT_TEXT: list[Event] = [Text(ID, 0, "Hi"), Finish(ID, 0, "length")]
NOTHING: list[Event] = [Finish(ID, 0, "stop")]
ALL = [TALK, CUT_CALL, CUT_TEXT, NOTHING]


def whole(events: list[Event]) -> Any:
    collector = Collector(Accepted(ID, 0, 10))
    for event in [*events, USAGE]:
        collector.take(event)
    answer = collector.answer()
    assert answer is not None
    return json.loads(json.dumps(answers.whole(HEADING, answer)))


def streamed(events: list[Event]) -> list[Any]:
    stream = ResponseStream(HEADING)
    written = stream.opening() + b"".join(stream.event(event) for event in [*events, USAGE])
    found = []
    for message in written.split(b"\n\n")[:-1]:
        name, _, data = message.partition(b"\n")
        body = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + body["type"].encode()
        found.append(body)
    return found


@pytest.mark.parametrize("events", ALL)
def test_a_stream_ends_with_what_would_have_been_answered_whole(events: list[Event]) -> None:
    assert streamed(events)[-1]["response"] == whole(events)


@pytest.mark.parametrize("events", ALL)
def test_events_are_numbered_and_items_framed(events: list[Event]) -> None:
    found = streamed(events)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    output = found[-1]["response"]["output"]
    added = [event for event in found if event["type"] == "response.output_item.added"]
    done = [event for event in found if event["type"] == "response.output_item.done"]
    assert [event["item"] for event in sorted(done, key=lambda e: e["output_index"])] == output
    assert [event["output_index"] for event in added] == list(range(len(output)))
    assert [event["item"]["id"] for event in added] == [item["id"] for item in output]
    for event in found:
        if "item_id" in event:
            assert event["item_id"] == output[event["output_index"]]["id"]


def test_the_sequence_of_an_answer_that_thinks_talks_and_calls() -> None:
    names = [event["type"].removeprefix("response.") for event in streamed(TALK)]
    call = ["function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    assert names == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        *call,
        "output_item.added",
        *call,
        "completed",
    ]


def test_the_items_of_an_answer() -> None:
    body = whole(TALK)
    thought, said, first, second = body["output"]
    assert thought["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert said["content"][0]["text"] == "Hi!"
    assert [token["token"] for token in said["content"][0]["logprobs"]] == ["Hi"]
    assert (first["name"], first["arguments"]) == ("clock", '{"a":1}')
    assert first["call_id"] != second["call_id"]
    assert body["status"] == "completed"
    assert body["store"] is True
    assert body["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 14,
    }


def test_an_answer_that_was_cut_off() -> None:
    body = whole(CUT_CALL)
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in body["output"]] == ["completed", "incomplete"]
    assert streamed(CUT_CALL)[-1]["type"] == "response.incomplete"
    assert [item["status"] for item in whole(CUT_TEXT)["output"]] == ["incomplete"]


def test_an_answer_of_nothing_is_a_message_all_the_same() -> None:
    (item,) = whole(NOTHING)["output"]
    assert item["content"][0]["text"] == ""


def test_a_failure_midway() -> None:
    stream = ResponseStream(HEADING)
    stream.opening()
    stream.event(Text(ID, 0, "Hi"))
    error = {"message": "signal 9", "type": "server_error", "param": None, "code": "worker_died"}
    failed, told = stream.failure({"error": error}).split(b"\n\n")[:-1]
    response = json.loads(failed.partition(b"data: ")[2])["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": "worker_died", "message": "signal 9"}
    last = json.loads(told.partition(b"data: ")[2])
    assert (last["type"], last["code"], last["error"]) == ("error", "worker_died", error)


def test_pages_of_items() -> None:
    found: list[dict[str, object]] = [{"id": str(number)} for number in range(5)]
    first = answers.listing(found, after=None, limit=2)
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("0", "1", True)
    last = answers.listing(found, after="3", limit=2)
    assert (last["data"], last["has_more"]) == ([{"id": "4"}], False)
    assert answers.listing([], after=None, limit=2)["first_id"] is None
