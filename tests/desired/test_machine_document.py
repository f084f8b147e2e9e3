"""People, bots and the clock at one document in any order: always as the contract has it.

Real files, the real commit protocol, restarts; `tests.kit.expected` says what must come of it.
`LMXD_EXAMPLES=100` runs a hundred times as many examples, each time others.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.edit import Edit, WholeData, WholeText
from tests.kit.machines import DeskMachine, settings
from tests.kit.plain_values import merge
from tests.kit.saves import STYLES
from tests.kit.wishes import FIRST, MANAGERS, SEEDS, bodies, leases, patches, written

pytestmark = pytest.mark.timeout(600)  # a failing example is made small, which takes its time

STYLE = st.sampled_from(STYLES)
TERMS = st.sampled_from(["none", "none", "none", "current", "text", "stale", "both", "any"])
BROKEN = st.sampled_from(
    [b"", b"# soon\n", b"version: 1\nmodels: [\n", b"version: 2\n", b"\xff", None]
)


class Calm(DeskMachine):
    """One thing after the other."""

    @rule(patch=patches, seed=SEEDS, style=STYLE, look=st.booleans())
    def somebody_edits_the_file(self, patch, seed, style, look) -> None:
        self.save(written(self.at_hand(), patch, seed), style, look=look)

    @rule(seed=SEEDS, style=STYLE, top=st.booleans())
    def somebody_adds_a_comment(self, seed, style, top) -> None:
        if self.world.file:
            note = f"# note {seed}\n".encode()
            end = b"" if self.world.file.endswith(b"\n") else b"\n"
            file = self.world.file.removeprefix(b"\xef\xbb\xbf")
            self.save(note + file if top else file + end + note, style)

    @rule(number=st.integers(0, 30), style=STYLE, look=st.booleans())
    def somebody_saves_an_old_buffer(self, number, style, look) -> None:
        self.save(self.witness.texts[-1 - number % len(self.witness.texts)], style, look=look)

    @rule(raw=BROKEN, style=STYLE, look=st.booleans())
    def somebody_breaks_the_file(self, raw, style, look) -> None:
        self.save(raw, style, look=look)

    @rule(share=st.integers(0, 100), style=STYLE)
    def somebody_cuts_the_file_short(self, share, style) -> None:
        if self.world.file:
            self.save(self.world.file[: len(self.world.file) * share // 100], style)

    @rule(keys=st.sets(st.sampled_from("abcd"), min_size=2), seed=SEEDS, style=STYLE)
    def somebody_removes_many_models(self, keys, seed, style) -> None:
        patch = {"models": dict.fromkeys(sorted(keys)), "aliases": None}
        self.save(written(self.at_hand(), patch, seed), style)

    @rule()
    def the_daemon_looks(self) -> None:
        self.ask(self.look())

    @rule(how=bodies, manager=MANAGERS, terms=TERMS, force=st.booleans(), dry=st.booleans())
    def a_bot_edits(self, how, manager, terms, force, dry) -> None:
        self.ask(self.edit(how, manager, terms, force=force and dry, dry=dry))

    @rule(how=bodies, manager=MANAGERS, terms=TERMS, force=st.booleans())
    def a_bot_edits_again(self, how, manager, terms, force) -> None:
        self.ask(self.edit(how, manager, terms, force=force))

    @rule(how=bodies, more=bodies)
    def two_bots_edit_what_both_have_seen(self, how, more) -> None:
        self.ask(*(self.edit(each, "anonymous", "current") for each in (how, more)))

    @rule(back=st.integers(0, 12), manager=MANAGERS, terms=TERMS, dry=st.booleans())
    def a_generation_is_brought_back(self, back, manager, terms, dry) -> None:
        self.ask(self.rollback(self.world.generation - back, manager, terms, dry=dry))

    @rule(digits=st.sampled_from([64, 8, 7, 0]))
    def what_waits_is_confirmed(self, digits) -> None:
        self.ask(self.confirm(digits))

    @rule(patch=patches, seed=SEEDS, text=st.booleans())
    def a_first_document_is_sent(self, patch, seed, text) -> None:
        data = merge(FIRST, patch)
        body = WholeText(written(FIRST, patch, seed)) if text else WholeData(data)
        self.ask(self.create(Edit(body, "night-bot")))

    @rule(patch=leases, seconds=st.sampled_from([60, 3600]), manager=MANAGERS)
    def a_lease_is_made(self, patch, seconds, manager) -> None:
        self.ask(self.lend(patch, seconds, manager))

    @precondition(lambda self: self.world.standing)
    @rule(number=st.integers(0, 3), seconds=st.sampled_from([0, 30, 3600]))
    def a_lease_is_extended_or_ended(self, number, seconds) -> None:
        self.ask(self.extend(number, seconds) if seconds else self.end(number))

    @rule(seconds=st.sampled_from([1, 45, 120, 700]))
    def time_passes(self, seconds) -> None:
        self.pass_time(seconds)

    @rule(clean=st.booleans())
    def the_daemon_starts_again(self, clean) -> None:
        self.restart(clean=clean)


TestCalm = Calm.TestCase
TestCalm.settings = settings(60, 25)
