"""One device under control, in a task of its own: takes commands, decides, writes, proves, and falls back.

The cycle runs by time, with or without a reading. Deadlines are of the event loop's monotonic clock: a step of the
wall clock neither keeps a command alive nor kills it.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridges.control.battery_control import BatteryControl
from bridges.control.command_life import Event
from bridges.control.command_queue import CommandQueue
from bridges.control.device_care import DeviceCare
from bridges.control.device_life import NEXT, WRITES, Life, Turn
from bridges.control.device_memory import DeviceMemory
from bridges.control.grid_limit import LIMIT, GridLimit
from bridges.control.guard import FOLLOWS_METER, Arrival, History, Refusal, Station, actions, refusal, understood
from bridges.control.limits import RAMP, Limit, clamp
from bridges.control.pending_commands import Kind, PendingCommands, kind_of
from bridges.control.power_control import Decision, Now, Targets, decide, fallback, limit_chain
from bridges.control.proof import Proof
from bridges.control.sequence import STAGES, STOPPED
from bridges.control.setpoint_writer import Put, Result, SetpointWriter
from bridges.control.write_log import WriteLog
from bridges.fieldbus.contract import Declined, Doubt, FieldDevice, Unreachable
from bridges.telemetry.latest_values import LatestValues, lasts
from runtime.heard import Heard
from runtime.memory import Memory
from schemas.messages import Action, Cause, Command, Outcome
from schemas.printable import asked_id
from schemas.site import Site
from schemas.topics import COMMAND, COMMAND_TTL
from schemas.units import Kind as DeviceKind
from schemas.units import utc_now

LONGEST_CYCLE = 1.0
"""Seconds between two cycles at most, however slowly the device is read."""
GLANCES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses in s between looks at a device that has just been told something: a good one follows in milliseconds."""
LEAVING = 3.5
"""Seconds a device has to go to its fallback along its ramp when the bridge ends in good order."""
FOUND = 0.02
"""Of the rated power: so near to a limit a power that was found is within it."""
GRID_MODES = (Action.GRID_FOLLOWING, Action.GRID_FORMING)


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
    memory: Memory | None = None
    """Keeps beyond a restart what the network operator said, and which points stand away from their fallback."""
    wall: Callable[[], datetime] = field(default_factory=lambda: utc_now)
    life: Life = Life.UNKNOWN

    def __post_init__(self) -> None:
        now = self._now()
        self.pending = PendingCommands(self.wall)
        self.history = History(now)
        self.writer = SetpointWriter(self.device, self.counts, self.log)
        self.writer.recall(now)
        self.care = DeviceCare(self.device, self.writer, self.counts)
        self.queue = CommandQueue(COMMAND.at(site=self.site.site, device=self.name), self.key)
        self.grid_limit = GridLimit(self.site.grid.dso_limit, self.site.grid.dso_hold)
        self.kept = DeviceMemory(self.memory, self.grid_limit, self.site.command_sources.values())
        self.kept.recall(now)
        self.proof = Proof(self.device, self.writer, self.pending)
        self.grace = now + COMMAND_TTL
        """A bridge that starts gives the sender one ttl."""
        self._asked: dict[str, tuple[float, float]] = {}
        """What is wanted of each point, and until when: a command about q prolongs no p, and ends none."""
        self._fresh: set[str] = set()
        """Points of a new command that wait for their first write."""
        self._wake = asyncio.Event()
        self._glances: deque[float] = deque()
        self._cycle = min(self.device.poll, LONGEST_CYCLE)
        self._read = now
        self._told: dict[str, str] = {}

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
            name, words = asked_id(heard.payload), "unknown: it can be told nothing, it is only read"
            self.pending.refuse(name, Refusal(Cause.UNKNOWN, words), command)
        elif command is None:
            words = f"not valid: {heard.fault or 'empty'}"
            self.pending.refuse(asked_id(heard.payload), Refusal(Cause.INVALID, words))
        else:
            no = self.queue.enter(Arrival(command, heard.retained, self.wall(), self._now()), heard.payload)
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
        self._wake.set()

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
        found += [(one.cause or Cause.DECLINED, f"{point} cannot be written: {one.reason}")
                  for point, one in self.writer.failing.items()]  # fmt: skip
        found += [(Cause.NOT_HELD, f"{point} does not hold what it is told") for point in self.proof.not_held]
        if why := self.care.watchdog.trouble:
            found.append((Cause.WATCHDOG, f"its watchdog is not armed: {why}"))
        if self.kept.trouble:
            found.append((Cause.OUTBOX, self.kept.trouble))
        if self.proof.foreign:
            found.append((Cause.FOREIGN_WRITE, self.proof.foreign))
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
                await self._wait()
                await self.cycle()
        except Exception as bug:  # nobody guards the device until this task begins anew: it waits at its fallback
            words = f"its control failed and begins anew: {type(bug).__name__}"
            self.pending.event("values", Event.RAN_OUT, words, Cause.NO_COMMAND)
            raise
        finally:
            await self._leave()

    async def cycle(self) -> None:
        """Once: take, decide, write, look, tell."""
        began = self._now()
        if self.battery is not None:
            self.battery.follow(began)
        while (arrival := self.queue.take()) is not None:
            await self._take(arrival)
        self._expire()
        if self.device.writable and WRITES[self.life] and not self.left_alone:
            await self.care.give(self._now())
            if self.battery is not None:
                await self._go_on()
            await self._steer()
            await self._look()
        self._prove()
        self._tell()

    async def _wait(self) -> None:
        pause = self._glances.popleft() if self._glances else self._cycle
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _take(self, arrival: Arrival) -> None:
        """Judge the next one now, and follow it."""
        command, now = arrival.command, self._now()
        no = refusal(arrival, self._station(command), self.history, self.pending.holder, now)
        no = no or self._behind_inverter(command) or self._interlocked(command) or await self._untimely(command)
        if no is not None:
            self.pending.refuse(command.id, no, command)
            return
        self.history.remember(arrival)
        self.pending.take(arrival, now)
        match kind_of(command):
            case "limit":
                self.grid_limit.hear(command.authority, command.values[LIMIT], arrival.deadline)
                self.kept.keep()
                self._fresh.add(LIMIT)
            case "values":
                self._turn(Turn.COMMAND)
                named = {_register(point) for point in command.values}
                self._asked = {point: one for point, one in self._asked.items() if _register(point) not in named}
                self._asked |= {point: (value, arrival.deadline) for point, value in command.values.items()}
                self._fresh |= named
            case "action":
                await self._act(command, now)

    def _station(self, command: Command) -> Station:
        able = actions(self.device.actions, steers_battery=self.battery is not None)
        return Station(
            points=understood(self.device.commands, command),
            actions=able,
            sources=self.site.command_sources,
            read_only=not self.device.writable,
            local=self.life is Life.LOCAL,
            distrust={} if self.battery is None else self.battery.distrust,
        )

    def _behind_inverter(self, command: Command) -> Refusal | None:
        """A contactor opens without load and closes before its inverter starts: only the inverter's sequence sees to
        that."""
        if command.action not in STAGES or self.site.profiles[self.name].kind is not DeviceKind.BMS:
            return None
        mine = self.site.battery_of(self.name)
        whom = "its inverter" if mine is None else mine.pcs
        words = f"unknown: no {command.action.value} of its own; its contactor switches in a sequence of {whom}: ask it"
        return Refusal(Cause.UNKNOWN, words)

    def _interlocked(self, command: Command) -> Refusal | None:
        why = "" if self.battery is None else self.battery.interlocks.forbids(command.action)
        return Refusal(Cause.INTERLOCK, why) if why else None

    async def _untimely(self, command: Command) -> Refusal | None:
        """The grid mode of a running inverter stays: it would switch over under load."""
        if command.action not in GRID_MODES or "state" not in self.device.points:
            return None
        try:
            state = (await self.device.look("state")).values.get("state")
        except (Unreachable, Declined) as wrong:
            return Refusal(Cause.NO_ANSWER, f"grid_mode: its state cannot be read: {wrong}")
        if state in STOPPED:
            return None
        words = f"grid_mode: it changes only when stopped or in standby, the device is {state}"
        return Refusal(Cause.WRONG_STATE, words)

    def _expire(self) -> None:
        now = self._now()
        safe = self._fallback()
        words = ", ".join(f"{point} to {value:g}" for point, value in safe.items()) or "it is left as it is"
        ran_out = self.pending.run_out(now, words)
        if ran_out or (now >= self.grace and "values" not in self.pending.open):
            if ran_out:
                log.warning("%s: no valid command is left; %s", self.name, words)
            self._turn(Turn.RAN_OUT)

    # writing -----------------------------------------------------------------------------------

    async def _steer(self) -> None:
        """Decide, and write each value on its own."""
        targets = self._targets()
        decision = self._decide(targets)
        results = await self._write(decision)
        now, values = self._now(), self.pending.open.get("values")
        if values is not None:
            named = {_register(point) for point in values.command.values}
            values.applied = {point: value for point, value in self.writer.applied.items() if point in named}
            values.limited = [one for one in decision.limited_by if _register(one.point) in named]
            self._report("values", {point: one for point, one in results.items() if point in named | {LIMIT}})
        limit = self.pending.open.get("limit")
        if limit is not None:
            limit.applied = dict(limit.command.values)
        self._report("limit", results)
        self.proof.ramping = decision.ramping
        self.care.wrote(results, now, astray=self.writer.stands(decision.values))
        if self.battery is not None:
            closed = values is None or values.command.authority in FOLLOWS_METER
            self.battery.decided(decision, closed=closed, now=now)

    def _decide(self, targets: Targets) -> Decision:
        now, device = self._now(), self.device
        percent, authority = self.grid_limit.limit(now), self.grid_limit.strongest(now)
        source = "dso:limit" if authority is None else f"{authority.value}:limit"
        chains = {
            point: limit_chain(self.name, one, percent, source, device.rated_apparent_power)
            for point, one in device.commands.items()
        }
        if self.battery is not None and "p_set" in chains:
            reactive = max(abs(q) for q in (self.writer.applied.get("q_set", 0.0), targets.values.get("q_set", 0.0)))
            wears = device.commands["p_set"].wears
            chains["p_set"] += self.battery.limits(
                now, reactive, targets.values.get("pf_set"), self.grid_limit, self._cycle, wears=wears
            )
            targets = self._found(targets, chains["p_set"], now)
        worn = frozenset(point for point, one in self.writer.budgets.items() if one.worn_out)
        steps = {point: device.step(point) for point in device.commands}
        decision = decide(targets, Now(chains, self.writer.applied, steps, worn, device.rated_apparent_power))
        if self.battery is not None:
            self.battery.claims(decision, now)
        return decision

    def _found(self, targets: Targets, chain: list[Limit], now: float) -> Targets:
        """A power that no command of ours explains, as a bridge finds one at its start, is left to its sender for a
        while; not where it is beyond a limit."""
        power = None if self.battery is None else self.battery.inputs.power(now)
        if power is None or "p_set" in targets.values or "p_set" in self.writer.applied:
            return targets
        allowed, _ = clamp(power, [limit for limit in chain if limit.source != RAMP])
        if abs(power - allowed) <= FOUND * self.device.rated_power:
            return targets
        return Targets({**targets.values, "p_set": allowed}, targets.fallen | {"p_set"})

    async def _write(self, decision: Decision) -> dict[str, Result]:
        results: dict[str, Result] = {}
        for point, value in decision.values.items():
            fresh, urgent = point in self._fresh, point in decision.urgent
            p, q = results.get("p_set"), self.writer.applied.get("q_set", 0.0)
            if point == "q_set" and p is not None and p.stands and abs(value) > abs(q):
                # The S-circle was shared out for the p that is wanted; the one that stands leaves no room.
                results[point] = Result(Put.WAITS, f"p_set is not down yet: {p.reason}", p.cause)
                continue
            if value != self.device.commands[point].fallback:  # before it is written: its answer may be lost
                self.kept.told(point, value, self.device.commands[point].fallback)
            results[point] = await self.writer.put(point, value, self._now(), urgent=urgent, cyclic=not fresh)
            if results[point].put in (Put.HELD, Put.WRITTEN):
                self._fresh.discard(point)
            if results[point].put is Put.WRITTEN:
                self._glances.extend(GLANCES[len(self._glances) :])
                self.kept.told(point, value, self.device.commands[point].fallback)
                if point == "p_set" and self.battery is not None:
                    self.battery.told(self._now(), value)
        self._note_failures(results)
        return results

    def _targets(self) -> Targets:
        now = self._now()
        asked = {point: value for point, (value, until) in self._asked.items() if now < until}
        if self.life is Life.FALLBACK:
            asked = {}
        named = {_register(point) for point in asked}
        ended = self.life is Life.FALLBACK or now >= self.grace
        safe = {p: value for p, value in self._fallback().items() if ended and _register(p) not in named}
        wanted = safe | asked
        if self.battery is not None and self.battery.must_rest:
            wanted.setdefault("p_set", 0.0)
        if LIMIT in self.device.commands and self.grid_limit.limit(self._now()) is not None:
            wanted.setdefault(LIMIT, 100.0)
        return Targets(wanted, frozenset(safe) | {_register(point) for point in safe})

    def _fallback(self) -> dict[str, float]:
        """What is declared safe. A point that no bridge ever moved is left as its installer set it."""
        power = None if self.battery is None else self.battery.battery.fallback
        safe = fallback(self.device.commands, power)
        ours = self.kept.away | ({"p_set"} if self.battery is not None else set())
        return {point: value for point, value in safe.items() if point in ours}

    def _report(self, kind: Kind, results: dict[str, Result]) -> None:
        """What the writes of this cycle are to the open command."""
        if kind not in self.pending.open:
            return
        failed = [one for one in results.values() if one.put is Put.FAILED]
        waits = [one for one in results.values() if one.put is Put.WAITS]
        if failed:
            self.pending.event(kind, Event.WRITE_FAILED, "; ".join(one.reason for one in failed), failed[0].cause)
        elif waits:
            self.pending.event(kind, Event.HELD_BACK, waits[0].reason, waits[0].cause)
        else:
            self.pending.event(kind, Event.WRITTEN)

    def _note_failures(self, results: dict[str, Result]) -> None:
        """One line when a point cannot be written, one when it can again."""
        for point, one in results.items():
            if one.put is Put.FAILED and self._told.get(point) != one.reason:
                self._told[point] = one.reason
                log.warning("%s: %s cannot be written: %s", self.name, point, one.reason)
            elif one.put is not Put.FAILED and point in self._told and point not in self.writer.failing:
                del self._told[point]
                log.info("%s: %s can be written again", self.name, point)

    # actions -----------------------------------------------------------------------------------

    async def _act(self, command: Command, now: float) -> None:
        """Start and stop of the battery go step by step; the others are told at once."""
        action = command.action
        if action is None:
            return
        if self.battery is not None and action in STAGES:
            self.pending.event("action", Event.HELD_BACK, self.battery.begin(action, now))
            return
        if self.battery is not None and action is Action.RESET:
            refused = self.battery.reset(command, now)
            if refused:
                self.pending.event("action", Event.NOT_FOLLOWED, refused, Cause.INTERLOCK)
        try:
            if action in self.device.actions and not (action is Action.RESET and self._runs(now)):
                await self.device.act(action)
        except (Unreachable, Declined) as wrong:
            cause = Cause.DECLINED if isinstance(wrong, Declined) else Cause.NO_ANSWER
            self.pending.event("action", Event.WRITE_FAILED, str(wrong), cause)
            return
        self.pending.event("action", Event.WRITTEN)
        self._glances.extend(GLANCES[len(self._glances) :])

    def _runs(self, now: float) -> bool:
        """It is seen running: there is no fault of its own to reset, and some take a reset for a stop."""
        return self.latest.said(self.name, "state", now, lasts(self.device.poll, 5.0)) == "running"

    async def _go_on(self) -> None:
        """The next stage of a start or a stop."""
        assert self.battery is not None  # noqa: S101  # told by the cycle
        ended = await self.battery.go_on(self._now())
        if ended is not None:
            event = Event.FOLLOWED if ended.cause is None else Event.NOT_FOLLOWED
            self.pending.event("action", event, ended.reason, ended.cause)

    # proof -------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """At once, and a few times more after a write."""
        if not self.proof.wanted or not self._glances:
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

    async def _leave(self) -> None:
        """The bridge ends in good order: fallback first, unless it is to hold and its watchdog is armed."""
        if not self.device.writable or not WRITES[self.life]:
            return
        if not self.writer.applied and self.battery is None:
            return
        try:
            async with asyncio.timeout(LEAVING + 1.0):
                if self.battery is not None and self.battery.battery.on_stop == "hold" and await self.device.armed():
                    return
                await self._to_fallback()
        except (TimeoutError, Unreachable, Declined) as wrong:
            log.warning("%s may not be at its fallback: %s", self.name, str(wrong) or "it took too long")
        except Exception:  # a mistake of ours in the decision: what is declared safe needs none
            log.exception("%s cannot be decided for: it is told what is safe", self.name)
            safe = self._fallback() | ({"p_set": 0.0} if self.battery is not None else {})
            for point, value in safe.items():
                await self.writer.put(point, value, self._now(), urgent=True, cyclic=False)
        self._tell()

    async def _ends_alone(self) -> bool:
        """Whether its own watchdog ends its power when we are gone."""
        try:
            return bool(await self.device.armed())
        except (Unreachable, Declined):
            return False

    async def _to_fallback(self) -> None:
        ends = self._now() + LEAVING
        safe = self._fallback()
        if self.battery is not None and not await self._ends_alone():
            safe["p_set"] = 0.0  # nobody will guard it, and it has no watchdog that would end it
        targets = Targets(safe, frozenset(safe) | {_register(point) for point in safe})
        self.writer.hurry()
        words = ", ".join(f"{point} to {value:g}" for point, value in targets.values.items())
        self.pending.event("values", Event.RAN_OUT, f"the bridge ends in good order; {words}", Cause.STOPPING)
        while True:
            decision = self._decide(targets)
            results = await self._write(decision)
            there = all(one.put in (Put.HELD, Put.WRITTEN) for one in results.values())
            if there and not decision.ramping:
                return
            if not there:  # an answer was lost: as often as the time allows
                self.writer.hurry()
            if self.battery is not None:
                self.battery.decided(decision, closed=False, now=self._now())
                if self._now() > ends:
                    self.battery.jump()
            await asyncio.sleep(0.2)

    def _turn(self, turn: Turn) -> None:
        after = NEXT[self.life, turn]
        if after is not self.life:
            log.info("%s is %s", self.name, after.value)
            self.life = after
            if after is Life.LOCAL:
                self._asked.clear()  # given back, it waits for a new command
                self.pending.event("values", Event.RAN_OUT, "it is steered at its own panel", Cause.LOCAL)
                if self.battery is not None:
                    self.battery.lost()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _register(point: str) -> str:
    """A power factor moves the reactive power."""
    return "q_set" if point == "pf_set" else point
