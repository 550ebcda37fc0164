"""Dispatch at work: listens to what is measured, planned and asked for, and commands the batteries each 2 s."""

import asyncio
import time
from collections import deque
from datetime import datetime
from typing import Any

from consumers.dispatch.account import account, undecided
from consumers.dispatch.answers import unreadable
from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.interlocked import Interlocked
from consumers.dispatch.kept import Stored
from consumers.dispatch.limit_keeping import LimitKeeping
from consumers.dispatch.noting import Noting
from consumers.dispatch.own_lockouts import complaints
from consumers.dispatch.sending import Sending
from consumers.dispatch.state_keeping import StateKeeping
from consumers.dispatch.telling import Telling
from runtime.bus import Bus, Refused
from runtime.end_mark import up_to_mark
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.part import Part
from runtime.tariff_watch import readable
from schemas.billing import Billing
from schemas.messages import (
    ControlMode,
    ControlRequest,
    DeviceStatus,
    Mode,
    Outcome,
    RequestOutcome,
    Telemetry,
)
from schemas.topics import (
    BILLING,
    CONTROL_MODE,
    CONTROL_OUTCOME,
    CONTROL_REQUEST,
    DEVICE_STATUS,
    GRID_LIMIT,
    OUTCOME,
    PLAN,
    TELEMETRY,
)
from schemas.units import utc_now

TICK = 2.0
"""Seconds between two commands: one or two may be lost before the ttl of 10 s ends."""


async def run(part: Part) -> None:
    """Runs until it is told to stop."""
    dispatch = Dispatch(part)
    try:
        await part.run(dispatch.work, dispatch.take_tariff)
    finally:
        dispatch.close()


class Dispatch:
    """The desk with a connection and a disk; a lockout survives the loss of both, and of this process."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._guarded = Guarded(part.log, part.counts)
        self.desk = Desk.of(part.site)
        self._state = StateKeeping(part.settings.state / f"dispatch-{part.site.site}.json")
        self._sending, self._noting = Sending(part, self.desk), Noting(part, self.desk)
        self._remembering = asyncio.Lock()
        self._mode: ControlMode | None = None
        self._unsaid: deque[ControlMode] = deque()
        """Modes that hold or held, and that the broker does not know yet: each is said, also one that was short."""
        self._telling = Telling(part.site.site)
        self._limits = LimitKeeping(part, self.desk.limits)
        self._unkept = self._unanswered = self._untold = self._unlimited = self._unread = ""
        """Why the disk does not keep our state, why the broker takes neither our answers nor what we do, and why the
        last plan that came cannot be read."""

    def close(self) -> None:
        self._state.close()

    async def work(self, bus: Bus) -> None:
        if self.desk.control is None:
            await self._begin(bus)
        self._mode = None  # a broker that lost its store has lost it, too
        self._limits.anew()
        self._note_mode()
        await self._remember()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(bus), name="dispatch.listen")
            group.create_task(self._tick(), name="dispatch.tick")
            group.create_task(self._tell_doing(bus), name="dispatch.doing")

    async def take_tariff(self) -> None:
        """All else goes on without it."""
        await readable(self.part, "no billed peak is kept down")
        self.desk.peaks.bill(self.part.site.demand)
        await asyncio.Event().wait()  # it does not change any more

    async def _begin(self, bus: Bus) -> None:
        """All that was kept, here and at the broker, is known before anything is decided."""
        site, broker = self.part.site.site, Stored()
        kept = (CONTROL_MODE.at(site=site), PLAN.at(site=site), BILLING.at(site=site))
        for heard in await up_to_mark(bus, self.part, *kept):
            if heard.topic is CONTROL_MODE and heard.payload:
                broker = Stored(heard.message, heard.fault)
            elif heard.topic is PLAN:
                self._hear_plan(heard, utc_now())
            elif isinstance(heard.message, Billing):
                self.desk.peaks.hear(heard.message, utc_now())
        file = self._state.begin()
        for fault in filter(None, (file.fault, broker.fault)):
            self.part.log.error("what was kept cannot be read: %s", fault)
        if file.lost:
            self.part.log.warning("this part of what was kept cannot be read, and begins anew: %s", file.lost)
        self._limits.begin()
        self.desk.begin(file, broker, utc_now(), time.monotonic())
        for words in complaints(self.desk.mode.left_over):
            self.part.log.warning("%s", words)

    # each 2 s ------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """On the monotonic clock and on a raster of its own: a slow publish does not shift the next one."""
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self._act()

    async def _act(self) -> None:
        """Decide, and send at once: a disk or a broker that hangs holds up no lockout that comes meanwhile, and the
        loss of one loses it not at the other."""
        sends = [self._sending.send(pcs, instruction) for pcs, instruction in self._instruct().items()]
        await asyncio.gather(*sends, self._remember(), self._tell_limits())
        await self._remember()  # what was sent, too

    async def _tell_limits(self) -> None:
        try:
            await self._limits.tell(utc_now())
            why = ""
        except Refused as wrong:  # an older access list: they hold all the same
            why = str(wrong)
        self._unlimited = self._once(self._unlimited, why, "the limits of the grid connection are not told")

    def _instruct(self) -> dict[str, Instruction]:
        now, mono = utc_now(), time.monotonic()
        try:
            instructions = self.desk.instruct(now, mono)
            instructions |= self.desk.limit_pv(instructions, now, mono)
            instructions |= self.desk.steer_loads(now, mono)
        except Exception as bug:
            # nothing is sent, and the bridge brings the battery to its fallback; a lockout can still be asked for
            self.part.log.exception("dispatch cannot decide")
            self.part.counts["undecided"] += 1
            self.part.detail = f"cannot decide: {bug}"
            self._telling.note(undecided(self.desk, self.part.detail, now))
            return {}
        self._note_mode()
        self._noting.limits()
        self._telling.note(account(self.desk, instructions, now, mono))
        self.part.detail = self.desk.detail + (f"; not kept on the disk: {self._unkept}" if self._unkept else "")
        self.part.detail += f"; the last plan cannot be read: {self._unread}" if self._unread else ""
        if self.part.site.mode == "read_only" and instructions:
            self.part.detail = f"read only, would do this: {self.part.detail}"
            return {}
        return instructions

    async def _tell_doing(self, bus: Bus) -> None:
        while True:
            try:
                await self._telling.next(bus)
                why = ""
            except Refused as wrong:  # an older access list: dispatch works all the same
                why = str(wrong)
            self._untold = self._once(self._untold, why, "what is done is not told")

    async def _remember(self) -> None:
        """On the disk before it is said: the mode, and all that the next run must know."""
        async with self._remembering:
            await self._state.keep(lambda: self.desk.keep(utc_now(), time.monotonic()))
            self._unkept = self._once(self._unkept, self._state.trouble, "the state is not kept on the disk")
            while self._unsaid:
                await self.part.events.say(CONTROL_MODE, self._unsaid[0], site=self.part.site.site)
                self._unsaid.popleft()

    def _note_mode(self) -> None:
        said = self.desk.mode.said()
        if said is not None and said != self._mode:
            self._mode = said
            self._unsaid.append(said)
        self._noting.modes()

    # what is heard -------------------------------------------------------------------------------

    async def _listen(self, bus: Bus) -> None:
        site = self.part.site.site
        addresses = (
            PLAN.at(site=site),
            BILLING.at(site=site),
            TELEMETRY.at(site=site),
            *(
                OUTCOME.at(site=site, device=one)
                for one in (*self.part.site.pcs, *self.desk.pv.seen, *self.desk.loads.seen)
            ),
            CONTROL_REQUEST.at(site=site),
            GRID_LIMIT.at(site=site),
            *(DEVICE_STATUS.at(site=site, device=one) for one in self.part.site.pcs),
        )
        async for batch in bus.listen(*addresses):
            for heard in batch:
                with self._guarded(heard):  # the next one may be a lockout
                    await self._hear(heard)
            bus.ack(batch)

    async def _hear(self, heard: Heard[Any]) -> None:
        now, mono = utc_now(), time.monotonic()
        match heard.message:
            case Telemetry() as telemetry if not heard.retained:
                self.desk.read(heard.place["device"], telemetry, now, mono)
            case DeviceStatus() as status if (one := self.desk.batteries.get(heard.place["device"])) is not None:
                one.interlocked = Interlocked.of(status)
            case _ if heard.topic is PLAN:
                self._hear_plan(heard, now)
            case Billing() as billing:
                self.desk.peaks.hear(billing, now)
            case Outcome() as outcome if self._sending.reasons.hear(heard.place["device"], outcome, mono):
                self.part.log.warning("%s takes no commands with reasons: its bridge is older", heard.place["device"])
                await self._act()  # what was refused is told again, and waits for no tick
            case Outcome() as outcome if outcome.source == "dispatch" and not heard.retained:
                self.part.counts[outcome.state.value] += 1
                told = self.desk.hear_outcome(outcome, now, mono)
                self._note_mode()
                if told is not None:
                    await self._tell(told)
            case _ if heard.topic is GRID_LIMIT and (heard.payload or not heard.retained):
                answer = await self._limits.answer(heard)
                if answer.followed:
                    await self._act()  # a limit waits for no tick
                await self._tell(answer)
            case ControlRequest() as request:
                await self._answer(request, retained=heard.retained)
            case None if heard.topic is CONTROL_REQUEST and (heard.payload or not heard.retained):
                await self._tell(unreadable(heard.payload, heard.fault, now))

    def _hear_plan(self, heard: Heard[Any], now: datetime) -> None:
        """One that cannot be read changes nothing: the last one goes on as long as it is valid."""
        if not heard.fault:
            self.desk.plans.hear(heard.message, now)
        self.part.counts["refused_plans"] += bool(heard.fault)
        self._unread = self._once(self._unread, heard.fault, "a plan cannot be read, and the last one goes on")

    async def _answer(self, request: ControlRequest, *, retained: bool) -> None:
        answer = self.desk.hear(request, utc_now(), time.monotonic(), retained=retained)
        self._note_mode()
        if answer.followed and request.mode is Mode.LOCAL:
            await self._remember()  # nothing is sent, not even a rest
        elif answer.followed:
            await self._act()  # a lockout waits for no tick
        await self._tell(answer)

    async def _tell(self, answer: RequestOutcome) -> None:
        """A person hears what became of what he asked for."""
        log = self.part.log.info if answer.followed else self.part.log.warning
        words = answer.reason or "followed"
        log("%s asks for %s: %s", answer.who or "somebody", answer.wish or "something", words)
        self.part.counts["requests" if answer.followed else "refused_requests"] += 1
        try:
            await self.part.events.say(CONTROL_OUTCOME, answer, site=self.part.site.site)
            why = ""
        except Refused as wrong:  # an older access list: what was asked is done all the same
            why = str(wrong)
        self._unanswered = self._once(self._unanswered, why, "answers are not told")

    def _once(self, before: str, why: str, what: str) -> str:
        """A line when something is lost, and one when it is back; gives why it is lost."""
        if why and not before:
            self.part.log.error("%s: %s", what, why)
        if before and not why:
            self.part.log.info("%s: no more", what)
        return why
