"""What kind of work a request is taken for, on labelled prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmxd.serving.tasks import FEW, judge
from schemas.inference import Message, Reasoning, Request, TextPart, Tool

# The second was written without sight of the rules, which then had 107 of its 120 right.
PROMPTS = Path(__file__).with_name("routing_prompts.txt")
UNSEEN = Path(__file__).with_name("routing_prompts_unseen.txt")


def asked(options: str, prompt: str) -> Request:
    name, _, value = options.partition("=")
    messages = [Message("user", (TextPart(prompt.replace("\\n", "\n")),))]
    if name == "system":
        messages.insert(0, Message("system", (TextPart(value),)))
    return Request(
        "r",
        "auto",
        tuple(messages),
        max_tokens=int(value) if name == "max" else None,
        tools=tuple(Tool(f"t{i}") for i in range(int(value))) if name == "tools" else (),
        reasoning=Reasoning(effort="high" if name == "effort" else None),
    )


def labelled(path: Path) -> Iterator[tuple[str, Request]]:
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            task, options, prompt = line.split("|", 2)
            yield task, asked(options, prompt)


@pytest.mark.parametrize(("path", "least"), [(PROMPTS, 300), (UNSEEN, 100)])
def test_nine_of_ten_labelled_prompts_go_where_they_should(path: Path, least: int) -> None:
    found = [(task, judge(request)) for task, request in labelled(path)]
    assert len(found) >= least
    right = sum(task == judgement.task for task, judgement in found)
    wrong = Counter((task, judgement.task) for task, judgement in found if task != judgement.task)
    assert right / len(found) >= 0.9, wrong


def test_every_task_is_mostly_found() -> None:
    found = [(task, judge(request).task) for task, request in labelled(PROMPTS)]
    for task in ("light", "heavy", "code", "reasoning"):
        of_it = [guess for label, guess in found if label == task]
        assert of_it.count(task) / len(of_it) >= 0.85  # type: ignore[arg-type]


def test_what_a_request_asks_for_counts_more_than_its_words() -> None:
    assert judge(asked("max=30", "Prove the theorem of Pythagoras.")).task == "light"
    assert judge(asked("effort=high", "hello")).task == "reasoning"
    assert judge(asked("tools=3", "What's up?")).task == "heavy"
    assert judge(asked("", "What's up?")).task == "light"


def test_the_last_thing_the_user_said_counts() -> None:
    history = (
        Message("user", (TextPart("Write a Python function that sorts a list."),)),
        Message("assistant", (TextPart("def f(x): return sorted(x)"),)),
        Message("user", (TextPart("thanks!"),)),
    )
    assert judge(Request("r", "auto", history)).task == "light"


def test_a_judgement_says_why() -> None:
    assert judge(asked("", "Fix this: ```x = 1```")).reason == "it is about code: '```'"
    expected = judge(asked("", "Write a 1,000 word article about trams.")).expected
    assert expected is not None
    assert expected > FEW


def test_odd_requests_are_judged_too() -> None:
    for messages in ((), (Message("system", (TextPart("x"),)),), (Message("user", ()),)):
        assert judge(Request("r", "auto", messages)).task == "light"
    assert judge(Request("r", "auto", kind="completion", prompts=((1, 2),))).task == "light"
    assert judge(Request("r", "auto", kind="completion", prompts=("def f(x):\n",))).task == "code"


@pytest.mark.timeout(20)
def test_a_huge_prompt_is_judged_by_its_ends() -> None:
    body = "a " * 2_000_000
    assert judge(asked("", f"Summarize this:\n{body}")).task == "light"
    assert judge(asked("", f"{body}\nFix the bug in main.py")).task == "code"
