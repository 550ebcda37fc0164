"""Dispatch beside a real broker: what a bridge hears, and what an operator and a restart may change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch import service
from runtime.bus import Bus
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import (
    Action,
    Authority,
    Command,
    ControlMode,
    ControlRequest,
    Mode,
    Outcome,
    OutcomeState,
    Plan,
    Step,
    Telemetry,
    Value,
)
from schemas.site import Site
from schemas.topics import COMMAND, COMMAND_TTL, CONTROL_MODE, CONTROL_REQUEST, OUTCOME, PLAN, TELEMETRY
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import plant_site


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TICK", 0.2)


@asynccontextmanager
async def on_the_bus(broker: Broker, role: str) -> AsyncIterator[Bus]:
    async with Bus(parse_broker(broker.url(role), role, None, {}), identifier=role) as bus:
        yield bus


@asynccontextmanager
async def running(
    broker: Broker, site: Site, name: str, run: Callable[[Part], Awaitable[None]], database: str = ""
) -> AsyncIterator[Part]:
    """A service inside this process."""
    part = Part(name, site, Settings(parse_broker(broker.url(name), name, None, {}), database))
    job = asyncio.ensure_future(run(part))
    try:
        yield part
        if job.done():
            job.result()
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


async def until(true: Callable[[], Any], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110  # others do what is waited for, and tell nobody
            await asyncio.sleep(0.02)


class Ear:
    """Keeps what is said at some addresses."""

    def __init__(self, bus: Bus, *addresses: str) -> None:
        self.heard: list[Heard[Any]] = []
        self._job = asyncio.ensure_future(self._listen(bus, addresses))

    async def _listen(self, bus: Bus, addresses: tuple[str, ...]) -> None:
        async for batch in bus.listen(*addresses):
            self.heard += batch
            bus.ack(batch)

    @property
    def messages(self) -> list[Any]:
        return [heard.message for heard in self.heard]

    async def stop(self) -> None:
        self._job.cancel()
        with suppress(asyncio.CancelledError):
            await self._job


class Plant:
    """A bridge's voice: says the same state again and again, and hears the commands."""

    def __init__(self, bus: Bus, site: str) -> None:
        self.bus, self.site, self.seq = bus, site, 0
        self.state: dict[str, dict[str, Value]] = {
            "pcs1": {"p": 0.0, "state": "running"},
            "bms1": {"soc": 50.0, "u": 800.0, "ccl": 100.0, "dcl": 100.0},
            "grid": {"p": 30e3},
            "pv1": {"p": 0.0},
        }
        self.ear = Ear(bus, COMMAND.at(site=site))
        self._job = asyncio.ensure_future(self._talk())

    async def _talk(self) -> None:
        while True:
            for device, values in list(self.state.items()):
                await self.say(device, values)
            await asyncio.sleep(0.1)

    async def say(self, device: str, values: dict[str, Value]) -> None:
        self.seq += 1
        telemetry = Telemetry(at=utc_now(), epoch="0" * 16, seq=self.seq, values=values)
        await self.bus.say(TELEMETRY, telemetry, site=self.site, device=device)

    @property
    def commands(self) -> list[Command]:
        return [message for message in self.ear.messages if message is not None]

    async def told(self, what: Callable[[Command], bool], within: float = 10) -> Command:
        """The next command of this kind."""
        seen = len(self.commands)
        await until(lambda: any(map(what, self.commands[seen:])), within)
        return next(filter(what, self.commands[seen:]))

    async def stop(self) -> None:
        self._job.cancel()
        with suppress(asyncio.CancelledError):
            await self._job
        await self.ear.stop()


@asynccontextmanager
async def plant_of(broker: Broker, site: str) -> AsyncIterator[Plant]:
    async with on_the_bus(broker, "bridge") as bus:
        plant = Plant(bus, site)
        try:
            yield plant
        finally:
            await plant.stop()


def request(mode: str, **more: Any) -> ControlRequest:
    return ControlRequest.model_validate({"at": utc_now(), "mode": Mode(mode), "who": "anna", "why": "test", **more})


def discharging(power: float) -> Plan:
    """A plan that sells."""
    now = utc_now()
    step = Step(
        at=now - timedelta(minutes=1),
        seconds=900,
        power=power,
        soc=40,
        grid=-power,
        load=0,
        pv=0,
        price_import=0.2,
        price_export=0.5,
        marginal_value=0.3,
        reason="sells at 0.50",
    )
    until_ = now + timedelta(seconds=3)
    return Plan(id="1", at=now - timedelta(minutes=1), until=until_, currency="EUR", steps=[step], cost=0, cost_idle=0)


def is_power(power: float) -> Callable[[Command], bool]:
    return lambda command: command.values == {"p_set": power}


async def test_it_follows_the_plan_and_then_serves_the_site_itself(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name)
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "optimize") as optimize,
        running(broker, site, "dispatch", service.run) as part,
    ):
        command = await plant.told(is_power(30e3))
        assert (command.source, command.authority) == ("dispatch", Authority.SELF_CONSUMPTION)
        assert (command.until - command.at).total_seconds() == COMMAND_TTL
        assert command.reason == "no valid plan: covers the load"

        await optimize.say(PLAN, discharging(70e3), expiry=60, site=site_name)
        command = await plant.told(is_power(70e3))
        assert (command.authority, command.reason) == (Authority.PLAN, "sells at 0.50")

        command = await plant.told(is_power(30e3))  # the plan has ended
        assert command.authority is Authority.SELF_CONSUMPTION

        ids = [command.id for command in plant.commands]
        assert len(set(ids)) == len(ids)
        assert not any(heard.retained for heard in plant.ear.heard)
        obeyed = Outcome(id=ids[-1], at=utc_now(), state=OutcomeState.VERIFIED, source="dispatch")
        await plant.bus.say(OUTCOME, obeyed, site=site_name, device="pcs1")
        await until(lambda: part.counts["verified"] == 1)
        assert part.counts["commands"] >= len(ids)


async def test_a_dead_meter_brings_the_battery_to_rest(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    async with plant_of(broker, site_name) as plant, running(broker, site, "dispatch", service.run):
        await plant.told(is_power(30e3))
        del plant.state["grid"]
        retained = Telemetry(at=utc_now(), epoch="0" * 16, seq=10**6, values={"p": 55e3})
        address = TELEMETRY.at(site=site_name, device="grid")
        await plant.bus.send(address, retained.model_dump_json().encode(), retain=True)
        command = await plant.told(is_power(0.0))
        assert command.reason.startswith("rests: the grid meter is silent")
        assert not any(map(is_power(55e3), plant.commands))
        await plant.bus.send(address, b"", retain=True)


async def test_a_stopped_pcs_is_started_before_it_gets_a_setpoint(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    async with plant_of(broker, site_name) as plant:
        plant.state["pcs1"]["state"] = "standby"
        async with running(broker, plant_site(tmp_path, site_name), "dispatch", service.run):
            await plant.told(lambda command: command.action is Action.START)
            await asyncio.sleep(1)
            assert [command.action for command in plant.commands] == [Action.START]
            plant.state["pcs1"]["state"] = "running"
            await plant.told(is_power(30e3))


async def test_an_operator_takes_over_and_a_lockout_outlives_a_restart(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name)
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        modes = Ear(operator, CONTROL_MODE.at(site=site_name))
        async with running(broker, site, "dispatch", service.run) as part:
            await plant.told(is_power(30e3))
            soon = utc_now() + timedelta(seconds=2)
            await operator.say(CONTROL_REQUEST, request("manual", power=-20e3, until=soon), site=site_name)
            command = await plant.told(is_power(-20e3))
            assert (command.authority, command.reason) == (Authority.OPERATOR, "manual by anna")
            await plant.told(is_power(30e3))  # the lease has ended

            wish = request("lockout")
            address = CONTROL_REQUEST.at(site=site_name)
            await operator.send(address, wish.model_dump_json().encode(), retain=True)
            old = wish.model_copy(update={"at": utc_now() - timedelta(minutes=5)})
            await operator.say(CONTROL_REQUEST, old, site=site_name)
            for payload in (b"lockout", b"\xff", b"", b'{"mode": "lockout"}'):
                await operator.send(address, payload)
            await until(lambda: part.counts["refused_requests"] == 6)
            await operator.send(address, b"", retain=True)

            await operator.say(CONTROL_REQUEST, request("lockout"), site=site_name)
            await until(lambda: plant.commands[-1].action is Action.STOP)
            assert plant.commands[-2].values == {"p_set": 0.0}
            plant.state["pcs1"] = {"p": 0.0, "state": "off"}
            await until(lambda: part.detail == "lockout: the PCS is stopped")
        seen = len(plant.commands)
        async with running(broker, site, "dispatch", service.run) as part:
            await until(lambda: part.detail == "lockout: the PCS is stopped")
            assert len(plant.commands) == seen
            await operator.say(CONTROL_REQUEST, request("manual", power=0.0, until=soon), site=site_name)
            await until(lambda: part.counts["refused_requests"] >= 1)
            await operator.say(CONTROL_REQUEST, request("auto"), site=site_name)
            await plant.told(lambda command: command.action is Action.START)
        kept: list[ControlMode] = modes.messages
        told = [mode.mode for mode in kept]
        assert told[:4] == [Mode.AUTO, Mode.MANUAL, Mode.AUTO, Mode.LOCKOUT]
        assert set(told[4:-1]) <= {Mode.LOCKOUT}
        assert (told[-1], kept[-1].who) == (Mode.AUTO, "anna")
        await modes.stop()


async def test_a_site_that_is_only_watched_gets_no_command(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name, more='mode = "read_only"\n')
    async with plant_of(broker, site_name) as plant, running(broker, site, "dispatch", service.run) as part:
        await until(lambda: part.detail.startswith("read only, would do this: auto: 30.0 kW"))
        await asyncio.sleep(0.5)
        assert plant.commands == []
