"""What the control of a battery needs more than that of other devices: its limits, its ramp, start and stop, and trust
in its meter and in its own power."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bridges.control.battery_interlocks import BatteryInterlocks
from bridges.control.grid_connection import GridConnection
from bridges.control.grid_limit import GridLimit
from bridges.control.limit_inputs import METER_AGE, BatteryInputs
from bridges.control.limits import RAMP, SITE, TRIAL, UNKNOWN, Limit, clamp, limits
from bridges.control.meter_polarity import STEADY
from bridges.control.meter_trial import loop_of
from bridges.control.power_control import Decision, ramp_step
from bridges.control.sequence import STOPPED
from bridges.control.start_stop import Ended, StartStop
from bridges.control.verification import Following
from bridges.control.write_budget import counted
from bridges.fieldbus.contract import FieldDevice
from bridges.telemetry.latest_values import LatestValues, lasts
from runtime.memory import Memory
from schemas.messages import Action, Authority, Cause, Command, Value
from schemas.site import Site
from schemas.site_battery import Unit

log = logging.getLogger("bridge")

SLOW, TURNS = 60.0, 20
"""Seconds for which a slow point is fresh at least, and so many polls: its device reads one request of them in turn."""

OPEN_LOOP = frozenset({Cause.METER_POLARITY, Cause.SWINGING, Cause.REVERSED})
"""What takes the closed loop apart, until a named person has looked and sends RESET."""


async def _nothing() -> None:
    """The limits of a battery that stops bring its power to 0 in this cycle."""


@dataclass
class BatteryControl:
    """One PCS with the cells behind it. Powers in W, times of the monotonic clock."""

    battery: Unit
    site: Site
    pcs: FieldDevice
    racks: Sequence[FieldDevice]
    latest: LatestValues
    memory: Memory | None = None
    """Keeps the interlocks that act, or wait for a person, beyond a restart."""
    rest: Callable[[], Awaitable[None]] = _nothing
    connection: GridConnection | None = None
    """Shared by the batteries of a site; a single one makes its own."""

    def __post_init__(self) -> None:
        self.grid = self.connection or GridConnection(self.site, self.latest)
        self.inputs = BatteryInputs(self.site, self.battery, self.latest, "state" in self.pcs.points, self.grid)
        self.following = Following(self.pcs.rated_power)
        self.start_stop = StartStop(self.pcs, self.racks, self.rest, self._shared)
        self.interlocks = BatteryInterlocks(
            self.site,
            self.battery,
            self._fresh,
            self.memory,
            self._lost,
            self.inputs.cells.left_out,
            self.latest.began,
        )
        self.unread_since = math.inf
        """Since when the PCS is left alone: we do not read it, and what it said last is no older for that."""
        self.position: float | None = None
        self._moved: float | None = None
        self._own: dict[Cause, str] = {}
        self._seen = float("-inf")
        self._closed = False
        self._ends = -math.inf, math.inf
        told = self.pcs.commands.get("p_set")
        # A trial is two writes each time: none where they are counted.
        self._tries = told is not None and not counted(told)
        self._jump = False
        self._began: float | None = None
        self._lasts: dict[tuple[str, str], float] = {}

    @property
    def watches(self) -> frozenset[str]:
        """The devices whose readings it decides by."""
        own = {*self.battery.racks, *self.battery.beside, self.site.grid.meter}
        return frozenset(own) | self.interlocks.devices

    @property
    def distrust(self) -> dict[Cause, str]:
        """Why no loop is closed over it: for what it does itself, and for its site's meter; in words."""
        return self._own | self.grid.distrust

    # what is read ------------------------------------------------------------------------------

    def follow(self, now: float) -> None:
        """Take what was read since the last cycle."""
        self._began = now if self._began is None else self._began
        self.grid.follow(now)
        self.interlocks.judge(now)
        if self.inputs.runs(now) is False:
            self.interlocks.stands()
            self.position = None  # a start ramps from the power that is measured then
            self.following.forget()

    def _shared(self) -> bool:
        """Another PCS may work on the same cells: their contactor does not open under its load."""
        states = (self.latest.said(name, "state", math.inf, math.inf) for name in self.battery.beside)
        return any(state not in STOPPED for state in states)

    def _fresh(self, device: str, point: str, now: float) -> Value | None:
        """A value as long as it is fresh."""
        if (device, point) not in self._lasts:
            self._lasts[device, point] = self._age(device, point)
        now = min(now, self.unread_since) if device == self.pcs.name else now
        return self.latest.said(device, point, now, self._lasts[device, point])

    def _age(self, device: str, point: str) -> float:
        """Seconds for which a value is fresh; a slow point is read in turn with others of its device."""
        spec = self.site.profiles[device].points.get(point)
        least = SLOW if spec is not None and spec.rate == "slow" else METER_AGE
        poll = self.site.named(device).poll * (TURNS if least == SLOW else 1)
        return lasts(poll, least)

    def _lost(self, device: str, now: float) -> bool:
        """Nothing was read of it for so long that it is silent."""
        return not self.latest.since(device, now - lasts(self.site.named(device).poll, METER_AGE))

    def glance(self, at: float, power: float) -> None:
        """The PCS was looked at between two readings."""
        self.grid.glance(self.pcs.name, at, power)

    def watch(self, now: float) -> None:
        """Does the power follow, does the meter show it?"""
        shown = self.grid.shown(self.pcs.name)
        if shown is not None and shown[0] > self._seen:
            self._seen = shown[0]
            self._watch_power(*shown, now)
        self.grid.watch()

    def _watch_power(self, at: float, power: float, now: float) -> None:
        if self.inputs.runs(now) is not True:
            return
        cause = self.following.see(at, power, self.grid.dead_time, self.inputs.rated - self.inputs.sun(now))
        if cause is Cause.REVERSED and cause not in self._own:
            self._own[cause] = self.following.words
            log.error("%s: no loop is closed any more, %s: %s", self.pcs.name, cause.value, self.following.words)

    # limits ------------------------------------------------------------------------------------

    def limits(
        self,
        now: float,
        reactive: float,
        factor: float | None,
        grid_limit: GridLimit,
        cycle: float,
        *,
        wears: bool,
        held: float | None,
    ) -> list[Limit]:
        """Everything that limits its power now, strongest first. `wears`: each write wears its register, which was told
        `held`."""
        position = self.position if self.position is not None else self.inputs.power(now) or 0.0
        if wears and held is not None and self.inputs.sun(now) > 0 and 0.0 <= position * held < held * held:
            position = held  # there it stands, also where its own sun has left it less since
        ramp = ramp_step(self.battery.ramp, cycle if self._moved is None else now - self._moved, cycle)
        found = limits(
            self.inputs.limit_inputs(
                now,
                reactive_power=reactive,
                power_factor=factor,
                position=position,
                ramp=math.inf if self._jump else ramp,
                grid_limit=grid_limit,
                interlocks=self._interlocks(),
                stopping=self.start_stop.stopping,
                trial=self.grid.trial.most.get(self.pcs.name, math.inf),
            )
        )
        own = [*takewhile(lambda one: one.source != TRIAL, found)]  # what follows is the site's
        self._ends = clamp(-math.inf, own)[0], clamp(math.inf, own)[0]
        # Where each write wears the register a ramp is none: it would be one each cycle.
        return [one for one in found if not (wears and one.source == RAMP)]

    def unread(self, now: float) -> frozenset[str]:
        """Limits that say only that a bridge which has just begun has not read everything yet: what it finds is no
        worse for that. Empty as soon as each device had its time to answer."""
        if self._began is None or now - self._began >= max(self.inputs.bms_age, self.inputs.meter_age):
            return frozenset()
        return UNKNOWN | self.interlocks.unread

    def _interlocks(self) -> tuple[Limit, ...]:
        found = [*self.interlocks.limits]
        if Cause.REVERSED in self.distrust:
            found.append(Limit("pcs:reversed", 0.0, 0.0))
        elif self.distrust and self._closed:
            found.append(Limit(f"loop:{next(iter(self.distrust)).value}", 0.0, 0.0))
        return tuple(found)

    def claims(self, decision: Decision, now: float) -> None:
        """What is going to be written: the batteries that are decided next count with it."""
        self.grid.claims(self.pcs.name, now, decision.values.get("p_set"))

    def decided(
        self, decision: Decision, *, closed: bool, wish: float | None, now: float, authority: Authority | None = None
    ) -> None:
        """What was decided in this cycle. `closed`: by somebody who closes a loop over the meter; `wish`: what somebody
        wants who does not; `authority`: of the command that holds."""
        self._closed = closed
        if decision.position is None:
            return
        self.position, self._moved = decision.position, now
        by_site = any(one.source == SITE for one in decision.limited_by)
        self.grid.decided(self.pcs.name, now, decision.position, closed=closed or by_site, wish=wish)
        if self._tries:
            (low, high), near = self._ends, STEADY * self.pcs.rated_power
            at_end = not low + near < decision.position < high - near
            self.grid.loops[self.pcs.name] = loop_of(authority, closed=closed, by_site=by_site, at_end=at_end)

    def told(self, now: float, power: float) -> None:
        """The setpoint was written."""
        self.grid.told(self.pcs.name, now, power)
        self.following.told(now, power)

    def jump(self) -> None:
        """There is no time left for a ramp."""
        self._jump = True

    def begin_anew(self) -> None:
        """Its control begins, or begins again after a failure: with its ramp, from the power that is measured then."""
        self.position, self._jump = None, False

    def lost(self) -> None:
        """Somebody else steers it: nothing of what held before counts."""
        self.position, self.start_stop.sequence = None, None
        self.following.forget()

    # start, stop, trust ------------------------------------------------------------------------

    @property
    def must_rest(self) -> bool:
        """Its power is to be 0, or within its limits, whether somebody wants something of it or not."""
        distrusted = bool(self.distrust and self._closed) or Cause.REVERSED in self.distrust
        return distrusted or self.start_stop.stopping or self.interlocks.acts

    @property
    def switching(self) -> bool:
        """A start or a stop is on its way, and judges itself."""
        return self.start_stop.sequence is not None

    def begin(self, goal: Action, now: float) -> str:
        """Start or stop it; gives the stages in words."""
        return self.start_stop.begin(goal, now)

    async def go_on(self, now: float) -> Ended | None:
        """The next stage; gives how it ended. An interlock that stops it begins by itself, whoever wants it to run."""
        forbidden = self.interlocks.forbids(Action.START)
        if not self.start_stop.stopping and self.interlocks.stops(now, runs=self.inputs.runs(now)):
            starting = self.switching
            self.start_stop.begin(Action.STOP, now)
            if starting:  # its command has not come to this stop's end
                return Ended(Cause.INTERLOCK, forbidden, Action.START)
        ended = await self.start_stop.go_on(now, forbidden)
        self.inputs.looked = self.start_stop.saw
        return ended

    def reset(self, command: Command, now: float) -> str:
        """A named person says that it is right now; gives what it is not."""
        if command.authority is not Authority.OPERATOR:
            return ""
        if self.distrust:
            self._trust(command)
        return self.interlocks.reset(command.source, now)

    def _trust(self, command: Command) -> None:
        log.warning("%s is trusted again: reset by %s, %s", self.pcs.name, command.source, command.reason)
        self._own.clear()
        self.following.forget()
        if self.grid.distrust:
            self.grid.trust()

    @property
    def troubles(self) -> list[tuple[Cause, str]]:
        """What is wrong, the worst first."""
        found = [*self.interlocks.troubles, *self.distrust.items()]
        if self.following.cause is Cause.NOT_OBEYED:
            found.append((Cause.NOT_OBEYED, self.following.words))
        return found
