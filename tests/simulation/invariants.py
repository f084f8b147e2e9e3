"""What holds of the reconciler and of what it drives, and which test sees to it.

The list is data, so that a test can say that each of these places is there and names its number.
Safety is checked at every step of every seed; liveness once faults have stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

HERE = "tests/simulation/"


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that holds: its number, what it says, and the files that check it, from the root.
    Those in this folder name the number in a docstring.
    """

    number: int
    words: str
    where: tuple[str, ...]


def _in(number: int, words: str, *where: str) -> Invariant:
    return Invariant(number, words, tuple(each if "/" in each else HERE + each for each in where))


INVARIANTS = (
    _in(1, "what is reserved and what is measured fits the budget, also in transition; only a "
        "load that measures more than anybody knew goes beyond it, and nothing is loaded then",
        "rules.py", "oracles.py", "rest.py"),
    _in(2, "nothing is unloaded or changed under a request before its deadline",
        "rules.py", "oracles.py", "spares.py"),
    _in(3, "nothing that lmxd did not bring is deleted; without prune_disk no file of a removed "
        "model", "rules.py", "removals.py"),
    _in(4, "only verified files of the resolved revision are loaded", "rules.py"),
    _in(5, "a file that is not valid changes nothing", "oracles.py", "test_crash.py"),
    _in(6, "generation and epoch never go back, and no condition is of another", "rules.py"),
    _in(7, "a transition time moves if and only if the status does; one condition a type",
        "rules.py"),
    _in(8, "a name leads to an instance that answers, or says why none does; it keeps the one "
        "before while the next is on its way", "rules.py", "oracles.py"),
    _in(9, "an action on an instance that is gone has no effect", "oracles.py", "history.py"),
    _in(10, "one load, promotion or unload at a time", "rules.py"),
    _in(11, "an accepted change is in the file, in a lease, or reported reverted",
        "tests/desired/test_machine_document.py"),
    _in(12, "If-Match with an old ETag changes nothing; of two equal ones one wins",
        "tests/desired/test_machine_races.py"),
    _in(13, "a patch changes what it says, and no other byte", "tests/desired/test_untouched.py",
        "tests/desired/test_splice_any.py"),
    _in(14, "a stream that is cut never ends as if it were complete", "tests/http/test_streams.py"),
    _in(15, "no secret is in a log, a status or an event", "tests/telemetry/test_logs.py"),
    _in(16, "windows that tile a day have exactly one open at every instant",
        "tests/reconciler/test_timetable_zones.py", "oracles.py"),
    _in(17, "what holds is constant until the next instant that is announced", "rest.py",
        "oracles.py", "tests/reconciler/test_timetable_zones.py"),
    _in(18, "a year of windows has no gap and no overlap",
        "tests/reconciler/test_timetable_zones.py"),
    _in(19, "the zone of the process has no say", "tests/reconciler/test_timetable_zones.py"),
    _in(20, "once faults stop, what was wanted is so, or the gap has a reason", "rest.py"),
    _in(21, "at rest nothing is done, written or told a second time", "rest.py"),
    _in(22, "the same document, instant, ledger and leases give the same loaded set, whatever "
        "came before", "oracles.py", "rest.py"),
    _in(23, "a crash at any boundary ends where no crash does, with one more load at most",
        "crash.py"),
    _in(24, "an event that is lost delays, and changes nothing", "history.py"),
    _in(25, "there and back again is where it began", "test_crash.py"),
    _in(26, "a preview of an instant is what happens then", "rest.py"),
    _in(27, "what failed for good is not tried again, other things later and later",
        "attempts.py"),
    _in(28, "what is wanted most answers within its load and one drain; the lane does not stand "
        "still while somebody has room", "rest.py", "oracles.py"),
)  # fmt: skip
