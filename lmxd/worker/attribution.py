"""Which tokens the shown text is made of: logprobs in as tokens come, out with their text.

Between a token and its text being shown lie a character that is not complete, a stop string that
may be beginning and markers that are cut away. A sequence adds every token with the text that it
made whole, and asks with every text that is shown. Pure; used by engines that tell logprobs.
"""

from __future__ import annotations

from collections import deque

from schemas.inference import TokenLogprob

__all__ = ["Attribution"]


class _Group:
    """Tokens that made a text whole together. `left`: characters of it that are not shown yet."""

    __slots__ = ("cut", "left", "tokens")

    def __init__(self, tokens: list[TokenLogprob], left: int) -> None:
        self.tokens = tokens
        self.left = left
        self.cut = False


class Attribution:
    """One answer. A token is told with the last character of its text, and never when any
    character of it was cut away; so what is told never holds more than what was shown.
    """

    def __init__(self) -> None:
        self._open: list[TokenLogprob] = []
        self._groups: deque[_Group] = deque()
        self._hidden = ""
        self._marked = False

    def add(self, token: TokenLogprob, text: str) -> None:
        """A token came, and with it `text` is whole; "" when it ends inside a character."""
        self._open.append(token)
        self.complete(text)

    def complete(self, text: str) -> None:
        """`text` is whole without a new token: the end came."""
        if text:
            self._groups.append(_Group(self._open, len(text)))
            self._open = []
            self._hidden += text

    def shown(self, text: str) -> tuple[TokenLogprob, ...]:
        """The tokens that are told with `text`, which is shown next; what was before it is cut.
        None are, when no token wrote such a text.
        """
        # Behind markup it is the last such text: what was marked may hold the same letters.
        skipped = self._hidden.rfind(text) if self._marked else self._hidden.find(text)
        if skipped < 0:
            return ()
        self._marked = False
        self._take(skipped, cut=True)
        told = self._take(len(text), cut=False)
        self._hidden = self._hidden[skipped + len(text) :]
        return tuple(told)

    def passed(self) -> None:
        """Nothing before the newest token is shown any more: it was reasoning, or a call, and
        the markup around it may go on.
        """
        self._marked = True
        while len(self._groups) > 1:
            self._hidden = self._hidden[self._groups.popleft().left :]

    def _take(self, count: int, *, cut: bool) -> list[TokenLogprob]:
        told: list[TokenLogprob] = []
        while count and self._groups:
            group = self._groups[0]
            taken = min(count, group.left)
            group.left -= taken
            count -= taken
            group.cut = group.cut or cut
            if not group.left:
                told += [] if group.cut else group.tokens
                self._groups.popleft()
        return told
