"""What may come before an answer that is bound, checked with llguidance itself."""

import pytest

from lmxd.worker.constrain import Constrainer, Constraint, Lexicon, Masks
from lmxd.worker.grammars import Wanted
from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.frame import frame
from schemas.inference import Grammar

TAGS = ("<think>", "</think>")
IDS = {tag: 257 + place for place, tag in enumerate(TAGS)}
TEXT = [bytes([byte]) for byte in range(256)]
END = 256


def lexicon(size):
    tokens = [*TEXT, b"<end>", *(tag.encode() for tag in TAGS)][:size]
    control = list(range(256, size))
    return Lexicon(tokens, control, [END], lambda text: list(text.encode()))


class Bound:
    """An answer of only `{}` or digits, said as text and tokens."""

    def __init__(self, *, tokens, prompt="", reason=True, calls=None):
        self.ids = IDS if tokens else {}
        self.size = 259 if tokens else 257
        form = detect("<think></think><tool_call></tool_call>", self.ids)
        bound = ("@answer",) if calls is None else ("@answer", "@calls")
        around = frame(form, self.ids, prompt, reason=reason, bound=bound)
        wanted = Wanted(Grammar("regex", "[0-9]+"), calls, around)
        constrainer = Constrainer(lambda: lexicon(self.size))
        self.compiled = constrainer.compile(wanted)

    def after(self, text):
        """The tokens that may follow; None where the text itself may not be."""
        tokens = []
        while text:
            tag = next((tag for tag in self.ids if text.startswith(tag)), None)
            taken = tag.encode() if tag else text[0].encode()
            tokens += [self.ids[tag]] if tag else list(taken)
            text = text[len(tag or text[0]) :]
        try:
            constraint = Constraint(self.compiled, None, tokens)
        except Exception:  # noqa: BLE001 - it does not fit
            return None
        constraint.follow(0)
        view = Masks(self.size).fill([constraint])
        return {n for n in range(self.size) if view[0, n // 32] >> (n % 32) & 1}


@pytest.mark.parametrize("tokens", [True, False])
def test_reasoning_that_the_prompt_began_is_free_until_it_is_closed(tokens):
    bound = Bound(tokens=tokens, prompt="assistant\n<think>\n")
    for text in ("", "well", "{1}\n\n12"):
        after = bound.after(text)
        assert {ord("a"), ord("1"), ord("\n"), ord("<")} <= after
        assert END not in after
    assert bound.after("hm\n</think>") & {ord("a"), ord("1"), ord("\n"), END} == {
        ord("1"),
        ord("\n"),
    }
    assert bound.after("</think>\n\n1") & {ord("a"), ord("1"), END} == {ord("1"), END}
    assert bound.after("</think>\n\na") is None


@pytest.mark.parametrize("tokens", [True, False])
def test_the_model_may_begin_to_reason_unless_it_must_not(tokens):
    bound = Bound(tokens=tokens)
    assert ord("1") in bound.after("")
    assert ord("a") not in bound.after("")
    assert END not in bound.after("<think>hm")
    assert bound.after("<think>hm</think>12") is not None
    assert Bound(tokens=tokens, reason=False).after("<think>") is None


def test_in_reasoning_that_is_tokens_no_other_token_is_a_marker():
    assert Bound(tokens=True).after("<think>hm") & set(IDS.values()) == {IDS["</think>"]}


def test_calls_are_another_way_to_answer():
    bound = Bound(tokens=True, calls='start: "call"')
    assert bound.after("") >= {ord("c"), ord("1")}
    assert bound.after("<think>x</think>call") == {END}


def test_a_format_of_messages_has_the_answer_in_the_message_to_the_reader():
    names = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>")
    ids = {name: 257 + place for place, name in enumerate(names)}
    form = detect("<|channel|><|message|>", ids)
    tokens = [*TEXT, b"<end>", *(name.encode() for name in names)]
    words = Lexicon(tokens, range(256, len(tokens)), [END], lambda text: list(text.encode()))

    def fits(text, *, reason):
        around = frame(form, ids, "<|start|>assistant", reason=reason, bound=("@answer",))
        wanted = Wanted(Grammar("regex", "[0-9]+"), None, around)
        matcher = Constrainer(lambda: words).compile(wanted).matcher()
        said: list[int] = []
        while text:
            name = next((name for name in names if text.startswith(name)), None)
            said.append(ids[name] if name else ord(text[0]))
            text = text[len(name or text[0]) :]
        return matcher.consume_tokens(said) and matcher.is_accepting()

    final = "<|channel|>final<|message|>12"
    thought = "<|channel|>analysis<|message|>hm\n3<|end|><|start|>assistant"
    for reason in (True, False):
        assert fits(final, reason=reason)
        assert not fits("12", reason=reason)
        assert fits(thought + final, reason=reason) is reason
