"""Calls made up from the OpenAPI document, right ones and wrong ones, against a running daemon: it
answers each with something other than 5xx, and is alive afterwards. 503 (529 in Anthropic's API) is
right where an earlier call took the model away (it was suspended, or its document changed), and
says when to come back.
"""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from tests.kit.daemon import Daemon, running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    import schemathesis
    from schemathesis.generation import GenerationMode

pytestmark = pytest.mark.timeout(600)

DOCUMENT = """\
version: 1
models:
  tiny:
    source: builtin:tiny-chat
    state: loaded
aliases:
  auto: {route: task, light: tiny, heavy: tiny}
limits: {wait: 5s, request: 10s}
"""
EXAMPLES = 6
PATIENCE_S = 30.0
SHORT = 4  # tokens
NO_JSON = object()


def calls(operation: Any, mode: GenerationMode, daemon: Daemon, seen: list[str]) -> None:
    """Some calls of one operation; every second one that names a model names ours."""
    count = 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        nonlocal count
        count += 1
        if isinstance(case.body, dict):
            if "model" in case.body and count % 2:
                case.body["model"] = "tiny"
            for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
                if isinstance(case.body.get(name), int) and case.body[name] > SHORT:
                    case.body[name] = SHORT
        kwargs = case.as_transport_kwargs(base_url=daemon.url)
        seen.append(f"{kwargs['method']} {kwargs['url']} {kwargs.get('json', kwargs.get('data'))}")
        status, headers = answered(kwargs)
        not_now = status in {503, 529} and "retry-after" in headers
        assert status < 500 or not_now, f"{status}: {seen[-1][:2000]}"

    run()


def answered(kwargs: dict[str, Any]) -> tuple[int, httpx2.Headers]:
    """What came; an answer is read to its end unless it is a stream of events."""
    with httpx2.Client(trust_env=False, verify=False, timeout=PATIENCE_S) as client:
        body = kwargs.get("json", NO_JSON)
        more: dict[str, Any] = {} if body is NO_JSON else {"json": body}
        if kwargs.get("data") is not None:
            more["content"] = kwargs["data"]
        headers = {k: str(v) for k, v in dict(kwargs.get("headers") or {}).items()}
        with client.stream(
            kwargs["method"],
            kwargs["url"],
            params=kwargs.get("params"),
            headers=headers,
            **more,
        ) as answer:
            if "/events" not in kwargs["url"]:
                answer.read()
            return answer.status_code, answer.headers


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_no_call_is_answered_with_5xx(tmp_path: Path, mode: GenerationMode) -> None:
    document = tmp_path / "desired-state.yaml"
    document.write_text(DOCUMENT)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        schema = schemathesis.openapi.from_dict(await daemon.get("/lmxd/v1/openapi.json"))
        operations = [each.ok() for each in schema.get_all_operations()]
        assert len(operations) > 40
        seen: list[str] = []
        for operation in operations:
            try:
                await asyncio.to_thread(calls, operation, mode, daemon, seen)
            except hypothesis.errors.Unsatisfiable:  # nothing wrong can be said to it
                assert mode is GenerationMode.NEGATIVE
        assert len(seen) > 2 * len(operations)
        assert (await daemon.get("/health"))["status"] == "ok"
