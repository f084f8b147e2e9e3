"""What comes out of a parser: pieces, in order, with white space around markup left out.

Models put line breaks around their tags, and nobody wants an answer of two line breaks beside a
call. White space at the end of what was said is held back until it is known what follows: more
text (then it is said), or nothing but markup (then it was part of that). Text without markup
passes unchanged.
"""

from __future__ import annotations

from collections.abc import Callable

from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Piece, Said, Thought

__all__ = ["Answer"]


class Answer:
    """The pieces of one answer. commit: called when a call begins, which nothing takes back.

    bare: nothing was said since the beginning, or the last call. thinking: the text that comes is
    reasoning; whoever reads it says so.
    """

    def __init__(self, commit: Callable[[], None]) -> None:
        self._commit = commit
        self._pieces: list[Piece] = []
        self._space = ""
        self._said = False
        self._apart = False
        self._marked = False
        self._marked_since = False
        self._thought = ""
        self._thoughts = 0
        self._in_thought = False
        self.bare = True
        self.thinking = False

    def say(self, text: str) -> None:
        """Text of the answer."""
        text = self._space + text
        body = text.rstrip()
        self._space = text[len(body) :]
        if not body:
            return
        if self._apart or (self._marked and not self._said):
            body = body.lstrip()
        if self._apart and self._said:
            body = "\n\n" + body
        self._apart = False
        self._said = True
        self.bare = False
        self._marked_since = False
        self._add(Said, body)

    def paragraph(self) -> None:
        """What is said next is apart from what was said."""
        if self._said:
            self._apart = True
            self.mark()

    def think(self, text: str) -> None:
        """Text of the reasoning, of the block that is open."""
        self._marked = self._marked_since = True
        text = self._thought + text
        if not self._in_thought:
            text = text.lstrip()
        body = text.rstrip()
        self._thought = text[len(body) :]
        if not body:
            return
        if not self._in_thought and self._thoughts:
            body = "\n" + body
        if not self._in_thought:
            self._thoughts += 1
        self._in_thought = True
        self._add(Thought, body)

    def end_thought(self) -> None:
        """The block of reasoning is over."""
        self._marked = self._marked_since = True
        self._thought = ""
        self._in_thought = False
        self.thinking = False

    def start(self, name: str) -> None:
        """A call begins; what was read for it is final."""
        self.end_thought()
        self._commit()
        self.bare = True
        self._pieces.append(CallStart(name))

    def args(self, text: str) -> None:
        """More JSON text of its arguments."""
        self._add(CallArgs, text)

    def end(self) -> None:
        """Its arguments are complete."""
        self._pieces.append(CallEnd())

    def mark(self) -> None:
        """Markup was read that means nothing to the reader."""
        self._marked = self._marked_since = True

    def take(self) -> list[Piece]:
        """The pieces since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> list[Piece]:
        """The last pieces, with the white space that was text after all."""
        if self._thought and self._in_thought:
            self._add(Thought, self._thought)
        if self._space and not self._marked_since:
            self._add(Said, self._space)
        self._thought = self._space = ""
        return self.take()

    def _add(self, kind: type[Said] | type[Thought] | type[CallArgs], text: str) -> None:
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, kind):
            self._pieces[-1] = kind(last.text + text)
        elif text:
            self._pieces.append(kind(text))
