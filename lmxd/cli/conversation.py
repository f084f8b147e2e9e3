"""A conversation with one model on the terminal: a prompt in, the answer as it is made.

While no text has come a second thread shows what the model is doing; it owns a connection of its
own and ends before the first word is printed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType

from msgspec import UNSET

from lmxd.cli.client import Client
from lmxd.cli.messages import explain, note
from lmxd.cli.progress import display
from lmxd.cli.status_view import message_of
from schemas.errors import LmxdError

__all__ = ["Conversation"]

LOOK_S = 0.5
PATIENCE_S = 1.0
"""Answers that come at once need no word about what is being done."""

GOODBYE = ("/bye", "/exit", "/quit")


class Conversation:
    """Asks `model` at `url`; every answer is remembered for the next question.

    Args:
        system: what the model is told first; None: what the document says.
        options: further members of the request, such as max_tokens.
    """

    def __init__(
        self, url: str, model: str, system: str | None, options: Mapping[str, object]
    ) -> None:
        self._url = url
        self._model = model
        self._options = options
        self._messages = [{"role": "system", "content": system}] if system is not None else []

    def once(self, prompt: str) -> int:
        """One question; returns the exit code. Raises LmxdError."""
        with Client(self._url) as client:
            self._ask(client, prompt)
        return 0

    def read_stdin(self) -> int:
        """All of stdin as one question, or question after question when a person types."""
        if not sys.stdin.isatty():
            return self.once(sys.stdin.read())
        note(f"talking to {self._model}; Ctrl-D or /bye ends")
        with Client(self._url) as client:
            for prompt in _typed():
                try:
                    self._ask(client, prompt)
                except KeyboardInterrupt:
                    note("\nstopped")
                except LmxdError as error:
                    explain(error)
        return 0

    def _ask(self, client: Client, prompt: str) -> None:
        """Print the answer to one more message; without an answer the message is forgotten."""
        asked = [*self._messages, {"role": "user", "content": prompt}]
        body = {"model": self._model, "messages": asked, **self._options}
        answer: list[str] = []
        finish: str | None = None
        try:
            with _Waiting(self._url, self._model) as waiting:
                for chunk in client.chat(body):
                    finish = chunk.finish or finish
                    if chunk.text:
                        waiting.end()
                        answer.append(chunk.text)
                        print(chunk.text, end="", flush=True)
        finally:
            if answer and not answer[-1].endswith("\n"):
                print(flush=True)
        if finish == "length":
            note("the answer was cut at its longest length")
        self._messages = [*asked, {"role": "assistant", "content": "".join(answer)}]


def _typed() -> Iterator[str]:
    """What a person types, line by line, until they say goodbye."""
    import readline  # noqa: F401 - gives input() its history and editing

    while True:
        try:
            line = input(">>> ")
        except EOFError:
            note("")
            return
        except KeyboardInterrupt:
            note("")
            continue
        if line.strip() in GOODBYE:
            return
        if line.strip():
            yield line


class _Waiting:
    """Shows on stderr what the model does, from a moment after entering until `end`."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waiting", daemon=True)

    def __enter__(self) -> _Waiting:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Stop showing, and wait until the terminal is as it was. Repeatable."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        if self._over.wait(PATIENCE_S):
            return
        said = ""
        try:
            with Client(self._url) as client, display() as shown:
                while not self._over.wait(LOOK_S):
                    found = client.model(client.key_of(self._model))
                    shown.show([found])
                    why = message_of(found) if found.failure is not UNSET else ""
                    if why and why != said:
                        said = why
                        note(f"waiting: {found.key}: {why}")
        except LmxdError:
            return  # the question itself will say what is wrong
