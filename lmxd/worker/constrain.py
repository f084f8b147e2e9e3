"""Constrained decoding: which tokens may come next, so that an answer matches its grammar.

`Constrainer` belongs to a model and compiles grammars on the preparation thread; `Constraint`
belongs to a sequence and follows its tokens on the engine thread; `Masks` fills the masks of a
whole batch at once. The tokens are those of our own detokenizer, so the text that is shown is the
text that the grammar saw. Bits only: what is done to the logits is the engine's.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import cast

from llguidance import LLExecutor, LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from lmxd.worker import grammars
from lmxd.worker.budget import Budget
from lmxd.worker.grammars import Wanted
from schemas.errors import Code, RequestError

__all__ = ["Compiled", "Constrainer", "Constraint", "GrammarError", "Lexicon", "Masks"]

_KEPT = 32  # compiled grammars of a model; each takes some 100 KB, a bad one some MB
_PATIENCE_S = 10.0
# A chain of rules is followed by recursion: the largest text allowed needs about half of this.
_STACK = 512 * 1024 * 1024
_WORD = 32  # bits of a mask's word
# Of one place in an answer; an object needs four for each property that may come there. A mask
# then takes some 40 ms, for which the whole batch waits.
_MOST_ITEMS = 4000
_TOO_COMPLEX = re.compile(r"items; max is|too complex|too many|fuel|limit", re.IGNORECASE)


class GrammarError(Exception):
    """A sequence cannot go on in its grammar: it became too complex, or a token does not fit."""

    @property
    def too_complex(self) -> bool:
        """Whether it is the grammar that asks for too much; else tokens and grammar disagree."""
        return _TOO_COMPLEX.search(str(self)) is not None


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A tokenizer as grammars see it.

    tokens: the bytes of each token's text, by id; b"" where it has none. control: the ids that
    are never text of an answer, whose bytes are then their names. ends: those of them that end
    an answer, at least one. encode: the tokens of a text, as the model would write it.
    """

    tokens: Sequence[bytes]
    control: Sequence[int]
    ends: Sequence[int]
    encode: Callable[[str], Sequence[int]]


class Compiled:
    """A grammar made ready for one model; any number of sequences start from it."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def matcher(self) -> LLMatcher:
        """A new one, at the beginning."""
        return self._matcher.deep_copy()


class Constrainer:
    """The grammars of one model.

    lexicon: called once, at the first use or by `warm`; None from it: this model's tokenizer
    cannot be constrained.
    """

    def __init__(self, lexicon: Callable[[], Lexicon | None]) -> None:
        self._lexicon = lexicon
        self._lock = threading.Lock()
        self._built = False
        self._tokenizer: LLTokenizer | None = None
        self._kept: OrderedDict[Wanted, Compiled] = OrderedDict()

    def warm(self) -> None:
        """Builds the tokenizer on a thread of its own, so that no request has to wait for it."""
        threading.Thread(target=self._tokens, name="worker-lexicon", daemon=True).start()

    def compile(self, wanted: Wanted) -> Compiled:
        """One thread at a time. Raises RequestError: invalid_request where the grammar is wrong
        or too large, unsupported_parameter where a schema has a keyword that is not enforced.
        """
        known = self._kept.get(wanted)
        if known is None:
            known = self._compiled(wanted)
            self._kept[wanted] = known
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(wanted)
        return known

    def _compiled(self, wanted: Wanted) -> Compiled:
        tokenizer = self._tokens()
        if tokenizer is None:
            raise RequestError(
                Code.UNSUPPORTED_PARAMETER,
                "the tokenizer of this model cannot be constrained to a format",
                param="response_format",
            )
        source = grammars.source(wanted)
        matcher = _with_patience(lambda: _matcher(tokenizer, source))
        if matcher is None:
            raise RequestError(
                Code.INVALID_REQUEST,
                f"the format of the answer takes longer than {_PATIENCE_S:g} s to compile",
                param="response_format",
            )
        if matcher.is_error():
            raise grammars.refusal(wanted, matcher.get_error())
        return Compiled(matcher)

    def _tokens(self) -> LLTokenizer | None:
        with self._lock:
            if not self._built:
                lexicon = self._lexicon()
                self._tokenizer = None if lexicon is None else _tokenizer(lexicon)
                self._built = True
            return self._tokenizer


class Constraint:
    """Where one sequence is in its grammar, its reasoning, or both. Engine thread only.

    generated: the tokens it already has, when it joins the batch again. Raises GrammarError.
    """

    def __init__(
        self,
        compiled: Compiled | None,
        budget: Budget | None = None,
        generated: Sequence[int] = (),
    ) -> None:
        self.matcher = None if compiled is None else compiled.matcher()
        self._budget = budget
        self._begun = False
        for token in generated:
            self._take(token)
        if self.problem:
            raise GrammarError(self.problem)

    @property
    def active(self) -> bool:
        """Whether it has anything to say about the tokens to come."""
        return self.matcher is not None or (self._budget is not None and not self._budget.done)

    @property
    def forced(self) -> int | None:
        """The only token that may come next, where it is the budget that says so."""
        token = None if self._budget is None else self._budget.forced
        if token is None or self.matcher is None or self.matcher.validate_tokens([token]):
            return token
        return None

    @property
    def problem(self) -> str:
        """Why it cannot go on; "" while it can."""
        if self.matcher is None:
            return ""
        return " ".join(self.matcher.get_error().split())[:300]

    def follow(self, token: int) -> None:
        """Takes the token the next one comes after; the first is the prompt's, and nothing."""
        if self._begun:
            self._take(token)
        self._begun = True

    def _take(self, token: int) -> None:
        if self.matcher is not None:
            self.matcher.consume_token(token)
        if self._budget is not None:
            self._budget.follow(token)


class Masks:
    """Fills the masks of all rows of a batch into one buffer. vocabulary: how many tokens the
    model's tokenizer has.
    """

    def __init__(self, vocabulary: int) -> None:
        self._words = -(-vocabulary // _WORD)
        self._executor: LLExecutor | None = None
        self._buffer = bytearray()  # kept: the view that `fill` gave looks into it

    def fill(self, constraints: Sequence[Constraint | None]) -> memoryview:
        """A bit a token, rows of 32-bit words, valid until the next call; 1 is allowed.

        Rows without a constraint allow everything. After this, one that failed has a `problem`,
        and its row allows an end token or nothing.
        """
        size = 4 * self._words
        self._buffer = bytearray(b"\xff") * (size * len(constraints))
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        places: list[tuple[LLMatcher, int]] = []
        for row, each in enumerate(constraints):
            if each is None:
                continue
            if (forced := each.forced) is not None:
                self._buffer[row * size : (row + 1) * size] = (1 << forced).to_bytes(size, "little")
            elif each.matcher is not None:
                places.append((each.matcher, row))
        if len(places) == 1:
            matcher, row = places[0]
            matcher.unsafe_compute_mask_ptr(start + row * size, size)
        elif places:
            self._executor = self._executor or LLExecutor()
            self._executor.unsafe_compute_mask_ptr(places, start, size, len(constraints))
        return memoryview(self._buffer).cast("I", (len(constraints), self._words))


class _Wrapper:
    """A lexicon in the shape `LLTokenizer` asks for; `own` is the tokenizer made of it."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, lexicon: Lexicon) -> None:
        self.tokens = list(lexicon.tokens)
        self.special_token_ids = list(lexicon.control)
        self.eos_token_id = lexicon.ends[0]
        self.own: LLTokenizer | None = None
        self._encode = lexicon.encode

    def __call__(self, text: str) -> Sequence[int]:
        """Tokens whose bytes are exactly the text's: the model's own where they are, which a
        vocabulary that puts a space before words does not always give.
        """
        tokens = self._encode(text)
        if self.own is None or b"".join(map(self.tokens.__getitem__, tokens)) == text.encode():
            return tokens
        return self.own.greedy_tokenize(text)


def _tokenizer(lexicon: Lexicon) -> LLTokenizer:
    wrapper = _Wrapper(lexicon)
    # Its type asks for a class of llguidance's; the library looks at the attributes only.
    wrapper.own = LLTokenizer(cast("TokenizerWrapper", wrapper), eos_token=list(lexicon.ends))
    return wrapper.own


def _matcher(tokenizer: LLTokenizer, source: str) -> LLMatcher:
    """With its first masks made: some errors show, and most of the work is done, only then.

    Gives the matcher that failed where the mask behind what every answer begins with does: an
    object with too many properties is refused before anything is generated.
    """
    limits = LLParserLimits(
        step_lexer_fuel=100_000,
        max_lexer_states=50_000,
        max_items_in_row=_MOST_ITEMS,
        verbose_errors=False,
    )
    matcher = LLMatcher(tokenizer, source, log_level=0, limits=limits)
    if matcher.is_error():
        return matcher
    matcher.compute_bitmask()
    ahead = matcher.deep_copy()
    forced = ahead.compute_ff_bytes()
    # What is forced may end within a token; a control token in it is no text to be tokenized.
    sure = ahead.compute_ff_tokens() if b"\xff" in forced else tokenizer.tokenize_bytes(forced)
    ahead.consume_tokens(sure)
    if not ahead.is_error() and not ahead.is_stopped():
        ahead.compute_bitmask()
    return ahead if GrammarError(ahead.get_error()).too_complex else matcher


def _with_patience(work: Callable[[], LLMatcher]) -> LLMatcher | None:
    """What `work` gives, or None when it takes too long; it then goes on in vain."""
    done: SimpleQueue[LLMatcher | Exception] = SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            done.put(error)

    before = threading.stack_size(_STACK)
    try:
        threading.Thread(target=run, name="worker-compile", daemon=True).start()
    finally:
        threading.stack_size(before)
    try:
        result = done.get(timeout=_PATIENCE_S)
    except Empty:
        return None
    if isinstance(result, Exception):
        raise result
    return result
