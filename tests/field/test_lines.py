"""Devices as they answer in the field: one bridge, one broker, a Modbus server for each story.

Each story names where it was reported; the numbers in brackets are those of the collection they come from. The devices
are told apart by the server they stand at, and all are read at the same time by one bridge in `read_only`.
"""

import asyncio
import contextlib
import itertools
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridges.fieldbus.modbus.blocks import locate
from bridges.service import run
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import DeviceState, DeviceStatus, Telemetry, Value
from schemas.profiles import load_profile
from schemas.site_file import load_site
from schemas.topics import DEVICE_STATUS, TELEMETRY
from tests.bridges.fieldbus.bare import Bare, Registers, held
from tests.bridges.liar import Liar, say
from tests.conftest import Broker
from tests.ear import Ear, ear

PLAIN = """\
make = "Test"
model = "plain"
kind = "{kind}"
source = "tests/field"
[points]
"""
OWN = {
    "plain_meter": PLAIN.format(kind="meter") + "p = { register = 1, unit = 'W' }\nu = { register = 2, unit = 'V' }\n",
    "two_places": PLAIN.format(kind="meter") + "p = { register = 1, unit = 'W' }\nu = { register = 5, unit = 'V' }\n",
    "goodwe_bms": PLAIN.format(kind="bms")
    + "u = { register = 35180, scale = 0.1, unit = 'V' }\nccl = { register = 37004, unit = 'A' }\n"
    "dcl = { register = 37005, unit = 'A' }\nsoc = { register = 37007, unit = '%' }\n",
    "sungrow_bms": PLAIN.format(kind="bms") + "soc = { register = 13022, function = 4, scale = 0.1, unit = '%' }\n",
    "huawei_bms": PLAIN.format(kind="bms") + "soc = { register = 37760, scale = 0.1, unit = '%' }\n",
}
HEAD = """\
site = "{site}"
tariff = "tariff.toml"
mode = "read_only"
[grid]
meter = "second_meter"
import_limit = 50e3
export_limit = 50e3
"""
METER = (203, 105)
LONG = 12.0
"""Seconds a story may take until it has come to its end."""


def chain(*models: tuple[int, int], end: tuple[int, ...] = (0xFFFF, 0)) -> tuple[Registers, list[int]]:
    """Registers of models (number, length), all 0, and where each begins."""
    words, begins = [0x5375, 0x6E53], []
    for model, length in models:
        begins.append(40000 + len(words))
        words += [model, length, *[0] * length]
    return held(40000, [*words, *end]), begins


def image(profile: str, *missing: int) -> Registers:
    """Every register of a plain profile holds 1, but for those that the model or firmware does not have."""
    located = locate(load_profile(profile), {})
    return {place: 1 for one in located for place in one.registers if place[1] not in missing}


def f32(value: float) -> list[int]:
    return list(struct.unpack(">2H", struct.pack(">f", value)))


def sma() -> Bare:
    registers, at = chain((1, 66), (103, 50), (120, 26), (123, 24), end=())
    return Bare(registers | held(at[1] + 14, [9800, 0]))


def solaredge() -> Bare:
    registers, at = chain((1, 65), (103, 50), (1, 65), METER, (1, 65), METER)
    registers |= held(at[1] + 14, [4000, 0]) | held(at[3] + 18, [8000]) | held(at[5] + 18, [-3000])
    return Bare(registers)


def float_inverter() -> Bare:
    registers, at = chain((1, 65), (113, 60))
    return Bare(registers | held(at[1] + 22, f32(5432.5)))


def asleep() -> Bare:
    """SolarEdge at night: what it does not have is `not implemented`, its event words, too."""
    registers, at = chain((1, 65), (101, 50))
    said = [0xFFFF, 0x8000, 0x8000, 1791, 0x8000, 0x8000, 0xFFFE, 2, 0, *[0xFFFF] * 12]
    return Bare(registers | held(at[1] + 29, [0xFFFF, 0x8000]) | held(at[1] + 31, said))


def rescaling() -> Bare:
    """650 W as 6500 x 10^-1 or as 650 x 10^0; both change together, before each second request."""
    registers, at = chain((1, 66), (701, 153), (702, 50), (704, 65))
    registers |= held(at[1] + 10, [650]) | held(at[1] + 113, [-1, -1, -2, 0, -3, 0, 0, 0, 0, 0])
    server = Bare(registers)

    def change() -> None:
        if len(server.asked) % 2 == 0:
            fine = server.registers[3, at[1] + 116] == 0
            server.registers.update(held(at[1] + 10, [6500 if fine else 650]) | held(at[1] + 116, [-1 if fine else 0]))

    server.before = change
    return server


def goodwe() -> Bare:
    """Its battery charges with 1800 W: FFFF F8F8."""
    return Bare(image("goodwe_et") | held(35180, [4000]) | held(37004, [25, 30, 1, 55]) | held(35182, [0xFFFF, 0xF8F8]))


@dataclass
class Told:
    """What the bridge has said."""

    samples: dict[str, list[Telemetry]]
    statuses: dict[str, list[DeviceStatus]]
    connections: dict[str, int]
    """Made to each server."""

    def seen(self, device: str) -> dict[str, Value]:
        """Every point, as it was said last and good."""
        samples = self.samples[device]
        return {name: value for one in samples for name, value in one.values.items() if name not in one.quality}

    def offline(self, device: str) -> str:
        """Why, in words."""
        assert not self.samples[device]
        return self.statuses[device][-1].reason


@dataclass
class Field:
    """The servers, and the blocks of the site file that lead to their devices."""

    servers: dict[str, Bare | Liar]
    blocks: list[str] = field(default_factory=list)

    def device(self, name: str, profile: str, server: str, more: str = "") -> None:
        where = f'name = "{name}"\nprofile = "{profile}"\naddress = "{self.servers[server].address}"'
        self.blocks.append(f"[[device]]\n{where}\n{more}\n")

    def battery(self, pcs: str, bms: str) -> None:
        self.blocks.insert(0, f'[[battery]]\nname = "{pcs}"\npcs = "{pcs}"\nbms = "{bms}"\nenergy = 10e3\n')


def the_field() -> Field:
    """The servers; their addresses are known when they run."""
    return Field(
        {
            "dongle": Bare(image("huawei_sun2000_luna"), quiet=1.0),
            "swallows": Bare(held(1, [5, 6]), quiet=1.0),
            "slow": Bare(held(1, [5, 6]), delay=1.3),
            "deaf": Bare(held(1, range(5)), deaf=0.3),
            "short": Bare(held(1, range(5)), most=1),
            "sma": sma(),
            "solaredge": solaredge(),
            "float": float_inverter(),
            "asleep": asleep(),
            "rescaling": rescaling(),
            "goodwe": goodwe(),
            "sungrow": Bare(image("sungrow_sh", 5634, 5635, 5241)),
            "numbers": Liar(lie=say(lambda asked: asked.registers(transaction=asked.transaction + 1))),
            "zeros": Liar(rtu=True, lie=say(lambda asked: asked.registers() + b"\0\0\0")),
            "gateway": Bare({}, always=11),
            "served": Bare({}, away=True),
            "two_at_once": Bare(held(1, [5, 6]), delays={1: 3.0}),
        }
    )


def the_site(it: Field) -> Field:
    """A device for each story, some for several."""
    rated = "rated_power = 10e3"
    it.device("dongle", "huawei_sun2000_luna", "dongle", f"{rated}\nline = {{ connect_pause = 1.2, timeout = 1 }}")
    it.device("dongle_bms", "huawei_bms", "dongle")
    it.device("swallows", "plain_meter", "swallows", "line = { timeout = 0.4 }")
    it.device("slow", "plain_meter", "slow", "line = { timeout = 3 }")
    it.device("too_slow", "plain_meter", "slow", "unit = 2\nline = { timeout = 0.5 }")
    it.device("deaf", "two_places", "deaf", "line = { request_pause = 0.32 }")
    it.device("short", "plain_meter", "short", "line = { most_registers = 1 }")
    it.device("sma", "sunspec_pv", "sma", rated)
    it.device("inverter", "sunspec_pv", "solaredge", rated)
    it.device("first_meter", "sunspec_meter_203", "solaredge", "instance = 1")
    it.device("second_meter", "sunspec_meter_203", "solaredge", "instance = 2")
    it.device("which_meter", "sunspec_meter_203", "solaredge", "unit = 2")
    it.device("float", "sunspec_pv_113", "float", rated)
    it.device("asleep", "sunspec_pv_101", "asleep", rated)
    it.device("rescaling", "sunspec_pv_701", "rescaling", f"{rated}\npoll = 0.2")
    it.device("goodwe", "goodwe_et", "goodwe", f"{rated}\nunit = 247")
    it.device("goodwe_bms", "goodwe_bms", "goodwe", "unit = 247")
    it.device("sungrow", "sungrow_sh", "sungrow", rated)
    it.device("sungrow_bms", "sungrow_bms", "sungrow")
    it.device("numbers", "plain_meter", "numbers", "line = { timeout = 0.3 }")
    it.device("zeros", "plain_meter", "zeros", "line = { timeout = 0.3 }")
    it.device("gateway", "sunspec_meter_203", "gateway", "unit = 101")
    it.device("served", "plain_meter", "served", "poll = 0.2")
    it.device("three_seconds", "plain_meter", "two_at_once", "line = { timeout = 4, connections = 2 }")
    it.device("beside_it", "plain_meter", "two_at_once", "unit = 2\npoll = 0.5")
    for name in ("dongle", "goodwe", "sungrow"):
        it.battery(name, f"{name}_bms")
    return it


READ = {
    "dongle": 2, "dongle_bms": 2, "swallows": 2, "slow": 1, "deaf": 2, "short": 2, "sma": 2, "inverter": 2,
    "first_meter": 2, "second_meter": 2, "float": 2, "asleep": 4, "rescaling": 12, "goodwe": 3, "goodwe_bms": 2,
    "sungrow": 3, "sungrow_bms": 2, "three_seconds": 1, "beside_it": 8,
}  # fmt: skip
"""Readings of each after which its story is told."""
SILENT = ["too_slow", "which_meter", "numbers", "zeros", "gateway", "served"]


LONGEST = 120.0
"""Seconds all lines may take together; about 20 are usual."""


async def _tell(folder: Path, broker: Broker) -> Told:
    it, site = the_field(), f"field-{secrets.token_hex(4)}"
    (folder / "profiles").mkdir()
    for name, text in OWN.items():
        (folder / "profiles" / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    async with contextlib.AsyncExitStack() as stack:
        for server in it.servers.values():
            await stack.enter_async_context(server)
        it = the_site(it)
        (folder / "site.toml").write_text(HEAD.format(site=site) + "\n".join(it.blocks), encoding="utf-8")
        settings = Settings(parse_broker(broker.url("bridge"), "bridge", None, {}), "", None, folder)
        hears = await stack.enter_async_context(ear(broker.url("admin"), f"ems/v1/{site}/#"))
        running = asyncio.create_task(run(Part("bridge", load_site(folder / "site.toml"), settings)))
        with contextlib.suppress(TimeoutError):
            await asyncio.gather(
                *(_read(hears, *one) for one in READ.items()), *(_silent(hears, one) for one in SILENT)
            )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        names = [*READ, *SILENT]
        return Told(
            {name: hears.all(TELEMETRY, device=name) for name in names},
            {name: hears.all(DEVICE_STATUS, device=name) for name in names},
            {name: one.connected for name, one in it.servers.items() if isinstance(one, Bare)},
        )


async def _read(hears: Ear, name: str, times: int) -> None:
    await hears.until(TELEMETRY, lambda one: one.seq >= times, LONG, device=name)


async def _silent(hears: Ear, name: str) -> None:
    await hears.until(DEVICE_STATUS, lambda one: one.state is DeviceState.OFFLINE, LONG, device=name)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Told:
    return asyncio.run(asyncio.wait_for(_tell(tmp_path_factory.mktemp("lines"), broker), LONGEST))


# a line has manners -----------------------------------------------------------------------------


def test_nothing_is_asked_in_the_first_second_of_a_connection(told: Told) -> None:
    """[01] https://github.com/ioBroker/ioBroker.modbus/issues/250, https://github.com/openhab/openhab-core/issues/2926"""
    assert told.seen("dongle")["p"] == -65537.0
    assert told.seen("dongle_bms")["soc"] == 0.1
    assert told.connections["dongle"] == 1


def test_a_connection_is_kept_while_nothing_comes(told: Told) -> None:
    """[01] Without a word about the pause: a new connection after each failure would begin the silence anew."""
    assert told.seen("swallows") == {"p": 5.0, "u": 6.0}
    assert told.connections["swallows"] == 1


def test_a_device_that_answers_late_is_read_where_its_line_gives_it_the_time(told: Told) -> None:
    """https://github.com/WillCodeForCats/solaredge-modbus-multi/pull/398; where not, it is said."""
    assert told.seen("slow") == {"p": 5.0, "u": 6.0}
    assert told.connections["slow"] == 1
    assert "no answer" in told.offline("too_slow")


def test_a_pause_between_two_requests(told: Told) -> None:
    """[30] https://github.com/Pho3niX90/solis_modbus/issues/480, https://github.com/openWB/core/pull/2184"""
    assert told.seen("deaf") == {"p": 0.0, "u": 4.0}
    assert told.seen("short") == {"p": 0.0, "u": 1.0}


def test_an_answer_with_the_number_of_another_question_is_named(told: Told) -> None:
    """[31] https://github.com/kellerza/sunsynk/issues/680, https://github.com/pymodbus-dev/pymodbus/issues/2762"""
    assert "it numbers its answers wrongly, or another one's came" in told.offline("numbers")


def test_zeros_behind_each_frame_are_named(told: Told) -> None:
    """[32] https://github.com/home-assistant/core/issues/69742"""
    assert "an answer of 9 bytes was due, 12 came" in told.offline("zeros")


def test_a_gateway_without_that_unit_is_named(told: Told) -> None:
    """[38] https://github.com/volkszaehler/mbmd/issues/69"""
    assert told.offline("gateway").startswith("the device did not answer the gateway (exception 11)")


def test_a_device_that_serves_another_client_is_named_and_left_alone_for_a_while(told: Told) -> None:
    """https://github.com/ioBroker/ioBroker.modbus/issues/214, https://github.com/home-assistant/core/issues/149494"""
    reasons = [one.reason for one in told.statuses["served"]]
    assert any("it may serve one client only, and another one is connected" in reason for reason in reasons)
    assert told.connections["served"] < 12


def test_a_unit_that_needs_3_s_delays_no_other_where_the_gateway_bears_two_connections(told: Told) -> None:
    """https://github.com/thingsboard/thingsboard-gateway/issues/1670: some bear two, some more."""
    assert told.seen("three_seconds") == told.seen("beside_it") == {"p": 5.0, "u": 6.0}
    assert told.connections["two_at_once"] == 2
    times = [one.at.timestamp() for one in told.samples["beside_it"]]
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) < 1.5


# SunSpec as it is -------------------------------------------------------------------------------


def test_a_chain_without_an_end_model(told: Told) -> None:
    """[03] https://github.com/bikeshedder/sunspec/pull/20: SMA Tripower answers exception 2 behind its last model."""
    assert told.seen("sma")["p"] == 9800.0


def test_the_second_meter_of_a_chain(told: Told) -> None:
    """[05] https://github.com/erikarenhill/solaredge-modbus-hass/pull/17: M1 measures production, M2 the grid."""
    assert told.seen("second_meter")["p"] == -3000.0
    assert told.seen("first_meter")["p"] == 8000.0
    assert told.seen("inverter")["p"] == 4000.0
    assert told.connections["solaredge"] == 1
    assert "model 203 2 times, instance 1 at 40188, instance 2 at 40362: write" in told.offline("which_meter")


def test_an_inverter_that_speaks_floats(told: Told) -> None:
    """[27] https://github.com/volkszaehler/mbmd/pull/139: what a Fronius does when nobody has set it otherwise."""
    assert told.seen("float")["p"] == 5432.5


def test_an_inverter_asleep_has_no_alarms(told: Told) -> None:
    """[26] https://github.com/tjko/sunspec-monitor/issues/16: 65535 is what it does not have."""
    seen = told.seen("asleep")
    assert seen["state"] == "sleeping"
    assert seen["t_heatsink"] == 17.91
    assert {"alarms", "dc_u"}.isdisjoint(seen)


def test_a_power_that_is_scaled_anew_does_not_jump(told: Told) -> None:
    """[25] https://github.com/CJNE/ha-sunspec/issues/14, https://github.com/CJNE/ha-sunspec/issues/40"""
    assert {one.values["p"] for one in told.samples["rescaling"] if "p" in one.values} == {650.0}
    assert len(told.samples["rescaling"]) >= READ["rescaling"]


# a unit, and what it lacks ----------------------------------------------------------------------


def test_a_hybrid_is_several_devices_of_one_unit(told: Told) -> None:
    """[06] https://github.com/OpenEMS/openems/pull/3994, https://github.com/evcc-io/evcc/pull/12833"""
    seen = told.seen("goodwe_bms")
    assert seen == {"u": 400.0, "ccl": 25.0, "dcl": 30.0, "soc": 55.0}
    assert told.connections["goodwe"] == 1


def test_the_battery_power_of_a_goodwe_has_a_sign(told: Told) -> None:
    """[37] https://github.com/evcc-io/evcc/issues/12471"""
    assert told.seen("goodwe")["p"] == -1800.0


def test_a_register_that_a_firmware_lacks_costs_one_point(told: Told) -> None:
    """[33] https://github.com/bohdan-s/SunGather/issues/155, https://github.com/wlcrs/huawei_solar/issues/324"""
    profile = load_profile("sungrow_sh")
    lost = {one.name for one in locate(profile, {}) if {5634, 5635, 5241} & {at for _, at in one.registers}}
    fast = {name for name, one in profile.points.items() if one.rate == "fast"}
    assert lost
    assert fast - lost <= {name for one in told.samples["sungrow"] for name in one.values}
    assert not lost & {name for one in told.samples["sungrow"] for name in one.values}
    said = told.statuses["sungrow"][-1]
    assert said.state is DeviceState.ONLINE
    assert "missing_points" in said.causes
    assert "(exception 2), reading register 5241 by function 4" in said.reason
