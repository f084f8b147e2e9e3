"""Counting and the lists that everybody knows."""

from __future__ import annotations

from random import Random

from .dialogue import Exchange, Topic, mixed
from .phrasing import phrase, pick
from .texts import sections

_TEXT = sections("lists")
SETS = {
    title[4:].replace("_", " "): items for title, items in _TEXT.items() if title.startswith("set.")
}
_WORDS = _TEXT["numbers"]
_LAYOUTS = {
    "": "",
    " Separate them with commas.": "",
    " One per line.": "line",
    " Put each on its own line.": "line",
    " As a bullet list.": "bullet",
    " Use bullets.": "bullet",
    " as bullets": "bullet",
    " Numbered.": "number",
    " As a numbered list.": "number",
    " as a numbered list": "number",
}
_TAILS = (*[""] * 7, *_LAYOUTS)


def _lay_out(items: tuple[str, ...], layout: str) -> str:
    if layout == "bullet":
        return "\n".join(f"- {item}" for item in items)
    if layout == "number":
        return "\n".join(f"{i}. {item}" for i, item in enumerate(items, 1))
    return ("\n" if layout == "line" else ", ").join(items)


def known_list(rng: Random) -> Exchange:
    """N members of a set, or all of them."""
    key = rng.choice(tuple(SETS))
    items = SETS[key]
    title = pick(rng, _TEXT.get(f"title.{key.replace(' ', '_')}", (key,)))
    tail = pick(rng, _TAILS)
    layout = _LAYOUTS[tail]
    if rng.random() < 0.6:
        count = rng.randint(2, min(10, len(items)))
        shown = _WORDS[count] if rng.random() < 0.5 else str(count)
        asked = phrase(rng, _join(pick(rng, _TEXT["some"]), tail), loose=True, n=shown, t=title)
        return Exchange(asked, _lay_out(items[:count], layout))
    asked = phrase(rng, _join(pick(rng, _TEXT["all"]), tail), loose=True, t=title)
    return Exchange(asked, _lay_out(items, layout))


def _join(template: str, tail: str) -> str:
    return template.rstrip(".") + tail if tail.startswith(" as ") else template + tail


def count_up(rng: Random) -> Exchange:
    """Count from one number to another."""
    if rng.random() < 0.7:
        start, end = 1, rng.choice((rng.randint(3, 20), rng.randint(3, 50), rng.randint(3, 100)))
    else:
        start = rng.randint(0, 60)
        end = start + rng.randint(2, 49)
    tail = " One per line." if rng.random() < 0.12 else ""
    template = pick(rng, _TEXT["up_to"] if start == 1 and rng.random() < 0.35 else _TEXT["up"])
    spoken = end < len(_WORDS) and rng.random() < 0.25
    first, last = (_WORDS[start], _WORDS[end]) if spoken else (str(start), str(end))
    items = tuple(str(i) for i in range(start, end + 1))
    asked = phrase(rng, template + tail, loose=True, a=first, b=last)
    return Exchange(asked, _lay_out(items, "line" if tail else ""))


def count_down(rng: Random) -> Exchange:
    """Count down to one or to zero."""
    start, end = rng.randint(3, 30), rng.choice((1, 1, 0))
    template = pick(rng, _TEXT["down_to_one"] if end == 1 and rng.random() < 0.4 else _TEXT["down"])
    return Exchange(
        phrase(rng, template, a=start, b=end), ", ".join(str(i) for i in range(start, end - 1, -1))
    )


def neighbour(rng: Random) -> Exchange:
    """What comes before or after a day, month or letter."""
    letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    kind, items = rng.choice(
        (("day", SETS["days of the week"]), ("month", SETS["months"]), ("letter", letters))
    )
    i = rng.randrange(len(items) - (kind == "letter"))
    this, following = items[i], items[(i + 1) % len(items)]
    loose = kind != "letter"
    if rng.random() < 0.6:
        asked = phrase(rng, pick(rng, _TEXT["after"]), loose=loose, k=kind, x=this)
        return Exchange(asked, f"{following} comes after {this}.", following)
    asked = phrase(rng, pick(rng, _TEXT["before"]), loose=loose, k=kind, x=following)
    return Exchange(asked, f"{this} comes before {following}.", this)


topic: Topic = mixed((5.0, known_list), (4.0, count_up), (1.0, count_down), (1.5, neighbour))
