"""Every format as its models write it: calls made text, and what shows `detect` the format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.parser import Format

Call = tuple[str, Mapping[str, object]]
BAR = "\uff5c"


@dataclass(frozen=True)
class Writer:
    """One format. template: what its templates hold. write: the text of calls. oracle: whose
    parser knows it. inner: how the text is cut for that parser. structured: it passes over markup
    of its own.
    """

    name: str
    template: str
    write: Callable[[Sequence[Call]], str]
    oracle: str | None = None
    vocabulary: tuple[str, ...] = ()
    structured: bool = False
    flat: bool = False
    one: bool = False

    @property
    def form(self) -> Format:
        """The format, in a vocabulary of which the named tokens are part."""
        return detect(self.template, {each: n for n, each in enumerate(self.vocabulary)})


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def plain(value: object) -> str:
    """A value as tags carry it."""
    return value if isinstance(value, str) else dumps(value)


def each(one: Callable[[Call], str], between: str = "\n") -> Callable[[Sequence[Call]], str]:
    return lambda calls: between.join(map(one, calls))


def hermes(call: Call) -> str:
    return f'<tool_call>\n{{"name": "{call[0]}", "arguments": {dumps(call[1])}}}\n</tool_call>'


def coder(prefix: str) -> Callable[[Sequence[Call]], str]:
    def one(call: Call) -> str:
        values = "".join(f"<parameter={k}>\n{plain(v)}\n</parameter>\n" for k, v in call[1].items())
        body = f"<function={call[0]}>\n{values}</function>"
        return f"<{prefix}tool_call>\n{body}\n</{prefix}tool_call>"

    return each(one)


def keyed(prefix: str) -> Callable[[Sequence[Call]], str]:
    p = prefix

    def one(call: Call) -> str:
        values = "".join(
            f"<{p}arg_key>{k}</{p}arg_key>\n<{p}arg_value>{plain(v)}</{p}arg_value>\n"
            for k, v in call[1].items()
        )
        return f"<{p}tool_call>{call[0]}\n{values}</{p}tool_call>"

    return each(one)


def tagged(prefix: str, section: str, hint: bool = False) -> Callable[[Sequence[Call]], str]:
    def argument(key: str, value: object) -> str:
        more = f' string="{"true" if isinstance(value, str) else "false"}"' if hint else ""
        return f'<{prefix}parameter name="{key}"{more}>{plain(value)}</{prefix}parameter>\n'

    def one(call: Call) -> str:
        values = "".join(argument(k, v) for k, v in call[1].items())
        return f'<{prefix}invoke name="{call[0]}">\n{values}</{prefix}invoke>\n'

    return lambda calls: f"<{section}>\n{''.join(map(one, calls))}</{section}>"


def minicpm(call: Call) -> str:
    def value(text: str) -> str:
        return f"<![CDATA[{text}]]>" if any(c in text for c in "<&\n") else text

    values = "".join(f'<param name="{k}">{value(plain(v))}</param>' for k, v in call[1].items())
    return f'<function name="{call[0]}">{values}</function>'


def kimi_k2(calls: Sequence[Call]) -> str:
    inner = "".join(
        f"<|tool_call_begin|>functions.{name}:{n}<|tool_call_argument_begin|>{dumps(arguments)}"
        "<|tool_call_end|>"
        for n, (name, arguments) in enumerate(calls)
    )
    return f"<|tool_calls_section_begin|>{inner}<|tool_calls_section_end|>"


def kimi_k3(calls: Sequence[Call]) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}
    kinds |= {dict: "object", type(None): "null"}

    def one(n: int, call: Call) -> str:
        values = "".join(
            f'<|open|>argument key="{k}" type="{kinds[type(v)]}"<|sep|>{plain(v)}'
            "<|close|>argument<|sep|>"
            for k, v in call[1].items()
        )
        return f'<|open|>call tool="{call[0]}" index="{n}"<|sep|>{values}<|close|>call<|sep|>'

    inner = "".join(one(n + 1, call) for n, call in enumerate(calls))
    return f"<|open|>tools<|sep|>{inner}<|close|>tools<|sep|>"


def mistral_list(calls: Sequence[Call]) -> str:
    return "[TOOL_CALLS]" + dumps([{"name": n, "arguments": a, "id": "x1"} for n, a in calls])


def mistral(calls: Sequence[Call]) -> str:
    return "".join(f"[TOOL_CALLS]{name}[ARGS]{dumps(arguments)}" for name, arguments in calls)


def pythonic(calls: Sequence[Call]) -> str:
    def value(given: object) -> str:
        return str(given) if given is None or isinstance(given, bool) else dumps(given)

    inner = ", ".join(
        f"{name}({', '.join(f'{k}={value(v)}' for k, v in arguments.items())})"
        for name, arguments in calls
    )
    return f"<|tool_call_start|>[{inner}]<|tool_call_end|>"


def gemma(opening: str, closing: str, quote: str) -> Callable[[Sequence[Call]], str]:
    def value(given: object) -> str:
        if isinstance(given, str):
            return f"{quote}{given}{quote}"
        if isinstance(given, Mapping):
            return "{" + ",".join(f"{k}:{value(v)}" for k, v in given.items()) + "}"
        if isinstance(given, list):
            return "[" + ",".join(map(value, given)) + "]"
        return dumps(given)

    return each(lambda call: f"{opening}call:{call[0]}{value(call[1])}{closing}")


def llama(calls: Sequence[Call]) -> str:
    return "; ".join(f'{{"name": "{n}", "parameters": {dumps(a)}}}' for n, a in calls)


def deepseek(before: str, after: str) -> Callable[[Sequence[Call]], str]:
    def one(call: Call) -> str:
        body = f"{before.replace('NAME', call[0])}{dumps(call[1])}{after}"
        return f"<{BAR}tool▁call▁begin{BAR}>{body}<{BAR}tool▁call▁end{BAR}>"

    section = (f"<{BAR}tool▁calls▁begin{BAR}>", f"<{BAR}tool▁calls▁end{BAR}>")
    return lambda calls: section[0] + "".join(map(one, calls)) + section[1]


def harmony(calls: Sequence[Call]) -> str:
    return "<|start|>assistant".join(
        f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{dumps(arguments)}"
        "<|call|>"
        for name, arguments in calls
    )


def muse(calls: Sequence[Call]) -> str:
    body = tagged("atem:", "atem:function_calls")(calls)
    return f" to={calls[0][0] if calls else 'user'}<|message|>{body}<|eom|>"


K3 = ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>")
SEPARATOR = f"<{BAR}tool▁sep{BAR}>"
DSML = f"{BAR}DSML{BAR}"
WRITERS = (
    Writer("json_tools", "<tool_call> tool_call.name", each(hermes), "json_tools", one=True),
    Writer("qwen3_coder", "<tool_call>\n<function=", coder(""), "qwen3_coder", one=True),
    Writer("seed", "<seed:tool_call>", coder("seed:")),
    Writer("glm47", "<arg_key>", keyed(""), "glm47", one=True),
    Writer("longcat", "<longcat_tool_call>", keyed("longcat_"), "longcat", one=True),
    Writer("minimax_m2", "<minimax:tool_call>", tagged("", "minimax:tool_call"), "minimax_m2"),
    Writer("minicpm5", '<function name="<param name="', each(minicpm, ""), "minicpm5"),
    Writer("kimi_k2", "<|tool_calls_section_begin|>", kimi_k2, "kimi_k2"),
    Writer("kimi_k3", "", kimi_k3, "kimi_k3", vocabulary=K3, structured=True),
    Writer("mistral", "[TOOL_CALLS]", mistral_list, "mistral"),
    Writer("mistral", "[TOOL_CALLS][ARGS]", mistral, "mistral"),
    Writer("pythonic", "<|tool_call_start|>", pythonic, "pythonic"),
    Writer(
        "gemma4",
        "<|tool_call><tool_call|>",
        gemma("<|tool_call>", "<tool_call|>", '<|"|>'),
        "gemma4",
        one=True,
    ),
    Writer(
        "function_gemma",
        "<start_function_call>",
        gemma("<start_function_call>", "<end_function_call>", "<escape>"),
        "function_gemma",
        flat=True,
        one=True,
    ),
    Writer("llama3", "<|python_tag|>", llama),
    Writer("llama3", "<|python_tag|>", lambda calls: "<|python_tag|>" + llama(calls)),
    Writer(
        "phi4",
        "<|tool_call|>",
        lambda calls: (
            "<|tool_call|>"
            + dumps([{"name": n, "arguments": a} for n, a in calls])
            + "<|/tool_call|>"
        ),
    ),
    Writer(
        "phi4",
        "<|tool|>",
        lambda calls: "functools" + dumps([{"name": n, "arguments": a} for n, a in calls]),
    ),
    Writer(
        "deepseek_v3",
        f"<{BAR}tool▁calls▁begin{BAR}> ```json",
        deepseek(f"function{SEPARATOR}NAME\n```json\n", "\n```"),
    ),
    Writer("deepseek_v31", f"<{BAR}tool▁calls▁begin{BAR}>", deepseek(f"NAME{SEPARATOR}", "")),
    Writer("deepseek_v32", DSML, tagged(DSML, f"{DSML}function_calls", hint=True)),
    Writer("harmony", "<|channel|><|message|>", harmony, structured=True),
    Writer("muse_spark", "<atem:function_calls>", muse, "muse_spark", structured=True),
)
