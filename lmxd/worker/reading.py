"""How the answers of one model are read, and what they are bound to.

A model's chat template and vocabulary tell its format once; a request then says which tools it
offers, what the answer has to match and how much reasoning it may cost. `Reader` runs on the
preparation thread and gives a `Reading`, from which every sequence takes its own parser and
constraint.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.budget import Budget
from lmxd.worker.constrain import Compiled, Constrainer, Constraint
from lmxd.worker.conversation import TemplateWords
from lmxd.worker.grammars import Wanted
from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.frame import frame
from lmxd.worker.parsing.lark import arguments_schema
from lmxd.worker.parsing.parser import Format, Parser
from schemas.errors import Code, RequestError
from schemas.inference import Grammar, Request, Tool

__all__ = ["PLAIN", "Reader", "Reading", "Voice"]

_KEPT = 8  # templates that requests bring with them


@dataclass(frozen=True, slots=True)
class Reading:
    """One request's answers. parser: makes that of one answer, which is then shown the markers;
    None passes text on as it is. grammar: what they must match. budget: most tokens of reasoning,
    and `close` the tokens that end it.
    """

    parser: Callable[[], Parser] | None = None
    grammar: Compiled | None = None
    budget: int | None = None
    close: tuple[int, ...] = ()

    def constraint(self, generated: Sequence[int], text: Callable[[int], str]) -> Constraint | None:
        """For a sequence that has these tokens; `text`: what each adds to its text, in order.
        Raises GrammarError.
        """
        budget = None
        if self.budget is not None and self.parser is not None:
            budget = Budget(self.budget, self.close, self.parser(), text)
        if budget is None and self.grammar is None:
            return None
        return Constraint(self.grammar, budget, generated)


PLAIN = Reading()


@dataclass(frozen=True, slots=True)
class Voice:
    """What one chat template makes of the model."""

    form: Format
    words: TemplateWords

    @property
    def calls(self) -> bool:
        """Whether tools can be offered and calls of them be read."""
        return self.form.name != "plain" and "tools" in self.words.free


class Reader:
    """The formats of one model. template: its own; None: it has none. tokens: its vocabulary.
    encode: a text in the middle of an answer to tokens.
    """

    def __init__(
        self,
        template: str | None,
        tokens: Mapping[str, int],
        constrainer: Constrainer,
        encode: Callable[[str], Sequence[int]],
    ) -> None:
        self._tokens = tokens
        self._constrainer = constrainer
        self._encode = encode
        self._brought: OrderedDict[str, Voice] = OrderedDict()
        self.own = self._voice(template)

    def voice(self, request: Request) -> Voice:
        """That of the template the request is rendered with. Raises RequestError for tools that
        cannot be offered.
        """
        voice = self.own
        if request.template is not None:
            voice = self._brought.get(request.template) or self._voice(request.template)
            self._brought[request.template] = voice
            self._brought.move_to_end(request.template)
            if len(self._brought) > _KEPT:
                self._brought.popitem(last=False)
        _check_tools(request, voice)
        return voice

    def read(self, request: Request, voice: Voice, prompt: str) -> Reading:
        """For the answers to this rendered prompt. Raises RequestError."""
        tools = allowed_tools(request)
        reads = bool(tools) or voice.form.thinks
        parser = partial(voice.form.parser, tools, prompt) if reads else None
        budget = self._budget(request, voice, parser)
        close = tuple(self._encode(voice.form.close())) if budget is not None else ()
        return Reading(parser, self._grammar(request, voice, prompt, tools), budget, close)

    def raw(self, request: Request) -> Reading:
        """For text that goes on from a prompt without any template."""
        if request.format is None:
            return PLAIN
        return Reading(grammar=self._constrainer.compile(Wanted(request.format)))

    def _voice(self, template: str | None) -> Voice:
        return Voice(detect(template, self._tokens), TemplateWords(template or ""))

    def _budget(
        self, request: Request, voice: Voice, parser: Callable[[], Parser] | None
    ) -> int | None:
        if parser is None or not voice.form.thinks or not voice.form.close():
            return None
        if request.reasoning.effort != "none":
            return request.reasoning.budget
        # The template was asked for no reasoning; where it cannot, it is closed at once.
        told = voice.words.free & {"enable_thinking", "thinking"}
        return None if told and not parser().thinking else 0

    def _grammar(
        self, request: Request, voice: Voice, prompt: str, tools: tuple[Tool, ...]
    ) -> Compiled | None:
        required = request.tool_use.choice == "required"
        answer = None if required else request.format
        if answer is None and not required:
            return None
        calls = voice.form.grammar(tools, request.tool_use) if tools else None
        if required and calls is None:
            raise _unsupported("this model has no way to be made to call a tool", "tool_choice")
        bound = tuple(
            name for name, part in (("@answer", answer), ("@calls", calls)) if part is not None
        )
        reason = request.reasoning.effort != "none"
        around = frame(voice.form, self._tokens, prompt, reason=reason, bound=bound)
        try:
            return self._constrainer.compile(Wanted(answer, calls, around))
        except RequestError:
            self._blame(tools if calls is not None else ())
            raise

    def _blame(self, tools: tuple[Tool, ...]) -> None:
        """Raises the error of the tool whose parameters cannot be enforced, if it is one's."""
        for tool in tools:
            schema = Grammar("schema", json.dumps(arguments_schema(tool.parameters)))
            try:
                self._constrainer.compile(Wanted(schema))
            except RequestError as error:
                raise RequestError(
                    error.code,
                    f"tool {tool.name!r}: {error.message}",
                    hint=error.hint,
                    param="tools",
                ) from error


def allowed_tools(request: Request) -> tuple[Tool, ...]:
    """The tools that the answer may call."""
    if request.tool_use.choice == "none":
        return ()
    only = request.tool_use.only
    return tuple(tool for tool in request.tools if not only or tool.name in only)


def _check_tools(request: Request, voice: Voice) -> None:
    use = request.tool_use
    names = {tool.name for tool in request.tools}
    unknown = [name for name in use.only if name not in names]
    if unknown:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"tool_choice names {unknown[0]!r}, which is none of the {len(names)} tools",
            param="tool_choice",
        )
    if use.choice == "required" and not names:
        raise RequestError(
            Code.INVALID_REQUEST,
            "tool_choice requires a call, but no tools are given",
            param="tool_choice",
        )
    for tool in request.tools:
        kind = tool.parameters.get("type", "object")
        if kind != "object" and not (isinstance(kind, list) and "object" in kind):
            raise RequestError(
                Code.INVALID_REQUEST,
                f"the parameters of tool {tool.name!r} are of type {kind!r}: must be 'object'",
                param="tools",
            )
    if names and use.choice != "none" and not voice.calls:
        raise _unsupported(f"the model of {request.name!r} cannot call tools", "tools")


def _unsupported(message: str, param: str) -> RequestError:
    return RequestError(
        Code.UNSUPPORTED_PARAMETER,
        message,
        hint="leave it out, or ask a model whose chat template knows tools",
        param=param,
    )
