"""Listens to a whole site and counts: what the demo prints, and what its closing line says."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, quantiles
from typing import Any

from joulebus.live_line import Seen
from runtime.bus import Bus
from runtime.heard import Heard
from schemas.messages import (
    Alarm,
    AlarmState,
    Command,
    ControlMode,
    Outcome,
    OutcomeState,
    Plan,
    ServiceStatus,
    Telemetry,
)
from schemas.site_battery import Battery
from schemas.topics import ALARM, COMMAND, CONTROL_MODE, OUTCOME, PLAN, SERVICE_STATUS, TELEMETRY, Topic
from schemas.units import utc_now

SILENT = 12.0
"""Seconds after which a service that says nothing counts as dead."""

HEARD: tuple[Topic[Any], ...] = (TELEMETRY, COMMAND, OUTCOME, PLAN, ALARM, CONTROL_MODE, SERVICE_STATUS)


@dataclass
class Observer:
    """What was heard of one site."""

    site: str
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    samples: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    """Seconds from a command on the bus to its verified outcome."""
    alarms: dict[str, Alarm] = field(default_factory=dict)
    plan: Plan | None = None
    mode: ControlMode | None = None
    services: dict[str, tuple[float, ServiceStatus]] = field(default_factory=dict)
    _under_way: dict[str, float] = field(default_factory=dict)

    async def listen(self, bus: Bus) -> None:
        """For the whole life of a connection."""
        async for batch in bus.listen(*(topic.at(site=self.site) for topic in HEARD)):
            bus.ack(batch)
            for heard in batch:
                self.note(heard, time.monotonic())

    def note(self, heard: Heard[Any], now: float) -> None:
        """Take one message in; `now` is monotonic."""
        match heard.message:
            case Telemetry() as sample if not sample.historical:
                self.samples += 1
                numbers = {point: sample.number(point) for point in sample.values}
                self.values |= {(heard.place["device"], p): v for p, v in numbers.items() if v is not None}
            case Command() as command:
                self.commands["sent"] += 1
                self._under_way[command.id] = now
            case Outcome() as outcome:
                self._judge(outcome, now)
            case Plan() as plan:
                self.plan = plan
            case ControlMode() as mode:
                self.mode = mode
            case ServiceStatus() as status:
                self.services[heard.place["service"]] = (now, status)
            case Alarm() as alarm:
                self.alarms[heard.place["alarm"]] = alarm
            case None if heard.topic is ALARM:
                self.alarms.pop(heard.place["alarm"], None)

    def _judge(self, outcome: Outcome, now: float) -> None:
        proven = outcome.state in (OutcomeState.VERIFIED, OutcomeState.LIMITED)
        if proven:
            self.commands["verified"] += 1
        elif outcome.state in (OutcomeState.APPLIED, OutcomeState.REFUSED):
            self.commands[outcome.state.value] += 1
        began = self._under_way.get(outcome.id)
        if proven and began is not None:
            self.round_trips.append(now - began)
        if outcome.state not in (OutcomeState.ACCEPTED, OutcomeState.APPLIED):
            self._under_way.pop(outcome.id, None)

    def active_alarms(self) -> list[str]:
        """The names of the alarms that are not normal."""
        return sorted(name for name, alarm in self.alarms.items() if alarm.state is not AlarmState.NORMAL)

    def service_states(self, now: float) -> dict[str, str]:
        """online, offline, or silent since a while."""
        return {
            name: status.state if now - heard <= SILENT or status.state == "offline" else "silent"
            for name, (heard, status) in sorted(self.services.items())
        }

    def plan_age(self, now: datetime) -> float | None:
        """Seconds since the plan in force was made."""
        return None if self.plan is None else round((now - self.plan.at).total_seconds(), 1)

    def round_trip_ms(self) -> dict[str, float | None]:
        """Median and 99th percentile."""
        if len(self.round_trips) < 2:
            return {"p50": None, "p99": None}
        hundredths = quantiles(self.round_trips, n=100)
        return {"p50": round(hundredths[49] * 1000, 1), "p99": round(hundredths[98] * 1000, 1)}

    def seen(self, meter: str, batteries: Sequence[Battery], pv: Sequence[tuple[str, str]]) -> Seen:
        """The site at this moment."""

        def power(*keys: tuple[str, str]) -> float | None:
            known = [self.values[key] for key in keys if key in self.values]
            return sum(known) if len(known) == len(keys) else None

        return Seen(
            grid=power((meter, "p")),
            pv=power(*pv),
            batteries=[(one.name, power(*((pcs, "p") for pcs in one.pcs)), self._soc(one)) for one in batteries],
            load=power((meter, "p"), *((pcs, "p") for one in batteries for pcs in one.pcs), *pv),
            mode=self.mode.mode.value if self.mode else "",
            plan_age=self.plan_age(utc_now()),
            alarms=len(self.active_alarms()),
            samples=self.samples,
        )

    def _soc(self, one: Battery) -> float | None:
        socs = [self.values[rack, "soc"] for rack in one.racks if (rack, "soc") in self.values]
        return fmean(socs) if socs else None
