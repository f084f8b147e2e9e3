"""The official OpenAI client asks a whole daemon for vectors; scores and Ollama's way beside it.

What each model is for, the daemon finds in its files.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import numpy as np
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.kit import tiny_bert
from tests.kit.daemon import PATIENCE_S, running
from tests.kit.documents import write
from tests.kit.http_stage import NO_TLS
from tests.kit.tiny_bert import Reference, tokens

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = ["a b c", "x", "q w e r t y"]


class On(NamedTuple):
    """A daemon with three models: its client, another without manners, and the folders."""

    client: AsyncOpenAI
    raw: httpx2.AsyncClient
    folder: Path

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        got = await self.raw.post(path, json=body)
        return got.status_code, got.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[On]:
    folder = tmp_path_factory.mktemp("embeddings")
    tiny_bert.make(folder / "bert")
    tiny_bert.make(folder / "judge", rerank=True)
    document = write(
        folder / "desired-state.yaml",
        {
            "minilm": {"source": f"file:{folder / 'bert'}", "state": "loaded"},
            "judge": {"source": f"file:{folder / 'judge'}", "state": "loaded"},
            "tiny": {"source": "builtin:tiny-chat", "state": "loaded"},
        },
        aliases={"text-embedding-3-small": "minilm"},
    )
    http = openai.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False)
    async with running(document, folder) as daemon:
        await daemon.ready()
        async with (
            AsyncOpenAI(
                base_url=f"{daemon.url}/v1",
                api_key="none",
                max_retries=0,
                timeout=PATIENCE_S,
                http_client=http,
            ) as client,
            httpx2.AsyncClient(
                base_url=daemon.url, trust_env=False, verify=False, timeout=PATIENCE_S
            ) as raw,
        ):
            yield On(client, raw, folder)


async def test_vectors_are_those_of_the_model(on: On) -> None:
    got = await on.client.embeddings.create(
        model="text-embedding-3-small", input=TEXTS, encoding_format="float"
    )
    found = np.array([each.embedding for each in got.data])
    expected = Reference(on.folder / "bert").vectors([tokens(text) for text in TEXTS])
    assert np.abs(found - expected).max() < 1e-5
    assert [each.index for each in got.data] == [0, 1, 2]
    assert got.model == "text-embedding-3-small"
    assert got.usage.prompt_tokens == got.usage.total_tokens == 5 + 3 + 8


async def test_the_clients_own_default_and_base64_are_the_same_numbers(on: On) -> None:
    plain = await on.client.embeddings.create(model="minilm", input="a", encoding_format="float")
    default = await on.client.embeddings.create(model="minilm", input="a")
    assert default.data[0].embedding == plain.data[0].embedding
    _, body = await on.post("/v1/embeddings", model="minilm", input="a", encoding_format="base64")
    raw = base64.b64decode(body["data"][0]["embedding"])
    assert np.frombuffer(raw, "<f4").tolist() == plain.data[0].embedding


async def test_tokens_and_dimensions(on: On) -> None:
    whole, short = [
        await on.client.embeddings.create(
            model="minilm", input=[tokens("a b")], encoding_format="float", dimensions=dimensions
        )
        for dimensions in (tiny_bert.HIDDEN, 8)
    ]
    cut = np.array(whole.data[0].embedding[:8])
    assert np.abs(np.array(short.data[0].embedding) - cut / np.linalg.norm(cut)).max() < 1e-6


@pytest.mark.parametrize(
    ("fields", "code", "param", "said"),
    [
        ({"input": " ".join("a" * 63)}, "context_length_exceeded", None, "65 tokens"),
        ({"input": "a", "dimensions": 33}, "invalid_request", None, "33"),
        ({"input": []}, "invalid_request", "input", "empty"),
        ({"input": ["a", {}]}, "invalid_request", "input[1]", "string"),
        ({"input": ["a"] * 2049}, "invalid_request", "input", "2048"),
        ({"input": [[1, 99]]}, "invalid_request", None, "99"),
        ({"input": "a", "task": "x"}, "unsupported_parameter", "task", "task"),
        ({"input": "a", "model": "tiny"}, "wrong_task", None, "cannot embed"),
        ({"input": "a", "model": "judge"}, "wrong_task", None, "scores"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    on: On, fields: dict[str, Any], code: str, param: str | None, said: str
) -> None:
    status, body = await on.post("/v1/embeddings", **{"model": "minilm", **fields})
    assert (status, body["error"]["code"]) == (400, code)
    assert body["error"]["param"] == param
    assert said in body["error"]["message"]


@pytest.mark.parametrize("model", ["minilm", "judge"])
async def test_a_model_of_vectors_does_not_chat(on: On, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await on.client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}]
        )
    assert caught.value.code == "wrong_task"


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/reranking", "/v2/rerank"])
async def test_documents_come_best_first(on: On, path: str) -> None:
    documents = ["a b c", "x y", "c b a d e"]
    reference = Reference(on.folder / "judge")
    expected = [reference.score("a b", each) for each in documents]
    status, body = await on.post(path, model="judge", query="a b", documents=documents)
    assert status == 200
    order = [each["index"] for each in body["results"]]
    assert order == sorted(range(3), key=lambda index: -expected[index])
    for each in body["results"]:
        assert each["relevance_score"] == pytest.approx(expected[each["index"]], abs=1e-5)
    assert "document" not in body["results"][0]
    assert body["usage"]["total_tokens"] == sum(len(tokens("a b", each)) for each in documents)


async def test_some_of_them_with_their_texts(on: On) -> None:
    _, body = await on.post(
        "/v1/rerank",
        model="judge",
        query="a",
        documents=[{"text": "b"}, "c d"],
        top_n=1,
        return_documents=True,
    )
    (best,) = body["results"]
    assert best["document"] == {"text": ["b", "c d"][best["index"]]}


async def test_errors_of_rerank_have_the_shape_of_openai(on: On) -> None:
    status, body = await on.post("/v2/rerank", model="minilm", query="a", documents=["b"])
    assert (status, body["error"]["code"]) == (400, "wrong_task")
    status, body = await on.post("/v1/rerank", model="judge", query="a", documents=[])
    assert (status, body["error"]["param"]) == (400, "documents")


async def test_ollama_clients_get_the_same_numbers(on: On) -> None:
    plain = await on.client.embeddings.create(model="minilm", input=TEXTS, encoding_format="float")
    vectors = [each.embedding for each in plain.data]
    status, body = await on.post("/api/embed", model="minilm", input=TEXTS)
    assert (status, body["embeddings"]) == (200, vectors)
    status, body = await on.post("/api/embeddings", model="minilm", prompt=TEXTS[0])
    assert (status, body["embedding"]) == (200, vectors[0])
