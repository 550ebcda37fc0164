"""A Modbus device keeps the contract of a field device: what it writes, what it shows, and how it says no."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable, Watchdog, Writable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import Action
from schemas.profiles import load_profile
from simulator.device import Device as Simulated
from simulator.device import Endpoint, Puppet
from simulator.image import Image
from tests.bridges.fieldbus.bare import Bare, Registers, device, held, made
from tests.bridges.liar import EXCEPTIONS

RATED = 50_000.0


def sunspec(*models: tuple[int, int], start: int = 40000) -> tuple[Registers, dict[int, int]]:
    """Registers of a chain of (model, length), all 0, and where each model begins."""
    words, bases = [0x5375, 0x6E53], dict[int, int]()
    for model, length in models:
        bases[model] = start + len(words)
        words += [model, length, *[0] * length]
    return held(start, [*words, 0xFFFF, 0]), bases


# what it is told --------------------------------------------------------------------------------


def test_a_shipped_device_in_the_words_of_the_contract() -> None:
    async def told() -> None:
        one: FieldDevice = device(load_profile("sunspec_storage_701"), "tcp://127.0.0.1:9", rated=RATED)
        assert (one.name, one.kind.value, one.poll) == ("pcs", "pcs", 1.0)
        assert (one.rated_power, one.rated_apparent_power, one.writable) == (RATED, RATED, True)
        assert (one.watchdog, one.heartbeat) == (Watchdog(10.0, "write"), 1.0)
        assert one.commands == {
            "p_set": Writable("p_set", -RATED, RATED, None),
            "p_limit_pct": Writable("p_limit_pct", 0.0, 100.0, 100.0),
            "q_set": Writable("q_set", -RATED, RATED, 0.0),
        }
        assert set(one.actions) == {Action.START, Action.STOP, Action.STANDBY, Action.RESET}
        assert {"p", "hb_device", "p_limit_state"} <= set(one.points)
        one.close()

    asyncio.run(told())


PERCENT = """\
p_set_pct = { register = 10, type = "i16", scale = 0.1, unit = "%" }
q_set_pct = { register = 11, type = "i16", unit = "%" }
on = { register = 12, enum = { 0 = "off", 1 = "on" } }
[commands]
q_set_pct = { register = 11, type = "i16", unit = "%", low = -60, high = 60, fallback = 0, memory = "eeprom" }
[commands.p_set_pct]
register = 10
type = "i16"
scale = 0.1
unit = "%"
low = -80
high = 100
fallback = 10
deadband = 2
enable = 12
"""


async def test_percent_of_the_rating_is_given_in_watts_and_var() -> None:
    async with Bare(held(10, [0, 0, 0])) as server:
        one = device(made(PERCENT), server.address, rated=RATED)
        larger = one.device.model_copy(update={"rated_apparent_power": 60_000.0})
        one = ModbusDevice(larger, one.profile, one.line, writable=True)
        assert one.commands == {
            "p_set": Writable("p_set", -40_000.0, RATED, 5_000.0, deadband=1000.0),
            "q_set": Writable("q_set", -36_000.0, 36_000.0, 0.0, interval=300.0, per_day=50, wears=True),
        }
        assert [one.step("p_set"), one.step("q_set")] == pytest.approx([50.0, 600.0])
        await one.write("p_set", -15_000.0)
        await one.write("q_set", 30_000.0)
        assert [server.registers[3, at] for at in (10, 11, 12)] == [0x10000 - 300, 50, 1]
        seen = (await one.read()).values
        assert (one.held("p_set", -15_000.0, seen), one.held("q_set", 30_000.0, seen)) == (-15_000.0, 30_000.0)
        assert one.beside("p_set", 1.0) == ["p_set_pct", "on"]
        assert one.meta().commands == ["p_set", "pf_set", "q_set"]
        one.close()


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ("", {"interval": 0.0, "per_day": 100_000, "wears": False}),
        (', memory = "eeprom"', {"interval": 300.0, "per_day": 50, "wears": True}),
        (', memory = "eeprom", interval = 5, per_day = 7', {"interval": 5.0, "per_day": 7, "wears": True}),
        (", interval = 5, deadband = 0.5", {"interval": 5.0, "deadband": 0.5}),
    ],
)
async def test_how_often_it_may_be_written(more: str, wanted: dict[str, Any]) -> None:
    profile = made(f"x = {{ register = 1 }}\n[commands]\nx = {{ register = 1, low = 0, high = 9, fallback = 3{more} }}")
    one = device(profile, "tcp://127.0.0.1:9")
    assert one.commands["x"] == replace(Writable("x", 0.0, 9.0, 3.0), **wanted)
    one.close()


# enable -----------------------------------------------------------------------------------------


async def limited(server: Bare) -> tuple[FieldDevice, int]:
    """A SunSpec PV inverter with its limit at 30 %, and where model 123 begins."""
    registers, bases = sunspec((1, 66), (103, 50), (120, 26), (123, 24))
    server.registers.update(registers | held(bases[123] + 5, [0]) | held(bases[123] + 23, [0]))
    one = device(load_profile("sunspec_pv"), server.address, rated=10_000)
    await one.write("p_limit_pct", 30.0)
    return one, bases[123]


async def test_an_enable_that_the_device_takes_back_is_seen_and_renewed() -> None:
    """The inverter's reversion timer clears WMaxLim_Ena and leaves WMaxLimPct as it was."""
    async with Bare({}) as server:
        one, base = await limited(server)
        assert server.written == [(base + 5, (30,)), (base + 9, (1,))]
        assert one.beside("p_limit_pct", 30.0) == ["p_limit_pct", "p_limit_state"]
        seen = (await one.read()).values
        assert one.held("p_limit_pct", 30.0, seen) == 30.0
        server.registers[3, base + 9] = 0
        seen = (await one.read()).values
        assert (seen["p_limit_pct"], one.held("p_limit_pct", 30.0, seen)) == (30.0, math.inf)
        await one.write("p_limit_pct", 30.0)
        assert one.held("p_limit_pct", 30.0, (await one.look(*one.beside("p_limit_pct", 30.0))).values) == 30.0
        one.close()


async def test_a_new_value_is_enabled_anew() -> None:
    async with Bare({}) as server:
        one, base = await limited(server)
        await one.write("p_limit_pct", 40.0)
        assert server.written[2:] == [(base + 5, (40,)), (base + 9, (1,))]
        await one.write("p_limit_pct", 40.0, anew=True)
        assert server.written[4:] == [(base + 5, (40,)), (base + 9, (1,))], "it begins the device's time again"
        one.close()


@pytest.mark.parametrize(
    ("factor", "raw"),
    [(0.95, 0x10000 - 95), (-0.95, 95), (1.0, 100), (-1.0, 100), (0.999, 0x10000 - 99)],
    ids=["over-excited", "under-excited", "1", "-1", "nearly 1"],
)
async def test_a_power_factor_by_the_eei(factor: float, raw: int) -> None:
    """Over-excited is negative in model 123; 1 and -1 are the same, and not every device takes -1."""
    async with Bare({}) as server:
        registers, bases = sunspec((1, 66), (103, 50), (120, 26), (123, 24))
        server.registers.update(registers | held(bases[123] + 10, [0]) | held(bases[123] + 24, [0x10000 - 2]))
        one = device(load_profile("sunspec_pv"), server.address, rated=10_000)
        await one.write("pf_set", factor)
        assert server.written == [(bases[123] + 10, (raw,)), (bases[123] + 14, (1,))]
        seen = (await one.look(*one.beside("pf_set", factor))).values
        shows = one.held("pf_set", factor, seen)
        assert shows == pytest.approx(factor, abs=0.01)
        server.registers[3, bases[123] + 14] = 0
        assert one.held("pf_set", factor, (await one.look(*one.beside("pf_set", factor))).values) == math.inf
        one.close()


@pytest.mark.parametrize(
    ("seen", "held"),
    [
        ({}, None),
        ({"p_limit_pct": 30.0}, None),
        ({"p_limit_state": "enabled"}, None),
        ({"p_limit_state": "disabled"}, math.inf),
        ({"p_limit_pct": 30.0, "p_limit_state": "disabled"}, math.inf),
        ({"p_limit_pct": 30.0, "p_limit_state": "unknown_7"}, math.inf),
        ({"p_limit_pct": 25.0, "p_limit_state": "enabled"}, 25.0),
    ],
)
async def test_what_is_held(seen: dict[str, Any], held: float | None) -> None:
    one = device(load_profile("sunspec_pv"), "tcp://127.0.0.1:9", rated=10_000)
    assert one.held("p_limit_pct", 30.0, seen) == held
    one.close()


@pytest.mark.parametrize(
    ("value", "seen", "held"),
    [
        (3000.0, {"p_set": 3000.0, "p_set_mode": "discharge", "ems_mode": "forced"}, 3000.0),
        (-3000.0, {"p_set": 3000.0, "p_set_mode": "discharge", "ems_mode": "forced"}, math.nan),
        (-3000.0, {"p_set": -3000.0, "p_set_mode": "charge", "ems_mode": "forced"}, -3000.0),
        (0.0, {"p_set": 0.0, "p_set_mode": "stop", "ems_mode": "forced"}, 0.0),
        (3000.0, {"p_set": 3000.0, "p_set_mode": "discharge", "ems_mode": "self_consumption"}, math.nan),
        (3000.0, {"p_set": 3000.0, "p_set_mode": "discharge"}, None),
    ],
)
async def test_what_is_held_of_an_amount_and_a_mode(value: float, seen: dict[str, Any], held: float | None) -> None:
    one = device(load_profile("sungrow_sh"), "tcp://127.0.0.1:9", rated=10_000)
    assert one.beside("p_set", value) == ["p_set", "ems_mode", "p_set_mode"]
    found = one.held("p_set", value, seen)
    assert found == held or (found is not None and held is not None and math.isnan(found) and math.isnan(held))
    one.close()


# scales -----------------------------------------------------------------------------------------


async def test_the_step_is_the_devices_own_and_no_limit_is_rounded_over() -> None:
    """WSet_SF = 3: the register moves by 1 kW, and 15.3 kW are told as 15 kW."""
    registers, bases = sunspec((1, 66), (701, 153), (702, 50), (704, 65))
    base = bases[704]
    async with Bare(registers | held(base + 55, [3])) as server:
        one = device(load_profile("sunspec_storage_701"), server.address, rated=RATED)
        await one.read()
        assert one.step("p_set") == 1000.0
        for told, kilowatts in ((15_300.0, 15), (15_999.0, 15), (-15_999.0, -15), (16_000.0, 16), (0.0, 0)):
            await one.write("p_set", told)
            assert server.registers[3, base + 25] == kilowatts & 0xFFFF
        server.registers[3, base + 55] = 2  # it scales anew
        await one.read()
        assert one.step("p_set") == 100.0
        await one.write("p_set", 15_300.0)
        assert server.registers[3, base + 25] == 153
        server.registers[3, base + 55] = 0xFFFF  # between the reading and the write
        await one.write("p_set", 15_300.0)
        assert one.step("p_set") == pytest.approx(0.1)
        server.registers[3, base + 55] = 0x8000
        with pytest.raises(Declined, match=r"p_set has no scale: register .* says `not implemented`"):
            await one.write("p_set", 15_300.0)
        one.close()


# no ---------------------------------------------------------------------------------------------

METHODS: dict[str, Callable[[FieldDevice], Awaitable[object]]] = {
    "read": lambda one: one.read(),
    "look": lambda one: one.look("p", "x"),
    "write": lambda one: one.write("p_set", 1000.0),
    "write of a limit": lambda one: one.write("p_limit_pct", 50.0),
    "write of nothing": lambda one: one.write("p_set", math.nan),
    "write of too much": lambda one: one.write("p_set", 1e300),
    "write of infinity": lambda one: one.write("p_set", -math.inf),
    "write of what it cannot be told": lambda one: one.write("x", 1.0),
    "start": lambda one: one.act(Action.START),
    "grid forming": lambda one: one.act(Action.GRID_FORMING),
    "arm": lambda one: one.arm(),
    "armed": lambda one: one.armed(),
    "beat": lambda one: one.beat(),
}
PROFILES = ["sunspec_storage_701", "sungrow_sh", "kaco_gridsave", "sinexcel_pws2", "huawei_sun2000_luna"]


def there(profile: str) -> Registers:
    """A device that is there; of SunSpec with the models of its own power and no others."""
    if load_profile(profile).sunspec:
        return sunspec((1, 66), (103, 50), (701, 153))[0]
    return held(0, [0] * 65_536) | held(0, [0] * 65_536, 4)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("code", [0, *EXCEPTIONS])
async def test_whatever_a_device_answers_there_are_two_ways_to_say_no(profile: str, code: int) -> None:
    shipped = load_profile(profile).model_copy(update={"line": made("x = { register = 1 }").line})
    said: dict[str, str] = {}
    async with Bare(there(profile), always=code) as server:
        for name, does in METHODS.items():
            one = device(shipped, server.address, rated=RATED)
            try:
                await does(one)
            except (Unreachable, Declined) as no:
                said[name] = str(no)
            one.close()
    assert all(said.values())
    assert {"write of nothing", "write of too much", "write of infinity"} <= said.keys()
    assert code == 0 or {"read", "write", "write of a limit", "start"} <= said.keys()


@pytest.mark.parametrize("does", METHODS.values(), ids=METHODS)
async def test_nobody_there_is_unreachable(does: Callable[[FieldDevice], Awaitable[object]]) -> None:
    one = device(load_profile("sunspec_storage_701"), "tcp://127.0.0.1:9", rated=RATED)
    one.line = Connection("tcp://127.0.0.1:9", 0.2)
    with pytest.raises((Unreachable, Declined)) as no:
        await does(one)
    assert isinstance(no.value, Unreachable) or "it cannot be told" in str(no.value) or "has no grid" in str(no.value)
    one.close()


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("start", "the device has no model 715"),
        ("grid forming", "it has no grid_forming; there is: start, stop, standby, reset"),
        ("write", "the device has no model 704"),
        ("write of what it cannot be told", "it cannot be told x; there is: p_set, p_limit_pct"),
        ("arm", "the device has no model 704"),
    ],
)
async def test_a_model_that_is_missing_is_a_declined_action(does: str, says: str) -> None:
    async with Bare(there("sunspec_storage_701")) as server:
        one = device(load_profile("sunspec_storage_701"), server.address, rated=RATED)
        await one.read()
        assert list(one.actions) == []
        assert one.meta().commands == []
        assert await one.armed() is None
        with pytest.raises(Declined, match=says):
            await METHODS[does](one)
        assert server.written == []
        seen = await one.read()
        assert seen.declined["p_set"] == "the device has no model 704"
        one.close()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1e9, "p_set of 1e\\+09 does not fit its register"),
        (-4e6, "does not fit"),
        (math.nan, "p_set of nan does not fit"),
        (math.inf, "p_set of inf does not fit"),
    ],
)
async def test_a_value_that_does_not_fit_is_declined_before_anything_is_sent(value: float, says: str) -> None:
    async with Bare(held(0, [0] * 1000)) as server:
        one = device(load_profile("sinexcel_pws2"), server.address, rated=RATED)
        with pytest.raises(Declined, match=says):
            await one.write("p_set", value)
        assert server.written == []
        one.close()


async def test_function_6_never_writes_a_part() -> None:
    """-5 kW as an i32 by function 6 would be its first word alone: -65.5 kW."""
    async with Bare(held(10, [0, 0])) as server:
        line = Connection(server.address)
        for function, words in ((6, [0xFFFF, 0xEC78]), (6, []), (16, []), (16, [0] * 124), (5, [1])):
            with pytest.raises(
                Declined, match=rf"function {function} is for \d+ registers? at most, not {len(words)}: "
            ):
                await line.write(1, function, 10, words)
        for bad in ([-1], [0x10000]):
            with pytest.raises(Declined, match="are not words of 16 bits: none was sent"):
                await line.write(1, 16, 10, bad)
        for start, count in ((65_535, 2), (0, 126), (0, 0)):
            with pytest.raises(Declined):
                await line.read(1, 3, start, count)
        assert server.asked == []
        register = "register = 10, type = 'i32', unit = 'W'"
        profile = made(f"p_set = {{ {register} }}\n[commands]\np_set = {{ {register}, low = -1, high = 1 }}")
        wrong = profile.commands["p_set"].model_copy(update={"write": 6})
        one = device(profile.model_copy(update={"commands": {"p_set": wrong}}), server.address, rated=RATED)
        with pytest.raises(Declined, match="function 6 is for 1 register at most, not 2: none was sent"):
            await one.write("p_set", -5000.0)
        assert server.written == []
        line.close()
        one.close()


async def test_a_write_that_is_declined_on_the_way_says_how_far_it_came() -> None:
    registers, bases = sunspec((1, 66), (103, 50), (123, 24))
    ena = bases[123] + 9
    async with Bare(registers, refuses={(16, ena): 3}) as server:
        one = device(load_profile("sunspec_pv"), server.address, rated=RATED)
        with pytest.raises(
            Declined, match=rf"does not accept .* writing register {ena} .*; 1 of 2 writes were made before"
        ):
            await one.write("p_limit_pct", 30.0)
        one.close()


async def test_a_watched_device_is_never_written() -> None:
    async with Bare(held(0, [0] * 1000)) as server:
        one = device(load_profile("sinexcel_pws2"), server.address, rated=RATED, writable=False)
        await one.arm()
        await one.beat()
        for does in ("write", "start"):
            with pytest.raises(Declined, match="only watched"):
                await METHODS[does](one)
        assert server.written == []
        one.close()


# watchdog and life ------------------------------------------------------------------------------


async def test_the_watchdog_is_read_back() -> None:
    async with Bare(held(0, [0] * 1000)) as server:
        one = device(load_profile("sinexcel_pws2"), server.address, rated=RATED)
        await one.read()
        assert server.written == [], "to read is not to arm"
        assert await one.armed() is False
        await one.arm()
        assert server.written == [(327, (10,))]
        assert await one.armed() is True
        await one.arm()
        assert server.written == [(327, (10,))], "it holds it already"
        server.registers[3, 327] = 60
        assert await one.armed() is False
        server.refuses = {(3, 327): 2}
        assert await one.armed() is None
        one.close()


async def test_a_watchdog_that_is_fed_by_a_write_is_written_each_time() -> None:
    registers, bases = sunspec((1, 66), (701, 153), (704, 65))
    async with Bare(registers) as server:
        one = device(load_profile("sunspec_storage_701"), server.address, rated=RATED)
        for _ in range(3):
            await one.arm()
        assert server.written == [(bases[704] + 31, (0, 10))] * 3
        assert await one.armed() is True
        one.close()


async def test_after_it_was_forgotten_nothing_is_written_where_something_else_was() -> None:
    """A device that was away may have another chain of models: its registers have moved."""
    registers, bases = sunspec((1, 66), (103, 50), (123, 24))
    async with Bare(registers) as server:
        one = device(load_profile("sunspec_pv"), server.address, rated=RATED)
        await one.write("p_limit_pct", 30.0)
        moved, now = sunspec((1, 66), (103, 50), (120, 26), (123, 24))
        server.registers.clear()
        server.registers.update(moved)
        server.asked.clear()
        one.forget()
        await one.write("p_limit_pct", 30.0)
        assert now[123] != bases[123]
        assert server.written == [(now[123] + 5, (30,)), (now[123] + 9, (1,))]
        one.close()


async def test_a_heartbeat_that_is_busy_once_is_not_given_up() -> None:
    command = "[commands]\nx = { register = 1, low = 0, high = 1, fallback = 0 }"
    body = f"x = {{ register = 1 }}\n{command}\n[heartbeat]\nregister = 5"
    async with Bare(held(1, range(9)), refuses={(16, 5): 4}) as server:
        one = device(made(body), server.address)
        with pytest.raises(Declined, match="failed inside"):
            await one.beat()
        server.refuses = {}
        await one.beat()
        assert server.registers[3, 5] == 2
        server.refuses = {(16, 5): 2}
        await one.beat()
        asked = len(server.asked)
        await one.beat()
        assert len(server.asked) == asked, "it does not have one"
        one.close()


@pytest.mark.parametrize("end", [[], [0]], ids=["nothing", "half an end"])
async def test_a_chain_of_models_that_just_ends(end: list[int]) -> None:
    """SMA Tripower has no end model; some have one register of it."""
    registers, bases = sunspec((1, 66), (103, 50), (120, 26), (123, 24))
    last = bases[123] + 26
    del registers[3, last], registers[3, last + 1]
    registers |= held(last, end) | held(bases[103] + 14, [9800, 0])
    async with Bare(registers) as server:
        one = device(load_profile("sunspec_pv"), server.address, rated=RATED)
        assert (await one.read()).values["p"] == 9800.0
        one.close()


@pytest.mark.parametrize(
    ("refuses", "says"),
    [
        ({}, "no SunSpec marker at 40000, 0 or 50000$"),
        ({(3, 40000): 4}, r"no SunSpec marker at 40000, 0 or 50000; the device has failed inside \(exception 4\)"),
        ({(3, 40000): 11}, r"^the device did not answer the gateway \(exception 11\)"),
    ],
)
async def test_why_there_are_no_models_is_said(refuses: dict[tuple[int, int], int], says: str) -> None:
    async with Bare(held(7, [1]), refuses=refuses) as server:
        one = device(load_profile("sunspec_pv"), server.address, rated=RATED)
        with pytest.raises(Declined, match=says):
            await one.read()
        one.close()


async def test_what_the_simulator_plays_is_told_and_read_back() -> None:
    """Every shipped command, over a real server: what was written is held, and says so."""
    for name in PROFILES:
        profile = load_profile(name).model_copy(update={"line": made("x = { register = 1 }").line}).rated(RATED)
        image = Image(profile, rated=RATED)
        async with Endpoint("127.0.0.1", 0, {1: Simulated(name, image, Puppet())}) as endpoint:
            one = device(profile, f"tcp://127.0.0.1:{endpoint.port}", rated=RATED)
            for command, writable in one.commands.items():
                for share in (0.3, -0.2, 0.0):
                    value = max(writable.low, share * writable.high)
                    await one.write(command, value)
                    seen = (await one.look(*one.beside(command, value))).values
                    assert one.held(command, value, seen) == pytest.approx(value, abs=one.step(command)), (
                        name,
                        command,
                    )
                    again = await one.write(command, value)
                    assert again.times <= (0 if writable.wears else 1)
            one.close()
