"""YAML as many different people write it: random values in random styles, by seed.

Every comment is unique (`# c17`), and no value holds one, so that a lost or doubled comment
shows in plain text, without any parser.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

__all__ = ["Handwritten", "change"]

KEYS = ["models", "a", "b-c", "d.e", "on", "x y", "3", "é", "claude-*", "very_long_key_name_here"]
TEXTS = ["x", "5m", "4GiB", "two words", "it's", 'say "hi"', "22:00", "yes", "1.10", "", "a: b"]
TEXTS += ["hf:org/repo", "http://x#y", "😀 ü", "- dash", "{brace", "tab\there", "null", "# no", "~"]
TEXTS += [" padded ", "back\\slash", "%x", "@x", "[x", "*x", "&x", "!x", "x:", "a,b", "é", "0x1F"]
LINES = [
    "one\ntwo\n",
    "one\n\n  two\nthree",
    "one\ntwo",
    "a: b\n# not a comment\n",
    "x\n\n\n",
    "\nx",
]


def value(dice: random.Random, depth: int) -> Any:
    """Any plain JSON value."""
    kind = dice.random()
    if depth > 0 and kind < 0.3:
        return mapping(dice, depth - 1)
    if depth > 0 and kind < 0.45:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind < 0.55:
        return dice.choice(LINES)
    return dice.choice([*TEXTS, *TEXTS, 0, 1, -5, 0.5, 1e-7, 1e22, True, False, None, 4096])


def mapping(dice: random.Random, depth: int) -> dict[str, Any]:
    keys = dice.sample(KEYS, dice.randrange(len(KEYS) // 2 + 1))
    return {key: value(dice, depth) for key in keys}


def change(dice: random.Random, data: Any) -> Any:
    """Other values: mostly the same, here and there something set, removed, moved or replaced."""
    if dice.random() < 0.05:
        return value(dice, 2)
    if isinstance(data, dict):
        left = {
            key: change(dice, each) if dice.random() < 0.5 else each
            for key, each in data.items()
            if dice.random() > 0.12
        }
        if dice.random() < 0.25:
            left[dice.choice(KEYS)] = value(dice, 2)
        if dice.random() < 0.1:
            left = dict(sorted(left.items(), key=lambda _: dice.random()))
        return left
    if isinstance(data, list):
        items = [change(dice, each) for each in data if dice.random() > 0.12]
        if dice.random() < 0.25:
            items.insert(dice.randrange(len(items) + 1), value(dice, 1))
        return items
    return value(dice, 1) if dice.random() < 0.3 else data


@dataclass(frozen=True)
class Handwritten:
    """A text, the values it holds, and the lines of each key of its outermost map."""

    raw: bytes
    data: dict[str, Any]
    sections: dict[str, str]
    comments: list[str]

    @classmethod
    def of(cls, seed: int) -> Handwritten:
        """One text; the same for the same seed."""
        return _Writer(random.Random(seed)).document()

    @classmethod
    def saying(cls, data: dict[str, Any], seed: int) -> Handwritten:
        """A text that says this, in a style by seed."""
        return _Writer(random.Random(seed)).document(data)


class _Writer:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.comments: list[str] = []
        self.step = dice.choice([2, 2, 4, 3])
        self.dash = dice.choice([0, 2, 2, 4])
        self.chatty = dice.choice([0.0, 0.1, 0.3])
        self.flowing = dice.choice([0.0, 0.2, 0.6])
        self.json = dice.random() < 0.1
        self.anchors = self.blocks = 0

    def document(self, data: dict[str, Any] | None = None) -> Handwritten:
        data = data or mapping(self.dice, 4) or {"version": 1}
        if self.json:
            text = json.dumps(data, indent=self.dice.choice([None, 1, 2]))
            return Handwritten(text.encode(), data, {}, [])
        sections = {key: "\n".join(self.pair(key, each, 0)) for key, each in data.items()}
        parts = []
        for section in sections.values():
            parts += [*self.above(0), section]
        parts += self.above(0)
        if self.chance(0.1):
            parts = [*self.above(0), "---" + self.behind(), *parts]
        if self.chance(0.1):
            parts += ["..." + self.behind()]
        breaks = self.dice.choice([1, 3] if self.blocks else [0, 0, 1, 3])
        text = "\n".join(parts) + "\n" * breaks
        crlf = self.chance(0.15)
        if crlf:
            text = text.replace("\n", "\r\n")
            sections = {key: each.replace("\n", "\r\n") for key, each in sections.items()}
        raw = text.encode()
        return Handwritten(
            b"\xef\xbb\xbf" + raw if self.chance(0.1) else raw, data, sections, self.comments
        )

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def comment(self) -> str:
        self.comments.append(f"#\tc{len(self.comments)}.")
        return self.comments[-1]

    def above(self, column: int) -> list[str]:
        lines = []
        while self.chance(self.chatty):
            lines.append(" " * column + self.comment() if self.chance(0.7) else "")
        return lines

    def behind(self) -> str:
        if not self.chance(self.chatty):
            return self.dice.choice(["", "", "", "  "])
        return self.dice.choice([" ", "   "]) + self.comment()

    def pair(self, key: str, each: Any, column: int) -> list[str]:
        name = self.name(key)
        mark = " " * column
        head = f"{mark}? {name}\n{mark}:" if self.chance(0.02) else f"{mark}{name}:"
        return self.hung(head, each, column, self.step, self.dash)

    def item(self, each: Any, column: int) -> list[str]:
        head = " " * column + "-"
        compact = isinstance(each, dict | list) and each and not self.chance(self.flowing)
        if compact and self.chance(0.7):
            inner = column + self.dice.choice([2, 2, 4])
            pieces = self.items(each, inner) if isinstance(each, list) else self.pairs(each, inner)
            first = next(number for number, line in enumerate(pieces) if _is_text(line))
            if first == 0:
                return [head + " " * (inner - column - 1) + pieces[0].lstrip(" "), *pieces[1:]]
        return self.hung(head, each, column, self.step, max(self.dash, 2))

    def hung(self, head: str, each: Any, column: int, step: int, dash: int) -> list[str]:
        """A value behind its key or dash."""
        anchor = ""
        if self.chance(0.03):
            self.anchors += 1
            anchor = f" &anchor{self.anchors}"
        if isinstance(each, dict | list) and each and not self.chance(self.flowing):
            below = column + (step if isinstance(each, dict) else dash)
            lines = self.pairs(each, below) if isinstance(each, dict) else self.items(each, below)
            return [head + anchor + self.behind(), *self.above(below), *lines]
        if isinstance(each, str):
            block = self.block(each, column + self.dice.choice([1, 2, step]))
            if block:
                return [head + anchor + " " + block[0], *block[1:]]
        if each is None and self.chance(0.4):
            return [head + anchor + self.behind()]
        gap = " " * self.dice.choice([1, 1, 1, 4])
        text = self.inline(each, column + 1)
        if "\n" not in text and isinstance(each, str) and text[0] == '"' and self.chance(0.05):
            text = text.replace(" ", "\n" + " " * (column + 3), 1) if " w" in text else text
        return (head + anchor + gap + text + self.behind()).split("\n")

    def pairs(self, data: dict[str, Any], column: int) -> list[str]:
        lines: list[str] = []
        for number, (key, each) in enumerate(data.items()):
            lines += self.above(column) if number else []
            lines += self.pair(key, each, column)
        return lines + (self.above(column) if self.chance(0.3) else [])

    def items(self, data: list[Any], column: int) -> list[str]:
        lines: list[str] = []
        for number, each in enumerate(data):
            lines += self.above(column) if number else []
            lines += self.item(each, column)
        return lines

    def name(self, key: str) -> str:
        plain = key not in {"claude-*"} and self.chance(0.6)
        return key if plain else self.dice.choice([f'"{key}"', f"'{key}'"])

    def block(self, text: str, column: int) -> list[str] | None:
        if "\n" not in text or text[0] == "\n" or not self.chance(0.7):
            return None
        chomp = "" if text.endswith("\n") else "-"
        body = text.removesuffix("\n")
        if body.endswith("\n"):
            return None
        kind = "|"
        lines = body.split("\n")
        if all(line and line[0] != " " for line in lines) and self.chance(0.3):
            kind, lines = ">", [part for line in lines for part in ("", line)][1:]
        self.blocks += 1
        margin = " " * max(column, 1)
        trail = [""] * self.dice.choice([0, 0, 1, 2])
        return [kind + chomp + self.behind(), *(margin + x if x else "" for x in lines), *trail]

    def inline(self, each: Any, column: int) -> str:
        if isinstance(each, dict | list):
            return self.brackets(each, column)
        if each is None:
            return self.dice.choice(["null", "~"])
        if isinstance(each, bool):
            return self.dice.choice([str(each), str(each).lower()])
        if isinstance(each, float):
            return repr(each)
        if isinstance(each, int):
            return str(each)
        if all(char.isalpha() or char in "éü" for char in each) and each not in {"", "null", "yes"}:
            return each if self.chance(0.5) else f"'{each}'"
        if "\n" not in each and "\t" not in each and self.chance(0.4):
            return "'" + each.replace("'", "''") + "'"
        return json.dumps(each, ensure_ascii=self.chance(0.3) and each.isascii())

    def brackets(self, data: dict[str, Any] | list[Any], column: int) -> str:
        """Flow style, on one line or on many."""
        begin, end = "{}" if isinstance(data, dict) else "[]"
        column += 2
        texts = (
            [f"{self.name(key)}: {self.inline(each, column)}" for key, each in data.items()]
            if isinstance(data, dict)
            else [self.inline(each, column) for each in data]
        )
        if not texts:
            return begin + end
        if not self.chance(0.3):
            pad = self.dice.choice(["", "", " "])
            comma = self.dice.choice([", ", ", ", ",", " , "])
            comma = ", " if comma == "," else comma
            return begin + pad + comma.join(texts) + self.dice.choice(["", "", ","]) + pad + end
        margin = "\n" + " " * column
        rows = []
        for number, text in enumerate(texts):
            comma = "," if number < len(texts) - 1 or self.chance(0.3) else ""
            rows += [margin + line.strip() for line in self.above(0) if line]
            rows.append(margin + text + comma + self.behind())
        return begin + "".join(rows) + "\n" + " " * (column - 1) + end


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
