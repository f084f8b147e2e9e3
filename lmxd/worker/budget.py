"""A budget of reasoning: when its tokens are spent, the text that ends the reasoning is forced.

Follows one sequence token by token, with a parser of its own: it has to know what the last token
was before the next one is chosen, when nobody has looked at its text yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from lmxd.worker.parsing.parser import Parser, Said

__all__ = ["Budget"]


class Budget:
    """most: tokens of reasoning. close: the tokens that end it. text: what a token adds to the
    text. done: the reasoning was closed, and nothing is forced any more.
    """

    def __init__(
        self, most: int, close: Sequence[int], parser: Parser, text: Callable[[int], str]
    ) -> None:
        self._left = most
        self._parser = parser
        self._close = deque(close)
        self._text = text
        self._closing = False
        self.done = not close
        self._look()

    @property
    def forced(self) -> int | None:
        """The token that has to come next; None: any may."""
        return self._close[0] if self._closing and self._close else None

    def follow(self, token: int) -> None:
        """Takes the token that came."""
        if self.done:
            return
        if self._closing:
            self._close.popleft()
            self.done = not self._close
            return
        before = self._parser.thinking
        pieces = self._parser.feed(self._text(token))
        thinking = self._parser.thinking
        self._left -= before or thinking
        # It ended by itself, or the answer began without any.
        ended = before or any(isinstance(piece, Said) for piece in pieces)
        self.done = ended and not thinking
        self._look()

    def give_up(self) -> None:
        """What it forces cannot come next: a grammar has another way to go on."""
        self.done, self._closing = True, False

    def _look(self) -> None:
        self._closing = not self.done and self._parser.thinking and self._left <= 0
