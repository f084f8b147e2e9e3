"""Longer answers: stories made of episodes, poems and jokes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .dialogue import Exchange, Topic, mixed
from .phrasing import exact, phrase, pick
from .texts import sections
from .words import ADJECTIVES, ANIMALS, NAMES, NOUNS

_TEXT = sections("stories")
_LENGTHS = (
    ("", 3),
    ("", 3),
    ("", 3),
    ("short ", 2),
    ("little ", 2),
    ("long ", 6),
    ("nice ", 3),
    ("very long ", 7),
)

_noun: Callable[[Random], str] = mixed(
    (0.5, lambda r: pick(r, ANIMALS)),
    (0.3, lambda r: pick(r, _TEXT["heroes"])),
    (0.2, lambda r: pick(r, NOUNS)),
)


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _hero(rng: Random) -> tuple[str, bool]:
    if rng.random() < 0.25:
        return pick(rng, NAMES), True
    noun = _noun(rng)
    return _article(f"{pick(rng, ADJECTIVES)} {noun}" if rng.random() < 0.3 else noun), False


def tell(rng: Random, hero: str, named: bool, episodes: int) -> str:
    """A story about the hero with the given number of episodes."""
    name = hero if named else pick(rng, ("Pip", "Luna", "Momo", "Tiko", "Bella", "Rufus"))
    opening = pick(rng, _TEXT["openings_named" if named else "openings"])
    pieces = [opening, *rng.sample(_TEXT["episodes"], episodes), pick(rng, _TEXT["endings"])]
    friend = pick(rng, _TEXT["friends"])
    text = " ".join(
        exact(
            piece,
            h=hero,
            n=name,
            p=pick(rng, _TEXT["places"]),
            a=pick(rng, ADJECTIVES),
            o=pick(rng, NOUNS),
            f=friend,
        )
        for piece in pieces
    )
    return text.replace(f". {friend}", f". {friend[0].upper()}{friend[1:]}")


def story(rng: Random) -> Exchange:
    """A story, short or long, about a hero the user may choose."""
    length, episodes = rng.choice(_LENGTHS)
    if rng.random() < 0.35:
        template = pick(rng, _TEXT["ask_any"]).replace("{l}", length)
        episodes = 6 if "something long" in template else episodes
        hero = _article(pick(rng, ("cat", "robot", "fox", "small mouse")))
        return Exchange(phrase(rng, template), tell(rng, hero, False, episodes))
    hero, named = _hero(rng)
    template = pick(rng, _TEXT["ask"]).replace("{l}", length)
    return Exchange(phrase(rng, template, h=hero), tell(rng, hero, named, episodes))


def poem(rng: Random) -> Exchange:
    """One of a few poems."""
    about = rng.choice(
        (f"the {pick(rng, NOUNS)}", f"{pick(rng, ANIMALS)}s", "love", "you", "spring")
    )
    return Exchange(phrase(rng, pick(rng, _TEXT["ask_poem"]), x=about), pick(rng, _TEXT["poems"]))


def joke(rng: Random) -> Exchange:
    """One of a few jokes."""
    return Exchange(phrase(rng, pick(rng, _TEXT["ask_joke"])), pick(rng, _TEXT["jokes"]))


topic: Topic = mixed((6.0, story), (0.8, poem), (0.8, joke))
