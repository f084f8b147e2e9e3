"""Sums, differences, products and other small questions about numbers."""

from __future__ import annotations

from random import Random

from .dialogue import Exchange, Topic, mixed
from .phrasing import exact, phrase, pick
from .texts import sections
from .words import FRUITS, NAMES, NOUNS

_TEXT = sections("arithmetic")
_ASK = _TEXT["ask"]
_DIGITS = _TEXT["digits"]
_WORDS = {
    "+": ("plus", "and", "added to"),
    "-": ("minus", "take away", "less"),
    "*": ("times", "multiplied by"),
    "/": ("divided by", "over"),
}
_VERBAL = {"+": _TEXT["add"], "-": _TEXT["subtract"], "*": _TEXT["multiply"], "/": _TEXT["divide"]}
_SHOWN = {"+": ("+",), "-": ("-",), "*": ("x", "\u00d7", "*", "*"), "/": ("/", "/", "÷", ":")}


def _operands(rng: Random, sign: str) -> tuple[int, int]:
    if sign == "*":
        small = rng.random() < 0.75
        return (
            (rng.randint(0, 12), rng.randint(0, 12))
            if small
            else (rng.randint(10, 99), rng.randint(1, 9))
        )
    if sign == "/":
        b = rng.randint(1, 12)
        return b * rng.randint(0, 12), b
    top = rng.choice((10, 10, 20, 100, 100, 100, 100, 1000))
    a, b = rng.randrange(top), rng.randrange(rng.choice((10, top)))
    return (max(a, b), min(a, b)) if sign == "-" and rng.random() < 0.8 else (a, b)


def _value(a: int, sign: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[sign]


def _drawn(rng: Random) -> tuple[str, str, int]:
    sign = rng.choice("++++---**/")
    a, b = _operands(rng, sign)
    gap = rng.choice((" ", ""))
    shown = f"{a}{gap}{pick(rng, _SHOWN[sign])}{gap}{b}"
    return shown, f"{a} {sign} {b}", _value(a, sign, b)


def bare(rng: Random) -> Exchange:
    """An expression in figures, and nothing else."""
    shown, _, value = _drawn(rng)
    return Exchange(exact(pick(rng, _TEXT["bare"]), e=shown), str(value), str(value))


def basic(rng: Random) -> Exchange:
    """An expression in figures inside a question."""
    shown, plain, value = _drawn(rng)
    return Exchange(phrase(rng, pick(rng, _ASK), e=shown), f"{plain} = {value}", str(value))


def spoken(rng: Random) -> Exchange:
    """An expression in words: `seven plus five`, `add 3 and 4`."""
    sign = rng.choice("+++--**/")
    a, b = _operands(rng, sign)
    value = _value(a, sign, b)
    in_words = max(a, b) <= 20 and rng.random() < 0.6
    left, right = (_DIGITS[a], _DIGITS[b]) if in_words else (str(a), str(b))
    answer = f"{a} {sign} {b} = {value}"
    if rng.random() < 0.5:
        shown = f"{left} {pick(rng, _WORDS[sign])} {right}"
        return Exchange(phrase(rng, pick(rng, _ASK), loose=True, e=shown), answer, str(value))
    asked = phrase(rng, pick(rng, _VERBAL[sign]), loose=True, a=left, b=right)
    return Exchange(asked, answer, str(value))


def three_terms(rng: Random) -> Exchange:
    """A sum of three small numbers."""
    a, b, c = (rng.randrange(20) for _ in range(3))
    gap = rng.choice((" ", ""))
    shown = f"{a}{gap}+{gap}{b}{gap}+{gap}{c}"
    value = str(a + b + c)
    if rng.random() < 0.4:
        return Exchange(exact(pick(rng, _TEXT["bare"]), e=shown), value, value)
    return Exchange(phrase(rng, pick(rng, _ASK), e=shown), f"{a} + {b} + {c} = {value}", value)


def related(rng: Random) -> Exchange:
    """A double, a half, a square, the next or the previous number."""
    a = rng.randrange(50)
    s = a % 13
    subjects, value, answer = rng.choice(
        (
            (f"double {a}|the double of {a}|twice {a}", 2 * a, f"The double of {a} is"),
            (f"half of {2 * a}|the half of {2 * a}", a, f"Half of {2 * a} is"),
            (f"the square of {s}|{s} squared", s * s, f"The square of {s} is"),
            (f"the number after {a}|one more than {a}", a + 1, f"The number after {a} is"),
            (
                f"the number before {a + 1}|one less than {a + 1}",
                a,
                f"The number before {a + 1} is",
            ),
        )
    )
    template = pick(
        rng, ("What is {x}?", "Tell me {x}.", "What's {x}?", "Calculate {x}", "{x}?", "{x}")
    )
    asked = phrase(rng, template, x=pick(rng, subjects.split("|")))
    return Exchange(asked, f"{answer} {value}.", str(value))


def _two(rng: Random) -> tuple[int, int]:
    top = rng.choice((10, 100, 1000))
    a = rng.randrange(top)
    return a, (a + rng.randint(1, top - 1)) % top


def which(rng: Random) -> Exchange:
    """Which of two numbers is bigger or smaller."""
    a, b = _two(rng)
    word = rng.choice(("bigger", "larger", "greater", "smaller", "less"))
    value, other = sorted((a, b), reverse=word not in ("smaller", "less"))
    template = pick(rng, _TEXT["which"])
    return Exchange(
        phrase(rng, template, w=word, a=a, b=b), f"{value} is {word} than {other}.", str(value)
    )


def whether(rng: Random) -> Exchange:
    """Is one number bigger than another? Yes or no."""
    a, b = _two(rng)
    word = rng.choice(("bigger", "greater", "smaller", "larger"))
    template = pick(rng, _TEXT["whether"])
    asked = phrase(rng, template, a=a, w=word, b=b)
    if (a < b) == (word == "smaller"):
        return Exchange(asked, f"Yes, {a} is {word} than {b}.", "Yes.")
    back = "bigger" if word == "smaller" else "smaller"
    return Exchange(asked, f"No, {a} is {back} than {b}.", "No.")


def story_sum(rng: Random) -> Exchange:
    """A word problem with one step."""
    first = rng.random() < 0.5
    subject, verb, do = ("I", "have", "do") if first else (pick(rng, NAMES), "has", "does")
    who = "i" if first else "he"
    holder = "You have" if first else f"{subject} has"
    thing = pick(rng, FRUITS[:8] + NOUNS[:12])
    things = {"cherry": "cherries", "peach": "peaches"}.get(thing, f"{thing}s")
    a, b = rng.randint(2, 60), rng.randint(1, 39)
    if rng.random() < 0.55:
        value, change, final = (
            a + b,
            f"{pick(rng, _TEXT['gain_' + who])} {b} more",
            "How many in total?",
        )
    else:
        a, b = max(a, b) + 1, min(a, b)
        value, change, final = a - b, f"{pick(rng, _TEXT['lose_' + who])} {b}", "How many are left?"
    glue = pick(rng, (" and ", f". Then {subject} ", f", then {subject} "))
    ask = pick(
        rng,
        (
            f"How many {things} {do} {subject} have?",
            f"How many {things} {do} {subject} have now?",
            final,
        ),
    )
    asked = phrase(rng, f"{subject} {verb} {a} {things}{glue}{change}. {ask}")
    return Exchange(asked, f"{holder} {value} {things}.", str(value))


topic: Topic = mixed(
    (7.5, basic),
    (4.0, bare),
    (4.5, spoken),
    (1.5, three_terms),
    (0.9, related),
    (1.4, which),
    (1.4, whether),
    (2.0, story_sum),
)
