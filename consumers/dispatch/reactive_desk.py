"""Which reactive power goes out with the setpoints. Pure: `mono` is the monotonic clock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from consumers.dispatch.instruction import Instruction
from consumers.dispatch.reactive_seen import ReactiveSeen
from optimizer.dispatch import Wanted
from optimizer.reactive import GridSeen, Inverter, factor_of, filtered, reactive
from optimizer.reactive_sign import ReactiveSign
from optimizer.situation.heard import number
from schemas.messages import Authority, Telemetry
from schemas.profile import FACTOR
from schemas.site import Site
from schemas.site_reactive import RULES

FRESH = 5.0
"""Seconds a reading of the grid meter tells of now, where it is read each 2 s or more often."""
PHASES, LINES = ("u_l1n", "u_l2n", "u_l3n"), ("u_l12", "u_l23", "u_l31")


@dataclass
class ReactiveDesk:
    """What it must know of the grid meter, and what each inverter was told."""

    site: Site
    told: dict[str, float] = field(default_factory=dict)
    """var by PCS and PV inverter, of those that were told one the last time."""
    inverters: dict[str, ReactiveSeen] = field(init=False)
    """Those that can be told one."""
    power: tuple[float, float] | None = None
    """W at the meter, and when."""
    drawn: tuple[float, float] | None = None
    """var that the meter shows, and when."""
    voltage: tuple[float, float] | None = None
    """V between two phases, and when."""
    sign: ReactiveSign = field(default_factory=ReactiveSign)
    _filtered: float | None = None
    _able: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        names = [*self.site.pcs, *(one.name for one in self.site.pv)] if self.site.grid.reactive else []
        points = {name: _point(self.site, name) for name in names}
        self.inverters = {name: ReactiveSeen(self.site.named(name), point) for name, point in points.items() if point}

    @property
    def trouble(self) -> str:
        """Why no reactive power is asked for any more; empty while it is."""
        shows = f"{self.site.grid.meter} shows reactive power the wrong way round: none is given"
        return f"{shows}; turn its sign, then ask for auto" if self.sign.suspect else ""

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading of the grid meter in time; of others nothing is needed."""
        if device != self.site.grid.meter or self.site.grid.reactive is None:
            return
        if (power := number(telemetry, "p")) is not None:
            self.power = power, mono
        if (drawn := number(telemetry, "q")) is not None:
            self.drawn = drawn, mono
        if (volts := between_phases(telemetry)) is not None:
            self.voltage = volts, mono

    def listen(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time of any device: of inverters that take part it is looked whether they do as told."""
        if device in self.inverters:
            self.inverters[device].hear(telemetry, mono)

    def complaints(self, mono: float) -> list[str]:
        """Who does not give what he is told."""
        return list(filter(None, (one.complaint(mono) for one in self.inverters.values())))

    def add(self, sent: Mapping[str, Instruction], mono: float) -> dict[str, Instruction]:
        """The same with a reactive power for each setpoint whose inverter takes one. An action is sent alone. PV
        inverters that are awake get their part of it by `beside`."""
        rule = self.site.grid.reactive
        if rule is None:
            return dict(sent)
        asleep = {name for name, one in self.inverters.items() if one.asleep}
        works = {pcs: order for pcs, order in sent.items() if order.action is None and pcs not in asleep}
        powers = {pcs: order.wanted.power for pcs, order in works.items()}
        powers |= {one.name: pv.power for one in self.site.pv if (pv := self._awake(one.name, mono)) is not None}
        able = [self._inverter(name, power, mono) for name, power in powers.items() if name in self.inverters]
        seen = self._seen(mono)
        if (now := frozenset(one.name for one in able if one.stuck is None)) != self._able:
            self._able = now
            self.sign.pause()
        if rule.meter_power_factor is not None:
            self.sign.see(sum(one.gives for one in able), seen.reactive, sum(one.apparent for one in able))
        self.told = dict.fromkeys((one.name for one in able), 0.0) if self.trouble else reactive(rule, able, seen)
        for name, one in self.inverters.items():
            one.tells(self.told.get(name), mono)
        return {pcs: self._with(pcs, order, order.wanted.power) for pcs, order in sent.items()}

    def beside(self, sent: Mapping[str, Instruction]) -> dict[str, Instruction]:
        """After `add`: the same for the PV inverters, those as well that are told nothing else."""
        found = dict(sent)
        for name in [one.name for one in self.site.pv if one.name in self.told]:
            order, power = sent.get(name), self.inverters[name].power
            if order is None:
                why = Wanted(0.0, f"reactive power: {self._rule}", Authority.SELF_CONSUMPTION)
                order = Instruction(why, point="")
            found[name] = self._with(name, order, power)
        return found

    @property
    def _rule(self) -> str:
        rule = self.site.grid.reactive
        return next((name for name in RULES if rule is not None and getattr(rule, name) is not None), "none")

    def _with(self, name: str, order: Instruction, power: float) -> Instruction:
        told = self.told.get(name)
        if told is None or order.action is not None:
            return order
        factor = factor_of(told, power) if self.inverters[name].point == FACTOR else None
        return replace(order, reactive=told, factor=factor)

    def _awake(self, name: str, mono: float) -> ReactiveSeen | None:
        one = self.inverters.get(name)
        return one if one is not None and one.awake(mono) else None

    def _inverter(self, name: str, power: float, mono: float) -> Inverter:
        one = self.inverters[name]
        by_factor, stuck = one.point == FACTOR, one.stuck(mono)
        last, rated = self.told.get(name, 0.0), one.device.rated_power or 0.0
        return Inverter(name, power, rated, one.apparent, last, by_factor, stuck)

    def _seen(self, mono: float) -> GridSeen:
        fresh = self.site.named(self.site.grid.meter).stale_after(FRESH)

        def now(one: tuple[float, float] | None) -> float | None:
            return one[0] if one is not None and mono - one[1] <= fresh else None

        volts = now(self.voltage)
        self._filtered = None if volts is None else filtered(self._filtered, volts)
        return GridSeen(now(self.power), now(self.drawn), self._filtered)


def between_phases(telemetry: Telemetry) -> float | None:
    """The mean of the voltages between phases in V; None without all of one kind."""
    for points, factor in ((LINES, 1.0), (PHASES, math.sqrt(3))):
        each = [number(telemetry, point) for point in points]
        known = [volts for volts in each if volts is not None]
        if len(known) == len(points):
            return factor * sum(known) / len(known)
    return None


def _point(site: Site, name: str) -> str | None:
    """How it is told a reactive power: as such, where it takes both."""
    commands = {command.removesuffix("_pct") for command in site.profiles[name].commands}
    return next((point for point in ("q_set", FACTOR) if point in commands), None)
