"""Tokens to text, one at a time, whole characters only.

A token is some bytes; an incremental UTF-8 decoder keeps the bytes of an unfinished character
back, so a replacement character appears only for bytes that can never become one. Tokens that
are control tokens of the model (`special` in its tokenizer) have no text. mlx-lm's own streaming
detokenizers are used to learn which kind of vocabulary this is, not for the stream: they hold
back single spaces, and one of them raises on a control token at the end.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection
from typing import Protocol

from mlx_lm.tokenizer_utils import (
    BPEStreamingDetokenizer,
    SPMStreamingDetokenizer,
    TokenizerWrapper,
)

from lmxd.worker.mlx.logprobs import Scored
from schemas.inference import Alternative, TokenLogprob

__all__ = ["Detokenizer", "Vocabulary"]

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}".encode()  # SentencePiece's mark of a space


class Detokenizer(Protocol):
    """The text of one sequence. `trims`: a space that the next token begins with is not shown."""

    trims: bool

    def feed(self, token: int) -> str:
        """The characters that are complete with this token; may be empty."""

    def flush(self) -> str:
        """What is left when no more tokens come."""


class Vocabulary:
    """What the tokens of one tokenizer stand for; makes a detokenizer for each sequence.

    markers: control tokens that are markers of the model's format.
    """

    def __init__(self, tokenizer: TokenizerWrapper, markers: Collection[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._markers = frozenset(markers)
        added = tokenizer.added_tokens_decoder
        self._special = {token for token, entry in added.items() if entry.special}
        self._added: dict[int, bytes] = {
            token: entry.content.encode() for token, entry in added.items()
        }
        model = tokenizer.detokenizer
        self._letters: dict[str, int] | None = None
        self._pieces: list[bytes] | None = None
        self._names: list[str] = []
        self._trim = False
        if isinstance(model, BPEStreamingDetokenizer):
            self._letters = _byte_letters()
            self._names = model.tokenmap
        elif isinstance(model, SPMStreamingDetokenizer):
            self._pieces = model.tokenmap
            self._trim = bool(model.trim_space)

    def detokenizer(self, *, continues: bool, marked: bool = False) -> Detokenizer:
        """One for a new sequence; `continues`: its text goes on from the prompt's. marked: control
        tokens that are markers have text, for a parser that takes them away.
        """
        if not self.bytewise:
            hidden = self._special - self._markers if marked else self._special
            return _Windowed(self._tokenizer.decode, hidden)
        shown = self._marked_bytes if marked else self.text_bytes
        return _Bytewise(shown, trim=self._trim and not continues)

    def marks(self, token: int) -> bool:
        """Whether a token is a marker of the model's format."""
        return token in self._markers

    @property
    def bytewise(self) -> bool:
        """Whether `text_bytes` knows the text of every token."""
        return self._letters is not None or self._pieces is not None

    @property
    def control(self) -> set[int]:
        """The tokens that have no text."""
        return self._special

    def raw(self, token: int) -> bytes:
        """The bytes a token stands for, control tokens as they are written."""
        if token in self._added:
            return self._added[token]
        if self._letters is None and self._pieces is None:
            text: str = self._tokenizer.decode([token])
            return text.encode()
        return self.text_bytes(token)

    def shows(self, token: int) -> bool:
        """Whether a token has text in an answer: it is no control token and no padding."""
        return token not in self._special and bool(self.raw(token))

    def told(self, token: int, known: Scored, width: int, *, trim: bool = False) -> TokenLogprob:
        """A token with its logprob and its `width` likeliest rivals. trim: see Detokenizer."""
        logprob, rivals = known
        raw = self.raw(token).removeprefix(b" " if trim else b"")
        top = tuple(self._rival(rival, value) for rival, value in rivals[:width])
        return TokenLogprob(raw.decode(errors="replace"), raw, logprob, token, top)

    def _rival(self, token: int, logprob: float) -> Alternative:
        raw = self.raw(token)
        return Alternative(raw.decode(errors="replace"), raw, logprob, token)

    def _marked_bytes(self, token: int) -> bytes:
        return self.raw(token) if token in self._markers else self.text_bytes(token)

    def text_bytes(self, token: int) -> bytes:
        """The bytes of a token's text; none for control tokens and ids that are padding."""
        if token in self._special:
            return b""
        if token in self._added:
            return self._added[token]
        if self._pieces is not None:
            return self._pieces[token].replace(_SPACE, b" ") if token < len(self._pieces) else b""
        if self._letters is None or token >= len(self._names):
            return b""
        name = self._names[token]
        try:
            return bytes(self._letters[letter] for letter in name)
        except KeyError:  # not written in byte letters: it stands for itself
            return name.encode()


class _Bytewise:
    """For vocabularies whose tokens are bytes: constant work a token."""

    def __init__(self, text_bytes: Callable[[int], bytes], *, trim: bool) -> None:
        self._text_bytes = text_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.trims = trim

    def feed(self, token: int) -> str:
        """See Detokenizer."""
        data = self._text_bytes(token)
        if self.trims and data:  # the vocabulary writes a space before the first word
            self.trims = False
            data = data.removeprefix(b" ")
        return self._decoder.decode(data)

    def flush(self) -> str:
        """See Detokenizer."""
        return self._decoder.decode(b"", final=True)


class _Windowed:
    """For other vocabularies: decodes a few tokens before the new one again, not the whole line."""

    trims = False

    def __init__(self, decode: Callable[[list[int]], str], special: set[int]) -> None:
        self._decode = decode
        self._special = special
        self._tokens: list[int] = []
        self._known = 0  # tokens whose text is out; those before the new ones are context

    def feed(self, token: int) -> str:
        """See Detokenizer."""
        if token in self._special:
            return ""
        self._tokens.append(token)
        text = self._new_text()
        if not text or text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._tokens = self._tokens[self._known :]
        self._known = len(self._tokens)
        return text

    def flush(self) -> str:
        """See Detokenizer."""
        return self._new_text()

    def _new_text(self) -> str:
        before = self._decode(self._tokens[: self._known]) if self._known else ""
        return self._decode(self._tokens)[len(before) :]


def _byte_letters() -> dict[str, int]:
    """Which byte each letter of a byte-level vocabulary stands for.

    Bytes that print stand for themselves; the others got the letters from U+0100 on, in order.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {chr(byte): byte for byte in plain}
    hidden = sorted(set(range(256)) - set(plain))
    return letters | {chr(256 + place): byte for place, byte in enumerate(hidden)}
