"""What forbids a battery to charge, to discharge, to run or to start, and when that ends. Pure: `now` is the monotonic
clock.

Two things run side by side, as with alarms: the cause, which `hold`, `off` and hysteresis make calm, and the state of
the interlock, which follows the tables of `interlock_state`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridges.control.interlock_cause import Began, Interlock, Seen, is_wrong, read, seen_again, words
from bridges.control.interlock_state import ACTS, IMPOSES, QUIET, TABLES, Event, Imposed, State
from bridges.control.limits import Limit
from schemas.interlock import Effect, InterlockRule
from schemas.messages import Value
from schemas.rise import NO_PAST, Past

FIRST_WORD = 30.0
"""Seconds after our start in which a point that was never read holds the battery at 0, and stops and opens nothing:
a bridge that begins has not read its slow points yet."""

UNREAD, JUST_SEEN = "nobody has read {} yet", "{} came only just now"
NEVER_READ, LOST = "nobody has read {} since the bridge began", "nobody knows {} any more"
"""Why an interlock acts whose cause was not seen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one interlock."""

    state: State = State.UNTOLD
    since: float = -math.inf
    """Of the state."""
    reason: str = ""
    """What was seen when it began to act."""
    told: bool = False
    """Its point was read since we began."""
    last: bool = False
    """Whether the cause was there when its point was last read."""
    steady: float | None = None
    """Since when its readings say the same, without a gap."""
    lost: float | None = None
    """Since when its point is not known."""
    past: Past = NO_PAST
    """Readings of the last time, for a rule that looks at a rise."""
    blind: bool = False
    """It began to act because its point was not known, and its cause was not seen since."""

    @property
    def calm(self) -> bool:
        """It acts not, and its readings say that its cause is not there: another such reading changes nothing."""
        seen = self.told and not self.last and self.steady is not None and self.lost is None
        return seen and self.state is State.CLEAR


@dataclass(frozen=True, slots=True)
class Memory:
    """Of all interlocks of a battery, by name."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    began: float | None = None
    """When they were first judged."""


@dataclass(frozen=True, slots=True)
class Acting:
    """An interlock that acts now."""

    name: str
    state: State
    since: float
    """Monotonic."""
    reason: str
    effects: tuple[Effect, ...]
    device: str = ""
    blind: bool = False
    """It acts because something is not known, not because its cause was seen."""
    left: float = math.inf
    """W of the rated power that it leaves where it derates."""
    ends: float | None = None
    """Its cause is gone, or known not to be there: seconds until it ends by itself, if that lasts."""

    @property
    def limit(self) -> Limit:
        """What it leaves of the power, under its name."""
        imposed = self.imposed
        return Limit(f"interlock:{self.name}", max(one.low for one in imposed), min(one.high for one in imposed))

    @property
    def imposed(self) -> list[Imposed]:
        """What its effects do to the battery."""
        return [IMPOSES[effect].of(self.left) for effect in self.effects]


@dataclass(frozen=True, slots=True)
class Change:
    """An interlock has gone from one state to another."""

    name: str
    before: State
    after: State
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the interlocks of a battery say at one moment."""

    acting: tuple[Acting, ...]
    low: float
    high: float
    """W, positive discharging: what is left of the power."""
    start: bool
    """It may be started."""
    stop: bool
    """Bring it to 0, stop the inverter, open the contactor."""
    lockout: bool
    changes: tuple[Change, ...]
    """Since the last judgement, for the log and the outcomes."""
    memory: Memory

    @property
    def limits(self) -> list[Limit]:
        """The bounds by name; those that leave everything are left out."""
        return [one.limit for one in self.acting if (one.limit.low, one.limit.high) != (-math.inf, math.inf)]

    @property
    def stopping(self) -> frozenset[str]:
        """Those that stop the inverter, by name."""
        return frozenset(one.name for one in self.acting if any(IMPOSES[effect].stop for effect in one.effects))

    @property
    def raised(self) -> list[Change]:
        """Those that act now and did not before."""
        return [one for one in self.changes if one.before in QUIET and one.after not in QUIET]

    @property
    def cleared(self) -> list[Change]:
        """Those that acted before and do not any more."""
        return [one for one in self.changes if one.before not in QUIET and one.after in QUIET]


def judge(
    locks: Sequence[Interlock], memory: Memory, seen: Seen, now: float, began_at: Began | None = None
) -> Judgement:
    """What follows from what is known now. Called at least in each control cycle of a battery. `began_at`: without it
    the same value is another reading once its point was surely read again."""
    began = now if memory.began is None else memory.began
    entries, changes = dict(memory.entries), []
    for lock in locks:
        before = entries.get(lock.name, Entry(since=now))
        after = entries[lock.name] = _follow(lock, before, seen, now, now - began, began_at)
        if after.state is not before.state:
            changes.append(Change(lock.name, before.state, after.state, after.reason))
    acting = tuple(
        _acting(lock, entries[lock.name], now) for lock in locks if _acts(lock.rule, entries[lock.name].state)
    )
    imposed = [each for one in acting for each in one.imposed]
    return Judgement(
        acting=acting,
        low=max((one.low for one in imposed), default=-math.inf),
        high=min((one.high for one in imposed), default=math.inf),
        start=all(one.start for one in imposed),
        stop=any(one.stop for one in imposed),
        lockout=any(one.lockout for one in imposed),
        changes=tuple(changes),
        memory=Memory(entries, began),
    )


def _acts(rule: InterlockRule, state: State) -> bool:
    return state is not State.CLEAR and not (state is State.UNTOLD and rule.unknown == "nothing")


def _acting(lock: Interlock, entry: Entry, now: float) -> Acting:
    effects = dict.fromkeys(one for effect in lock.rule.effect for one in ACTS[entry.state][effect])
    reason = entry.reason or (JUST_SEEN if entry.told else UNREAD).format(_point(lock))
    unread = entry.state is State.UNTOLD and not entry.told
    following = TABLES[lock.rule.reset].get((entry.state, Event.RIGHT))
    calm = entry.steady if entry.told and not entry.last and entry.lost is None else None
    ends = None if calm is None else max(0.0, lock.rule.off - (now - calm))
    return Acting(
        lock.name,
        entry.state,
        entry.since,
        reason,
        tuple(effects),
        device=lock.device,
        left=lock.left,
        blind=unread or (entry.blind and not entry.last and entry.state is not State.LATCHED),
        ends=ends if following is State.CLEAR and entry.state is not State.UNTOLD else None,
    )


def _follow(  # noqa: PLR0917  # one look
    lock: Interlock, entry: Entry, seen: Seen, now: float, running: float, began_at: Began | None
) -> Entry:
    """The entry after one look. `running`: seconds since we began."""
    value = read(lock, seen)
    if lock.rule.rises is not None:
        began = None if began_at is None else max(began_at(lock.device, point) for point in lock.points)
        entry = replace(entry, past=seen_again(lock, entry.past, value, now, began))
    wrong = None if value is None else is_wrong(lock.rule, value, entry.past, active=entry.state is State.ACTIVE)
    if wrong is False and entry.calm:
        return entry  # nearly always: 30 interlocks of a battery are judged in each cycle
    entry = _note(entry, wrong, now)
    event = _unseen(lock.rule, entry, now, running) if wrong is None else _told(lock.rule, entry, now)
    if event is None:
        return entry
    state = TABLES[lock.rule.reset][entry.state, event]
    if state is entry.state:
        if entry.blind and state is State.ACTIVE and value is not None and wrong:  # now its cause is seen
            return replace(entry, reason=words(lock, value), blind=False)
        return entry
    if state is State.LATCHED or (entry.state is State.LATCHED and wrong is None):
        return replace(entry, state=state, since=now)  # what it latched for stands, also unseen
    blind = wrong is None and not entry.last
    return replace(entry, state=state, since=now, reason=_reason(lock, entry, state, value), blind=blind)


def _note(entry: Entry, wrong: bool | None, now: float) -> Entry:
    """What a look tells, before any delay. Without a reading a cause goes on to last, a calm does not."""
    if wrong is None:
        steady = entry.steady if entry.last else None
        return replace(entry, steady=steady, lost=now if entry.lost is None else entry.lost)
    if wrong == entry.last and entry.steady is not None and entry.told and entry.lost is None:
        return entry  # nearly always
    steady = entry.steady if entry.steady is not None and wrong == entry.last else now
    return replace(entry, told=True, last=wrong, steady=steady, lost=None)


def _told(rule: InterlockRule, entry: Entry, now: float) -> Event | None:
    """After a reading: None while `hold` or `off` run."""
    lasted = now - (now if entry.steady is None else entry.steady)
    if entry.last:
        return Event.WRONG if entry.state is State.ACTIVE or lasted >= rule.hold else None
    at_once = entry.state not in (State.ACTIVE, State.UNKNOWN)
    return Event.RIGHT if at_once or lasted >= rule.off else None


def _unseen(rule: InterlockRule, entry: Entry, now: float, running: float) -> Event | None:
    """Without a reading: a cause goes on to last; None while a calm is as it was last known."""
    if rule.unknown == "nothing":
        return None
    if not entry.told:
        return Event.LOST if running >= max(FIRST_WORD, rule.patience) else None
    if entry.last and entry.steady is not None and now - entry.steady >= rule.hold:
        return Event.WRONG
    if entry.lost is not None and now - entry.lost >= rule.patience:
        return Event.WRONG if rule.unknown == "active" or rule.silent is not None else Event.LOST
    return None


def _reason(lock: Interlock, entry: Entry, state: State, value: Value | None) -> str:
    if state is State.CLEAR:
        return f"{lock.device}: the cause is gone"
    if value is not None and entry.last:
        return words(lock, value)
    return (LOST if entry.told else NEVER_READ).format(_point(lock))


def _point(lock: Interlock) -> str:
    return f"{' and '.join(lock.points)} of {lock.device}"


@dataclass(frozen=True, slots=True)
class Reset:
    """What a person's reset has come to."""

    memory: Memory
    cleared: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    """Names that act on, and why: the rest of a sentence about it."""


def reset(locks: Sequence[Interlock], memory: Memory, who: str, now: float) -> Reset:
    """End what waits for a person and whose cause is gone. Raises ValueError without a name."""
    if not who.strip():
        raise ValueError("a reset needs the name of the person who answers for it")
    entries, cleared, refused = dict(memory.entries), list[str](), list[tuple[str, str]]()
    for lock in locks:
        entry = entries.get(lock.name, Entry())
        if entry.state in QUIET:
            continue
        following = TABLES[lock.rule.reset].get((entry.state, Event.RESET))
        if following is None or entry.last or entry.lost is not None or not entry.told:
            refused.append((lock.name, _why_not(lock, entry)))
            continue
        entries[lock.name] = replace(entry, state=following, since=now, reason=f"reset by {who.strip()}")
        cleared.append(lock.name)
    return Reset(replace(memory, entries=entries), tuple(cleared), tuple(refused))


def _why_not(lock: Interlock, entry: Entry) -> str:
    if lock.rule.reset == "auto":
        return f"holds on: {entry.reason}"
    if entry.lost is not None or not entry.told:
        return f"holds on, and nobody knows whether its cause is gone: {entry.reason}"
    return f"holds on, its cause is there: {entry.reason}"
