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
    text. done: the reasoning is over, and nothing is forced any more.
    """

    def __init__(
        self, most: int, close: Sequence[int], parser: Parser, text: Callable[[int], str]
    ) -> None:
        self._left = most
        self._parser = parser
        self._close = deque(close)
        self._text = text
        self._begun = False
        self.done = not close

    @property
    def forced(self) -> int | None:
        """The token that has to come next; None: any may. Where a grammar forbids it, in the
        middle of a character or for good, any other may come all the same.
        """
        spent = self._begun or (self._parser.thinking and self._left <= 0)
        return self._close[0] if spent and not self.done else None

    def follow(self, token: int) -> None:
        """Takes the token that came."""
        if self.done:
            return
        if token == self.forced:
            self._begun = True
            self._close.popleft()
            self.done = not self._close
        elif self._begun:
            self.done = True
        before = self._parser.thinking
        pieces = self._parser.feed(self._text(token))
        thinking = self._parser.thinking
        self._left -= before or thinking
        # It ended by itself, or the answer began without any.
        ended = before or any(isinstance(piece, Said) for piece in pieces)
        self.done = self.done or (ended and not thinking and not self._begun)
