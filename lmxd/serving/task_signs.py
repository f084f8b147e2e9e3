"""The signs in a prompt that tell what kind of work it asks for, as patterns. Pure.

Each pattern stands for one thing that people write; `tasks` weighs them. English first, with the
commonest words of German, French and Spanish; code looks the same in all languages. The labelled
prompts of the tests say how well they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "CODE",
    "DIGEST",
    "LONG",
    "MODEST",
    "PLAIN",
    "REASONING",
    "SHORT",
    "Signs",
    "said_length",
]

_FLAGS = re.IGNORECASE | re.MULTILINE
_PLEASE = r"^\W*(?:please |can you |could you )*"


class Signs:
    """Patterns of one kind, each with its weight.

    Args:
        weighted: weight to the patterns that have it.
    """

    def __init__(self, weighted: dict[int, Iterable[str]]) -> None:
        self._patterns = [
            (weight, re.compile(pattern, _FLAGS))
            for weight, patterns in weighted.items()
            for pattern in patterns
        ]

    def weigh(self, text: str) -> tuple[int, str]:
        """The sum of the weights found, and the first words that were found, for people."""
        total, shown = 0, ""
        for weight, pattern in self._patterns:
            found = pattern.search(text)
            if found:
                total += weight
                shown = shown or " ".join(found[0].split())[:40]
        return total, shown


def _any(phrases: str) -> str:
    """A pattern for whole phrases, separated by `|` and spaces; each is a pattern itself."""
    return rf"\b(?:{_either(phrases)})\b"


def _first(phrases: str) -> str:
    """The same at the beginning of a line."""
    return rf"{_PLEASE}(?:{_either(phrases)})\b"


def _either(phrases: str) -> str:
    return "|".join(phrase.strip() for phrase in phrases.split(" | "))


DIGEST = Signs(
    {
        1: (
            _any("(?:title|headline|subject line|username|slogan|tagline)s? (?:for|of|about|only)"),
            _any("(?:short|concise|catchy|new) (?:title|name|phrase|headline)"),
            _any(r"[\d-]+ word (?:title|phrase) | phrase as the (?:header|title)"),
            _any(r"(?:generate|suggest|create|write|find)s? (?:\w+ ){0,2}(?:titles?|names?|tags?)"),
            _first("summari[sz]e | sum up | fasse | résume | resume est[eo]"),
            _any("tl;?dr | gist of | in a nutshell | new conversation topic | isNewTopic"),
            _any("follow-up questions | autocomplete engine"),
            _any("(?:extract|list) (?:the |all )?(?:keywords|dates|names?|numbers?|emails?)"),
            _any("(?:keywords|category|label)s? only | only the (?:keywords|title|category|label)"),
            _first("(?:classify|label|categori[sz]e|tag) (?:this|the|these)"),
            _any("exactly one (?:category|label|word) | (?:sentiment|spam)\\b.*\\byes or no"),
        )
    }
)
"""Small helpers' work: titles, summaries, labels, extraction."""

_LANGUAGE = _either(
    r"python | java | javascript | typescript | kotlin | swift | rust | golang | ruby | php | perl"
    r" | c\+\+ | c\# | scala | haskell | lua | bash | powershell | sql | html | css | vba | graphql"
    r" | terraform | ansible | dockerfile | makefile | yaml | json"
)

CODE = Signs(
    {
        3: (
            r"```|^diff --git |^#include|\bSELECT\b[\s\S]+\bFROM\b|^\s*for ?\(.*;",
            r"^\s*(?:def|class|import|from|func|fn|public|private|static|const|var|for)\b.*[({:;]\s*$",
            r"\b(?:def|function|func|fn) \w+\s*\(",
            r"^\s*(?:const|let|var|import|from|#include) [\w.{*<]+ ?(?:=|import\b|from\b|;|$)",
            _any(
                r"\w+(?:Error|Exception) | Traceback \(most recent | segmentation fault | npm ERR"
            ),
            _any("pip install | npm (?:install|run) | stack ?trace | borrow checker | core dumped"),
            r"\b[\w/-]+\.(?:py|[jt]sx?|rs|go|cc?|cpp|h|java|kt|rb|php|sh|sql|css|html|ya?ml|toml)\b",
            _any("coding assistant | programmer | software engineer | at the cursor | code only"),
            _any("unit tests? | test suite | failing tests? | refactor | regex | linked list"),
            _any("regular expression | docstrings? | type hints? | pull request | one-liner"),
            r"\bgit\b|\blast commit\b|\bunit file\b|\bcrontab\b|\bssh config\b",
            _any("quicksort | mergesort | lru cache | binary search | thread-safe | async/await"),
            _any(
                r"decorator | debounce | database schema | react | vue | angular | django | flask"
            ),
            _any("fastapi | kubernetes | docker | nginx | pytest | pandas | beautifulsoup"),
            _any(r"node\.js | postgres | github actions | rest api"),
            r"(?<![\w.])--[a-z][a-z-]+ (?:flag|option)\b",
        ),
        2: (
            rf"\b(?:in|an?|this|with|using|my|of|from|to|for|the) (?:{_LANGUAGE})(?![\w+#])",
            rf"\b(?:en|mit|avec|con|auf|pour|für) (?:{_LANGUAGE})(?![\w+#])",
            r"\b(?:in|with|using) (?:C|Go|R)\b(?! is)(?=[ ?.,]*(?:$|with\b|and\b|\?|\.))",
            rf"\b(?:{_LANGUAGE})[- ]\w+",
            _any("pointers? | segfault | (?:process|thread)(?:es|s)?"),
        ),
        1: (
            _any("code | bug | functions? | methods? | compile[rd]? | debug | script | snippet"),
            _any("api | endpoint | repository | schema | parse | variable | implement | deploy"),
            _any("cli | backend | frontend | database | callback | fonction | funktion | función"),
            rf"\b(?:{_LANGUAGE})(?![\w+#])",
            r"[;{}]\s*$|=>|==|\(\)|::",
            r"`[^`\n]+`",
        ),
    }
)
"""Programming: text that is code, or that speaks of it."""

_HOW_MANY = _either("how (?:many|long|far|much) | wie (?:viele|lange) | cuánt[oa]s | combien")

REASONING = Signs(
    {
        3: (
            _any("prove | disprove | proof | theorem | lemma | by induction | beweise | démontre"),
            _any("integral | derivative | eigenvalues? | determinant | recurrence | lagrange"),
            _any("probability | expected (?:number|value) | converges? | infinitely many"),
            _any("integer solutions | how many (?:ways|orders) | polynomial | logarithm"),
            _any(r"logic puzzle | riddle | knights?\b.*\bknaves? | optimal strategy | weighings?"),
            _any("reason(?:ing)? (?:carefully|it through) | explain your reasoning | deduce"),
            _any("think carefully | justify each step | show (?:why|that|the calculation)"),
            _any("number in (?:the|this) sequence | demuestra"),
            r"[a-z]\^\d|\d[a-z] ?[+-] ?\d|\bP\([A-Z]|\bf\(x|T\(n\)|\bf\(\d\)",
            r"\bsolve\b.*(?:=|equation|system|integral|step)",
        ),
        2: (
            _any("step[- ]by[- ]step | paso a paso | schritt für schritt | étape par étape"),
            _any("always (?:lies?|tells? the truth) | je(?:de)? stunde"),
            rf"\d[\s\S]*\d[\s\S]*\b(?:{_HOW_MANY})\b",
            r"\bhow (?:many|long|far|fast|old)\b.*\?|\bwie (?:viele|lange)\b|¿cuánt[oa]s\b",
            r"\bif (?:all|every|five|today|it takes)\b.*\?",
            _any("derive | compute | calculate | determine | evaluate | find all | simplify"),
            _any("minimi[sz]e | maximi[sz]e | formula | volume | exactly one | exactly \\d+ lit"),
            _any(r"twice as | times as | km/h | jugs? | in a row | lowers? it by | chessboard"),
            _any("puzzle | over a river | same place | sits? (?:to|at|beside) | measure exactly"),
            r"\b\d+ (?:machines|coins|people|heads|köpfe|beine|pipes?|lit(?:er|re)s?)\b",
            _any("a farmer | ein bauer | two trains | a train | a ladder | a tank | all labels"),
            r"\bcosts? [\d.]+|[\d.]+ (?:together|more than)\b|\bby \d+ ?%",
        ),
    }
)
"""Mathematics and puzzles, where thinking pays."""

SHORT = Signs(
    {
        1: (
            _any(
                r"(?:in|with) (?:just )?(?:one|a single|two|a few|\d) (?:words?|sentences?|lines?)"
            ),
            _any("single (?:word|sentence|line|number) | yes or no | be brief | short answer"),
            _any(r"next few words | make this shorter | in under \d+ (?:characters|words)"),
            _any("one-line | tweet | subject line"),
            _first("briefly"),
        )
    }
)
"""The prompt itself asks for a short answer."""

LONG = Signs(
    {
        1: (
            _any("essay | article | blog post | story | poem | novel | chapter | speech | report"),
            _any("guide | lyrics | monologue | dialogue | diary | fairy tale | eulogy | scene"),
            _any("profile | proposal | contract | press release | cover letter | itinerary"),
            _any(
                "personal statement | lesson plan | (?:business|workout) plan | recipe | strategy"
            ),
            _any("calendar | character sheet | introduction | overview | minutes | advertisement"),
            _any("aufsatz | kurzgeschichte | geschichte über | gedicht | ausführlich | en détail"),
            _any("essai | lettre | ensayo | cuento | en detalle"),
            _any("in (?:great )?detail | detailed | comprehensive | thorough | in[- ]depth"),
            _any("at length | everything about | elaborate | long | full page | expand it"),
            _any(r"\w+ plan for | shopping list | weekly \w+"),
            _first("explain | describe | discuss | compare | draft | outline | plan | develop"),
            _first("imagine | act as | create a | make a | help me write"),
            _first("erkläre | beschreibe | explique | décris | explica"),
            _any("pros and cons | advantages and disadvantages | arguments for and against"),
            _any(
                "causes and consequences | main (?:reasons|themes|currents) | differences? between"
            ),
            r"\bhow (?:does|do|did|can|should)\b.*\b(?:work|prepare|change|grow|lose|learn|made)\b",
            _any("what should i consider | what is it like | tell me (?:about|everything)"),
            r"\bwrite (?:me )?(?:about|an?|the|three|one)\b(?! (?:one|tweet|subject|short title))",
            _any("novelist | dungeon master | encyclopedia articles? | vividly | rich paragraphs"),
            _any("with sections | for each week | per day | (?:with|several) examples"),
        )
    }
)
"""The prompt asks for something of several paragraphs."""

MODEST = Signs(
    {
        1: (
            _first("translate | übersetze | traduis | traduce | rephrase | rewrite | correct"),
            _first("fix the (?:typo|grammar) | convert | extract"),
        )
    }
)
"""The answer is about as long as what is given."""

PLAIN = Signs(
    {
        1: (
            _first("who | when | where | which | is | are | does | do | did | can | was | whose"),
            _first(
                "what(?:'s| is| are| was| does| did| year| day| time| colou?r| language| emoji)"
            ),
            _first("how (?:tall|far|old|many|much|big|do you say) | define | spell | name"),
            _first("give me (?:a|one|\\d) | tell me a joke | pick | continue | complete | suggest"),
            _first("expand | come up | remind | wer | wann | wo | quelle? | qui | quand | où"),
            _first("¿?cuántos | ¿?qué | ¿?quién"),
        )
    }
)
"""A plain question with a plain answer."""

_LENGTH = re.compile(
    r"\b(\d[\d,.]*)[- ](words?|wörter|mots|palabras|pages?|paragraphs?|lines|minutes|ideas|verses"
    r"|days?|weeks?|questions|examples|items)\b",
    re.IGNORECASE,
)
_TOKENS_OF = {"word": 1.4, "wörter": 1.4, "mot": 1.4, "palabra": 1.4, "page": 600.0}
_TOKENS_OF |= {"paragraph": 120.0, "line": 12.0, "minute": 200.0, "verse": 50.0, "week": 100.0}


def said_length(text: str) -> int | None:
    """The length in tokens that the prompt asks for in so many words, if it does."""
    found = _LENGTH.search(text)
    if not found:
        return None
    count = float(found[1].replace(",", "").rstrip("."))
    return int(count * _TOKENS_OF.get(found[2].lower().rstrip("s"), 30.0))
