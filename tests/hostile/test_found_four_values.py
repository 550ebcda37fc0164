"""What a hostile reader found the fourth time in lines, values, enables, prices and profiles: each name says what is
right."""

import asyncio
import contextlib
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridges.control.write_budget import LONGEST_AGAIN_WEARING
from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.blocks import locate, values
from bridges.fieldbus.modbus.codec import decode
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.exchange import DEAD
from bridges.telemetry.energy_counter import EnergyCounter
from bridges.telemetry.quality import Judge
from consumers.optimize.prices import PriceFiles
from optimizer.published import Row, publish
from schemas.magnitudes import odd_powers
from schemas.messages import Authority, Cause
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site_file import load_site
from schemas.units import Quality
from tests.bridges.control.story import DEMO, Story, changed, story
from tests.bridges.liar import HONEST, Asked, Liar
from tests.virtual import loop, virtual

# The line ---------------------------------------------------------------------------------------------


def confirm(asked: Asked) -> bytes:
    """The answer to a write by function 16: where, and how many; not what."""
    return asked.frame(struct.pack(">BHH", 16, asked.start, asked.count))


@pytest.mark.parametrize("anew", ["dead", "closed", "another connection"])
async def test_a_late_answer_that_a_dongle_gives_to_the_next_connection_is_no_value(anew: str) -> None:
    """A dongle has one queue: what it comes to say late goes to whoever is connected then. Numbers that begin at 1 with
    each connection meet again there: registers of 100 were published as those of 200, good."""
    late: list[Asked] = []

    async def asleep(asked: Asked, _out: asyncio.StreamWriter) -> None:
        late.append(asked)

    async def awake(_asked: Asked, out: asyncio.StreamWriter) -> None:
        out.write(late.pop(0).registers())

    async with Liar(lie=asleep) as dongle:
        line = Connection(dongle.address, timeout=0.05)
        for _ in range(DEAD if anew == "dead" else 1):
            with pytest.raises(Unreachable):
                await line.read(7, 3, 100, 3)
        if anew != "dead":
            line.close()
        if anew == "another connection":  # the bridge was begun anew
            line = Connection(dongle.address, timeout=0.05)
        dongle.lie = awake
        with pytest.raises(Unreachable):
            await line.read(7, 3, 200, 3)
        dongle.lie = HONEST
        assert await _soon(line) == [500, 501, 502]
        line.close()


async def _soon(line: Connection) -> list[int]:
    for _ in range(3):
        try:
            return await line.read(7, 3, 500, 3)
        except Unreachable:
            continue
    raise AssertionError("the line did not recover")


async def test_a_late_confirmation_does_not_confirm_the_write_of_a_later_connection() -> None:
    """Function 16 confirms where and how many, not what: 0 W counted as written by the word about 5000 W."""
    asked: list[Asked] = []

    async def asleep(one: Asked, _out: asyncio.StreamWriter) -> None:
        asked.append(one)

    async def awake(one: Asked, out: asyncio.StreamWriter) -> None:
        asked.append(one)
        out.write(confirm(asked[0]))

    async with Writes(lie=asleep) as dongle:
        line = Connection(dongle.address, timeout=0.05)
        with pytest.raises(Unreachable):
            await line.write(7, 16, 100, [5000])
        line.close()
        dongle.lie = awake
        with pytest.raises(Unreachable):
            await line.write(7, 16, 100, [0])
        line.close()


class Writes(Liar):
    """Takes writes of one register by function 16."""

    async def _serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.newest = out
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                frame = await source.readexactly(15)
                transaction, _, _, unit, function, start, count = struct.unpack_from(">HHHBBHH", frame)
                await self.lie(Asked(transaction, unit, function, start, count, rtu=False), out)
        out.close()
        self._tasks.discard(task)


# Values -----------------------------------------------------------------------------------------------

SENTINELS = [
    ("carlo_gavazzi_em300", "p", 0x7FFFFFFF * 0.1),
    ("deye_hybrid_3p", "p", -32768.0),
    ("deye_hybrid_3p", "grid_p", 32767.0),
    ("schneider_iem3000", "e_export", -(2.0**63)),
    ("foxess_h3_pro", "grid_p", -0.1 * (2**31 - 1)),
    ("growatt_tl_x", "p", 0x7FFFFFFF * 0.1),
    ("solis_hybrid", "ac_p", 2.0**31 - 1),
]


@pytest.mark.parametrize(("profile", "point", "value"), SENTINELS, ids=[f"{one[0]} {one[1]}" for one in SENTINELS])
def test_the_end_of_a_register_is_no_power(profile: str, point: str, value: float) -> None:
    """Where a device has no value, or more than its register can say: 214 MW of a meter, -9e18 Wh of a counter that a
    model does not have, were good (case 26; Growatt: https://github.com/OpenInverterGateway/OpenInverterGateway/issues/342,
    Sungrow: https://github.com/mkaiser/Sungrow-SHx-Inverter-Modbus-Home-Assistant/issues/299)."""
    judge = Judge(load_profile(profile), 10e3)
    assert judge.judge({point: value}, {"": [1]}, 0.0) == {point: Quality.IMPLAUSIBLE}
    assert judge.judge({point: 1000.0}, {"": [2]}, 1.0) == {}


@pytest.mark.parametrize("name", sorted(one.stem for one in PROFILES.glob("*.toml")))
def test_no_point_of_a_shipped_profile_is_good_at_the_end_of_its_register(name: str) -> None:
    profile = load_profile(name)
    for point, one in profile.points.items():
        for words in ([0xFFFF] * one.count, [0x7FFF, *[0xFFFF] * (one.count - 1)], [0x8000, *[0] * (one.count - 1)]):
            at_end = one.type[0] == "i" if words[0] != 0xFFFF else one.type[0] == "u"
            if not at_end or not one.unit or one.scale_register is not None or one.flags or one.enum:
                continue
            value = decode(one, words[::-1] if "little" in (one.word_order or profile.word_order) else words,
                           profile.word_order, 0, profile.sunspec)  # fmt: skip
            if isinstance(value, float):
                _doubted(profile, point, value)
                _doubted(profile, point, -value if one.sign else value)


def _doubted(profile: Profile, point: str, value: float) -> None:
    found = Judge(profile, 10e3).judge({point: value}, {"": [1]}, 0.0)
    assert found.get(point) is Quality.IMPLAUSIBLE, (point, value)


def test_growatt_draws_a_little_in_the_evening() -> None:
    """Its output power has a sign (https://github.com/OpenInverterGateway/OpenInverterGateway/issues/342): -1.6 W were
    429 MW."""
    profile = load_profile("growatt_tl_x")
    for name in ("p", "p_l1", "p_l2", "p_l3"):
        assert decode(profile.points[name], [0xFFFF, 0xFFF0], profile.word_order) == pytest.approx(-1.6)


def test_the_counters_of_a_hybrid_whose_meter_counts_each_phase_are_believed() -> None:
    """PV of one phase feeds in 5 kW while another draws them: the sum is 0, and both counters run."""
    judge = Judge(load_profile("foxess_h3_pro"), 10e3)
    doubted = []
    for second in range(1200):
        wh = 10.0 * (second * 5000 // 36000)
        values = {"grid_p": 0.0, "grid_p_l1": -5000.0, "grid_p_l2": 5000.0, "grid_p_l3": 0.0}
        found = judge.judge({**values, "e_import": 1e6 + wh, "e_export": 2e6 + wh}, {}, float(second))
        doubted += [name for name in ("e_import", "e_export") if name in found]
    assert not doubted


# Enables ----------------------------------------------------------------------------------------------


@virtual
async def test_an_enable_in_flash_that_falls_at_once_is_not_written_each_second(tmp_path: Path) -> None:
    """An inverter that sleeps shows enabled = 1 for a moment after each write, and 0 then: 3600 writes an hour went
    into a cell made for 100 000."""
    shipped = load_profile("sunspec_pv")
    limit = shipped.commands["p_limit_pct"].model_copy(update={"memory": "eeprom"})
    flash = {"pv": shipped.model_copy(update={"commands": {"p_limit_pct": limit}})}
    sources = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
    async with story(tmp_path, command_sources=sources, only=["pv"], profiles=flash) as it:
        await _limited(it, 10)
        it.simulated.faults.on("pv:reverts_untold", 0.2)
        await _limited(it, 1200)
        assert len(it.simulated.written) < 30
        assert Cause.NOT_HELD in it.causes("pv"), "and somebody is told"
        it.simulated.faults.off("pv:reverts_untold")
        await _limited(it, LONGEST_AGAIN_WEARING)
        assert it.simulated.world.plant.pv["pv"].p == pytest.approx(15e3, rel=0.02), "it wakes up"


@virtual
async def test_a_timer_of_a_second_is_learned_while_the_limit_changes_each_two(tmp_path: Path) -> None:
    """Each write begins its second anew, so none fell late enough to count as a timer: a quarter of the time the PV
    gave all it had, for good, and nobody was told."""
    sources = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
    async with story(tmp_path, command_sources=sources, only=["pv"]) as it:
        await _limited(it, 10)
        it.simulated.faults.on("pv:reverts_untold", 1.0)
        await _limited(it, 30, changes=True)
        assert await _limited(it, 60, changes=True) <= 1, "of 240 looks"


async def _limited(it: Story, seconds: float, *, changes: bool = False) -> int:
    """The operator says it each 2 s; how often the PV gave more."""
    over, ends = 0, loop().time() + seconds
    while loop().time() < ends:
        percent = 10.0 + (loop().time() // 2 % 5 if changes else 0.0)
        it.command("pv", values={"p_limit_pct": percent}, source="scada", authority=Authority.DSO)
        for _ in range(8):
            await asyncio.sleep(0.25)
            over += it.simulated.world.plant.pv["pv"].p > 1.5 * percent * 1500
    return over


# Prices -----------------------------------------------------------------------------------------------


def test_a_price_file_that_is_being_written_is_not_half_of_the_market(tmp_path: Path) -> None:
    """A download that stands in its last row: 1 EUR/MWh instead of 123 was planned with, and the evening was borrowed
    from the day before."""
    head = "timestamp_utc,price_eur_per_mwh\n"
    old = [f"2026-06-01T{hour:02}:00Z,{90 + hour}" for hour in range(24)]
    new = [*old, *(f"2026-06-02T{hour:02}:00Z,{100 + hour}" for hour in range(24))]
    path, files = tmp_path / "prices.csv", PriceFiles()

    def write(text: str, at: float) -> None:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (at, at))

    write(head + "\n".join(old), 1000.0)
    assert len(files.series(path, 1000.5).starts) == 24, "the first is read whatever its age"
    write((head + "\n".join(new))[:-40], 2000.0)
    assert len(files.series(path, 2003.0).starts) == 24
    write(head + "\n".join(new), 2004.0)
    assert files.series(path, 2006.0).prices[-1] == pytest.approx(0.113)
    assert files.series(path, 2010.0).prices[-1] == pytest.approx(0.123)
    write(head + "\n".join(old), 9000.0)
    assert len(files.series(path, 3000.0).starts) == 24, "a file from the future is no reason to wait for ever"


@pytest.mark.parametrize(("hours", "local"), [(4, 23), (24, 23)])
def test_the_last_of_prices_of_four_hours_or_a_day_holds_as_long_as_the_others(hours: int, local: int) -> None:
    """From its second hour on it was borrowed from the day before, or there was no plan at all."""
    begins = datetime(2026, 6, 1, 22, tzinfo=UTC)
    rows = [Row(n, begins + n * timedelta(hours=hours), n / 100) for n in range(2 * 24 // hours)]
    last = begins + timedelta(hours=24 + local)
    assert publish(rows).series.at(last) == rows[-1].price
    assert publish(rows).series.at(last + timedelta(hours=1)) is None


def test_a_counter_that_stands_where_it_stood_is_believed_whatever_the_file_says_it_may_gain() -> None:
    """A file from before the scale of its register was mended: a year of energy was owed, and it was doubted."""
    point = load_profile("abb_b23").points["e_import"]
    counter = EnergyCounter(point, 20e3, sign=1)
    counter.recall(1e6, -1e9, 10.0)
    counter.passes(5e3, 0.0)
    assert counter.believes(1e6, 0.0)


# Profiles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "direction", "is_"), [
    ([0, 900], 1, 900.0), ([0xFFFF, 0xFC7C], 1, 900.0), ([0xFFFF, 0xFC7C], 0, -900.0), ([0, 900], 0, -900.0),
])  # fmt: skip
def test_a_direction_of_its_own_counts_whatever_sign_the_amount_has(
    words: list[int], direction: int, is_: float
) -> None:
    """Two firmwares of Solis: https://github.com/evcc-io/evcc/pull/29547. With one of them the battery's power was
    never known while it discharged."""
    profile = load_profile("solis_hybrid")
    image = {(4, 33135): direction, (4, 33149): words[0], (4, 33150): words[1]}
    found = [one for one in locate(profile, {}) if one.name == "p"]
    assert values(found, image, profile) == {"p": is_}


def test_a_power_that_its_register_cannot_say_is_named() -> None:
    """842 of a GX has 16 bits and wraps round (https://github.com/victronenergy/venus/issues/1135): 40 kW of discharge
    read as 25.5 kW of charge, good. Nobody could know but from the site file."""
    site = load_site(DEMO)
    small, large = (
        site.model_copy(update={"device": changed(site, "pcs", rated_power=rated)}) for rated in (30e3, 50e3)
    )
    for one in (small, large):
        one.profiles["pcs"] = load_profile("victron_gx")
    assert not [words for _, words in odd_powers(small) if "ends at" in words]
    assert [words for _, words in odd_powers(large) if "p of" in words and "ends at 32.77 kW, and 50 kW" in words]
