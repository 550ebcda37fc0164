"""What dispatch keeps on its own disk, and in which mode it begins: the safer of what it kept and what the broker did.

A broker's acknowledgement is no durability: killed within its autosave it forgets a lockout. Pure.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consumers.dispatch import lease
from consumers.dispatch.load_seen import GAP, KeptLoad
from consumers.dispatch.modes import Control, begin, lock
from consumers.dispatch.resets import Tried
from schemas.messages import Cause, ControlMode, Mode
from schemas.units import Instant, Number, Seconds, WattHours, Watts

LOADS = GAP / 3
"""Seconds after which loads are kept again, so that a restart that is shorter leaves no `GAP` in what is known."""
ONLY = ""
"""The name of its battery in a file from before there could be several."""


class KeptBattery(BaseModel):
    """One battery. What runs on the monotonic clock is kept as what was left, or as its age then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = ""
    """Of the battery; empty in a file from before it was kept."""
    out: ControlMode | None = None
    """Its own lockout."""
    to_reset: ControlMode | None = None
    """The lockout that a person has ended, as long as what it was for is not reset."""
    may_start: str = ""
    """Why the PCS may be started; empty when it was not we who stopped it."""
    ran: bool = False
    starts: tuple[int, Seconds] = (0, 0.0)
    stops: tuple[int, Seconds] = (0, 0.0)
    """How often it was tried, and the wait until the next time."""
    reset: tuple[Tried, Seconds] | None = None
    """What became of the last one, and its age."""

    def essence(self) -> tuple[object, ...]:
        """What is worth a write."""
        reset = self.reset and self.reset[0]
        return (self.name, self.out, self.to_reset, self.may_start, self.ran, self.starts[0], self.stops[0], reset)


class KeptRule(BaseModel):
    """A rule that has begun, and goes on until an end of its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    began: Instant
    ends: Instant
    because: str = ""
    """The values that made it hold."""


class KeptQuarter(BaseModel):
    """A quarter of an hour of this day that is over, as a plan told it last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Instant
    buy: Number
    sell: Number
    """Per kWh."""
    pv: Watts
    """As it was forecast."""


class KeptRules(BaseModel):
    """What the rules of the site need after a restart."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lasting: dict[str, KeptRule] = {}
    day: list[KeptQuarter] = []


class KeptWindow(BaseModel):
    """A billing window that was running."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    start: Instant
    imported: WattHours
    seen: Seconds
    """Of it."""
    silences: int = 0
    load: Watts = 0.0
    """That the site drew beside its batteries then, or after a silence: what nobody sees of the window is as much."""


class Kept(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Instant
    """When it was kept."""
    mode: ControlMode
    lease: Seconds | None = None
    """Left of it."""
    batteries: dict[str, KeptBattery] = {}
    """By the name of their PCS; also those that are in the site file no more, and were locked out."""
    peak: Watts | None = None
    """The highest mean import of a billing window that may be, without a plan."""
    peaks: dict[str, Watts] = {}
    """The same of the demands beside the first, by their names."""
    requests: list[str] = []
    """Those that were followed last."""
    rules: KeptRules = KeptRules()
    """Which rules of the site last until an end of their own, and what is known of the day so far."""
    loads: dict[str, KeptLoad] = {}
    """The flexible loads, by their device."""
    windows: dict[str, KeptWindow] = {}
    """What the windows of the tariff's demands had drawn, by their names: a restart while nobody else tells it."""
    left_out: list[str] = Field(default=[], exclude=True)
    """Parts that no file carries: not in it."""

    def differs(self, other: "Kept | None") -> bool:
        """Whether it is worth a write: a clock that runs is none, but a lease is kept each minute, and so is
        what a billing window has drawn; loads so often that after a short restart it is known what they did."""
        return other is None or self._essence() != other._essence()

    def _essence(self) -> tuple[object, ...]:
        minute = None if self.lease is None else int(self.lease // 60)
        each = {name: one.essence() for name, one in self.batteries.items()}
        loads = {name: one.essence() for name, one in self.loads.items()}
        read = int(self.at.timestamp() // LOADS) if loads else None
        drawn = {name: (one.start, int(one.seen // 60)) for name, one in self.windows.items()}
        return (self.mode, minute, each, self.peak, self.peaks, self.requests, self.rules, loads, read, drawn)


BESIDE = ("peak", "peaks", "requests", "rules", "loads", "windows")
"""What is known beside who steers: it begins anew where it cannot be read, and locks nothing out."""


def keepable(steers: Mapping[str, object], beside: Mapping[str, Callable[[], object]]) -> Kept:
    """Who steers, and what is known beside it, by the names of `Kept`: of that each part which no file carries is left
    out, so that a lockout outlives a number that is none. Raises ValueError where no file carries who steers."""
    found, left_out = dict(steers), list[str]()
    for name, make in beside.items():
        try:
            part = make()
            Kept.model_validate({**steers, name: part})
        except ValueError:
            left_out.append(name)
        else:
            found[name] = part
    return Kept.model_validate(found | {"left_out": left_out})


def understood(text: bytes) -> Kept:
    """What stands in the file, also as it was written while there could be but one battery. Raises ValueError."""
    return partly(text)[0]


def partly(text: bytes) -> tuple[Kept, str]:
    """The same, and what of it cannot be read and is left out, in words. Raises ValueError for the rest."""
    found = json.loads(text)
    if isinstance(found, dict) and "batteries" not in found:
        its = {key: value for key, value in found.items() if key in KeptBattery.model_fields}
        text = json.dumps(found | {"batteries": {ONLY: its}}).encode()
    try:
        return Kept.model_validate_json(text), ""
    except ValidationError as wrong:
        each = {str(one["loc"][0]): one["msg"] for one in wrong.errors() if one["loc"]}
        if not isinstance(found, dict) or not each or not each.keys() <= {*BESIDE}:
            raise
        left = {key: value for key, value in json.loads(text).items() if key not in each}
        return Kept.model_validate_json(json.dumps(left)), "; ".join(f"{key}: {words}" for key, words in each.items())


SAFER: dict[Mode, int] = {Mode.LOCKOUT: 2, Mode.LOCAL: 1, Mode.MANUAL: 0, Mode.AUTO: 0}
"""Of two modes the higher one holds. Manual and auto both steer: there our own file holds, for it is written first."""


@dataclass(frozen=True)
class Stored:
    """Something that was looked for: there, not there, or there and not to be read (then `fault` says why)."""

    mode: ControlMode | None = None
    fault: str = ""
    lost: str = ""
    """What of `kept` cannot be read, and begins anew."""
    kept: Kept | None = field(default=None)
    """All that goes with it, from our own file."""


def begin_in(file: Stored, broker: Stored, now: datetime, mono: float) -> Control:
    """The mode to begin in. What is there and cannot be read is taken for the worst: a lockout."""
    found = [one for one in (_from(file, now, mono), _from(broker, now, mono)) if one is not None]
    if not found:
        return begin(now)
    return max(found, key=lambda one: SAFER[one.mode.mode])  # of equals the first: the file


def _from(stored: Stored, now: datetime, mono: float) -> Control | None:
    if stored.fault:
        return lock(begin(now), Cause.INVALID, f"the mode that was kept cannot be read: {stored.fault}", now)
    if stored.mode is None:
        return None
    kept = stored.kept
    left = lease.left(kept.lease, kept.at, now) if kept else lease.stored(stored.mode, now)
    mode = stored.mode.model_copy(update={"out": {}, "out_causes": {}})  # each battery begins on its own
    return Control(mode, None if left is None else mono + left)
