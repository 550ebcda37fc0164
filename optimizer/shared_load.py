"""The batteries behind one meter: what a loop over it sees of all of them, and what each leaves the others. Pure.

The limits at the grid connection hold for the sum. The batteries are decided one after the other: each counts what
those before it were told just now, so that two never both take the whole of a correction; and it counts with the worse
of what they were told and what they give, so that together they never go too far. What is only possible takes room and
moves nobody: see `bridges.control.limits`.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field

from optimizer.net_load import Reading
from optimizer.site_load import SiteLoad

GAP = 2.0
"""Seconds without a reading after which the next one tells nothing of when it has moved, or 2.5 polls."""
ON_ITS_WAY = 60.0
"""Seconds a battery that fell silent may still go to what it was told, or to rest; then it stays as it is."""
SETTLES = 1.0
"""Seconds to the dead time that a battery may take to what it was told."""
NEAR = 0.02
"""Of the rated power: so near to what it was told it follows."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the other batteries do, in W."""

    power: float = 0.0
    """That is counted on."""
    less: float = 0.0
    more: float = 0.0
    """By how much less, and more, they may give than that."""
    gives: float = 0.0
    takes: float = 0.0
    """What those of them that follow discharge, and charge: it can be taken back."""


@dataclass
class Member:
    """One battery. Times of the monotonic clock, powers in W."""

    rated: float
    poll: float
    fallback: float
    since: float
    """When it was expected first."""
    shown: Reading | None = None
    told: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))
    """What was written."""
    claims: deque[Reading] = field(default_factory=lambda: deque(maxlen=400))
    """What was decided, whether it is written or not."""
    shift: float = 0.0
    """What it gives beyond what the loop was told of it: what it did while nobody read it, the meter has shown as
    load, and what is added to one is taken from the other."""

    @property
    def patience(self) -> float:
        return max(GAP, 2.5 * self.poll)

    def silent(self, now: float) -> bool:
        return self.shown is None or now - self.shown[0] > self.patience

    @property
    def seen(self) -> float:
        """What the loop is told of it."""
        return 0.0 if self.shown is None else self.shown[1] - self.shift

    def goal(self, now: float) -> float:
        """Where it is going, as the loop sees it: to what it was told lately."""
        lately = bool(self.told) and now - self.told[-1][0] <= ON_ITS_WAY
        return self.told[-1][1] - self.shift if lately else self.seen


@dataclass
class SharedLoad:
    """Names are those of the PCS."""

    load: SiteLoad
    members: dict[str, Member] = field(default_factory=dict)
    _new: float | None = None
    """When the newest reading was begun that the loop has not got yet."""
    _began: float = float("inf")
    """When the first of all was."""
    _last: float = float("-inf")
    """When the newest was that the loop has got."""

    def read(self, name: str, at: float, power: float) -> None:
        """A PCS was read; `gather` tells the loop."""
        one = self.members[name]
        if one.shown is not None and at <= one.shown[0]:
            return
        late = one.shown is None or at - one.shown[0] > one.patience
        if late and len(self.members) > 1 and self.load.net.value is not None:
            one.shift = power - one.seen
        one.shown = at, power
        self._began = min(at, self._began)
        self._new = at if self._new is None else max(at, self._new)

    def gather(self) -> Reading | None:
        """Tell the loop what was read since the last time; gives that, if it is anything."""
        if self._new is None or any(self._awaited(one) for one in self.members.values()):
            return None
        self._last = max(self._new, self._last + 1e-6)  # two that were read at one moment are two readings of the sum
        total = self._last, sum(one.seen for one in self.members.values())
        self.load.battery(*total)
        self._new = None
        return total

    def claims(self, name: str, now: float, power: float | None) -> None:
        """It was decided what it is told now; None: nothing."""
        member = self.members[name]
        if power is None:
            member.claims.clear()
            return
        if not member.claims and member.shown is not None:
            member.claims.append((now, member.shown[1]))  # from where it sets out
        if not member.claims or member.claims[-1][1] != power:
            member.claims.append((now, power))

    def _awaited(self, one: Member) -> bool:
        """A part of the batteries says nothing of the whole; but one that never answers is not waited for."""
        return one.shown is None and self._new is not None and self._new - self._began <= one.patience

    def meter(self, at: float, grid: float) -> None:
        """The meter was read."""
        self.load.meter(at, grid)

    def told(self, name: str, now: float, power: float) -> float:
        """A setpoint was written; gives where all of them are going together."""
        before = sum(one.goal(now) for one in self.members.values())
        self.members[name].told.append((now, power))
        total = sum(one.goal(now) for one in self.members.values())
        self.load.told(now, total)
        if len(self.members) > 1:
            # Two that move against each other do not do so at the same moment: for a while the sum may be elsewhere.
            powers = [self._at_work(one, one.told, now) for one in self.members.values()]
            low, high = min(before, total) - 1.0, max(before, total) + 1.0
            beyond = [one for one in (sum(map(min, powers)), sum(map(max, powers))) if not low <= one <= high]
            for one in (*beyond, *([total] if beyond else [])):
                self.load.told(now, one)
        return total

    @property
    def value(self) -> float | None:
        """W that the grid would carry if all batteries rested, as it was known last."""
        return None if self.load.net.value is None else self.load.net.value + self._shifts

    def net(self, now: float) -> float | None:
        """The same; None when the meter or all of them are silent."""
        return None if self.load.value(now) is None else self.value

    @property
    def _shifts(self) -> float:
        return sum(one.shift for one in self.members.values())

    def beside(self, name: str, now: float) -> Beside:
        """What the others do while this one is decided."""
        found = [self._counted(one, now) for other, one in self.members.items() if other != name]
        return Beside(*(sum(part) for part in zip(*map(astuple, found), strict=True))) if found else Beside()

    def forget(self) -> None:
        """Nothing that was read before counts any more."""
        self.load.net.forget()
        for one in self.members.values():
            one.shift = 0.0

    def _counted(self, one: Member, now: float) -> Beside:
        if one.silent(now):
            return self._unknown(one, now)
        assert one.shown is not None  # noqa: S101  # or it would be silent
        power = one.shown[1]
        if not one.claims:
            return Beside(power)
        claims = self._since(one.claims, now)
        slack = NEAR * one.rated
        follows = min(claims) - slack <= power <= max(claims) + slack
        counted = one.claims[-1][1] if follows else power  # one that is stuck is no help to the others
        less, more = counted - min(power, *claims), max(power, *claims) - counted
        mine = counted if follows else 0.0
        return Beside(counted, less, more, gives=max(0.0, mine), takes=max(0.0, -mine))

    def _unknown(self, one: Member, now: float) -> Beside:
        """It may go on its way to what it was told, or to rest. What it does meanwhile, the meter shows as load: the
        power that was read last stands in both sums, whatever it gives now."""
        if one.shown is None:
            unsure = one.rated if now - one.since <= ON_ITS_WAY else 0.0
            return Beside(0.0, unsure, unsure)
        power = one.shown[1]
        if now - one.shown[0] > ON_ITS_WAY:
            return Beside(power)
        goals = [power, one.fallback, *(last[-1][1] for last in (one.told, one.claims) if last)]
        return Beside(power, power - min(goals), max(goals) - power)

    def _at_work(self, one: Member, told: Iterable[Reading], now: float) -> list[float]:
        """All that the loop may see of it now."""
        return [one.seen, *(power - one.shift for power in self._since(told, now))]

    def _since(self, told: Iterable[Reading], now: float) -> list[float]:
        """What may be at work: since the dead time, and the last before it."""
        begin, found = now - self.load.net.dead_time - SETTLES, list[float]()
        for at, power in reversed([*told]):
            found.append(power)
            if at <= begin:
                break
        return found
