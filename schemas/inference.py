"""The neutral request and the neutral events: what every dialect translates to and from.

Engines read these and know no dialect; dialects write these and know no engine. They travel to
workers as MessagePack, so they are msgspec structs: frozen, decoded and type-checked in one pass.

`Accepted` comes first, and only once. Of a generation (`chat`, `completion`) there is then, for
each index, exactly one `Finish` or `Failed`; of an `embed` one `Vector` for each input, of a
`rerank` one `Score` for each document, of a `tokenize` one `Tokens`, of a `detokenize` one `Text`,
of a `count` nothing. After all that one `Usage`, and nothing after it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field, structs

__all__ = [
    "Accepted",
    "Alternative",
    "Effort",
    "Event",
    "Failed",
    "Finish",
    "FinishReason",
    "Grammar",
    "Kind",
    "Message",
    "Part",
    "Prompt",
    "Reasoning",
    "ReasoningPart",
    "Request",
    "Role",
    "Sampling",
    "Score",
    "Text",
    "TextPart",
    "Thinking",
    "Timings",
    "TokenLogprob",
    "Tokens",
    "Tool",
    "ToolArgs",
    "ToolCallPart",
    "ToolEnd",
    "ToolResultPart",
    "ToolStart",
    "ToolUse",
    "Usage",
    "Vector",
]

Kind = Literal["chat", "completion", "embed", "rerank", "tokenize", "detokenize", "count"]
Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]
Effort = Literal["none", "minimal", "low", "medium", "high"]
Prompt = str | tuple[int, ...]
"""A text, or the tokens of one."""


class TextPart(Struct, frozen=True, tag="text"):
    """Plain text."""

    text: str


class ReasoningPart(Struct, frozen=True, tag="reasoning"):
    """What the assistant thought before it said something; templates may show or drop it."""

    text: str


class ToolCallPart(Struct, frozen=True, tag="tool_call"):
    """A call the assistant made. `arguments`: the text of a JSON object."""

    call: str
    name: str
    arguments: str


class ToolResultPart(Struct, frozen=True, tag="tool_result"):
    """What came of the call with this id."""

    call: str
    text: str


Part = TextPart | ReasoningPart | ToolCallPart | ToolResultPart


class Message(Struct, frozen=True):
    """One turn of a conversation; `name` is the speaker, or the tool, where a template shows it."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None

    @property
    def text(self) -> str:
        """All text parts and tool results, one after the other."""
        texts = (each for each in self.parts if isinstance(each, TextPart | ToolResultPart))
        return "".join(part.text for part in texts)


class Sampling(Struct, frozen=True, omit_defaults=True):
    """How a token is chosen; None means nobody asked, so the layer below decides.

    temperature: 0 is greedy. top_p, min_p: probabilities in [0, 1]. top_k: 0 is off.
    xtc_probability, xtc_threshold: how often the tokens likelier than the threshold go, all but
    the least likely of them. presence, frequency: subtracted from the logit of a token that was
    generated, once and for each time. repetition: divides positive and multiplies negative logits
    of tokens of prompt or answer; 1 is off. logit_bias: token id to what is added to its logit.
    seed: equal seed, prompt and options give equal text, also inside a batch.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    presence: float | None = None
    frequency: float | None = None
    repetition: float | None = None
    logit_bias: dict[int, float] | None = None

    def over(self, base: Sampling) -> Sampling:
        """These choices laid over `base`."""
        chosen = {
            name: value
            for name in Sampling.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        return structs.replace(base, **chosen)


class Grammar(Struct, frozen=True):
    """What the answer must match. json: any JSON object. schema: JSON that `text`, a JSON schema,
    accepts. regex: `text` as a regular expression, whole. lark: `text` as a grammar.
    """

    kind: Literal["json", "schema", "regex", "lark"]
    text: str = ""


class Tool(Struct, frozen=True):
    """A function the model may call. `parameters`: JSON schema of its arguments, an object."""

    name: str
    description: str = ""
    parameters: dict[str, object] = field(default_factory=dict)


class ToolUse(Struct, frozen=True):
    """Whether tools are called. only: the names that may be; () is all. parallel: more than one
    call in an answer.
    """

    choice: Literal["auto", "none", "required"] = "auto"
    only: tuple[str, ...] = ()
    parallel: bool = True


class Reasoning(Struct, frozen=True, omit_defaults=True):
    """How much the model thinks before it answers. effort: a word for the template; `none` is not
    at all. budget: most tokens of it; the thinking is then closed and the answer begins.
    """

    effort: Effort | None = None
    budget: int | None = None


class Request(Struct, frozen=True, omit_defaults=True):
    """One request to one model.

    id: unique in the daemon. name: what the client asked for, echoed back.
    messages: of `chat` and `count`, and of a `tokenize` without prompts. prompts: of `completion`,
    `embed` and `tokenize`; of a `rerank` the query, of a `detokenize` the tokens. documents: of a
    `rerank`.
    n: answers to each prompt; answer i to prompt p has the index `p * n + i`.
    max_tokens: None is as many as fit the context. stop: strings matched on text; never shown.
    logprobs: how many of the likeliest tokens are told at each place; None is no logprobs at all.
    echo: the prompt, with its logprobs, comes before the answer. suffix: what follows the gap that
    a completion fills. special: tokenize with the tokens a model puts around a text.
    dimensions: of the vectors of an `embed`, cut from longer ones. truncate: texts of an `embed`
    and documents of a `rerank` that are too long are cut, instead of refused.
    template: inline Jinja in place of the model's own chat template.
    template_kwargs: handed to the template as they are.
    prefill: the last assistant message is the beginning of the answer.
    deadline_ms: longest generation, from acceptance. identity: who is asking, for fair queueing.
    priority: greater goes first; 0 is everybody's.
    """

    id: str
    name: str
    messages: tuple[Message, ...] = ()
    kind: Kind = "chat"
    prompts: tuple[Prompt, ...] = ()
    documents: tuple[str, ...] = ()
    n: int = 1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    logprobs: int | None = None
    echo: bool = False
    suffix: str | None = None
    special: bool = True
    dimensions: int | None = None
    truncate: bool = False
    format: Grammar | None = None
    tools: tuple[Tool, ...] = ()
    tool_use: ToolUse = field(default_factory=ToolUse)
    reasoning: Reasoning = field(default_factory=Reasoning)
    template: str | None = None
    template_kwargs: dict[str, object] = field(default_factory=dict)
    prefill: bool = False
    deadline_ms: int | None = None
    identity: str = "anonymous"
    priority: int = 0


class _Event(Struct, frozen=True, array_like=True):
    """What all events carry: the request's id and the index of the choice."""

    id: str
    index: int


class Accepted(_Event, frozen=True, array_like=True, tag="accepted"):
    """The engine took the request; the prompt is valid and counted in tokens."""

    prompt_tokens: int
    cached_tokens: int = 0


class Alternative(Struct, frozen=True, array_like=True):
    """A token that could have come. `raw`: its bytes, which may be part of a character."""

    text: str
    raw: bytes
    logprob: float
    token: int


class TokenLogprob(Struct, frozen=True, array_like=True):
    """The token that came, and the likeliest ones at its place, likeliest first. `logprob`
    is natural, of the model's own distribution at temperature 1, before any filter; None for the
    first token of a prompt, which nothing foretold.
    """

    text: str
    raw: bytes
    logprob: float | None
    token: int
    top: tuple[Alternative, ...] = ()


class Text(_Event, frozen=True, array_like=True, tag="text"):
    """New text, whole characters only, stop strings already cut away. Empty only to carry
    `logprobs`: those of the tokens since the last `Text` whose text is part of the answer.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] | None = None


class Thinking(_Event, frozen=True, array_like=True, tag="thinking"):
    """New text of the reasoning; never empty."""

    text: str


class ToolStart(_Event, frozen=True, array_like=True, tag="tool_start"):
    """A call begins. `call`: its number in this choice, from 0."""

    call: int
    name: str


class ToolArgs(_Event, frozen=True, array_like=True, tag="tool_args"):
    """More of the arguments' JSON text; never empty."""

    call: int
    text: str


class ToolEnd(_Event, frozen=True, array_like=True, tag="tool_end"):
    """The arguments are complete: together one JSON object."""

    call: int


class Finish(_Event, frozen=True, array_like=True, tag="finish"):
    """The choice ended as it should. `stop`: end token or stop string, which `matched` then is;
    `length`: max_tokens; `tool_calls`: what it said last is calls.
    """

    reason: FinishReason
    matched: str | None = None


class Vector(_Event, frozen=True, array_like=True, tag="vector"):
    """The embedding of one input: float32, little-endian, of length 1 as a vector."""

    data: bytes


class Score(_Event, frozen=True, array_like=True, tag="score"):
    """How well one document fits the query, from 0 to 1."""

    value: float


class Tokens(_Event, frozen=True, array_like=True, tag="tokens"):
    """The tokens of a text."""

    tokens: tuple[int, ...]


class Timings(Struct, frozen=True, array_like=True):
    """Seconds spent waiting in the worker, in prefill and in decoding."""

    queued_s: float
    prefill_s: float
    decode_s: float


class Usage(_Event, frozen=True, array_like=True, tag="usage"):
    """Tokens counted, after all choices of the request ended; `index` is 0. `completion` has those
    of the reasoning among it.
    """

    prompt: int
    completion: int
    cached: int
    timings: Timings
    reasoning: int = 0


class Failed(_Event, frozen=True, array_like=True, tag="failed"):
    """The choice ended in an error. `code` is one of `schemas.errors.Code`."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False


Event = (
    Accepted
    | Text
    | Thinking
    | ToolStart
    | ToolArgs
    | ToolEnd
    | Finish
    | Vector
    | Score
    | Tokens
    | Usage
    | Failed
)
