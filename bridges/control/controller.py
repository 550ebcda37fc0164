"""One device under control, in a task of its own: takes commands, decides, writes, proves, and falls back.

The cycle runs by time, with or without a reading. Deadlines are of the event loop's monotonic clock: a step of the
wall clock neither keeps a command alive nor kills it.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridges.control.actions import Actions
from bridges.control.battery_control import BatteryControl
from bridges.control.command_history import Arrival, History
from bridges.control.command_life import Event
from bridges.control.command_queue import CommandQueue
from bridges.control.device_care import DeviceCare
from bridges.control.device_life import NEXT, WRITES, Life, Turn
from bridges.control.device_memory import DeviceMemory
from bridges.control.feed_in_safe import FeedInSafe
from bridges.control.grid_limit import LIMIT, GridLimit
from bridges.control.guard import Refusal, refusal
from bridges.control.pending_commands import PendingCommands, kind_of
from bridges.control.proof import Proof
from bridges.control.rhythm import Rhythm
from bridges.control.setpoint_writer import SetpointWriter
from bridges.control.site_limits import SiteLimits
from bridges.control.steering import Steering
from bridges.control.targets import Wishes
from bridges.control.watchdog_care import LEFT_ALONE
from bridges.control.write_log import WriteLog
from bridges.fieldbus.contract import Declined, Doubt, FieldDevice, Unreachable
from bridges.telemetry.latest_values import LatestValues, lasts
from runtime.heard import Heard
from runtime.memory import Memory
from schemas.messages import Cause, Command, Outcome
from schemas.printable import asked
from schemas.site import Site
from schemas.topics import COMMAND, COMMAND_TTL
from schemas.units import utc_now

log = logging.getLogger("bridge")


@dataclass
class Controller:
    """The writing side of one device."""

    device: FieldDevice
    site: Site
    latest: LatestValues
    say: Callable[[Outcome], None]
    battery: BatteryControl | None = None
    """What a battery needs more than other devices: limits, interlocks, start and stop, trust in its meter."""
    counts: Counter[str] = field(default_factory=Counter)
    key: str | None = None
    """Commands must be signed with it."""
    log: WriteLog | None = None
    limits: SiteLimits | None = None
    """Of the grid connection, as dispatch says them."""
    memory: Memory | None = None
    """Keeps beyond a restart what the network operator said, and which points stand away from their fallback."""
    wall: Callable[[], datetime] = field(default_factory=lambda: utc_now)
    life: Life = Life.UNKNOWN

    def __post_init__(self) -> None:
        now = self._now()
        self.pending = PendingCommands(self.wall)
        self.history = History(now)
        self.history.watch.look(now, self.wall())
        self.writer = SetpointWriter(self.device, self.counts, self.log)
        self.writer.recall(now)
        self.care = DeviceCare(self.device, self.writer, self.counts)
        self.queue = CommandQueue(COMMAND.at(site=self.site.site, device=self.name), self.key)
        self.grid_limit = GridLimit(self.site.grid.dso_limit, self.site.grid.dso_hold)
        self.kept = DeviceMemory(self.memory, self.grid_limit, self.site.command_sources.values())
        self.kept.recall(now)
        self.proof = Proof(self.device, self.writer, self.pending)
        patience = now + COMMAND_TTL
        writes = self.device.writable and self.takes_commands
        self.wishes = Wishes(self.kept.wait(patience) if writes else patience, self.device.commands)
        self.rhythm = Rhythm(self.device.poll)
        self.steering = Steering(
            self.device, self.writer, self.wishes, self.pending, self.grid_limit, self.kept, self.care, self.proof,
            self.battery, FeedInSafe(self.site, self.limits or SiteLimits(self.site)), self.rhythm.cycle,
        )  # fmt: skip
        self.actions = Actions(self.device, self.pending, self.latest, self.battery, self.site)
        self._read = now
        self._ends = False

    @property
    def name(self) -> str:
        return self.device.name

    @property
    def takes_commands(self) -> bool:
        """There is something that it can be told."""
        return bool(self.device.commands or self.device.actions)

    # what comes from outside -------------------------------------------------------------------

    def hear(self, heard: Heard[Command]) -> None:
        """A command from the broker: it waits for its turn. Every one gets an outcome."""
        command = heard.message
        if not self.takes_commands:
            name, words = asked(heard.payload).id, "unknown: it can be told nothing, it is only read"
            self.pending.refuse(name, Refusal(Cause.UNKNOWN, words), command)
        elif command is None:
            words = f"not valid: {heard.fault or 'empty'}"
            self.pending.refuse(asked(heard.payload).id, Refusal(Cause.INVALID, words))
        else:
            wall, now = self.wall(), self._now()
            self.history.watch.look(now, wall)
            no = self.queue.enter(Arrival(command, heard.retained, wall, now), heard.payload)
            if no is not None:
                self.pending.refuse(command.id, no, command)
            self.wake()
        self._tell()

    def read(self, began: float) -> None:
        """The device was read; the reading began at `began`."""
        if began - self._read > 2.5 * self.device.poll:
            self.writer.out_of_sight()
            self.care.watchdog.lost()
        self._read = began
        local = self.latest.said(self.name, "control_loc", self._now(), lasts(self.device.poll, 5.0)) == "local"
        self._turn(Turn.TAKEN_OVER if local else Turn.READ)
        self.wake()

    def silent(self) -> None:
        """It did not answer for a while."""
        self._turn(Turn.SILENT)

    def wake(self) -> None:
        """Something it decides by has changed."""
        self.rhythm.wake()

    @property
    def left_alone(self) -> bool:
        """It is not to be read now: its own watchdog must bite."""
        return self.care.watchdog.bites(self._now())

    @property
    def troubles(self) -> list[Doubt]:
        """What is wrong with it, the worst first."""
        found: list[Doubt] = [] if self.battery is None else self.battery.troubles
        if not self.device.writable:
            return found
        found += self.steering.troubles
        if self.life is Life.LOCAL:
            found.append((Cause.LOCAL, "it is steered at its own panel"))
        return found

    # the cycle ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Control the device until this task is told to end; then leave it as the site file wants."""
        if self.battery is not None:
            self.battery.begin_anew()
        try:
            while True:
                await self.rhythm.next()
                await self.cycle()
        except asyncio.CancelledError:
            self._end_commands()
            raise
        except Exception as bug:  # nobody guards the device until this task begins anew: it waits at its fallback
            words = f"its control failed and begins anew: {type(bug).__name__}"
            self.pending.event("values", Event.RAN_OUT, words, Cause.NO_COMMAND)
            raise
        finally:
            await self._leave()

    async def cycle(self) -> None:
        """Once: take, decide, write, look, tell."""
        began = self._now()
        self.history.watch.look(began, self.wall())
        if self.battery is not None:
            self.battery.unread_since = self.care.watchdog.silent_since if self.left_alone else math.inf
            self.battery.follow(began)
        while (arrival := self.queue.take()) is not None:
            await self._take(arrival)
        self._expire()
        self.proof.read_back(self.latest, began)  # what was taken back is given again in this cycle
        if self.device.writable and WRITES[self.life] and not self.left_alone:
            await self.care.give(self._now())
            await self.actions.go_on(self._now())
            if await self.steering.steer(in_fallback=self.life is Life.FALLBACK):
                self.rhythm.glance()
            await self._look()
        elif self.left_alone:
            self.pending.event("values", Event.WRITE_FAILED, LEFT_ALONE, Cause.LEFT_ALONE)
            self.pending.event("limit", Event.HELD_BACK, LEFT_ALONE, Cause.LEFT_ALONE)
        self._prove()
        self._tell()

    async def _take(self, arrival: Arrival) -> None:
        """Judge the next one now, and follow it."""
        arrival = self.history.dated(arrival)
        command, now = arrival.command, self._now()
        station = self.actions.station(command, local=self.life is Life.LOCAL)
        no = refusal(arrival, station, self.history, self.pending.holder, now)
        no = no or await self.actions.refusal(command)
        if no is not None:
            self.pending.refuse(command.id, no, command)
            return
        self.history.remember(arrival)
        self.pending.take(arrival, now)
        match kind_of(command):
            case "limit":
                self.grid_limit.hear(command.authority, command.values[LIMIT], arrival.deadline)
                self.kept.keep()
                self.wishes.limited()
            case "values":
                self._turn(Turn.COMMAND)
                if "p_set" in command.values or "p_set" not in self.device.commands:
                    self.kept.heard()  # who says what he wants of q has said nothing of the p that was found
                self.wishes.take(command.values, arrival.deadline)
            case "action":
                if await self.actions.act(command, now):
                    self.rhythm.glance()

    def _expire(self) -> None:
        now = self._now()
        safe = self.steering.fallback()
        words = ", ".join(f"{point} to {value:g}" for point, value in safe.items()) or "it is left as it is"
        ran_out = self.pending.run_out(now, words)
        if ran_out or (now >= self.wishes.grace and "values" not in self.pending.open):
            if ran_out:
                log.warning("%s: no valid command is left; %s", self.name, words)
            self._turn(Turn.RAN_OUT)

    # proof -------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """At once, and a few times more after a write."""
        if not self.proof.wanted or not self.rhythm.glancing:
            return
        try:
            self.proof.looked(await self.device.look(*self.proof.points))
        except (Unreachable, Declined):
            return
        if self.battery is not None and (seen := self.proof.power) is not None:
            self.battery.glance(*seen)

    def _prove(self) -> None:
        now = self._now()
        if self.battery is not None:
            self.battery.watch(now)
        switching = self.battery is not None and self.battery.switching
        following = None if self.battery is None else self.battery.following
        self.proof.judge(self.latest, following, now, switching=switching)

    # telling, ending ---------------------------------------------------------------------------

    def _tell(self) -> None:
        for outcome in self.pending.tell():
            self.say(outcome)

    def _end_commands(self) -> None:
        """The bridge ends: what waits is not obeyed by anybody, and what was begun is not gone on with."""
        self._ends, words = True, "the bridge ends in good order"
        while (arrival := self.queue.take()) is not None:
            no = Refusal(Cause.STOPPING, f"stopping: {words}")
            self.pending.refuse(arrival.command.id, no, arrival.command)
        self.pending.event("action", Event.RAN_OUT, words, Cause.STOPPING)
        self._tell()

    async def _leave(self) -> None:
        """The bridge ends in good order, or this task does."""
        if self.device.writable and WRITES[self.life] and (self.writer.applied or self.battery is not None):
            await self.steering.leave()
        if self._ends:
            self.pending.leave("the bridge ends in good order")
        self._tell()

    def _turn(self, turn: Turn) -> None:
        after = NEXT[self.life, turn]
        if after is not self.life:
            log.info("%s is %s", self.name, after.value)
            self.life = after
            if after is Life.LOCAL:
                self.wishes.forget()
                self.pending.event("values", Event.RAN_OUT, "it is steered at its own panel", Cause.LOCAL)
                self.actions.drop("it is steered at its own panel", Cause.LOCAL)
                if self.battery is not None:
                    self.battery.lost()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
