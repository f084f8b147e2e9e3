"""Grammars without a model: what is refused, what is kept, and which tokens a mask allows."""

import contextlib
import json
import threading

import pytest

from lmxd.worker.constrain import Constrainer, Constraint, GrammarError, Lexicon, Masks
from lmxd.worker.grammars import Wanted
from schemas.errors import RequestError
from schemas.inference import Grammar

END = 256
WORDS = (b'{"', b'": ', b"true", b"ab", b"abc", b"zz")


def lexicon():
    tokens = [bytes([byte]) for byte in range(256)] + [b"<end>"] + list(WORDS)
    return Lexicon(tokens, [END], [END], lambda text: list(text.encode()))


@pytest.fixture(scope="module")
def constrainer():
    return Constrainer(lexicon)


def wanted(kind, text=""):
    return Wanted(Grammar(kind, text))


def schema(document):
    return Grammar("schema", json.dumps(document))


def allowed(constraint):
    """The texts that may come next; `<end>` where the answer may end."""
    view = Masks(len(lexicon().tokens)).fill([constraint])
    tokens = lexicon().tokens
    assert view.shape[1] * 32 >= len(tokens)
    return {tokens[i] for i in range(len(tokens)) if view[0, i // 32] >> (i % 32) & 1}


def after(constrainer, grammar, text):
    constraint = Constraint(constrainer.compile(Wanted(grammar)), None, list(text.encode()))
    constraint.follow(0)  # the last token of the prompt
    return allowed(constraint)


def test_the_end_is_allowed_only_where_the_grammar_accepts(constrainer):
    grammar = Grammar("regex", "ab(c?)")
    assert after(constrainer, grammar, "") == {b"a", b"ab", b"abc"}
    assert after(constrainer, grammar, "ab") == {b"c", b"<end>"}
    assert after(constrainer, grammar, "abc") == {b"<end>"}


def test_json_has_no_white_space_but_one_space_behind_a_mark(constrainer):
    grammar = schema({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert b" " not in after(constrainer, grammar, "")
    assert b" " in after(constrainer, grammar, '{"a":')
    assert b" " not in after(constrainer, grammar, '{"a": ')
    assert not {b"\n", b"\t", b" "} & after(constrainer, grammar, '{"a": 1')


def test_any_object_is_json_but_nothing_else_is(constrainer):
    assert after(constrainer, Grammar("json"), "") == {b"{", b'{"'}
    assert after(constrainer, Grammar("json"), '{"a": [1, null]}') == {b"<end>"}


def test_a_lark_grammar_binds(constrainer):
    grammar = Grammar("lark", 'start: "a" ("b" | "z")+')
    assert after(constrainer, grammar, "ab") == {b"b", b"z", b"zz", b"<end>"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"not": {}}, "not at /not "),
        ({"type": "array", "items": {"uniqueItems": True}}, "uniqueItems at /items/uniqueItems "),
        (
            {"properties": {"if": {"type": "string"}, "a/b": {"if": {}, "then": {}}}},
            "if at /properties/a~1b/if ",
        ),
        ({"anyOf": [{"type": "null"}, {"contains": {}}]}, "contains at /anyOf/1/contains "),
        (
            {"$defs": {"x": {"propertyNames": {"minLength": 1}}}, "$ref": "#/$defs/x"},
            "propertyNames at /$defs/x/propertyNames ",
        ),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "oneOf at /oneOf "),
        ({"type": "string", "format": "iri"}, "format: iri at /format "),
        ({"$ref": "https://example.com/x"}, "$ref: https://example.com/x at /$ref "),
        ({"$schema": "https://example.com/x"}, "$schema: https://example.com/x at /$schema "),
        ({"properties": {"a": {}}, "minProperties": 2, "type": "object"}, "at /minProperties "),
        (
            {"properties": {"a": {"pattern": "x"}, "b": {"pattern": "(?=y)"}}},
            "pattern at /properties/b/pattern ",
        ),
        ({"patternProperties": {"(?!a)": {}}}, "pattern at /patternProperties/(?!a) "),
        ({"x-guidance": {"lenient": True}, "not": {}}, "not at /not "),
    ],
)
def test_a_keyword_that_is_not_enforced_is_named_with_its_place(constrainer, document, said):
    with pytest.raises(RequestError) as refused:
        constrainer.compile(Wanted(schema(document)))
    assert refused.value.code == "unsupported_parameter"
    assert said in f"{refused.value.message} "


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        (Grammar("schema", "{"), "the schema is no JSON"),
        (Grammar("schema", "[" * 100_000), "the schema is no JSON"),
        (Grammar("schema", "3"), "the schema is no JSON object"),
        (Grammar("schema", "false"), "the schema is no JSON object"),
        (schema({"type": "strin"}), "strin"),
        (schema({"type": "string", "minLength": 3, "maxLength": 2}), "minLength (3)"),
        (schema({"$ref": "#/nowhere"}), "/nowhere"),
        (schema({"type": "integer", "multipleOf": 0}), "multiple"),
        (schema({"enum": []}), "nothing|empty"),
        (Grammar("regex", "(a"), "the regular expression cannot be compiled"),
        (Grammar("regex"), "the regular expression is empty"),
        (Grammar("lark", "start: x"), "the grammar cannot be compiled"),
        (Grammar("lark"), "the grammar is empty"),
        (Grammar("lark", 'start: "a"\n#' + "x" * 300_000), "at most 262144"),
    ],
)
def test_a_wrong_grammar_is_the_clients_error(constrainer, grammar, said):
    with pytest.raises(RequestError) as refused:
        constrainer.compile(Wanted(grammar))
    assert refused.value.code == "invalid_request"
    assert any(part in refused.value.message for part in said.split("|"))


def test_true_is_a_schema_of_anything(constrainer):
    assert {b"{", b"[", b"t", b"1"} <= after(constrainer, Grammar("schema", "true"), "")


def test_a_long_chain_of_rules_does_not_end_the_process(constrainer):
    rules = "".join(f"r{n}: r{n + 1}\n" for n in range(15_000))
    grammar = Grammar("lark", f'start: r0\n{rules}r15000: "ab"')
    assert after(constrainer, grammar, "") == {b"a"}


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar("regex", "((a{1,1000}){1,1000}){1,1000}b"),
        Grammar("regex", "(x+x+)+y" * 50),
        schema({"type": "array", "items": {"type": "string"}, "minItems": 10**6}),
        schema({"type": "string", "maxLength": 10**7}),
        schema(
            {
                "allOf": [
                    {"anyOf": [{"required": [f"{i}{j}"], "type": "object"} for j in range(4)]}
                    for i in range(6)
                ]
            }
        ),
        schema({"enum": [f"word{n}" for n in range(10_000)]}),
    ],
)
def test_a_grammar_that_explodes_compiles_or_is_refused(constrainer, grammar):
    with contextlib.suppress(RequestError):
        constrainer.compile(Wanted(grammar))


def test_a_compiled_grammar_is_kept_and_the_oldest_goes():
    constrainer = Constrainer(lexicon)
    kept = constrainer.compile(wanted("regex", "kept"))
    gone = constrainer.compile(wanted("regex", "gone"))
    for n in range(31):
        constrainer.compile(wanted("regex", f"x{n}"))
        assert constrainer.compile(wanted("regex", "kept")) is kept
    assert constrainer.compile(wanted("regex", "gone")) is not gone


def test_the_tokenizer_is_read_once_also_when_it_is_warmed():
    calls = []
    began = threading.Event()

    def read():
        calls.append(1)
        began.set()
        return lexicon()

    constrainer = Constrainer(read)
    constrainer.warm()
    assert began.wait(20)
    constrainer.compile(wanted("json"))
    constrainer.compile(wanted("regex", "a"))
    assert len(calls) == 1


def test_a_tokenizer_without_bytes_is_refused():
    with pytest.raises(RequestError, match="cannot be constrained"):
        Constrainer(lambda: None).compile(wanted("json"))


def test_tokens_that_do_not_fit_are_an_error_and_leave_the_others(constrainer):
    compiled = constrainer.compile(wanted("regex", "ab+"))
    with pytest.raises(GrammarError):
        Constraint(compiled, None, list(b"ba"))
    good, bad = Constraint(compiled), Constraint(compiled)
    for token in b"xab":  # the first stands for the prompt
        good.follow(token)
        bad.follow(token if token != ord("b") else ord("z"))
    masks = Masks(len(lexicon().tokens))
    view = masks.fill([bad, None, good])
    assert bad.problem
    assert not good.problem
    assert all(view[1, n] == 0xFFFFFFFF for n in range(view.shape[1]))
    assert [n for n in range(256) if view[2, n // 32] >> (n % 32) & 1] == [ord("b")]


def test_an_object_with_too_many_properties_is_refused_before_it_is_generated(constrainer):
    def of(count):
        properties = {f"p{n}": {"type": "integer"} for n in range(count)}
        return schema({"type": "object", "properties": properties, "additionalProperties": False})

    assert b'{"' in after(constrainer, of(700), "")
    assert b"9" in after(constrainer, of(700), '{"p69')
    with pytest.raises(RequestError, match="max is") as caught:
        constrainer.compile(Wanted(of(1500)))
    assert caught.value.code == "invalid_request"


def test_only_a_grammar_that_asks_for_too_much_is_too_complex(constrainer):
    with pytest.raises(GrammarError) as misfit:
        Constraint(constrainer.compile(wanted("regex", "ab+")), None, list(b"ba"))
    assert not misfit.value.too_complex
    properties = {f"p{n}": {"type": "integer"} for n in range(1500)}
    inner = {"type": "object", "properties": properties, "additionalProperties": False}
    deeper = schema({"anyOf": [{"type": "integer"}, {"type": "array", "items": inner}]})
    with pytest.raises(GrammarError) as large:
        Constraint(constrainer.compile(Wanted(deeper)), None, list(b'[{"p1'))
    assert large.value.too_complex


def test_a_text_the_tokenizer_writes_otherwise_is_still_allowed():
    """SentencePiece puts a space before words, which is not what the grammar forces."""
    tokens = lexicon()
    spaced = Lexicon(tokens.tokens, [END], [END], lambda text: [ord(" "), *text.encode()])
    assert after(Constrainer(lambda: spaced), Grammar("regex", "abcd"), "") == {b"abc"}
