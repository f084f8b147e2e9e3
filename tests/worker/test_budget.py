"""A budget closes the reasoning, token by token; here every character is a token."""

from lmxd.worker.budget import Budget
from lmxd.worker.parsing.detect import detect

FORM = detect("<think> </think>", {})
CLOSE = [ord(letter) for letter in FORM.close()]


def run(budget, text):
    """What the model then really says: its own text, but for what is forced."""
    said = ""
    for letter in text:
        while budget.forced is not None:
            token = budget.forced
            budget.follow(token)
            said += chr(token)
        budget.follow(ord(letter))
        said += letter
    return said


def budget(most, prompt="<think>\n"):
    return Budget(most, CLOSE, FORM.parser((), prompt), chr)


def test_reasoning_is_closed_when_its_tokens_are_spent():
    assert run(budget(5), "abcdefgh") == "abcde\n</think>\n\nfgh"


def test_a_budget_of_nothing_closes_at_once():
    assert run(budget(0), "abc") == "\n</think>\n\nabc"


def test_reasoning_that_ends_by_itself_is_left_alone():
    text = "ab</think>cd" + "e" * 40
    watched = budget(20)
    assert run(watched, text) == text
    assert watched.done


def test_reasoning_that_the_model_begins_is_counted():
    said = run(budget(9, prompt=""), "<think>" + "a" * 30)
    assert said.count("</think>") == 1
    assert len(said.partition("\n</think>")[0]) <= len("<think>") + 9


def test_an_answer_without_reasoning_is_not_watched_for_ever():
    watched = budget(3, prompt="")
    assert run(watched, "Hello there") == "Hello there"
    assert watched.done


def test_what_cannot_come_next_is_waited_for():
    watched = budget(0)
    watched.follow(ord("x"))  # it was the middle of a character
    assert watched.forced == CLOSE[0]
    watched.follow(CLOSE[0])
    assert watched.forced == CLOSE[1]
    watched.follow(ord("x"))  # a grammar has another way to go on
    assert watched.forced is None
    assert watched.done
