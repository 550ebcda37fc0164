"""One device under control: obeys commands within the limits, proves that they were obeyed, and falls back.

The clock of every deadline is monotonic: a step of the wall clock neither keeps a command alive nor kills it.
"""

import asyncio
import logging
import math
import struct
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.control.grid_limit import LIMIT
from bridges.control.guard import History, Post, actions, identity, is_limit, refusal, remaining, understood
from bridges.control.limit_inputs import METER_AGE
from bridges.control.meter_polarity import MeterPolarity
from bridges.control.pending_commands import Pending, PendingCommands, Say
from bridges.control.power_control import PowerControl
from bridges.control.read_back import Verdict
from bridges.control.sequence import STAGES, STOPPED
from bridges.control.setpoint_writer import SetpointWriter
from bridges.control.write_log import WriteLog
from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.telemetry.latest_values import LatestValues
from runtime.heard import Heard
from runtime.signature import forgery
from schemas.messages import METER_SIGN_SUSPECT, Action, Authority, Command, OutcomeState, Value
from schemas.site import Site
from schemas.topics import COMMAND, COMMAND_TTL
from schemas.units import utc_now

GLANCES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses in s between looks at a device that has just been told something."""

CLAIM = 10.0
"""Seconds between two words about the same foreign hand."""

GRID_MODES = (Action.GRID_FOLLOWING, Action.GRID_FORMING)

BY_HAND = (Authority.PROTECTION, Authority.DSO, Authority.OPERATOR)
"""Those who close no loop over the meter: they may still steer when it is suspect."""

log = logging.getLogger("bridge")


@dataclass
class Controller:
    """The writing side of one device."""

    device: ModbusDevice
    site: Site
    board: LatestValues
    say: Say
    counts: Counter[str] = field(default_factory=Counter)
    key: str | None = None
    """Commands must be signed with it."""
    battery: ModbusDevice | None = None
    """Whose contactor is closed before this inverter starts."""
    wear: WriteLog | None = None
    """Remembers the writes of registers that wear out beyond a restart."""
    ledger: History = field(default_factory=lambda: History(since=utc_now()))
    last: Command | None = None
    suspicion: str = ""
    """Why the grid meter is not believed: no loop is closed over it until a person has looked."""
    deadline: float = field(default_factory=lambda: time.monotonic() + COMMAND_TTL)
    """Monotonic time at which the last command dies; a bridge that starts gives the sender one ttl."""
    _ticked: float = field(default_factory=time.monotonic)
    _fed: float = 0.0
    _beaten: float = 0.0
    _claimed: float = float("-inf")
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        rated, meter = self.device.device.rated_power or 0.0, self.site.named(self.site.grid.meter)
        self.docket = PendingCommands(self.device, rated, self.say)
        self.setpoints = SetpointWriter(self.device, self.counts, self.wear)
        self.steering = PowerControl(self.device, self.site, self.board, self.docket, self.setpoints, self.battery)
        self.switchgear = self.steering.switchgear
        self.sign = MeterPolarity(rated, settle=meter.poll + 0.2)

    @property
    def name(self) -> str:
        return self.device.device.name

    # commands ----------------------------------------------------------------------------------

    async def obey(self, heard: Heard[Command]) -> None:
        """Take a command from the broker; every one gets an outcome."""
        command = heard.message
        if command is None:
            await self.docket.refuse(
                identity(heard.payload), OutcomeState.REFUSED, f"not valid: {heard.fault or 'empty'}"
            )
            return
        no = self._forged(heard.payload) or self._refusal(command, heard.retained) or await self._untimely(command)
        if no is not None:
            await self.docket.refuse(command.id, no[0], no[1], command)
            return
        async with self._turn:
            await self._take(command)
        await self._glance()

    def _forged(self, payload: bytes) -> tuple[OutcomeState, str] | None:
        if self.key is None:
            return None
        why = forgery(payload, COMMAND.at(site=self.site.site, device=self.name), self.key)
        return (OutcomeState.REFUSED, why) if why else None

    def _refusal(self, command: Command, retained: bool) -> tuple[OutcomeState, str] | None:
        profile = self.device.profile
        points, known = understood(profile, command), actions(profile, steers_battery=self.steering.steers_battery)
        post = Post(points, known, self.site.command_sources, not self.device.writable)
        no = refusal(command, retained, post, self.ledger, utc_now())
        if no is not None:
            return no.state, no.reason
        if self.suspicion and command.action is not Action.RESET and command.authority not in BY_HAND:
            return OutcomeState.REFUSED, f"{METER_SIGN_SUSPECT}: {self.suspicion}"
        return None

    async def _untimely(self, command: Command) -> tuple[OutcomeState, str] | None:
        """The grid mode of a running inverter stays: it would switch over under load."""
        if command.action not in GRID_MODES or "state" not in self.device.profile.points:
            return None
        try:
            state = (await self.device.look("state")).values.get("state")
        except (Unreachable, Declined) as wrong:
            return OutcomeState.FAILED, str(wrong)
        if state in STOPPED:
            return None
        return OutcomeState.REFUSED, f"grid_mode: it changes only when stopped or in standby, the device is {state}"

    async def _take(self, command: Command) -> None:
        kind = "action" if command.action else "limit" if is_limit(command) else "values"
        pending = await self.docket.enter(kind, command)
        self.ledger.remember(command, holds=kind != "limit")
        deadline = time.monotonic() + remaining(command, utc_now())
        if kind == "limit":
            self.steering.relay.hear(command.values[LIMIT], deadline)
        else:
            self.last, self.deadline, self.steering.fallen = command, deadline, False
        if kind == "values":
            self.steering.wanted = dict(command.values)
        try:
            why = await (self._act(command) if command.action else self.steering.apply(cyclic=False))
        except (Unreachable, Declined, struct.error) as wrong:
            await self.docket.close(kind, OutcomeState.FAILED, str(wrong))
            return
        pending.said = not why
        await self.docket.tell(pending, OutcomeState.ACCEPTED if why else OutcomeState.APPLIED, why)

    async def _act(self, command: Command) -> str:
        """Start and stop of the battery go step by step; the others are told at once."""
        action = command.action
        if action in STAGES and self.steering.steers_battery:
            return self.switchgear.begin(action)
        if action is Action.RESET and command.authority is Authority.OPERATOR and self.suspicion:
            log.warning("%s: the meter is believed again: reset by %s, %s", self.name, command.source, command.reason)
            self.suspicion = ""
            self.sign.forget()
        if action is not None and action.value in self.device.profile.actions:
            await self.device.act(action)
        return ""

    # each cycle --------------------------------------------------------------------------------

    async def tick(self) -> None:
        """After each reading: follow the limits, go on ramping, prove, or fall back."""
        if not self.device.writable or not self.device.online:
            return
        async with self._turn:
            now = time.monotonic()
            if now - self._ticked > 2.5 * self.device.device.poll:
                self.setpoints.out_of_sight()
            self._ticked = now
            if now >= self.deadline and not self.steering.fallen:
                await self._fall_back()
            self.steering.note_power(self._seen(), self.board.when(self.name, "p"))
            await self._check_sign(now)
            await self._weigh(self.setpoints.noted(self.board, now))
            try:
                await self._feed(now)
                await self.steering.follow()
                await self._go_on()
            except (Unreachable, Declined, struct.error) as wrong:
                log.warning("%s could not be written: %s", self.name, wrong)
        read = self.board.when(self.name, "p") - self.device.device.poll  # the cycle had begun by then
        await self._prove(self._seen(), read if math.isfinite(read) else time.monotonic())

    async def _feed(self, now: float) -> None:
        """The device's own watchdog, where reading does not feed it, and our heartbeat."""
        heart, dog = self.device.profile.heartbeat, self.device.profile.watchdog
        if heart is not None and now - self._beaten >= heart.every:
            self._beaten = now
            await self.device.beat()
        if dog is None or dog.fed_by == "any" or now - self._fed < dog.seconds / 3:
            return
        self._fed = now
        if dog.fed_by == "setpoint":
            await self.setpoints.again()
        else:
            await self.device.arm()
        self.counts[f"fed_{self.name}".replace("-", "_")] += 1

    async def _check_sign(self, now: float) -> None:
        """A meter that does not show the battery's steps as it should: power 0, and no closed loop any more."""
        if not self.steering.steers_battery or self.suspicion:
            return
        meter = self.site.named(self.site.grid.meter)
        power = self.board.fresh(self.name, "p", now, 1.5 * self.device.device.poll)
        grid = self.board.fresh(meter.name, "p", now, 1.5 * meter.poll)
        if power is None or grid is None:
            return
        self.sign.see(now, power, grid)
        if suspicion := self.sign.suspicion:
            self.suspicion = f"{meter.name}: {suspicion}"
            self.counts[METER_SIGN_SUSPECT] += 1
            log.error("%s rests, %s: %s", self.name, METER_SIGN_SUSPECT, self.suspicion)
            if self.last is not None and self.last.authority not in BY_HAND:
                self.steering.wanted = {"p_set": 0.0}

    async def _weigh(self, verdicts: Mapping[str, Verdict]) -> None:
        """Somebody else at our registers is named; what the device lost is written again in any case."""
        foreign = [point for point, verdict in verdicts.items() if verdict is Verdict.FOREIGN]
        now = time.monotonic()
        if not foreign or self.last is None or now - self._claimed < CLAIM:
            return
        self._claimed = now
        told = ", ".join(f"{point} held our {self.setpoints.applied[point]:g}" for point in foreign)
        claim = Pending(self.last, now, self.setpoints.applied)
        await self.docket.tell(claim, OutcomeState.FOREIGN_CHANGE, f"{told} and was changed by somebody else")

    # start and stop ----------------------------------------------------------------------------

    async def _go_on(self) -> None:
        """The next stage of a start or a stop."""
        pending = self.docket.open.get("action")
        if pending is None or (ended := await self.switchgear.go_on()) is None:
            return
        if self.docket.open.get("action") is pending:  # not followed by another while we looked
            self.switchgear.sequence = None
            await self.docket.close("action", *ended)

    # proof -------------------------------------------------------------------------------------

    async def _glance(self) -> None:
        """Look at once, and a few times more: a good device follows in milliseconds."""
        for pause in GLANCES:
            await asyncio.sleep(pause)
            if not self.docket.open:
                return
            try:
                async with self._turn:
                    await self._go_on()
                began = time.monotonic()
                names = ("p", "q", "ac_p", "state", "p_limit_state", *self.setpoints.names)
                seen = (await self.device.look(*names)).values
            except (Unreachable, Declined):
                return
            self.steering.note_power(seen, began)
            await self._weigh(await self._read_back(seen, began))
            await self._prove(seen, began)

    async def _read_back(self, seen: Mapping[str, Value], began: float) -> dict[str, Verdict]:
        """A register that does not take what was written fails its command."""
        verdicts = self.setpoints.read_back(seen, began)
        pending = self.docket.open.get("values")
        for point, verdict in verdicts.items():
            if pending is not None and point in pending.applied and verdict is Verdict.NEVER_HELD:
                holds = self.setpoints.applied[point]
                reason = f"the register of {point} reads back {self.setpoints.held(point, seen):g} instead of {holds:g}"
                await self.docket.close("values", OutcomeState.FAILED, reason)
                break
        return verdicts

    def _seen(self) -> dict[str, Value]:
        now = time.monotonic()
        found = {point: self.board.fresh(self.name, point, now, METER_AGE) for point in ("p", "q", "ac_p")}
        return {point: value for point, value in found.items() if value is not None}

    async def _prove(self, seen: Mapping[str, Value], began: float) -> None:
        await self.docket.prove(seen, began, switching=self.switchgear.sequence is not None)

    # the end of a command ----------------------------------------------------------------------

    async def _fall_back(self) -> None:
        """No valid command is left."""
        words = self.steering.fall_back()
        if words:
            log.warning("%s: no valid command is left; %s", self.name, words)
        self.docket.open.pop("values", None)
        if self.last is not None:
            ended = Pending(self.last, 0.0, dict(self.steering.wanted))
            await self.docket.tell(ended, OutcomeState.EXPIRED, f"no newer command came; {words}")
