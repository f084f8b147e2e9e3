"""Every format: what models write comes out as the calls they meant, however it is cut."""

import importlib
import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Said
from tests.worker.parsing.feeding import ADD, TOOLS, WEATHER, outcome, pieces
from tests.worker.parsing.writers import WRITERS, Call, Writer

PROMPT = "<|start|>assistant"
ALPHABET = "ab \"'\\\n,:;{}()[]é😀5.-_=/"
INNER = st.text(alphabet=ALPHABET, max_size=12)
STRING = INNER.map(lambda text: f"x{text}y")
"""A text that nobody takes for anything else, and that keeps its ends."""
WHOLE = st.integers(-(2**53), 2**53)
WEATHER_ARGUMENTS = st.fixed_dictionaries(
    {"city": STRING},
    optional={
        "days": WHOLE,
        "metric": st.booleans(),
        "scale": st.floats(allow_nan=False, allow_infinity=False, width=32),
        "tags": st.lists(STRING, max_size=3),
        "place": st.dictionaries(
            st.from_regex(r"[a-z]{1,4}", fullmatch=True),
            st.one_of(st.integers(), STRING, st.booleans(), st.none(), st.lists(st.integers())),
            max_size=3,
        ),
        "note": st.one_of(st.none(), STRING),
    },
)
FLAT = st.fixed_dictionaries(
    {"city": STRING.map(lambda text: text.replace("}", ""))},
    optional={"days": WHOLE, "metric": st.booleans()},
)
ADDED = st.dictionaries(st.sampled_from("ab"), WHOLE | st.floats(-1e9, 1e9))
CUTS = st.lists(st.integers(0, 400), max_size=30)


def calls_for(writer: Writer) -> st.SearchStrategy[list[Call]]:
    weather = st.tuples(st.just("get_weather"), FLAT if writer.flat else WEATHER_ARGUMENTS)
    added = st.tuples(st.just("add"), ADDED)
    now = st.tuples(st.just("now"), st.just({}))
    return st.lists(weather | added | now, min_size=1, max_size=3)


def each_writer(test):
    ids = [f"{n}-{writer.name}" for n, writer in enumerate(WRITERS)]
    return pytest.mark.parametrize("writer", WRITERS, ids=ids)(test)


@each_writer
@given(data=st.data())
@settings(max_examples=15)
def test_calls_come_out_as_they_were_meant(writer, data):
    calls = data.draw(calls_for(writer))
    seen = outcome(writer.form, writer.write(calls), prompt=PROMPT)
    assert seen.complete == [(name, arguments) for name, arguments in calls]
    assert (seen.said, seen.thought) == ("", "")


@each_writer
@given(data=st.data(), cuts=CUTS)
@settings(max_examples=15)
def test_how_a_text_is_cut_does_not_matter(writer, data, cuts):
    text = writer.write(data.draw(calls_for(writer)))
    if not writer.structured and writer.name not in ("llama3", "phi4"):
        text = f"Well, \n{text}\nthen < [ <tool"
    assert pieces(writer.form, text, cuts, prompt=PROMPT) == pieces(
        writer.form, text, prompt=PROMPT
    )


SHREDS = ("<", ">", "{", "}", "[", "]", '"', ":", ",", "\\", "\n", " ", "null", "1", "é", "=", "(")


@each_writer
@given(data=st.data(), cuts=CUTS)
@settings(max_examples=25)
def test_rubbish_raises_nothing_and_is_the_same_however_it_is_cut(writer, data, cuts):
    good = writer.write([("get_weather", {"city": "xRomey", "days": 2}), ("now", {})])
    slices = st.tuples(st.integers(0, len(good)), st.integers(0, len(good))).map(
        lambda ends: good[min(ends) : max(ends)]
    )
    shred = slices | st.sampled_from((*writer.form.markers, *SHREDS, "add", "get_weather"))
    text = "".join(data.draw(st.lists(shred, max_size=12)))
    whole = pieces(writer.form, text, prompt=PROMPT)
    assert pieces(writer.form, text, cuts, prompt=PROMPT) == whole
    starts = [type(piece) for piece in whole]
    for before, piece in zip([None, *starts], starts, strict=False):
        assert piece is not CallArgs or before is CallStart
        assert piece is not CallEnd or before is CallArgs
    for call in outcome(writer.form, text, prompt=PROMPT).complete:
        assert isinstance(call[1], dict)


@each_writer
@given(data=st.data())
@settings(max_examples=10)
def test_without_tools_every_character_is_said(writer, data):
    text = writer.write(data.draw(calls_for(writer)))
    if writer.structured:
        return
    assert pieces(writer.form, text, tools=()) == [Said(text)]


@each_writer
@given(text=st.text(alphabet="ab .,\n!éß"))
@example(text="  \n")
@settings(max_examples=10)
def test_text_without_markers_passes_unchanged(writer, text):
    said = [Said(text)] if text else []
    assert pieces(writer.form, text, prompt=PROMPT) == said


@each_writer
def test_arguments_are_streamed(writer):
    """Of a long string, what has come is out before it ends."""
    text = writer.write([("get_weather", {"city": "x" + "word " * 40 + "y"})])
    parser = writer.form.parser(TOOLS, PROMPT)
    middle = text.index("word") + 100
    came = parser.feed(text[:middle])
    assert came[0] == CallStart("get_weather")
    assert isinstance(came[1], CallArgs)
    assert len(came[1].text) >= 100


@each_writer
def test_a_call_of_no_tool_is_said(writer):
    seen = outcome(writer.form, writer.write([("rm_all", {"path": "/x"})]), prompt=PROMPT)
    assert seen.calls == []
    assert "rm_all" in seen.said
    assert "/x" in seen.said


@each_writer
def test_a_call_that_is_cut_off_does_not_end(writer):
    text = writer.write([("get_weather", {"city": "Roma"})])
    for end in range(len(text) + 1):
        seen = outcome(writer.form, text[:end], prompt=PROMPT)
        if seen.calls and seen.calls[0][2]:
            assert seen.complete == [("get_weather", {"city": "Roma"})]
            break
    else:
        raise AssertionError("the call never ended")
    assert end > text.index("Roma") + 3


def oracle(writer: Writer, text: str) -> list[tuple[str, object]]:
    """What the other parser makes of the text between its markers."""
    module = importlib.import_module(f"mlx_lm.tool_parsers.{writer.oracle}")
    inner = text.partition(module.tool_call_start)[2]
    if module.tool_call_end:
        inner = inner.rpartition(module.tool_call_end)[0]
    if writer.name == "mistral":
        inner = text.removeprefix(module.tool_call_start).replace(module.tool_call_start, "")
    if writer.oracle in ("minicpm5", "minimax_m2", "kimi_k2", "kimi_k3", "muse_spark"):
        inner = text
    tools = [{"function": {"name": tool.name, "parameters": tool.parameters}} for tool in TOOLS]
    parsed = module.parse_tool_call(inner, tools)
    found = parsed if isinstance(parsed, list) else [parsed]
    return [(call["name"], json.loads(json.dumps(call["arguments"]))) for call in found]


@pytest.mark.parametrize(
    "writer", [each for each in WRITERS if each.oracle], ids=lambda writer: writer.name
)
@given(data=st.data())
@settings(max_examples=25)
def test_the_oracle_agrees(writer, data):
    calls = data.draw(calls_for(writer))[: 1 if writer.one else None]
    assume(writer.name != "longcat" or calls[0][1])  # it fails on a call without arguments
    text = writer.write(calls)
    assert outcome(writer.form, text, prompt=PROMPT).complete == oracle(writer, text)


def test_the_tools_of_these_tests_are_those_they_claim():
    assert {tool.name for tool in TOOLS} == {WEATHER.name, ADD.name, "now"}
