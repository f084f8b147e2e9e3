"""The official Ollama client against a whole daemon and its built-in model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ollama import AsyncClient, ResponseError

from tests.kit.daemon import PATIENCE_S, Daemon, running, summary
from tests.kit.documents import write

HELLO = [{"role": "user", "content": "hello"}]
GREEDY = {"temperature": 0, "num_predict": 24}


def client(daemon: Daemon) -> AsyncClient:
    return AsyncClient(host=daemon.url, timeout=PATIENCE_S, trust_env=False, verify=False)


def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: which one
    """
    return f"sunny in {city}"


async def told(daemon: Daemon) -> set[str]:
    """How leases have models kept."""
    leases = (await daemon.get("/lmxd/v1/leases"))["leases"]
    return {fields["keep_alive"] for each in leases for fields in each["patch"]["models"].values()}


async def test_talk_with_a_real_model(tmp_path: Path) -> None:
    document = write(
        tmp_path / "desired-state.yaml",
        {"tiny": {"source": "builtin:tiny-chat", "state": "on-demand"}},
        aliases={"llama3.2": "tiny"},
    )
    before = document.read_bytes()
    async with running(document, tmp_path) as daemon, client(daemon) as talk:
        await daemon.ready()
        loaded = await talk.generate(model="tiny", keep_alive="1h")
        assert (loaded.done_reason, loaded.response) == ("load", "")
        assert await told(daemon) == {"3600s"}
        whole = await talk.chat(model="llama3.2:latest", messages=HELLO, options=GREEDY)
        parts = [
            part
            async for part in await talk.chat(
                model="llama3.2", messages=HELLO, options=GREEDY, stream=True
            )
        ]
        assert whole.message.content
        assert "".join(part.message.content or "" for part in parts) == whole.message.content
        assert (parts[-1].done, parts[-1].done_reason) == (True, whole.done_reason)
        assert parts[-1].eval_count == whole.eval_count
        assert (whole.total_duration or 0) > (whole.eval_duration or 0) > 0
        said = await talk.generate(model="tiny", prompt="hello", options=GREEDY)
        assert said.response == whole.message.content
        short = await talk.generate(
            model="tiny", prompt="hello", options={"temperature": 0, "num_predict": 1}
        )
        assert (short.done_reason, short.eval_count) == ("length", 1)
        (running_now,) = (await talk.ps()).models
        assert (running_now.model, (running_now.size or 0) > 0) == ("tiny", True)
        assert [each.model for each in (await talk.list()).models] == ["tiny", "llama3.2"]
        assert (await talk.show("llama3.2")).details is not None
        called = await talk.chat(
            model="tiny",
            messages=[{"role": "user", "content": "What is the weather in Rome?"}],
            tools=[weather],
            options={"temperature": 0},
        )
        (call,) = called.message.tool_calls or ()
        assert (call.function.name, call.function.arguments) == ("weather", {"city": "Rome"})
        shape = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
        held = await talk.generate(
            model="tiny", prompt="hello", format=shape, options={"temperature": 0}
        )
        assert isinstance(json.loads(held.response or "")["a"], int)
        with pytest.raises(ResponseError) as wrong:
            await talk.embed(model="tiny", input="hello")
        assert (wrong.value.status_code, "embed" in wrong.value.error) == (400, True)
        with pytest.raises(ResponseError) as caught:
            await talk.chat(model="nope", messages=HELLO)
        assert (caught.value.status_code, "nope" in caught.value.error) == (404, True)
        gone = await talk.generate(model="tiny", keep_alive=0)
        assert gone.done_reason == "unload"
        await daemon.until(lambda s: summary(s, "tiny") == "Idle", "it is unloaded")
        assert await told(daemon) == set()
        assert document.read_bytes() == before


async def test_verbs_are_edits(tmp_path: Path) -> None:
    document = write(tmp_path / "desired-state.yaml", {})
    async with running(document, tmp_path) as daemon, client(daemon) as talk:
        await daemon.ready()
        steps = [step.status async for step in await talk.pull("builtin:tiny-chat", stream=True)]
        assert (steps[0], steps[-1]) == ("pulling manifest", "success")
        made = await talk.create(
            model="mario",
            from_="tiny-chat",
            system="You are Mario.",
            parameters={"temperature": 0},
            stream=False,
        )
        assert made.status == "success"
        await talk.copy("mario", "luigi")
        listed = [each.model for each in (await talk.list()).models]
        assert listed == ["tiny-chat", "mario", "luigi"]
        shown = await talk.show("luigi")
        assert "You are Mario." in (shown.modelfile or "")
        answer = await talk.generate(model="luigi", prompt="hello", options={"num_predict": 4})
        assert answer.eval_count
        await talk.delete("luigi")
        with pytest.raises(ResponseError) as caught:
            await talk.push("mario")
        assert "publishes no models" in caught.value.error
        text = document.read_text()
        assert "luigi" not in text
        assert "You are Mario." in text
        assert text.count("on-demand") == 2
