"""`joulebus scan` of a whole site: by reading alone it finds what belongs together and which meter sees the battery."""

import asyncio
import math
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from joulebus.battery_guess import Guess, batteries
from joulebus.cli import main
from joulebus.shipped_sites import SITES
from joulebus.site_guess import Found, Sight, grid_meter, sight
from joulebus.site_text import site_text
from joulebus.survey import look
from schemas.site_file import load_site
from schemas.units import Kind
from simulator.plant import Surroundings
from simulator.service import SimulatedSite
from tests.bridges.fieldbus.bare import Bare, held
from tests.bridges.fieldbus.test_discover import device as registers

NAN = math.nan
STEPS = [0.0, 0.0, 20e3, 20e3, -15e3, -15e3, 5e3, 5e3, 40e3, 40e3, 0.0, 0.0]


def seen(
    battery: list[float], late: int = 0, load: float = 30e3, noise: float = 0.0, share: float = -1.0
) -> list[float]:
    """What a meter shows beside a battery: late by some samples, with a load that moves."""
    chance = random.Random(7)
    shown = [battery[max(0, n - late)] for n in range(len(battery))]
    return [load + share * power + chance.gauss(0, noise) for power in shown]


@pytest.mark.parametrize(
    ("meter", "battery", "told"),
    [
        (seen(STEPS), STEPS, Sight.SEES),
        (seen(STEPS, late=2), STEPS, Sight.SEES),
        (seen(STEPS, noise=2e3), STEPS, Sight.SEES),
        (seen(STEPS, share=1.0), STEPS, Sight.REVERSED),
        (seen(STEPS, share=0.0, noise=2e3), STEPS, Sight.SEES_NOT),
        (seen(STEPS, share=0.0), STEPS, Sight.SEES_NOT),
        ([NAN, *seen(STEPS)[1:]], STEPS, Sight.SEES),
        (seen(STEPS), [30e3 + n for n in range(12)], Sight.UNTOLD),
        (seen([0.0] * 12, noise=9e3), [0.0] * 12, Sight.UNTOLD),
        ([NAN] * 12, STEPS, Sight.UNTOLD),
        ([], [], Sight.UNTOLD),
        (seen(STEPS, share=-0.3), STEPS, Sight.UNTOLD),
    ],
    ids=["plain", "late", "a load that moves", "reversed", "another place", "a load that rests", "one lost", "at rest",
         "both at rest", "silent", "nothing", "a third of it"],
)  # fmt: skip
def test_whether_a_meter_sees_a_battery(meter: list[float], battery: list[float], told: Sight) -> None:
    assert sight(meter, battery) is told


def test_a_meter_elsewhere_is_hardly_ever_said_to_see_a_battery() -> None:
    """Two powers that step by chance and know nothing of each other, watched for 20 s; and a meter beside a load."""
    wrong = missed = 0
    for seed in range(300):
        chance = random.Random(seed)
        battery, load = ([power for _ in range(10) for power in [chance.uniform(-50e3, 50e3)] * 4] for _ in range(2))
        wrong += sight(load, battery) in (Sight.SEES, Sight.REVERSED)
        missed += sight(seen(battery, late=seed % 4, noise=2e3), battery) is not Sight.SEES
    assert (wrong <= 2, missed <= 6) == (True, True), (wrong, missed)


def device(name: str, kind: Kind, **traces: list[float]) -> Found:
    return Found(name, kind, f"{kind}_profile", f"tcp://192.0.2.{len(name)}:502", 1, traces=dict(traces))


def test_of_two_meters_the_one_that_sees_the_battery_and_is_not_its_own_is_proposed() -> None:
    pcs = device("pcs", Kind.PCS, p=STEPS)
    moved = [power + 8e3 for power in STEPS]
    of_pcs = device("meter1", Kind.METER, p=[-power for power in moved])
    grid = device("meter2", Kind.METER, p=seen(moved, noise=500))
    found = grid_meter([device("pcs", Kind.PCS, p=moved), of_pcs, grid])
    assert found.meter is grid
    assert "meter1: shows what pcs does, and nothing else" in found.words
    elsewhere = device("meter1", Kind.METER, p=seen(STEPS, share=0.0, noise=3e3))
    assert grid_meter([pcs, elsewhere, device("meter2", Kind.METER, p=seen(STEPS))]).meter is not elsewhere
    untold = grid_meter([device("pcs", Kind.PCS, p=[0.0] * 12), elsewhere, grid])
    assert untold.meter is elsewhere
    assert untold.words[-1] == "meter1 and meter2: which of them is at the connection point cannot be told"


def test_each_bms_goes_with_the_pcs_of_its_voltage() -> None:
    one, two = device("pcs1", Kind.PCS, dc_u=[702.0] * 3), device("pcs2", Kind.PCS, dc_u=[811.0] * 3)
    high, low = device("bms1", Kind.BMS, u=[812.0] * 3), device("bms2", Kind.BMS, u=[700.0] * 3)
    told = [(*names(guess), guess.why) for guess in batteries([one, two, high, low])]
    assert told == [("pcs1", "bms2", "same DC voltage"), ("pcs2", "bms1", "same DC voltage")]
    assert [guess.racks for guess in batteries([one, two])] == [(), ()]
    same = [guess.why for guess in batteries([one, two, device("bms", Kind.BMS, u=[NAN])])]
    assert same == ["the only guess left", "no BMS was found"]


def names(guess: Guess) -> tuple[str, str]:
    return "+".join(one.name for one in guess.pcs), "+".join(one.name for one in guess.racks)


def rack(name: str, power: list[float], volts: float = 790.0) -> Found:
    """What it carries, with the losses of its PCS."""
    return device(name, Kind.BMS, u=[volts] * len(power), i=[1.03 * one / volts for one in power])


def pcs(name: str, power: list[float], volts: float = 790.0) -> Found:
    return device(name, Kind.PCS, p=power, dc_u=[volts] * len(power))


OTHER = [10e3, -5e3, -5e3, 30e3, 30e3, 0.0, -20e3, -20e3, 15e3, 15e3, -8e3, 12e3]
BOTH = [a + b for a, b in zip(STEPS, OTHER, strict=True)]


def part(power: list[float], share: float) -> list[float]:
    return [share * one for one in power]


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        ([pcs("a", STEPS), pcs("b", OTHER), rack("c", OTHER), rack("d", part(STEPS, 0.4)), rack("e", part(STEPS, 0.6))],
         [("a", "d+e"), ("b", "c")]),
        ([pcs("a", STEPS), pcs("b", OTHER), rack("c", part(BOTH, 0.5)), rack("d", part(BOTH, 0.5))], [("a+b", "c+d")]),
        ([pcs("a", STEPS), rack("c", [0.0] * 12), rack("d", [0.0] * 12)], [("a", "c+d")]),
        ([pcs("a", STEPS), pcs("b", part(STEPS, 0.1)), rack("c", STEPS), rack("d", part(STEPS, 0.1))],
         [("a", "c"), ("b", "d")]),
        ([pcs("a", STEPS), pcs("b", STEPS, 600.0), rack("c", STEPS, 602.0), rack("d", STEPS)],
         [("a", "d"), ("b", "c")]),
        ([replace(pcs("a", STEPS), traces={"p": STEPS, "soc": [50.0] * 12}), pcs("b", OTHER), rack("c", OTHER)],
         [("a", ""), ("b", "c")]),
    ],
    ids=["two racks", "two PCS on two racks", "the only PCS", "one hand", "one hand, two voltages", "a hybrid"],
)  # fmt: skip
def test_the_racks_of_a_pcs_carry_together_what_it_gives(devices: list[Found], told: list[tuple[str, str]]) -> None:
    assert [names(guess) for guess in batteries(devices)] == told


def test_what_the_powers_do_not_tell_is_a_choice_with_what_was_seen() -> None:
    """One hand steers both alike, and all voltages are one."""
    found = [pcs("a", STEPS), pcs("b", STEPS), rack("c", STEPS), rack("d", STEPS), rack("e", STEPS)]
    first, second = batteries(found)
    assert (first.why, second.why) == ("the only guess left", "the only guess left")
    assert first.choices == ('bms = ["c", "e"]  # if these are racks in parallel; a shows 790 V, e 790 V',)
    (shared, alone) = batteries(found[:3])
    assert shared.choices == ('pcs = ["a", "b"]  # if they share these cells; then leave out the battery of b',)
    assert alone.racks == ()
    text = site_text(found, [first, second], grid_meter(found))
    assert '\n# bms = ["c", "e"]  # if these are racks' in text
    assert "# e belongs to no PCS that was found" in text


def test_pcs_that_share_no_cells_are_hardly_ever_said_to() -> None:
    """Two batteries whose powers know nothing of each other, or are one hand's: each keeps its own rack."""
    for seed in range(200):
        chance = random.Random(seed)
        one, two = ([power for _ in range(10) for power in [chance.uniform(-50e3, 50e3)] * 4] for _ in range(2))
        two = two if seed % 2 else part(one, chance.uniform(0.05, 1.5))
        found = batteries([pcs("a", one), pcs("b", two), rack("c", one), rack("d", two)])
        assert [names(guess) for guess in found] == [("a", "c"), ("b", "d")], seed


async def test_each_meter_of_a_chain_is_proposed_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*registers(103)[:-2], *registers(203)[2:-2], *registers(203)[2:]]
    async with Bare(held(40000, words)) as inverter:
        found = await look([(inverter.address, [1])], seconds=0.5)
    capsys.readouterr()
    assert [(one.profile, one.instance) for one in found if one.kind is Kind.METER][:2] == [
        ("sunspec_meter_203", 1),
        ("sunspec_meter_203", 2),
    ]
    assert "instance = 2" in site_text(found, batteries(found), grid_meter(found))


async def test_the_simulated_site_is_proposed_and_only_the_owners_answers_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else steers the battery meanwhile; the scan only reads."""
    file = tmp_path / "site.toml"
    site = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")
    async with SimulatedSite(site, free_ports=True) as simulated:
        addresses = [one.address for one in simulated.site.device]
        scan = [sys.executable, "-m", "joulebus.cli", "scan", *addresses, "--watch", "4", "--write", str(file)]
        process = await asyncio.create_subprocess_exec(
            *scan, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        steering = asyncio.create_task(steer(simulated))
        out, err = await process.communicate()
        steering.cancel()
        await asyncio.gather(steering, return_exceptions=True)
    assert (process.returncode, err.decode()) == (0, "")
    assert f"{file}: 4 devices" in out.decode()
    text = file.read_text(encoding="utf-8")
    assert "# meter: pcs: sees it\n" in text
    assert 'mode = "read_only"' in text

    assert main(["check", str(file)]) == 1
    said = capsys.readouterr().err
    asked = ("time_zone", "grid.import_limit", "grid.export_limit", "battery.0.energy", "device.0.rated_power")
    assert [place for place in asked if f"{place}: is not filled in yet" not in said] == []
    assert said.count("\n") == len(asked), said
    for key, value in (
        ("import_limit", "500_000"),
        ("export_limit", "0"),
        ("energy", "200_000"),
        ("rated_power", "100_000"),
    ):
        text = text.replace(f'{key} = "?"', f"{key} = {value}")
    file.write_text(text.replace('time_zone = "?"', 'time_zone = "Europe/Berlin"'), encoding="utf-8")
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "warning" not in capsys.readouterr().out
    assert {one.profile for one in load_site(file).device} == {one.profile for one in site.device}

    assert main(["scan", addresses[0], "--write", str(file)]) == 1
    assert f"{file} is there already: a scan writes over no file" in capsys.readouterr().err


async def test_a_box_of_contacts_is_one_that_has_its_registers_and_no_other() -> None:
    inputs = held(16, [0] * 32, function=4) | held(48, [0b101], function=4)
    everything = {(function, register): 0 for function in (3, 4) for register in range(65_536)}
    async with Bare(inputs) as box, Bare(everything) as permissive:
        found = await look([(box.address, [1]), (permissive.address, [1])], seconds=0.5)
    assert [(one.address, one.kind) for one in found] == [(box.address, Kind.SENSOR)]
    assert found[0].closed == {"inputs": ("di_0", "di_2")}
    text = site_text(found, [], grid_meter(found))
    assert "closed now: di_0, di_2." in text
    assert '# [[grid.signal]]\n# device = "sensor"\n# point = "inputs"\n# contains = "di_0"\n' in text


@pytest.mark.slow
async def test_a_large_site_is_proposed_with_its_racks_hybrid_loads_and_contacts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = load_site(SITES / "large.toml")
    around = Surroundings(120e3, 0.4)
    async with SimulatedSite(shipped, free_ports=True, around=lambda _: around) as simulated:
        places = [(simulated.site.named(one.name).address, [one.unit]) for one in shipped.device]
        steering = asyncio.create_task(steer_all(simulated))
        found = await look(places, seconds=6)
        steering.cancel()
        await asyncio.gather(steering, return_exceptions=True)
    real = {simulated.site.named(one.name).address: one.name for one in shipped.device}
    named = {one.name: real[one.address] for one in found}
    guessed = {tuple(named[one.name] for one in guess.pcs): {named[one.name] for one in guess.racks}
               for guess in batteries(found)}  # fmt: skip
    assert guessed == {("pcs1",): {"bms1"}, ("pcs2",): {"bms2"}, ("pcs3",): {"bms3", "bms4"}, ("hybrid",): set()}
    grid = grid_meter(found)
    assert grid.meter is not None
    assert named[grid.meter.name] == "meter", grid.words
    assert {named[name] for name in grid.loads} == {"cooling", "chargers"}
    (box,) = [one for one in found if one.contacts]
    assert (named[box.name], box.closed) == ("box", {"inputs": ("di_0", "di_4")})

    text = site_text(found, batteries(found), grid)
    assert text.count('measures = "load"') == 2
    filled = {"time_zone": '"Europe/Berlin"', "import_limit": "800_000", "export_limit": "0\nsafe_feed_in = 30"}
    text = re.sub(r'^(\w+) = "\?"', lambda key: f"{key[1]} = {filled.get(key[1], '100_000')}", text, flags=re.MULTILINE)
    text = re.sub(r"^# (?=(\[\[grid\.signal|\w+ = ))", "", text, flags=re.MULTILINE)  # what is written as an example
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["check", str(tmp_path / "site.toml")]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "read_only, " in said
    assert "inputs has di_1: feed-in 60 %" in said


async def test_a_gateway_that_swallows_the_first_seconds_is_found_and_what_it_needs_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with Bare(held(40000, registers(203)), quiet=1.5) as slow, Bare(held(40000, registers(103))) as quick:
        found = await look([(slow.address, [1]), (quick.address, [1])], seconds=0.5)
    assert [(one.name, one.profile, one.pause) for one in found] == [
        ("meter", "sunspec_meter_203", 2.5),
        ("pv", "sunspec_pv", 0.0),
    ]
    assert "connect_pause = 2.5" in site_text(found, batteries(found), grid_meter(found))
    capsys.readouterr()


@pytest.mark.parametrize("seconds", ["0", "nan", "inf", "-3"])
def test_a_time_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "tcp://127.0.0.1:9", "tcp://127.0.0.1:7", f"--watch={seconds}"]) == 2
    assert "give seconds from 1 to 3600" in capsys.readouterr().err


async def steer(simulated: SimulatedSite) -> None:
    """As another master does, over a line of its own."""
    device_ = simulated.site.named("pcs")
    line = Connection(device_.address, 1.0)
    pcs = ModbusDevice(device_, simulated.site.profiles["pcs"], line, writable=True)
    await pcs.read()
    while True:
        for power in (20e3, -30e3, 5e3, 60e3, -10e3):
            await pcs.write("p_set", power)
            await asyncio.sleep(0.9)


async def steer_all(simulated: SimulatedSite) -> None:
    """Each battery its own way."""
    site, chance = simulated.site, random.Random(1)
    powers = {"pcs1": 80e3, "pcs2": 80e3, "pcs3": 100e3, "hybrid": 8e3}
    lines = {name: Connection(site.named(name).address, 1.0) for name in powers}
    pcs = {name: ModbusDevice(site.named(name), site.profiles[name], line, writable=True)
           for name, line in lines.items()}  # fmt: skip
    for device_ in pcs.values():
        await device_.read()
    while True:
        for name, most in powers.items():
            await pcs[name].write("p_set", chance.uniform(-most, most))
        await asyncio.sleep(0.9)
