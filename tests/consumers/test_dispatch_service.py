"""Dispatch beside a real broker: what a bridge hears, and what an operator and a restart may change."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from consumers.dispatch import service
from consumers.dispatch.service import TICK
from consumers.dispatch.state_file import read
from runtime.bus import Bus
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import (
    Action,
    Authority,
    Cause,
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
from schemas.topics import (
    COMMAND,
    COMMAND_TTL,
    CONTROL_DISPATCH,
    CONTROL_MODE,
    CONTROL_OUTCOME,
    CONTROL_REQUEST,
    OUTCOME,
    PLAN,
    TELEMETRY,
)
from schemas.units import utc_now
from tests.chaos.proxy import Line, Proxy
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import TARIFF, plant_site


@asynccontextmanager
async def on_the_bus(broker: Broker, role: str) -> AsyncIterator[Bus]:
    async with Bus(parse_broker(broker.url(role), role, None, {}), identifier=role) as bus:
        yield bus


@asynccontextmanager
async def running(
    broker: Broker,
    site: Site,
    name: str,
    run: Callable[[Part], Awaitable[None]],
    database: str = "",
    *,
    state: Path = Path(),
    url: str = "",
) -> AsyncIterator[Part]:
    """A service inside this process."""
    place = parse_broker(url or broker.url(name), name, None, {})
    part = Part(name, site, Settings(place, database, state=state))
    job = asyncio.ensure_future(run(part))
    try:
        yield part
        if job.done():
            job.result()
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


@asynccontextmanager
async def dispatching(broker: Broker, site: Site, folder: Path, url: str = "") -> AsyncIterator[Part]:
    """Dispatch, with its own folder."""
    async with running(broker, site, "dispatch", service.run, state=folder, url=url) as part:
        yield part


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


def discharging(power: float, lasts: float = 3.0, made: float = -60.0) -> Plan:
    """A plan that sells, made so many seconds from now."""
    at = utc_now() + timedelta(seconds=made)
    step = Step(
        at=at,
        seconds=min(86_400.0, lasts + max(0.0, -made) + 900),
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
    until_ = max(at, utc_now()) + timedelta(seconds=lasts)
    return Plan(id="1", at=at, until=until_, currency="EUR", steps=[step], cost=0, cost_idle=0)


def is_power(power: float) -> Callable[[Command], bool]:
    return lambda command: command.values == {"p_set": power}


async def test_it_follows_the_plan_and_then_serves_the_site_itself(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name)
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "optimize") as optimize,
        on_the_bus(broker, "scada") as scada,
        dispatching(broker, site, tmp_path) as part,
    ):
        modes = Ear(scada, CONTROL_MODE.at(site=site_name))
        command = await plant.told(is_power(30e3))
        assert (command.source, command.authority) == ("dispatch", Authority.SELF_CONSUMPTION)
        assert (command.until - command.at).total_seconds() == COMMAND_TTL
        assert command.reason == "no valid plan: covers the load"

        await optimize.say(PLAN, discharging(70e3), expiry=60, site=site_name)
        command = await plant.told(is_power(70e3))
        assert (command.authority, command.reason) == (Authority.PLAN, "sells at 0.50")

        command = await plant.told(is_power(30e3))  # the plan has ended
        assert command.authority is Authority.SELF_CONSUMPTION
        uses = ["fallback", "followed", "fallback"]
        await until(lambda: [mode.plan.use for mode in modes.messages] == uses)  # SCADA knows it, too
        await modes.stop()

        ids = [command.id for command in plant.commands]
        assert len(set(ids)) == len(ids)
        assert not any(heard.retained for heard in plant.ear.heard)
        obeyed = Outcome(id=ids[-1], at=utc_now(), state=OutcomeState.VERIFIED, source="dispatch")
        await plant.bus.say(OUTCOME, obeyed, site=site_name, device="pcs1")
        await until(lambda: part.counts["verified"] == 1)
        assert part.counts["commands"] >= len(ids)


async def test_a_dead_meter_brings_the_battery_to_rest(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    async with plant_of(broker, site_name) as plant, dispatching(broker, site, tmp_path):
        await plant.told(is_power(30e3))
        del plant.state["grid"]
        retained = Telemetry(at=utc_now(), epoch="0" * 16, seq=10**6, values={"p": 55e3})
        address = TELEMETRY.at(site=site_name, device="grid")
        await plant.bus.send(address, retained.model_dump_json().encode(), retain=True)
        command = await plant.told(is_power(0.0))
        assert command.reason.startswith("rests: the grid meter has been silent")
        assert not any(map(is_power(55e3), plant.commands))
        await plant.bus.send(address, b"", retain=True)


async def test_a_stopped_pcs_is_started_before_it_gets_a_setpoint(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name, battery=', start = "always"')
    async with plant_of(broker, site_name) as plant:
        plant.state["pcs1"]["state"] = "standby"
        async with dispatching(broker, site, tmp_path):
            await plant.told(lambda command: command.action is Action.START)
            await asyncio.sleep(2.5 * TICK)
            assert [command.action for command in plant.commands] == [Action.START]
            plant.state["pcs1"]["state"] = "running"
            await plant.told(is_power(30e3))


async def test_an_operator_takes_over_and_a_lockout_outlives_a_restart(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name)
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        ear = Ear(operator, CONTROL_MODE.at(site=site_name), CONTROL_OUTCOME.at(site=site_name))
        async with dispatching(broker, site, tmp_path) as part:
            await plant.told(is_power(30e3))
            soon = utc_now() + timedelta(seconds=2)
            await operator.say(CONTROL_REQUEST, request("manual", power=-20e3, until=soon), site=site_name)
            command = await plant.told(is_power(-20e3))
            assert (command.authority, command.reason) == (Authority.OPERATOR, "manual by anna")
            await plant.told(is_power(30e3))  # the lease has ended
            await operator.say(CONTROL_REQUEST, request("lockout"), site=site_name)
            await until(lambda: plant.commands[-1].action is Action.STOP)
            assert plant.commands[-2].values == {"p_set": 0.0}
            plant.state["pcs1"] = {"p": 0.0, "state": "off"}
            await until(lambda: part.detail == "lockout: the PCS is stopped")
        seen = len(plant.commands)
        async with dispatching(broker, site, tmp_path) as part:
            await until(lambda: part.detail == "lockout: the PCS is stopped")
            assert all(map(is_power(0.0), plant.commands[seen:])), "as long as it has not heard that the PCS stands"
            await operator.say(CONTROL_REQUEST, request("manual", power=0.0, until=soon), site=site_name)
            await until(lambda: part.counts["refused_requests"] >= 1)
            await operator.say(CONTROL_REQUEST, request("auto"), site=site_name)
            await plant.told(lambda command: command.action is Action.START)
            await until(
                lambda: any(isinstance(one, ControlMode) and one.mode is Mode.AUTO for one in ear.messages[-2:])
            )
        kept: list[ControlMode] = [one for one in ear.messages if isinstance(one, ControlMode)]
        told = [mode.mode for mode in kept]
        assert told[:4] == [Mode.AUTO, Mode.MANUAL, Mode.AUTO, Mode.LOCKOUT]
        assert set(told[4:-1]) <= {Mode.LOCKOUT}
        assert (told[-1], kept[-1].who) == (Mode.AUTO, "anna")
        await ear.stop()


async def test_every_request_is_answered_where_it_was_asked(broker: Broker, tmp_path: Path, site_name: str) -> None:
    address, later = CONTROL_REQUEST.at(site=site_name), utc_now() + timedelta(seconds=20)
    payloads: list[tuple[bytes, bool, str, str]] = [
        (b"lockout", False, "unknown", "invalid"),
        (b"\xff", False, "unknown", "invalid"),
        (b"", False, "unknown", "invalid"),
        (b"null", False, "unknown", "invalid"),
        (b'{"id": "w7", "mode": "lockout"}', False, "w7", "invalid"),
        (b'{"id": "\\ud800", "who": "\\ud800", "mode": "auto"}', False, "\ufffd", "invalid"),
        (b'{"id": ' + b"[" * 100_000, False, "unknown", "invalid"),
        (asked("lockout", id="r1"), True, "r1", "retained"),
        (asked("auto", id="r2", at=utc_now() - timedelta(minutes=5)), False, "r2", "expired"),
        (asked("auto", id="r3", at=utc_now() + timedelta(days=1)), False, "r3", "clock_skew"),
        (asked("auto", id="r4", who="  "), False, "r4", "invalid"),
        (asked("auto", id="r5"), False, "r5", ""),
        (asked("auto", id="r5"), False, "r5", "duplicate"),
        (asked("lockout", id="r6", at=utc_now() + timedelta(days=1)), False, "r6", ""),
        (asked("manual", id="r7", at=later, power=1.0, until=later + timedelta(minutes=1)), False, "r7", "wrong_state"),
    ]
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        ear = Ear(operator, CONTROL_OUTCOME.at(site=site_name))
        async with dispatching(broker, plant_site(tmp_path, site_name), tmp_path) as part:
            await plant.told(is_power(30e3))
            for payload, retain, *_ in payloads:
                await operator.send(address, payload, retain=retain)
            await operator.send(address, b"", retain=True)  # clears what was retained: nobody asks for anything
            await until(lambda: len(ear.heard) >= len(payloads))
            assert [(one.id, one.cause or "") for one in ear.messages] == [tuple(one[2:]) for one in payloads]
            assert [one.followed for one in ear.messages] == [not one[3] for one in payloads]
            assert (ear.messages[4].wish, ear.messages[5].who) == ("lockout", "\ufffd")
            assert ear.messages[13].who == "anna"
            assert (part.counts["refused_requests"], part.counts["requests"]) == (len(payloads) - 2, 2)
            await asyncio.sleep(0.3)
            assert len(ear.heard) == len(payloads)
        await ear.stop()


def asked(mode: str, **more: Any) -> bytes:
    return request(mode, **more).model_dump_json().encode()


async def test_what_the_bridge_refuses_is_told_to_who_asked(broker: Broker, tmp_path: Path, site_name: str) -> None:
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        plant.state["pcs1"] = {"p": 0.0, "state": "off"}
        ear = Ear(operator, CONTROL_OUTCOME.at(site=site_name))
        async with dispatching(broker, plant_site(tmp_path, site_name), tmp_path) as part:
            await until(lambda: "not we who stopped it" in part.detail)
            wish = ControlRequest(id="g1", at=utc_now(), action=Action.GRID_FORMING, who="anna", why="test")
            await operator.say(CONTROL_REQUEST, wish, site=site_name)
            command = await plant.told(lambda command: command.action is Action.GRID_FORMING)
            no = Outcome(
                id=command.id,
                at=utc_now(),
                state=OutcomeState.REFUSED,
                source="dispatch",
                cause=Cause.WRONG_STATE,
                reason="the device is running",
            )
            await plant.bus.say(OUTCOME, no, site=site_name, device="pcs1")
            await until(lambda: len(ear.heard) == 2)
            first, then = ear.messages
            assert (first.id, first.followed, first.wish) == ("g1", True, "grid_forming")
            assert (then.id, then.followed, then.cause) == ("g1", False, "wrong_state")
            assert then.reason == "refused: the device is running"
        await ear.stop()


async def test_commands_are_numbered_within_a_run(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    async with plant_of(broker, site_name) as plant:
        for _ in range(2):
            async with dispatching(broker, site, tmp_path):
                await plant.told(is_power(30e3))
                await plant.told(is_power(30e3))
        runs: dict[str | None, list[int]] = {}
        for command in plant.commands:
            assert command.number is not None
            runs.setdefault(command.epoch, []).append(command.number)
        assert len(runs) == 2
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in runs.values())


async def test_what_the_broker_keeps_is_read_to_its_end_on_a_line_however_slow(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    """A lockout is kept by the broker alone, and needs longer to arrive than dispatch waits between two commands."""
    site = plant_site(tmp_path, site_name)
    kept = ControlMode(at=utc_now(), mode=Mode.LOCKOUT, who="ben", why="smoke")
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "dispatch") as old_run:
        await old_run.say(CONTROL_MODE, kept, site=site_name)
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        ear = Ear(operator, CONTROL_MODE.at(site=site_name))
        async with Proxy(broker.port) as line:
            line.become(Line(latency=0.6))
            url = broker.url("dispatch").replace(str(broker.port), str(line.port))
            async with dispatching(broker, site, tmp_path, url) as part:
                await until(lambda: part.detail.startswith("lockout"), within=20)
                await until(lambda: any(command.action is Action.STOP for command in plant.commands), within=20)
        assert {one.mode for one in ear.messages} == {Mode.LOCKOUT}
        assert all(command.action is Action.STOP or command.values == {"p_set": 0.0} for command in plant.commands)
        await ear.stop()


async def test_a_plan_that_is_taken_back_is_followed_no_more(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "optimize") as optimize,
        dispatching(broker, site, tmp_path),
    ):
        future = discharging(50e3, lasts=86_400.0, made=86_400.0)
        await optimize.say(PLAN, future, site=site_name)
        await plant.told(is_power(30e3))
        await optimize.say(PLAN, discharging(70e3, lasts=60.0), site=site_name)
        await plant.told(is_power(70e3))  # the one from tomorrow blocks none
        await optimize.say(PLAN, None, site=site_name)
        command = await plant.told(is_power(30e3))
        assert command.authority is Authority.SELF_CONSUMPTION


STRANGE = (
    b'{"at":"9999-12-31T23:59:59Z","epoch":"0000000000000000","seq":9223372036854775807,"values":{"p":1e308}}',
    b'{"at":"0001-01-01T00:00:00Z","epoch":"0000000000000000","seq":1,"values":{"p":-1e308,"soc":1e300}}',
    b'{"id":"\\ud800","at":"2026-06-10T10:00:00Z"}',
    b"\xff\xfe",
    b"[" * 50_000,
)
STRANGE_PLAN = (
    b'{"id":"x","at":"AT","until":"9999-12-31T23:59:59Z","currency":"EUR","cost":0.0,"cost_idle":0.0,"peak":1e308,'
    b'"steps":[{"at":"AT","seconds":1e308,"power":1e308,"soc":50.0,"grid":-1e308,"load":1e308,"pv":-1e308,'
    b'"price_import":1e308,"price_export":-1e308,"marginal_value":1e308,"reason":""}]}'
)


async def test_no_message_ends_it_nor_its_next_start(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """What a newer bridge, a wrong clock or a stranger may say; some of it stays with the broker."""
    site = plant_site(tmp_path, site_name)
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "optimize") as optimize,
        on_the_bus(broker, "operator") as operator,
    ):
        async with dispatching(broker, site, tmp_path) as part:
            await plant.told(is_power(30e3))
            for payload in STRANGE:
                for device in ("grid", "pcs1", "bms1"):
                    await plant.bus.send(TELEMETRY.at(site=site_name, device=device), payload)
                await plant.bus.send(OUTCOME.at(site=site_name, device="pcs1"), payload)
                await operator.send(CONTROL_REQUEST.at(site=site_name), payload)
                await optimize.send(PLAN.at(site=site_name), payload)
            await plant.told(is_power(30e3), within=20)
            assert part.counts["unhandled"] == part.counts["undecided"] == 0
        for at in (b"9999-12-31T00:00:00Z", b"0001-01-01T00:00:00Z", b"2026-01-01T00:00:00Z"):
            await optimize.send(PLAN.at(site=site_name), STRANGE_PLAN.replace(b"AT", at), retain=True)
            async with dispatching(broker, site, tmp_path) as part:
                await plant.told(lambda command: "p_set" in command.values, within=20)
                await operator.say(CONTROL_REQUEST, request("lockout"), site=site_name)
                await until(lambda: any(one.action is Action.STOP for one in plant.commands))
                await operator.say(CONTROL_REQUEST, request("auto"), site=site_name)
                await until(lambda: part.detail.startswith("auto"))
                assert part.counts["unhandled"] == part.counts["undecided"] == 0
            plant.ear.heard.clear()
        await optimize.send(PLAN.at(site=site_name), b"", retain=True)


async def test_a_disk_that_hangs_holds_up_no_lockout(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """The file it writes to is a pipe nobody reads: the kernel holds the write for ever."""
    site, pipe = plant_site(tmp_path, site_name), tmp_path / f"dispatch-{site_name}.json.new"
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "operator") as operator,
        dispatching(broker, site, tmp_path) as part,
    ):
        await plant.told(is_power(30e3))
        path = tmp_path / f"dispatch-{site_name}.json"
        await until(lambda: path.is_file() and '"ran":true' in path.read_text(encoding="utf-8"))  # the last for now
        os.mkfifo(pipe)
        began = len(plant.commands)
        await operator.say(CONTROL_REQUEST, request("lockout"), site=site_name)
        await until(lambda: any(is_power(0.0)(command) for command in plant.commands[began:]), within=1.5)
        await until(lambda: "not kept on the disk" in part.detail)
        assert part.detail.startswith("lockout")
        with await asyncio.to_thread(pipe.open, "rb") as reader:  # somebody reads at last
            await asyncio.to_thread(reader.read)
            pipe.unlink(missing_ok=True)
        await until(lambda: "not kept" not in part.detail)


async def test_without_a_folder_it_works_and_says_so(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "operator") as operator,
        dispatching(broker, site, tmp_path / "nowhere") as part,
    ):
        await plant.told(is_power(30e3))
        assert "not kept on the disk: [Errno 2] No such file or directory" in part.detail
        await operator.say(CONTROL_REQUEST, request("lockout"), site=site_name)
        await until(lambda: any(command.action is Action.STOP for command in plant.commands))


async def test_a_file_that_cannot_be_read_is_a_lockout(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name)
    (tmp_path / f"dispatch-{site_name}.json").write_bytes(b'{"mode": ')
    async with (
        plant_of(broker, site_name) as plant,
        on_the_bus(broker, "operator") as operator,
        dispatching(broker, site, tmp_path) as part,
    ):
        await until(lambda: any(command.action is Action.STOP for command in plant.commands))
        assert part.detail.startswith("lockout")
        await operator.say(CONTROL_REQUEST, request("auto"), site=site_name)
        await plant.told(is_power(30e3))
        assert (await asyncio.to_thread(read, tmp_path / f"dispatch-{site_name}.json")).mode is not None


async def test_a_site_that_is_only_watched_gets_no_command(broker: Broker, tmp_path: Path, site_name: str) -> None:
    site = plant_site(tmp_path, site_name, more='mode = "read_only"\n')
    async with plant_of(broker, site_name) as plant, dispatching(broker, site, tmp_path) as part:
        await until(lambda: part.detail.startswith("read only, would do this: auto: 30.0 kW"))
        await asyncio.sleep(1.5 * TICK)
        assert plant.commands == []


async def test_a_tariff_that_is_mended_is_taken_without_a_restart(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = plant_site(tmp_path, site_name, tariff="[import")
    async with plant_of(broker, site_name) as plant, dispatching(broker, site, tmp_path) as part:
        await plant.told(is_power(30e3))
        assert Cause.TARIFF in part.causes.names
        (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
        await until(lambda: Cause.TARIFF not in part.causes.names, within=60)
        await optimize_says_a_peak(broker, site_name)
        await plant.told(lambda one: one.values.get("p_set", 0.0) > 0, within=20)
        path = tmp_path / f"dispatch-{site_name}.json"
        await until(lambda: '"peak":88000.0' in path.read_text(encoding="utf-8"), within=20)


async def optimize_says_a_peak(broker: Broker, site: str) -> None:
    async with on_the_bus(broker, "optimize") as optimize:
        plan = discharging(70e3, lasts=60.0).model_copy(update={"peak": 88e3})
        await optimize.say(PLAN, plan, expiry=60, site=site)


async def test_who_reads_only_knows_what_is_done_and_why(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """A SCADA system that comes later, too; and what is over is not at the broker any more."""
    site, address = plant_site(tmp_path, site_name), CONTROL_DISPATCH.at(site=site_name)
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "operator") as operator:
        async with dispatching(broker, site, tmp_path):
            await plant.told(is_power(30e3))
            async with on_the_bus(broker, "scada") as scada:
                ear = Ear(scada, address)
                await until(lambda: any(said.power == 30e3 for said in ear.messages))
                assert ear.heard[0].retained
                assert ear.messages[-1].batteries["battery"].power == 30e3
                await operator.say(CONTROL_REQUEST, request("lockout", why="fire"), site=site_name)
                await until(lambda: ear.messages[-1].mode is Mode.LOCKOUT)
                assert ear.messages[-1].reason.endswith(": fire")
                plant.state["pcs1"] = {"p": 0.0, "state": "off"}
                await until(lambda: ear.messages[-1].batteries["battery"].reason == "the PCS is stopped")
                count, at = len(ear.heard), ear.messages[-1].at
                await until(lambda: len(ear.heard) > count, within=8)
                assert len(ear.heard) == count + 1
                assert ear.messages[-1].at - at > timedelta(seconds=3), "nothing has changed: it is said again"
                await ear.stop()
        await asyncio.sleep(COMMAND_TTL + 1)
        async with on_the_bus(broker, "scada") as scada:
            ear = Ear(scada, address)
            await asyncio.sleep(0.5)
            assert ear.heard == []
            await ear.stop()
