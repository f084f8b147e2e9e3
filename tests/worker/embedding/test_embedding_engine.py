"""Requests share batches and take turns; each ends, fails and is refused alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from lmxd.store.footprint import read_footprint
from lmxd.worker.embedding import engine as engine_module
from lmxd.worker.engine import Answered
from schemas.errors import ActionError, RequestError
from schemas.inference import Accepted, Failed, Finish, Request, Text, Tokens, Usage, Vector
from tests.kit import tiny_bert
from tests.kit.embedding_engine import (
    answer_to,
    embed,
    open_model,
    rerank,
    run,
    scores_of,
    submit,
    vectors_of,
)
from tests.kit.tiny_bert import tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert.make(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture
def engine(folder: Path) -> Any:
    return open_model(folder)


def test_what_is_told_comes_in_order(engine: Any) -> None:
    events = answer_to(engine, embed("a b c", "d")).events
    assert [type(event) for event in events] == [Accepted, Vector, Vector, Usage]
    assert events[0] == Accepted("r", 0, 5 + 3)
    assert isinstance(events[-1], Usage)
    assert (events[-1].prompt, events[-1].completion) == (8, 0)
    assert not engine.busy


def test_company_changes_no_vector(engine: Any) -> None:
    texts = [" ".join(tiny_bert.LETTERS[: 1 + n % 26]) for n in range(40)]
    together = vectors_of(answer_to(engine, embed(*texts)))
    alone = [vectors_of(answer_to(engine, embed(text)))[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(np.frombuffer(one, "<f4") - np.frombuffer(other, "<f4")).max() < 1e-6


def test_one_text_does_not_wait_for_thousands(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_TOKENS", 64)
    submit(engine, embed(*["a b c d e f"] * 200, id="bulk"))
    engine.step()
    submit(engine, embed("z", id="one"))
    seen: list[str] = []
    while not any(isinstance(event, Vector) and event.id == "one" for event in engine.step()):
        seen.append("step")
    assert len(seen) <= 2
    assert len(vectors_of(run(engine)["bulk"])) > 100


@pytest.mark.parametrize("task", ["embed", "rerank"])
def test_requests_share_a_batch(tmp_path: Path, task: str) -> None:
    engine = open_model(tiny_bert.make(tmp_path / "m", rerank=task == "rerank"), task)
    for name in ("x", "y"):
        request = embed("a", id=name) if task == "embed" else rerank("a", "b")
        submit(engine, Request(**{**_fields(request), "id": name}))
    told = {event.id for event in engine.step() if isinstance(event, Usage)}
    assert told == {"x", "y"}


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


def test_a_batch_that_raises_is_tried_again_request_by_request(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = vectors_of(answer_to(engine, embed("a b")))
    compute = engine._run

    def fragile(openings: Any) -> Any:
        if any(list(opening.tokens) == tokens("q") for opening in openings):
            raise RuntimeError("no memory")
        return compute(openings)

    monkeypatch.setattr(engine, "_run", fragile)
    submit(engine, embed("a b", id="good"), embed("q", id="bad"), embed("c", id="other"))
    found = run(engine)
    assert vectors_of(found["good"]) == right
    assert len(vectors_of(found["other"])) == 1
    assert found["bad"].failed is not None
    assert "no memory" in found["bad"].failed.message
    assert found["bad"].usage is not None


def test_what_is_no_number_is_a_failure(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_run", lambda openings: mx.full((len(openings), 4), mx.nan))
    failed = answer_to(engine, embed("a", "b")).failed
    assert failed is not None
    assert "no number for text" in failed.message


def test_cancelled_and_overdue_requests_end(engine: Any) -> None:
    submit(engine, embed("a", id="gone"), embed("b", id="late", deadline_ms=1), embed("c", id="on"))
    engine.cancel("gone")
    engine.cancel("unknown")
    found = run(engine)
    assert found["gone"].finish == "cancelled"
    assert found["late"].failed is not None
    assert found["late"].failed.code == "deadline_exceeded"
    assert len(vectors_of(found["on"])) == 1


def test_an_engine_that_stops_fails_what_waits(engine: Any) -> None:
    submit(engine, embed("a"))
    events = engine.abort("model_draining", "the model is being unloaded")
    assert [type(event) for event in events] == [Accepted, Failed, Usage]
    assert not engine.busy


def test_texts_that_are_too_long_are_refused_or_cut(tmp_path: Path) -> None:
    engine = open_model(tiny_bert.make(tmp_path / "m", context=64, limit=8))
    assert engine.context == 8
    with pytest.raises(
        RequestError, match=r"input\[1\] has 9 tokens, this model takes 8"
    ) as caught:
        engine.prepare(embed("a", "a b c d e f g"), 0.0)
    assert caught.value.code == "context_length_exceeded"
    cut = vectors_of(answer_to(engine, embed("a b c d e f g", "a b c d e f", truncate=True)))
    assert cut[0] == cut[1]
    with pytest.raises(RequestError, match="more than"):
        engine.prepare(embed("a b " * 100_000), 0.0)
    assert len(vectors_of(answer_to(engine, embed("a b " * 100_000, truncate=True)))) == 1


def test_a_query_that_is_too_long_is_refused_even_when_documents_are_cut(tmp_path: Path) -> None:
    engine = open_model(tiny_bert.make(tmp_path / "m", rerank=True, context=8), "rerank")
    with pytest.raises(RequestError, match=r"documents\[0\] with the query has 9 tokens"):
        engine.prepare(rerank("a b c", "d e f"), 0.0)
    assert len(scores_of(answer_to(engine, rerank("a b c", "d e f", truncate=True)))) == 1
    with pytest.raises(RequestError, match="query"):
        engine.prepare(rerank("a b c d e f", "a", truncate=True), 0.0)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (embed(), "0 inputs"),
        (embed(*["a"] * 2049), "2049 inputs"),
        (embed(()), r"input\[0\] is empty"),
        (embed((4, 99)), "99"),
        (embed("a", dimensions=0), "1 to 32"),
        (embed("a", dimensions=33), "1 to 32"),
        (rerank("a", "b"), "vectors of texts and cannot rerank"),
        (Request("r", "m", kind="chat"), "cannot chat"),
        (Request("r", "m", kind="count"), "cannot count"),
    ],
)
def test_what_cannot_be_is_refused(engine: Any, request_: Request, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        engine.prepare(request_, 0.0)


def test_tokens_of_texts_and_texts_of_tokens(engine: Any) -> None:
    found = engine.prepare(Request("r", "m", kind="tokenize", prompts=("a b",)), 0.0)
    assert isinstance(found, Answered)
    assert found.events[1] == Tokens("r", 0, tuple(tokens("a b")))
    back = engine.prepare(Request("r", "m", kind="detokenize", prompts=((4, 5),)), 0.0)
    assert back.events[1] == Text("r", 0, "a b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_act": "swish2"}, "hidden_act of swish2"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
    ],
)
def test_an_encoder_of_another_kind_is_not_loaded(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    folder = tiny_bert.make(tmp_path / "m")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ActionError, match=said) as caught:
        open_model(folder)
    assert (caught.value.reason, caught.value.terminal) == ("UnsupportedArchitecture", True)


def test_a_model_of_vectors_is_no_reranker(folder: Path) -> None:
    with pytest.raises(ActionError, match="classifier"):
        open_model(folder, "rerank")


def test_steps_that_are_not_known_are_named(tmp_path: Path) -> None:
    folder = tiny_bert.make(tmp_path / "m")
    modules = [{"idx": 0, "path": "", "type": "sentence_transformers.models.CNN"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ActionError, match="'CNN'"):
        open_model(folder)


def test_cancelled_finish_is_the_only_end(engine: Any) -> None:
    submit(engine, embed("a", "b"))
    engine.cancel("r")
    events = run(engine)["r"].events
    assert [type(event) for event in events] == [Accepted, Finish, Usage]


@pytest.mark.parametrize(
    "fields",
    [{"context": 40}, {"context": 40, "limit": 24}, {"family": "xlm-roberta", "context": 40}],
)
def test_daemon_and_worker_agree_on_the_longest_text(tmp_path: Path, fields: Any) -> None:
    folder = tiny_bert.make(tmp_path / "m", **fields)
    assert open_model(folder).context == read_footprint(folder).max_context
