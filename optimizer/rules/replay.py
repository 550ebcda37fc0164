"""The rules over the past: when each would have held, and what it would have changed. Pure.

Of what a rule changes only an estimate can be given: the battery is taken to have done otherwise what it did, and what
it holds more or less from then on stays so until a rule changes it again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from optimizer.rules.facts import Facts, Now
from optimizer.rules.judge import Memory, State, judge
from optimizer.rules.wishes import Wishes, bounds, combine, instead
from optimizer.storage import Storage
from schemas.site_grid import Grid
from schemas.site_rules import SiteRule


@dataclass(frozen=True)
class Past:
    """An interval of the archive."""

    at: datetime
    """Its begin."""
    facts: Facts
    """As they were known when it began."""
    grid: float | None = None
    """W, its mean, positive importing; None where it is not known."""
    battery: float | None = None
    """W, its mean of all batteries, positive discharging."""
    soc: float | None = None
    """% at its begin."""


@dataclass
class Episode:
    """A rule held."""

    rule: str
    begin: datetime
    end: datetime
    because: str


@dataclass(frozen=True)
class Changed:
    """An interval as it was, and as it would have been."""

    at: datetime
    grid: float
    battery: float
    """W, as measured."""
    other: float
    """W of the battery with the rules."""
    by: str
    """The rules that held, by name; empty where none did."""

    @property
    def other_grid(self) -> float:
        """W."""
        return self.grid + self.battery - self.other


@dataclass
class Replay:
    """What came of it."""

    seconds: float
    """Of an interval."""
    episodes: list[Episode] = field(default_factory=list)
    unknown: dict[str, float] = field(default_factory=dict)
    """s in which a rule was unknown, by its name."""
    missing: dict[str, str] = field(default_factory=dict)
    """What was not known then, as it was said last."""
    changed: list[Changed] = field(default_factory=list)
    """Those intervals whose powers are known."""
    ties: set[str] = field(default_factory=set)
    gained: float = 0.0
    """Wh that the batteries hold more at the end."""

    def of(self, rule: str) -> list[Episode]:
        """When a rule held."""
        return [one for one in self.episodes if one.rule == rule]


@dataclass(frozen=True)
class Plant:
    """What the rules act on."""

    battery: Storage | None
    grid: Grid
    rated: float = 0.0
    """W of all PCS."""


def replay(rules: Sequence[SiteRule], past: Iterable[Past], seconds: float, plant: Plant) -> Replay:
    """All intervals, in the order of time. `seconds` of each."""
    found, memory, open_ = Replay(seconds), dict[str, Memory](), dict[str, Episode]()
    for one in past:
        judged = judge(rules, one.facts, Now(one.at.timestamp(), one.at), memory)
        memory = dict(judged.memory)
        for proposal in judged.proposals:
            name = proposal.rule.name
            if proposal.state is State.UNKNOWN:
                found.unknown[name] = found.unknown.get(name, 0.0) + seconds
                found.missing[name] = memory[name].missing
            if not proposal.proposes:
                open_.pop(name, None)
                continue
            if name not in open_:
                open_[name] = Episode(name, one.at, one.at, memory[name].because)
                found.episodes.append(open_[name])
            open_[name].end = one.at + timedelta(seconds=seconds)
        wishes = combine(judged.proposals)
        found.ties.update(wishes.ties)
        found.changed += _change(found, one, wishes, plant, ", ".join(open_))
    return found


def _change(found: Replay, one: Past, wishes: Wishes, plant: Plant, by: str) -> Iterator[Changed]:
    if one.grid is None or (plant.battery is not None and (one.battery is None or one.soc is None)):
        return
    measured = one.battery or 0.0
    if plant.battery is None:
        yield Changed(one.at, one.grid, measured, measured, by)
        return
    hours, battery = found.seconds / 3600, plant.battery
    soc = (one.soc or 0.0) + 100 * found.gained / battery.energy
    other = _power(wishes, measured, one.grid + measured, soc, plant, battery)
    if not wishes.limits and wishes.target is None and abs(found.gained) < 1:
        other = measured
    found.gained += (_stored(other, battery) - _stored(measured, battery)) * hours
    yield Changed(one.at, one.grid, measured, other, by)


def _power(wishes: Wishes, measured: float, net: float, soc: float, plant: Plant, battery: Storage) -> float:  # noqa: PLR0917  # one moment of one battery
    """W with the rules, within what the grid connection and the battery allow."""
    power, _ = instead(wishes, measured, "", net, None)
    spans = [(low, high) for low, high, _ in bounds(wishes, net, soc, battery, plant.rated)]
    spans += [(net - plant.grid.import_limit, inf), (-inf, net + plant.grid.export_limit), (-plant.rated, plant.rated)]
    spans.append((0.0 if soc >= battery.soc_max else -inf, 0.0 if soc <= battery.soc_min else inf))
    for low, high in spans:
        power = min(max(power, low), high)
    return power


def _stored(power: float, battery: Storage) -> float:
    """W that go into the cells."""
    return -power * battery.efficiency if power < 0 else -power / battery.efficiency
