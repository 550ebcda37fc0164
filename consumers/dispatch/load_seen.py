"""What dispatch has heard of one flexible load, and what that really did: its switchings, its starts and its energy,
also across a restart. Ages run on the monotonic clock from the arrival. Pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp
from typing import Self

from pydantic import BaseModel, ConfigDict

from optimizer.loads.load import HOUR, Load, LoadNow
from optimizer.situation.heard import NEVER, number
from schemas.messages import Outcome, OutcomeState, Telemetry
from schemas.profile import Profile
from schemas.site import Site
from schemas.units import Instant, Seconds, WattHours, Watts

SILENT = 5.0
"""Seconds without a reading after which nothing is sent: its bridge's fallback looks after it."""
BEYOND = 1.25
"""Of its rating: more energy than that no counter can have counted."""
RUNS = 0.05
"""Of its rating: a load that draws more is on."""
TOLD = 60.0
"""Seconds what the bridge complains of is said."""
GAP = 300.0
"""Seconds without a reading after which nobody knows when it was switched last, nor how often."""
STEADY = 60.0
"""Seconds after its start from which its power tells what it draws..."""
LATELY = 300.0
"""...as a mean of so many."""
SET_BACK = timedelta(minutes=10)
"""Before a deadline: a clock that is set back by less across it begins nothing anew."""
COMPLAINTS = (OutcomeState.REFUSED, OutcomeState.FAILED, OutcomeState.NOT_OBEYED, OutcomeState.FOREIGN_CHANGE)


class KeptLoad(BaseModel):
    """What the next run must know of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    on: bool
    since: Seconds
    """It has been on, or off, so long."""
    starts: list[Seconds] = []
    """Ages of those of the last hour."""
    taken: WattHours = 0.0
    """Since the last deadline."""
    due: Instant | None = None
    """The deadline it was taken for."""
    counter: WattHours | None = None
    """What its energy counter showed then."""
    pace: Watts | None = None
    """It draws when it is fully on."""
    percent: int = 0
    """Of what it must take: worth a write when that changes."""

    def essence(self) -> tuple[object, ...]:
        """What is worth a write."""
        return self.on, len(self.starts), self.due, self.percent


@dataclass
class LoadSeen:
    """One load."""

    load: Load
    profile: Profile
    stale: float
    """Seconds after which a reading says nothing of now."""
    comfort_stale: float
    on: bool | None = None
    """As it was measured; None before."""
    power: float = 0.0
    heard: float = NEVER
    since: float = NEVER
    """When it was switched last. A load of which that is not known counts as switched when it was first read."""
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    first: float = NEVER
    """When it was read first after nobody knew what it did: how often it was started in the hour before is unknown, and
    so it counts as started as often as it may be."""
    taken: float = 0.0
    counter: tuple[float, float] | None = None
    """Wh of its energy counter, and when. It tells only of what nobody saw: many count in steps of a kWh."""
    pace: float | None = None
    due: datetime | None = None
    value: tuple[float, float] | None = None
    """Of its comfort point, and when."""
    panel: bool = False
    complaint: tuple[str, float] = ("", NEVER)

    @classmethod
    def of(cls, site: Site, load: Load) -> Self:
        comfort = load.rule.comfort
        point = site.named(comfort.device if comfort and comfort.device else load.name)
        # a room or a tank is slow: what was read a minute ago still tells of it
        return cls(load, site.profiles[load.name], site.named(load.name).stale_after(SILENT), point.stale_after(60.0))

    # what is heard -------------------------------------------------------------------------------

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """A reading in time of any device."""
        comfort = self.load.rule.comfort
        if comfort is not None and device == (comfort.device or self.load.name):
            value = number(telemetry, comfort.point)
            self.value = self.value if value is None else (value, mono)
        if device != self.load.name:
            return
        self.panel = telemetry.good("control_loc") == "local"
        runs = self._runs(telemetry)
        if runs is None:
            return
        self._count(now, mono, telemetry.number("e_import"))
        self.power = self._power(telemetry, on=runs)
        self._learn(telemetry, mono)
        if self.on is None or (mono - self.heard > GAP and self.heard != NEVER):
            self.on, self.first = None, mono
        if runs is not self.on:
            self.since = mono
            if runs and self.on is not None:
                self.starts.append(mono)
        self.on, self.heard = runs, mono

    def _runs(self, telemetry: Telemetry) -> bool | None:
        """By its power where that is measured, else by what its point holds."""
        if "p" in self.profile.points:
            power = number(telemetry, "p")
            return None if power is None else power > RUNS * self.load.rated
        value, rule = number(telemetry, rule_point(self)), self.load.rule
        if value is None:
            return None
        ends = [rule.value(share, self.profile, self.load.rated) for share in (0.0, 1.0)]
        return abs(value - ends[1]) < abs(value - ends[0]) or (self.load.dims and value != ends[0])

    def _power(self, telemetry: Telemetry, *, on: bool) -> float:
        measured = number(telemetry, "p")
        return (self.load.rated if on else 0.0) if measured is None else max(0.0, measured)

    def _learn(self, telemetry: Telemetry, mono: float) -> None:
        """What it draws when it is told all of it, and has had the time."""
        told, measured = number(telemetry, rule_point(self)), number(telemetry, "p")
        steady = self.on is True and mono - self.since > STEADY and mono - self.heard <= self.stale
        if measured is None or not steady or self.power <= RUNS * self.load.rated:
            return
        if told is not None and told != self.load.rule.value(1.0, self.profile, self.load.rated):
            return
        share = 1.0 if self.pace is None else 1 - exp(-(mono - self.heard) / LATELY)
        before = measured if self.pace is None else self.pace
        self.pace = before + share * (measured - before)

    def _count(self, now: datetime, mono: float, counter: float | None) -> None:
        """Its energy since the last deadline. What nobody saw counts by its own counter, as far as that can be."""
        if self.load.rule.energy is None:
            return
        due = self.load.deadline(now)
        if self.due is not None and not self.load.ends_at(self.due):
            self.due = due  # the site file says another one by now: what was taken is taken
        again = due is not None and self.due is not None and now + SET_BACK < due < self.due
        if self.due is None or now >= self.due or again:  # of a clock that was set ahead and is right again
            self.taken = 0.0 if self.due is not None else self.taken
            self.due = due
        elif mono - self.heard <= self.stale:
            self.taken += self.power * (mono - self.heard) / 3600
        elif counter is not None and self.counter is not None:
            energy, most = counter - self.counter[0], self.load.rated * (mono - self.counter[1]) / 3600
            self.taken += energy if 0 < energy <= BEYOND * most else 0.0  # a counter that was reset tells nothing
        self.counter = None if counter is None else (counter, mono)

    def hear_outcome(self, outcome: Outcome, mono: float) -> None:
        """The bridge says what became of what it was told."""
        words = ": ".join(filter(None, (outcome.cause, outcome.reason)))
        if outcome.state in COMPLAINTS or (outcome.state is OutcomeState.ACCEPTED and words):
            self.complaint = words or outcome.state.value, mono
        elif outcome.state in (OutcomeState.VERIFIED, OutcomeState.LIMITED):
            self.complaint = "", mono

    # what is known -------------------------------------------------------------------------------

    def silent(self, mono: float) -> bool:
        return self.on is None or mono - self.heard > self.stale

    def complains(self, mono: float) -> str:
        words, when = self.complaint
        return words if mono - when < TOLD else ""

    def now(self, mono: float) -> LoadNow:
        """As plan and choice need it."""
        fresh = self.value is not None and mono - self.value[1] <= self.comfort_stale
        ages = [mono - at for at in self.starts if mono - at < HOUR]
        value = self.value[0] if self.value is not None and fresh else None
        if mono - self.first < HOUR:
            ages += [mono - self.first] * (self.load.rule.starts_per_hour or 0)
        return LoadNow(bool(self.on), max(0.0, mono - self.since), ages, value, self.taken, self.pace)

    # from one run to the next --------------------------------------------------------------------

    def keep(self, mono: float) -> KeptLoad | None:
        """None before it was read."""
        if self.on is None:
            return None
        seconds = min(max(0.0, mono - self.since), 1e9)
        energy = self.load.rule.energy
        percent = 0 if energy is None else int(100 * self.taken / energy)
        counter = None if self.counter is None else self.counter[0]
        return KeptLoad(
            on=self.on, since=seconds, starts=sorted(self.now(mono).starts), taken=self.taken, due=self.due,
            counter=counter, pace=self.pace, percent=min(percent, 100),
        )  # fmt: skip

    def begin(self, kept: KeptLoad, mono: float, gone: float) -> None:
        """Goes on where the last run ended `gone` seconds ago."""
        if gone <= GAP:
            self.on, self.since = kept.on, mono - kept.since - gone
        self.counter = None if kept.counter is None else (kept.counter, mono - gone)
        self.pace = kept.pace
        self.starts.extend(sorted(mono - age - gone for age in kept.starts))
        self.taken, self.due = kept.taken, kept.due


def rule_point(seen: LoadSeen) -> str:
    """The point it is told by."""
    return seen.load.rule.told_by(seen.profile)
