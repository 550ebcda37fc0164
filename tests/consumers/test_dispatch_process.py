"""Dispatch as a process of its own: killed together with its broker, and with a wall clock that is set."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from joulebus.server import Server
from runtime.bus import Bus
from schemas.messages import Action, Cause, Command, ControlMode, Mode, Outcome, OutcomeState, RequestOutcome, Value
from schemas.topics import CONTROL_MODE, CONTROL_OUTCOME, CONTROL_REQUEST, OUTCOME
from schemas.units import utc_now
from tests.chaos.clock import clocks
from tests.chaos.plant import part
from tests.conftest import Broker
from tests.consumers.test_dispatch_batteries import two
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_service import Ear, Plant, is_power, on_the_bus, plant_of, request, until
from tests.timed import few

SAVED = 6.5
"""Seconds after which the broker has written to its disk what it keeps (autosave_interval 5)."""
DAY = 86_400.0
YARD: dict[str, dict[str, Value]] = {
    "pcs2": {"p": 0.0, "state": "running"},
    "bms2": {"soc": 50.0, "u": 800.0, "ccl": 100.0, "dcl": 100.0},
}
"""What the second battery of `two` says."""


@dataclass
class Scene:
    """A bridge's voice and an operator, beside the process."""

    plant: Plant
    bus: Bus
    """The operator's."""
    ear: Ear
    site: str

    async def ask(self, mode: str, **more: object) -> RequestOutcome:
        """Gives the answer."""
        name = f"r{time.monotonic_ns()}"
        await self.bus.say(CONTROL_REQUEST, request(mode, id=name, **more), site=self.site)
        await until(lambda: [one for one in self.answers if one.id == name])
        return next(one for one in self.answers if one.id == name)

    def commands(self, pcs: str) -> list[Command]:
        heard = self.plant.ear.heard
        return [one.message for one in heard if one.place["device"] == pcs and one.message is not None]

    async def told(self, pcs: str, what: Callable[[Command], bool]) -> None:
        seen = len(self.commands(pcs))
        await until(lambda: any(map(what, self.commands(pcs)[seen:])), within=25)

    async def shared(self) -> None:
        """Both batteries steer."""
        await self.told("pcs1", lambda one: "p_set" in one.values)
        await self.told("pcs2", lambda one: "p_set" in one.values)

    async def outcome(self, pcs: str, state: OutcomeState, cause: Cause) -> None:
        """The bridge says so of the last command."""
        said = Outcome(id=self.commands(pcs)[-1].id, at=utc_now(), state=state, source="dispatch", cause=cause)
        await self.plant.bus.say(OUTCOME, said, site=self.site, device=pcs)

    async def until_out(self, battery: str) -> None:
        await until(lambda: self.said and battery in self.said[-1].out, within=20)

    @property
    def said(self) -> list[ControlMode]:
        return [one for one in self.ear.messages if isinstance(one, ControlMode)]

    @property
    def answers(self) -> list[RequestOutcome]:
        return [one for one in self.ear.messages if isinstance(one, RequestOutcome)]

    @property
    def modes(self) -> list[Mode]:
        return [one.mode for one in self.said]


@contextlib.asynccontextmanager
async def scene(broker: Broker, site: str) -> AsyncIterator[Scene]:
    async with plant_of(broker, site) as plant, on_the_bus(broker, "operator") as bus:
        ear = Ear(bus, CONTROL_MODE.at(site=site), CONTROL_OUTCOME.at(site=site))
        try:
            yield Scene(plant, bus, ear, site)
        finally:
            await ear.stop()


def forget(folder: Path, site: str) -> None:
    """Its file is gone."""
    (path,) = folder.rglob(f"dispatch-{site}.json")
    path.unlink()


@contextlib.contextmanager
def ending(*servers: Server) -> Iterator[None]:
    """Whatever happens, none of them is left over."""
    try:
        yield
    finally:
        for server in servers:
            server.kill()


@pytest.mark.slow
async def test_killed_with_its_broker_right_after_a_lockout_it_is_still_locked_out(
    tmp_path: Path, site_name: str
) -> None:
    plant_site(tmp_path, site_name)
    broker = Broker(tmp_path / "broker")
    dispatch = part("dispatch", tmp_path, broker, "")
    with ending(dispatch, broker):
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(dispatch.start)
        async with scene(broker, site_name) as before:
            await before.plant.told(is_power(30e3), within=20)
            await asyncio.sleep(SAVED)  # the broker's disk says `auto`
            assert (await before.ask("lockout")).followed
            await asyncio.sleep(1.0)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(dispatch.kill)
        await asyncio.to_thread(broker.start)
        async with scene(broker, site_name) as after:
            await until(lambda: after.modes)
            before_us = len(after.modes)  # `auto`, unless the broker has saved the lockout in that second
            await asyncio.to_thread(dispatch.start)
            await until(lambda: any(one.action is Action.STOP for one in after.plant.commands), within=20)
            assert after.modes[-1] is Mode.LOCKOUT
            assert set(after.modes[before_us:]) <= {Mode.LOCKOUT}
            assert all(one.action is Action.STOP or is_power(0.0)(one) for one in after.plant.commands)
            assert (await after.ask("auto")).followed
            await after.plant.told(is_power(30e3), within=20)


@pytest.mark.slow
async def test_a_battery_that_is_out_is_so_after_the_loss_of_either_memory(tmp_path: Path, site_name: str) -> None:
    """First the broker is killed before it has saved, then the file is deleted."""
    two(tmp_path, site_name)
    broker = Broker(tmp_path / "broker")
    dispatch = part("dispatch", tmp_path, broker, "")
    with ending(dispatch, broker):
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(dispatch.start)
        async with scene(broker, site_name) as before:
            before.plant.state |= YARD
            await before.shared()
            await asyncio.sleep(SAVED)  # the broker's disk says that nobody is out
            await before.outcome("pcs2", OutcomeState.NOT_OBEYED, Cause.REVERSED)
            await before.until_out("yard")
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(dispatch.kill)
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(dispatch.start)
        async with scene(broker, site_name) as after:
            after.plant.state |= YARD
            await after.until_out("yard")
            await after.told("pcs2", lambda one: one.action is Action.STOP)
            await asyncio.sleep(SAVED)  # now its disk knows
        await asyncio.to_thread(dispatch.kill)
        await asyncio.to_thread(forget, tmp_path, site_name)
        async with scene(broker, site_name) as again:
            again.plant.state |= YARD
            await asyncio.to_thread(dispatch.start)
            await again.told("pcs2", lambda one: one.action is Action.STOP)
            await again.told("pcs1", is_power(30e3))
            assert again.modes[-1] is Mode.AUTO
            assert (await again.ask("auto")).followed
            await until(lambda: any(one.action is Action.RESET for one in again.commands("pcs2")))
            await again.shared()


@pytest.mark.slow
@pytest.mark.parametrize("step", few([DAY, -DAY], one_in=2))
async def test_a_clock_that_is_set_prolongs_no_lease_and_shuts_nobody_out(
    broker: Broker, tmp_path: Path, site_name: str, step: float
) -> None:
    """Its own clock is set by a day and back; the others go on."""
    plant_site(tmp_path, site_name)
    dispatch = part("dispatch", tmp_path, broker, "")
    with clocks(tmp_path, dispatch) as (clock,), ending(dispatch):
        await asyncio.to_thread(dispatch.start)
        async with scene(broker, site_name) as played:
            await played.plant.told(is_power(30e3), within=20)
            began = time.monotonic()
            assert (await played.ask("manual", power=-20e3, until=utc_now() + timedelta(seconds=8))).followed
            await played.plant.told(is_power(-20e3))
            clock.set(step)
            await played.plant.told(is_power(-20e3))
            await played.plant.told(lambda one: one.authority != "operator", within=12)
            assert 7.0 < time.monotonic() - began < 11.5, "it was lent for 8 s"
            refused = await played.ask("auto")
            assert refused.cause == ("expired" if step > 0 else "clock_skew"), "two clocks that differ by a day"
            assert (await played.ask("lockout")).followed, "but a lockout is taken from anybody"
            await asyncio.to_thread(dispatch.kill)
            await asyncio.to_thread(dispatch.start)
            await played.plant.told(lambda one: one.action is Action.STOP or is_power(0.0)(one), within=20)
            assert played.modes[-1] is Mode.LOCKOUT
            assert (await played.ask("lockout")).followed, "also after a restart"
            clock.set(0)
            await asyncio.sleep(0.5)
            assert (await played.ask("auto")).followed, "and its end as soon as the clock is right again"
            await played.plant.told(lambda one: "p_set" in one.values and one.values["p_set"] > 0, within=20)
