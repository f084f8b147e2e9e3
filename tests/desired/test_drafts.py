"""What an edit costs: the text that it makes is read once, and its base was read before."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from lmxd.desired.drafts import Base, drafted
from lmxd.desired.read import accept, parsed
from reconciler.state import Accepted
from schemas.edit import Edit, MergePatch
from tests.kit.work import calls

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = "    source: hf:org/repo   # why\n    context: 16k\n    sampling: {temperature: 0.2}\n"
TEXT = ("version: 1\nmodels:\n" + "".join(f"  m{n}:\n{MODEL}" for n in range(40))).encode()


def test_an_edit_reads_its_text_once() -> None:
    reading = accept(TEXT, AT)
    base = Base(Accepted(1, reading.sha256, reading.document, reading.data, AT), TEXT)
    number = count(1)

    def draft() -> None:
        made = drafted(patch(next(number)), base, 2, AT)
        assert made.changed

    assert calls(draft) < 1.5 * calls(lambda: parsed(TEXT))


def test_what_is_remembered_of_a_text_stays_as_it_is() -> None:
    """Drafts of one base do not see each other."""
    reading = accept(TEXT, AT)
    base = Base(Accepted(1, reading.sha256, reading.document, reading.data, AT), TEXT)
    first, second = (drafted(patch(priority), base, 2, AT) for priority in (7, 8))
    assert parsed(TEXT).data == accept(TEXT, AT).data == reading.data
    assert parsed(first.raw).data == first.accepted.data
    assert parsed(second.raw).data == second.accepted.data
    assert [(each.path, each.after) for each in first.changes] == [
        (("models", "m3", "priority"), 7)
    ]
    assert [(each.path, each.after) for each in second.changes] == [
        (("models", "m3", "priority"), 8)
    ]


def patch(priority: int) -> Edit:
    return Edit(MergePatch({"models": {"m3": {"priority": priority}}}), "test")
