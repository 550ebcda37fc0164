"""Dispatch at work: listens to what is measured, planned and asked for, and commands the battery each 2 s."""

import asyncio
import time
from datetime import timedelta
from itertools import count
from secrets import token_hex
from typing import Any

from consumers.dispatch.desk import Desk, Order
from consumers.dispatch.modes import begin
from runtime.bus import Bus
from runtime.heard import Heard
from runtime.part import Part
from runtime.signature import signed
from schemas.messages import (
    METER_SIGN_SUSPECT,
    Cause,
    Command,
    ControlMode,
    ControlRequest,
    Mode,
    Outcome,
    Plan,
    Telemetry,
)
from schemas.topics import COMMAND, COMMAND_TTL, CONTROL_MODE, CONTROL_REQUEST, OUTCOME, PLAN, TELEMETRY
from schemas.units import utc_now

TICK = 2.0
"""Seconds between two commands: one or two may be lost before the ttl of 10 s ends."""


async def run(part: Part) -> None:
    """Runs until it is told to stop."""
    dispatch = Dispatch(part)
    if fault := part.site.tariff_fault:  # all else goes on; it is read at the start
        part.causes.add(Cause.TARIFF, f"no billed peak is kept down: {fault}")
    await part.run(dispatch.work)


class Dispatch:
    """The desk with a connection; the desk survives the connection, and a lockout both."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.desk = Desk.of(part.site)
        self._turn = asyncio.Lock()
        self._numbers = count(1)
        self._prefix = token_hex(4)
        self._said: ControlMode | None = None

    async def work(self, bus: Bus) -> None:
        self._said = None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(bus), name="dispatch.listen")
            group.create_task(self._tick(bus), name="dispatch.tick")

    async def _tick(self, bus: Bus) -> None:
        """On the monotonic clock and on a raster of its own: a slow publish does not shift the next one."""
        due = time.monotonic()
        while True:
            due = max(due + TICK, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            if self.desk.control is None:  # the broker would have sent the mode it kept by now
                self.desk.control = begin(utc_now())
            await self._act(bus)

    async def _act(self, bus: Bus) -> None:
        async with self._turn:
            order = self.desk.order(utc_now(), time.monotonic())
            self.part.detail = self.desk.detail
            await self._say_mode(bus)
            if order is None:
                return
            if self.part.site.mode == "read_only":
                self.part.detail = f"read only, would do this: {self.desk.detail}"
                return
            place = {"site": self.part.site.site, "device": self.part.site.battery.pcs}
            command, key = self._command(order), self.part.settings.command_key
            if key is not None:
                command = signed(command, COMMAND.at(**place), key)
            await bus.say(COMMAND, command, expiry=COMMAND_TTL, **place)
            self.part.counts["commands"] += 1
            self.part.succeeded()

    def _command(self, order: Order) -> Command:
        now = utc_now()
        return Command(
            id=f"dispatch-{self._prefix}-{next(self._numbers)}",
            at=now,
            until=now + timedelta(seconds=COMMAND_TTL),
            source="dispatch",
            authority=order.wanted.authority,
            values={} if order.action else {"p_set": order.wanted.power},
            action=order.action,
            reason=order.wanted.reason,
        )

    async def _say_mode(self, bus: Bus) -> None:
        control = self.desk.control
        if control is not None and control.mode != self._said:
            await bus.say(CONTROL_MODE, control.mode, site=self.part.site.site)
            self._said = control.mode

    async def _listen(self, bus: Bus) -> None:
        site, pcs = self.part.site.site, self.part.site.battery.pcs
        addresses = (
            CONTROL_MODE.at(site=site),  # first: what the broker kept must be known before anything is asked
            PLAN.at(site=site),
            TELEMETRY.at(site=site),
            OUTCOME.at(site=site, device=pcs),
            CONTROL_REQUEST.at(site=site),
        )
        async for batch in bus.listen(*addresses):
            for heard in batch:
                await self._hear(bus, heard)
            bus.ack(batch)

    async def _hear(self, bus: Bus, heard: Heard[Any]) -> None:
        match heard.message:
            case Telemetry() as telemetry if not heard.retained:
                self.desk.fold.hear(heard.place["device"], telemetry, utc_now(), time.monotonic())
            case Plan() as plan if self.desk.plan is None or plan.at >= self.desk.plan.at:
                self.desk.plan = plan
            case Outcome() as outcome if outcome.source == "dispatch":
                self.part.counts[outcome.state.value] += 1
                if outcome.reason.startswith(METER_SIGN_SUSPECT):
                    self.desk.distrust(outcome.reason, utc_now())
            case ControlMode() as kept if self.desk.control is None and heard.retained:
                self.desk.control = begin(utc_now(), kept)
            case ControlRequest() as request:
                await self._answer(bus, request, heard.retained)
            case None if heard.topic is CONTROL_REQUEST:
                self.part.counts["refused_requests"] += 1
                self.part.log.warning("a control request is not valid: %s", heard.fault)

    async def _answer(self, bus: Bus, request: ControlRequest, retained: bool) -> None:
        wish = request.mode or request.action
        if refusal := self.desk.hear(request, utc_now(), retained=retained):
            self.part.counts["refused_requests"] += 1
            self.part.log.warning("%s asks for %s: %s", request.who, wish, refusal)
            return
        self.part.log.info("%s by %s %s", wish, request.who, request.why)
        if request.mode is Mode.LOCAL:
            await self._say_mode(bus)
        else:
            await self._act(bus)  # a lockout waits for no tick
