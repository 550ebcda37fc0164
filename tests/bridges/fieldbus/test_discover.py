"""`joulebus scan` names what stands at an address, whatever stands there."""

import asyncio
import re
import struct
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sunspec2.device import Model

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.discover import Chain, Found, decode, discover, fitting
from joulebus.cli import main
from joulebus.scan import scan, target
from schemas.profiles import PROFILES, load_profile
from schemas.site_device import Device as SiteDevice
from schemas.site_file import load_site
from schemas.troubles import Trouble
from simulator.service import SimulatedSite
from simulator.sunspec import chain
from tests.bridges.fieldbus.bare import Bare, held

PROFILED = {path.stem: load_profile(path.stem) for path in PROFILES.glob("*.toml")}
DER = range(701, 715)
NAMED = [1, *range(101, 104), *range(111, 114), *range(120, 125), 160, *range(201, 205), *range(211, 215)]
NAMED += [*range(701, 716), 802, 803]
Serve = Callable[..., AbstractAsyncContextManager[str]]


@asynccontextmanager
async def serve(words: list[int], start: int = 40000, *, refuses: ExcCodes | None = None) -> AsyncIterator[str]:
    """A Modbus server that holds these registers and nothing else; its address."""

    async def answer(*_: object) -> ExcCodes | None:
        return refuses

    block = SimData(start, values=words, datatype=DataType.REGISTERS)
    server = ModbusTcpServer([SimDevice(1, [block], action=answer)], address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    port = cast("asyncio.Server", server.transport).sockets[0].getsockname()[1]
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)


def device(*numbers: int, **values: dict[str, float | str]) -> list[int]:
    """The registers of a device as pysunspec2 builds them, `m701={"W": 5000}` filled in."""
    made = chain(dict.fromkeys(numbers, 0), rated=50_000.0, apparent=50_000.0)
    for key, points in values.items():
        number = int(key.removeprefix("m"))
        base = made.models[number]
        length = made.words[base + 1] + 2
        model = Model(number, data=packed([made.words[base + i] for i in range(length)]), model_len=length - 2)
        for name, value in points.items():
            setattr(model.points[name], "value" if isinstance(value, str) or name.endswith("_SF") else "cvalue", value)
        made.words.update(enumerate(struct.unpack(f">{length}H", model.get_mb()), base))
    return [made.words[address] for address in sorted(made.words)]


def packed(words: list[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)


async def look(address: str) -> Chain | None:
    line = Connection(address, 1.0)
    try:
        return await discover(line, 1)
    finally:
        line.close()


async def said(capsys: pytest.CaptureFixture[str], address: str, units: str | None = None) -> str:
    await scan(*target(address, units))
    return capsys.readouterr().out


async def test_the_simulated_pv_plant(capsys: pytest.CaptureFixture[str]) -> None:
    site = load_site(Path(__file__).parents[3] / "tests" / "one_battery.toml")
    async with SimulatedSite(site, free_ports=True) as simulated:
        address = next(one.address for one in simulated.site.device if one.name == "pv")
        out = await said(capsys, address)
    assert "unit 1: joulebus PV inverter 103 (simulated), serial SIM-pv" in out
    assert "  103 at 40070 Inverter (Three Phase): " in out
    block = tomllib.loads(out[out.index("[[device]]") :])["device"][0]
    assert SiteDevice(**block) == SiteDevice(
        name="pv", profile="sunspec_pv", address=address, unit=1, rated_power=150_000.0
    )


async def test_a_storage_inverter_of_ieee_1547_with_its_battery(capsys: pytest.CaptureFixture[str]) -> None:
    words = device(
        *DER, 802,
        m1={"Mn": "ACME", "Md": "Cube 50", "SN": "0815", "Vr": "1.2"},
        m701={"W": -12_340, "Hz": 50.02, "InvSt": 3},
        m702={"WMaxRtg": 50_000, "WDisChaRteMaxRtg": 48_000, "WChaRteMaxRtg": 45_000},
        m802={"SoC": 55.5, "V": 768.1, "State": 3},
    )  # fmt: skip
    async with serve(words) as address:
        out = await said(capsys, address)
        found = await look(address)
    assert found
    assert found.numbers == [1, *DER, 802]
    assert "unit 1: ACME Cube 50, serial 0815, version 1.2" in out
    assert "DER AC Measurement: InvSt RUNNING, W -12340 W, Hz 50.02 Hz" in out
    assert "Battery Base Model: State CONNECTED, SoC 55.5 %WHRtg, V 768.1 V" in out
    assert 'profile = "sunspec_storage_701"' in out
    assert "rated_power = 48000" in out
    blocks = tomllib.loads(out[out.index("[[device]]") :])["device"]
    assert [one["profile"] for one in blocks] == ["sunspec_storage_701", "sunspec_battery_802"]


@pytest.mark.parametrize(
    ("numbers", "profile"), [((103, 120, 123, 124, 160), "fronius_gen24"), ((103, 120, 123, 160), "sunspec_pv")]
)
async def test_a_maker_of_both_is_a_battery_where_the_model_is_that_steers_one(
    numbers: tuple[int, ...], profile: str
) -> None:
    async with serve(device(*numbers, m1={"Mn": "Fronius", "Md": "Symo"})) as address:
        found = await look(address)
    assert found
    assert [*fitting(found, PROFILED)] == [profile]


@pytest.mark.parametrize("number", NAMED)
async def test_every_model_is_named(number: int) -> None:
    async with serve(device(number)) as address:
        found = await look(address)
    assert found
    assert [bool(one.label) for one in found.models] == [True] * len(found.models)
    assert found.numbers[-1] == number
    assert "unusual" not in found.models[-1].label


@pytest.mark.parametrize("start", [0, 50000])
async def test_the_other_places_where_a_chain_may_begin(start: int) -> None:
    async with serve(device(103), start) as address:
        found = await look(address)
    assert found
    assert (found.start, found.models[0].address) == (start, start + 2)


async def test_a_device_without_sunspec(capsys: pytest.CaptureFixture[str]) -> None:
    async with serve([7] * 10, 100) as address:
        out = await said(capsys, address)
    assert "answers but does not speak SunSpec" in out
    assert "no shipped profile reads it" in out


async def test_a_device_without_sunspec_whose_registers_answer_as_those_of_a_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with SimulatedSite(
        load_site(Path(__file__).parents[3] / "tests" / "one_battery.toml"), free_ports=True
    ) as simulated:
        for one in simulated.site.device[:3]:
            out = await said(capsys, one.address)
            assert tomllib.loads(out[out.index("[[device]]") :])["device"][0]["profile"] == one.profile
            assert "compare" in out


async def test_several_units_and_one_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    async with serve(device(203)) as address:
        out = await said(capsys, address, "1,9")
    assert 'profile = "sunspec_meter_203"' in out
    assert "unit 9" in out


async def test_a_gateway_that_swallows_the_first_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    words = device(203)
    async with Bare(held(40000, words), quiet=1.5) as server:
        out = await said(capsys, server.address)
    assert 'profile = "sunspec_meter_203"' in out
    assert "# its [[device]] needs this: line = { connect_pause = 2.5 }" in out


async def test_an_inverter_with_two_meters_in_one_chain(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what it shows: somebody must say which stands at the grid connection."""
    production, grid = ([*device(203, m203={"W": watts})[2:-2]] for watts in (8000, -3000))
    words = [*device(103)[:-2], *production, *grid, 0xFFFF, 0]
    async with serve(words) as address:
        out = await said(capsys, address)
    blocks = tomllib.loads(out[out.index("[[device]]") :])["device"]
    assert [(one["name"], one.get("instance")) for one in blocks] == [("pv", None), ("meter1", 1), ("meter2", 2)]
    assert "# one unit, 2 devices: leave out what is not needed" in out
    assert re.search(r"instance = 1\n# model 203 at \d+, which shows W 8000 W", out)
    assert re.search(r"instance = 2\n# model 203 at \d+, which shows W -3000 W", out)
    assert all(SiteDevice(**one) for one in blocks)


async def test_what_is_odd_in_a_chain_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    async with Bare(held(40001, device(203)[:-2])) as server:
        out = await said(capsys, server.address)
    assert "# its chain is read, though it begins at 40001, one behind the 40000 of SunSpec" in out
    assert re.search(r"# its chain is read, though it has no end model: behind model 203 at \d+ comes exception 2", out)
    assert 'profile = "sunspec_meter_203"' in out


@pytest.mark.parametrize("end", [[], [0]], ids=["nothing", "half an end"])
async def test_a_chain_that_just_ends(end: list[int]) -> None:
    """SMA Tripower has no end model: what comes behind the last one is declined."""
    words = device(103, 120, 123)[:-2]
    async with Bare(held(40000, [*words, *end])) as server:
        found = await look(server.address)
    assert found
    assert found.numbers == [1, 103, 120, 123]


async def test_a_model_that_cannot_be_read_whole_is_named() -> None:
    words = device(103, 203, m203={"W": 5000})
    async with Bare(held(40000, words), refuses={(3, 40100): 2}) as server:
        found = await look(server.address)
    assert found
    assert found.numbers == [1, 103, 203]
    assert [bool(one.values) for one in found.models] == [True, False, True]


def test_nobody_at_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "tcp://127.0.0.1:9", "--units", "1-2"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("joulebus: nothing answers at tcp://127.0.0.1:9, units 1 to 2: no connection")
    assert "Traceback" not in said


async def test_a_gateway_without_that_unit_is_silence() -> None:
    async with serve([0, 0], refuses=ExcCodes.GATEWAY_NO_RESPONSE) as address:
        with pytest.raises(Unreachable, match="did not answer the gateway"):
            await look(address)


def test_a_scale_that_is_not_implemented_leaves_no_value() -> None:
    model = Model(103)
    model.points["W"].value, model.points["Hz"].value, model.points["Hz_SF"].value = 500, 5000, -2
    found = decode([*struct.unpack(f">{len(model.get_mb()) // 2}H", model.get_mb())])
    assert found.main == {"Hz": "50 Hz"}, "0x8000 as a scale: 500 W would be a lie"


def test_a_makers_own_model_and_one_of_the_wrong_length_are_named_and_not_believed() -> None:
    assert decode([64201, 2, 1, 2]) == Found(64201, 0, "", {}, {})
    odd = decode([803, 60, *[0] * 60])  # no string, and yet longer than the part without strings
    assert odd.label.endswith("(of an unusual length)")
    assert odd.values == {}


def a_chain(*numbers: int, maker: str = "ACME", **values: float) -> Chain:
    common = Found(1, 2, "Common", {"Mn": maker}, {})
    return Chain(1, 40000, [common, *(Found(one, 0, "x", dict(values), {}) for one in numbers)])


@pytest.mark.parametrize(
    ("made", "fits"),
    [
        (a_chain(101, 120), ["sunspec_pv_101"]),
        (a_chain(102, 120), ["sunspec_pv_102"]),
        (a_chain(103, 120, 123), ["sunspec_pv"]),
        (a_chain(111), ["sunspec_pv_111"]),
        (a_chain(112), ["sunspec_pv_112"]),
        (a_chain(113, 120, 123), ["sunspec_pv_113"]),
        (a_chain(103, 120, 123, 64800, maker="REFU Elektronik"), ["refustore_88k"]),
        (a_chain(103, 64201, maker="KACO new energy"), ["kaco_gridsave"]),
        (a_chain(701, 702, 704), ["sunspec_pv_701"]),
        (a_chain(701, 702, 704, WChaRteMaxRtg=5000.0), ["sunspec_storage_701"]),
        (a_chain(701, 702, 704, 713), ["sunspec_storage_701"]),
        (a_chain(103, 120, 203), ["sunspec_pv", "sunspec_meter_203"]),
        (a_chain(213), ["sunspec_meter_213"]),
        (a_chain(802, 803), ["sunspec_battery_802"]),
        (a_chain(201), ["sunspec_meter_201"]),
        (a_chain(214), ["sunspec_meter_214"]),
        (a_chain(103, 203, maker="SolarEdge"), ["sunspec_pv", "solaredge_meter"]),
        (a_chain(302), []),
    ],
)
def test_which_profile_fits(made: Chain, fits: list[str]) -> None:
    assert list(fitting(made, PROFILED)) == fits


@pytest.mark.parametrize(
    ("text", "units", "means"),
    [
        ("tcp://10.0.0.5", None, ("tcp://10.0.0.5:502", [1])),
        ("tcp://10.0.0.5:1502/7", None, ("tcp://10.0.0.5:1502", [7])),
        ("tcp://meter.local:502", "1-3,9", ("tcp://meter.local:502", [1, 2, 3, 9])),
        ("rtu+tcp://gw:4001/2", None, ("rtu+tcp://gw:4001", [2])),
        ("rtu:///dev/ttyUSB0?baud=19200", "4", ("rtu:///dev/ttyUSB0?baud=19200&parity=N&stop=1", [4])),
    ],
)
def test_an_address(text: str, units: str | None, means: Any) -> None:
    assert target(text, units) == means


@pytest.mark.parametrize(
    ("text", "units"), [("10.0.0.5", None), ("tcp://a:1", "5-1"), ("tcp://a:1", "1-400"), ("tcp://a:1", "x")]
)
def test_what_is_no_address(text: str, units: str | None) -> None:
    with pytest.raises(Trouble, match="write "):
        target(text, units)
