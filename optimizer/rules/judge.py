"""What becomes of each rule: a table of its states. Pure: both clocks are arguments.

Nothing here may chatter at the rhythm of dispatch, 2 s. A rule begins once in its `off` at most, and what is measured
must be gone for as long before it ends. What is not known ends it at once: unknown is never true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from optimizer.rules.conditions import Met, Seen, Sight, look
from optimizer.rules.facts import Facts, Now
from optimizer.rules.words import proposal
from schemas.site_rules import LONGEST, SiteRule, Until

NEVER = float("-inf")


class State(StrEnum):
    """Of a rule."""

    IDLE = "idle"  # its conditions do not hold
    ARMING = "arming"  # they are so, not yet for their `hold`; or the rule pauses
    HOLDING = "holding"  # they hold
    ENDING = "ending"  # a measured one is gone, not yet for `off`
    LASTING = "lasting"  # it has begun and goes on until its own end, whatever its conditions do
    SPENT = "spent"  # its end has come while its conditions still hold: they must be gone first
    UNKNOWN = "unknown"  # a condition is not known


PROPOSING = frozenset({State.HOLDING, State.ENDING, State.LASTING})
"""In these it proposes, in no other."""
_FREE = {
    Sight.YES: State.HOLDING,  # LASTING for a rule with an `until`
    Sight.COMING: State.ARMING,
    Sight.NO: State.IDLE,
    Sight.OUTSIDE: State.IDLE,
    Sight.UNKNOWN: State.UNKNOWN,
}
_HOLDS = {
    Sight.YES: State.HOLDING,
    Sight.COMING: State.HOLDING,
    Sight.NO: State.ENDING,
    Sight.OUTSIDE: State.IDLE,
    Sight.UNKNOWN: State.UNKNOWN,
}
NEXT: dict[State, dict[Sight, State]] = {
    State.IDLE: _FREE,
    State.ARMING: _FREE,
    State.UNKNOWN: _FREE,
    State.HOLDING: _HOLDS,
    State.ENDING: {**_HOLDS, Sight.OVER: State.IDLE},
    State.LASTING: {
        **dict.fromkeys((Sight.YES, Sight.COMING, Sight.NO, Sight.OUTSIDE, Sight.UNKNOWN), State.LASTING),
        Sight.OVER: State.SPENT,
    },
    State.SPENT: {
        **dict.fromkeys((Sight.YES, Sight.COMING, Sight.UNKNOWN), State.SPENT),
        **dict.fromkeys((Sight.NO, Sight.OUTSIDE), State.IDLE),
    },
}
"""What follows what; what is not written cannot be, and is an error."""


@dataclass(frozen=True)
class Memory:
    """What is remembered of a rule."""

    state: State = State.IDLE
    began: datetime | None = None
    """When it began to propose; None while it does not."""
    going: float | None = None
    """Since when a measured condition is gone, on the steady clock."""
    ended: float = NEVER
    """When it proposed last, on the steady clock."""
    ends: float | None = None
    """When its `until` is over, on the steady clock..."""
    ends_at: datetime | None = None
    """...and by the wall clock, which decides where `until` is a time of day."""
    because: str = ""
    """The values that made it hold, as they were then."""
    missing: str = ""
    """What is not known."""
    met: tuple[Met, ...] = ()

    @property
    def proposes(self) -> bool:
        return self.state in PROPOSING


@dataclass(frozen=True)
class Proposal:
    """A rule, its state, and why in words. It proposes only in the states of `PROPOSING`."""

    rule: SiteRule
    state: State
    words: str
    until: str = ""
    """In words; empty without an end."""

    @property
    def proposes(self) -> bool:
        return self.state in PROPOSING


@dataclass(frozen=True)
class Judged:
    """All rules at one moment."""

    proposals: Sequence[Proposal]
    """In the order of the rules."""
    memory: Mapping[str, Memory]
    """By the name of the rule, for the next time."""


def judge(rules: Sequence[SiteRule], facts: Facts, now: Now, memory: Mapping[str, Memory]) -> Judged:
    """What each rule proposes now. `memory`: of the last time; a rule that is not in it begins idle."""
    after = {one.name: _next(one, facts, now, memory.get(one.name, Memory())) for one in rules}
    return Judged([_proposal(one, after[one.name], facts.zone) for one in rules], after)


def _next(rule: SiteRule, facts: Facts, now: Now, last: Memory) -> Memory:
    seen = look(rule, facts, now, last.met)
    sight = _event(rule, seen, now, last)
    state = NEXT[last.state][sight]
    if state is State.HOLDING and last.state not in PROPOSING and rule.until is not None:
        state = State.LASTING
    gone = state is State.ENDING
    found = replace(
        last,
        state=state,
        met=seen.met,
        missing=seen.missing,
        going=(now.steady if last.going is None else last.going) if gone else None,
    )
    if found.proposes and not last.proposes:
        return _begun(rule, found, seen, facts.zone, now)
    if last.proposes and not found.proposes:
        return replace(found, began=None, ended=now.steady, ends=None, ends_at=None)
    return found


def _event(rule: SiteRule, seen: Seen, now: Now, last: Memory) -> Sight:
    """What its conditions come to, with the delays of the rule itself."""
    if last.state is State.LASTING:
        by_clock = rule.until is not None and rule.until.at is not None
        by_wall = by_clock and last.ends_at is not None and now.wall >= last.ends_at
        return Sight.OVER if by_wall or last.ends is None or now.steady >= last.ends else seen.sight
    if last.state is State.ENDING and seen.sight is Sight.NO:
        since = now.steady if last.going is None else last.going
        return Sight.OVER if now.steady - since >= rule.off else Sight.NO
    pauses = not last.proposes and now.steady - last.ended < rule.off
    return Sight.COMING if pauses and seen.sight is Sight.YES else seen.sight


def _begun(rule: SiteRule, found: Memory, seen: Seen, zone: ZoneInfo, now: Now) -> Memory:
    over = None if rule.until is None else end_of(rule.until, now.wall, zone)
    return replace(
        found,
        began=now.wall,
        because=seen.because,
        ends=None if over is None else now.steady + (over - now.wall).total_seconds(),
        ends_at=over,
    )


def end_of(until: Until, begin: datetime, zone: ZoneInfo) -> datetime:
    """When something that begins now is over, in UTC: after so long, or at the next such local time."""
    if until.at is None:
        return (begin + timedelta(seconds=until.after or 0.0)).astimezone(UTC)
    local = begin.astimezone(zone)
    each = (datetime.combine(local.date() + timedelta(days=n), until.at, zone).astimezone(UTC) for n in (0, 1, 2))
    return next(one for one in each if one > begin)


def _proposal(rule: SiteRule, memory: Memory, zone: ZoneInfo) -> Proposal:
    until = "" if memory.ends_at is None else f"until {memory.ends_at.astimezone(zone):%H:%M}"
    return Proposal(rule, memory.state, _words(rule, memory, until), until)


def _words(rule: SiteRule, memory: Memory, until: str) -> str:
    name = f"rule `{rule.name}`"
    if memory.state is State.UNKNOWN:
        return f"{name} is unknown and proposes nothing: nobody knows {memory.missing}"
    if not memory.proposes:
        return f"{name} is {memory.state}"
    then = ", ".join(proposal(key, value) for key, value in rule.then.given.items())
    return f"{name} holds: {memory.because}; {' '.join(filter(None, (then, until)))}"


# from one run to the next -------------------------------------------------------------------------


def kept(memory: Mapping[str, Memory]) -> dict[str, tuple[datetime, datetime, str]]:
    """By rule what must outlive the process: of those that last until their own end, begin, end and why."""
    return {
        name: (one.began, one.ends_at, one.because)
        for name, one in memory.items()
        if one.state is State.LASTING and one.began is not None and one.ends_at is not None
    }


def recalled(
    rules: Sequence[SiteRule], stored: Mapping[str, tuple[datetime, datetime, str]], now: Now
) -> dict[str, Memory]:
    """The memory a run begins with. A rule that has no end of its own any more, and an end that lies further away than
    one can, are forgotten: the conditions decide anew."""
    found = dict[str, Memory]()
    for one in rules:
        began, over, because = stored.get(one.name, (now.wall, now.wall, ""))
        left = (over - now.wall).total_seconds()
        if one.until is None or not 0 < left <= LONGEST + 7200:  # the longest local day has 25 hours
            continue
        found[one.name] = Memory(State.LASTING, began, ends=now.steady + left, ends_at=over, because=because)
    return found
