"""Logging: from `log.info("event", extra={...})` to one line on stderr, as text or JSON.

The message is a constant event name; what varies goes into `extra`. The id of the request that is
being served is bound once and added to every line. Secrets are masked here, whoever logs them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO

Format = Literal["text", "json"]

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"}
)
_PLAIN = re.compile(r"[^\s\"'=\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SECRET_NAME = re.compile(r"token$|secret|password|authorization|api_?key|credential", re.I)
_SECRET = re.compile(r"(?<![A-Za-z0-9])(?:hf_|sk-|lmxd_)[A-Za-z0-9_-]{12,}|(?i:bearer\s+)\S+")
_MASK = "***"
_OURS = ("lmxd", "reconciler", "schemas")


def configure(format: Format, level: str, stream: TextIO | None = None) -> None:
    """Send all logging of the process to `stream` (stderr); repeatable, the last call counts.

    Libraries are heard from warnings on, whatever `level` is.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if format == "json" else _Text())
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, _Lines):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    # Its warnings talk to people who develop with Sanic, such as "running in PRODUCTION mode".
    logging.getLogger("sanic.error").setLevel(logging.ERROR)


def bind_request(request_id: str | None) -> None:
    """Every line of this task, and of tasks it starts, carries the id from now on."""
    _request_id.set(request_id)


class _Lines(logging.Formatter):
    """One record to the pairs of one line."""

    def pairs(self, record: logging.LogRecord) -> dict[str, object]:
        """The extras, the request, and the traceback if there is one; secrets masked."""
        found = {
            name: _MASK if _SECRET_NAME.search(name) else value
            for name, value in vars(record).items()
            if name not in _STANDARD
        }
        bound = _request_id.get()
        if bound is not None:
            found.setdefault("request_id", bound)
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return found

    def when(self, record: logging.LogRecord) -> str:
        """The instant, in UTC, to the millisecond."""
        at = datetime.fromtimestamp(record.created, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(_Lines):
    """`2026-01-31T12:00:00.000Z info event key=value`; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback."""
        pairs = self.pairs(record)
        traceback = pairs.pop("traceback", None)
        words = [self.when(record), record.levelname.lower(), record.getMessage()]
        words += [f"{name}={_quoted(value)}" for name, value in pairs.items()]
        line = " ".join(words)
        return mask(f"{line}\n{traceback}" if traceback else line)


class _Json(_Lines):
    """One JSON object a line: time, level, event, logger, and the extras beside them."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "time": self.when(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        return mask(json.dumps(line | self.pairs(record), default=str, ensure_ascii=False))


def _quoted(value: object) -> str:
    """As it is when it is one plain word, else as a JSON string: one record stays one line."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def mask(text: str) -> str:
    """The text without tokens and keys in it."""
    return _SECRET.sub(_MASK, text)
