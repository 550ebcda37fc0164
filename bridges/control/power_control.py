"""What is wanted of a device's registers, how far its limits let it, and what is written: anew in each cycle."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bridges.control.grid_limit import LIMIT, GridLimit
from bridges.control.limit_inputs import limit_inputs
from bridges.control.limits import DSO, RAMP, Limit, clamp, limits, reactive, reported, settle
from bridges.control.pending_commands import PendingCommands
from bridges.control.setpoint_writer import SetpointWriter
from bridges.control.start_stop import StartStop
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.telemetry.latest_values import LatestValues
from schemas.messages import Limited, OutcomeState, Value
from schemas.site import Site


@dataclass
class PowerControl:
    """The registers of one device. What it writes is noted in the docket of its commands."""

    device: ModbusDevice
    site: Site
    board: LatestValues
    docket: PendingCommands
    setpoints: SetpointWriter
    battery: ModbusDevice | None = None
    """Whose contactor is closed before this inverter starts."""
    wanted: dict[str, float] = field(default_factory=dict)
    fallen: bool = False
    """What is wanted is what was declared safe: no budget holds it up."""
    _waiting: bool = False
    """The write budget holds up what a command asked for."""
    _powers: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=100))
    """When the device gave how much, in the last seconds."""

    def __post_init__(self) -> None:
        self.switchgear = StartStop(self.device, self.battery, self.rest)
        self.relay = GridLimit(self.site.grid.dso_limit, self.site.grid.dso_hold)

    @property
    def name(self) -> str:
        return self.device.device.name

    @property
    def rated(self) -> float:
        return self.device.device.rated_power or 0.0

    @property
    def steers_battery(self) -> bool:
        return self.name == self.site.battery.pcs

    async def follow(self) -> None:
        """The limits move while a command holds, a ramp goes on, and a device that was switched off forgets."""
        why = await self.apply(cyclic=not self._waiting)
        pending = self.docket.open.get("values")
        if pending is not None and not pending.said and not why:
            pending.said = True
            await self.docket.tell(pending, OutcomeState.APPLIED)

    async def apply(self, *, cyclic: bool) -> str:
        """Clamp and write every wanted point as far as the write budget goes; gives why something waits."""
        waits, limited, ramping = "", list[Limited](), False
        for point, wish in self._wishes():
            chain = self._limits(point)
            allowed, steps = clamp(wish, chain)
            value = settle(allowed, self.setpoints.step(point), chain)
            held = self.setpoints.owned[point].value
            firm = [limit for limit in chain if limit.source != RAMP]
            urgent = self.fallen or (held is not None and clamp(held, firm)[0] != held)
            waits = await self.setpoints.put(point, value, urgent=urgent, cyclic=cyclic) or waits
            limited += reported(point, steps)
            ramping |= any(source == RAMP for source, _, _ in steps)
        self._waiting = bool(waits) and not cyclic
        self._note(limited, ramping or self._waiting)
        return waits

    async def rest(self) -> None:
        """Bring the power to 0."""
        self.wanted["p_set"] = 0.0
        await self.apply(cyclic=False)

    def note_power(self, seen: Mapping[str, Value], at: float) -> None:
        """A reading of the device that began at `at`."""
        power = seen.get("p")
        if isinstance(power, float) and (not self._powers or at > self._powers[-1][0]):
            self._powers.append((at, power))

    def fall_back(self) -> str:
        """No valid command is left: what is wanted is what was declared safe. Gives it in words."""
        self.fallen, self.wanted = True, {}
        for point, setpoint in self.setpoints.commands.items():
            own = None if setpoint.fallback is None else setpoint.fallback * self.device.scale(point)
            safe = self.site.battery.fallback if point == "p_set" and self.steers_battery else own
            if safe is not None:
                self.wanted[point] = safe
        return ", ".join(f"{point} to {value:g}" for point, value in self.wanted.items())

    def _note(self, limited: list[Limited], moving: bool) -> None:
        """What the open commands have come to."""
        applied, now = self.setpoints.applied, time.monotonic()
        for kind, pending in self.docket.open.items():
            if kind == "values":
                named = {"q_set" if point == "pf_set" else point for point in self.wanted}
                pending.applied = {point: applied[point] for point in named if point in applied}
                pending.limited = limited
            elif kind == "limit":
                pending.applied = {LIMIT: pending.command.values[LIMIT]}
            if moving:
                pending.final = None
            elif pending.final is None:
                pending.final = now

    def _wishes(self) -> Iterator[tuple[str, float]]:
        """What is wanted of each register, reactive power first: it takes its share of the S-circle."""
        commands, wanted = self.setpoints.commands, dict(self.wanted)
        if LIMIT in commands and self.relay.limit(time.monotonic()) is not None:
            wanted.setdefault(LIMIT, 100.0)
        factor = None if "pf_set" in commands else wanted.pop("pf_set", None)
        for point in sorted(wanted, key=lambda one: one != "q_set"):
            yield point, wanted[point]
        if factor is not None:
            device = self.device.device
            apparent = device.rated_apparent_power or self.rated
            yield "q_set", reactive(factor, self.setpoints.applied.get("p_set", 0.0), apparent)

    def _limits(self, point: str) -> list[Limit]:
        setpoint, scale = self.setpoints.commands[point], self.device.scale(point)
        own = Limit(f"{self.name}:range", setpoint.low * scale, setpoint.high * scale)
        percent = self.relay.limit(time.monotonic())
        if point == LIMIT:
            return [own, Limit(DSO, 0.0, 100.0 if percent is None else percent)]
        apparent = self.device.device.rated_apparent_power or self.rated
        if point == "q_set" and apparent:
            return [own, Limit(f"{self.name}:apparent_power", -apparent, apparent)]
        if point != "p_set" or not self.steers_battery:
            return [own]
        now = limit_inputs(
            self.site,
            self.board,
            time.monotonic(),
            moved=self.setpoints.owned["p_set"].at,
            powers=self._powers,
            applied=self.setpoints.applied,
            wanted=self.wanted,
            dso_percent=percent,
        )
        chain = [own, *limits(now)]
        if setpoint.memory == "eeprom":  # a ramp is a write each cycle
            chain = [limit for limit in chain if limit.source != RAMP]
        if self.switchgear.stopping:
            chain.append(Limit("pcs:stopping", 0.0, 0.0))
        return chain
